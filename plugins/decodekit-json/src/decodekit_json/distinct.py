"""Values that must differ from others: items of an array with `uniqueItems`, keys of one object.

The text of such a value is recorded while it is written. A thread goes on only while a value that is not taken can
still come of it; equal are values, not texts (1 and 1.0).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from decodekit.errors import UnsupportedSchemaError
from decodekit_json.machine import AFTER, Place, Reading, Stop, Thread, Threads, Value, finished
from decodekit_json.terminal import INFINITE
from decodekit_json.whitespace import Whitespace

if TYPE_CHECKING:
    from decodekit_json.arrays import ArrayPlace
    from decodekit_json.members import FreeKey
    from decodekit_json.nodes import Node

Telling: TypeAlias = "FreeKey | Item"
"""Below a value that must differ from others."""
_DECODER = json.JSONDecoder(parse_float=Decimal)
_MANY = 1000
"""More values than this count as infinitely many: no text has so many items."""
_MANY_NODES = 1000
_MAX_TRIED = 20_000
"""Most steps of a search for the values of an item, when a schema is compiled."""
_KEPT = 5_000
FAR = INFINITE >> 8
"""More bytes than a budget has: the shortest ways to go on may be taken."""
MOST = 255
"""Most values that may be taken where numbers of bytes are said to be enough."""
PLENTY = object()
"""More values than are taken."""
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


class _Bottom(Stop):
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
            more = under.bans
            bans += more
            if more and not _reaches(thread, below, bans):  # of those around it, what goes on behind it may be plenty
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
        start = cut(thread, bottom, Thread(_Bottom(), None))
        values = _outcomes([start], item.start, bans, INFINITE)
        found = known[key] = any(value is PLENTY or item.accepts(value) for value in values)
    return found


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


def _plenty(thread: Thread, bottom: Thread | None, bans: int) -> bool:
    """Say whether more than `bans` values can still come of what stands above `bottom`; False where unknown."""
    at: Thread | None = thread
    while at is not None and at is not bottom:
        if isinstance(at.place, Reading):
            if _more(at.place, bans):
                return True
        elif at.place.endless():
            return True
        at = at.below
    return False


def _outcomes(threads: Iterable[Thread], start: int, bans: int, limit: int) -> Iterator[Any]:
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
        if number > limit:
            raise UnsupportedSchemaError(
                f"items have more forms than {limit} to keep apart",
                keyword="uniqueItems",
                hint="leave additionalProperties open, or list the items with enum",
            )
        if isinstance(thread.place, _Bottom):
            value = read(text[start:])
            if value not in given:
                given.add(value)
                yield value
            continue
        if _plenty(thread, None, bans + _passed(thread)):
            yield PLENTY
            continue
        for after in _further(thread, bans):
            key = _same(after, start)
            if key not in tried:
                tried.add(key)
                assert after.text is not None
                length = len(after.text)
                heappush(queue, (length + after.distance, -length, next(order), after))


def _passed(thread: Thread) -> int:
    found, at = 0, thread.below
    while at is not None:
        if isinstance(at.place, Item):
            found += at.place.bans
        elif is_key(at.place):
            found += at.place.taken_keys
        at = at.below
    return found


def _further(thread: Thread, bans: int) -> Iterator[Thread]:
    place, text = thread.place, thread.text
    if not isinstance(place, Reading):
        for byte in place.bytes():
            if byte not in b" \n\r\t" or byte in place.required:
                yield from thread.step(byte)
        return
    for rest in place.terminal.completions(place.state):
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


def _started(node: Node) -> list[Thread]:
    place = Value(node, 0, 0, Whitespace("compact"))
    return [Thread(place, Thread(_Bottom(), None), b"")]


def values_of(node: Node, enough: int) -> frozenset[Any] | None:
    """Give the values of a node, None where there are `enough`.

    Raises:
        UnsupportedSchemaError: For a search past its bound.
    """
    if node.distance >= INFINITE:
        return frozenset()
    found = set[Any]()
    for value in _outcomes(_started(node), 0, enough, _MAX_TRIED):
        found.add(value)
        if value is PLENTY or len(found) >= enough:
            return None
    return frozenset(found)


def shortest(node: Node) -> bytes | None:
    """Give a text of a node that is as short as can be; None where a search by the distances does not find it."""
    order = count(0, -1)  # of equals the one that has come farthest
    queue = [(node.distance, next(order), thread) for thread in _started(node)]
    while queue:
        _, number, thread = heappop(queue)
        text = thread.text
        assert text is not None
        if isinstance(thread.place, _Bottom):
            return text
        if number < -_MAX_TRIED:
            return None
        for byte in sorted(thread.place.bytes(), reverse=True):  # 0 rather than 9
            for after in thread.step(byte):
                heappush(queue, (len(text) + 1 + after.distance, next(order), after))
    return None


def has_value(node: Node, bans: int, accepts: Callable[[Any], bool]) -> bool:
    """Say whether a node has an acceptable value, where at most `bans` are not."""
    return any(value is PLENTY or accepts(value) for value in _outcomes(_started(node), 0, bans, INFINITE))


def has_more(node: Node, number: int) -> bool:
    """Say whether a node has more than a number of values."""
    found = enumerate(_outcomes(_started(node), 0, number, INFINITE), 1)
    return any(value is PLENTY or many > number for many, value in found)


def endless(node: Node) -> bool:
    """Say whether a node has so many values that no text takes them all; False where that is not known."""
    found = node.__dict__.get("endless")
    if found is None:
        node.__dict__["endless"] = False  # a schema that contains itself
        found = node.__dict__["endless"] = node.distance < INFINITE and (
            _holds_itself(node) or any(plan.endless() for plan in node.plans)
        )
    return bool(found)


def some_values(node: Node) -> int:
    """Give a number of values that a node has at least."""
    return max((plan.some_values() for plan in node.plans if plan.least(_distance) < INFINITE), default=0)


def _distance(node: Node) -> int:
    return node.distance


def _holds_itself(node: Node) -> bool:
    """Say whether values of a node can stand in longer ones, whichever they are; False past a bound."""
    pending: list[Node] = [node]
    seen: set[Node] = set()
    while pending and len(seen) < _MANY_NODES:
        for plan in pending.pop().plans:
            for inner in plan.holds():
                if inner.canonical is node.canonical:
                    return True
                if inner.canonical not in seen:
                    seen.add(inner.canonical)
                    pending.append(inner)
    return False


@lru_cache(maxsize=4096)
def many(place: Reading) -> bool:
    """Say whether so many values can still come of a terminal that no text takes them all."""
    plain = place.terminal.plain(place.state)
    if (plain is not None and plain[1] > 2) or place.terminal.endless(place.state):
        return True
    return _count(place, _MANY) >= _MANY


@lru_cache(maxsize=8192)
def _more(place: Reading, bans: int) -> bool:
    terminal, state = place.terminal, place.state
    plain = terminal.plain(state)
    if (plain is not None and plain[1] > 2 and bans < _MANY) or terminal.endless(state):
        return True
    return _count(place, bans + 1) > bans


def _count(place: Reading, limit: int) -> int:
    """Give how many values can still come of a terminal, at most `limit`, or fewer where they are too much to count."""
    try:
        return place.terminal.count(place.state, limit)
    except UnsupportedSchemaError:
        return 0


def _another(place: Reading, text: bytes, bans: int, accepts: Callable[[Any], bool]) -> bool:
    if not bans or _more(place, bans):
        return True
    return any(accepts(read(text + rest)) for rest in place.terminal.completions(place.state))


__all__ = [
    "Item",
    "Undecided",
    "cut",
    "differs_from_unknown",
    "endless",
    "frozen",
    "has_more",
    "has_value",
    "many",
    "possible",
    "settled",
    "shortest",
    "tells_apart",
    "unknown",
    "values_of",
    "watched",
]
