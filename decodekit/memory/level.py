"""Rows at equal positions share a forward pass: for models that take their positions from the cache's length."""

from __future__ import annotations

from collections.abc import Sequence

from decodekit.memory.groups import by_key
from decodekit.memory.hybrid import HybridSlots
from decodekit.memory.slots import SlotMemory


class LevelMemory(SlotMemory):
    """Slots, but a forward pass never holds rows that stand at different positions, nor padding.

    Such a model sees what transformers' own cache would show it: a cache of one length, and keys up to it.

    *Cost:* one forward pass per distinct position: with rows of different lengths, one row at a time. *Exact.*
    """

    fills_gaps = False
    stays_level = True

    def _share(self, counts: Sequence[int]) -> bool:
        return len(set(self.lengths)) == 1

    def _groups(self, counts: Sequence[int]) -> list[list[int]]:
        return by_key(counts, self.lengths)


class LevelHybrid(HybridSlots):
    """The same with recurrent states."""

    stays_level = True

    def _share(self, counts: Sequence[int]) -> bool:
        return len(set(self.lengths)) == 1

    def _groups(self, counts: Sequence[int]) -> list[list[int]]:
        return by_key(counts, self.lengths)
