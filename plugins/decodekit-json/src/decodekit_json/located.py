"""Schemas with their place: what `$ref`, `$id`, anchors and dynamic scope mean is left to the library `referencing`.

Nothing is ever fetched: documents that a schema refers to are handed in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote, urljoin

from referencing.exceptions import Unresolvable
from referencing.jsonschema import lookup_recursive_ref

from decodekit.errors import SchemaError, UnsupportedSchemaError
from decodekit_json.dialects import DRAFTS, LATEST, Dialect, Dialects
from decodekit_json.handed import JOINT, check_documents, check_id, registry_of, where_it_leads

NOWHERE = (Unresolvable, LookupError, TypeError, ValueError, AttributeError)
"""What `referencing` raises where a reference leads nowhere: the last ones for pointers into what is no schema."""
_INDEX = re.compile("0|[1-9][0-9]{0,9}")
_PLAIN = (str, int, float, bool, type(None))

Resolver: TypeAlias = Any


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """A schema and what its references mean. Compared by identity; `Documents` makes equal ones once.

    Attributes:
        contents: A dict or a bool.
        dialect: How it is read.
        pointer: Where it was first met, as a URI fragment.
        resolver: Looks references up from here.
        ignored: Keywords that its metaschema declares no vocabulary of; `contents` does not have them.
    """

    contents: Any
    dialect: Dialect
    pointer: str
    resolver: Resolver
    ignored: tuple[str, ...] = ()

    @property
    def draft(self) -> str:
        """Give the draft, "" where nothing says which."""
        return self.dialect.draft

    def older(self, draft: str) -> bool:
        """Say whether the schema is of this draft or an older one."""
        return bool(self.draft) and list(DRAFTS).index(self.draft) <= list(DRAFTS).index(draft)


class Documents:
    """All documents of one compilation.

    Args:
        root: The schema.
        documents: Other documents by URI, for `$ref`.
        draft: What the schema is, where it does not say so itself.
    """

    def __init__(self, root: Any, documents: Mapping[str, Any] | None = None, draft: str = "") -> None:
        if not isinstance(root, dict | bool):
            raise _no_schema(root, "#")
        check_documents(documents or {})
        self._dialects = Dialects(documents or {}, draft)
        dialect = self._dialects.of(root) or Dialect(draft)
        self.draft = dialect.draft
        self.registry, base = registry_of(root, documents or {}, DRAFTS[self.draft or "2020-12"])
        self.dynamic = _mentions(root, documents or {}, ("$dynamicRef", "$recursiveRef"))
        self._kept: dict[Hashable, Schema] = {}
        self._originals: list[Any] = []
        """Schemas that are known by their identity and not held by a `Schema`."""
        self._targets: dict[tuple[Schema, str], Schema] = {}
        resolver = self.registry.resolver(base_uri=base)
        self.root = self._keep(root, dialect, "#", resolver)

    @property
    def unknown_dialects(self) -> list[str]:
        """Give what schemas name as their dialect, so far as they were looked at, and of which nothing is known."""
        return self._dialects.unknown

    def child(self, parent: Schema, contents: Any, *path: str | int) -> Schema:
        """Give a subschema of `parent`, found under `path`."""
        if isinstance(contents, Schema):
            return contents
        resolver, dialect = parent.resolver, parent.dialect
        if isinstance(contents, dict):
            if "$schema" in contents:
                dialect = self._dialects.of(contents) or dialect
            if "$id" in contents or "id" in contents:
                check_id(contents, pointer_of(parent, *path))
                resource = DRAFTS[dialect.draft or "2020-12"].create_resource(contents)
                resolver = resolver.in_subresource(resource)
        return self._keep(contents, dialect, pointer_of(parent, *path), resolver)

    def target(self, source: Schema, keyword: str) -> Schema:
        """Follow `$ref`, `$dynamicRef` or `$recursiveRef`.

        Raises:
            UnsupportedSchemaError: Where the document is not there.
        """
        found = self._targets.get((source, keyword))
        if found is None:
            found = self._targets[source, keyword] = self._target(source, keyword)
        return found

    def _target(self, source: Schema, keyword: str) -> Schema:
        reference = source.contents[keyword]
        if not isinstance(reference, str):
            raise SchemaError(f"{keyword} at {source.pointer}: {reference!r:.80} is not a reference")
        try:
            if keyword == "$recursiveRef":
                found = lookup_recursive_ref(source.resolver)
            else:
                found = _looked_up(source.resolver, reference)
        except NOWHERE as error:
            raise UnsupportedSchemaError(
                f"{reference!r:.200} leads nowhere",
                keyword=keyword,
                pointer=source.pointer,
                hint=where_it_leads(reference, self.registry, source.resolver._base_uri),
            ) from error
        dialect = source.dialect
        if isinstance(found.contents, dict):
            dialect = self._dialects.of(found.contents) or self._dialect_at(found.resolver) or dialect
        return self._keep(found.contents, dialect, _pointer_to(reference, source), found.resolver)

    def constant(self, value: Any, parent: Schema) -> Schema:
        """Give the schema of one value."""
        key = ("const", json.dumps(value, sort_keys=True))
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = Schema({"const": value}, LATEST, parent.pointer, parent.resolver)
        return found

    def either(self, schemas: list[Schema]) -> Schema:
        """Give the schema that is satisfied where one of some is."""
        key = ("either", frozenset(schemas))
        found = self._kept.get(key)
        if found is None:
            first = schemas[0]
            found = self._kept[key] = Schema({"anyOf": schemas}, LATEST, first.pointer, first.resolver)
        return found

    def _dialect_at(self, resolver: Resolver) -> Dialect | None:
        """Give the dialect that the document around a reference's target names."""
        try:
            return self._dialects.of(self.registry.contents(resolver._base_uri))
        except (LookupError, Unresolvable, AttributeError):
            return None

    def _keep(self, contents: Any, dialect: Dialect, pointer: str, resolver: Resolver) -> Schema:
        if not isinstance(contents, dict | bool):
            raise _no_schema(contents, pointer)
        key: Hashable = contents if isinstance(contents, bool) else _simple(contents, dialect) or id(contents)
        if self.dynamic:
            key = (key, tuple(dict.fromkeys(uri for uri, _ in resolver.dynamic_scope())))
        found = self._kept.get(key)
        if found is None:
            ignored = tuple(name for name in contents if name in dialect.without) if isinstance(contents, dict) else ()
            if ignored and isinstance(contents, dict):
                self._originals.append(contents)
                contents = {name: value for name, value in contents.items() if name not in ignored}
            found = self._kept[key] = Schema(contents, dialect, pointer, resolver, ignored)
        return found


