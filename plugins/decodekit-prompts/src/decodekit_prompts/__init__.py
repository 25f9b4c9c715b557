"""Prompts for decodekit: few-shot examples, chain of thought, four parts, the schema put into words."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import Prompt
from decodekit_prompts.chain_of_thought import ChainOfThought
from decodekit_prompts.few_shot import FewShot
from decodekit_prompts.four_part import FourPart
from decodekit_prompts.schema_in_words import SchemaInWords


@hookimpl
def decodekit_prompts() -> list[type[Prompt]]:
    """Offer `few_shot`, `chain_of_thought`, `four_part` and `schema_in_words`."""
    return [FewShot, ChainOfThought, FourPart, SchemaInWords]


__all__ = ["ChainOfThought", "FewShot", "FourPart", "SchemaInWords", "decodekit_prompts"]
