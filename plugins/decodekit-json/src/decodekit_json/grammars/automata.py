"""From a rule's body to an automaton over symbols, by subsets of Thompson's construction.

Where alternatives begin alike they share states, so a parser does not have to guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from decodekit.errors import UnsupportedSchemaError
from decodekit_json.grammars.syntax import Body, Either, Leaf, Row, Times
from decodekit_json.plain_texts import PlainTerminal

Symbol: TypeAlias = "PlainTerminal | int"
"""A terminal, or the number of a rule."""

MAX_STATES = 100_000
"""Most states that the rules of one grammar may come to; counted repeats are unrolled."""
_SMALL = 256
_BLOWN_UP = 4


@dataclass(slots=True)
class Automaton:
    """States by number, the first is 0; several edges of a state may have the same symbol.

    Attributes:
        edges: Symbols and targets, by state.
        final: Whether the rule may end, by state.
    """

    edges: list[list[tuple[Symbol, int]]] = field(default_factory=list[list[tuple[Symbol, int]]])
    final: list[bool] = field(default_factory=list[bool])


class _Thompson:
    def __init__(self, symbols: Callable[[Leaf], tuple[Symbol, bool] | None]) -> None:
        self.symbols = symbols
        self.free: list[list[int]] = [[]]
        self.moves: list[list[tuple[Symbol, int]]] = [[]]

    def state(self, *before: int) -> int:
        if len(self.free) >= MAX_STATES:
            raise UnsupportedSchemaError(
                f"grammar: a rule comes to more than {MAX_STATES} places",
                hint="write repeats without a count, or fewer",
            )
        self.free.append([])
        self.moves.append([])
        for state in before:
            self.free[state].append(len(self.free) - 1)
        return len(self.free) - 1

    def build(self, body: Body, at: int) -> int:
        """Add a body that begins at a state; give the state where it ends."""
        match body:
            case Row():
                for item in body.items:
                    at = self.build(item, at)
                return at
            case Either():
                ends = [self.build(option, self.state(at)) for option in body.options]
                return self.state(*ends)
            case Times():
                return self._times(body, at)
            case _:
                return self._leaf(body, at)

    def _leaf(self, leaf: Leaf, at: int) -> int:
        end, found = self.state(), self.symbols(leaf)
        if found is not None:
            symbol, nullable = found
            self.moves[at].append((symbol, end))
            if nullable:
                self.free[at].append(end)
        return end

    def _times(self, body: Times, at: int) -> int:
        for _ in range(body.least):
            at = self.build(body.item, at)
        if body.most is None:
            loop = self.state(at)
            self.free[self.build(body.item, loop)].append(loop)
            return self.state(loop)
        ends = [at]
        for _ in range(body.most - body.least):
            at = self.build(body.item, self.state(at))
            ends.append(at)
        return self.state(*ends)


def automaton(body: Body, symbols: Callable[[Leaf], tuple[Symbol, bool] | None]) -> Automaton:
    """Build the automaton of a body.

    Args:
        body: What a rule stands for.
        symbols: Gives the symbol of a leaf, and whether it may be empty; None for what cannot be written.

    Raises:
        UnsupportedSchemaError: For more than `MAX_STATES` places.
    """
    built = _Thompson(symbols)
    end = built.build(body, built.state(0))
    known: dict[int, frozenset[int]] = {}

    def reached(states: Iterable[int]) -> frozenset[int]:
        """Give what is reached without a symbol, as far as something begins or ends there."""
        found: set[int] = set()
        for state in states:
            if state not in known:
                known[state] = _reached(built, state, end)
            found |= known[state]
        return frozenset(found)

    limit = max(_SMALL, _BLOWN_UP * len(built.free))
    return _subsets(built, end, reached, limit) or _plain(built, end, reached)


def _reached(built: _Thompson, state: int, end: int) -> frozenset[int]:
    seen, stack = {state}, [state]
    while stack:
        for after in built.free[stack.pop()]:
            if after not in seen:
                seen.add(after)
                stack.append(after)
    return frozenset(one for one in seen if built.moves[one] or one == end)


def _subsets(
    built: _Thompson, end: int, reached: Callable[[Iterable[int]], frozenset[int]], limit: int
) -> Automaton | None:
    made = Automaton()
    first = reached((0,))
    numbers, queue = {first: 0}, [first]
    for subset in queue:
        targets: dict[Symbol, set[int]] = {}
        for state in subset:
            for symbol, target in built.moves[state]:
                targets.setdefault(symbol, set()).add(target)
        row: list[tuple[Symbol, int]] = []
        for symbol, states in targets.items():
            after = reached(states)
            if after not in numbers:
                if len(numbers) >= limit:
                    return None
                numbers[after] = len(queue)
                queue.append(after)
            row.append((symbol, numbers[after]))
        made.edges.append(row)
        made.final.append(end in subset)
    return made


def _plain(built: _Thompson, end: int, reached: Callable[[Iterable[int]], frozenset[int]]) -> Automaton:
    """Keep the states as they are, where subsets are too many."""
    made = Automaton()
    for state in range(len(built.free)):
        subset = reached((state,))
        row = {(symbol, target) for one in subset for symbol, target in built.moves[one]}
        made.edges.append(sorted(row, key=lambda edge: edge[1]))
        made.final.append(end in subset)
    return made


__all__ = ["MAX_STATES", "Automaton", "Symbol", "automaton"]
