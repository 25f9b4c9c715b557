"""Objects: which keys may follow, what their values must satisfy, and when the object may end.

Keys that the schema names are fixed texts; other keys are free strings, told apart by the patterns that they match.
What has been written is a small value, `Progress`; what no longer matters is left out of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from decodekit_json import ceilings, distinct, keys, keywords
from decodekit_json.caching import Limited
from decodekit_json.fixed import FixedTerminal, fixed_strings
from decodekit_json.groups import NOTHING, ObjectGroup, Some
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
    Value,
    begin_terminal,
    finished,
    grown,
)
from decodekit_json.nodes import node_distance
from decodekit_json.obligations import Obligations
from decodekit_json.subsets import bits
from decodekit_json.terminal import INFINITE, TerminalState
from decodekit_json.whitespace import Whitespace

if TYPE_CHECKING:
    from decodekit_json.nodes import Distances, Node, Nodes

    Ways = Sequence[tuple["Colon", "ObjectPlace"]]
    """Ways to go on after a key: what stands above, and below."""

_QUOTE, _COLON, _SEPARATOR, _CLOSE = 0x22, 0x3A, 0x2C, 0x7D
_NO_KEYS: frozenset[str] = frozenset()
_KEPT = 2_000
"""Progresses of which is kept what may follow."""


class Progress(NamedTuple):
    """What an object has so far.

    Attributes:
        seen: The schema's keys that are written or, in the schema's order, passed over, as bits.
        written: Those of them that are written, where others depend on that.
        members: How many there are, where a limit counts them.
        owed: The obligations (`some`) that are still open, as bits.
        free: The other keys.
    """

    seen: int = 0
    written: int = 0
    members: int = 0
    owed: int = 0
    free: frozenset[str] = frozenset()

    def settled(self) -> Progress:
        """Give the same with a key that is not known counting as different from all others."""
        return self._replace(free=distinct.settled_values(self.free))


class ObjectPlan:
    """The way to write the objects of one group.

    Args:
        nodes: All nodes of the schema.
        group: What must hold.
    """

    def __init__(self, nodes: Nodes, group: ObjectGroup) -> None:
        self.nodes, self.group = nodes, group
        self.names = group.names
        self.place_of = {name: i for i, name in enumerate(self.names)}
        self.required = self._mask(group.required)
        self.before = [0] * len(self.names) if nodes.any_order else self._before()
        self.dependent = [(self.place_of[key], self._mask(needed)) for key, needed in group.dependent]
        self.tied = sum({1 << i for i, _ in self.dependent})
        for _, others in self.dependent:
            self.tied |= others
        self.counted = group.low > 0 or group.high is not None
        some = group.some
        if self.dependent and (some or group.low > len(group.required)):
            some += tuple(Some(named=((other, NOTHING),), absent=frozenset([key])) for key, other in _tied(group))
            self.dependent, self.tied = [], 0
        self.owing = Obligations(self, some)
        self.simple = not (self.counted or some or self.dependent)
        self._rest: dict[tuple[int, int, int, int, frozenset[str]], int] = Limited(_KEPT)
        self._costs: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._prices: dict[Distances, list[tuple[int, int]]] = {}
        self._names_in: dict[keys.KeyClass, frozenset[str]] = {}
        self._children: dict[int, Node] = {}
        self._open: dict[tuple[int, int, int, int], int] = Limited(_KEPT)
        self._open_classes: dict[tuple[int, int, int, int, frozenset[str]], tuple[keys.KeyClass, ...]] = Limited(_KEPT)
        self._starts: dict[int, TerminalState | None] = {}

    def _before(self) -> list[int]:
        """Give, for each named key, those that come before it.

        Keys come in the order of the schema that names them; those of several schemas may mix, and required keys may
        come before optional ones.
        """
        found, placed = [0] * len(self.names), set[str]()
        for rule in self.group.rules:
            passed = 0
            for name, _ in rule.names:
                if name not in placed:
                    placed.add(name)
                    place = self.place_of[name]
                    found[place] = passed & self.required if self.required >> place & 1 else passed
                    passed |= 1 << place
        return found

    def _mask(self, names: Iterable[str]) -> int:
        found = 0
        for name in names:
            found |= 1 << self.place_of[name]
        return found

    @cached_property
    def start(self) -> Progress:
        """Give the progress of an empty object."""
        return Progress(owed=self.owing.all)

    def child(self, index: int) -> Node:
        """Give what the value of a named key must satisfy, whatever is owed."""
        found = self._children.get(index)
        if found is None:
            found = self._children[index] = self.nodes.node(keywords.value_of(self.group, self.names[index]))
        return found

    @cached_property
    def names_terminal(self) -> FixedTerminal:
        """Give the terminal of the schema's keys."""
        return fixed_strings(self.names)

    def names_in(self, c: keys.KeyClass) -> frozenset[str]:
        """Give the schema's keys that are texts of a kind of other keys."""
        found = self._names_in.get(c)
        if found is None:
            found = self._names_in[c] = frozenset(name for name in self.names if c.has(name))
        return found

    @cached_property
    def name_texts(self) -> frozenset[bytes]:
        """Give the schema's keys as JSON texts without escapes."""
        return frozenset(b'"%b"' % name.encode("utf-8", "replace") for name in self.names)

    def start_of(self, mask: int) -> TerminalState | None:
        """Give the state before one of some named keys."""
        found = self._starts.get(mask)
        if found is None:
            numbers = self.names_terminal.numbers
            members = sum(1 << numbers[self.names[i]] for i in bits(mask) if self.names[i] in numbers)
            found = self._starts[mask] = self.names_terminal.start_with(members)
        return found

    def index_of(self, state: TerminalState) -> int:
        """Give the named key that a state of the terminal has read."""
        number = self.names_terminal.which(state)
        assert number is not None
        return self.place_of[self.names_terminal.members[number]]

    @cached_property
    def classes(self) -> tuple[keys.KeyClass, ...]:
        """Give the kinds of keys that have no name here."""
        return tuple(keys.classes_of(self.nodes, self.group))

    def mandatory(self) -> Iterable[Node]:
        """Give the nodes on which the fewest bytes of such an object depend."""
        needed = self._needed(self.start)
        everything = self._everything
        for i in range(len(self.names)) if everything else bits(needed):
            yield from self._choices(i)
        if everything:
            for c in self.classes:
                yield from self._choices(c)

    def _choices(self, key: int | keys.KeyClass) -> list[Node]:
        return [node for node, _ in self.owing.choices(key, self.owing.all)]

    @cached_property
    def _everything(self) -> bool:
        """Say whether the fewest bytes depend on more than the needed members."""
        return self.group.low > self._needed(self.start).bit_count() or bool(self.owing.all)

    def prices(self, distance_of: Distances) -> list[tuple[int, int]]:
        """Give what members cost, the cheapest first, and as bits the named keys that cost so much.

        Only those of keys on which the fewest bytes of such an object depend.
        """
        if distance_of in self._prices:
            return self._prices[distance_of]
        found: dict[int, int] = {}
        for i in range(len(self.names)) if self._everything else bits(self._needed(self.start)):
            cost = self.cost(i, distance_of(self.child(i)))
            if cost < INFINITE:
                found[cost] = found.get(cost, 0) | 1 << i
        prices = sorted(found.items())
        if distance_of in (node_distance, ceilings.enough):  # others change
            self._prices[distance_of] = prices
        return prices

    def inside(self) -> Iterator[Node]:
        """Give the nodes of all values that such an object may have; what cannot be counted is refused."""
        for i in range(len(self.names)):
            if self.permitted(i):
                yield from self.owing.nodes(i)
        for c in self.classes:
            keys.has_another(self, c, self.start)
            yield from self.owing.nodes(c)

    def least(self, distance_of: Distances) -> int:
        """Give the fewest bytes of such an object."""
        rest = self._remaining(self.start, distance_of, {})
        return INFINITE if rest >= INFINITE else 2 + max(rest - 1, 0)

    def remaining(self, progress: Progress) -> int:
        """Give the fewest bytes of the members that must still come, each with a comma; `INFINITE` where they cannot.

        Fewer, where other keys must come and the shortest are taken.
        """
        if self.simple:
            key = (self.required & ~progress.seen, 0, 0, 0, _NO_KEYS)
        else:
            free = progress.free if self.counted or self.owing.all else _NO_KEYS
            key = (progress.seen, progress.written, progress.members, progress.owed, free)
        found = self._rest.get(key)
        if found is None:
            found = self._rest[key] = self._remaining(progress, node_distance, self._costs)
        return found

    def enough(self, enough_of: Distances) -> int:
        """Give a number of bytes that is enough for such an object, keys and what is inside that must differ included.

        What that is of its members is asked of `enough_of`.
        """
        least = self.least(enough_of)
        return least if least >= INFINITE else least + self._spare(self.start)

    def enough_after(self, progress: Progress) -> int:
        """Give a number of bytes that is enough for the members that must still come, whatever keys are taken."""
        return self.remaining(progress) + self.excess(progress)

    @cached_property
    def enough_at_first(self) -> int:
        """Give that number for an empty object."""
        return self.enough_after(self.start)

    def excess(self, progress: Progress) -> int:
        """Give how many more than the fewest those are."""
        members = self._needed(progress).bit_count() + self._further(progress)
        return members * self._excess + self._spare(progress)

    def _further(self, progress: Progress) -> int:
        """Give how many members that have no name may have to come."""
        missing = max(self.group.low - progress.members - self._needed(progress).bit_count(), 0)
        return missing + progress.owed.bit_count()

    def _spare(self, progress: Progress) -> int:
        """Give how many bytes more than the fewest are enough for their keys, because others are taken."""
        further = self._further(progress)
        return further and further * self.around(progress, further)

    @cached_property
    def _excess(self) -> int:
        every = (self.child(i) for i in range(len(self.names)))
        return ceilings.excess(every if self.dependent else self.mandatory())

    def around(self, progress: Progress, missing: int = 1) -> int:
        """Give how many bytes more are enough for each of some further keys, because others are taken."""
        few = len(self.names) + len(progress.free) + missing <= ceilings.MOST
        return self._around if few or all(c.free for c in self.classes) else distinct.FAR

    @cached_property
    def _around(self) -> int:
        return max((c.around for c in self.classes), default=0)

    def some_values(self) -> int:
        """Give a number of such objects that there are at least: with each key that they may have or not."""
        if not self.simple:
            return 1
        open_keys = [i for i in bits(self.open_keys(self.start) & ~self.required) if self.child(i).readings]
        return 1 + sum(1 for i in open_keys if any(True for _ in self.going_on(self.start, i)))

    def _needed(self, progress: Progress) -> int:
        """Give the named keys that must still come: the required ones, and what the written ones depend on."""
        needed = self.required & ~progress.seen
        if not self.dependent:
            return needed
        there = progress.written | (self.required & progress.seen)
        before = -1
        while needed != before:
            before = needed
            for index, others in self.dependent:
                if (needed | there) >> index & 1:
                    needed |= others & ~there
        return needed

    def _remaining(self, progress: Progress, distance_of: Distances, costs: dict[int, int]) -> int:
        needed = self._needed(progress)
        if needed & progress.seen:
            return INFINITE  # the schema's order has left it behind
        if progress.owed:
            return self.owing.cheapest(progress, needed, distance_of)
        if self.group.low:
            return keys.cheapest(self, progress, needed, distance_of)
        total, most = 0, self.group.high
        if most is not None and progress.members + needed.bit_count() > most:
            return INFINITE
        for i in bits(needed):
            if i not in costs:
                costs[i] = self.cost(i, distance_of(self.child(i)))
            total += costs[i]
        return min(total, INFINITE)

    def cost(self, index: int, value: int) -> int:
        """Give the bytes of a member with a value of so many bytes, with its comma."""
        if value >= INFINITE or not self.permitted(index):
            return INFINITE
        size = self._sizes.get(index)
        if size is None:
            size = self._sizes[index] = len(json.dumps(self.names[index], ensure_ascii=False).encode()) + 2
        return size + value

    def permitted(self, index: int) -> bool:
        """Say whether `propertyNames` allows a named key."""
        return not self.group.keys or keys.satisfies(self.nodes, self.group.keys, self.names[index])

    def open_keys(self, progress: Progress) -> int:
        """Give the named keys that may come next, as bits."""
        key = (progress.seen, progress.written, progress.members, progress.owed)
        found = self._open.get(key)
        if found is None:
            needed = self._needed(progress)
            found = self._possible & ~progress.seen
            if needed:
                found = sum(1 << i for i in bits(found) if not needed & self.before[i])
            if self.owing.all or self.dependent:
                found = sum(1 << i for i in bits(found) if self._may_come(progress, i))
            elif self.counted:
                found = self._countable(progress, needed, found)
            self._open[key] = found
        return found

    @cached_property
    def _possible(self) -> int:
        """Give the named keys that may come at all, as bits."""
        return sum(1 << i for i in range(len(self.names)) if self._alive(i))

    @cached_property
    def _every_key(self) -> int:
        return (1 << len(self.names)) - 1

    def _alive(self, index: int) -> bool:
        return self.permitted(index) and self.child(index).distance < INFINITE

    def _may_come(self, progress: Progress, index: int) -> bool:
        return any(True for _ in self.going_on(progress, index))

    def _countable(self, progress: Progress, needed: int, open_keys: int) -> int:
        """Leave out the keys after which the needed ones and `minProperties` do not fit; for counts alone."""
        count, low, high = progress.members + 1, self.group.low, self.group.high
        if high is not None and count + needed.bit_count() > high:
            open_keys &= needed if count + needed.bit_count() == high + 1 else 0
        missing = low - count
        missing -= keys.others(self, progress, missing) if missing > 0 else 0
        if missing <= 0:
            return open_keys
        left = self._possible & ~progress.seen
        return sum(1 << i for i in bits(open_keys) if (left & ~(self.before[i] | 1 << i)).bit_count() >= missing)

    def going_on(self, progress: Progress, index: int) -> Iterator[tuple[Node, Progress]]:
        """Give the ways to go on after a named key: its value, and the progress after it."""
        seen = progress.seen | self.before[index] | 1 << index
        written = progress.written | (1 << index & self.tied)
        owed = progress.owed & ~self.owing.without(self.before[index] & ~progress.seen)
        for node, fulfilled in self.owing.ways(index, owed):
            after = Progress(seen, written, self._counted(progress), owed & ~fulfilled, progress.free)
            if self.remaining(after) < INFINITE:
                yield node.canonical, after

    def going_on_free(self, progress: Progress, c: keys.KeyClass, key: str) -> Iterator[tuple[Node, Progress]]:
        """Give the ways to go on after another key."""
        free = progress.free | {key}
        for node, fulfilled in self.owing.ways(c, progress.owed):
            after = Progress(progress.seen, progress.written, self._counted(progress), progress.owed & ~fulfilled, free)
            if self.remaining(after) < INFINITE:
                yield node.canonical, after

    def value_of(self, c: keys.KeyClass) -> Node:
        """Give what the value of another key must satisfy, whatever is owed."""
        return self.nodes.node(c.literals)

    def _counted(self, progress: Progress) -> int:
        if not self.counted:
            return 0
        return min(progress.members + 1, (self.group.low if self.group.high is None else self.group.high) + 1)

    def may_close(self, progress: Progress) -> bool:
        """Say whether the object may end."""
        return self.remaining(progress) == 0

    def may_continue(self, progress: Progress) -> bool:
        """Say whether a further member may come; looks at no more values than it has to."""
        if self.open_classes(progress):
            return True
        if not self.simple:
            return bool(self.open_keys(progress))
        return bool(self._needed(progress)) or any(map(self._alive, bits(self._every_key & ~progress.seen)))

    def open_classes(self, progress: Progress) -> tuple[keys.KeyClass, ...]:
        """Give the kinds of other keys that may come next."""
        if self.simple and self._endless_classes:
            return self._always_open
        key = (progress.seen, progress.written, progress.members, progress.owed, progress.free)
        found = self._open_classes.get(key)
        if found is None:
            found = self._open_classes[key] = self._classes_after(progress)
        return found

    @cached_property
    def _always_open(self) -> tuple[keys.KeyClass, ...]:
        """Give the kinds of other keys that may come wherever a member may: where nothing is counted or owed."""
        return self._classes_after(self.start)

    def _classes_after(self, progress: Progress) -> tuple[keys.KeyClass, ...]:
        return tuple(
            c
            for c in self.classes
            if any(True for _ in self.going_on_free(progress, c, "\0")) and keys.has_another(self, c, progress)
        )

    def free_throughout(self, progress: Progress, quoted: Collection[str]) -> bool:
        """Say whether any text may come as a key, and no token writes one whole for which it is another matter."""
        classes = self.open_classes(progress)
        if not classes or not all(c.free for c in classes):
            return False
        if sum(len(self.names_in(c)) for c in classes) < len(self.names):
            return False
        return not any(key in quoted for key in (*self.names, *progress.free))

    @cached_property
    def _endless_classes(self) -> bool:
        return all(c.endless for c in self.classes)

    def member(self, progress: Progress) -> int:
        """Give the fewest bytes of one more member and of what must come after it, without its comma."""
        found = INFINITE
        if not self.owing.all and not self.dependent:
            rest = self.remaining(progress)
            if rest:
                return rest - 1  # the first of a cheapest way
        for i in bits(self.open_keys(progress)):
            for node, after in self.going_on(progress, i):
                found = min(found, self.cost(i, node.distance) - 1 + self.remaining(after))
        for c in self.open_classes(progress):
            for node, after in self.going_on_free(progress, c, "\0"):
                found = min(found, c.distance + 1 + node.distance + self.remaining(after))
        return found

    def falling_after(self, progress: Progress) -> int:
        """Give a number of bytes that is enough for the members that must still come, and falls with each of them."""
        return self._remaining(progress, ceilings.enough, {}) + self._spare(progress)

    def falling_for_member(self, progress: Progress) -> int:
        """Give a number of bytes that is enough for one more member and what must come after it, without its comma."""
        found = INFINITE
        for i in bits(self.open_keys(progress)):
            for node, after in self.going_on(progress, i):
                found = min(found, self.cost(i, ceilings.enough(node)) - 1 + self.falling_after(after))
        for c in self.open_classes(progress):
            for node, after in self.going_on_free(progress, c, distinct.ANOTHER):
                value = ceilings.enough(node) + self.falling_after(after)
                found = min(found, c.distance + 1 + value + self.around(progress))
        return found

    @cached_property
    def widest(self) -> int:
        """Give the most bytes that one more member, and what it depends on, takes at least."""
        costs = [self.cost(i, ceilings.enough(self.child(i))) for i in range(len(self.names))]
        costs += [c.distance + 2 + ceilings.enough(self.value_of(c)) for c in self.classes]
        finite = [cost for cost in costs if cost < INFINITE]
        tied = sum(costs[i] for i in bits(self.tied) if costs[i] < INFINITE)
        return max(finite, default=0) * (1 + self.group.low + len(self.owing.some)) + tied

    def open_ended(self) -> bool:
        """Say whether a further member with another key may always come."""
        if self.group.high is not None or self.dependent or self.owing.all:
            return False
        return any(c.endless for c in self.open_classes(self.start))

    def holds(self) -> Iterator[Node]:
        """Give the nodes any value of which may be a member."""
        for i in bits(self.open_keys(self.start)):
            for node, _ in self.going_on(self.start, i):
                yield node
        for c in self.open_classes(self.start):
            for node, _ in self.going_on_free(self.start, c, "\0"):
                yield node

    def endless(self) -> bool:
        """Say whether there are more such objects than any text has; False where that is not known."""
        return keys.endless(self, self.start)

    def outlook(self, whitespace: Whitespace, depth: int, above: tuple[Node, ...]) -> Outlook | None:
        """Say what tokens can tell of such objects, read from the opening bracket on; see `Outlook.foresees`."""
        start = self.start
        return Outlook(("object", whitespace, depth, self.may_close(start), self.may_continue(start)), True, True)

    def reach(self, above: tuple[Node, ...]) -> int:
        """Give a number of bytes that is enough from wherever one token leads in such an object, values not counted."""
        return _reach(self, self.start)

    def begin(self, byte: int, depth: int, below: Thread | None, text: bytes | None, whitespace: Whitespace) -> Threads:
        """Give the threads after the opening bracket."""
        return (Thread(ObjectPlace(self, whitespace, depth + 1, OPEN, self.start, 0), below, text),)


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
            if self.stage != AFTER or self.gap or not plan.may_continue(self.progress):
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
            terminal = plan.names_terminal
            start = plan.start_of(mask)
            state = None if start is None else terminal.step(start, _QUOTE)
            if state is not None:
                below = Thread(NamedKey(plan, self.whitespace, self.depth, progress), thread.below)
                found += Reading(terminal, state).reached(state, below, text)
        for c in plan.open_classes(progress):
            recorded = b'"' if text is None else text
            place = FreeKey(plan, self.whitespace, self.depth, progress, c, len(recorded) - 1)
            found += begin_terminal(c.terminal, _QUOTE, Thread(place, thread.below), recorded)
        return found

    def readings(self, thread: Thread) -> Threads:
        if self.stage == AFTER or self._unfinished:
            return ()
        plan, progress, found = self.plan, self.progress, list[Thread]()
        start = plan.start_of(plan.open_keys(progress))
        if start is not None:
            below = Thread(NamedKey(plan, self.whitespace, self.depth, progress), thread.below)
            found.append(Thread(Reading(plan.names_terminal, start), below, thread.text))
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
        rest = self.plan.remaining(self.progress)
        if self.stage == AFTER:
            return rest + 1
        if self.stage == COMMA or (self.gap and self.whitespace.indent is not None):
            return self.plan.member(self.progress) + 1
        return max(rest - 1, 0) + 1

    def ceiling(self) -> int:
        plan, progress = self.plan, self.progress
        if self.stage == COMMA or (self.stage == OPEN and self.gap):
            return plan.widest + plan.enough_after(progress) + plan.around(progress) + 1 + self.whitespace.slack
        return self.distance() + plan.excess(progress) + self.whitespace.slack

    def falling(self) -> int:
        if self.stage == COMMA:
            return self.plan.falling_for_member(self.progress) + 1
        rest = self.plan.falling_after(self.progress)
        return rest + 1 if self.stage == AFTER else max(rest, 1)

    def outlook(self, quoted: Collection[str]) -> Outlook | None:
        if self.whitespace.indent is not None:
            return None
        plan, progress = self.plan, self.progress
        own = self.whitespace, self.depth, self.stage, self.gap, self.stage != COMMA and plan.may_close(progress)
        if self.stage == AFTER:
            return Outlook((*own, plan.may_continue(progress)), True, True)
        if not plan.free_throughout(progress, quoted):
            return None
        classes = plan.open_classes(progress)
        places = [FreeKey(plan, self.whitespace, self.depth, progress, c, 0) for c in classes]
        looks = [place.outlook(quoted) for place in places]
        known = [look for look in looks if look is not None]
        if len(known) < len(places):
            return None
        key = (*own, *[(c.terminal, look.key) for c, look in zip(classes, known, strict=True)])
        return Outlook(key, all(look.everywhere for look in known), True)

    def reach(self) -> int:
        return _reach(self.plan, self.progress)

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
        plan, terminal, found = self.plan, self.plan.names_terminal, INFINITE
        for index, rest in zip(self.written(inner), terminal.completions(inner.state), strict=True):
            for node, after in plan.going_on(self.progress, index):
                found = min(found, len(rest) + 2 + node.distance + plan.remaining(after))
        return found

    def written(self, inner: Reading) -> Iterator[int]:
        """Give the keys that the one above may become."""
        plan, members = self.plan, self.plan.names_terminal.members
        return (plan.place_of[members[number]] for number in bits(inner.state[1]))

    def ceiling(self) -> int:
        return self.plan.widest + self.plan.enough_after(self.progress) + 2 + self.whitespace.slack

    def falling_below(self, inner: Place) -> int:
        assert isinstance(inner, Reading)
        plan, terminal, found = self.plan, self.plan.names_terminal, INFINITE
        for number, rest in zip(bits(inner.state[1]), terminal.completions(inner.state), strict=True):
            for node, after in plan.going_on(self.progress, plan.place_of[terminal.members[number]]):
                found = min(found, len(rest) + 2 + ceilings.enough(node) + plan.falling_after(after))
        return found

    def settled(self) -> NamedKey:
        return NamedKey(self.plan, self.whitespace, self.depth, self.progress.settled())

    def outcomes(self, thread: Thread) -> Threads:
        plan = self.plan
        every = [way for i in bits(plan.open_keys(self.progress)) for way in self._ways(i)]
        return _threads(every, thread.below, None)

    def resume(self, thread: Thread, inner: Place | None) -> Threads:
        assert isinstance(inner, Reading)
        return _threads(self._ways(self.plan.index_of(inner.state)), thread.below, thread.text)

    def _ways(self, index: int) -> Ways:
        found = self.ways.get(index)
        if found is None:
            found = self.ways[index] = _ways(self, self.plan.going_on(self.progress, index))
        return found


