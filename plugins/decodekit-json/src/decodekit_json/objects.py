"""Objects: which keys may follow, what their values must satisfy, and when the object may end.

Keys that the schema names are fixed texts; other keys are free strings, told apart by the patterns that they match.
What has been written is a small value, `Progress`; what no longer matters is left out of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from decodekit_json import distinct, keys, keywords
from decodekit_json.caching import Limited
from decodekit_json.groups import NOTHING, ObjectGroup, Some
from decodekit_json.machine import OPEN, Outlook, Thread, Threads
from decodekit_json.members import ObjectPlace
from decodekit_json.named_keys import NamedKeys
from decodekit_json.object_ceilings import ObjectCeilings
from decodekit_json.object_costs import ObjectCosts
from decodekit_json.obligations import Obligations
from decodekit_json.subsets import bits
from decodekit_json.terminal import INFINITE
from decodekit_json.whitespace import Policy, Whitespace

if TYPE_CHECKING:
    from decodekit_json.nodes import Distances, Node, Nodes

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
        self.named = NamedKeys(group.names)
        self.names, self.place_of = group.names, self.named.place_of
        self.required = self.named.mask(group.required)
        self.before = [0] * len(self.names) if nodes.any_order else self._before()
        self.dependent = [(self.place_of[key], self.named.mask(needed)) for key, needed in group.dependent]
        self.tied = sum({1 << i for i, _ in self.dependent})
        for _, others in self.dependent:
            self.tied |= others
        self.counted = group.low > 0 or group.high is not None
        some = group.some
        if self.dependent and (some or group.low > len(group.required)):
            some += tuple(Some(named=((other, NOTHING),), absent=frozenset([key])) for key, other in _tied(group))
            self.dependent, self.tied = [], 0
        self.owing = Obligations(self, some)
        self.costs, self.ceilings = ObjectCosts(self), ObjectCeilings(self)
        self.simple = not (self.counted or some or self.dependent)
        self.outlooks: dict[tuple[Policy, int, int, int, bool], Outlook] = Limited(_KEPT)
        self.looks_behind: dict[tuple[keys.KeyClass, Policy, int, bool], Outlook] = Limited(_KEPT)
        self._children: dict[int, Node] = {}
        self._open: dict[tuple[int, int, int, int, frozenset[str]], int] = Limited(_KEPT)
        self._open_classes: dict[tuple[int, int, int, int, frozenset[str]], tuple[keys.KeyClass, ...]] = Limited(_KEPT)
        self._throughout: tuple[Collection[str] | None, bool] = None, False

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
    def classes(self) -> tuple[keys.KeyClass, ...]:
        """Give the kinds of keys that have no name here."""
        return tuple(keys.classes_of(self.nodes, self.group))

    def mandatory(self) -> Iterable[Node]:
        """Give the nodes on which the fewest bytes of such an object depend."""
        needed = self.needed(self.start)
        everything = self.any_may_count
        for i in range(len(self.names)) if everything else bits(needed):
            yield from self._choices(i)
        if everything:
            for c in self.classes:
                yield from self._choices(c)

    def _choices(self, key: int | keys.KeyClass) -> list[Node]:
        return [node for node, _ in self.owing.choices(key, self.owing.all)]

    @cached_property
    def any_may_count(self) -> bool:
        """Say whether the fewest bytes depend on more than the needed members."""
        return self.group.low > self.needed(self.start).bit_count() or bool(self.owing.all)

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
        rest = self.costs.remaining_by(self.start, distance_of)
        return INFINITE if rest >= INFINITE else 2 + max(rest - 1, 0)

    def enough(self, enough_of: Distances) -> int:
        """Give a number of bytes that is enough for such an object, keys and what is inside that must differ included.

        What that is of its members is asked of `enough_of`.
        """
        least = self.least(enough_of)
        return least if least >= INFINITE else least + self.ceilings.spare(self.start)

    def some_values(self) -> int:
        """Give a number of such objects that there are at least: with each key that they may have or not."""
        if not self.simple:
            return 1
        open_keys = [i for i in bits(self.open_keys(self.start) & ~self.required) if self.child(i).readings]
        return 1 + sum(1 for i in open_keys if any(True for _ in self.going_on(self.start, i)))

    def needed(self, progress: Progress) -> int:
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
        return [self.names[i] for i in bits(self.needed(progress))]

    def permitted(self, index: int) -> bool:
        """Say whether `propertyNames` allows a named key."""
        return not self.group.keys or keys.satisfies(self.nodes, self.group.keys, self.names[index])

    def open_keys(self, progress: Progress) -> int:
        """Give the named keys that may come next, as bits."""
        free = progress.free if self.owing.all else _NO_KEYS  # other keys may have been what could still be owed
        key = (progress.seen, progress.written, progress.members, progress.owed, free)
        found = self._open.get(key)
        if found is None:
            needed = self.needed(progress)
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
        return self.costs.behind(progress, index) < INFINITE

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
            if self.costs.remaining(after) < INFINITE:
                yield node.canonical, after

    def nearest(self, progress: Progress) -> Progress:
        """Give a progress of which a shortest way to the object's end is the same: where it has the needed keys alone.

        What is owed is met by keys that are missing then, or was met before.
        """
        needed, costs = self.required & ~progress.seen, self.costs
        if self.counted or self.dependent:
            return progress
        if progress.owed:
            if any(owed & progress.owed for i in bits(needed) for _, owed in self.owing.asked[i]):
                return progress
            if costs.remaining(progress) != sum(costs.member(i, self.child(i).distance) for i in bits(needed)):
                return progress
        return Progress(self._every_key & ~needed)

    def going_on_free(self, progress: Progress, c: keys.KeyClass, key: str) -> Iterator[tuple[Node, Progress]]:
        """Give the ways to go on after another key."""
        free = progress.free | {key}
        for node, fulfilled in self.owing.ways(c, progress.owed):
            after = Progress(progress.seen, progress.written, self._counted(progress), progress.owed & ~fulfilled, free)
            if self.costs.remaining(after) < INFINITE:
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
        return self.costs.remaining(progress) == 0

    def may_continue(self, progress: Progress) -> bool:
        """Say whether a further member may come; looks at no more values than it has to."""
        if self.open_classes(progress):
            return True
        if not self.simple:
            return bool(self.open_keys(progress))
        return bool(self.needed(progress)) or any(map(self._alive, bits(self._every_key & ~progress.seen)))

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
            always = always and sum(len(self.named.in_class(c)) for c in classes) == len(self.names)
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
        return self.ceilings.reach(self.start)

    def begin(self, byte: int, depth: int, below: Thread | None, text: bytes | None, whitespace: Whitespace) -> Threads:
        """Give the threads after the opening bracket."""
        return (Thread(ObjectPlace(self, whitespace, depth + 1, OPEN, self.start, 0), below, text),)


def _tied(group: ObjectGroup) -> Iterator[tuple[str, str]]:
    """Give the keys that need another one, with that."""
    for key, needed in group.dependent:
        yield from ((key, other) for other in sorted(needed - {key}))


__all__ = ["ObjectPlan", "Progress"]
