"""Which values can still come of threads: of one that is being recorded, or of those that begin a value.

A search by the length of the text. Nothing is searched where values are plenty.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count, islice
from typing import Any

from decodekit.errors import UnsupportedSchemaError
from decodekit_json.before import Before
from decodekit_json.distinct import MANY, Item, cut, is_key, outnumbers, read, tells_apart
from decodekit_json.machine import AFTER, Place, Reading, Stop, Thread, Threads, finished
from decodekit_json.terminal import INFINITE

_KEPT = 5_000
PLENTY = object()
"""More values than are taken."""


class Bottom(Stop):
    """Below a value that is tried out."""

    __slots__ = ()


def possible(thread: Thread) -> bool:
    """Say whether every part of a thread that is being recorded can still become something that is not taken."""
    place, below, text = thread.place, thread.below, thread.text
    if text is None or below is None:
        return True
    bans, under = 0, below.place
    if is_key(under):
        assert isinstance(place, Reading)
        if not _another(place, text[under.start :], under.taken_keys, under.accepts):
            return False
        bans = under.taken_keys
    while below is not None:
        under = below.place
        if isinstance(under, Item):
            own = under.bans
            bans += own
            if own and not _reaches(thread, below, bans):  # of those around it, what goes on behind it may be plenty
                return False
        if tells_apart(under) and not under.start:
            break
        below = below.below
    return True


def _reaches(thread: Thread, bottom: Thread, bans: int) -> bool:
    item = bottom.place
    assert isinstance(item, Item)
    assert thread.text is not None
    if thread.below is bottom and isinstance(thread.place, Reading):
        return _another(thread.place, thread.text[item.start :], bans, item.accepts)
    if _plenty(thread, bottom, bans):
        return True
    known = item.after.plan.reached
    key = cut(thread, bottom, Thread(item, None))
    found = known.get(key)
    if found is None:
        if len(known) > _KEPT:
            known.clear()
        start = cut(thread, bottom, Thread(Bottom(), None))
        values = possible_values([start], item.start, bans, INFINITE)
        found = known[key] = any(value is PLENTY or item.accepts(value) for value in values)
    return found


def _another(place: Reading, text: bytes, bans: int, accepts: Callable[[Any], bool]) -> bool:
    if not bans or outnumbers(place, bans):
        return True
    return any(accepts(read(text + rest)) for rest in place.terminal.completions(place.state))


def _plenty(thread: Thread, bottom: Thread | None, bans: int) -> bool:
    """Say whether more than `bans` values can still come of what stands above `bottom`; False where unknown."""
    at: Thread | None = thread
    while at is not None and at is not bottom:
        if _outnumbered(at.place, bans):
            return True
        at = at.below
    return False


def _outnumbered(place: Place, bans: int) -> bool:
    if isinstance(place, Reading):
        return outnumbers(place, bans)
    if isinstance(place, Before) and any(outnumbers(reading, bans) for reading in place.node.readings):
        return True
    return bans < MANY and place.endless()


def possible_values(threads: Iterable[Thread], start: int, bans: int, limit: int) -> Iterator[Any]:
    """Give the different values that can come of threads, the shortest first; `PLENTY` for more than `bans` of them.

    A search by the length of the text (A*), of equals the one that has come farthest: distances are those that threads
    have, blanks are left out, and of a string or a number one writing of each value is tried.
    """
    order = count()
    queue = [(len(t.text or b"") + t.distance, -len(t.text or b""), next(order), t) for t in threads]
    heapify(queue)
    tried, given = set[Hashable](), set[Any]()
    while queue:
        _, _, number, thread = heappop(queue)
        text = thread.text
        assert text is not None
        if number >= limit:
            raise UnsupportedSchemaError(
                f"items have more forms than {limit} to keep apart",
                keyword="uniqueItems",
                hint="leave additionalProperties open, or list the items with enum",
            )
        if isinstance(thread.place, Bottom):
            value = read(text[start:])
            if value not in given:
                given.add(value)
                yield value
            continue
        if _plenty(thread, None, bans + banned(thread)):
            yield PLENTY
            continue
        for after in _further(thread, limit):
            key = _same(after, start)
            if key not in tried:
                tried.add(key)
                assert after.text is not None
                length = len(after.text)
                heappush(queue, (length + after.distance, -length, next(order), after))


def banned(thread: Thread) -> int:
    """Give how many values, at most, may not come above a thread: of all items and keys that it stands in."""
    found, at = 0, thread.below
    while at is not None:
        if isinstance(at.place, Item):
            found += at.place.bans
        elif is_key(at.place):
            found += at.place.taken_keys
        at = at.below
    return found


def _further(thread: Thread, limit: int) -> Iterator[Thread]:
    place, text = thread.place, thread.text
    if not isinstance(place, Reading):
        for byte in place.bytes():
            if byte not in b" \n\r\t" or byte in place.required:
                yield from thread.step(byte)
        return
    for rest in islice(place.terminal.completions(place.state), limit):
        if not rest:
            yield from finished(thread.below, text, place)
            continue
        ways: Threads = (thread,)
        for byte in rest:
            ways = [after for way in ways for after in way.step(byte)]
        yield from (
            way for way in ways if not (isinstance(way.place, Reading) and way.place.terminal is place.terminal)
        )


def _same(thread: Thread, start: int) -> Hashable:
    """Give a key that is equal for threads with the same values to come: the order of an object's keys is left out."""
    from decodekit_json.arrays import ArrayPlace
    from decodekit_json.members import ObjectPlace

    if not isinstance(thread.place, ObjectPlace) or thread.place.stage != AFTER:
        return thread
    assert thread.text is not None
    closing, places, at = b"", list[Place](), thread
    while True:
        places.append(at.place)
        if isinstance(at.place, ObjectPlace):
            closing += b"}"
        elif isinstance(at.place, ArrayPlace | Item):
            closing += b"]"
        if at.below is None:
            return (tuple(places), read(thread.text[start:] + closing))
        at = at.below


__all__ = ["PLENTY", "Bottom", "banned", "possible", "possible_values"]
