"""Masks of threads all of whose parts were seen before, found by the numbers of the parts without reading again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, TypeAlias
from weakref import ref

from decodekit_json.caching import Numbers
from decodekit_json.gathering import Chain, Gathered, Tokens
from decodekit_json.machine import BELOW, Outlook, Place, Thread

Looks: TypeAlias = "Callable[[Place], Outlook | None]"

_MOST = 2_000
_OWNERS = count()


class Chains:
    """Chains of one constraint, by the numbers of their parts, as long as a mask has them.

    *Cost:* some hundred nanoseconds a part that tokens come to.
    """

    def __init__(self) -> None:
        self._owner = next(_OWNERS)
        self._numbers = Numbers(_MOST)
        self._first: dict[int, Any] = {}  # by the number of the topmost part: a reference to a chain, or such a dict
        self._kept = 0

    def look_up(self, thread: Thread, look_of: Looks) -> Chain | None:
        """Give the chain of a thread where it is known.

        Args:
            thread: It, without a recorded text.
            look_of: Says what tokens can tell of a place.
        """
        found: Any = self._first
        owner, at = self._owner, thread
        if thread.below is not None and thread.below.place.curious and look_of(thread.below.place) is None:
            return None
        while at is not None:
            mark = at.place.mark
            if mark is None or mark[0] != owner:
                mark = self._mark(at.place, look_of)
            below = at.below
            found = found.get(~mark[1] if below is not None and below.place.curious else mark[1])
            if found is None:
                return None
            if type(found) is not dict:
                return found()
            at = below
        return None

    def keep(self, thread: Thread, found: Gathered, tokens: Tokens, look_of: Looks) -> Chain | None:
        """Keep what was gathered from a thread; None where it is more than one part after another."""
        if found.reached or found.within or not found.parts:
            return None
        numbers, at = list[int](), thread
        for _, place, below in found.parts:
            number = self._mark(at.place, look_of)[1]
            if place is at.place:
                numbers.append(number)
            else:  # what is below it is curious, and the part is both
                numbers.append(~number)
                at = at.below
                if at is None or place is not at.place or look_of(place) is None:
                    return None
                numbers.append(self._mark(place, look_of)[1])
            if below is not (at.below or BELOW):
                return None
            at = below
        if found.parts[-1][0].end is not None:
            return None
        chain = Chain(tokens, tuple([summary for summary, _, _ in found.parts]))
        if self._kept >= _MOST:
            self._first, self._kept = {}, 0
        table = self._first
        for number in numbers[:-1]:
            inner = table.get(number)
            if type(inner) is not dict:
                inner = table[number] = {}
            table = inner
        table[numbers[-1]] = ref(chain)
        self._kept += len(numbers)
        return chain

    def _mark(self, place: Place, look_of: Looks) -> tuple[int, int]:
        """Number what tokens can tell of a place, and note it there."""
        mark = place.mark = self._owner, self._numbers(look_of(place) or place)
        return mark


__all__ = ["Chains"]
