"""Where one layer keeps the keys and values of every row: the storage behind a memory, and the built-in slots.

A backend is a `CacheFactory`: called once per attention layer and memory, it gives a `LayerCache`. It is *not* a
transformers cache: `decodekit.memory.bridge` shows the layers to the model as one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch

from decodekit.types import Float, Int64, Tensor

BUCKET_TOKENS = 16
"""Keys that ragged rows see come in multiples of this many: aligned masks, and few shapes for kernels that compile."""


@dataclass(slots=True, eq=False)
class Placement:
    """Where the tokens of one forward pass go; the batch's row b is some row of the memory, in its slot.

    Args:
        starts: Tokens that each batch row held before.
        counts: Valid tokens of each batch row; what is right of them is padding, which may be stored beyond the row's
            end (no later query sees it before it is overwritten).
        query: Width of the forward pass.
        length: Keys that attention is given: positions 0 to `length` - 1.
        level: All rows start at the same position, so plain causal attention needs neither positions nor a mask.
        first: First slot, where the batch is the slots from `first` on, in order; else None.
        slots: The slot of each batch row. None only where the batch is both level and in order.
        positions: The position of each token, padding included. None as above.
        seen: `positions`, but padding repeats the row's last valid one, so that no table of positions is left.
    """

    starts: Sequence[int]
    counts: Sequence[int]
    query: int
    length: int
    level: bool
    first: int | None
    slots: Int64[Tensor, "row"] | None = None
    positions: Int64[Tensor, "row query"] | None = None
    seen: Int64[Tensor, "row query"] | None = None
    _elsewhere: dict[torch.device, tuple[Tensor, Tensor]] = field(default_factory=dict)

    @property
    def fresh(self) -> bool:
        """No row held anything: attention is over the new tokens alone."""
        return self.level and self.starts[0] == 0

    @property
    def neighbours(self) -> slice:
        """The batch's slots, where they stand side by side."""
        assert self.first is not None
        # Where the forward pass is traced, the size of a tensor may be a symbol, and that of a list is a number.
        rows = len(self.starts) if self.positions is None else self.positions.shape[0]
        return slice(self.first, self.first + rows)

    def at(self, device: torch.device) -> tuple[Int64[Tensor, "row 1"], Int64[Tensor, "row query"]]:
        """Give slots and positions on a layer's device (a model may be spread over several)."""
        assert self.slots is not None
        assert self.positions is not None
        found = self._elsewhere.get(device)
        if found is None:
            found = (self.slots.to(device)[:, None], self.positions.to(device))
            self._elsewhere[device] = found
        return found


class LayerCache(ABC):
    """Keys and values of one attention layer, of all slots.

    A subclass that overrides `update` may also return something else than what it stores for a fresh prompt.
    """

    exact: bool = True
    """Whether what is read is bit for bit what was written."""

    @abstractmethod
    def reserve(self, slots: int, length: int) -> None:
        """Make room for that many slots and positions; what is stored stays."""

    @abstractmethod
    def write(
        self, keys: Float[Tensor, "row head query dim"], values: Float[Tensor, "row head query width"], place: Placement
    ) -> None:
        """Store the new tokens, overwriting what those positions of those slots held."""

    @abstractmethod
    def read(self, place: Placement) -> tuple[Float[Tensor, "row head key dim"], Float[Tensor, "row head key width"]]:
        """Give the first `place.length` positions of the batch's slots; numbers beyond a row's end are finite."""

    @abstractmethod
    def copy(self, sources: Sequence[int], targets: Sequence[int], length: int) -> None:
        """Copy the first `length` positions of slots to other slots; no slot is both source and target."""

    @abstractmethod
    def bytes(self) -> int:
        """Count the bytes held, free slots included."""

    def update(
        self, keys: Float[Tensor, "row head query dim"], values: Float[Tensor, "row head query width"], place: Placement
    ) -> tuple[Float[Tensor, "row head key dim"], Float[Tensor, "row head key width"]]:
        """Store the new tokens and give what attention sees."""
        self.write(keys, values, place)
        return (keys, values) if place.fresh else self.read(place)


@runtime_checkable
class CacheFactory(Protocol):
    """Makes the storage of one attention layer; a KV cache backend."""

    exact: bool

    def __call__(self, layer: int) -> LayerCache:
        """Make an empty storage for the layer with this index."""
        ...


class SlotLayer(LayerCache):
    """One static buffer `[slot, head, length, dim]` for keys and one for values.

    *Cost:* rows that stand level and in order are written with one copy and read as a view; ragged ones are written
    with `index_put`, which on CPU beats `scatter_` by a factor of 1.5 to 3. *Exact.*
    """

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None
        self._slots, self._length = 0, 0

    def reserve(self, slots: int, length: int) -> None:
        self._slots, self._length = max(slots, self._slots), max(length, self._length)
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self._grown(self.keys), self._grown(self.values)

    def _grown(self, old: Tensor) -> Tensor:
        if old.shape[0] >= self._slots and old.shape[2] >= self._length:
            return old
        # Zeros, never `empty`: a masked key's weight is 0, and 0 times an uninitialised NaN is NaN.
        new = old.new_zeros(self._slots, old.shape[1], self._length, old.shape[3])
        new[: old.shape[0], :, : old.shape[2]] = old
        return new

    def write(self, keys: Tensor, values: Tensor, place: Placement) -> None:
        if self.keys is None or self.values is None:
            self.keys = keys.new_zeros(self._slots, keys.shape[1], self._length, keys.shape[3])
            self.values = values.new_zeros(self._slots, values.shape[1], self._length, values.shape[3])
        if place.level and place.first is not None:
            # One call each: per layer and step, what a call costs is more than what it copies.
            slots, columns = place.neighbours, slice(place.starts[0], place.length)
            self.keys[slots, :, columns] = keys
            self.values[slots, :, columns] = values
            return
        where = place.at(keys.device)
        self.keys.transpose(1, 2).index_put_(where, keys.transpose(1, 2))
        self.values.transpose(1, 2).index_put_(where, values.transpose(1, 2))

    def read(self, place: Placement) -> tuple[Tensor, Tensor]:
        assert self.keys is not None
        assert self.values is not None
        if place.first is not None:
            slots, columns = place.neighbours, slice(place.length)
            return self.keys[slots, :, columns], self.values[slots, :, columns]
        slots = place.at(self.keys.device)[0][:, 0]
        return (
            self.keys.narrow(2, 0, place.length).index_select(0, slots),
            self.values.narrow(2, 0, place.length).index_select(0, slots),
        )

    def copy(self, sources: Sequence[int], targets: Sequence[int], length: int) -> None:
        if self.keys is None or self.values is None:
            return
        for buffer in (self.keys, self.values):
            # One after another, which even for many slots beats an index: nothing is copied twice.
            slots = buffer.narrow(2, 0, length).unbind()
            for source, target in zip(sources, targets, strict=True):
                slots[target].copy_(slots[source])

    def bytes(self) -> int:
        if self.keys is None or self.values is None:
            return 0
        return self.keys.nbytes + self.values.nbytes


class Slots:
    """The built-in backend: a `SlotLayer` per attention layer."""

    exact = True

    def __call__(self, layer: int) -> LayerCache:
        return SlotLayer()
