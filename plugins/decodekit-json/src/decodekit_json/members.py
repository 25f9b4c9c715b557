"""Where a thread stands in an object: between its members, in a key, before a value.

What may follow and what it takes to the end is asked of `objects`, which knows nothing of places.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from decodekit_json import ceilings, distinct, keys
from decodekit_json.before import Before, Value
from decodekit_json.machine import (
    AFTER,
    COMMA,
    OPEN,
    Between,
    Outlook,
    Place,
    Reading,
    Thread,
    Threads,
    begin_terminal,
    finished,
    grown,
    reading,
)
from decodekit_json.subsets import bits
from decodekit_json.terminal import INFINITE
from decodekit_json.whitespace import Whitespace

if TYPE_CHECKING:
    from decodekit_json.nodes import Node
    from decodekit_json.objects import ObjectPlan, Progress

    Ways = Sequence[tuple[Before, "ObjectPlace"]]
    """Ways to go on after a key: what stands above, and below."""

_QUOTE, _COLON, _SEPARATOR, _CLOSE = 0x22, 0x3A, 0x2C, 0x7D


class ObjectPlace(Between):
    """Inside an object, between its members."""

    __slots__ = ("plan", "progress")

    def __init__(
        self, plan: ObjectPlan, whitespace: Whitespace, depth: int, stage: int, progress: Progress, gap: int
    ) -> None:
        super().__init__(plan, depth, stage, progress, gap)
        self.plan, self.whitespace, self.depth = plan, whitespace, depth
        self.stage, self.progress, self.gap = stage, progress, gap

    def step(self, thread: Thread, byte: int) -> Threads:
        plan, text = self.plan, grown(thread.text, byte)
        if byte == _QUOTE:
            return () if self.stage == AFTER or self._unfinished else self._key(thread, text)
        if byte == _CLOSE:
            if self.stage == COMMA or not self._closes or not plan.may_close(self.progress):
                return ()
            return finished(thread.below, text)
        if byte == _SEPARATOR:
            if self.stage != AFTER or self.gap:
                return ()
            if distinct.UNKNOWN in self.progress.free and not keys.surely_another(plan, self.progress):
                raise distinct.Undecided
            if not plan.may_continue(self.progress):
                return ()
            return (
                Thread(ObjectPlace(plan, self.whitespace, self.depth, COMMA, self.progress, 0), thread.below, text),
            )
        gap = self.whitespace.step(self.gap, byte, self._level, True)
        if gap < 0 or (not plan.may_close(self.progress) if self.stage == AFTER else self._stays_empty):
            return ()
        return (
            Thread(ObjectPlace(plan, self.whitespace, self.depth, self.stage, self.progress, gap), thread.below, text),
        )

    def settled(self) -> ObjectPlace:
        progress = self.progress.settled()
        return ObjectPlace(self.plan, self.whitespace, self.depth, self.stage, progress, self.gap)

    @property
    def _stays_empty(self) -> bool:
        """Whether there is no member to break a line for, where the line has to have one."""
        return self.whitespace.indent is not None and not self.plan.may_continue(self.progress)

    def _key(self, thread: Thread, text: bytes | None) -> Threads:
        plan, progress = self.plan, self.progress
        found: list[Thread] = []
        mask = plan.open_keys(progress)
        if mask:
            terminal = plan.named.terminal
            start = plan.named.start(mask)
            state = None if start is None else terminal.step(start, _QUOTE)
            if state is not None:
                below = Thread(NamedKey(plan, self.whitespace, self.depth, progress), thread.below)
                found += reading(terminal, state).arrived(below, text)
        for c in plan.open_classes(progress):
            recorded = b'"' if text is None else text
            place = FreeKey(plan, self.whitespace, self.depth, progress, c, len(recorded) - 1)
            found += begin_terminal(c.terminal, _QUOTE, Thread(place, thread.below), recorded)
        return found

    def readings(self, thread: Thread) -> Threads:
        if self.stage == AFTER or self._unfinished:
            return ()
        plan, progress, found = self.plan, self.progress, list[Thread]()
        start = plan.named.start(plan.open_keys(progress))
        if start is not None:
            below = Thread(NamedKey(plan, self.whitespace, self.depth, progress), thread.below)
            found.append(Thread(Reading(plan.named.terminal, start), below, thread.text))
        for c in plan.open_classes(progress):
            recorded = thread.text or b""
            place = FreeKey(plan, self.whitespace, self.depth, progress, c, len(recorded))
            found.append(Thread(Reading(c.terminal, c.terminal.start()), Thread(place, thread.below), recorded))
        return found

    def marks(self) -> Iterable[int]:
        return [byte for byte in self.bytes() if byte != _QUOTE]

    def bytes(self) -> Iterable[int]:
        found = self.whitespace.bytes(self.gap, self._level, True)
        if self.stage == AFTER:
            return (*found, _CLOSE) if self.gap else (*found, _SEPARATOR, _CLOSE)
        return (*found, _QUOTE, _CLOSE)

    @property
    def required(self) -> bytes:
        return self.whitespace.required

    def due(self) -> int:
        decided = bool(self.gap) or self.stage == COMMA or self.plan.may_close(self.progress) == (self.stage == AFTER)
        return self.whitespace.due(self.gap, self._level, True) if decided else -1

    def distance(self) -> int:
        rest = self.plan.costs.remaining(self.progress)
        if self.stage == AFTER:
            return rest + 1
        if self.stage == COMMA or (self.gap and self.whitespace.indent is not None):
            return self.plan.costs.one_more(self.progress) + 1
        return max(rest - 1, 0) + 1

    def ceiling(self) -> int:
        plan, progress = self.plan, self.progress
        if self.stage == COMMA or (self.stage == OPEN and self.gap):
            enough = plan.ceilings
            return enough.widest + enough.after(progress) + enough.around(progress) + 1 + self.whitespace.slack
        return self.distance() + plan.ceilings.excess(progress) + self.whitespace.slack

    def falling(self) -> int:
        if self.stage == COMMA:
            return self.plan.ceilings.falling_for_member(self.progress) + 1
        rest = self.plan.ceilings.falling_after(self.progress)
        return rest + 1 if self.stage == AFTER else max(rest, 1)

    def outlook(self, quoted: Collection[str]) -> Outlook | None:
        if self.whitespace.indent is not None:
            return None
        plan, progress, policy, stage = self.plan, self.progress, self.whitespace.policy, self.stage
        closes = plan.may_close(progress)
        if stage == AFTER:
            own = policy, self.depth, stage, self.gap, closes, plan.may_continue(progress)
            return Outlook(own, True, True)
        if not plan.free_throughout(progress, quoted):
            return None
        if not plan.steady:
            return self._outlook_of_keys()
        known = policy, self.depth, stage, self.gap, closes
        found = plan.outlooks.get(known)
        if found is None:
            found = plan.outlooks[known] = self._outlook_of_keys()
        return found

    def _outlook_of_keys(self) -> Outlook:
        plan, progress, closes = self.plan, self.progress, self.stage != COMMA and self.plan.may_close(self.progress)
        looks = [(c, _behind(plan, self.whitespace, self.depth, progress, c)) for c in plan.open_classes(progress)]
        own = self.whitespace.policy, self.depth, self.stage, self.gap, closes
        key = (*own, *[(c.terminal, look.key) for c, look in looks])
        return Outlook(key, all(look.everywhere for _, look in looks), True)

    def reach(self) -> int:
        return self.plan.ceilings.reach(self.progress)

    def endless(self) -> bool:
        return (self.stage != AFTER or not self.gap) and keys.endless(self.plan, self.progress)


class NamedKey(Place):
    """Below a key of the schema that is being written."""

    curious = True

    __slots__ = ("depth", "plan", "progress", "ways", "whitespace")

    def __init__(self, plan: ObjectPlan, whitespace: Whitespace, depth: int, progress: Progress) -> None:
        super().__init__(plan, depth, progress)
        self.plan, self.whitespace, self.depth, self.progress = plan, whitespace, depth, progress
        self.ways: dict[int, Ways] = {}

    def step(self, thread: Thread, byte: int) -> Threads:
        raise NotImplementedError("a key is being written above")

    def bytes(self) -> Iterable[int]:
        return ()

    def distance(self) -> int:
        raise NotImplementedError("depends on the key above")

    def distance_below(self, inner: Place) -> int:
        assert isinstance(inner, Reading)
        plan, named = self.plan, self.plan.named
        places = named.places
        return named.terminal.nearest(inner.state, lambda number: plan.costs.behind(self.progress, places[number]))

    def only_way(self, thread: Thread, inner: Reading) -> tuple[bytes, Threads] | None:
        """Give what is left of the key above, and the threads behind it; None where it may become several."""
        rest = self.plan.named.terminal.only_rest(inner.state)
        return None if rest is None else (rest, _threads(self._ways(next(self.written(inner))), thread.below, None))

    def written(self, inner: Reading) -> Iterator[int]:
        """Give the keys that the one above may become."""
        places = self.plan.named.places
        return (places[number] for number in bits(inner.state[1]))

    def ceiling(self) -> int:
        enough = self.plan.ceilings
        return enough.widest + enough.after(self.progress) + 2 + self.whitespace.slack

    def falling_below(self, inner: Place) -> int:
        assert isinstance(inner, Reading)
        plan, found = self.plan, INFINITE
        for index, rest in zip(self.written(inner), plan.named.terminal.completions(inner.state), strict=True):
            for node, after in plan.going_on(self.progress, index):
                found = min(found, len(rest) + 2 + ceilings.enough(node) + plan.ceilings.falling_after(after))
        return found

    def settled(self) -> NamedKey:
        return NamedKey(self.plan, self.whitespace, self.depth, self.progress.settled())

    def outcomes(self, thread: Thread) -> Threads:
        plan = self.plan
        every = [way for i in bits(plan.open_keys(self.progress)) for way in self._ways(i)]
        return _threads(every, thread.below, None)

    def resume(self, thread: Thread, inner: Place | None) -> Threads:
        assert isinstance(inner, Reading)
        return _threads(self._ways(self.plan.named.read(inner.state)), thread.below, thread.text)

    def _ways(self, index: int) -> Ways:
        found = self.ways.get(index)
        if found is None:
            found = self.ways[index] = _ways(self, self.plan.going_on(self.progress, index))
        return found


class FreeKey(Place):
    """Below a key without a name in the schema that is being written."""

    curious = True
    telling = True

    __slots__ = ("_names", "depth", "key_class", "plan", "progress", "start", "ways", "whitespace")

    def __init__(
        self,
        plan: ObjectPlan,
        whitespace: Whitespace,
        depth: int,
        progress: Progress,
        key_class: keys.KeyClass,
        start: int,
    ) -> None:
        super().__init__(plan, depth, progress, key_class, start)
        self.plan, self.whitespace, self.depth = plan, whitespace, depth
        self.progress, self.key_class, self.start = progress, key_class, start
        self.ways: dict[str, Ways] = {}
        self._names: list[frozenset[str]] | None = None

    def step(self, thread: Thread, byte: int) -> Threads:
        raise NotImplementedError("a key is being written above")

    def bytes(self) -> Iterable[int]:
        return ()

    def distance(self) -> int:
        going_on = self.plan.going_on_free(self.progress, self.key_class, distinct.UNKNOWN)
        return min((2 + node.distance + self.plan.costs.remaining(after) for node, after in going_on), default=INFINITE)

    def ceiling(self) -> int:
        enough, progress = self.plan.ceilings, self.progress
        return enough.widest + enough.after(progress) + enough.around(progress) + 2 + self.whitespace.slack

    def falling(self) -> int:
        going_on = self.plan.going_on_free(self.progress, self.key_class, distinct.ANOTHER)
        ways = (ceilings.enough(node) + self.plan.ceilings.falling_after(after) for node, after in going_on)
        return min(ways, default=INFINITE) + 2

    def outlook(self, quoted: Collection[str]) -> Outlook | None:
        if self.whitespace.indent is not None or self.start or distinct.UNKNOWN in self.progress.free:
            return None
        return _behind(self.plan, self.whitespace, self.depth, self.progress, self.key_class)

    def reach(self) -> int:
        return self.plan.ceilings.reach(self.progress)

    def covers(self, other: Place) -> bool:
        """Say whether all keys that may come of another place are such as this one has, but for being taken."""
        plan = self.plan
        if not isinstance(other, NamedKey) or other.plan is not plan or other.progress != self.progress:
            return False
        return len(plan.named.in_class(self.key_class)) == len(plan.names)

    def taken(self, key: str) -> bool:
        """Say whether a key is one that may not come here."""
        return key in self.plan.place_of or key in self.progress.free

    def accepts(self, key: str) -> bool:
        """Say whether a key may come.

        Raises:
            Undecided: Where one is taken of which it is not known which it is.
        """
        if distinct.UNKNOWN in self.progress.free:
            raise distinct.Undecided
        return not self.taken(key)

    @property
    def taken_keys(self) -> int:
        """Give how many keys may not come here."""
        return len(self.plan.names) + len(self.progress.free)

    @property
    def taken_names(self) -> list[frozenset[str]]:
        """Give the keys that may not come here."""
        if self._names is None:
            self._names = [names for names in (self.plan.named.in_class(self.key_class), self.progress.free) if names]
        return self._names

    def resume(self, thread: Thread, inner: Place | None) -> Threads:
        if thread.text is None:  # it was found not to matter
            return self.unknown(thread, distinct.UNKNOWN)
        if distinct.UNKNOWN in self.progress.free:
            raise distinct.Undecided
        key = json.loads(thread.text[self.start :])
        if self.taken(key):
            return ()
        return _threads(self._made(key), thread.below, thread.text if self.start else None)

    def settled(self) -> FreeKey:
        progress = self.progress.settled()
        return FreeKey(self.plan, self.whitespace, self.depth, progress, self.key_class, self.start)

    def is_taken(self, text: bytes) -> bool:
        return self.taken(json.loads(text))

    def outcomes(self, thread: Thread) -> Threads:
        return self.unknown(thread, distinct.UNKNOWN)

    def unknown(self, thread: Thread, value: str) -> Threads:
        if distinct.UNKNOWN in self.progress.free:
            raise distinct.Undecided
        return _threads(self._ways(value), thread.below, None)

    def _ways(self, value: str) -> Ways:
        """Give the ways to go on after a key that is not known; kept, as those after one that is are not."""
        found = self.ways.get(value)
        if found is None:
            found = self.ways[value] = self._made(value)
        return found

    def _made(self, key: str) -> Ways:
        return _ways(self, self.plan.going_on_free(self.progress, self.key_class, key))

    def taken_texts(self) -> frozenset[bytes] | None:
        if self.start:
            return None
        if distinct.UNKNOWN in self.progress.free:
            return None
        return self.plan.named.texts | distinct.texts_of(self.progress.free)


def _ways(place: NamedKey | FreeKey, going_on: Iterable[tuple[Node, Progress]]) -> Ways:
    whitespace, depth = place.whitespace, place.depth
    return [
        (node.before(Colon, whitespace, depth), ObjectPlace(place.plan, whitespace, depth, AFTER, after, 0))
        for node, after in going_on
    ]


def _behind(plan: ObjectPlan, whitespace: Whitespace, depth: int, progress: Progress, c: keys.KeyClass) -> Outlook:
    """Say what tokens can tell of what comes behind a further key that has no name, whichever it is."""
    if not plan.steady:
        return _look_behind(plan, whitespace, depth, progress, c)
    known = (c, whitespace.policy, depth, plan.may_close(progress))
    found = plan.looks_behind.get(known)
    if found is None:
        found = plan.looks_behind[known] = _look_behind(plan, whitespace, depth, progress, c)
    return found


def _look_behind(plan: ObjectPlan, whitespace: Whitespace, depth: int, progress: Progress, c: keys.KeyClass) -> Outlook:
    key, everywhere = list[Hashable](), True
    for node, after in plan.going_on_free(progress, c, distinct.UNKNOWN):
        for place in (node.before(Colon, whitespace, depth), ObjectPlace(plan, whitespace, depth, AFTER, after, 0)):
            look = place.outlook(())
            key.append(place if look is None else look.key)
            everywhere = everywhere and look is not None and look.everywhere
    return Outlook(tuple(key), everywhere, True)


def _threads(ways: Ways, below: Thread | None, text: bytes | None) -> Threads:
    return [Thread(colon, Thread(after, below), text) for colon, after in ways]


class Colon(Before):
    """Between a key and its value."""

    __slots__ = ()

    def step(self, thread: Thread, byte: int) -> Threads:
        if byte != _COLON:
            return ()
        value = self.node.before(Value, self.whitespace, self.depth)
        return (Thread(value, thread.below, grown(thread.text, byte)),)

    def bytes(self) -> Iterable[int]:
        return (_COLON,)

    def distance(self) -> int:
        return 1 + self.node.distance

    def ceiling(self) -> int:
        return 1 + self.enough

    def outlook(self, quoted: Collection[str]) -> Outlook | None:
        look = self.node.outlook(self.whitespace, self.depth)
        return None if look is None else look.within("colon", self.whitespace.policy)


__all__ = ["Colon", "FreeKey", "NamedKey", "ObjectPlace"]
