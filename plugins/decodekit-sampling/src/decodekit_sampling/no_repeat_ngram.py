"""No repeated n-gram: ban every token that would complete an n-gram the text has already (arXiv:1705.04304).

As transformers' `NoRepeatNGramLogitsProcessor`: the prompt counts. *Not* a penalty: `dry` is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor, Stage
from decodekit_sampling.sparse import ban


class NoRepeatNGram(
    LogitsProcessor,
    name="no_repeat_ngram",
    stage=Stage.BAN,
    needs_history=True,
    source="arXiv:1705.04304; transformers",
):
    """Never let an n-gram occur twice, prompt included.

    Cost: `n` comparisons of the text with itself, on the host; one copy of the law where something is banned.

    Args:
        n: Length of the n-grams; 1 bans every token of the text.
    """

    n: int = Field(ge=1)

    def __call__(self, law: Law, at: Positions) -> Law:
        rows: list[int] = []
        tokens: list[int] = []
        for row in range(len(at)):
            banned = completions(at.history_array[row, : at.lengths_array[row]], self.n)
            rows += [row] * len(banned)
            tokens += banned.tolist()
        return ban(law, rows, tokens)


def completions(text: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Give the tokens that would complete an n-gram which the text has."""
    starts = len(text) - n + 1
    if starts < 1:
        return text[:0]
    match = np.ones(starts, dtype=bool)
    for offset in range(n - 1):
        match &= text[offset : offset + starts] == text[len(text) - n + 1 + offset]
    return np.unique(text[n - 1 :][match])
