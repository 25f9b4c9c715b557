"""Nodes: what must hold at a place of a document, lowered when it is first needed, with the fewest bytes it takes.

A node is a conjunction of literals; its plans are ways to write a value (a terminal, an array, an object), at least one
of which every value follows. Distances come from the least fixed point over the parts that a value must have
(Knuth 1977), so that recursion ends and what cannot be written at all is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import distinct
from decodekit_json.caching import Limited
from decodekit_json.fixed import fixed_texts
from decodekit_json.groups import ArrayGroup, Literals, ObjectGroup, PlainGroup, StringGroup
from decodekit_json.machine import Outlook, Reading, begin_terminal
from decodekit_json.number_range import NumberRange
from decodekit_json.numbers import number_terminal
from decodekit_json.terminal import INFINITE, Terminal
from decodekit_json.texts import terminal_of

if TYPE_CHECKING:
    from decodekit_json.before import Before
    from decodekit_json.lowering import Group, Lowering
    from decodekit_json.machine import Thread, Threads
    from decodekit_json.whitespace import Policy, Whitespace

Distances: TypeAlias = "Callable[[Node], int]"

_MOST_COUNTED = 64
"""Most values that are counted: arrays that must have more items that differ are not looked into."""
_KEPT = 256
MAX_NODES = 200_000
"""Most nodes that one schema may come to."""


class TerminalPlan:
    """A value that is a single terminal.

    Args:
        terminal: Its texts.
    """

    __slots__ = ("distance", "terminal")

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        start = terminal.start()
        self.distance = INFINITE if start is None else terminal.distance(start)

    def mandatory(self) -> Iterable[Node]:
        """Give the nodes that every such value has."""
        return ()

    def least(self, distance_of: Distances) -> int:
        """Give the fewest bytes of such a value."""
        return self.distance

    def open_ended(self) -> bool:
        """Say whether nothing inside it has to be watched: it has no parts."""
        return True

    def endless(self) -> bool:
        """Say whether there are more such values than any text has."""
        start = self.terminal.start()
        return start is not None and distinct.many(Reading(self.terminal, start))

    def holds(self) -> Iterable[Node]:
        """Give the nodes any value of which makes such a value longer: it has no parts."""
        return ()

    def some_values(self) -> int:
        """Give a number of such values that there are at least."""
        start = self.terminal.start()
        return 0 if start is None else self.terminal.count(start, _MOST_COUNTED)

    def enough(self, enough_of: Distances) -> int:
        """Give a number of bytes that is enough for such a value, whatever its parts must differ from: it has none."""
        return self.distance

    def begin(self, byte: int, depth: int, below: Thread | None, text: bytes | None, whitespace: Whitespace) -> Threads:
        """Give the threads after the first byte."""
        return begin_terminal(self.terminal, byte, below, text)


class Node:
    """What must hold at a place. Compared by identity; `Nodes` makes equal ones once.

    Args:
        nodes: All nodes of the schema.
        literals: What must hold.
    """

    __slots__ = ("__dict__", "_outlooks", "_places", "known", "literals", "nodes")

    def __init__(self, nodes: Nodes, literals: Literals) -> None:
        self.nodes, self.literals = nodes, literals
        self.known: int | None = None
        self._outlooks: dict[tuple[Policy, int], Outlook | None] = Limited(_KEPT)
        self._places: dict[tuple[type[Before], int, int, Policy], Before] = Limited(_KEPT)

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """Give the ways to write a value."""
        found: list[Plan] = []
        texts: set[bytes] = set()
        lowering = self.nodes.lowering
        for kind in lowering.types(self.literals):
            for group in lowering.groups(kind, self.literals):
                if isinstance(group, PlainGroup):
                    texts |= group.texts
                else:
                    try:
                        found += self.nodes.plans_of(group)
                    except UnsupportedSchemaError as error:
                        raise error.at(*self._place(_TROUBLE.get(type(group), ""))) from None
        if texts:
            found.append(self.nodes.plan_of_texts(frozenset(texts)))
        return tuple(found)

    def _place(self, keyword: str) -> tuple[str, str]:
        """Give a keyword with a pointer to a schema here that has it, or to any."""
        pointers = {schema.pointer for schema, _ in self.literals}
        having = {s.pointer for s, _ in self.literals if isinstance(s.contents, dict) and keyword in s.contents}
        return keyword, min(having or pointers, key=len, default="#")

    @property
    def distance(self) -> int:
        """Give the fewest bytes of a value, `INFINITE` where there is none."""
        if self.known is None:
            _settle(self)
        assert self.known is not None
        return self.known

    @cached_property
    def openings(self) -> tuple[tuple[int, tuple[Plan, ...]], ...]:
        """Give the bytes that a value may begin with, each with its plans; those without a value are left out."""
        from decodekit_json.objects import ObjectPlan

        found: dict[int, list[Plan]] = {}
        for plan in self.plans:
            if isinstance(plan, TerminalPlan):
                start = plan.terminal.start()
                if start is not None:
                    for byte in _BEGINNINGS:
                        if plan.terminal.step(start, byte) is not None:
                            found.setdefault(byte, []).append(plan)
            elif plan.least(node_distance) < INFINITE:
                found.setdefault(0x7B if isinstance(plan, ObjectPlan) else 0x5B, []).append(plan)
        return tuple((byte, tuple(plans)) for byte, plans in found.items())

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """Give the terminals that a value may be, before their first byte."""
        terminals = [plan.terminal for plan in self.plans if isinstance(plan, TerminalPlan)]
        return tuple(Reading(t, start) for t in terminals if (start := t.start()) is not None)

    @cached_property
    def brackets(self) -> tuple[int, ...]:
        """Give the brackets that a value may begin with."""
        return tuple(byte for byte, _ in self.openings if byte in _BRACKETS)

    def before(self, kind: type[Before], whitespace: Whitespace, depth: int, gap: int = 0) -> Before:
        """Give the place before a value; the same one each time, so that what is noted there is found again.

        Args:
            kind: Which place.
            whitespace: What may stand between parts.
            depth: How many brackets are open.
            gap: What whitespace was written.
        """
        key = (kind, depth, gap, whitespace.policy)
        try:
            return self._places[key]
        except KeyError:
            found = self._places[key] = kind(self, depth, gap, whitespace)
            return found

    def outlook(self, whitespace: Whitespace, depth: int, above: tuple[Node, ...] = ()) -> Outlook | None:
        """Say what tokens can tell of the values; None where they may tell them from those of all other nodes.

        Args:
            whitespace: What may stand between parts.
            depth: How many brackets are open.
            above: The nodes of the arrays that a value is an item of.
        """
        if above:
            return self._outlook(whitespace, depth, above)
        key = (whitespace.policy, depth)
        try:
            return self._outlooks[key]
        except KeyError:
            found = self._outlooks[key] = self._outlook(whitespace, depth, above)
            return found

    def _outlook(self, whitespace: Whitespace, depth: int, above: tuple[Node, ...]) -> Outlook | None:
        if not self.brackets:
            return Outlook(self.readings, True, False)
        if whitespace.indent is not None or len(above) > _MOST_ABOVE:
            return None
        if self in above:
            return Outlook(len(above) - above.index(self), True, True)
        looks = [plan.outlook(whitespace, depth + 1, (*above, self)) for plan in self._bracketed]
        known = [look.key for look in looks if look is not None]
        return Outlook((self.readings, *known), True, True) if len(known) == len(looks) else None

    def reach(self, above: tuple[Node, ...] = ()) -> int:
        """Give a number of bytes that is enough from wherever one token leads in a value; see `Place.reach`."""
        if not above:
            return self._reach
        return 0 if self in above else max([plan.reach((*above, self)) for plan in self._bracketed], default=0)

    @cached_property
    def _reach(self) -> int:
        return max([plan.reach((self,)) for plan in self._bracketed], default=0)

    @cached_property
    def _bracketed(self) -> list[ArrayPlan | ObjectPlan]:
        plans = (plan for byte, plans in self.openings if byte in _BRACKETS for plan in plans)
        return [plan for plan in plans if not isinstance(plan, TerminalPlan)]

    @cached_property
    def canonical(self) -> Node:
        """Give the first node with the same ways to write a value."""
        return self.nodes.shapes.setdefault(self.plans, self)


_BRACKETS = b"[{"
_MOST_ABOVE = 4
_TROUBLE = {StringGroup: "pattern", ObjectGroup: "minProperties", NumberRange: "multipleOf", ArrayGroup: "contains"}
"""The keyword that makes a plan of a group too large."""
_BEGINNINGS = tuple(b'"-0123456789tfn')


def node_distance(node: Node) -> int:
    """Give the fewest bytes of a node's values, for a node that may be worked out."""
    return node.distance


