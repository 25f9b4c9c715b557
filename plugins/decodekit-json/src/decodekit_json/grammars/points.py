"""Where a parser can stand, by left corners: so left recursion costs nothing, and no stack grows without reading.

A call is a goal: a rule to be completed, or one of several after which the text goes on alike. The parser reads a
terminal that the goal can begin with, then whatever goes on in the rule that the terminal stands in; when that rule is
complete it is the left corner of others, up to the goal. After D. J. Rosenkrantz and P. M. Lewis, "Deterministic left
corner parsing", 1970. A point is a set of states within one goal, as in an LR parser. Everything is worked out when it
is visited.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from decodekit_json.grammars.network import Network
from decodekit_json.machine import Thread
from decodekit_json.plain_texts import PlainTerminal, plain_terminal
from decodekit_json.regular_operations import alt
from decodekit_json.terminal import INFINITE

Goal: TypeAlias = "frozenset[int]"
"""The rules of which one is to be completed."""

Pushes: TypeAlias = "tuple[Point, ...]"
"""Points that a call puts on a stack, the innermost last."""

_KEPT_LETTERS = 20_000
_KEPT_SETS = 4_096


class Point:
    """States of rules that are read within one goal.

    Args:
        grammar: The grammar.
        goal: The rules of which one is to be completed.
        raw: The states as they were reached.

    Attributes:
        states: Those from which something can be read, with what the rules that end here are left corners of.
        pops: Whether the goal is complete.
    """

    def __init__(self, grammar: Grammar, goal: Goal, raw: frozenset[int]) -> None:
        self.grammar, self.goal = grammar, goal
        network, climbs = grammar.network, grammar.climbs(goal)
        seen, stack = set(raw), [*raw]
        self.pops = False
        while stack:
            state = stack.pop()
            if network.final[state]:
                rule = network.owner[state]
                self.pops = self.pops or rule in goal
                for after in climbs.get(rule, ()):
                    if after not in seen:
                        seen.add(after)
                        stack.append(after)
        self.states = tuple(sorted(state for state in seen if network.edges[state]))

    def __deepcopy__(self, memo: object) -> Point:
        return self

    @cached_property
    def distance(self) -> int:
        """Fewest bytes to the end of the goal, at least one terminal being read."""
        network, up = self.grammar.network, self.grammar.corners(self.goal)
        return min(
            (
                network.step_cost(symbol) + network.rest[target] + up[network.owner[state]]
                for state in self.states
                for symbol, target in network.edges[state]
            ),
            default=INFINITE,
        )

    @cached_property
    def moves(self) -> dict[PlainTerminal, tuple[Pushes, ...]]:
        """The terminals that may come, each with what then stands below it."""
        grammar, network = self.grammar, self.grammar.network
        calls: dict[int, set[int]] = {}
        found: dict[PlainTerminal, dict[tuple[Goal, Pushes], set[int]]] = {}
        for state in self.states:
            for symbol, target in network.edges[state]:
                if isinstance(symbol, int):
                    calls.setdefault(symbol, set()).add(target)
                else:
                    found.setdefault(symbol, {}).setdefault((self.goal, ()), set()).add(target)
        goals: dict[Pushes, set[int]] = {}
        for rule, targets in calls.items():
            back = grammar.point(self.goal, targets)
            goals.setdefault((back,) if back.states else (), set()).add(rule)
        for base, rules in goals.items():
            goal = frozenset(rules)
            for terminal, states in grammar.openings(goal).items():
                found.setdefault(terminal, {}).setdefault((goal, base), set()).update(states)
        moves: dict[PlainTerminal, tuple[Pushes, ...]] = {}
        for terminal, groups in found.items():
            pushes: dict[Pushes, None] = {}
            for (goal, base), states in groups.items():
                top = grammar.point(goal, states)
                pushes[(*base, top) if top.states else base] = None
            moves[terminal] = tuple(pushes)
        return self._merged(moves)

    def _merged(self, moves: dict[PlainTerminal, tuple[Pushes, ...]]) -> dict[PlainTerminal, tuple[Pushes, ...]]:
        """Read terminals after which the same may come as one: there may be thousands of keywords."""
        groups: dict[tuple[Pushes, ...] | PlainTerminal, list[PlainTerminal]] = {}
        for terminal, pushes in moves.items():
            groups.setdefault(terminal if terminal is self.grammar.network.ignored else pushes, []).append(terminal)
        merged: dict[PlainTerminal, tuple[Pushes, ...]] = {}
        for group in groups.values():
            one = group[0] if len(group) == 1 else plain_terminal(alt(*(terminal.expression for terminal in group)))
            merged[one] = moves[group[0]]
        return merged

    @cached_property
    def by_byte(self) -> dict[int, tuple[tuple[PlainTerminal, tuple[Pushes, ...]], ...]]:
        """The moves by the bytes that begin them."""
        found: dict[int, list[tuple[PlainTerminal, tuple[Pushes, ...]]]] = {}
        for terminal, pushes in self.moves.items():
            for byte in self.grammar.bytes_of(self.grammar.begins(terminal)):
                found.setdefault(byte, []).append((terminal, pushes))
        return {byte: tuple(some) for byte, some in found.items()}

    @cached_property
    def letters(self) -> int:
        """The bytes that may follow, one bit each."""
        return sum(1 << byte for byte in self.by_byte)

    @cached_property
    def only_ignored(self) -> bool:
        """Whether nothing but what is ignored may follow."""
        return all(terminal is self.grammar.network.ignored for terminal in self.moves)


class _Kept(Thread):
    """A thread that lives as long as something uses it."""

    __slots__ = ("__weakref__",)


class Grammar:
    """A grammar as it is visited: its points, and the threads that stand in it.

    Args:
        network: The rules.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._points: dict[tuple[Goal, frozenset[int]], Point] = {}
        self._closed: dict[tuple[Goal, tuple[int, ...], bool], Point] = {}
        self._corners: dict[Goal, dict[int, int]] = {}
        self._climbs: dict[Goal, dict[int, tuple[int, ...]]] = {}
        self._openings: dict[Goal, dict[PlainTerminal, frozenset[int]]] = {}
        self._letters: dict[tuple[PlainTerminal, Any], int] = {}
        self._threads: WeakValueDictionary[tuple[Any, int], _Kept] = WeakValueDictionary()

    def __deepcopy__(self, memo: object) -> Grammar:
        return self

    @cached_property
    def first(self) -> Point:
        """The point before the text."""
        return self.point(frozenset((self.network.top,)), (self.network.first[self.network.top],))

    def point(self, goal: Goal, states: Iterable[int]) -> Point:
        """Give the point of some states; the same one for the same states."""
        key = (goal, frozenset(states))
        found = self._points.get(key)
        if found is None:
            made = Point(self, *key)
            found = self._points[key] = self._closed.setdefault((goal, made.states, made.pops), made)
        return found

    def corners(self, goal: Goal) -> dict[int, int]:
        """Give the rules that a goal can begin with, each with the fewest bytes from its end to the goal's."""
        known = self._corners.get(goal)
        if known is not None:
            return known
        network = self.network
        found, queue = dict.fromkeys(goal, 0), [(0, rule) for rule in goal]
        while queue:
            far, rule = heapq.heappop(queue)
            if far > found[rule]:
                continue
            for symbol, target in network.edges[network.first[rule]]:
                if isinstance(symbol, int):
                    reached = far + network.rest[target]
                    if reached < found.get(symbol, INFINITE):
                        found[symbol] = reached
                        heapq.heappush(queue, (reached, symbol))
        self._corners[goal] = found
        return found

    def climbs(self, goal: Goal) -> dict[int, tuple[int, ...]]:
        """Give the states that follow a complete rule as the left corner of another, within a goal."""
        known = self._climbs.get(goal)
        if known is None:
            network, found = self.network, dict[int, list[int]]()
            for rule in self.corners(goal):
                for symbol, target in network.edges[network.first[rule]]:
                    if isinstance(symbol, int):
                        found.setdefault(symbol, []).append(target)
            known = self._climbs[goal] = {rule: tuple(states) for rule, states in found.items()}
        return known

    def openings(self, goal: Goal) -> dict[PlainTerminal, frozenset[int]]:
        """Give the terminals that a goal can begin with, each with the states behind it."""
        known = self._openings.get(goal)
        if known is None:
            network, found = self.network, dict[PlainTerminal, set[int]]()
            for rule in self.corners(goal):
                for symbol, target in network.edges[network.first[rule]]:
                    if not isinstance(symbol, int):
                        found.setdefault(symbol, set()).add(target)
            known = self._openings[goal] = {terminal: frozenset(states) for terminal, states in found.items()}
        return known

    def begins(self, terminal: PlainTerminal) -> int:
        """Give the bytes that begin a terminal, one bit each."""
        return self.letters(terminal, terminal.start())

    def letters(self, terminal: PlainTerminal, state: Any) -> int:
        """Give the bytes that a terminal goes on with, one bit each."""
        key = (terminal, state)
        found = self._letters.get(key)
        if found is None:
            found = terminal.letters(state)
            if len(self._letters) >= _KEPT_LETTERS:
                self._letters.clear()
            self._letters[key] = found
        return found

    @staticmethod
    @lru_cache(maxsize=_KEPT_SETS)
    def bytes_of(letters: int) -> bytes:
        """Give the bytes of a set of bits."""
        return bytes(byte for byte in range(256) if letters >> byte & 1)

    def thread(self, place: Any, below: Thread | None) -> Thread:
        """Give a thread; equal ones on the same thread are one, so that deep stacks are compared by identity."""
        key = (place, id(below))
        found = self._threads.get(key)
        if found is None:
            found = _Kept(place, below)
            self._threads[key] = found
            _ = found.distance, found.ceiling  # worked out while what is below has theirs: stacks may be deep
        return found


__all__ = ["Grammar", "Point", "Pushes"]
