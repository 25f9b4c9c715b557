"""Objects: which keys may follow, what their values must satisfy, and when the object may end.

Keys that the schema names are fixed texts; other keys are free strings, told apart by the patterns that they match.
What has been written is a small value, `Progress`; what no longer matters is left out of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from decodekit_json import ceilings, distinct, keys, keywords
from decodekit_json.caching import Limited
from decodekit_json.fixed import FixedTerminal, fixed_strings
from decodekit_json.groups import NOTHING, ObjectGroup, Some
from decodekit_json.machine import OPEN, Outlook, Thread, Threads
from decodekit_json.members import ObjectPlace
from decodekit_json.nodes import node_distance
from decodekit_json.obligations import Obligations
from decodekit_json.subsets import bits
from decodekit_json.terminal import INFINITE, TerminalState
from decodekit_json.whitespace import Policy, Whitespace

if TYPE_CHECKING:
    from decodekit_json.nodes import Distances, Node, Nodes

_NO_KEYS: frozenset[str] = frozenset()
_KEPT = 2_000
"""Progresses of which is kept what may follow."""
_KEPT_BEHIND = 20_000
"""Keys behind which the bytes to the object's end are kept, those of several progresses together."""


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
        self.outlooks: dict[tuple[Policy, int, int, int, bool], Outlook] = Limited(_KEPT)
        self.looks_behind: dict[tuple[keys.KeyClass, Policy, int, bool], Outlook] = Limited(_KEPT)
        self._rest: dict[tuple[int, int, int, int, frozenset[str]], int] = Limited(_KEPT)
        self._costs: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._prices: dict[Distances, list[tuple[int, int]]] = {}
        self._names_in: dict[keys.KeyClass, frozenset[str]] = {}
        self._children: dict[int, Node] = {}
        self._open: dict[tuple[int, int, int, int, frozenset[str]], int] = Limited(_KEPT)
        self._members: dict[Progress, int] = Limited(_KEPT)
        self._behind: dict[tuple[int, int, int, int, frozenset[str]], dict[int, int]] = Limited(
            max(_KEPT_BEHIND // max(len(self.names), 1), 1)
        )
        self._open_classes: dict[tuple[int, int, int, int, frozenset[str]], tuple[keys.KeyClass, ...]] = Limited(_KEPT)
        self._throughout: tuple[Collection[str] | None, bool] = None, False
        self._starts: dict[int, TerminalState | None] = Limited(_KEPT)

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

    def excess(self, progress: Progress) -> int:
        """Give how many more than the fewest those are."""
        members = self._needed(progress).bit_count()
        if self.simple:
            return members * self._excess
        return (members + self._further(progress)) * self._excess + self._spare(progress)

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
        few = self._all_free or len(self.names) + len(progress.free) + missing <= ceilings.MOST
        return self._around if few else distinct.FAR

    @cached_property
    def _all_free(self) -> bool:
        return all(c.free for c in self.classes)

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

    def needed_names(self, progress: Progress) -> list[str]:
        """Give the names of those keys."""
        return [self.names[i] for i in bits(self._needed(progress))]

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
        free = progress.free if self.owing.all else _NO_KEYS  # other keys may have been what could still be owed
        key = (progress.seen, progress.written, progress.members, progress.owed, free)
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
        return self.behind(progress, index) < INFINITE

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

    def behind(self, progress: Progress, index: int) -> int:
        """Give the fewest bytes behind a named key, up to the object's end."""
        free = progress.free if self.counted or self.owing.all else _NO_KEYS
        key = (progress.seen, progress.written, progress.members, progress.owed, free)
        known = self._behind.get(key)
        if known is None:
            known = self._behind[key] = {}
        found = known.get(index)
        if found is None:
            ways = (2 + node.distance + self.remaining(after) for node, after in self.going_on(progress, index))
            found = known[index] = min(ways, default=INFINITE)
        return found

    @cached_property
    def places(self) -> list[int]:
        """Give the named keys by their numbers in the terminal."""
        return [self.place_of[name] for name in self.names_terminal.members]

    def nearest(self, progress: Progress) -> Progress:
        """Give a progress of which a shortest way to the object's end is the same: where it has the needed keys alone.

        What is owed is met by keys that are missing then, or was met before.
        """
        needed = self.required & ~progress.seen
        if self.counted or self.dependent:
            return progress
        if progress.owed:
            if any(owed & progress.owed for i in bits(needed) for _, owed in self.owing.asked[i]):
                return progress
            if self.remaining(progress) != sum(self.cost(i, self.child(i).distance) for i in bits(needed)):
                return progress
        return Progress(self._every_key & ~needed)

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
        if self.steady:
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
        known, always = self._throughout
        if known is not quoted or not self.steady:
            classes = self.open_classes(progress)
            always = bool(classes) and all(c.free for c in classes)
            always = always and sum(len(self.names_in(c)) for c in classes) == len(self.names)
            always = always and not any(key in quoted for key in self.names)
            self._throughout = quoted, always
        return always and not any(key in quoted for key in progress.free)

    @cached_property
    def _endless_classes(self) -> bool:
        return all(c.endless for c in self.classes)

    @cached_property
    def steady(self) -> bool:
        """Say whether the keys without a name that may come, and their values, do not depend on what is written."""
        return self.simple and self._endless_classes

    def member(self, progress: Progress) -> int:
        """Give the fewest bytes of one more member and of what must come after it, without its comma."""
        if not self.owing.all and not self.dependent:
            rest = self.remaining(progress)
            if rest:
                return rest - 1  # the first of a cheapest way
        found = self._members.get(progress)
        if found is None:
            found = self._members[progress] = self._cheapest_member(progress)
        return found

    def _cheapest_member(self, progress: Progress) -> int:
        found = INFINITE
        for i in bits(self.open_keys(progress)):
            found = min(found, self.cost(i, self.behind(progress, i) - 2) - 1)
        for c in self.open_classes(progress):
            for node, after in self.going_on_free(progress, c, "\0"):
                found = min(found, c.distance + 1 + node.distance + self.remaining(after))
        return found

    def falling_after(self, progress: Progress) -> int:
        """Give a number of bytes that is enough for the members that must still come, and falls with each of them."""
        return self._remaining(progress, ceilings.enough, {}) + self._spare(progress)

    def falling_for_member(self, progress: Progress) -> int:
        """Give a number of bytes that is enough for one more member and what must come after it, without its comma."""
        if self.simple and self._needed(progress):
            return self.falling_after(progress) - 1  # the first of those that are needed
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
        return Outlook(
            ("object", whitespace.policy, depth, self.may_close(start), self.may_continue(start)), True, True
        )

    def reach(self, above: tuple[Node, ...]) -> int:
        """Give a number of bytes that is enough from wherever one token leads in such an object, values not counted."""
        return self.reach_from(self.start)

    def reach_from(self, progress: Progress) -> int:
        """Do so for an object that has some members."""
        return (self._reach if self.simple else self._widely + self.enough_after(progress)) + self.around(progress)

    @cached_property
    def _widely(self) -> int:
        return 3 * self.widest + 2

    @cached_property
    def _reach(self) -> int:
        return self._widely + self.enough_after(self.start)  # falls with each member

    def begin(self, byte: int, depth: int, below: Thread | None, text: bytes | None, whitespace: Whitespace) -> Threads:
        """Give the threads after the opening bracket."""
        return (Thread(ObjectPlace(self, whitespace, depth + 1, OPEN, self.start, 0), below, text),)


def _tied(group: ObjectGroup) -> Iterator[tuple[str, str]]:
    """Give the keys that need another one, with that."""
    for key, needed in group.dependent:
        yield from ((key, other) for other in sorted(needed - {key}))


__all__ = ["ObjectPlan", "Progress"]
