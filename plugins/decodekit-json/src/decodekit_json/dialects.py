"""Dialects: which draft a schema follows, and which of its keywords its metaschema leaves out.

A metaschema of one's own, handed in as a document, declares vocabularies; keywords of the standard ones that it does
not declare say nothing. Which keywords a vocabulary has is read from the drafts' own metaschemas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema_specifications import REGISTRY
from referencing import Specification
from referencing.jsonschema import DRAFT4, DRAFT6, DRAFT7, DRAFT201909, DRAFT202012

from decodekit.errors import SchemaError, UnsupportedSchemaError

DRAFTS: dict[str, Specification[Any]] = {
    "4": DRAFT4,
    "6": DRAFT6,
    "7": DRAFT7,
    "2019-09": DRAFT201909,
    "2020-12": DRAFT202012,
}
_OFFICIAL = re.compile(r"https?://(?:www\.)?json-schema\.org/")
_NAMED = re.compile(r"(?:draft-0([4-7])|draft/(2019-09|2020-12))/(?:hyper-)?schema|(schema)")
"""What stands behind the address; draft 5 has the metaschema of draft 4, and a plain "schema" names none."""


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
        draft: What the user says that the schema is; then nothing has to be known of a dialect that it names.

    Attributes:
        unknown: Dialects that schemas name and of which nothing is known.
    """

    def __init__(self, documents: Mapping[str, Any], draft: str = "") -> None:
        self._documents = {uri.rstrip("#"): document for uri, document in documents.items()}
        self._known: dict[str, Dialect | None] = {}
        self._draft = draft
        self.unknown: list[str] = []

    def of(self, contents: Any) -> Dialect | None:
        """Give the dialect that a schema names; None where it names none, or one that nothing is known of.

        Raises:
            SchemaError: For a name that is no text.
            UnsupportedSchemaError: For a draft that is not known, and for a metaschema that requires a vocabulary
                which is not known.
        """
        name = contents.get("$schema") if isinstance(contents, dict) else None
        if name is None:
            return None
        if not isinstance(name, str):
            raise SchemaError(f"$schema: {name!r:.80} is not a string", hint="it names the draft, or a metaschema")
        name = name.rstrip("#")
        if name not in self._known:
            self._known[name] = None  # metaschemas may name themselves, or one another
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> Dialect | None:
        official = _OFFICIAL.match(name)
        known = _NAMED.fullmatch(name[official.end() :].rstrip("/")) if official else None
        if known:
            number = known[1] or known[2]
            return Dialect("4" if number == "5" else number) if number else None
        metaschema = self._documents.get(name)
        if isinstance(metaschema, dict):
            declared = metaschema.get("$vocabulary")
            return _declared(name, declared) if isinstance(declared, dict) else self.of(metaschema)
        if official and not self._draft:
            raise UnsupportedSchemaError(
                f"{name!r:.200} is not a known draft",
                keyword="$schema",
                pointer="#",
                hint=f"known are {', '.join(DRAFTS)}: name one of them, or say draft={LATEST.draft!r} to read it so",
            )
        if not self._draft:
            self.unknown.append(name)
        return None


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
