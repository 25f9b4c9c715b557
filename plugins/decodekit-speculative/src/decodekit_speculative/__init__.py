"""Draft and verify for decodekit: a draft model, prompt lookup, forced tokens, the token rule and the block rule."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import Drafter, Verifier
from decodekit_speculative.block_rule import BlockRule
from decodekit_speculative.draft_model import DraftModel
from decodekit_speculative.forced_tokens import ForcedTokens
from decodekit_speculative.prompt_lookup import PromptLookup
from decodekit_speculative.token_rule import TokenRule

__all__ = [
    "BlockRule",
    "DraftModel",
    "ForcedTokens",
    "PromptLookup",
    "TokenRule",
    "decodekit_drafters",
    "decodekit_verifiers",
]


@hookimpl
def decodekit_drafters() -> list[type[Drafter]]:
    """Offer `draft_model`, `prompt_lookup` and `forced_tokens`."""
    return [DraftModel, PromptLookup, ForcedTokens]


@hookimpl
def decodekit_verifiers() -> list[type[Verifier]]:
    """Offer `token_rule` and `block_rule`."""
    return [TokenRule, BlockRule]
