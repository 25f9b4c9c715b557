"""What a scene is: a sentence and the facts it states, and how facts become JSON; `cards.py` has the scenes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from random import Random

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Value: TypeAlias = "bool | int | float | str | Facts | list[Value] | None"


@dataclass(frozen=True, slots=True)
class Fact:
    """One field of a card.

    Attributes:
        names: What the field may be called, in words: ("hobby", "favorite activity").
        value: A scalar, a list, or nested facts, which become an object.
        stated: Whether the sentence says it; the others are invented.
    """

    names: tuple[str, ...]
    value: Value
    stated: bool = True


Facts: TypeAlias = tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A sentence and what it states."""

    text: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class KeyStyle:
    """How a card names its keys: which synonym of each field and which spelling ("snake", "camel", ...)."""

    spelling: str
    synonym: int

    def key(self, names: tuple[str, ...]) -> str:
        """The key of a field with these names."""
        words = names[self.synonym % len(names)].split()
        if self.spelling == "camel":
            return words[0] + "".join(word.capitalize() for word in words[1:])
        if self.spelling == "title":
            return " ".join(word.capitalize() for word in words)
        return {"snake": "_", "kebab": "-", "plain": " "}[self.spelling].join(words)


def key_style(rng: Random) -> KeyStyle:
    """Nearly always first synonym in snake case, sometimes anything else."""
    spelling = rng.choices(["snake", "camel", "kebab", "title", "plain"], [88, 6, 2, 2, 2])[0]
    return KeyStyle(spelling, rng.choices([0, 1, 2, 3], [88, 6, 3, 3])[0])


def select(rng: Random, facts: Facts) -> Facts:
    """The fields that a card shows: invented ones half of the time, in any order, at times fewer than known."""
    kept = [fact for fact in facts if fact.stated or rng.random() < 0.5] or list(facts)
    if rng.random() < 0.2:
        rng.shuffle(kept)
    if len(kept) > 2 and rng.random() < 0.2:
        kept = kept[: rng.randint(2, len(kept))]
    return tuple(kept)


def to_json(value: Value, style: KeyStyle) -> Json:
    """Turn facts into a JSON value."""
    if isinstance(value, tuple):
        return {style.key(fact.names): to_json(fact.value, style) for fact in value}
    if isinstance(value, list):
        return [to_json(item, style) for item in value]
    return value


def dumps(rng: Random, value: Json) -> str:
    """Write JSON spaced (mostly), compact, or indented."""
    form = rng.choices(["spaced", "compact", "indented"], [90, 6, 4])[0]
    if form == "compact":
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(value, ensure_ascii=rng.random() < 0.02, indent=2 if form == "indented" else None)
