"""Values that must differ from others: items of an array with `uniqueItems`, keys of one object.

The text of such a value is recorded while it is written. A thread goes on only while a value that is not taken can
still come of it (see `possible_values`); equal are values, not texts (1 and 1.0).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from decodekit.errors import UnsupportedSchemaError
from decodekit_json.machine import Place, Reading, Thread, Threads
from decodekit_json.terminal import INFINITE

if TYPE_CHECKING:
    from decodekit_json.arrays import ArrayPlace
    from decodekit_json.members import FreeKey

Telling: TypeAlias = "FreeKey | Item"
"""Below a value that must differ from others."""
_DECODER = json.JSONDecoder(parse_float=Decimal)
MANY = 1000
"""Fewer values may not come where so many are said to be left: then they are counted."""
FAR = INFINITE >> 8
"""More bytes than a budget has: the shortest ways to go on may be taken."""
MOST = 255
"""Most values that may be taken where numbers of bytes are said to be enough."""
UNKNOWN, ANOTHER = "\udc00", "\udc01"
"""Stand for a value that is taken and not known; no JSON text has these values. It is an error to compare with the
first; the second counts as different from all others."""


class Undecided(Exception):  # noqa: N818
    """It matters which value an unknown one is."""


def frozen(value: Any) -> Any:
    """Give a hashable form of a JSON value; equal for equal values."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, dict):
        return ("object", frozenset((key, frozen(item)) for key, item in value.items()))
    return ("array", tuple(frozen(item) for item in value)) if isinstance(value, list) else value


def read(text: bytes) -> Any:
    """Give the value of a JSON text, in a form that is equal for equal values and no others."""
    return frozen(_DECODER.decode(text.decode()))


class Item(Place):
    """Below an item that must differ from those before it.

    Args:
        after: Where the array goes on, without this item among those seen.
        start: Where the item's text begins in what is recorded.
    """

    curious = True
    passing = True
    telling = True
    __slots__ = ("after", "start")

    def __init__(self, after: ArrayPlace, start: int) -> None:
        super().__init__(after, start)
        self.after, self.start = after, start

    def step(self, thread: Thread, byte: int) -> Threads:
        raise NotImplementedError("an item is being written above")

    def bytes(self) -> Iterable[int]:
        return ()

    def distance(self) -> int:
        return self.after.distance()

    def ceiling(self) -> int:
        return self.after.ceiling() + (FAR if len(self.after.counts.seen) > MOST else 0)

    @property
    def bans(self) -> int:
        """Give how many values, at most, may not come."""
        plan = self.after.plan
        return plan.apart.bans(self.after.counts) if plan.group.unique else 0

    @property
    def watched_values(self) -> frozenset[Any]:
        """Give the values on which it depends how the array goes on: the taken ones, and those that others need."""
        plan, counts = self.after.plan, self.after.counts
        if plan.group.unique:
            return counts.seen | plan.apart.few if plan.owes(counts) else counts.seen
        return counts.seen

    def accepts(self, value: Any) -> bool:
        """Say whether a value may come.

        Raises:
            Undecided: Where one is taken of which it is not known which it is.
        """
        plan = self.after.plan
        if not plan.group.unique:
            return True
        if UNKNOWN in self.after.counts.seen:
            raise Undecided
        return plan.apart.accepts(self.after.counts, value)

    def resume(self, thread: Thread, inner: Place | None) -> Threads:
        if thread.text is None:  # it was found not to matter
            return self.unknown(thread, UNKNOWN)
        if UNKNOWN in self.after.counts.seen:
            raise Undecided
        value = read(thread.text[self.start :])
        if not self.accepts(value):
            return ()
        return self._going_on(thread, value, thread.text if self.start else None)

    def outcomes(self, thread: Thread) -> Threads:
        plan, counts = self.after.plan, self.after.counts
        differing = plan.group.unique and (plan.owed(counts) or len(counts.seen) > MOST)
        return () if differing else (Thread(self.after, thread.below),)

    def unknown(self, thread: Thread, value: str) -> Threads:
        if UNKNOWN in self.after.counts.seen:
            raise Undecided
        return self._going_on(thread, value, None)

    def settled(self) -> Item:
        return Item(self.after.settled(), self.start)

    def taken_texts(self) -> frozenset[bytes] | None:
        plan = self.after.plan
        if self.start or (plan.group.unique and not plan.apart.endless):
            return None
        seen = self.after.counts.seen if plan.group.unique else frozenset[Any]()
        return None if UNKNOWN in seen else texts_of(value for value in seen if isinstance(value, str))

    def is_taken(self, text: bytes) -> bool:
        return not self.accepts(read(text))

    def _going_on(self, thread: Thread, value: Any, text: bytes | None) -> Threads:
        counts = self.after.counts
        paid = self.after.plan.group.repeated and value in counts.seen
        seen = frozenset[Any]() if paid else counts.seen | {value}
        return (Thread(self.after.with_counts(counts.with_seen(seen, paid)), thread.below, text),)


