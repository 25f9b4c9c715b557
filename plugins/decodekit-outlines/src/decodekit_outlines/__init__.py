"""Regular expressions, choices and JSON Schema for decodekit, on outlines-core: exactly right or refused."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import Constraint
from decodekit_outlines.techniques import Choice, JSONSchema, Regex


@hookimpl
def decodekit_constraints() -> list[type[Constraint]]:
    """Offer `regex`, `choice` and `json_schema`."""
    return [Regex, Choice, JSONSchema]


__all__ = ["Choice", "JSONSchema", "Regex", "decodekit_constraints"]
