"""Tokens that are gathered from several parts of a document, and put together to one mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias
from weakref import WeakValueDictionary

import numpy as np

from decodekit.types import PackedMask
from decodekit_json.inside import Inside
from decodekit_json.machine import Place, Thread
from decodekit_json.suffixes import Ids, SuffixNode
from decodekit_json.trie import Array, VocabularyTrie

Ceiling: TypeAlias = "Callable[[Thread], int]"
_FEW_ONES = 48
_NO_IDS = np.zeros(0, np.int32)


class Gathered:
    """What is being gathered.

    Attributes:
        bits: Tokens as masks.
        ids: Further tokens.
        ends: What is left of tokens that run past the end of what is read.
        within: Tokens that stay inside a terminal, with bytes that come on top and the thread behind the terminal.
        reached: Threads that tokens lead to, with bytes that come on top.
        looked: Places that were read as far as their outlook goes, with the threads below.
    """

    __slots__ = ("bits", "ends", "ids", "looked", "reached", "within")

    def __init__(self) -> None:
        self.bits: list[PackedMask] = []
        self.ids: list[Ids] = []
        self.ends: list[SuffixNode] = []
        self.within: list[tuple[Inside, int, Thread]] = []
        self.reached: list[tuple[int, Thread]] = []
        self.looked: list[tuple[Place, Thread]] = []

    def add(self, other: Gathered) -> None:
        """Take over what was gathered elsewhere."""
        self.bits += other.bits
        self.ids += other.ids
        self.ends += other.ends
        self.within += other.within
        self.reached += other.reached
        self.looked += other.looked

    def most(self, ceiling: Ceiling) -> int:
        """Give bytes that are enough to the end after any of the tokens but those of `within`."""
        looked = [place.reach() + ceiling(thread) for place, thread in self.looked]
        return max([more + ceiling(thread) for more, thread in self.reached] + looked, default=0)


class Tokens:
    """A mask, with what it was put together from, which has to stay as long as the mask is looked up by it."""

    __slots__ = ("__weakref__", "bits", "sources")

    def __init__(self, bits: PackedMask, *sources: object) -> None:
        self.bits, self.sources = bits, sources


class Mask:
    """The tokens that may follow.

    Attributes:
        bits: One bit a token.
    """

    __slots__ = ("_ceiling", "_found", "_most", "_tokens", "bits")

    def __init__(self, tokens: Tokens, found: Gathered, ceiling: Ceiling) -> None:
        self.bits, self._tokens, self._ceiling = tokens.bits, tokens, ceiling
        self._found: Gathered | None = found
        self._most = 0

    @property
    def most(self) -> int:
        """Bytes that are enough to end the document after any of the tokens; found out when it is first asked for."""
        found = self._found
        if found is not None:  # forgotten only once `_most` counts it: another thread may ask meanwhile
            ceiling = self._ceiling
            within = [inside.most + more + ceiling(thread) for inside, more, thread in found.within]
            self._most = max([found.most(ceiling), *within])
            self._found = None
        return self._most

    @property
    def nbytes(self) -> int:
        """Memory of the mask, and about that of its state."""
        return self.bits.nbytes + 1500


class Merger:
    """Puts tokens together; the same masks and ids give the same mask, as long as somebody has it.

    Args:
        trie: The vocabulary.
    """

    def __init__(self, trie: VocabularyTrie) -> None:
        self.trie = trie
        self._kept: WeakValueDictionary[object, Tokens] = WeakValueDictionary()

    def __call__(self, found: Gathered) -> Tokens | None:
        """Give all tokens as one mask, None for no tokens."""
        bits, ids = found.bits, found.ids
        if not ids and len(bits) < 2:
            return Tokens(bits[0]) if bits else None
        key = (
            frozenset(map(id, bits)),
            frozenset([some if isinstance(some, tuple) else id(some) for some in ids]),
        )
        tokens = self._kept.get(key)
        if tokens is None:
            tokens = self._kept[key] = Tokens(self._merged(bits, ids), bits, ids)
        return tokens

    def _merged(self, bits: list[PackedMask], ids: list[Ids]) -> PackedMask:
        merged = bits[0].copy() if bits else np.zeros(-(-self.trie.width // 32), np.int32)
        for other in bits[1:]:
            merged |= other
        every = np.concatenate([some for some in ids if not isinstance(some, tuple)] or [_NO_IDS])
        few = [token for some in ids if isinstance(some, tuple) for token in some]
        if len(every):
            _set(merged, every)
        if len(few) > _FEW_ONES:
            _set(merged, np.array(few, np.int32))
        else:
            words = merged.view(np.uint32).data  # several times faster than the array, one by one
            for token in few:
                words[token >> 5] |= 1 << (token & 31)
        merged.setflags(write=False)
        return merged


def _set(bits: PackedMask, ids: Array) -> None:
    np.bitwise_or.at(bits.view(np.uint32), ids >> 5, np.left_shift(np.uint32(1), (ids & 31).astype(np.uint32)))


__all__ = ["Ceiling", "Gathered", "Mask", "Merger", "Tokens"]