class FreeKey(Place):
    """Below a key without a name in the schema that is being written."""

    curious = True

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
        return min((2 + node.distance + self.plan.remaining(after) for node, after in going_on), default=INFINITE)

    def ceiling(self) -> int:
        plan, progress = self.plan, self.progress
        return plan.widest + plan.enough_after(progress) + plan.around(progress) + 2 + self.whitespace.slack

    def falling(self) -> int:
        going_on = self.plan.going_on_free(self.progress, self.key_class, distinct.ANOTHER)
        ways = (ceilings.enough(node) + self.plan.falling_after(after) for node, after in going_on)
        return min(ways, default=INFINITE) + 2

    def outlook(self, quoted: Collection[str]) -> Outlook | None:
        if self.whitespace.indent is not None or self.start or distinct.UNKNOWN in self.progress.free:
            return None
        key, everywhere = list[Hashable](), True
        for colon, after in self._ways(distinct.UNKNOWN):
            for place in (colon, after):
                look = place.outlook(quoted)
                key.append(place if look is None else look.key)
                everywhere = everywhere and look is not None and look.everywhere
        return Outlook(tuple(key), everywhere, True)

    def reach(self) -> int:
        return _reach(self.plan, self.progress)

    def covers(self, other: Place) -> bool:
        """Say whether all keys that may come of another place are such as this one has, but for being taken."""
        plan = self.plan
        if not isinstance(other, NamedKey) or other.plan is not plan or other.progress != self.progress:
            return False
        return len(plan.names_in(self.key_class)) == len(plan.names)

    def taken(self, key: str) -> bool:
        """Say whether a key is one that may not come here."""
        return key in self.plan.place_of or key in self.progress.free

    @property
    def taken_keys(self) -> int:
        """Give how many keys may not come here."""
        return len(self.plan.names) + len(self.progress.free)

    @property
    def taken_names(self) -> list[frozenset[str]]:
        """Give the keys that may not come here."""
        if self._names is None:
            self._names = [names for names in (self.plan.names_in(self.key_class), self.progress.free) if names]
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
        return self.plan.name_texts | {b'"%b"' % key.encode() for key in self.progress.free}


