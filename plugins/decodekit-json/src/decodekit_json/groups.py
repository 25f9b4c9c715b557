"""What a value of one JSON type must satisfy, without any `or`: the leaves that `lowering` makes of a schema.

Groups of one type meet (`one.meet(other)`); None means that no value satisfies both as far as it can be seen from here.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from decodekit_json.located import Schema

Literal: TypeAlias = tuple[Schema, bool]
"""A schema that the value satisfies (True), or must not satisfy (False)."""
Literals: TypeAlias = frozenset[Literal]
"""All of them hold."""

NOTHING: Literals = frozenset()
TYPES = ("null", "boolean", "number", "string", "array", "object")


def lowest(one: int | None, two: int | None) -> int | None:
    """Give the tighter of two upper limits."""
    return two if one is None else one if two is None else min(one, two)


@dataclass(frozen=True, slots=True)
class PlainGroup:
    """null, true or false.

    Attributes:
        texts: Which of them.
    """

    texts: frozenset[bytes]

    def meet(self, other: PlainGroup) -> PlainGroup | None:
        """Keep what both have."""
        texts = self.texts & other.texts
        return PlainGroup(texts) if texts else None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular property of strings: `kind` is "pattern" or "format", `sign` whether it must hold."""

    kind: str
    text: str
    sign: bool = True


@dataclass(frozen=True, slots=True)
class StringGroup:
    """A string: its lengths in code points, its patterns and formats; or one of some, or none of some."""

    low: int = 0
    high: int | None = None
    patterns: frozenset[Pattern] = frozenset()
    values: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()

    def meet(self, other: StringGroup) -> StringGroup | None:
        """Keep what both have."""
        low, high = max(self.low, other.low), lowest(self.high, other.high)
        if high is not None and low > high:
            return None
        values = self.values if other.values is None else other.values
        if self.values is not None and other.values is not None:
            values = self.values & other.values
        excluded = self.excluded | other.excluded
        if values is not None:
            values = frozenset(v for v in values - excluded if low <= len(v) and (high is None or len(v) <= high))
            if not values:
                return None
        return StringGroup(low, high, self.patterns | other.patterns, values, excluded)


@dataclass(frozen=True, slots=True)
class Items:
    """What one schema says of an array's items: the first ones one by one, and the rest."""

    prefix: tuple[tuple[Literal, ...], ...] = ()
    rest: tuple[Literal, ...] = ()


@dataclass(frozen=True, slots=True)
class Contains:
    """How many items, from the place `start` on, satisfy `literals`.

    Attributes:
        items: Whether whatever satisfies them satisfies what every item there must.
    """

    literals: Literals
    low: int
    high: int | None
    start: int = 0
    items: bool = False


@dataclass(frozen=True, slots=True)
class ArrayGroup:
    """An array; its items all differ (`unique`), or two are equal (`repeated`)."""

    rules: tuple[Items, ...] = ()
    low: int = 0
    high: int | None = None
    contains: tuple[Contains, ...] = ()
    unique: bool = False
    repeated: bool = False

    def meet(self, other: ArrayGroup) -> ArrayGroup | None:
        """Keep what both have."""
        low, high = max(self.low, other.low), lowest(self.high, other.high)
        if high is not None and low > high:
            return None
        rules = tuple(dict.fromkeys(self.rules + other.rules))
        contains = tuple(dict.fromkeys(self.contains + other.contains))
        unique, repeated = self.unique or other.unique, self.repeated or other.repeated
        if repeated and (unique or (high is not None and high < 2)):
            return None
        return ArrayGroup(rules, low, high, contains, unique, repeated)

    @property
    def fixed(self) -> int:
        """How many first items have rules of their own."""
        return max([0, *(len(rule.prefix) for rule in self.rules), *(c.start for c in self.contains)])

    def item(self, place: int) -> Literals:
        """Give what the item at `place` must satisfy."""
        found: list[Literal] = []
        for rule in self.rules:
            found += rule.prefix[place] if place < len(rule.prefix) else rule.rest
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class KeySet:
    """A set of keys.

    Attributes:
        inside: Patterns that are all found in them.
        outside: Patterns none of which is found in them.
        names: Keys that are not in the set.
        literals: What they satisfy, as strings.
    """

    inside: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    literals: Literals = NOTHING


@dataclass(frozen=True, slots=True)
class Rule:
    """What one schema says of an object's values: by name, by pattern of the key, and the rest.

    Attributes:
        names: Name and what its value satisfies, in the schema's order.
        patterns: Pattern and what the values of keys that match it satisfy.
        rest: What the values of all other keys satisfy.
    """

    names: tuple[tuple[str, tuple[Literal, ...]], ...] = ()
    patterns: tuple[tuple[str, tuple[Literal, ...]], ...] = ()
    rest: tuple[Literal, ...] = ()


@dataclass(frozen=True, slots=True)
class Some:
    """What is owed: at least one of these holds.

    Attributes:
        keys: A key of this set has a value that satisfies `literals`; None for no set.
        literals: What that value satisfies.
        named: A key has a value that satisfies literals.
        absent: One of these keys is missing.
    """

    keys: KeySet | None = None
    literals: Literals = NOTHING
    named: tuple[tuple[str, Literals], ...] = ()
    absent: frozenset[str] = frozenset()

    @property
    def names(self) -> list[str]:
        """Give the keys that it speaks of by name."""
        names = {*(name for name, _ in self.named), *self.absent, *(self.keys.names if self.keys else ())}
        return sorted(names)


@dataclass(frozen=True, slots=True)
class ObjectGroup:
    """An object."""

    rules: tuple[Rule, ...] = ()
    required: tuple[str, ...] = ()
    low: int = 0
    high: int | None = None
    keys: Literals = NOTHING
    dependent: tuple[tuple[str, frozenset[str]], ...] = ()
    some: tuple[Some, ...] = ()
    _cache: dict[Hashable, Hashable] = field(default_factory=dict, compare=False, repr=False)

    def meet(self, other: ObjectGroup) -> ObjectGroup | None:
        """Keep what both have."""
        low, high = max(self.low, other.low), lowest(self.high, other.high)
        required = tuple(dict.fromkeys(self.required + other.required))
        if high is not None and max(low, len(required)) > high:
            return None
        return ObjectGroup(
            tuple(dict.fromkeys(self.rules + other.rules)),
            required,
            low,
            high,
            self.keys | other.keys,
            tuple(dict.fromkeys(self.dependent + other.dependent)),
            tuple(dict.fromkeys(self.some + other.some)),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Give the keys that something is said of by name, in the schema's order; those without a rule come last."""
        found: dict[str, None] = {}
        for rule in self.rules:
            found.update(dict.fromkeys(name for name, _ in rule.names))
        found.update(dict.fromkeys(self.required))
        for key, needed in self.dependent:
            found.update(dict.fromkeys([key, *sorted(needed)]))
        for some in self.some:
            found.update(dict.fromkeys(some.names))
        return tuple(found)

    @property
    def patterns(self) -> tuple[str, ...]:
        """Give the patterns of keys."""
        found: dict[str, None] = {}
        for rule in self.rules:
            found.update(dict.fromkeys(pattern for pattern, _ in rule.patterns))
        return tuple(found)


__all__ = [
    "NOTHING",
    "TYPES",
    "ArrayGroup",
    "Contains",
    "Items",
    "KeySet",
    "Literal",
    "Literals",
    "ObjectGroup",
    "Pattern",
    "PlainGroup",
    "Rule",
    "Some",
    "StringGroup",
    "lowest",
    "replace",
]
