"""Tokens that leave a terminal where it is: found by the set of their characters, without walking them.

Strings of patterns are mostly in a state that most characters lead back to, such as in `[a-z0-9-]+` or `[^<>]*`.
A character stands in the sets by its first byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from decodekit_json.trie import Array, VocabularyTrie, ranges

WHOLE = 0
_DEAD = -1
_WORDS = 3
_BROKEN = np.array([0, 0, 1], np.uint64)
"""A bit that no character has: not UTF-8."""


class CharacterSets:
    """Which characters the tokens have, and where each character stands in the trie.

    Attributes:
        token_sets: First bytes of the characters of each token, in the trie's order, shape [token, 3].
        token_state: Whether a token is UTF-8: 0, inside of a character above that, -1 where it is not.
        below: First bytes of the characters that begin below each node, as words, each of shape [node].
        words: The same as memoryviews, word by word.
    """

    def __init__(self, trie: VocabularyTrie) -> None:
        self.trie = trie
        state, sets = [np.zeros(1, np.int8)], [np.zeros((1, _WORDS), np.uint64)]
        begins = [np.zeros(1, np.bool_)]
        for start, end in zip(trie.levels, trie.levels[1:-1], strict=False):
            counts = np.diff(trie.first[start : end + 1])
            letters = trie.letters[end : end + int(counts.sum())]
            before, above = np.repeat(state[-1], counts), np.repeat(sets[-1], counts, axis=0)
            first = before == WHOLE
            state.append(_STEP[before, letters])
            sets.append(np.where(first[:, None], above | _BITS[letters], above))
            begins.append(first)
        states, all_sets, first = np.concatenate(state), np.concatenate(sets), np.concatenate(begins)
        counts = trie.own - trie.low
        node_of = np.empty(len(trie.order), np.int64)
        node_of[ranges(trie.low, counts)] = np.repeat(np.arange(trie.size), counts)
        self.token_sets, self.token_state = np.ascontiguousarray(all_sets[node_of].T), states[node_of]
        parent = np.append(-1, np.repeat(np.arange(trie.size), np.diff(trie.first)))
        found = np.flatnonzero(first)
        found = found[np.argsort(trie.letters[found], kind="stable")]
        self._nodes = found.astype(np.int32)
        self._before = all_sets[parent[found]]
        self._starts = np.searchsorted(trie.letters[found], np.arange(257))
        broken = states == _DEAD
        self.below = [
            _below(trie, np.where(first, bits[trie.letters], np.uint64(0)) | np.where(broken, bad, np.uint64(0)))
            for bits, bad in zip(np.ascontiguousarray(_BITS.T), _BROKEN, strict=True)
        ]
        self.words = [word.data for word in self.below]

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        arrays = (self.token_sets, self.token_state, self._nodes, self._before, *self.below)
        return sum(a.nbytes for a in arrays)

    def within(self, letters: Sequence[int]) -> Array:
        """Give the places in the trie's order of the tokens all of whose characters begin with one of `letters`."""
        outside = ~np.bitwise_or.reduce(_BITS[list(letters)], axis=0)
        words = self.token_sets
        wrong = words[0] & outside[0]
        wrong |= words[1] & outside[1]
        wrong |= words[2] & outside[2]
        return np.flatnonzero((wrong == 0) & (self.token_state != _DEAD))

    def after(self, letters: Sequence[int], letter: int) -> Array:
        """Give the nodes of characters that begin with `letter` and come after such as begin with one of `letters`."""
        outside = ~np.bitwise_or.reduce(_BITS[list(letters)], axis=0)
        at = slice(self._starts[letter], self._starts[letter + 1])
        return self._nodes[at][~(self._before[at] & outside).any(axis=1)]


@lru_cache(maxsize=1024)
def outside(letters: int) -> tuple[int, ...]:
    """Give all characters but those that begin with some bytes (one bit each), and what is no UTF-8, as three words."""
    found = ~np.bitwise_or.reduce(_BITS[[byte for byte in range(256) if letters >> byte & 1]], axis=0)
    return tuple((found | _BROKEN).tolist())


def _below(trie: VocabularyTrie, own: Array) -> Array:
    """Put together what the nodes below each node have."""
    found = np.zeros_like(own)
    for start, end in reversed(list(zip(trie.levels, trie.levels[1:-1], strict=False))):
        first = trie.first[start : end + 1]
        inner = np.flatnonzero(first[1:] > first[:-1])
        if len(inner):
            low, high = int(first[0]), int(first[-1])
            found[start + inner] = np.bitwise_or.reduceat(own[low:high] | found[low:high], first[inner] - low)
    return found


def loops(step: Callable[[int, int], int], state: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Sort the first bytes of characters: all characters that begin so lead back to `state`; or others go on.

    Args:
        step: A terminal's moves from state to state by number, -1 for none; inside of a character it reads UTF-8 only.
        state: Where to begin.

    Returns:
        The bytes that stay, and the bytes that do not with the states that they lead to.
    """
    stay: list[int] = []
    leave: list[tuple[int, int]] = []
    known: dict[tuple[int, int], bool] = {}

    def comes_back(at: int, shape: int) -> bool:
        if shape == WHOLE:
            return at == state
        if (at, shape) not in known:
            known[at, shape] = all(
                (to := step(at, byte)) >= 0 and comes_back(to, after) for byte, after in _INNER[shape]
            )
        return known[at, shape]

    for byte, shape in enumerate(MOVES[WHOLE]):
        to = step(state, byte)
        if to < 0:
            continue
        if shape != _DEAD and comes_back(to, shape):
            stay.append(byte)
        else:
            leave.append((byte, to))
    return stay, leave


def _utf8() -> Array:
    """Make the moves of UTF-8: 0 between characters; the last row is that of -1."""
    one, two, three, after_e0, after_ed, after_f0, after_f4 = range(1, 8)
    table = np.full((9, 256), _DEAD, np.int8)
    table[WHOLE, :0x80] = WHOLE
    table[WHOLE, 0xC2:0xE0] = one
    table[WHOLE, 0xE0:0xF0] = two
    table[WHOLE, 0xF0:0xF5] = three
    for byte, shape in ((0xE0, after_e0), (0xED, after_ed), (0xF0, after_f0), (0xF4, after_f4)):
        table[WHOLE, byte] = shape
    for shape, low, high, after in (
        (one, 0x80, 0xC0, WHOLE),
        (two, 0x80, 0xC0, one),
        (three, 0x80, 0xC0, two),
        (after_e0, 0xA0, 0xC0, one),
        (after_ed, 0x80, 0xA0, one),
        (after_f0, 0x90, 0xC0, two),
        (after_f4, 0x80, 0x90, two),
    ):
        table[shape, low:high] = after
    return table


def _bits() -> Array:
    """Make one bit for each byte below 128 and each from 192 on, in three words; the others have none."""
    bits = np.zeros((256, _WORDS), np.uint64)
    for byte in (*range(0x80), *range(0xC0, 0x100)):
        word = byte // 64 if byte < 0x80 else 2
        bits[byte, word] = np.uint64(1 << (byte % 64))
    return bits


_STEP, _BITS = _utf8(), _bits()
MOVES: list[list[int]] = _STEP.tolist()
_INNER = [[(byte, after) for byte, after in enumerate(row) if after != _DEAD] for row in MOVES]

__all__ = ["MOVES", "WHOLE", "CharacterSets", "loops", "outside"]
