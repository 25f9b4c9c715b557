"""What stop conditions and observers see of rows: copies to look at, of which nothing leads back into the loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from decodekit.memory.watch import Block, cut
from decodekit.rows import Row


@dataclass(frozen=True, slots=True)
class RowView:
    """What stop conditions and observers see of a row. Read-only.

    Attributes:
        request: Index of the request in the batch.
        sample: Index of the sample.
        prompt: Token ids of the prompt.
        tokens: Generated token ids.
        text: Generated text so far.
        finish_reason: Set when the row has ended.
        drafted_tokens: Tokens drafted for it in its last step.
        accepted_tokens: How many of them it kept; they are among the last of `tokens`.
        notes: What each model hook wrote down; see `history`.
    """

    request: int
    sample: int
    prompt: Sequence[int]
    tokens: Sequence[int]
    text: str
    finish_reason: str | None
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    notes: Mapping[str, Sequence[Block]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, row: Row) -> RowView:
        """Look at a row."""
        prompt = row.group.plan.prompt
        text = "" if row.text is None else row.text.text
        tokens = tuple(row.tokens[len(prompt) :])
        return cls(
            row.group.index,
            row.sample,
            tuple(prompt),
            tokens,
            text,
            row.finish_reason,
            row.drafted,
            row.accepted,
            row.notes,
        )

    def history(self, name: str) -> list[Any]:
        """Give a model hook's notes about prompt and text but for the last token, which decided nothing any more.

        As in `ModelView.history` the values of neighbouring tokens come together. Needs `remembers`.
        """
        blocks = cut(self.notes.get(name, ()), len(self.prompt) + len(self.tokens) - 1)
        return [block.values[: block.count] for block in blocks]


@dataclass(frozen=True, slots=True)
class StepView:
    """What observers see of a step.

    Attributes:
        number: Step of the request, from 1.
        rows: The request's rows after the step, those that ended in it included.
    """

    number: int
    rows: Sequence[RowView]


__all__ = ["RowView", "StepView"]
