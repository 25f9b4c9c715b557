"""Forced tokens: text that the request's constraint leaves no choice about is read by the model, not asked of it.

The jump-forward decoding of SGLang (arXiv:2312.07104) as a drafter: the text goes through the verifier like any other
draft, so that nothing is retokenised and nothing changes the law.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from pydantic import Field

from decodekit.positions import Positions
from decodekit.techniques import BuildContext, CompiledConstraint, Draft, Drafter
from decodekit.types import State
from decodekit_speculative.spelling import CONTEXT_TOKENS, Spelling

_MANY_WORDS = 512
"""More words of a mask than this stand for too many tokens to begin with one byte: a choice, without a closer look."""
_LONGEST_TEXT = 128
_KEPT = 4096


class ForcedTokens(
    Drafter,
    name="forced_tokens",
    for_searches=True,
    source="arXiv:2312.07104, section 3; llguidance, ff_tokens",
):
    """Propose the tokens that the constraint forces.

    Forced are tokens next to which no other is allowed, which are kept always; and, unless `certain`, text that every
    allowed token begins or goes on with, such as the keys of a JSON schema. The last token of a text is left to the
    model, which writes one token behind a draft in any case. Such text is spelled as the tokenizer spells it behind the
    text so far (without a tokenizer, in the longest tokens); a model that would spell it otherwise is free to, and
    keeps less of the draft. Exact.

    *Cost:* a look at the mask per forced byte, 10 to 60 us, once per state of the constraint; a few microseconds where
    there is a choice; a few short texts to encode. Memory: a short run per state, at most 4096 states.

    Args:
        tokens: Most tokens to propose in a step.
        certain: Whether to leave out text that could be spelled in other tokens.
        merging: Whether to propose last tokens of a text that could merge with what follows it. Without them all that
            is proposed is spelled as the tokenizer spells the finished text; with them more is kept.
    """

    tokens: int = Field(default=16, ge=1)
    certain: bool = False
    merging: bool = True

    def build(self, context: BuildContext) -> Drafter | ForcedRuns:
        if context.constraint is None:
            return self
        words = None if self.certain else context.vocabulary
        spelling = Spelling.of(words, context.tokenizer) if words is not None else None
        return ForcedRuns(self, context.constraint, spelling, context.max_new_tokens)

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        # Where there is no constraint nothing is forced.
        return [Draft(()) for _ in limits]


class ForcedRuns:
    """The working piece: a row's state is the constraint's. Those of equal constraints are equal: one serves all.

    Args:
        settings: What is proposed.
        constraint: What forces tokens.
        spelling: How forced text is written; None where only certain tokens are proposed.
        budget: Tokens of the request, for masks.
    """

    def __init__(
        self, settings: ForcedTokens, constraint: CompiledConstraint, spelling: Spelling | None, budget: int
    ) -> None:
        self._key = settings, constraint, spelling is None, budget
        self.name, self.tokens, self.merging = settings.name, settings.tokens, settings.merging
        self.constraint, self.spelling, self.budget = constraint, spelling, budget
        self._certain = lru_cache(maxsize=_KEPT)(self._find_certain)
        self._text = lru_cache(maxsize=_KEPT)(self._find_text)
        self._spelled = lru_cache(maxsize=_KEPT)(self._spell)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ForcedRuns) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def start(self, prompt: Sequence[int]) -> State:
        """Give the constraint's state before the first token."""
        return self.constraint.start()

    def advance(self, state: State, token: int) -> State:
        """Give the constraint's state after a token."""
        return self.constraint.advance(state, token)

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        """Propose what is forced at each position."""
        drafts: list[Draft] = []
        for row, length, state, limit in zip(
            at.history_array, at.lengths_array.tolist(), at.states, limits, strict=True
        ):
            before = row[max(0, length - CONTEXT_TOKENS) : length].tolist()
            drafts.append(Draft(self.run(state, min(limit, self.tokens), before)))
        return drafts

    def run(self, state: State, limit: int, before: Sequence[int] = ()) -> list[int]:
        """Give at most `limit` tokens that follow a state, and the tokens `before` it."""
        found: list[int] = []
        while len(found) < limit:
            more = self._certain(state) or self._written(state, (*before, *found))
            more = more[: limit - len(found)]
            if not more:
                break
            found += more
            for token in more:
                state = self.constraint.advance(state, token)
        return found

    def _find_certain(self, state: State) -> tuple[int, ...]:
        return tuple(int(token) for token in self.constraint.forced(state))

    def _written(self, state: State, before: tuple[int, ...]) -> tuple[int, ...]:
        if self.spelling is None:
            return ()
        text, cuts = self._text(state)
        return self._spelled(before[-CONTEXT_TOKENS:], text, cuts) if text else ()

    def _spell(self, before: tuple[int, ...], text: bytes, cuts: tuple[int, ...]) -> tuple[int, ...]:
        assert self.spelling is not None
        return tuple(self.spelling.spell(text, before, cuts))

    def _find_text(self, state: State) -> tuple[bytes, tuple[int, ...]]:
        """Give the text that every way on has in common, and where in it tokens begin that its spelling must allow."""
        assert self.spelling is not None
        text, reaches = b"", list[int]()
        while len(text) < _LONGEST_TEXT and (found := self._only_byte(state)):
            byte, longest = found
            reaches.append(len(text) + longest)
            text += byte
            state = self.constraint.advance(state, self.spelling.tokens[byte])
        merging = self.merging and len(text) < _LONGEST_TEXT
        return text, () if merging else tuple(at for at, reach in enumerate(reaches) if reach > len(text))

    def _only_byte(self, state: State) -> tuple[bytes, int] | None:
        """Give the byte that every allowed token begins with, where there is one that is a token itself.

        Returns:
            The byte, and the length of the longest token that is allowed.
        """
        assert self.spelling is not None
        if self.constraint.is_complete(state):
            return None
        mask: Any = self.constraint.mask(state, self.budget)
        words = np.flatnonzero(mask)
        if not 0 < len(words) <= _MANY_WORDS:
            return None
        bits = np.unpackbits(mask[words].view(np.uint8).reshape(-1, 4), axis=1, bitorder="little")
        places, offsets = np.nonzero(bits)
        tokens = words[places] * 32 + offsets
        first = self.spelling.first[tokens]
        byte = int(first[0])
        raw = bytes([byte]) if byte >= 0 and bool((first == byte).all()) else b""
        return (raw, int(self.spelling.lengths[tokens].max())) if raw in self.spelling.tokens else None


__all__ = ["ForcedRuns", "ForcedTokens"]
