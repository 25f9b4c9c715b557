"""JSON Schema, regular expressions and Lark grammars for decodekit, on llguidance; states are values."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import Constraint
from decodekit_llguidance.techniques import LLGuidanceGrammar, LLGuidanceJSONSchema, LLGuidanceRegex


@hookimpl
def decodekit_constraints() -> list[type[Constraint]]:
    """Offer `llguidance_json_schema`, `llguidance_regex` and `llguidance_grammar`."""
    return [LLGuidanceJSONSchema, LLGuidanceRegex, LLGuidanceGrammar]


__all__ = ["LLGuidanceGrammar", "LLGuidanceJSONSchema", "LLGuidanceRegex", "decodekit_constraints"]
