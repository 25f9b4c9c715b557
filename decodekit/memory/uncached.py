"""No cache: every forward pass computes the whole row anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from decodekit.memory.base import ForwardOutput, Memory, inferring
from decodekit.memory.caller import Asked, Caller, Part, Run, merge, positions_of
from decodekit.memory.watch import Watch
from decodekit.types import Int64, Tensor


class UncachedMemory(Memory):
    """The rows' tokens, and nothing else.

    *Cost:* a forward pass over the whole row, per row and step. *Exact.*
    """

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.rows: list[Tensor] = []

    @property
    def lengths(self) -> list[int]:  # type: ignore[override]
        return [len(row) for row in self.rows]

    def join(self, rows: int) -> None:
        self.rows += [torch.empty(0, dtype=torch.int64, device=self.caller.device)] * rows

    def gather(self, index: Sequence[int]) -> None:
        self.rows = [self.rows[row] for row in index]

    def rewind(self, lengths: Sequence[int]) -> None:
        self.rows = [row[:length] for row, length in zip(self.rows, lengths, strict=True)]

    def computed(self, row: int) -> int:
        return 0

    def save(self, row: int) -> Any:
        return self.rows[row]

    def adopt(self, cache: Any, tokens: Sequence[int]) -> Any:
        return torch.tensor(list(tokens), device=self.caller.device)

    def load(self, row: int, saved: Any) -> None:
        self.rows[row] = saved

    def bytes(self) -> int:
        return sum(row.nbytes for row in self.rows)

    def forward(
        self,
        tokens: Int64[Tensor, "row query"],
        counts: Sequence[int],
        wanted: Sequence[int],
        *,
        watch: Watch | None = None,
    ) -> ForwardOutput:
        tokens = tokens.to(self.caller.device)
        parts: list[Part] = []
        with inferring():
            for row, count in enumerate(counts):
                if count:
                    self.rows[row] = torch.cat([self.rows[row], tokens[row, :count]])
                if wanted[row]:
                    parts.append((positions_of([row], counts, wanted), self._row(row, wanted[row], watch)))
        return merge(self.caller, parts)

    def _row(self, row: int, wanted: int, watch: Watch | None) -> ForwardOutput:
        length = len(self.rows[row])
        asked = Asked.of([length], [wanted], length)
        keep = asked.keep(self.caller.device)
        outputs = self.caller(self.rows[row][None], uncached=True, keep=keep, run=Run(watch, [row], [0], [length]))
        return asked.output(outputs)
