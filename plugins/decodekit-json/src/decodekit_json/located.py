"""Schemas with their place: what `$ref`, `$id`, anchors and dynamic scope mean is left to the library `referencing`.

Nothing is ever fetched: documents that a schema refers to are handed in.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from jsonschema_specifications import REGISTRY
from referencing import Registry, Resource, Specification
from referencing.exceptions import CannotDetermineSpecification, Unresolvable
from referencing.jsonschema import (
    DRAFT4,
    DRAFT6,
    DRAFT7,
    DRAFT201909,
    DRAFT202012,
    lookup_recursive_ref,
    specification_with,
)

from decodekit.errors import SchemaError, UnsupportedSchemaError

DRAFTS: dict[str, Specification[Any]] = {
    "4": DRAFT4,
    "6": DRAFT6,
    "7": DRAFT7,
    "2019-09": DRAFT201909,
    "2020-12": DRAFT202012,
}
_NUMBERS = {id(specification): number for number, specification in DRAFTS.items()}
_PLAIN = (str, int, float, bool, type(None))
_ROOT = "urn:decodekit:schema"

Resolver: TypeAlias = Any


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """A schema and what its references mean. Compared by identity; `Documents` makes equal ones once.

    Attributes:
        contents: A dict or a bool.
        draft: "4", "6", "7", "2019-09" or "2020-12"; "" where nothing says so: 2020-12, and the older spellings too.
        pointer: Where it was first met, as a URI fragment.
        resolver: Looks references up from here.
    """

    contents: Any
    draft: str
    pointer: str
    resolver: Resolver

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
        self.draft = _draft_of(root) or draft
        fallback = DRAFTS[self.draft or "2020-12"]
        registry: Registry[Any] = REGISTRY
        for uri, contents in (documents or {}).items():
            registry = registry.with_resource(uri, _resource(contents, fallback))
        resource = _resource(root, fallback)
        self.registry = registry.with_resource(resource.id() or _ROOT, resource)
        self.dynamic = _mentions(root, documents or {}, ("$dynamicRef", "$recursiveRef"))
        self._kept: dict[Hashable, Schema] = {}
        self._targets: dict[tuple[Schema, str], Schema] = {}
        resolver = self.registry.resolver(base_uri=resource.id() or _ROOT)
        self.root = self._keep(root, self.draft, "#", resolver)

    def child(self, parent: Schema, contents: Any, *path: str | int) -> Schema:
        """Give a subschema of `parent`, found under `path`."""
        if isinstance(contents, Schema):
            return contents
        resolver, draft = parent.resolver, parent.draft
        if isinstance(contents, dict):
            if "$schema" in contents:
                draft = _draft_of(contents) or draft
            if "$id" in contents or "id" in contents:
                resource = DRAFTS[draft or "2020-12"].create_resource(contents)
                resolver = resolver.in_subresource(resource)
        return self._keep(contents, draft, parent.pointer + "".join(f"/{_escape(p)}" for p in path), resolver)

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
                found = source.resolver.lookup(reference)
        except Unresolvable as error:
            raise UnsupportedSchemaError(
                f"{reference!r:.200} leads nowhere",
                keyword=keyword,
                pointer=source.pointer,
                hint="references are never fetched: hand the document in, documents={uri: schema}",
            ) from error
        draft = source.draft
        if isinstance(found.contents, dict):
            draft = _draft_of(found.contents) or self._draft_at(found.resolver) or draft
        pointer = reference if reference.startswith("#") else f"{source.pointer}/{keyword}"
        return self._keep(found.contents, draft, pointer, found.resolver)

    def constant(self, value: Any, parent: Schema) -> Schema:
        """Give the schema of one value."""
        key = ("const", json.dumps(value, sort_keys=True))
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = Schema({"const": value}, "2020-12", parent.pointer, parent.resolver)
        return found

    def either(self, schemas: list[Schema]) -> Schema:
        """Give the schema that is satisfied where one of some is."""
        key = ("either", frozenset(schemas))
        found = self._kept.get(key)
        if found is None:
            first = schemas[0]
            found = self._kept[key] = Schema({"anyOf": schemas}, "2020-12", first.pointer, first.resolver)
        return found

    def _draft_at(self, resolver: Resolver) -> str:
        """Give the draft that the document around a reference's target names."""
        try:
            return _draft_of(self.registry.contents(resolver._base_uri))
        except (LookupError, Unresolvable, AttributeError):
            return ""

    def _keep(self, contents: Any, draft: str, pointer: str, resolver: Resolver) -> Schema:
        if not isinstance(contents, dict | bool):
            raise _no_schema(contents, pointer)
        key: Hashable = contents if isinstance(contents, bool) else _simple(contents, draft) or id(contents)
        if self.dynamic:
            key = (key, tuple(dict.fromkeys(uri for uri, _ in resolver.dynamic_scope())))
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = Schema(contents, draft, pointer, resolver)
        return found


def _no_schema(contents: Any, pointer: str) -> SchemaError:
    return SchemaError(f"{contents!r:.80} at {pointer} is not a schema: a schema is an object, true or false")


def _simple(contents: dict[str, Any], draft: str) -> str:
    """Give a key of a small schema without anything inside, which is the same wherever it stands; "" for others."""
    if len(contents) > 3 or not all(isinstance(value, _PLAIN) for value in contents.values()):
        return ""
    special = any(name.startswith("$") or name == "id" for name in contents)
    return "" if special else f"{draft} {contents!r}"


def _resource(contents: Any, fallback: Specification[Any]) -> Resource[Any]:
    try:
        return Resource.from_contents(contents, default_specification=fallback)
    except CannotDetermineSpecification:
        return fallback.create_resource(contents)


def _draft_of(contents: Any) -> str:
    dialect = contents.get("$schema") if isinstance(contents, dict) else None
    if not isinstance(dialect, str):
        return ""
    try:
        return _NUMBERS.get(id(specification_with(dialect.rstrip("#"))), "")
    except Exception:  # an unknown dialect: its own keywords are annotations
        return ""


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


def _escape(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


__all__ = ["DRAFTS", "Documents", "Schema"]
