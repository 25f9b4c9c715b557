"""What is left when no technique is asked for: the most likely token, the slot cache, the eager runner, exact matching.

Registered through the same hooks as any plugin, under the name `builtin`, and can be blocked like one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from decodekit.cache import CacheFactory
from decodekit.cache import Slots as SlotStorage
from decodekit.hookspecs import hookimpl
from decodekit.law import Law
from decodekit.memory.caller import Runner, eager
from decodekit.positions import Positions
from decodekit.techniques import (
    BuildContext,
    Draft,
    KVCache,
    ModelRunner,
    TokenSelector,
    Verdict,
    Verifier,
)
from decodekit.types import Int64, Tensor


class Argmax(TokenSelector, name="argmax", stackable=True, deterministic=True, graph_safe=True):
    """Take the most likely token; among equals the one with the lowest id. Exact, cost: one pass over the law."""

    def __call__(self, law: Law, at: Positions) -> Int64[Tensor, "position"]:
        return law.argmax()


class Match(Verifier, name="match", keeps_text=True, source="transformers, prompt lookup; exact for every drafter"):
    """Keep drafted tokens while they equal what the selector chooses at that position.

    The text is the one that the request would get without a draft, token for token, whatever the drafter. For drafts
    drawn at random fewer tokens are kept than a ratio rule would keep.
    """

    def __call__(
        self, target: Law, at: Positions, drafts: Sequence[Draft], select: Callable[[Law, Positions], Tensor]
    ) -> list[Verdict]:
        chosen: list[int] = select(target, at).tolist()
        verdicts: list[Verdict] = []
        first = 0
        for draft in drafts:
            kept = 0
            while kept < len(draft.tokens) and draft.tokens[kept] == chosen[first + kept]:
                kept += 1
            verdicts.append(Verdict(kept, chosen[first + kept]))
            first += len(draft.tokens) + 1
        return verdicts


class Slots(KVCache, name="slots"):
    """Static buffers per layer, one slot per row, any slot at any position. Exact."""

    def build(self, context: BuildContext | None = None) -> CacheFactory:
        return SlotStorage()


class _Transformers(SlotStorage):
    path = "replay"


class DynamicCache(KVCache, name="dynamic_cache"):
    """transformers' own cache, one object and one forward pass per row. Exact, slow: to compare with."""

    def build(self, context: BuildContext | None = None) -> CacheFactory:
        return _Transformers()


class Eager(ModelRunner, name="eager"):
    """Call the model as it is."""

    def build(self, context: BuildContext | None = None) -> Runner:
        return eager


@hookimpl
def decodekit_token_selectors() -> list[type[TokenSelector]]:
    """Offer Argmax."""
    return [Argmax]


@hookimpl
def decodekit_verifiers() -> list[type[Verifier]]:
    """Offer Match."""
    return [Match]


@hookimpl
def decodekit_kv_caches() -> list[type[KVCache]]:
    """Offer the caches."""
    return [Slots, DynamicCache]


@hookimpl
def decodekit_model_runners() -> list[type[ModelRunner]]:
    """Offer Eager."""
    return [Eager]