def texts_of(values: Iterable[str]) -> frozenset[bytes]:
    """Give taken strings as JSON texts without escapes."""
    return frozenset(b'"%b"' % value.encode() for value in values if value is not ANOTHER)


def settled(thread: Thread) -> Thread:
    """Give the same thread with values that are not known counting as different from all others."""
    below = thread.below
    return Thread(thread.place.settled(), below if below is None else settled(below), thread.text)


def settled_values(values: frozenset[Any]) -> frozenset[Any]:
    """Do so for values that are taken."""
    return values - {UNKNOWN} | {ANOTHER} if UNKNOWN in values else values


def tells_apart(place: Place) -> TypeGuard[Telling]:
    """Say whether the value above a place must differ from others."""
    return place.telling


def is_key(place: Place) -> TypeGuard[FreeKey]:
    """Say whether it is a key that must differ from others."""
    return place.telling and not isinstance(place, Item)


def unknown(thread: Thread) -> bool:
    """Say whether it was left out what stands there of a value that must differ from others."""
    at = thread.below if thread.text is None else None
    while at is not None:
        if tells_apart(at.place):
            return True
        at = at.below
    return False


def differs_from_unknown(thread: Thread) -> bool:
    """Say whether what is recorded must differ from a value that is not known."""
    at = None if thread.text is None else thread.below
    while at is not None:
        place = at.place
        if tells_apart(place):
            taken = place.after.counts.seen if isinstance(place, Item) else place.progress.free
            if UNKNOWN in taken:
                return True
            if not place.start:
                break
        at = at.below
    return False


def cut(thread: Thread, bottom: Thread, instead: Thread) -> Thread:
    """Give a thread with another one where `bottom` was."""
    if thread is bottom:
        return instead
    assert thread.below is not None
    return Thread(thread.place, cut(thread.below, bottom, instead), thread.text)


def watched(thread: Thread, whole: bool = False) -> Thread | None:
    """Give the outermost item on which it depends how a thread may go on, None where it does not.

    With `whole`, any item that is being recorded.
    """
    found, below = None, thread.below
    while below is not None:
        place = below.place
        if isinstance(place, Item) and (whole or place.watched_values):
            found = below
        if below.place.curious and getattr(place, "start", 1) == 0:
            break
        below = below.below
    return found


def owes_equal(thread: Thread) -> bool:
    """Say whether a thread stands in an item of which an equal one is still owed, or between such items."""
    from decodekit_json.equal import EqualPlace

    at: Thread | None = thread
    while at is not None:
        array = at.place.after if isinstance(at.place, Item) else at.place
        if isinstance(array, EqualPlace) and array.recorded:
            return True
        at = at.below
    return False


@lru_cache(maxsize=4096)
def many(place: Reading) -> bool:
    """Say whether at least `MANY` values can still come of a terminal."""
    plain = place.terminal.plain(place.state)
    if (plain is not None and plain[1] > 2) or place.terminal.endless(place.state):
        return True
    return _count(place, MANY) >= MANY


@lru_cache(maxsize=8192)
def outnumbers(place: Reading, bans: int) -> bool:
    """Say whether more than `bans` values can still come of a terminal; False where they are too much to count."""
    terminal, state = place.terminal, place.state
    plain = terminal.plain(state)
    if (plain is not None and plain[1] > 2 and bans < MANY) or terminal.endless(state):
        return True
    return _count(place, bans + 1) > bans


def _count(place: Reading, limit: int) -> int:
    """Give how many values can still come of a terminal, at most `limit`, or fewer where they are too much to count."""
    try:
        return place.terminal.count(place.state, limit)
    except UnsupportedSchemaError:
        return 0


__all__ = [
    "Item",
    "Undecided",
    "cut",
    "differs_from_unknown",
    "frozen",
    "many",
    "outnumbers",
    "settled",
    "tells_apart",
    "unknown",
    "watched",
]
