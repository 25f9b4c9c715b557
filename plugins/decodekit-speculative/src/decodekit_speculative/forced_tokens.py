"""Forced tokens: text that the request's constraint leaves no choice about is read by the model, not asked of it.

The jump-forward decoding of SGLang (arXiv:2312.07104) as a drafter: the text goes through the verifier like any other
draft, so that nothing is retokenised and nothing changes the law.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decodekit.positions import Positions
from decodekit.techniques import BuildContext, CompiledConstraint, Draft, Drafter
from decodekit.types import State
from decodekit.vocabulary import Vocabulary

_MANY_WORDS = 512
"""More words of a mask than this stand for too many tokens to begin with one byte: a choice, without a closer look."""
_LONGEST_TEXT = 128


class ForcedTokens(
    Drafter,
    name="forced_tokens",
    for_searches=True,
    source="arXiv:2312.07104, section 3; llguidance, ff_tokens",
):
    """Propose the tokens that the constraint forces.

    Forced are tokens next to which no other is allowed, which are kept always; and, unless `certain`, text that every
    allowed token begins or goes on with, such as the keys of a JSON schema. The last token of a text is left to the
    model, which writes one token behind a draft in any case. Such text is spelled in the longest tokens;
    a model that would spell it otherwise is free to, and keeps less of the draft. Exact.

    *Cost:* a look at the mask per forced byte, 10 to 60 us, once per state of the constraint; a few microseconds where
    there is a choice. Memory: a short run per state, at most 4096 states.

    Args:
        tokens: Most tokens to propose in a step.
        certain: Whether to leave out text that could be spelled in other tokens.
    """

    tokens: int = Field(default=16, ge=1)
    certain: bool = False

    def build(self, context: BuildContext) -> Drafter | ForcedRuns:
        if context.constraint is None:
            return self
        spelling = None if self.certain or context.vocabulary is None else Spelling.of(context.vocabulary)
        return ForcedRuns(self.name, context.constraint, self.tokens, spelling, context.max_new_tokens)

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        # Where there is no constraint nothing is forced.
        return [Draft(()) for _ in limits]


class Spelling:
    """A vocabulary as a speller sees it: by first byte, and by text.

    Args:
        vocabulary: The tokens.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.first: NDArray[np.int16] = np.array([raw[0] if raw else -1 for raw in vocabulary.tokens], dtype=np.int16)
        self.tokens: dict[bytes, int] = {}
        for token, raw in enumerate(vocabulary.tokens):
            if raw:
                self.tokens.setdefault(raw, token)
        self.longest = max(map(len, self.tokens), default=0)

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Spelling:
        """Give a vocabulary's spelling, made once."""
        return _spelling(vocabulary)

    def spell(self, text: bytes) -> list[int]:
        """Write a text in the longest tokens; every single byte of it must be a token."""
        found: list[int] = []
        while text:
            sizes = range(min(self.longest, len(text)), 0, -1)
            size = next(size for size in sizes if text[:size] in self.tokens)
            found.append(self.tokens[text[:size]])
            text = text[size:]
        return found


@lru_cache(maxsize=8)
def _spelling(vocabulary: Vocabulary) -> Spelling:
    return Spelling(vocabulary)


class ForcedRuns:
    """The working piece: a row's state is the constraint's.

    Args:
        name: Flat name, for messages.
        constraint: What forces tokens.
        tokens: Most tokens to propose.
        spelling: How forced text is written; None where only certain tokens are proposed.
        budget: Tokens of the request, for masks.
    """

    def __init__(
        self, name: str, constraint: CompiledConstraint, tokens: int, spelling: Spelling | None, budget: int
    ) -> None:
        self.name, self.constraint, self.tokens, self.spelling, self.budget = name, constraint, tokens, spelling, budget
        self._run = lru_cache(maxsize=4096)(self._find)

    def start(self, prompt: Sequence[int]) -> State:
        """Give the constraint's state before the first token."""
        return self.constraint.start()

    def advance(self, state: State, token: int) -> State:
        """Give the constraint's state after a token."""
        return self.constraint.advance(state, token)

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        """Propose what is forced at each position."""
        return [Draft(self.run(state, min(limit, self.tokens))) for state, limit in zip(at.states, limits, strict=True)]

    def run(self, state: State, limit: int) -> list[int]:
        """Give at most `limit` tokens that follow a state."""
        found: list[int] = []
        while len(found) < limit:
            more = self._run(state)[: limit - len(found)]
            if not more:
                break
            found += more
            for token in more:
                state = self.constraint.advance(state, token)
        # Behind the last token of all nothing is to be read, and the model writes it in the same step.
        return found[:-1] if found and self._only_ends(state) else found

    def _only_ends(self, state: State) -> bool:
        return self.constraint.is_complete(state) and not self.constraint.mask(state, self.budget).any()

    def _find(self, state: State) -> tuple[int, ...]:
        certain = tuple(int(token) for token in self.constraint.forced(state))
        if certain or self.spelling is None:
            return certain
        text = b""
        while len(text) < _LONGEST_TEXT and (byte := self._only_byte(state)):
            text += byte
            state = self.constraint.advance(state, self.spelling.tokens[byte])
        return tuple(self.spelling.spell(text))

    def _only_byte(self, state: State) -> bytes | None:
        """Give the byte that every allowed token begins with, where there is one that is a token itself."""
        assert self.spelling is not None
        if self.constraint.is_complete(state):
            return None
        mask: Any = self.constraint.mask(state, self.budget)
        words = np.flatnonzero(mask)
        if not 0 < len(words) <= _MANY_WORDS:
            return None
        bits = np.unpackbits(mask[words].view(np.uint8).reshape(-1, 4), axis=1, bitorder="little")
        places, offsets = np.nonzero(bits)
        first = self.spelling.first[words[places] * 32 + offsets]
        byte = int(first[0])
        raw = bytes([byte]) if byte >= 0 and bool((first == byte).all()) else b""
        return raw if raw in self.spelling.tokens else None


__all__ = ["ForcedRuns", "ForcedTokens", "Spelling"]
