"""DRY, don't repeat yourself: a penalty that grows with the length of the repetition a token would prolong.

By p-e-w, text-generation-webui #5677; the same in koboldcpp, llama.cpp, exllamav2 and vLLM. Where the end of the text
has occurred before, the token that followed there costs `multiplier * base ** (length - allowed_length)`, `length`
being the longest such repetition. *Not* a ban: `no_repeat_ngram` is.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decodekit.errors import RequestError
from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import BuildContext, LogitsProcessor, Stage
from decodekit_sampling.sparse import add

if TYPE_CHECKING:
    from decodekit.vocabulary import Vocabulary

_LARGEST_EXPONENT = 88.0
"""Natural logarithm of a float32 that is not yet infinite: longer repetitions cost the same."""


class DRY(
    LogitsProcessor,
    name="dry",
    stage=Stage.PENALTY,
    needs_history=True,
    source="text-generation-webui #5677; koboldcpp, llama.cpp, exllamav2, vLLM",
):
    """Penalise tokens that would prolong a repetition of at least `allowed_length` tokens, prompt included.

    Cost: time linear in the text, on the host; one copy of the law where something repeats.

    Args:
        multiplier: Strength, at least 0.
        base: How fast the penalty grows with the length, at least 1.
        allowed_length: Repetitions shorter than this are free.
        breakers: Texts that end a repetition. Every token that contains one is a breaker: no repetition reaches across
            it, and it is never penalised.
        last_tokens: How far back to look; None is the whole text.
        breaker_tokens: Token ids of the breakers, if not to be found from `breakers`.
    """

    multiplier: float = Field(default=0.8, ge=0, allow_inf_nan=False)
    base: float = Field(default=1.75, ge=1, allow_inf_nan=False)
    allowed_length: int = Field(default=2, ge=1)
    breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    last_tokens: int | None = Field(default=None, ge=1)
    breaker_tokens: tuple[int, ...] | None = None

    def build(self, context: BuildContext) -> Self:
        if self.breaker_tokens is not None:
            return self
        if context.vocabulary is None:
            raise RequestError(
                f"dry: the breakers {self.breakers!r} are text, and this decoder has no tokenizer",
                hint="Decoder(model, tokenizer), or breaker_tokens=(…)",
            )
        found: set[int] = set()
        for text in self.breakers:
            tokens = _containing(context.vocabulary, text.encode())
            if not tokens and "breakers" in self.model_fields_set:
                raise RequestError(
                    f"dry: no token contains the breaker {text!r}", hint="a breaker must fit into one token"
                )
            found.update(tokens)
        return self.model_copy(update={"breaker_tokens": tuple(sorted(found))})

    def __call__(self, law: Law, at: Positions) -> Law:
        rows: list[int] = []
        tokens: list[int] = []
        amounts: list[float] = []
        breakers = np.asarray(self.breaker_tokens or (), dtype=np.int64)
        for row in range(len(at)):
            text = at.history_array[row, : at.lengths_array[row]]
            followers, lengths = repetitions(text[-(self.last_tokens or 0) :], breakers, self._longest())
            long_enough = lengths >= self.allowed_length
            exponents = (lengths[long_enough] - self.allowed_length).astype(np.float64)
            rows += [row] * len(exponents)
            tokens += followers[long_enough].tolist()
            amounts += (-self.multiplier * self.base**exponents).tolist()
        return add(law, rows, tokens, amounts) if self.multiplier else law

    def _longest(self) -> int:
        growth = math.log(self.base)
        return self.allowed_length + (int(_LARGEST_EXPONENT / growth) if growth > 1e-3 else 1 << 16 if growth else 0)


def repetitions(
    text: NDArray[np.int64], breakers: NDArray[np.int64], longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give each token that followed an earlier copy of the text's end, and the length of its longest copy.

    The candidates that still match shrink with each further token, so the time is that of the matches found, at most
    `longest` times the text.
    """
    last = len(text) - 1
    broken = np.isin(text, breakers).nonzero()[0]
    limit = min(longest, last - int(broken[-1]) if len(broken) else last + 1)
    if last < 1 or limit < 1:
        return text[:0], text[:0]
    ends = (text[:-1] == text[last]).nonzero()[0]
    ends = ends[~np.isin(text[ends + 1], breakers)]
    lengths = np.ones(len(ends), dtype=np.int64)
    matching = np.arange(len(ends))
    for length in range(1, limit):
        matching = matching[ends[matching] >= length]
        matching = matching[text[ends[matching] - length] == text[last - length]]
        if not len(matching):
            break
        lengths[matching] += 1
    followers, inverse = np.unique(text[ends + 1], return_inverse=True)
    longest_of = np.zeros(len(followers), dtype=np.int64)
    np.maximum.at(longest_of, inverse, lengths)
    return followers, longest_of


@lru_cache(maxsize=64)
def _containing(vocabulary: Vocabulary, part: bytes) -> tuple[int, ...]:
    return tuple(t for t, token in enumerate(vocabulary.tokens) if token is not None and part in token)
