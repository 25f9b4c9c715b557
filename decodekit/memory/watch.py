"""What model hooks see of a forward pass, and what they write down about its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from decodekit.errors import blamed_on
from decodekit.types import Int64, Tensor


@dataclass(slots=True, eq=False)
class Block:
    """Notes about tokens of one row that stand side by side.

    Attributes:
        start: Place of the first token in the row.
        count: How many tokens.
        values: What was written down; `values[c]` belongs to token `start + c`. What is beyond `count` is padding.
    """

    start: int
    count: int
    values: Any


@dataclass(slots=True, eq=False)
class Pass:
    """One forward pass of the model, as a model hook sees it.

    Attributes:
        model: The model that runs.
        tokens: What it is fed; right-padded.
        rows: Row of the memory in each row of the batch.
        starts: Tokens that each of them held before.
        counts: Valid tokens of each of them; 0 for a row that is there as padding only.
        pieces: The hook's piece of each of them; None for rows without that hook.
        written: The notes so far, per row of the memory.
    """

    model: Any
    tokens: Int64[Tensor, "row query"]
    rows: Sequence[int]
    starts: Sequence[int]
    counts: Sequence[int]
    pieces: Sequence[Any] = ()
    written: dict[int, list[Block]] = field(default_factory=dict)

    def note(self, values: Any) -> None:
        """Write down one value per token, `values[row of the batch][column]`; a tensor `[row, query, …]` will do."""
        for place, (row, start, count, piece) in enumerate(
            zip(self.rows, self.starts, self.counts, self.pieces, strict=True)
        ):
            if count and piece is not None:
                self.written.setdefault(row, []).append(Block(start, count, values[place]))


class Watch:
    """The model hooks of a memory's rows during one call of `Memory.forward`, and all their notes.

    Args:
        hooks: Per name of a hook, its piece for each row of the memory; None for rows without it.
    """

    def __init__(self, hooks: Mapping[str, Sequence[Any]]) -> None:
        self.hooks = hooks
        self.notes: dict[str, dict[int, list[Block]]] = {name: {} for name in hooks}

    def around(self, run: Pass) -> ExitStack:
        """Enter every hook that has a row in this pass."""
        stack = ExitStack()
        try:
            for name, pieces in self.hooks.items():
                here = [pieces[row] if count else None for row, count in zip(run.rows, run.counts, strict=True)]
                piece = next((one for one in here if one is not None), None)
                if piece is not None:
                    own = replace(run, pieces=here, written=self.notes[name])
                    stack.enter_context(_blaming(name, piece.around(own)))
        except BaseException:
            stack.close()
            raise
        return stack


@contextmanager
def _blaming(name: str, inner: AbstractContextManager[Any]) -> Iterator[None]:
    """Name the hook in what it raises itself, before or after the pass; what the model raises passes as it is."""
    raised: BaseException | None = None
    with blamed_on(name):
        inner.__enter__()
    try:
        yield
    except BaseException as error:
        raised = error
    if raised is None:
        with blamed_on(name):
            inner.__exit__(None, None, None)
    elif not inner.__exit__(type(raised), raised, raised.__traceback__):
        raise raised


def cut(blocks: Sequence[Block], length: int) -> list[Block]:
    """Give the notes about a row's first `length` tokens."""
    if not blocks or blocks[-1].start + blocks[-1].count <= length:
        return list(blocks)
    kept: list[Block] = []
    for block in blocks:
        if block.start < length:
            count = min(block.count, length - block.start)
            kept.append(block if count == block.count else Block(block.start, count, block.values))
    return kept


def find(blocks: Sequence[Block], place: int) -> Any:
    """Give the note about one token, the latest one where there are several; None where there is none."""
    for block in reversed(blocks):
        if block.start <= place < block.start + block.count:
            return block.values[place - block.start]
    return None
