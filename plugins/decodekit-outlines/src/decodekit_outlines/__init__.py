"""Regular expressions, choices and JSON Schema for decodekit, on outlines-core: exactly right or refused."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import Constraint
from decodekit_outlines.techniques import OutlinesChoice, OutlinesJSONSchema, OutlinesRegex


@hookimpl
def decodekit_constraints() -> list[type[Constraint]]:
    """Offer `outlines_regex`, `outlines_choice` and `outlines_json_schema`."""
    return [OutlinesRegex, OutlinesChoice, OutlinesJSONSchema]


__all__ = ["OutlinesChoice", "OutlinesJSONSchema", "OutlinesRegex", "decodekit_constraints"]
