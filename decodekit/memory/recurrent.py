"""The states of recurrent layers (state-space, linear attention, convolution), one per slot."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import torch

from decodekit.types import Tensor

Key: TypeAlias = tuple[int, str, Any]
"""Layer, attribute, and key inside the attribute where it is a dictionary."""


def _leaves(layer: Any) -> Iterator[tuple[str, Any, Tensor]]:
    for name, value in vars(layer).items():
        if isinstance(value, Tensor):
            yield name, None, value
        elif isinstance(value, dict):
            for key, entry in value.items():
                if isinstance(entry, Tensor):
                    yield name, key, entry


def _without_tensors(layer: Any) -> dict[str, Any]:
    """Copy what a layer object remembers besides tensors: whether it has begun, sizes, and so on."""
    kept: dict[str, Any] = {}
    for name, value in vars(layer).items():
        if isinstance(value, dict):
            kept[name] = {key: None if isinstance(entry, Tensor) else entry for key, entry in value.items()}
        else:
            kept[name] = None if isinstance(value, Tensor) else copy.copy(value)
    return kept


class RecurrentStates:
    """`[slot, ...]` buffers, lent to transformers' layer objects for the rows of one forward pass.

    The layer objects themselves hold one batch and one "has begun" flag; so they are emptied for fresh rows and filled
    with the batch's states for others, and what the model left in them is taken back.
    """

    def __init__(self, layers: dict[int, Any]) -> None:
        self.layers = layers
        self.buffers: dict[Key, Tensor] = {}
        self._blank = {index: _without_tensors(layer) for index, layer in layers.items()}
        self._begun: dict[int, dict[str, Any]] = {}
        self._lent: list[int] | None = None
        """The slots whose states the layers hold as views right now: the next step of the same rows finds them so."""

    def lend(self, slots: Sequence[int], fresh: bool) -> None:
        """Fill the layers for a forward pass of these slots."""
        if not fresh and self._lent == slots:
            return
        self._lent = None
        source = self._blank if fresh else self._begun
        for index, layer in self.layers.items():
            layer.__dict__.update(copy.deepcopy(source[index]))
        if not fresh:
            first, count = slots[0], len(slots)
            in_place = slots[-1] - first == count - 1
            self._lent = list(slots) if in_place else None
            for (index, name, key), buffer in self.buffers.items():
                part = (
                    buffer.narrow(0, first, count)
                    if in_place
                    else buffer.index_select(0, torch.tensor(slots, device=buffer.device))
                )
                if key is None:
                    setattr(self.layers[index], name, part)
                else:
                    getattr(self.layers[index], name)[key] = part

    def take_back(self, slots: Sequence[int], capacity: int) -> None:
        """Store what the forward pass left in the layers."""
        in_place = self._lent is not None
        for index, layer in self.layers.items():
            for name, key, value in _leaves(layer):
                if value.ndim == 0 or value.shape[0] != len(slots):
                    continue
                buffer = self._buffer((index, name, key), value, capacity)
                part = buffer.narrow(0, slots[0], len(slots))
                # Most models write in place; then this very memory was lent as a view, and is up to date.
                if part.data_ptr() == value.data_ptr():
                    continue
                buffer.index_copy_(0, torch.tensor(slots, device=buffer.device), value)
                in_place = False
            if index not in self._begun:
                self._begun[index] = _without_tensors(layer)
        self._lent = self._lent if in_place else None

    def _buffer(self, key: Key, value: Tensor, capacity: int) -> Tensor:
        old = self.buffers.get(key)
        if old is None or old.shape[0] < capacity:
            self._lent = None
            self.buffers[key] = value.new_zeros(capacity, *value.shape[1:])
            if old is not None:
                self.buffers[key][: old.shape[0]] = old
        return self.buffers[key]

    def copy(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Copy states between slots; no slot is both source and target."""
        for key, buffer in self.buffers.items():
            grown = self._buffer(key, buffer, max(targets) + 1)
            source, target = torch.tensor([sources, targets], device=grown.device)
            grown.index_copy_(0, target, grown.index_select(0, source))

    def save(self, slot: int) -> dict[Key, Tensor]:
        """Copy one slot's state out."""
        return {key: buffer[slot].clone() for key, buffer in self.buffers.items()}

    def load(self, slot: int, state: dict[Key, Tensor]) -> None:
        """Copy one slot's state back."""
        for key, value in state.items():
            self.buffers[key][slot].copy_(value)

    def export(self, slot: int) -> tuple[dict[Key, Tensor], dict[int, dict[str, Any]]]:
        """Copy one slot's state out, with what the layers say about themselves once they have begun."""
        return self.save(slot), copy.deepcopy(self._begun)

    def adopt(self, slot: int, state: tuple[dict[Key, Tensor], dict[int, dict[str, Any]]], capacity: int) -> None:
        """Copy in what `export` gave, maybe of another object."""
        tensors, begun = state
        self._begun = {**copy.deepcopy(begun), **self._begun}
        self._lent = None
        for key, value in tensors.items():
            self._buffer(key, value[None], capacity)[slot].copy_(value)

    def bytes(self) -> int:
        """Count the bytes held."""
        return sum(buffer.nbytes for buffer in self.buffers.values())
