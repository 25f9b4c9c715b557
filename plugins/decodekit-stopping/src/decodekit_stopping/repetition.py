"""End a text that goes in circles: its last tokens are one block, again and again."""

from __future__ import annotations

from pydantic import Field, model_validator

from decodekit.row_views import RowView
from decodekit.techniques import StopCondition


class StopRepetition(StopCondition, name="stop_repetition"):
    """End when the last tokens are a block of at most `max_block` tokens repeated at least `times` times.

    Only generated tokens count. The repeats stay in the text.

    Args:
        times: How often the block must stand there.
        min_tokens: How many tokens the repeats must have together, so that "ha ha ha" is no circle yet; where the block
            is short it must stand there more often.
        max_block: Longest block looked for, in tokens.

    *Cost:* `max_block` comparisons of one token, and of a tail where they agree, per token.
    """

    times: int = Field(default=4, ge=2)
    min_tokens: int = Field(default=16, ge=2)
    max_block: int = Field(default=64, ge=1)

    @model_validator(mode="after")
    def _possible(self) -> StopRepetition:
        if self.times > 10_000 or self.max_block > 10_000:
            raise ValueError("times and max_block are at most 10000")
        return self

    def __call__(self, row: RowView) -> bool:
        tokens, count = row.tokens, len(row.tokens)
        for block in range(1, min(self.max_block, count // self.times) + 1):
            if tokens[-1] != tokens[-1 - block]:
                continue
            size = max(self.times * block, self.min_tokens)
            if size <= count and tokens[count - size : count - block] == tokens[count - size + block :]:
                return True
        return False


__all__ = ["StopRepetition"]
