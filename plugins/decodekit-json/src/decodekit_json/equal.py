"""Arrays of which two items are equal: `uniqueItems` under a `not`.

Which items are there is followed in what is recorded of them, but no number of bytes tells how far it is from there to
two equal ones. So such an array is read twice at once: also as one that has a certain value, as short as can be, two
times, which is a `contains` whose end is known at every place. Near the end of a budget only that reading is left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import distinct
from decodekit_json.arrays import ArrayPlace, ArrayPlan, Counts
from decodekit_json.dialects import LATEST
from decodekit_json.groups import ArrayGroup, Contains
from decodekit_json.located import Schema
from decodekit_json.machine import OPEN, Thread
from decodekit_json.node_values import shortest
from decodekit_json.nodes import node_distance
from decodekit_json.terminal import INFINITE

if TYPE_CHECKING:
    from decodekit_json.machine import Threads
    from decodekit_json.nodes import Distances, Node, Nodes
    from decodekit_json.whitespace import Whitespace


class EqualPlan(ArrayPlan):
    """The way to write the arrays of one group with two equal items.

    Args:
        nodes: All nodes of the schema.
        group: What must hold; `repeated`.
    """

    def __init__(self, nodes: Nodes, group: ArrayGroup) -> None:
        super().__init__(nodes, group)
        low = max(group.low, self.fixed + 2 + sum(c.low for c in group.contains))
        self._longer = ArrayPlan(nodes, replace(group, repeated=False, low=low))

    def mandatory(self) -> Iterable[Node]:
        return self._longer.mandatory()

    def least(self, distance_of: Distances) -> int:
        """Give enough bytes for such an array: for one whose last two items are as short as can be."""
        return self._longer.least(distance_of)

    def enough(self, enough_of: Distances) -> int:
        return self._longer.enough(enough_of)

    def holds(self) -> Iterator[Node]:
        yield from ()

    def inside(self) -> Iterator[Node]:
        if self.group.high is not None or self.item(self.fixed).distance >= INFINITE:
            raise _refused("the number of items is limited", "leave maxItems out beside it")
        if self.certain.least(node_distance) > self.least(node_distance):
            raise _refused("contains counts items too", "leave contains out beside it")
        yield from super().inside()
        yield from self.certain.inside()

    @cached_property
    def certain(self) -> ArrayPlan:
        """Give the way to write those that have a certain value two times, behind the places with rules of their own.

        Raises:
            UnsupportedSchemaError: Where no such value is found.
        """
        place = self.fixed
        text = shortest(self.item(place))
        if text is None:
            raise _refused("no short item is found", "simplify items")
        value = json.loads(text)
        if distinct.read(json.dumps(value).encode()) != distinct.read(text):
            raise _refused("every item has numbers of many digits", "loosen items")
        constant = self.nodes.lowering.documents.constant(value, Schema({"const": value}, LATEST, "#", None))
        twice = Contains(frozenset([(constant, True)]), 2, None, place, items=True)
        (plan,) = self.nodes.plans_of(replace(self.group, repeated=False, contains=(*self.group.contains, twice)))
        assert isinstance(plan, ArrayPlan)
        return plan

    def _plain_remaining(self, counts: Counts) -> int:
        found = super()._plain_remaining(counts)
        return found if counts.paid else max(found, distinct.FAR)

    def begin(self, byte: int, depth: int, below: Thread | None, text: bytes | None, whitespace: Whitespace) -> Threads:
        place = EqualPlace(self, whitespace, depth + 1, OPEN, self.start, 0)
        return (Thread(place, below, text), *self.certain.begin(byte, depth, below, text, whitespace))


class EqualPlace(ArrayPlace):
    """Inside such an array, between its items."""

    __slots__ = ()
    plan: EqualPlan

    @property
    def recorded(self) -> bool:
        return not self.counts.paid

    def ceiling(self) -> int:
        return super().ceiling() if self.counts.paid else self._certain().ceiling()

    def _certain(self) -> ArrayPlace:
        """Give where the other reading stands that takes none of the items for the certain value."""
        counts = Counts(self.counts.items, (*self.counts.got, 0))
        return ArrayPlace(self.plan.certain, self.whitespace, self.depth, self.stage, counts, self.gap)


def _refused(where: str, hint: str) -> UnsupportedSchemaError:
    return UnsupportedSchemaError(
        f"its negation, two equal items, is not supported where {where}",
        keyword="uniqueItems",
        hint=f"{hint}, or uniqueItems out under not and oneOf",
    )


__all__ = ["EqualPlan"]
