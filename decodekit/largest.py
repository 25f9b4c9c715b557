"""The large entries of long rows, found by way of block maxima: one pass over the rows, then little more than them.

`topk` keeps a heap over everything that it passes and takes ten times as long on a CPU. The k-th largest maximum of
blocks of neighbours is a bound that k entries reach, and only blocks whose maximum reaches it hold any that do. *Not*
for accelerators, where `topk` is fast and looking at numbers means waiting for them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from decodekit.types import Float, Tensor

Reached: TypeAlias = Callable[[NDArray[Any], Any], NDArray[np.bool_]]

_BLOCKS = (128, 64, 32)
"""Lengths of blocks that reduce fast, the best first."""
_ENOUGH = 4
"""How many blocks there must be for each entry that is looked for; with fewer too many of them are looked into."""


class Blocks:
    """Rows in the memory of the CPU, with the maxima of their blocks. NaN counts as large, so that nobody overlooks it.

    Args:
        logits: Shape [row, column], of a dtype that numpy knows.
        k: How many entries of a row will be looked for; says how long blocks are.
    """

    def __init__(self, logits: Float[Tensor, "row column"], k: int = 1) -> None:
        logits = logits.contiguous()
        self.values: NDArray[Any] = logits.numpy()
        rows, width = logits.shape
        self.size = next((size for size in _BLOCKS if width >= size * _ENOUGH * k), _BLOCKS[-1])
        self.whole = width // self.size
        main = logits[:, : self.whole * self.size].view(rows, self.whole, self.size)
        self._blocks: NDArray[Any] = main.numpy()
        self.maxima: NDArray[Any] = main.amax(dim=-1).numpy() if self.whole else self.values[:, :0]

    def best(self) -> NDArray[Any]:
        """Give each row's largest entry, shape [row, 1]."""
        tail = self.values[:, self.whole * self.size :]
        found = [part.max(axis=-1, keepdims=True) for part in (self.maxima, tail) if part.shape[1]]
        return found[0] if len(found) == 1 else np.maximum(*found)

    def bound(self, k: int) -> NDArray[Any]:
        """Give a finite number that at least k entries of each row reach, if it has as many; shape [row, 1]."""
        among = self.maxima if self.whole >= _ENOUGH * k else self.values
        place = max(among.shape[1] - k, 0)
        found = np.partition(among, place, axis=-1)[:, place, None]
        return np.maximum(found, least_number(found.dtype))

    def not_below(self, floor: NDArray[Any], most: int) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
        """Give each row's entries that are not below its floor and their columns, ascending; None for more than `most`.

        What is left of the shorter rows is -inf, in the last column.

        Args:
            floor: Shape [row, 1].
            most: How many entries a row may have.
        """
        rows, width = self.values.shape
        where = self.find(lambda values, rows: np.logical_not(values < floor[rows]))
        row = where // width
        counts = np.bincount(row, minlength=rows)
        widest = max(int(counts.max()), 1)
        if widest > most:
            return None
        place = np.arange(len(where)) + np.repeat(
            np.arange(0, rows * widest, widest) - counts.cumsum() + counts, counts
        )
        values = np.full((rows, widest), -np.inf, self.values.dtype)
        columns = np.full((rows, widest), width - 1, np.int64)
        values.ravel()[place] = self.values.ravel()[where]
        columns.ravel()[place] = where - row * width
        return values, columns

    def find(self, reached: Reached) -> NDArray[np.int64]:
        """Give the places of all entries that reach something, counted over all rows, ascending.

        Args:
            reached: Says which of some values do, given them and an index for their rows; what is larger than a value
                that does must do so too.
        """
        width = self.values.shape[1]
        block = reached(self.maxima, slice(None)).ravel().nonzero()[0]
        row = block // max(self.whole, 1)
        inside = reached(self._blocks[row, block - row * self.whole], row).ravel().nonzero()[0]
        start = self.whole * self.size
        # A block begins at size * block, and later by what the rows before it have beyond their whole blocks.
        first = block * self.size + row * (width - start)
        found = (first - np.arange(0, len(row) * self.size, self.size))[inside // self.size] + inside
        if start < width:
            row, column = reached(self.values[:, start:], slice(None)).nonzero()
            if len(row):
                found = np.sort(np.concatenate([found, row * width + start + column]))
        return found


@lru_cache(maxsize=8)
def least_number(dtype: np.dtype[Any]) -> Any:
    """Give the least finite number; `np.finfo` takes longer than a selection."""
    return np.finfo(dtype).min


def largest(logits: Float[Tensor, "row column"], k: int, most: int) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
    """Give each row's k largest entries, those that equal the k-th, and maybe some more, as `Blocks.not_below` does."""
    blocks = Blocks(logits, k)
    return blocks.not_below(blocks.bound(k), most)
