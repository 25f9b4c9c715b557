"""The table of keywords: which drafts know each, which type it is about, and its handler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from decodekit_json.dialects import DRAFTS, LATEST
from decodekit_json.located import Schema

if TYPE_CHECKING:
    from decodekit_json.lowering import Lowering


Term: TypeAlias = Any
"""A group, a literal, or a choice: alternatives of which one holds."""
Terms: TypeAlias = list[Term]
Alternatives: TypeAlias = list[Terms]
Handler: TypeAlias = "Callable[[Lowering, Schema, bool, str], Alternatives]"

MAX_ALTERNATIVES = 512
MAX_DEPENDENT = 64
"""Most keys of one schema on which other keys, or a schema, depend."""
ALWAYS: Alternatives = [[]]
NEVER: Alternatives = []
FALSE = Schema(False, LATEST, "#", None)

_TABLE: dict[str, tuple[str, str, str, Handler]] = {}
"""Keyword to (type, or "" for all; first draft; last draft; handler)."""
_ORDER = list(DRAFTS)


def keyword(name: str, kind: str = "", since: str = "4", until: str = "2020-12") -> Callable[[Handler], Handler]:
    """Enter a handler into the table."""

    def enter(handler: Handler) -> Handler:
        _TABLE[name] = (kind, since, until, handler)
        return handler

    return enter


def handler_of(name: str) -> Handler:
    """Give the handler of a keyword."""
    return _TABLE[name][3]


def span(name: str) -> tuple[str, str] | None:
    """Give the first and the last draft that know a keyword; None where it is an annotation."""
    entry = _TABLE.get(name)
    return None if entry is None else (entry[1], entry[2])


def is_read(draft: str, name: str) -> bool:
    """Say whether a keyword of the table is one of a draft."""
    first, last = _TABLE[name][1:3]
    return not draft or _ORDER.index(first) <= _ORDER.index(draft) <= _ORDER.index(last)


def known(draft: str) -> list[str]:
    """Give the keywords of the table that are of a draft."""
    return [name for name in _TABLE if is_read(draft, name)]


def relevant(schema: Schema, kind: str) -> Iterator[str]:
    """Give a schema's keywords that say something about a type, in the schema's order."""
    contents = schema.contents
    if "$ref" in contents and schema.older("7"):
        yield "$ref"
        return
    for name in contents:
        entry = _TABLE.get(name)
        if entry is not None and entry[0] in ("", kind) and is_read(schema.draft, name):
            yield name
