"""What a schema says and is not followed, though it looks as if it were: told, never passed over without a word.

Annotations (`title`, `default`, `x-…`) are none of it, nor formats that are not asserted; a misspelt keyword is.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from decodekit.errors import SchemaWarning
from decodekit_json import keywords
from decodekit_json.formats import FORMATS
from decodekit_json.located import Documents, Schema
from decodekit_json.misspelt import elsewhere, meant

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that says nothing.

    Attributes:
        keyword: The keyword, for formats with its value.
        pointer: Where it is.
        why: Why it says nothing.
    """

    keyword: str
    pointer: str
    why: str

    def __str__(self) -> str:
        return f"{self.keyword} at {self.pointer} says nothing ({self.why})"


def remarks(documents: Documents, schemas: Iterable[Schema], formats: bool) -> list[Remark]:
    """Give what is not followed.

    Args:
        documents: The schema and what it refers to.
        schemas: Those that were looked at.
        formats: Whether `format` is asserted.
    """
    read = documents.draft or "2020-12"
    found = [
        Remark(f"$schema {name!r:.200}", "#", f"not among the documents; read as draft {read}")
        for name in documents.unknown_dialects
    ]
    for schema in schemas:
        if isinstance(schema.contents, dict):
            found += _of(schema, formats)
    return found


def _of(schema: Schema, formats: bool) -> Iterator[Remark]:
    beside_reference = "$ref" in schema.contents and schema.older("7")
    for name, value in schema.contents.items():
        if name == "format" and formats and isinstance(value, str) and value not in FORMATS and not beside_reference:
            yield Remark(f"format {value!r:.80}", schema.pointer, "unknown")
        if name == "required" and value is True and not beside_reference:
            yield Remark(name, schema.pointer, "a boolean, as in draft 3: the object lists the names")
        drafts = keywords.span(name)
        if drafts is None and (right := meant(name, schema.draft)):
            yield Remark(name, schema.pointer, f"unknown: did you mean {right!r}?")
        elif drafts is None and value is not False and (instead := elsewhere(name)):
            yield Remark(name, schema.pointer, f"of another vocabulary: write {instead}")
        if drafts is None or name == "$ref" or (name == "format" and not formats):
            continue
        if beside_reference:
            yield Remark(name, schema.pointer, f"beside $ref in draft {schema.draft}")
        elif not keywords.is_read(schema.draft, name):
            where = f"drafts {drafts[0]} to {drafts[1]}" if drafts[0] != drafts[1] else f"draft {drafts[0]}"
            yield Remark(name, schema.pointer, f"in draft {schema.draft}: it is of {where}")


def tell(name: str, found: Sequence[Remark]) -> None:
    """Warn of remarks.

    Args:
        name: Who asks.
        found: All of them; some are shown.
    """
    if not found:
        return
    more = f"; {len(found) - _SHOWN} more: decodekit explain-schema lists them" if len(found) > _SHOWN else ""
    warnings.warn(f"{name}: {'; '.join(map(str, found[:_SHOWN]))}{more}", SchemaWarning, stacklevel=2)


__all__ = ["Remark", "remarks", "tell"]
