"""Attention layers in slots, recurrent layers as one state per slot: hybrids, and models without any attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from decodekit.cache import CacheFactory
from decodekit.memory.advancing import AdvancingMemory
from decodekit.memory.base import ForwardOutput, inferring
from decodekit.memory.caller import Caller, Run
from decodekit.memory.groups import by_key
from decodekit.memory.recurrent import RecurrentStates
from decodekit.memory.slots import SlotMemory
from decodekit.types import Tensor


class HybridSlots(SlotMemory, AdvancingMemory):
    """Slots with recurrent states; a state cannot be padded, so rows share a pass that bring equally many tokens.

    *Cost:* a step of all rows is one forward pass on views; prompts go one distinct length at a time. *Exact.*

    Args:
        layers: transformers' layer objects of the layers that are not attention, by index.
        recurrent: Those of them that hold a state.
    """

    fills_gaps = False

    def __init__(
        self,
        caller: Caller,
        factory: CacheFactory,
        *,
        layers: dict[int, Any],
        recurrent: Sequence[int],
        count: int,
        limit: int | None = None,
    ) -> None:
        super().__init__(caller, factory, layers=layers, count=count, limit=limit)
        self.states = RecurrentStates({index: layers[index] for index in recurrent})

    def _fresh(self) -> list[bool]:
        return [length == 0 for length in self.lengths]

    def _share(self, counts: Sequence[int]) -> bool:
        return len(set(self._fresh())) == 1

    def _groups(self, counts: Sequence[int]) -> list[list[int]]:
        return by_key(counts, self._fresh())

    def _run(
        self,
        tokens: Tensor,
        run: Run,
        wanted: Sequence[int],
        first: int | None,
        slots: list[int] | None,
    ) -> ForwardOutput:
        taken = list(range(len(run.starts))) if slots is None else slots
        self.states.lend(taken, fresh=run.starts[0] == 0)
        output = super()._run(tokens, run, wanted, first, slots)
        self.states.take_back(taken, self._room[0])
        return output

    def _copy(self, sources: Sequence[int], targets: Sequence[int], length: int) -> None:
        super()._copy(sources, targets, length)
        self.states.copy(sources, targets)

    def snapshot(self, row: int) -> Any:
        with inferring():
            return self.states.save(row)

    def restore(self, row: int, state: Any, length: int) -> None:
        # The attention layers need nothing: what lies beyond a row's end is never seen.
        self.lengths[row] = length
        if state is not None:
            with inferring():
                self.states.load(row, state)

    def rewind(self, lengths: Sequence[int]) -> None:
        AdvancingMemory.rewind(self, lengths)

    def save(self, row: int) -> Any:
        length = self.lengths[row]
        return super().save(row), self.states.export(row) if length else None

    def adopt(self, cache: Any, tokens: Sequence[int]) -> Any:
        # A recurrent layer object says too little about its state to take it over.
        return None

    def load(self, row: int, saved: Any) -> None:
        kept, states = saved
        super().load(row, kept)
        if states is not None:
            with inferring():
                self.states.adopt(row, states, self._room[0])

    def bytes(self) -> int:
        return super().bytes() + self.states.bytes()
