"""Techniques near a given one: the same class with other numbers, as far as it accepts them."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from decodekit.techniques import Technique


def nearby(technique: Technique, limit: int = 4) -> list[Technique]:
    """Make techniques that differ from this one in one number each."""
    found: list[Technique] = []
    for name, value in technique:
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        steps = (
            (value + 1, value + 3, value - 1) if isinstance(value, int) else (value * 0.5, value * 1.3, value + 0.07)
        )
        made = [other for step in steps if (other := _with(technique, name, step)) is not None]
        found += made[:2]
    return found[:limit]


def _with(technique: Technique, name: str, value: float) -> Technique | None:
    fields: dict[str, Any] = dict(technique) | {name: value}
    try:
        return type(technique)(**fields)
    except (ValidationError, ValueError, TypeError):
        return None
