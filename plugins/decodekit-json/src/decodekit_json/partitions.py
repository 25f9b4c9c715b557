"""Classes of code points that some sets of them cannot tell apart, as stretches in order; what depends on UTF-8 alone.

Not which classes an expression has: `derivatives.partition` says that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

from decodekit_json import charsets as cs


class Partition:
    """Classes of code points that a set of character sets cannot tell apart.

    Attributes:
        cuts: First code points of the stretches, ascending.
        ids: Class of each stretch.
        ascii: Class of each of the first 128 code points.
        members: One code point of each class.
        notes: What other modules work out about the classes and keep.
    """

    __slots__ = ("_ranges", "ascii", "cuts", "ids", "members", "notes")

    def __init__(self, sets: Iterable[cs.Ranges]) -> None:
        toggles: dict[int, int] = {0: 0, 0xD800: 0, 0xE000: 0}
        for position, ranges in enumerate(sets):
            bit = 1 << position
            for low, high in ranges:
                toggles[low] = toggles.get(low, 0) ^ bit
                toggles[high + 1] = toggles.get(high + 1, 0) ^ bit
        toggles.pop(cs.LAST + 1, None)
        self.cuts: list[int] = sorted(toggles)
        classes: dict[int, int] = {}
        self.ids: list[int] = []
        self.members: list[int] = []
        mask = 0
        for cut in self.cuts:
            mask ^= toggles[cut]
            if cut == 0xD800:
                self.ids.append(-1)
                continue
            found = classes.get(mask)
            if found is None:
                found = classes[mask] = len(classes)
                self.members.append(cut)
            self.ids.append(found)
        table: list[int] = []
        for at, cut in enumerate(self.cuts):
            if cut >= 128:
                break
            following = min(self.cuts[at + 1], 128) if at + 1 < len(self.cuts) else 128
            table += [self.ids[at]] * (following - cut)
        self.ascii = table
        self._ranges: list[cs.Ranges] | None = None
        self.notes: dict[Any, Any] = {}

    def class_of(self, code: int) -> int:
        """Give the class of a code point."""
        return self.ascii[code] if code < 128 else self.ids[bisect_right(self.cuts, code) - 1]

    def stretch(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Give the classes between two code points, and how many code points of each stand in a row there."""
        at = bisect_right(self.cuts, low) - 1
        while low <= high:
            end = min(self.cuts[at + 1] - 1 if at + 1 < len(self.cuts) else cs.LAST, high)
            if self.ids[at] >= 0:
                yield self.ids[at], end - low + 1
            low, at = end + 1, at + 1

    def stretches(self) -> Iterator[tuple[int, int, int]]:
        """Give the first and last code points and the class of each stretch."""
        for at, (low, number) in enumerate(zip(self.cuts, self.ids, strict=True)):
            if number >= 0:
                yield low, self.cuts[at + 1] - 1 if at + 1 < len(self.cuts) else cs.LAST, number

    def ranges(self) -> list[cs.Ranges]:
        """Give the code points of each class."""
        if self._ranges is None:
            found: list[list[tuple[int, int]]] = [[] for _ in self.members]
            for low, high, number in self.stretches():
                found[number].append((low, high))
            self._ranges = [cs.union(tuple(pairs)) for pairs in found]
        return self._ranges


def first_bytes(classes: Partition) -> list[int]:
    """Give the first bytes of the characters of each class in UTF-8, one bit each, and others that begin none."""
    found = classes.notes.get("firsts")
    if found is None:
        found = [0] * len(classes.members)
        for low, high, number in classes.stretches():
            found[number] |= (2 << chr(high).encode()[0]) - (1 << chr(low).encode()[0])
        classes.notes["firsts"] = found
    return found


__all__ = ["Partition", "first_bytes"]
