"""Prompt lookup: what followed the same words before may follow them again (Saxena 2023, "Prompt Lookup Decoding").

The history itself is the index: one vectorised pass over the tokens of all rows. An index that grows with each token
would have to be copied to stay a value, and the pass costs less than a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from decodekit.positions import Positions
from decodekit.techniques import Draft, Drafter

Ints = NDArray[np.int64]


class PromptLookup(Drafter, name="prompt_lookup", source="github.com/apoorvumang/prompt-lookup-decoding; transformers"):
    """Propose what followed the most recent earlier occurrence of the longest matching end of the row's own text.

    Where fewer tokens follow that occurrence than may be proposed, what follows is taken for a repetition and goes on
    from its beginning. Nothing is proposed where nothing matches. Exact: drafts are not drawn at random, so that any
    verifier of exact kind leaves the text's law as it is; with the default one the text stays the same token for token.

    *Cost:* one pass over the history of all rows, 0.1 ms for 8 rows of 4096 tokens; no memory from token to token.

    Args:
        tokens: Most tokens to propose in a step.
        max_ngram: Most tokens at the end of the text that are compared; longer matches count as this long.
        min_ngram: Fewest tokens that must match.
    """

    tokens: int = Field(default=8, ge=1)
    max_ngram: int = Field(default=4, ge=1)
    min_ngram: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_ngram > self.max_ngram:
            raise ValueError(f"min_ngram is {self.min_ngram} and max_ngram {self.max_ngram}, which is less")
        return self

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        lengths = at.lengths_array
        ends = matches(at.history_array, lengths, self.min_ngram, self.max_ngram).tolist()
        drafts: list[Draft] = []
        for text, length, end, limit in zip(at.history_array, lengths.tolist(), ends, limits, strict=True):
            wanted = min(self.tokens, limit)
            period = length - 1 - end
            places = length - period + np.arange(max(wanted, 0)) % period if end >= 0 else ()
            drafts.append(Draft(text[places].tolist() if len(places) else ()))
        return drafts


def matches(history: Ints, lengths: Ints, least: int, most: int) -> Ints:
    """Find the most recent earlier occurrence of the longest matching end of each text.

    Args:
        history: Tokens, right-padded, shape [row, length].
        lengths: Tokens of each row, shape [row].
        least: Fewest tokens that must match.
        most: Most tokens that are compared.

    Returns:
        Place of the last token of that occurrence, -1 where there is none, shape [row].
    """
    count, width = history.shape
    found = np.full(count, -1, dtype=np.int64)
    last = np.maximum(lengths - 1, 0)
    rows, places = np.divmod(np.flatnonzero(history == history[np.arange(count), last, None]), max(width, 1))
    earlier = places < last[rows]
    rows, places = rows[earlier], places[earlier]
    # Ascending in length, so that what still matches overwrites; places ascend, so that the most recent one is written.
    for size in range(1, most + 1):
        if size > 1:
            back = places - (size - 1)
            alive = back >= 0
            alive &= history[rows, np.maximum(back, 0)] == history[rows, np.maximum(last[rows] - (size - 1), 0)]
            rows, places = rows[alive], places[alive]
        if not len(rows):
            break
        if size >= least:
            found[rows] = places
    return found


__all__ = ["PromptLookup", "matches"]