def _settle(root: Node) -> None:
    """Work out the distances of a node and of all that it must have."""
    order: list[Node] = []
    seen: set[Node] = {root}
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
            continue
        stack.append((node, True))
        for plan in node.plans:
            for child in plan.mandatory():
                if child.known is None and child not in seen:
                    seen.add(child)
                    stack.append((child, False))
    guess = dict.fromkeys(order, INFINITE)

    def distance_of(node: Node) -> int:
        return guess[node] if node.known is None else node.known

    changed = True
    while changed:
        changed = False
        for node in order:
            best = min([plan.least(distance_of) for plan in node.plans], default=INFINITE)
            if best < guess[node]:
                guess[node], changed = best, True
    for node, distance in guess.items():
        node.known = min(distance, INFINITE)


class Nodes:
    """All nodes of one schema.

    Args:
        lowering: Makes groups of literals.
        any_order: Whether an object's keys may come in any order.
    """

    def __init__(self, lowering: Lowering, any_order: bool) -> None:
        self.lowering, self.any_order = lowering, any_order
        self.shapes: dict[tuple[Plan, ...], Node] = {}
        self._nodes: dict[Literals, Node] = {}
        self._plans: dict[object, tuple[Plan, ...]] = {}

    def node(self, literals: Literals) -> Node:
        """Give the node of a conjunction."""
        found = self._nodes.get(literals)
        if found is None:
            if len(self._nodes) >= MAX_NODES:
                raise UnsupportedSchemaError(
                    f"the schema comes to more than {MAX_NODES} different places", hint="split the schema"
                )
            found = self._nodes[literals] = Node(self, literals)
        return found

    def plans_of(self, group: Group) -> tuple[Plan, ...]:
        """Give the ways to write a value of a group."""
        from decodekit_json.arrays import ArrayPlan
        from decodekit_json.equal import EqualPlan
        from decodekit_json.objects import ObjectPlan

        found = self._plans.get(group)
        if found is None:
            plan: Plan | None
            if isinstance(group, StringGroup):
                terminal = terminal_of(group)
                plan = TerminalPlan(terminal) if terminal is not None else None
            elif isinstance(group, NumberRange):
                plan = TerminalPlan(number_terminal(group))
            elif isinstance(group, ArrayGroup):
                plan = EqualPlan(self, group) if group.repeated else ArrayPlan(self, group)
            else:
                assert isinstance(group, ObjectGroup)
                plan = ObjectPlan(self, group)
            found = self._plans[group] = () if plan is None else (plan,)
        return found

    def plan_of_texts(self, texts: frozenset[bytes]) -> Plan:
        """Give the way to write one of some fixed texts."""
        found = self._plans.get(texts)
        if found is None:
            found = self._plans[texts] = (TerminalPlan(fixed_texts(texts)),)
        return found[0]


if TYPE_CHECKING:
    from decodekit_json.arrays import ArrayPlan
    from decodekit_json.objects import ObjectPlan

    Plan: TypeAlias = TerminalPlan | ArrayPlan | ObjectPlan

__all__ = ["Node", "Nodes", "TerminalPlan", "node_distance"]
