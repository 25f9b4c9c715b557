"""What a grammar in Lark's notation is read to: names with bodies, made of alternatives, rows, repeats and leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from decodekit.errors import SchemaError, UnsupportedSchemaError


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something stands in the grammar's text; line and column count from 1."""

    line: int
    column: int

    def error(self, message: str, hint: str | None = None) -> SchemaError:
        """Give the error for a grammar that is wrong here."""
        return SchemaError(f"grammar, line {self.line}, column {self.column}: {message}", hint=hint)

    def refusal(self, message: str, hint: str) -> UnsupportedSchemaError:
        """Give the error for something that is not followed."""
        return UnsupportedSchemaError(f"grammar, line {self.line}, column {self.column}: {message}", hint=hint)


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotes."""

    value: str
    ignore_case: bool
    at: Spot = field(compare=False)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, with its flags."""

    value: str
    flags: str
    at: Spot = field(compare=False)


@dataclass(frozen=True, slots=True)
class Range:
    """One character between two."""

    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Name:
    """A rule or terminal by its name."""

    name: str
    at: Spot = field(compare=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One after the other."""

    items: tuple[Body, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Any of them."""

    options: tuple[Body, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """`least` to `most` times, None without end."""

    item: Body
    least: int
    most: int | None
    at: Spot = field(compare=False)


Leaf: TypeAlias = Text | Pattern | Range | Name
Body: TypeAlias = Leaf | Row | Either | Times


@dataclass(frozen=True, slots=True)
class Definition:
    """What a name stands for."""

    name: str
    body: Body
    at: Spot


@dataclass(slots=True)
class Source:
    """A grammar as it was read: definitions by name, and what may stand between terminals."""

    rules: dict[str, Definition] = field(default_factory=dict[str, Definition])
    terminals: dict[str, Definition] = field(default_factory=dict[str, Definition])
    ignored: list[Body] = field(default_factory=list["Body"])


__all__ = ["Body", "Definition", "Either", "Leaf", "Name", "Pattern", "Range", "Row", "Source", "Spot", "Text", "Times"]
