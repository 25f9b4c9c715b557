"""Tokens that are gathered from several parts of a document, and put together to one mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakValueDictionary

import numpy as np

from decodekit.types import PackedMask
from decodekit_json.ceilings import Apart
from decodekit_json.inside import Inside
from decodekit_json.machine import Place, Thread
from decodekit_json.suffixes import Ids, SuffixNode
from decodekit_json.trie import Array, VocabularyTrie

Ceiling: TypeAlias = "Callable[[Thread], int]"
_FEW_ONES = 48
_NO_IDS = np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What tokens do in a part.

    Attributes:
        bits: Tokens that end in the part or just behind it, as a mask; None for none.
        ids: Further ones.
        most: Bytes that are enough to end the part after any of them, but those of `within`.
        within: Tokens that stay inside a terminal, with the bytes that are enough to end the part behind it.
        end: What is left of tokens that run past the part's end; None where none does.
        reaches: Whether what the part says (`Place.reach`) has to be added to the bytes, because others share this.
    """

    bits: PackedMask | None
    ids: tuple[Ids, ...]
    most: int
    within: tuple[tuple[Inside | Apart, int], ...]
    end: SuffixNode | None
    reaches: bool

    @property
    def nbytes(self) -> int:
        """Memory of the mask, and about that of the rest."""
        return (0 if self.bits is None else self.bits.nbytes) + 8 * sum(map(len, self.ids)) + 800


class Gathered:
    """What is being gathered.

    Attributes:
        bits: Tokens as masks.
        ids: Further tokens.
        ends: What is left of tokens that run past the end of what is read.
        within: Tokens that stay inside a terminal, with bytes that come on top and the thread behind the terminal.
        reached: Threads that tokens lead to, with bytes that come on top.
        parts: Summaries of parts, with the place that says how far it is to the end, and the thread below.
    """

    __slots__ = ("bits", "ends", "ids", "parts", "reached", "within")

    def __init__(self) -> None:
        self.bits: list[PackedMask] = []
        self.ids: list[Ids] = []
        self.ends: list[SuffixNode] = []
        self.within: list[tuple[Inside | Apart, int, Thread]] = []
        self.reached: list[tuple[int, Thread]] = []
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
        self.within += other.within
        self.reached += other.reached
        self.parts += other.parts

    def most(self, ceiling: Ceiling, own: Thread | None = None) -> int:
        """Give bytes that are enough to the end after any of the tokens but those of `all_within`.

        Args:
            ceiling: Gives those of a thread.
            own: What stands below the part whose own reach is not counted.
        """
        parts = [summary.most + more for summary, more in self._behind_parts(ceiling, own)]
        return max([*parts, *[more + ceiling(thread) for more, thread in self.reached]], default=0)

    def all_within(self, ceiling: Ceiling, own: Thread | None = None) -> list[tuple[Inside | Apart, int]]:
        """Give the tokens that stay inside a terminal, with bytes that are enough behind it."""
        parts = self._behind_parts(ceiling, own)
        found = [(inside, rest + more) for summary, more in parts for inside, rest in summary.within]
        return [*found, *[(inside, more + ceiling(thread)) for inside, more, thread in self.within]]

    def most_of_all(self, ceiling: Ceiling) -> int:
        """Give bytes that are enough to the end after any of the tokens."""
        found = 0
        for more, thread in self.reached:
            found = max(found, more + ceiling(thread))
        for summary, place, below in self.parts:
            most = summary.most
            for inside, more in summary.within:
                most = max(most, inside.most + more)
            found = max(found, most + ceiling(below) + (place.reach() if summary.reaches else 0))
        for inside, more, thread in self.within:
            found = max(found, inside.most + more + ceiling(thread))
        return found

    def _behind_parts(self, ceiling: Ceiling, own: Thread | None) -> list[tuple[Summary, int]]:
        return [
            (summary, ceiling(below) + (place.reach() if summary.reaches and below is not own else 0))
            for summary, place, below in self.parts
        ]


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
            self._most = found.most_of_all(self._ceiling)
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


__all__ = ["Ceiling", "Gathered", "Mask", "Merger", "Summary", "Tokens"]
