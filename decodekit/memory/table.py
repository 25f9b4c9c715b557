"""Which slot each row lives in; the slots in use are always the first ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from decodekit.law import whole_numbers
from decodekit.types import Int64, Tensor


class SlotTable:
    """A one-to-one map between rows 0..n-1 and slots 0..n-1."""

    def __init__(self) -> None:
        self.slots: list[int] = []
        self.in_order = True
        self._changed()

    def _changed(self) -> None:
        self.rows = [0] * len(self.slots)
        for row, slot in enumerate(self.slots):
            self.rows[slot] = row
        self.in_order = self.rows == self.slots == list(range(len(self.slots)))
        self._indices: dict[tuple[str, torch.device], Tensor] = {}

    def _index(self, name: str, values: list[int], device: torch.device) -> Tensor:
        found = self._indices.get((name, device))
        if found is None:
            found = self._indices[name, device] = whole_numbers(values, device)
        return found

    def rows_index(self, device: torch.device) -> Int64[Tensor, "slot"]:
        """Give the row in each slot: turns what is in row order into slot order."""
        return self._index("rows", self.rows, device)

    def slots_index(self, device: torch.device) -> Int64[Tensor, "row"]:
        """Give the slot of each row: turns what is in slot order into row order."""
        return self._index("slots", self.slots, device)

    def join(self, rows: int) -> None:
        """Append rows in the next slots."""
        self.slots += range(len(self.slots), len(self.slots) + rows)
        self._changed()

    def gather(self, index: Sequence[int]) -> list[tuple[int, int]]:
        """Go on with these rows; give the slots to be copied, as (source, target), sources and targets disjoint.

        A row stays where it is if it can: only repeats, and rows whose slot is beyond the new last one, are copied. Of
        a row's repeats the one whose number is that of the slot stays.
        """
        stays: dict[int, int] = {}
        for number, row in enumerate(index):
            slot = self.slots[row]
            if slot < len(index) and (slot not in stays or slot == number):
                stays[slot] = number
        slots = {number: slot for slot, number in stays.items()}
        free = (slot for slot in range(len(index)) if slot not in stays)
        moves: list[tuple[int, int]] = []
        for number, row in enumerate(index):
            if number not in slots:
                slots[number] = next(free)
                moves.append((self.slots[row], slots[number]))
        self.slots = [slots[number] for number in range(len(index))]
        self._changed()
        return moves
