"""Whether enough different values are left for the items that an array must still get.

Items whose values are many never matter; those with few are listed, and given out by a matching of places and values
(Kuhn's augmenting paths), or, where a `contains` counts items, by trying.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import ceilings, node_values
from decodekit_json.caching import Limited
from decodekit_json.distinct import FAR, MANY
from decodekit_json.terminal import INFINITE

if TYPE_CHECKING:
    from decodekit_json.arrays import ArrayPlan, Counts
    from decodekit_json.nodes import Node

_MAX_LISTED = 500
_MAX_TRIED_VALUES = 10
_FEW = 4
"""Of so many values of what a `contains` counts it is followed whether items that it does not count take them."""
_KEPT = 5_000
_NONE: frozenset[Any] = frozenset()


class Apart:
    """The values of one kind of array with `uniqueItems`.

    Args:
        plan: The array.
    """

    def __init__(self, plan: ArrayPlan) -> None:
        self.plan, group = plan, plan.group
        self.most = group.low + sum(c.low for c in group.contains)
        self._several = self.most > 1 or (self.most == 1 and bool(group.contains))
        self._plenty = max(self.most, _FEW) if group.contains else self.most
        self._impossible: bool | None = None
        self._known: dict[Counts, bool] = {}
        self._open: dict[tuple[Node, Counts], bool] = {}
        self._more: dict[tuple[Node, int], bool] = Limited(_KEPT)
        self._listed: dict[Node, frozenset[Any] | None] = {}

    def domain(self, node: Node) -> frozenset[Any] | None:
        """Give the values of a node, None for as many as the array ever has to have, or more than can be followed.

        Raises:
            UnsupportedSchemaError: Where that is too much to find out.
        """
        if node not in self._listed:
            found = (
                None if not self._several and node.distance < INFINITE else node_values.values_of(node, self._plenty)
            )
            if found is not None and len(found) > _MAX_LISTED:
                raise UnsupportedSchemaError(
                    f"minItems {self.most} of items with {len(found)} values is too much to keep apart",
                    keyword="uniqueItems",
                )
            self._listed[node] = found
        return self._listed[node]

    @cached_property
    def few(self) -> frozenset[Any]:
        """Give the values on which it may depend whether there are enough; empty where it never does.

        Raises:
            UnsupportedSchemaError: Where that is too much to follow.
        """
        if not self._several:
            return _NONE
        found = self._few()
        if self.plan.group.contains and len(found) > _MAX_TRIED_VALUES and self._plenty > self.most:
            self._plenty = self.most  # only whether there are enough
            self._listed.clear()
            found = self._few()
        if self.plan.group.contains and len(found) > _MAX_TRIED_VALUES:
            raise UnsupportedSchemaError(
                "contains and uniqueItems over items with few values are too much to decide", keyword="uniqueItems"
            )
        return found

    def _few(self) -> frozenset[Any]:
        return frozenset().union(*(self.domain(node) or _NONE for node in self.plan.mandatory()))

    @property
    def impossible(self) -> bool:
        """Say whether there are too few different values for the items that every such array has."""
        if not self.plan.group.unique or not self._several:
            return False
        if self._impossible is None:
            self._impossible = False  # an array inside itself
            self._impossible = not self.enough(self.plan.start)
        return self._impossible

    @cached_property
    def endless(self) -> bool:
        """Say whether every item has more values than such an array takes."""
        return not self.few and all(node_values.endless(node) for node in self.plan.inside())

    @cached_property
    def _around(self) -> int:
        """Give how many bytes more than the fewest are enough for an item, whichever values are taken."""
        nodes = [node for node in self.plan.inside() if node.distance < INFINITE]
        return max((ceilings.apart(node) - node.distance for node in nodes), default=0) if self.endless else FAR

    def excess(self, counts: Counts, owed: int) -> int:
        """Give that for each of so many items that come next; where nothing can be taken, 0."""
        if not self.plan.group.unique or (owed < 2 and not counts.items):
            return 0
        return self._around if len(counts.seen) + owed <= ceilings.MOST else FAR

    @cached_property
    def nested(self) -> bool:
        """Say whether an item may be an object or array that cannot always go on until it is another one."""
        plans = [plan for node in self.plan.inside() if node.distance < INFINITE for plan in node.plans]
        return any(not plan.open_ended() for plan in plans)

    def bans(self, counts: Counts) -> int:
        """Give how many values, at most, the next item may not have."""
        return len(counts.seen) + (len(self.few) if self.plan.owes(counts) else 0)

    def enough(self, counts: Counts) -> bool:
        """Say whether there are enough different values for the items that must still come."""
        if not self.few or not self.plan.owes(counts):
            return True
        known = self._known.get(counts)
        if known is None:
            if len(self._known) > _KEPT:
                self._known.clear()
            known = self._tried(counts, {}) if self.plan.group.contains else self._matched(counts)
            self._known[counts] = known
        return known

    def _matched(self, counts: Counts) -> bool:
        plan = self.plan
        slots: list[frozenset[Any]] = []
        for place in range(counts.items, plan.group.low):
            values = self.domain(plan.item(place))
            if values is not None:
                slots.append(values - counts.seen)
        if len(slots) > len(self.few):
            return False
        taken: dict[Any, int] = {}
        return all(self._give(i, slots, taken, set()) for i in range(len(slots)))

    def _give(self, slot: int, slots: list[frozenset[Any]], taken: dict[Any, int], tried: set[Any]) -> bool:
        for value in slots[slot]:
            if value not in tried:
                tried.add(value)
                if value not in taken or self._give(taken[value], slots, taken, tried):
                    taken[value] = slot
                    return True
        return False

    def _tried(self, counts: Counts, known: dict[Counts, bool]) -> bool:
        plan = self.plan
        if not plan.owes(counts):
            return True
        if plan.group.high is not None and counts.items >= plan.group.high:
            return False
        key = counts.with_seen(counts.seen & self.few)
        if key not in known:
            known[key] = False
            known[key] = any(
                self._tried(after.with_seen(key.seen | value), known)
                for node, after in plan.choices(key)
                if node.distance < INFINITE and (after.items, after.got) != (key.items, key.got)
                for value in self._picks(node, key.seen)
            )
        return known[key]

    def _picks(self, node: Node, taken: frozenset[Any]) -> list[frozenset[Any]]:
        values = self.domain(node)
        return [_NONE] if values is None else [frozenset([value]) for value in values - taken]

    def opens(self, node: Node, after: Counts) -> bool:
        """Say whether an item can have a value with which the array can go on; `after` does not have the item."""
        bans = self.bans(after)
        if not bans or (bans < MANY and node_values.endless(node)):
            return True
        key = (node, after)
        known = self._open.get(key)
        if known is None:
            if len(self._open) > _KEPT:
                self._open.clear()
            known = self._open[key] = node_values.has_value(node, bans, lambda value: self.accepts(after, value))
        return known

    def has_more(self, node: Node, bans: int) -> bool:
        """Say whether an item has more than so many values."""
        if bans < MANY and node_values.endless(node):
            return True
        known = self._more.get((node, bans))
        if known is None:
            known = self._more[node, bans] = node_values.has_more(node, bans)
        return known

    def accepts(self, after: Counts, value: Any) -> bool:
        """Say whether an item may have a value."""
        return value not in after.seen and self.enough(after.with_seen(after.seen | {value}))


__all__ = ["Apart"]
