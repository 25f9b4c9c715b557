"""How many bytes are enough to end an object, whatever values and keys are taken by then; see `ceilings`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from decodekit_json import ceilings, distinct
from decodekit_json.subsets import bits
from decodekit_json.terminal import INFINITE

if TYPE_CHECKING:
    from decodekit_json.objects import ObjectPlan, Progress


class ObjectCeilings:
    """Numbers of bytes that are enough for one kind of object.

    Args:
        plan: The object.
    """

    def __init__(self, plan: ObjectPlan) -> None:
        self.plan = plan

    def after(self, progress: Progress) -> int:
        """Give a number of bytes that is enough for the members that must still come, whatever keys are taken."""
        return self.plan.costs.remaining(progress) + self.excess(progress)

    def excess(self, progress: Progress) -> int:
        """Give how many more than the fewest those are."""
        members = self.plan.needed(progress).bit_count()
        if self.plan.simple:
            return members * self._excess
        return (members + self._further(progress)) * self._excess + self.spare(progress)

    def _further(self, progress: Progress) -> int:
        """Give how many members that have no name may have to come."""
        plan = self.plan
        missing = max(plan.group.low - progress.members - plan.needed(progress).bit_count(), 0)
        return missing + progress.owed.bit_count()

    def spare(self, progress: Progress) -> int:
        """Give how many bytes more than the fewest are enough for their keys, because others are taken."""
        further = self._further(progress)
        return further and further * self.around(progress, further)

    @cached_property
    def _excess(self) -> int:
        plan = self.plan
        every = (plan.child(i) for i in range(len(plan.names)))
        return ceilings.excess(every if plan.dependent else plan.mandatory())

    def around(self, progress: Progress, missing: int = 1) -> int:
        """Give how many bytes more are enough for each of some further keys, because others are taken."""
        few = self._all_free or len(self.plan.names) + len(progress.free) + missing <= ceilings.MOST
        return self._around if few else distinct.FAR

    @cached_property
    def _all_free(self) -> bool:
        return all(c.free for c in self.plan.classes)

    @cached_property
    def _around(self) -> int:
        return max((c.around for c in self.plan.classes), default=0)

    def falling_after(self, progress: Progress) -> int:
        """Give a number of bytes that is enough for the members that must still come, and falls with each of them."""
        return self.plan.costs.remaining_by(progress, ceilings.enough) + self.spare(progress)

    def falling_for_member(self, progress: Progress) -> int:
        """Give a number of bytes that is enough for one more member and what must come after it, without its comma."""
        plan, found = self.plan, INFINITE
        if plan.simple and plan.needed(progress):
            return self.falling_after(progress) - 1  # the first of those that are needed
        for i in bits(plan.open_keys(progress)):
            for node, after in plan.going_on(progress, i):
                found = min(found, plan.costs.member(i, ceilings.enough(node)) - 1 + self.falling_after(after))
        for c in plan.open_classes(progress):
            for node, after in plan.going_on_free(progress, c, distinct.ANOTHER):
                value = ceilings.enough(node) + self.falling_after(after)
                found = min(found, c.distance + 1 + value + self.around(progress))
        return found

    @cached_property
    def widest(self) -> int:
        """Give the most bytes that one more member, and what it depends on, takes at least."""
        plan = self.plan
        costs = [plan.costs.member(i, ceilings.enough(plan.child(i))) for i in range(len(plan.names))]
        costs += [c.distance + 2 + ceilings.enough(plan.value_of(c)) for c in plan.classes]
        finite = [cost for cost in costs if cost < INFINITE]
        tied = sum(costs[i] for i in bits(plan.tied) if costs[i] < INFINITE)
        return max(finite, default=0) * (1 + plan.group.low + len(plan.owing.some)) + tied

    def reach(self, progress: Progress) -> int:
        """Give a number of bytes that is enough from wherever one token leads, values not counted."""
        return (self._reach if self.plan.simple else self._widely + self.after(progress)) + self.around(progress)

    @cached_property
    def _widely(self) -> int:
        return 3 * self.widest + 2

    @cached_property
    def _reach(self) -> int:
        return self._widely + self.after(self.plan.start)  # falls with each member


__all__ = ["ObjectCeilings"]
