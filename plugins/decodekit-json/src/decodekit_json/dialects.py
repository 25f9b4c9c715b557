"""Dialects: which draft a schema follows, and which of its keywords its metaschema leaves out.

A metaschema of one's own, handed in as a document, declares vocabularies; keywords of the standard ones that it does
not declare say nothing. Which keywords a vocabulary has is read from the drafts' own metaschemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema_specifications import REGISTRY
from referencing import Specification
from referencing.jsonschema import DRAFT4, DRAFT6, DRAFT7, DRAFT201909, DRAFT202012, specification_with

from decodekit.errors import UnsupportedSchemaError

DRAFTS: dict[str, Specification[Any]] = {
    "4": DRAFT4,
    "6": DRAFT6,
    "7": DRAFT7,
    "2019-09": DRAFT201909,
    "2020-12": DRAFT202012,
}
_NUMBERS = {id(specification): number for number, specification in DRAFTS.items()}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a schema is read.

    Attributes:
        draft: "4", "6", "7", "2019-09" or "2020-12"; "" where nothing says so: 2020-12, and the older spellings too.
        without: Keywords that say nothing.
    """

    draft: str = ""
    without: frozenset[str] = frozenset()


LATEST = Dialect("2020-12")


class Dialects:
    """The dialects that schemas may name.

    Args:
        documents: Metaschemas, among other documents, by URI.
    """

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self._documents = {uri.rstrip("#"): document for uri, document in documents.items()}
        self._known: dict[str, Dialect | None] = {}

    def of(self, contents: Any) -> Dialect | None:
        """Give the dialect that a schema names; None where it names none, or one that nothing is known of.

        Raises:
            UnsupportedSchemaError: For a metaschema that requires a vocabulary which is not known.
        """
        name = contents.get("$schema") if isinstance(contents, dict) else None
        if not isinstance(name, str):
            return None
        name = name.rstrip("#")
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> Dialect | None:
        try:
            return Dialect(_NUMBERS[id(specification_with(name))])
        except Exception:  # a dialect of one's own
            metaschema = self._documents.get(name)
        declared = metaschema.get("$vocabulary") if isinstance(metaschema, dict) else None
        return _declared(name, declared) if isinstance(declared, dict) else None


def _declared(name: str, declared: Mapping[str, Any]) -> Dialect:
    known = _vocabularies()
    for uri, required in declared.items():
        if required and uri not in known:
            raise UnsupportedSchemaError(
                f"the metaschema {name!r:.200} requires the vocabulary {uri!r:.200}, which is not known",
                keyword="$vocabulary",
                pointer="#",
                hint="declare it as optional (false) if documents may be written without it",
            )
    draft = next((known[uri][0] for uri in declared if uri in known), LATEST.draft)
    kept = {keyword for uri in declared if uri in known for keyword in known[uri][1]}
    every = {keyword for number, keywords in known.values() if number == draft for keyword in keywords}
    core = known[f"https://json-schema.org/draft/{draft}/vocab/core"][1]
    return Dialect(draft, frozenset(every - kept - core))


@cache
def _vocabularies() -> dict[str, tuple[str, frozenset[str]]]:
    """Give the standard vocabularies by URI: their draft, and their keywords."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for draft in ("2019-09", "2020-12"):
        base = f"https://json-schema.org/draft/{draft}/"
        for uri in REGISTRY:
            if uri.startswith(f"{base}meta/"):
                contents: Any = REGISTRY.contents(uri)
                own = f"{base}vocab/{uri.removeprefix(f'{base}meta/')}"
                found[own] = draft, frozenset(contents.get("properties", {}))
    return found


__all__ = ["DRAFTS", "LATEST", "Dialect", "Dialects"]
