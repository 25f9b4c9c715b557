"""Arrays: what each item must satisfy, how many there are, which of them a `contains` counts, and that they differ."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import ceilings, distinct, node_values
from decodekit_json.apart import Apart
from decodekit_json.before import begin
from decodekit_json.caching import Limited
from decodekit_json.groups import ArrayGroup, Literal, Literals
from decodekit_json.machine import AFTER, COMMA, OPEN, Between, Outlook, Thread, Threads, finished, grown
from decodekit_json.nodes import node_distance
from decodekit_json.possible_values import possible
from decodekit_json.terminal import INFINITE
from decodekit_json.whitespace import Whitespace

if TYPE_CHECKING:
    from decodekit_json.nodes import Distances, Node, Nodes

_SEPARATOR, _CLOSE = 0x2C, 0x5D
_MAX_CASES = 256
_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Counts:
    """What an array has so far.

    Attributes:
        items: How many items, as far as it matters.
        got: How many of them each `contains` counts, as far as it matters.
        seen: The items, where they must differ, or one must come twice.
        paid: Whether one came twice, where it must.
    """

    items: int = 0
    got: tuple[int, ...] = ()
    seen: frozenset[Any] = frozenset()
    paid: bool = False

    def with_seen(self, seen: frozenset[Any], paid: bool | None = None) -> Counts:
        """Give the same with other items seen."""
        return Counts(self.items, self.got, seen, self.paid if paid is None else paid)


class ArrayPlan:
    """The way to write the arrays of one group.

    Args:
        nodes: All nodes of the schema.
        group: What must hold.
    """

    def __init__(self, nodes: Nodes, group: ArrayGroup) -> None:
        self.nodes, self.group = nodes, group
        self.fixed = group.fixed
        self.most = max(self.fixed, group.low, 2) if group.high is None else max(self.fixed, group.high) + 1
        self.start = Counts(got=(0,) * len(group.contains))
        if group.contains and max(group.low, *(c.low for c in group.contains)) * 2 ** len(group.contains) > _MAX_CASES:
            raise UnsupportedSchemaError(
                f"minContains {max(c.low for c in group.contains)} with minItems {group.low} is too much to decide",
                keyword="contains",
                hint=f"ask for fewer than {_MAX_CASES} items, or put what they must satisfy under items",
            )
        self.apart = Apart(self)
        self.reached: dict[Thread, bool] = Limited(_KEPT)
        self._rest: dict[tuple[int, tuple[int, ...]], int] = Limited(_KEPT)
        self._sums: list[int] | None = None

    def item(self, place: int) -> Node:
        """Give what the item at a place must satisfy, whatever is counted."""
        return self.nodes.node(self.group.item(min(place, self.fixed)))

    def choices(self, counts: Counts) -> Iterator[tuple[Node, Counts]]:
        """Give the next item's nodes, by what counts it, each with the counts after it."""
        group, place = self.group, counts.items
        items = min(place + 1, self.most)
        if not group.contains:
            yield self.item(place), Counts(items, (), counts.seen, counts.paid)
            return
        base = group.item(min(place, self.fixed))
        cases: list[tuple[Literals, tuple[int, ...]]] = [(base, ())]
        for c, got in zip(group.contains, counts.got, strict=True):
            grown_cases: list[tuple[Literals, tuple[int, ...]]] = []
            for literals, done in cases:
                if place < c.start or (c.high is None and got >= c.low):
                    grown_cases.append((literals, (*done, got)))
                    continue
                others = {(schema, not sign) for schema, sign in c.literals} if c.high is not None else set[Literal]()
                grown_cases.append((literals | others, (*done, got)))
                if c.high is None or got < c.high:
                    more = c.literals | (literals - base if c.items else literals)
                    grown_cases.append((more, (*done, got + 1)))
            cases = grown_cases
        for literals, done in cases:
            yield self.nodes.node(literals), Counts(items, done, counts.seen, counts.paid)

    def mandatory(self) -> Iterable[Node]:
        """Give the nodes on which the fewest bytes of such an array depend."""
        if not self.group.contains:
            for place in range(min(self.group.low, self.fixed + 1)):
                yield self.item(place)
            return
        seen: set[Counts] = {self.start}
        queue = [self.start]
        while queue:
            counts = queue.pop()
            if not self.owes(counts):
                continue
            for node, after in self.choices(counts):
                yield node
                if after not in seen:
                    seen.add(after)
                    queue.append(after)

    def owes(self, counts: Counts) -> bool:
        """Say whether further items must come, for their number or for a `contains`."""
        group = self.group
        return counts.items < group.low or any(got < c.low for c, got in zip(group.contains, counts.got, strict=True))

    def inside(self) -> Iterator[Node]:
        """Give the nodes of all items that such an array may have.

        Raises:
            UnsupportedSchemaError: Where it cannot be followed whether items are equal.
        """
        if self.group.unique:
            _ = self.apart.few
        seen: set[Counts] = {self.start}
        queue = [self.start]
        while queue:
            counts = queue.pop()
            for node, after in self.choices(counts):
                yield node
                reached = Counts(min(after.items, self.fixed), after.got)
                if reached not in seen:
                    seen.add(reached)
                    queue.append(reached)

    def least(self, distance_of: Distances) -> int:
        """Give the fewest bytes of such an array."""
        if self.apart.impossible:
            return INFINITE
        rest = self._remaining(self.start, distance_of, {})
        return INFINITE if rest >= INFINITE else 2 + max(rest - 1, 0)

    def remaining(self, counts: Counts) -> int:
        """Give the fewest bytes of the items that must still come, each with a comma; `INFINITE` where they cannot.

        Fewer, where the shortest are taken.
        """
        if self.group.unique and not self.apart.enough(counts):
            return INFINITE
        return self._plain_remaining(counts)

    def _plain_remaining(self, counts: Counts) -> int:
        key = (counts.items, counts.got)
        found = self._rest.get(key)
        if found is None:
            found = self._rest[key] = self._remaining(counts, node_distance, {})
        return found

    def _remaining(self, counts: Counts, distance_of: Distances, known: dict[Counts, int]) -> int:
        group = self.group
        if not group.contains:
            if self.group.low <= counts.items:
                return 0
            total = self._sum(counts.items, distance_of)
            left = self.group.low - max(counts.items, self.fixed)
            return min(INFINITE, total + (left * (distance_of(self.item(self.fixed)) + 1) if left > 0 else 0))
        if not self.owes(counts):
            return 0
        if group.high is not None and counts.items >= group.high:
            return INFINITE
        if counts not in known:
            known[counts] = INFINITE
            found = INFINITE
            for node, after in self.choices(counts):
                if after != counts and distance_of(node) < INFINITE:
                    found = min(found, distance_of(node) + 1 + self._remaining(after, distance_of, known))
            known[counts] = found
        return known[counts]

    def _sum(self, start: int, distance_of: Distances) -> int:
        """Give the fewest bytes of the items from `start` on that have a place of their own and must come."""
        end = min(self.group.low, self.fixed)
        if start >= end:
            return 0
        sums = self._sums
        if sums is None:
            sums = [0]
            for i in reversed(range(end)):
                sums.append(min(INFINITE, sums[-1] + distance_of(self.item(i)) + 1))
            if distance_of is node_distance:
                self._sums = sums
        return sums[end - start]

    def next_items(self, counts: Counts) -> Iterator[tuple[Node, Counts]]:
        """Give the nodes that the next item can have, each with the counts after it, but for the item itself."""
        if self.group.high is not None and counts.items >= self.group.high:
            return
        for node, after in self.choices(counts):
            alive = node.distance < INFINITE and self._plain_remaining(after) < INFINITE
            if alive and (not self.group.unique or self.apart.opens(node, after)):
                yield node.canonical, after

    def may_continue(self, counts: Counts) -> bool:
        """Say whether a further item may come."""
        return any(True for _ in self.next_items(counts))

    def surely_continues(self, counts: Counts) -> bool:
        """Say whether a further item may come that is none of the taken ones, whichever they are; False if unknown."""
        bans = self.apart.bans(counts)
        return any(self.apart.has_more(node, bans) for node, _ in self.next_items(counts))

    def item_distance(self, counts: Counts) -> int:
        """Give the fewest bytes of one more item and of what must come after it, without its comma."""
        return min(
            (node.distance + self._plain_remaining(after) for node, after in self.next_items(counts)),
            default=INFINITE,
        )

    def open_ended(self) -> bool:
        """Say whether a further item may always come, whichever."""
        group = self.group
        closed = group.high is not None or group.unique or group.contains
        return not closed and all(self.item(i).distance < INFINITE for i in range(self.fixed + 1))

    def holds(self) -> Iterator[Node]:
        """Give the nodes any value of which may be an item."""
        if self.group.high != 0:
            for node, after in self.choices(self.start):
                rest = self._plain_remaining(after)
                if node.distance < INFINITE and (not rest or (rest < INFINITE and self._finds_others(node))):
                    yield node

    def _finds_others(self, node: Node) -> bool:
        """Say whether the items that must still come can be found, whatever the first one is."""
        if self.group.contains:
            return False
        alike = all(self.item(i).canonical is node.canonical for i in range(min(self.group.low, self.fixed + 1)))
        return not self.group.unique or (alike and node_values.some_values(node) >= self.group.low)

    def some_values(self) -> int:
        """Give a number of such arrays that there are at least."""
        return 1

    def enough(self, enough_of: Distances) -> int:
        """Give a number of bytes that is enough for such an array, items that must differ included."""
        least, owed = self.least(node_distance), self.owed(self.start)
        if least >= INFINITE or not owed:
            return least
        differing = self.apart.excess(self.start, owed)
        return least + owed * max(ceilings.excess(self.mandatory(), enough_of), differing)

    def enough_after(self, counts: Counts, owed: int | None = None) -> int:
        """Give a number of bytes on top of the fewest that is enough for the items that must still come.

        Args:
            counts: What is there.
            owed: How many they are, where it is another number than the counts say.
        """
        owed = self.owed(counts) if owed is None else owed
        if not owed:
            return 0
        return owed * max(self._excess, self.apart.excess(counts, owed))

    @cached_property
    def _excess(self) -> int:
        """Give how many bytes more than the fewest are enough for any item, as far as it must differ from none."""
        places = [self.item(i) for i in range(self.fixed + 1)]
        return ceilings.excess([*places, *self.mandatory(), *[node for node, _ in self.choices(self.start)]])

    def owed(self, counts: Counts) -> int:
        """Give the most items that must still come on a shortest way."""
        missing = max(self.group.low - counts.items, 0)
        return missing + sum(max(c.low - got, 0) for c, got in zip(self.group.contains, counts.got, strict=True))

    def endless(self) -> bool:
        """Say whether there are more such arrays than any text has; False where that is not known."""
        return self.endless_from(self.start)

    def endless_from(self, counts: Counts) -> bool:
        """Say whether what is there can go on in more ways than any text has; False where that is not known."""
        if self.open_ended():
            return True
        return any(node_values.endless(node) for node, _ in self.next_items(counts))

    @cached_property
    def uniform(self) -> Node | None:
        """Give the node of the items where all are alike and only whether there is one matters; else None."""
        group = self.group
        if self.fixed or group.contains or group.unique or group.repeated or group.high is not None or group.low > 1:
            return None
        return next((node for node, _ in self.next_items(self.start)), None)

    def outlook(self, whitespace: Whitespace, depth: int, above: tuple[Node, ...]) -> Outlook | None:
        """Say what tokens can tell of such arrays, read from the opening bracket on; see `Outlook.foresees`."""
        if self.uniform is None:
            return None
        look = self.uniform.outlook(whitespace, depth, above)
        if look is None:
            return None
        return look._replace(key=("array", whitespace.policy, depth, self.group.low, look.key), foresees=True)

    def reach(self, above: tuple[Node, ...]) -> int:
        """Give a number of bytes that is enough from wherever one token leads in such an array, values not counted."""
        assert self.uniform is not None
        return max(ceilings.enough(self.uniform) + 3, self.uniform.reach(above))

    def begin(self, byte: int, depth: int, below: Thread | None, text: bytes | None, whitespace: Whitespace) -> Threads:
        """Give the threads after the opening bracket."""
        return (Thread(ArrayPlace(self, whitespace, depth + 1, OPEN, self.start, 0), below, text),)


