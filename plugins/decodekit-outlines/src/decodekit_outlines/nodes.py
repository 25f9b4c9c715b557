"""Expressions over automata: sequence, choice, repeat, members of an object; compiled in bounded time and memory.

An expression is laid out as an automaton with silent moves, then made deterministic. Most of its states are those of
its leaves and stay as they are, copied as one table; only where paths meet are sets of states worked out, one by one
and counted, so that `.*a.{30}` ends with a message after a second and never takes gigabytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from decodekit.errors import SchemaError
from decodekit_outlines.automaton import MAX_STATES, NOTHING, Automaton, Bools, Ints, joint_classes, product, trim

MAX_SETS = 20_000
"""Most sets of states where paths meet."""
MAX_MEMBERS = 400_000
"""Most states in all these sets together."""
MAX_WORK = 5_000_000
"""Most states looked at while sets are joined; holds the time to a few seconds."""


@dataclass(frozen=True, slots=True)
class Literal:
    """Exactly these bytes."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Leaf:
    """The language of an automaton."""

    automaton: Automaton


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after another."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any of them; none accepts nothing."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`least` to `most` times, without end where `most` is None; `between` stands between two of them."""

    part: Node
    least: int
    most: int | None
    between: Node | None = None


@dataclass(frozen=True, slots=True)
class Members:
    """Parts in order, each required or not, with `between` between two that are there. Linear in their number."""

    parts: tuple[Node, ...]
    required: tuple[bool, ...]
    between: Node


Node: TypeAlias = "Literal | Leaf | Sequence | Choice | Repeat | Members"

EMPTY = Literal(b"")
NEVER = Choice(())


def sequence(*parts: Node) -> Node:
    """Concatenate."""
    return parts[0] if len(parts) == 1 else Sequence(parts)


def choice(*options: Node) -> Node:
    """Give any of `options`."""
    return options[0] if len(options) == 1 else Choice(options)


def both(one: Node, two: Node, *, without: bool = False) -> Node:
    """Intersect two expressions, or subtract the second from the first."""
    return Leaf(product(compile_node(one), compile_node(two), without=without))


def compile_node(node: Node) -> Automaton:
    """Make an expression deterministic.

    Raises:
        SchemaError: When it needs more states than the bounds of this module allow; the message has the numbers.
    """
    if isinstance(node, Leaf):
        return node.automaton
    layout = _Layout()
    start, end = layout.place(node)
    return _determinise(layout, start, end)


class _Layout:
    """The automaton with silent moves, while it is being laid out."""

    def __init__(self) -> None:
        self.size = 0
        self.blocks: list[tuple[int, Automaton]] = []
        self.letters: list[tuple[int, int, int]] = []
        self.silent: dict[int, list[int]] = {}

    def new(self, count: int = 1) -> int:
        first = self.size
        self.size += count
        if self.size > MAX_STATES:
            raise SchemaError(
                f"the expression needs more than {MAX_STATES} states",
                hint="lower bounds such as {1,1000}, maxLength and maxItems, or leave them out",
            )
        return first

    def link(self, source: int, target: int) -> None:
        self.silent.setdefault(source, []).append(target)

    def place(self, node: Node) -> tuple[int, int]:
        """Lay out `node`; give the state before and the state after it."""
        match node:
            case Literal(raw):
                first = self.new(len(raw) + 1)
                self.letters.extend((first + i, byte, first + i + 1) for i, byte in enumerate(raw))
                return first, first + len(raw)
            case Leaf(automaton):
                if not automaton.size:
                    return self.new(), self.new()
                first = self.new(automaton.size)
                end = self.new()
                self.blocks.append((first, automaton))
                for state in np.flatnonzero(automaton.final).tolist():
                    self.link(first + state, end)
                return first, end
            case Sequence(parts):
                start = end = self.new()
                for part in parts:
                    first, last = self.place(part)
                    self.link(end, first)
                    end = last
                return start, end
            case Choice(options):
                start, end = self.new(), self.new()
                for option in options:
                    first, last = self.place(option)
                    self.link(start, first)
                    self.link(last, end)
                return start, end
            case Repeat():
                return self._place_repeat(node)
            case Members():
                return self._place_members(node)

    def _place_repeat(self, node: Repeat) -> tuple[int, int]:
        start, end = self.new(), self.new()
        if node.least == 0:
            self.link(start, end)
        here, count, first = start, 0, start
        while count < max(node.least, 1) if node.most is None else count < node.most:
            if count and node.between is not None:
                first, last = self.place(node.between)
                self.link(here, first)
                here = last
            first, last = self.place(node.part)
            self.link(here, first)
            here, count = last, count + 1
            if count >= node.least:
                self.link(here, end)
        if node.most is None and node.between is None:
            self.link(here, first)
        elif node.most is None and node.between is not None:
            again, last = self.place(node.between)
            self.link(here, again)
            self.link(last, first)
        return start, end

    def _place_members(self, node: Members) -> tuple[int, int]:
        nothing_yet, some = self.new(), self.new()
        start = nothing_yet
        for part, required in zip(node.parts, node.required, strict=True):
            first, last = self.place(part)
            comma, comma_end = self.place(node.between)
            self.link(nothing_yet, first)
            self.link(some, comma)
            self.link(comma_end, first)
            next_nothing, next_some = self.new(), self.new()
            self.link(last, next_some)
            if not required:
                self.link(nothing_yet, next_nothing)
                self.link(some, next_some)
            nothing_yet, some = next_nothing, next_some
        end = self.new()
        self.link(nothing_yet, end)
        self.link(some, end)
        return start, end


def _determinise(layout: _Layout, start: int, end: int) -> Automaton:
    letters = np.array(layout.letters, np.int64).reshape(-1, 3)
    spelled = np.zeros(256, np.uint8)
    used = np.unique(letters[:, 1])
    if len(used) == 256:
        spelled = np.arange(256, dtype=np.uint8)
    else:
        spelled[used] = np.arange(1, len(used) + 1)
    different = {id(automaton): automaton.classes for _, automaton in layout.blocks}
    classes, letter = joint_classes([spelled, *different.values()])
    moves = np.full((layout.size, len(letter)), -1, np.int32)
    moves[letters[:, 0], classes[letters[:, 1]]] = letters[:, 2]
    tables: dict[int, Ints] = {}
    for first, automaton in layout.blocks:
        table = tables.setdefault(id(automaton), automaton.moves[:, automaton.classes[letter]])
        moves[first : first + automaton.size] = np.where(table >= 0, table + np.int32(first), -1)
    return _Sets(moves, layout.silent, end).run(start, classes)


class _Sets:
    """Subset construction in which a state that stands alone keeps its number and its row."""

    def __init__(self, moves: Ints, silent: dict[int, list[int]], end: int) -> None:
        self.moves, self.silent, self.end = moves, silent, end
        self.width = moves.shape[1]
        self.speaks: Bools = np.asarray((moves >= 0).any(axis=1))
        self.speaks[end] = True
        self.numbers: dict[frozenset[int], int] = {}
        self.sets: list[frozenset[int]] = []
        self.members = self.work = 0
        self.alone = np.arange(len(moves), dtype=np.int32)
        self.closures: dict[int, frozenset[int]] = {}

    def run(self, start: int, classes: Any) -> Automaton:
        for state in self.silent:
            self.alone[state] = self._number(self._closure(state))
        mute = np.flatnonzero(~self.speaks)
        loose = mute[self.alone[mute] == mute]
        self.alone[loose] = -1
        rows: list[Any] = []
        while len(rows) < len(self.sets):
            rows.append(self._row(self.sets[len(rows)]))
        base = np.where(self.moves >= 0, self.alone[self.moves], -1)
        first = int(self.alone[start])
        if first < 0:
            return NOTHING
        table = np.concatenate([base, np.array(rows, np.int32).reshape(-1, self.width)]).astype(np.int32)
        final = np.zeros(len(table), np.bool_)
        final[self.end] = True
        final[len(self.moves) :] = [self.end in members for members in self.sets]
        return trim(table, classes, final, first)

    def _closure(self, state: int) -> frozenset[int]:
        """Give the states with letters that `state` reaches silently."""
        known = self.closures.get(state)
        if known is None:
            seen, open_ = {state}, [state]
            while open_:
                for target in self.silent.get(open_.pop(), ()):
                    if target not in seen:
                        seen.add(target)
                        open_.append(target)
            self._count(len(seen))
            known = self.closures[state] = frozenset(s for s in seen if self.speaks[s])
        return known

    def _number(self, members: frozenset[int]) -> int:
        if not members:
            return -1
        if len(members) == 1:
            (only,) = members
            if only not in self.silent:
                return only
        found = self.numbers.get(members)
        if found is None:
            self.members += len(members)
            if len(self.sets) >= MAX_SETS or self.members > MAX_MEMBERS:
                raise _explosion(f"more than {MAX_SETS} sets of states, or {MAX_MEMBERS} states in them")
            found = self.numbers[members] = len(self.moves) + len(self.sets)
            self.sets.append(members)
        return found

    def _count(self, states: int) -> None:
        self.work += states
        if self.work > MAX_WORK:
            raise _explosion(f"joining sets of states looks at more than {MAX_WORK} of them")

    def _row(self, members: frozenset[int]) -> Any:
        ways = self.moves[list(members)]
        highest = ways.max(axis=0)
        row = np.where(highest >= 0, self.alone[highest], -1)
        meet = np.flatnonzero(((ways >= 0) & (ways != highest)).any(axis=0))
        if len(meet):
            for column, targets in zip(meet.tolist(), ways[:, meet].T.tolist(), strict=True):
                closures = [self._closure(t) for t in set(targets) if t >= 0]
                self._count(sum(map(len, closures)) + len(targets))
                joined: frozenset[int] = frozenset().union(*closures)
                row[column] = self._number(joined)
        return row


def _explosion(what: str) -> SchemaError:
    return SchemaError(
        f"the expression explodes: {what}",
        hint="parts of it can be read in too many ways at once, such as .*a.{30}; make them distinct or shorter",
    )


__all__ = [
    "EMPTY",
    "NEVER",
    "Choice",
    "Leaf",
    "Literal",
    "Members",
    "Node",
    "Repeat",
    "Sequence",
    "both",
    "choice",
    "compile_node",
    "sequence",
]
