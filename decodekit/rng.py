"""Counter-based random numbers: one uniform per draw, a pure function of (seed, sample, position, purpose).

Philox4x32-10 (Salmon et al., SC'11, "Parallel random numbers: as easy as 1, 2, 3"), vectorised over draws. There is no
stream and no global state, so a row's draws do not depend on its batch, on the order of evaluation, or on how often a
position is looked at.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def philox4x32(counter: NDArray[np.uint64], key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Apply ten rounds of Philox4x32 to many counters at once.

    Args:
        counter: Shape [4, n], each entry below 2**32.
        key: Shape [2, n], each entry below 2**32.

    Returns:
        Shape [4, n]: four independent 32-bit words per counter.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        left, right = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (right >> _SHIFT) ^ c1 ^ k0, right & _LOW, (left >> _SHIFT) ^ c3 ^ k1, left & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return np.stack([c0, c1, c2, c3])


@lru_cache(maxsize=1024)
def purpose_key(purpose: str) -> int:
    """Give each purpose ("select", "xtc", …) its own 32-bit number, the same on every machine."""
    return zlib.crc32(purpose.encode())


def uniform(
    seeds: NDArray[np.uint64], samples: NDArray[np.uint64], positions: NDArray[np.uint64], purpose: str
) -> NDArray[np.float64]:
    """Draw one uniform number in [0, 1) with 53 random bits per (seed, sample, position).

    Args:
        seeds: Shape [n], 64-bit seeds of the requests.
        samples: Shape [n], index of the sample inside its request, below 2**32.
        positions: Shape [n], index of the token inside its sequence, below 2**32.
        purpose: What the number is for; different purposes are independent.
    """
    counter = np.stack(
        [positions & _LOW, samples & _LOW, np.full_like(seeds, purpose_key(purpose)), np.zeros_like(seeds)]
    )
    high, low, _, _ = philox4x32(counter, np.stack([seeds & _LOW, seeds >> _SHIFT]))
    return ((high >> np.uint64(5)) * np.float64(67108864) + (low >> np.uint64(6))) / np.float64(9007199254740992)


class Draws:
    """The numbers of `uniform` for fixed rows, computed a block of positions ahead: a draw then costs a look-up.

    Args:
        seeds: Shape [row].
        samples: Shape [row].
    """

    AHEAD = 64

    def __init__(self, seeds: NDArray[np.uint64], samples: NDArray[np.uint64]) -> None:
        self.seeds, self.samples = seeds, samples
        self._blocks: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}

    def __call__(self, rows: NDArray[np.int64], positions: NDArray[np.int64], purpose: str) -> NDArray[np.float64]:
        """Give the number of row `rows[i]` at `positions[i]`, both of shape [n]."""
        first, block = self._blocks.get(purpose, (None, None))
        if first is not None and block is not None:
            ahead = positions - first[rows]
            if ahead.min() >= 0 and ahead.max() < self.AHEAD:
                return block[rows, ahead]
        start = np.full(len(self.seeds), np.iinfo(np.int64).max)
        np.minimum.at(start, rows, positions)
        start[start == np.iinfo(np.int64).max] = 0
        wide = np.repeat(self.seeds, self.AHEAD), np.repeat(self.samples, self.AHEAD)
        places = (start[:, None] + np.arange(self.AHEAD)).ravel().astype(np.uint64)
        numbers = uniform(*wide, places, purpose).reshape(len(self.seeds), self.AHEAD)
        self._blocks[purpose] = start, numbers
        ahead = positions - start[rows]
        if ahead.max() < self.AHEAD:
            return numbers[rows, ahead]
        return uniform(self.seeds[rows], self.samples[rows], positions.astype(np.uint64), purpose)
