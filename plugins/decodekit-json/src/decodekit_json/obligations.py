"""What an object owes until it ends: of each obligation (`Some`) one way must be taken, by a value or a missing key.

A conjunction of disjunctions is kept as it is, where multiplying it out would give as many objects as it has
combinations. A value is told apart by the ways that it takes, so that it is read in one way only. Not a second kind of
object: `ObjectPlan` asks here which keys fulfil what, and what the rest of an object takes at least.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import keys
from decodekit_json.caching import Limited
from decodekit_json.groups import NOTHING, Literals, Some
from decodekit_json.nodes import node_distance
from decodekit_json.subsets import bits
from decodekit_json.terminal import INFINITE

if TYPE_CHECKING:
    from decodekit_json.nodes import Distances, Node
    from decodekit_json.objects import ObjectPlan, Progress

_MAX_CASES = 20_000
"""Most cases that are followed to find the fewest bytes; what needs more is refused, as it is from the start."""
_MAX_KEPT = 20_000
_MOST_APART = 4
"""Most conditions on the value of one key of which each is told from its contrary."""

Asked: TypeAlias = tuple[tuple[Literals, int], ...]
"""What a value may satisfy, and the obligations that it fulfils then, as bits."""
Ways: TypeAlias = "list[tuple[Node, int]]"
"""What a value satisfies, and the obligations that it fulfils, as bits."""


class Part(NamedTuple):
    """Obligations that have keys in common, with these.

    Attributes:
        names: Named keys, as bits.
        owed: Obligations, as bits.
        free: Whether keys without a name fulfil some of them, or are counted.
    """

    names: int
    owed: int
    free: bool


class Obligations:
    """The obligations of one kind of object.

    Args:
        plan: The object.
        some: What it owes.
    """

    def __init__(self, plan: ObjectPlan, some: tuple[Some, ...]) -> None:
        self.plan, self.some = plan, some
        self.all = (1 << len(some)) - 1
        self._ways: dict[tuple[int | keys.KeyClass, int], Ways] = Limited(_MAX_KEPT)
        self._known: dict[tuple[int, int, int, int, frozenset[str]], int] = Limited(_MAX_KEPT)

    @cached_property
    def lacking(self) -> list[int]:
        """Give, for each named key, the obligations that are fulfilled where it is missing."""
        found = [0] * len(self.plan.names)
        for i, some in enumerate(self.some):
            for name in some.absent:
                found[self.plan.place_of[name]] |= 1 << i
        return found

    def without(self, missing: int) -> int:
        """Give the obligations that are fulfilled where named keys are missing."""
        return _union(self.lacking[i] for i in bits(missing)) if self.some else 0

    @cached_property
    def asked(self) -> list[Asked]:
        """Give, for each named key, what its value may satisfy."""
        found: list[dict[Literals, int]] = [{} for _ in self.plan.names]
        for i, some in enumerate(self.some):
            named = [(self.plan.place_of[name], literals) for name, literals in some.named]
            if some.keys is not None:
                inside = (n for n, name in enumerate(self.plan.names) if keys.has(self.plan.nodes, some.keys, name))
                named += [(n, some.literals) for n in inside]
            for place, literals in named:
                _add(found[place], literals, 1 << i)
        return [tuple(one.items()) for one in found]

    def _asked(self, key: int | keys.KeyClass) -> Asked:
        """Give what the value of a key may satisfy."""
        if isinstance(key, int):
            return self.asked[key]
        found: dict[Literals, int] = {}
        for i in bits(key.fulfils):
            _add(found, self.some[i].literals, 1 << i)
        return tuple(found.items())

    def ways(self, key: int | keys.KeyClass, owed: int) -> Ways:
        """Give the ways to write the value of a named key, or of one of a kind of keys; a value fits one of them."""
        asked = self._asked(key) if owed else ()
        owed &= _union(fulfilled for _, fulfilled in asked)
        if not owed:
            node = self._node(key)
            return [(node, 0)] if node.distance < INFINITE else []
        found = self._ways.get((key, owed))
        if found is None:
            found = self._ways[key, owed] = list(self._told_apart(key, _open(asked, owed)))
        return found

    def _told_apart(self, key: int | keys.KeyClass, asked: Asked) -> Iterator[tuple[Node, int]]:
        apart = len(asked) <= _MOST_APART
        for literals, fulfilled, contrary in _cases(asked):
            node = self._node(key, literals)
            if node.distance >= INFINITE:
                continue
            if apart and contrary:
                try:
                    other = self._node(key, literals | contrary)
                    if other.distance >= INFINITE:
                        continue
                    node = other
                except UnsupportedSchemaError:  # the same values are read in more ways
                    pass
            yield node, fulfilled

    def choices(self, key: int | keys.KeyClass, owed: int) -> Ways:
        """Do as `ways` for the fewest bytes: a value may fit several of them, and none is left out."""
        asked = _open(self._asked(key), owed) if owed else ()
        return [(self._node(key, literals), fulfilled) for literals, fulfilled, _ in _cases(asked)]

    def nodes(self, key: int | keys.KeyClass) -> Iterator[Node]:
        """Give all nodes that the value of a key may have, whatever is owed when it is written."""
        asked = self._asked(key) if self.some else ()
        for chosen in product((0, 1), repeat=len(asked)):
            owed = _union(fulfilled * taken for (_, fulfilled), taken in zip(asked, chosen, strict=True))
            yield from (node for node, _ in self.ways(key, owed))

    def _node(self, key: int | keys.KeyClass, more: Literals = NOTHING) -> Node:
        plan = self.plan
        node = plan.child(key) if isinstance(key, int) else plan.value_of(key)
        return plan.nodes.node(node.literals | more) if more else node

    @cached_property
    def parts(self) -> list[Part]:
        """Split the obligations where they have no key in common."""
        plan, found = self.plan, list[Part]()
        if plan.counted:
            return [Part((1 << len(plan.names)) - 1, self.all, True)]
        fulfilled = [self.lacking[n] | _union(f for _, f in self.asked[n]) for n in range(len(plan.names))]
        free = _union(c.fulfils for c in plan.classes)
        for i in range(len(self.some)):
            names = sum(1 << n for n, owed in enumerate(fulfilled) if owed >> i & 1)
            part = Part(names, 1 << i, bool(free >> i & 1))
            joined = [other for other in found if other.names & names or (other.free and part.free)]
            for other in joined:
                found.remove(other)
                part = Part(part.names | other.names, part.owed | other.owed, part.free or other.free)
            found.append(part)
        return found

    def cheapest(self, progress: Progress, needed: int, distance_of: Distances) -> int:
        """Give the fewest bytes of members that are needed or meet what is owed; `INFINITE` where none do."""
        total, plan = 0, self.plan
        for part in self.parts:
            if (progress.owed & part.owed) or (needed & part.names) or plan.counted:
                total += self._cheapest(part, progress, needed & part.names, distance_of)
                needed &= ~part.names
        for i in bits(needed):
            total += plan.costs.member(i, distance_of(plan.child(i)))
        return min(total, INFINITE)

    def _cheapest(self, part: Part, progress: Progress, needed: int, distance_of: Distances) -> int:
        if distance_of is not node_distance:
            return _Search(self, part, progress, needed, distance_of).least
        free = progress.free if part.free else frozenset[str]()
        key = (part.names, progress.seen & part.names, progress.members, progress.owed & part.owed, free)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = _Search(self, part, progress, needed, distance_of).least
        return found


class _Search:
    """Goes through the keys of a part in order, with what each may fulfil; other keys follow.

    What is owed when no later key can fulfil it is dropped, so that few cases are left where keys fulfil little.
    """

    def __init__(
        self, obligations: Obligations, part: Part, progress: Progress, needed: int, distance_of: Distances
    ) -> None:
        self.obligations, self.plan, self.distance_of = obligations, obligations.plan, distance_of
        self.low, self.high = self.plan.group.low, self.plan.group.high
        fits = self.high is None or progress.members <= self.high
        self.best = {(progress.members, progress.owed & part.owed): 0} if fits else {}
        self.cases = 0
        owed, names = part.owed, list(bits(part.names & ~progress.seen))
        classes = self.plan.classes if part.free else ()
        later = _union(c.fulfils for c in classes)
        left = [later]
        for i in reversed(names):
            later |= obligations.lacking[i] | _union(fulfilled for _, fulfilled in obligations.asked[i])
            left.append(later)
        self._keep(left.pop())
        for i in names:
            self._name(i, bool(needed >> i & 1), owed)
            self._keep(left.pop())
        most = max(self.low - progress.members, 0) + owed.bit_count()
        for c in classes:
            self._others(c, owed, keys.others_of(self.plan, c, progress, most) if most else 0)

    @property
    def least(self) -> int:
        """Give the fewest bytes."""
        return min(
            (cost for (count, owed), cost in self.best.items() if count >= self.low and not owed), default=INFINITE
        )

    def _keep(self, fulfillable: int) -> None:
        self.best = {case: cost for case, cost in self.best.items() if not case[1] & ~fulfillable}
        self.cases += len(self.best)
        if self.cases > _MAX_CASES:
            raise UnsupportedSchemaError(
                f"{len(self.obligations.some)} choices about {len(self.plan.names)} properties are too much to decide",
                keyword="minProperties" if self.low else "properties",
                hint="write fewer conditions and dependencies about the same keys, or leave minProperties out",
            )

    def _name(self, index: int, needed: bool, owed: int) -> None:
        plan, reached = self.plan, dict[tuple[int, int], int]()
        choices = []
        if plan.permitted(index):
            for node, fulfilled in self.obligations.choices(index, owed):
                choices.append((plan.costs.member(index, self.distance_of(node)), fulfilled))
        if not needed:
            lacking = self.obligations.lacking[index]
            for (count, left), cost in self.best.items():
                _lower(reached, (count, left & ~lacking), cost)
        self._write(reached, choices)
        self.best = reached

    def _others(self, c: keys.KeyClass, owed: int, number: int) -> None:
        choices = [(c.distance + 2 + self.distance_of(n), f) for n, f in self.obligations.choices(c, owed)]
        for _ in range(number):
            reached = dict(self.best)
            self._write(reached, choices)
            if reached == self.best:
                break
            self.best = reached

    def _write(self, reached: dict[tuple[int, int], int], choices: list[tuple[int, int]]) -> None:
        cap = self.low if self.high is None else self.high
        for (count, left), cost in list(self.best.items()):
            for price, fulfilled in choices:
                if cost + price < INFINITE and (self.high is None or count < self.high):
                    _lower(reached, (min(count + 1, cap), left & ~fulfilled), cost + price)


def _lower(costs: dict[tuple[int, int], int], case: tuple[int, int], cost: int) -> None:
    if cost < costs.get(case, INFINITE):
        costs[case] = cost


def _union(masks: Iterator[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _add(found: dict[Literals, int], literals: Literals, owed: int) -> None:
    asked = frozenset((s, sign) for s, sign in literals if s.contents is not sign)  # true holds of every value
    found[asked] = found.get(asked, 0) | owed


def _open(asked: Asked, owed: int) -> Asked:
    """Leave out what fulfils nothing more than any value does."""
    always = dict(asked).get(NOTHING, 0) & owed
    return tuple(
        (literals, owed & fulfilled)
        for literals, fulfilled in asked
        if owed & fulfilled and (not literals or owed & fulfilled & ~always)
    )


def _cases(asked: Asked) -> Iterator[tuple[Literals, int, Literals]]:
    """Give what a value satisfies, what it fulfils, and the contrary of the rest, for each subset of what is asked."""
    always = dict(asked).get(NOTHING, 0)
    asked = tuple(one for one in asked if one[0])
    for taken in product((False, True), repeat=len(asked)):
        literals, fulfilled, contrary = NOTHING, always, NOTHING
        for (one, owed), holds in zip(asked, taken, strict=True):
            if holds:
                literals, fulfilled = literals | one, fulfilled | owed
            elif len(one) == 1:
                contrary |= {(schema, not sign) for schema, sign in one}
        yield literals, fulfilled, contrary


__all__ = ["Obligations"]