class ArrayPlace(Between):
    """Inside an array, between its items."""

    __slots__ = ("counts", "plan")

    def __init__(
        self, plan: ArrayPlan, whitespace: Whitespace, depth: int, stage: int, counts: Counts, gap: int
    ) -> None:
        super().__init__(plan, depth, stage, counts, gap)
        self.plan, self.whitespace, self.depth = plan, whitespace, depth
        self.stage, self.counts, self.gap = stage, counts, gap

    def _at(self, stage: int, gap: int) -> ArrayPlace:
        return type(self)(self.plan, self.whitespace, self.depth, stage, self.counts, gap)

    def step(self, thread: Thread, byte: int) -> Threads:
        plan, text = self.plan, grown(thread.text, byte)
        if byte == _CLOSE and self.stage != COMMA:
            return finished(thread.below, text) if self._closes and plan.remaining(self.counts) == 0 else ()
        if byte == _SEPARATOR:
            if self.stage != AFTER or self.gap:
                return ()
            if distinct.UNKNOWN in self.counts.seen and not plan.surely_continues(self.counts):
                raise distinct.Undecided
            if not plan.may_continue(self.counts):
                return ()
            return (Thread(self._at(COMMA, 0), thread.below, text),)
        gap = self.whitespace.step(self.gap, byte, self._level, True)
        if gap >= 0:
            if plan.remaining(self.counts) if self.stage == AFTER else self._stays_empty:
                return ()
            return (Thread(self._at(self.stage, gap), thread.below, text),)
        return () if self.stage == AFTER or self._unfinished else self._item(thread, byte)

    @property
    def _stays_empty(self) -> bool:
        """Whether there is no item to break a line for, where the line has to have one."""
        return self.whitespace.indent is not None and not self.plan.may_continue(self.counts)

    def _item(self, thread: Thread, byte: int) -> Threads:
        plan, found = self.plan, list[Thread]()
        for node, after in plan.next_items(self.counts):
            if self.recorded:
                text = thread.text or b""
                place = distinct.Item(self._after(after), len(text))
                begun = begin(node, byte, self.depth, Thread(place, thread.below), text, self.whitespace)
                found += [one for one in begun if possible(one)]
            else:
                below = Thread(self._after(after), thread.below)
                found += begin(node, byte, self.depth, below, thread.text, self.whitespace)
        return found

    @property
    def recorded(self) -> bool:
        """Say whether it matters which items come."""
        return self.plan.group.unique

    def _after(self, counts: Counts) -> ArrayPlace:
        return type(self)(self.plan, self.whitespace, self.depth, AFTER, counts, 0)

    def with_counts(self, counts: Counts) -> ArrayPlace:
        """Give the same place of an array with other items."""
        return type(self)(self.plan, self.whitespace, self.depth, self.stage, counts, self.gap)

    def settled(self) -> ArrayPlace:
        return self.with_counts(self.counts.with_seen(distinct.settled_values(self.counts.seen)))

    def readings(self, thread: Thread) -> Threads:
        if self.stage == AFTER or self.recorded or self._unfinished:
            return ()
        found = list[Thread]()
        for node, after in self.plan.next_items(self.counts):
            below = Thread(self._after(after), thread.below)
            found += [Thread(reading, below, thread.text) for reading in node.readings]
        return found

    def marks(self) -> Iterable[int]:
        if self.stage == AFTER or self.recorded:
            return self.bytes()
        gap = self.whitespace.bytes(self.gap, self._level, True)
        brackets = dict.fromkeys(b for node, _ in self.plan.next_items(self.counts) for b in node.brackets)
        return (*gap, *brackets, _CLOSE)

    def bytes(self) -> Iterable[int]:
        gap = self.whitespace.bytes(self.gap, self._level, True)
        if self.stage == AFTER:
            return (*gap, _CLOSE) if self.gap else (*gap, _SEPARATOR, _CLOSE)
        found = dict.fromkeys(b for node, _ in self.plan.next_items(self.counts) for b, _ in node.openings)
        return (*gap, *found, _CLOSE)

    @property
    def required(self) -> bytes:
        return self.whitespace.required

    def due(self) -> int:
        decided = (
            bool(self.gap) or self.stage == COMMA or bool(self.plan.remaining(self.counts)) == (self.stage == OPEN)
        )
        return self.whitespace.due(self.gap, self._level, True) if decided else -1

    def distance(self) -> int:
        if self.stage == COMMA or (self.stage == OPEN and self.gap and self.whitespace.indent is not None):
            return self.plan.item_distance(self.counts) + 1
        rest = self.plan.remaining(self.counts)
        return rest + 1 if self.stage == AFTER else max(rest - 1, 0) + 1

    def ceiling(self) -> int:
        begun = self.stage == COMMA or (self.stage == OPEN and bool(self.gap))
        owed = max(self.plan.owed(self.counts), begun)
        return self.distance() + self.plan.enough_after(self.counts, owed) + self.whitespace.slack

    def falling(self) -> int:
        owed = max(self.plan.owed(self.counts), self.stage == COMMA)
        return self.distance() + self.plan.enough_after(self.counts, owed)

    def outlook(self, quoted: Collection[str]) -> Outlook | None:
        look = None if self.whitespace.indent is not None else self.plan.outlook(self.whitespace, self.depth, ())
        if look is None:
            return None
        closes = self.stage != COMMA and self.plan.remaining(self.counts) == 0
        return look.within(self.stage, self.gap, closes)

    def reach(self) -> int:
        return self.plan.reach(())

    def endless(self) -> bool:
        return (self.stage != AFTER or not self.gap) and self.plan.endless_from(self.counts)


__all__ = ["ArrayPlace", "ArrayPlan", "Counts"]
