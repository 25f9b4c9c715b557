"""The rules of a grammar as automata that call one another, without what cannot be written, with fewest bytes.

No rule is called for the empty text: a place that a rule may leave empty can be passed by, so every call reads a
terminal. The fewest bytes are the least fixed point of D. Knuth, "A generalization of Dijkstra's algorithm", 1977.
"""

from __future__ import annotations

import heapq
from functools import cache

from decodekit.errors import SchemaError, UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit_json.grammars.automata import MAX_STATES, Symbol, automaton
from decodekit_json.grammars.operators import flattened
from decodekit_json.grammars.syntax import Body, Either, Leaf, Name, Row, Source, Spot, Text, Times
from decodekit_json.grammars.terminals import Terminals
from decodekit_json.plain_texts import PlainTerminal, plain_terminal
from decodekit_json.regular_operations import alt, repeat
from decodekit_json.terminal import INFINITE

_TOP = Spot(1, 1)


class Network:
    """The automata of all rules; states and rules have numbers. The last rule reads the whole text.

    Args:
        source: The grammar.
        start: The rule that a text follows.

    Attributes:
        edges: Symbols and targets, by state.
        final: Whether the rule may end, by state.
        owner: The rule, by state.
        first: The first state, by rule.
        rest: Fewest bytes to the end of the rule, by state.
        ignored: What may stand between terminals, once or more often; None for nothing.
        top: The number of the rule that reads the whole text.

    Raises:
        SchemaError: For a name that is not defined.
        UnsatisfiableSchemaError: Where no text follows the rule.
    """

    def __init__(self, source: Source, start: str) -> None:
        if start not in source.rules:
            raise SchemaError(
                f"grammar: the rule {start} is not defined",
                hint=f"name one of {', '.join([*source.rules][:8]) or 'your rules'} as start",
            )
        self.source, self.terminals = source, Terminals(source.terminals)
        self.names = [*source.rules]
        self.numbers = {name: number for number, name in enumerate(self.names)}
        self.ignored = self._ignored()
        self.nullable = self._nullable()
        self.edges: list[list[tuple[Symbol, int]]] = []
        self.final: list[bool] = []
        self.owner: list[int] = []
        self.first: list[int] = []
        for definition in source.rules.values():
            self._add(flattened(definition))
        self.top = len(self.first)
        self._add_top(self.numbers[start], start in self.nullable)
        self.rest = self._settled()
        if self.rest[self.first[self.top]] >= INFINITE:
            raise UnsatisfiableSchemaError(
                f"grammar: no text follows the rule {start}", hint="a recursive rule needs an alternative that ends it"
            )
        self._prune()

    def __deepcopy__(self, memo: object) -> Network:
        return self

    def _ignored(self) -> PlainTerminal | None:
        if not self.source.ignored:
            return None
        parts = [self.terminals.terminal(body, _spot(body)) for body in self.source.ignored]
        return plain_terminal(repeat(alt(*(part.expression for part in parts)), 1, None))

    def _nullable(self) -> frozenset[str]:
        found: set[str] = set()
        users: dict[str, set[str]] = {}
        for name, definition in self.source.rules.items():
            for used in _names(definition.body):
                if used.name in self.numbers:
                    users.setdefault(used.name, set()).add(name)
        queue = [*self.names]
        while queue:
            name = queue.pop()
            if name not in found and _empty(self.source.rules[name].body, found):
                found.add(name)
                queue += users.get(name, ())
        return frozenset(found)

    def _symbol(self, leaf: Leaf) -> tuple[Symbol, bool] | None:
        if isinstance(leaf, Name) and leaf.name.lstrip("_")[:1].islower():
            if leaf.name not in self.numbers:
                raise leaf.at.error(f"the rule {leaf.name} is not defined")
            return self.numbers[leaf.name], leaf.name in self.nullable
        terminal = self.terminals.terminal(leaf, _spot(leaf))
        return (terminal, False) if terminal.start() is not None else None

    def _add(self, body: Body) -> None:
        made = automaton(body, self._symbol)
        base = len(self.edges)
        if base + len(made.edges) > MAX_STATES:
            raise UnsupportedSchemaError(
                f"grammar: the rules come to more than {MAX_STATES} places",
                hint="write repeats without a count, or fewer",
            )
        self.edges += [[(symbol, base + target) for symbol, target in row] for row in made.edges]
        self.final += made.final
        self.owner += [len(self.first)] * len(made.edges)
        self.first.append(base)

    def _add_top(self, start: int, nullable: bool) -> None:
        base = len(self.edges)
        begun: list[tuple[Symbol, int]] = [(start, base + 1)]
        ending: list[tuple[Symbol, int]] = [] if self.ignored is None else [(self.ignored, base + 2)]
        self.edges += [begun + (ending if nullable else []), ending, []]
        self.final += [nullable, True, True]
        self.owner += [self.top] * 3
        self.first.append(base)

    def cost(self, symbol: Symbol, fewest: list[int]) -> int:
        """Give the fewest bytes of a symbol."""
        if isinstance(symbol, int):
            return fewest[symbol]
        start = symbol.start()
        return INFINITE if start is None else symbol.distance(start)

    def _settled(self) -> list[int]:
        """Give the fewest bytes from each state to the end of its rule."""
        costs = cache(lambda terminal: self.cost(terminal, []))
        into: list[list[tuple[Symbol, int]]] = [[] for _ in self.edges]
        users: list[set[int]] = [set() for _ in self.first]
        for state, row in enumerate(self.edges):
            for symbol, target in row:
                into[target].append((symbol, state))
                if isinstance(symbol, int):
                    users[symbol].add(self.owner[state])
        fewest = [INFINITE] * len(self.first)
        rest = [INFINITE] * len(self.edges)
        ranges = [*zip(self.first, [*self.first[1:], len(self.edges)], strict=True)]
        waiting = dict.fromkeys(range(len(self.first)))
        while waiting:
            rule = next(iter(waiting))
            del waiting[rule]
            queue = list[tuple[int, int]]()
            for state in range(*ranges[rule]):
                rest[state] = 0 if self.final[state] else INFINITE
                if self.final[state]:
                    queue.append((0, state))
            while queue:
                far, state = heapq.heappop(queue)
                if far > rest[state]:
                    continue
                for symbol, before in into[state]:
                    step = fewest[symbol] if isinstance(symbol, int) else costs(symbol)
                    if far + step < rest[before]:
                        rest[before] = far + step
                        heapq.heappush(queue, (far + step, before))
            first = self.first[rule]
            read = [(fewest[s] if isinstance(s, int) else costs(s)) + rest[target] for s, target in self.edges[first]]
            if min(read, default=INFINITE) < fewest[rule]:
                fewest[rule] = min(read)
                waiting.update(dict.fromkeys(users[rule]))
        self.fewest, self.costs = fewest, costs
        return rest

    def _prune(self) -> None:
        for state, row in enumerate(self.edges):
            self.edges[state] = [(s, t) for s, t in row if self.step_cost(s) + self.rest[t] < INFINITE]

    def step_cost(self, symbol: Symbol) -> int:
        """Give the fewest bytes of a symbol that is not empty."""
        return self.fewest[symbol] if isinstance(symbol, int) else self.costs(symbol)


def _spot(body: Body) -> Spot:
    match body:
        case Row() | Either():
            inner = body.items if isinstance(body, Row) else body.options
            return _spot(inner[0]) if inner else _TOP
        case Text() | Name() | Times():
            return body.at
        case _:
            return getattr(body, "at", _TOP)


def _names(body: Body) -> list[Name]:
    match body:
        case Name():
            return [body]
        case Row() | Either():
            inner = body.items if isinstance(body, Row) else body.options
            return [name for item in inner for name in _names(item)]
        case Times():
            return _names(body.item)
        case _:
            return []


def _empty(body: Body, nullable: set[str]) -> bool:
    match body:
        case Name():
            return body.name in nullable
        case Row():
            return all(_empty(item, nullable) for item in body.items)
        case Either():
            return any(_empty(option, nullable) for option in body.options)
        case Times():
            return body.least == 0 or _empty(body.item, nullable)
        case _:
            return False


__all__ = ["Network"]
