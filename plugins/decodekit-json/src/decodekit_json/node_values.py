"""The values of a node: all of them where they are few, a shortest one, whether more are left than are taken.

Asked where items of an array must differ: their number is bounded where their values are not endless.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any

from decodekit_json.before import Value
from decodekit_json.machine import Thread
from decodekit_json.possible_values import PLENTY, Bottom, possible_values
from decodekit_json.terminal import INFINITE
from decodekit_json.whitespace import Whitespace

if TYPE_CHECKING:
    from decodekit_json.nodes import Node

_MANY_NODES = 1000
_MAX_TRIED = 20_000
"""Most steps of a search for the values of an item, when a schema is compiled."""


def _started(node: Node) -> list[Thread]:
    place = Value(node, 0, 0, Whitespace("compact"))
    return [Thread(place, Thread(Bottom(), None), b"")]


def values_of(node: Node, enough: int) -> frozenset[Any] | None:
    """Give the values of a node, None where there are `enough`.

    Raises:
        UnsupportedSchemaError: For a search past its bound.
    """
    if node.distance >= INFINITE:
        return frozenset()
    found = set[Any]()
    for value in possible_values(_started(node), 0, enough, _MAX_TRIED):
        found.add(value)
        if value is PLENTY or len(found) >= enough:
            return None
    return frozenset(found)


def shortest(node: Node) -> bytes | None:
    """Give a text of a node that is as short as can be; None where a search by the distances does not find it."""
    order = count(0, -1)  # of equals the one that has come farthest
    queue = [(node.distance, next(order), thread) for thread in _started(node)]
    while queue:
        _, number, thread = heappop(queue)
        text = thread.text
        assert text is not None
        if isinstance(thread.place, Bottom):
            return text
        if number < -_MAX_TRIED:
            return None
        for byte in sorted(thread.place.bytes(), reverse=True):  # 0 rather than 9
            for after in thread.step(byte):
                heappush(queue, (len(text) + 1 + after.distance, next(order), after))
    return None


def has_value(node: Node, bans: int, accepts: Callable[[Any], bool]) -> bool:
    """Say whether a node has an acceptable value, where at most `bans` are not."""
    return any(value is PLENTY or accepts(value) for value in possible_values(_started(node), 0, bans, INFINITE))


def has_more(node: Node, number: int) -> bool:
    """Say whether a node has more than a number of values."""
    found = enumerate(possible_values(_started(node), 0, number, INFINITE), 1)
    return any(value is PLENTY or many > number for many, value in found)


def endless(node: Node) -> bool:
    """Say whether a node has at least `MANY` values; False where that is not known."""
    found = node.__dict__.get("endless")
    if found is None:
        node.__dict__["endless"] = False  # a schema that contains itself
        found = node.__dict__["endless"] = node.distance < INFINITE and (
            _holds_itself(node) or any(plan.endless() for plan in node.plans)
        )
    return bool(found)


def some_values(node: Node) -> int:
    """Give a number of values that a node has at least."""
    return max((plan.some_values() for plan in node.plans if plan.least(_distance) < INFINITE), default=0)


def _distance(node: Node) -> int:
    return node.distance


def _holds_itself(node: Node) -> bool:
    """Say whether values of a node can stand in longer ones, whichever they are; False past a bound."""
    pending: list[Node] = [node]
    seen: set[Node] = set()
    while pending and len(seen) < _MANY_NODES:
        for plan in pending.pop().plans:
            for inner in plan.holds():
                if inner.canonical is node.canonical:
                    return True
                if inner.canonical not in seen:
                    seen.add(inner.canonical)
                    pending.append(inner)
    return False


__all__ = ["endless", "has_more", "has_value", "shortest", "some_values", "values_of"]