def _tied(group: ObjectGroup) -> Iterator[tuple[str, str]]:
    """Give the keys that need another one, with that."""
    for key, needed in sorted(group.dependent, key=repr):
        yield from ((key, other) for other in sorted(needed - {key}))


def _reach(plan: ObjectPlan, progress: Progress) -> int:
    """Give a number of bytes that is enough from wherever one token leads in an object, values not counted."""
    rest = plan.enough_at_first if plan.simple else plan.enough_after(progress)  # falls with each member
    return 3 * plan.widest + rest + plan.around(progress) + 2


def _ways(place: NamedKey | FreeKey, going_on: Iterable[tuple[Node, Progress]]) -> Ways:
    whitespace, depth = place.whitespace, place.depth
    return [
        (Colon(node, whitespace, depth), ObjectPlace(place.plan, whitespace, depth, AFTER, after, 0))
        for node, after in going_on
    ]


def _threads(ways: Ways, below: Thread | None, text: bytes | None) -> Threads:
    return [Thread(colon, Thread(after, below), text) for colon, after in ways]


class Colon(Place):
    """Between a key and its value."""

    __slots__ = ("depth", "node", "whitespace")

    def __init__(self, node: Node, whitespace: Whitespace, depth: int) -> None:
        super().__init__(node, depth)
        self.node, self.whitespace, self.depth = node, whitespace, depth

    def step(self, thread: Thread, byte: int) -> Threads:
        if byte != _COLON:
            return ()
        return (Thread(Value(self.node, self.depth, 0, self.whitespace), thread.below, grown(thread.text, byte)),)

    def bytes(self) -> Iterable[int]:
        return (_COLON,)

    def distance(self) -> int:
        return 1 + self.node.distance

    def ceiling(self) -> int:
        return 1 + ceilings.enough(self.node)

    def outlook(self, quoted: Collection[str]) -> Outlook | None:
        look = self.node.outlook(self.whitespace, self.depth)
        return None if look is None else look.within("colon", self.whitespace)

    def reach(self) -> int:
        return max(self.node.reach(), ceilings.enough(self.node)) + 1

    def endless(self) -> bool:
        return distinct.endless(self.node)


__all__ = ["ObjectPlan", "Progress"]
