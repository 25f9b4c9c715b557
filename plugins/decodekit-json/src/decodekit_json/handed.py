"""Documents that are handed in for references: checked, and entered under their URIs. Nothing is ever fetched."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from jsonschema_specifications import REGISTRY
from referencing import Registry, Resource, Specification
from referencing.exceptions import CannotDetermineSpecification

from decodekit.errors import SchemaError

ROOT = "urn:decodekit:schema"
"""The URI of a schema that does not say its own."""
JOINT = "urn:decodekit:joint:"
"""What the URIs of several schemas that must all hold begin with."""
_OBJECT = 'a schema is an object such as {"type": "array"}, true or false'


def check_documents(documents: Any) -> None:
    """Refuse what is not schemas by URI."""
    if not isinstance(documents, Mapping):
        raise SchemaError(f"documents are schemas by URI, got {documents!r:.80}", hint="documents={uri: schema}")
    for name in documents:
        if not isinstance(name, str) or not name.strip():
            raise SchemaError(f"documents: {name!r:.80} is not a URI", hint="such as 'https://example.com/a.json'")
        before, _, fragment = name.partition("#")
        if fragment:
            raise SchemaError(
                f"documents: {name!r:.200} is a place inside of a document",
                hint=f"hand the whole document in, under {before!r:.200}",
            )


def registry_of(root: Any, documents: Mapping[str, Any], fallback: Specification[Any]) -> tuple[Registry[Any], str]:
    """Give where references are looked up, and the URI of the schema itself.

    Args:
        root: The schema.
        documents: Others by URI; what is relative is so to the schema's `$id`.
        fallback: How is read what does not say so itself.

    Raises:
        SchemaError: For what is no schema, and where two schemas claim one URI.
    """
    resource = _resource(root, fallback, "the schema")
    base = resource.id() or ROOT
    registry: Registry[Any] = REGISTRY
    claimed: dict[str, tuple[Any, str]] = {base: (root, "the schema")}
    for name, contents in documents.items():
        uri = urljoin("" if base == ROOT else base, name)
        document = _resource(contents, fallback, f"the document {name!r:.200}")
        for claim in {uri, urljoin(uri, document.id() or "")}:
            _claim(claimed, claim.rstrip("#"), contents, f"the document {name!r:.200}")
        registry = registry.with_resource(uri, document)
    return registry.with_resource(base, resource), base


def _claim(claimed: dict[str, tuple[Any, str]], uri: str, contents: Any, who: str) -> None:
    other, whose = claimed.setdefault(uri, (contents, who))
    if other != contents:
        raise SchemaError(
            f"documents: {whose} and {who} are both {uri!r:.200}, and differ",
            hint="a schema is known by its $id as well as by what it is handed in under: change one of them",
        )


def _resource(contents: Any, fallback: Specification[Any], who: str) -> Resource[Any]:
    if not isinstance(contents, dict | bool):
        raise SchemaError(f"{who} is not a schema: {contents!r:.80}", hint=_OBJECT)
    check_id(contents, who)
    try:
        return Resource.from_contents(contents, default_specification=fallback)
    except CannotDetermineSpecification:
        return fallback.create_resource(contents)


def check_id(contents: Any, who: str) -> None:
    """Refuse a schema whose `$id` is no text."""
    name = contents.get("$id") if isinstance(contents, dict) else None
    if name is not None and not isinstance(name, str):
        raise SchemaError(f"{who}: $id is {name!r:.80}, not a URI")


def where_it_leads(reference: str, registry: Registry[Any], base: str) -> str:
    """Say what to do about a reference that leads nowhere.

    Args:
        reference: What it says.
        registry: Where it was looked up.
        base: From which document.
    """
    try:
        uri, _, fragment = urljoin(base, reference).partition("#")
    except ValueError as error:  # brackets that hold no address
        return f"it is no URI: {error}"
    if uri in registry or not uri:
        return f"the document is there, but has nothing at {fragment!r:.200}"
    near = difflib.get_close_matches(uri, [known for known in registry if known not in REGISTRY], n=1)
    found = f"; there is {near[0]!r:.200}" if near else ""
    return f"references are never fetched: hand the document in, documents={{{uri!r:.300}: schema}}{found}"


__all__ = ["JOINT", "ROOT", "check_documents", "check_id", "registry_of", "where_it_leads"]
