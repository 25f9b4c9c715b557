"""Tokens that are gathered from several parts of a document, and put together to one mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakValueDictionary

import numpy as np

from decodekit.types import PackedMask
from decodekit_json.machine import BELOW, Place, Thread
from decodekit_json.suffixes import Ids, SuffixNode
from decodekit_json.trie import Array, VocabularyTrie

Ceiling: TypeAlias = "Callable[[Thread], int]"
_FEW_ONES = 48
_MASK_BYTES = 2000
"""Memory of a mask beyond its bits, and about that of its state."""
_NO_IDS = np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What tokens do in a part.

    Attributes:
        bits: Tokens that end in the part or just behind it, as a mask; None for none.
        ids: Further ones.
        most: Bytes that are enough to end the part after any of them.
        end: What is left of tokens that run past the part's end; None where none does.
        reaches: Whether what the part says (`Place.reach`) has to be added to the bytes, because others share this.
    """

    bits: PackedMask | None
    ids: tuple[Ids, ...]
    most: int
    end: SuffixNode | None
    reaches: bool

    @property
    def nbytes(self) -> int:
        """Memory of the mask, though others may hold it too, and about that of the rest."""
        held = (0 if self.bits is None else self.bits.nbytes) + 8 * sum(map(len, self.ids))
        return held + (0 if self.end is None else self.end.nbytes) + 800


class Gathered:
    """What is being gathered.

    Attributes:
        bits: Tokens as masks.
        ids: Further tokens.
        ends: What is left of tokens that run past the end of what is read.
        reached: Threads that tokens lead to, with bytes on top.
        within: Terminals that tokens stay in, each with the node of the trie that it reads from.
        parts: Summaries of parts, with the place that says how far it is to the end, and the thread below.
    """

    __slots__ = ("bits", "ends", "ids", "parts", "reached", "within")

    def __init__(self) -> None:
        self.bits: list[PackedMask] = []
        self.ids: list[Ids] = []
        self.ends: list[SuffixNode] = []
        self.reached: list[tuple[int, Thread]] = []
        self.within: list[tuple[Thread, int]] = []
        self.parts: list[tuple[Summary, Place, Thread]] = []

    def take(self, summary: Summary, place: Place, below: Thread) -> None:
        """Take what tokens do in a part, of which `place` is the topmost."""
        if summary.bits is not None:
            self.bits.append(summary.bits)
        if summary.ids:
            self.ids += summary.ids
        self.parts.append((summary, place, below))

    def add(self, other: Gathered) -> None:
        """Take over what was gathered elsewhere."""
        self.bits += other.bits
        self.ids += other.ids
        self.ends += other.ends
        self.reached += other.reached
        self.within += other.within
        self.parts += other.parts

    def most(self, ceiling: Ceiling, staying: Callable[[Thread, int], int], own: Thread | None = None) -> int:
        """Give bytes that are enough to the end after any of the tokens.

        Args:
            ceiling: Gives those of a thread.
            staying: Gives those to the end of a terminal after the tokens that stay in it.
            own: What stands below the part whose own reach is not counted.
        """
        found = 0
        for more, thread in self.reached:
            found = max(found, more + ceiling(thread))
        for part, node in self.within:
            assert part.below is not None
            found = max(found, staying(part, node) + ceiling(part.below))
        for summary, place, below in self.parts:
            reach = place.reach() if summary.reaches and below is not own else 0
            found = max(found, summary.most + ceiling(below) + reach)
        return found


class Tokens:
    """A mask, with what it was put together from, which has to stay as long as the mask is looked up by it."""

    __slots__ = ("__weakref__", "bits", "nbytes", "sources")

    def __init__(self, bits: PackedMask, *sources: object) -> None:
        self.bits, self.sources = bits, sources
        self.nbytes: int = bits.nbytes + _MASK_BYTES


class Chain:
    """A mask that comes of one thread, part by part.

    Attributes:
        bits: The mask.
        summaries: Of each part that tokens come to, the topmost first.
    """

    __slots__ = ("__weakref__", "_tokens", "bits", "nbytes", "summaries")

    def __init__(self, tokens: Tokens, summaries: tuple[Summary, ...]) -> None:
        self._tokens, self.summaries = tokens, summaries
        self.bits, self.nbytes = tokens.bits, tokens.nbytes

    def most(self, thread: Thread, ceiling: Ceiling) -> int:
        """Give bytes that are enough to end the document after any of the tokens, read from a thread."""
        found, at = 0, thread
        for summary in self.summaries:
            below = at.below or BELOW
            if below.place.curious:
                at, below = below, below.below or BELOW
            enough = summary.most + ceiling(below)
            if summary.reaches:
                enough += at.place.reach()
            if enough > found:
                found = enough
            at = below
        return found


class Mask:
    """The tokens that may follow.

    Args:
        held: Them; as a chain where that is known.
        found: Where they lead: what was gathered, or the thread that the chain is read from.

    Attributes:
        bits: One bit a token.
        held: The same.
        nbytes: About the memory of it and of its state.
        most: Bytes that are enough to end the document after any of them, -1 before `settle`.
    """

    __slots__ = ("_found", "bits", "held", "most", "nbytes")

    def __init__(self, held: Tokens | Chain, found: Gathered | Thread) -> None:
        self.held, self.bits, self.nbytes = held, held.bits, held.nbytes
        self._found: Gathered | Thread | None = found
        self.most = -1

    def settle(self, ceiling: Ceiling, staying: Callable[[Thread, int], int]) -> int:
        """Find `most`; see `Gathered.most`."""
        found = self._found
        if found is not None:  # another thread may be at it too, and finds the same
            if isinstance(found, Gathered):
                self.most = found.most(ceiling, staying)
            else:
                assert isinstance(self.held, Chain)
                self.most = self.held.most(found, ceiling)
            self._found = None
        return self.most


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


__all__ = ["Ceiling", "Chain", "Gathered", "Mask", "Merger", "Summary", "Tokens"]
