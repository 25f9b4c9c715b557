"""The fewest bytes of an object, and of what is left of one; see `object_ceilings` for how many are enough."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from decodekit_json import ceilings, keys
from decodekit_json.caching import Limited
from decodekit_json.nodes import node_distance
from decodekit_json.subsets import bits
from decodekit_json.terminal import INFINITE

if TYPE_CHECKING:
    from decodekit_json.nodes import Distances
    from decodekit_json.objects import ObjectPlan, Progress

_NO_KEYS: frozenset[str] = frozenset()
_KEPT = 2_000
"""Progresses of which is kept how many bytes are left."""
_KEPT_BEHIND = 20_000
"""Keys behind which the bytes to the object's end are kept, those of several progresses together."""


class ObjectCosts:
    """The fewest bytes of one kind of object.

    Args:
        plan: The object.
    """

    def __init__(self, plan: ObjectPlan) -> None:
        self.plan = plan
        self._rest: dict[tuple[int, int, int, int, frozenset[str]], int] = Limited(_KEPT)
        self._named: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._prices: dict[Distances, list[tuple[int, int]]] = {}
        self._further: dict[Progress, int] = Limited(_KEPT)
        self._behind: dict[tuple[int, int, int, int, frozenset[str]], dict[int, int]] = Limited(
            max(_KEPT_BEHIND // max(len(plan.names), 1), 1)
        )

    def member(self, index: int, value: int) -> int:
        """Give the bytes of a named member with a value of so many bytes, with its comma."""
        if value >= INFINITE or not self.plan.permitted(index):
            return INFINITE
        size = self._sizes.get(index)
        if size is None:
            size = self._sizes[index] = len(json.dumps(self.plan.names[index], ensure_ascii=False).encode()) + 2
        return size + value

    def prices(self, distance_of: Distances) -> list[tuple[int, int]]:
        """Give what members cost, the cheapest first, and as bits the named keys that cost so much.

        Only those of keys on which the fewest bytes of such an object depend.
        """
        if distance_of in self._prices:
            return self._prices[distance_of]
        plan, found = self.plan, dict[int, int]()
        for i in range(len(plan.names)) if plan.any_may_count else bits(plan.needed(plan.start)):
            cost = self.member(i, distance_of(plan.child(i)))
            if cost < INFINITE:
                found[cost] = found.get(cost, 0) | 1 << i
        prices = sorted(found.items())
        if distance_of in (node_distance, ceilings.enough):  # others change
            self._prices[distance_of] = prices
        return prices

    def remaining(self, progress: Progress) -> int:
        """Give the fewest bytes of the members that must still come, each with a comma; `INFINITE` where they cannot.

        Fewer, where other keys must come and the shortest are taken.
        """
        plan = self.plan
        if plan.simple:
            key = (plan.required & ~progress.seen, 0, 0, 0, _NO_KEYS)
        else:
            free = progress.free if plan.counted or plan.owing.all else _NO_KEYS
            key = (progress.seen, progress.written, progress.members, progress.owed, free)
        found = self._rest.get(key)
        if found is None:
            found = self._rest[key] = self._remaining(progress, node_distance, self._named)
        return found

    def remaining_by(self, progress: Progress, distance_of: Distances) -> int:
        """Do so with values that take the bytes that `distance_of` gives."""
        return self._remaining(progress, distance_of, {})

    def _remaining(self, progress: Progress, distance_of: Distances, named: dict[int, int]) -> int:
        plan = self.plan
        needed = plan.needed(progress)
        if needed & progress.seen:
            return INFINITE  # the schema's order has left it behind
        if progress.owed:
            return plan.owing.cheapest(progress, needed, distance_of)
        if plan.group.low:
            return keys.cheapest(plan, progress, needed, distance_of)
        total, most = 0, plan.group.high
        if most is not None and progress.members + needed.bit_count() > most:
            return INFINITE
        for i in bits(needed):
            if i not in named:
                named[i] = self.member(i, distance_of(plan.child(i)))
            total += named[i]
        return min(total, INFINITE)

    def behind(self, progress: Progress, index: int) -> int:
        """Give the fewest bytes behind a named key, up to the object's end."""
        plan = self.plan
        free = progress.free if plan.counted or plan.owing.all else _NO_KEYS
        key = (progress.seen, progress.written, progress.members, progress.owed, free)
        known = self._behind.get(key)
        if known is None:
            known = self._behind[key] = {}
        found = known.get(index)
        if found is None:
            ways = (2 + node.distance + self.remaining(after) for node, after in plan.going_on(progress, index))
            found = known[index] = min(ways, default=INFINITE)
        return found

    def one_more(self, progress: Progress) -> int:
        """Give the fewest bytes of one more member and of what must come after it, without its comma."""
        if not self.plan.owing.all and not self.plan.dependent:
            rest = self.remaining(progress)
            if rest:
                return rest - 1  # the first of a cheapest way
        found = self._further.get(progress)
        if found is None:
            found = self._further[progress] = self._cheapest_member(progress)
        return found

    def _cheapest_member(self, progress: Progress) -> int:
        plan, found = self.plan, INFINITE
        for i in bits(plan.open_keys(progress)):
            found = min(found, self.member(i, self.behind(progress, i) - 2) - 1)
        for c in plan.open_classes(progress):
            for node, after in plan.going_on_free(progress, c, "\0"):
                found = min(found, c.distance + 1 + node.distance + self.remaining(after))
        return found


__all__ = ["ObjectCosts"]
