"""Refusal of grammars that would take long: where very many ways to read one terminal must be kept apart.

*Not* a test of ambiguity, which cannot be decided: the places that a text reaches first are looked at, up to a bound.
"""

from __future__ import annotations

from collections import deque

from decodekit.errors import UnsupportedSchemaError
from decodekit_json.grammars.points import Grammar, Point

MOST_WAYS = 32
"""Most ways to read one terminal at one place; the time for a byte can grow with their square."""
_MOST_EDGES = 2_000
"""Edges that are looked at."""


def refuse_many_ways(grammar: Grammar) -> None:
    """Look at the places of a grammar.

    Raises:
        UnsupportedSchemaError: Where one of them has more than `MOST_WAYS` ways to read one terminal.
    """
    seen, queue, edges = {grammar.first}, deque([grammar.first]), 0
    while queue and edges < _MOST_EDGES:
        point = queue.popleft()
        edges += len(point.moves) + sum(len(grammar.network.edges[state]) for state in point.states)
        for pushes in point.moves.values():
            if len(pushes) > MOST_WAYS:
                raise _refusal(grammar, point, len(pushes))
            for after in dict.fromkeys(after for pushed in pushes for after in pushed):
                if after not in seen:
                    seen.add(after)
                    queue.append(after)


def _refusal(grammar: Grammar, point: Point, ways: int) -> UnsupportedSchemaError:
    network = grammar.network
    owners = dict.fromkeys(network.owner[state] for state in point.states)
    shown = ", ".join([network.names[rule] for rule in owners if rule != network.top][:3])
    return UnsupportedSchemaError(
        f"grammar: there are {ways} ways to read one terminal at one place, in the rules {shown} …; "
        f"at most {MOST_WAYS} are followed",
        hint="let optional parts that begin alike share one rule, or begin with different texts",
    )


__all__ = ["MOST_WAYS", "refuse_many_ways"]