def _pointer_to(reference: str, source: Schema) -> str:
    """Give where a reference leads: in another document than the schema itself behind its URI."""
    if reference.startswith("#"):
        return source.pointer.partition("#")[0] + reference
    uri = urljoin(source.resolver._base_uri, reference)
    if uri.startswith(JOINT):  # `meeting.py` tells which of several schemas that is
        return f"{source.pointer}/$ref"
    return uri if "#" in uri else f"{uri}#"


def _looked_up(resolver: Resolver, reference: str) -> Any:
    """Follow a reference; of indices in a pointer only those that RFC 6901 has.

    Raises:
        LookupError: For another one, which `referencing` reads as Python does (`-1`, `01`).
    """
    document, _, fragment = reference.partition("#")
    if fragment.startswith("/"):
        at: Any = resolver.lookup(document or "#").contents
        for part in unquote(fragment[1:]).split("/"):
            if not isinstance(at, list):
                at = at[part.replace("~1", "/").replace("~0", "~")]
            elif _INDEX.fullmatch(part):
                at = at[int(part)]
            else:
                raise LookupError(part)
    return resolver.lookup(reference)


def _no_schema(contents: Any, pointer: str) -> SchemaError:
    return SchemaError(f"{contents!r:.80} at {pointer} is not a schema: a schema is an object, true or false")


def _simple(contents: dict[str, Any], dialect: Dialect) -> str:
    """Give a key of a small schema without anything inside, which is the same wherever it stands; "" for others."""
    if len(contents) > 3 or not all(isinstance(value, _PLAIN) for value in contents.values()):
        return ""
    special = any(name.startswith("$") or name == "id" for name in contents)
    return "" if special else f"{dialect!r} {contents!r}"


def _mentions(root: Any, documents: Mapping[str, Any], words: tuple[str, ...]) -> bool:
    stack = [root, *documents.values()]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if any(word in item for word in words):
                return True
            if str(item.get("$ref", "")).startswith("https://json-schema.org/"):
                return True
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return False


def pointer_of(parent: Schema, *path: str | int) -> str:
    """Give the pointer of what is inside a schema."""
    return parent.pointer + "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


__all__ = ["NOWHERE", "Documents", "Schema", "pointer_of"]
