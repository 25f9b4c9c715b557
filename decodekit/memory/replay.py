"""transformers' own cache, one row at a time: for models whose cache nobody else can hold."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from decodekit.memory.advancing import AdvancingMemory
from decodekit.memory.base import ForwardOutput, inferring
from decodekit.memory.caller import Asked, Caller, Part, Run, merge, positions_of
from decodekit.memory.watch import Watch
from decodekit.types import Int64, Tensor


class SingleRows(AdvancingMemory):
    """Each row has the cache object that the model itself made for it.

    *Cost:* one forward pass per row; a copy of the row's cache per fork and per snapshot. *Exact.*
    """

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.lengths: list[int] = []
        self.caches: list[Any] = []

    def join(self, rows: int) -> None:
        self.lengths += [0] * rows
        self.caches += [None] * rows

    def gather(self, index: Sequence[int]) -> None:
        seen: set[int] = set()
        caches = []
        for row in index:
            caches.append(self.snapshot(row) if row in seen else self.caches[row])
            seen.add(row)
        self.caches = caches
        self.lengths = [self.lengths[row] for row in index]

    def snapshot(self, row: int) -> Any:
        with inferring():
            return copy.deepcopy(self.caches[row])

    def restore(self, row: int, state: Any, length: int) -> None:
        # The saved state may be returned to again, so the row goes on with a copy.
        with inferring():
            self.caches[row], self.lengths[row] = copy.deepcopy(state), length

    def save(self, row: int) -> Any:
        return self.lengths[row], self.snapshot(row)

    def adopt(self, cache: Any, tokens: Sequence[int]) -> Any:
        # What was computed with gradients cannot be copied as it is.
        apart = {id(tensor): tensor.detach().clone() for tensor in tensors_in(cache)}
        return len(tokens), copy.deepcopy(cache, apart)

    def load(self, row: int, saved: Any) -> None:
        length, state = saved
        self.restore(row, state, length)

    def bytes(self) -> int:
        return sum(tensor.nbytes for cache in self.caches for tensor in tensors_in(cache))

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
                if not count:
                    continue
                asked = Asked.of([count], [wanted[row]], count)
                outputs = self.caller(
                    tokens[row : row + 1, :count],
                    cache=self.caches[row],
                    keep=asked.keep(self.caller.device),
                    run=Run(watch, [row], [self.lengths[row]], [count]),
                )
                self.caches[row] = getattr(outputs, str(self.caller.cache_argument))
                self.lengths[row] += count
                parts.append((positions_of([row], counts, wanted), asked.output(outputs)))
        return merge(self.caller, parts)


def tensors_in(value: Any, seen: set[int] | None = None) -> list[Tensor]:
    """Find the tensors inside a cache object of unknown make."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return []
    seen.add(id(value))
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        inside: list[Any] = list(value.values())
    elif isinstance(value, list | tuple):
        inside = list(value)
    else:
        inside = list(vars(value).values()) if hasattr(value, "__dict__") and not isinstance(value, type) else []
    return [tensor for part in inside for tensor in tensors_in(part, seen)]
