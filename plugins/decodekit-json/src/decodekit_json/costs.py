"""How many bytes texts of an expression take, with their number of code points between two bounds."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from functools import lru_cache

from decodekit_json import charsets as cs
from decodekit_json import languages as lg
from decodekit_json import writings as wr
from decodekit_json.charsets import Ranges
from decodekit_json.derivatives import follow, partition
from decodekit_json.expressions import ALT, CHARS, CONCAT, NEVER, REPEAT, Node
from decodekit_json.terminal import INFINITE

_MOST_STATES = 10_000

Costs = tuple[tuple[int, Ranges], ...]
Begun = tuple[Node, int, int, int, int]
"""What is left of some texts: an expression, the fewest and most code points, the bytes to there, how many texts."""


def nearest(node: Node, low: int, high: int, costs: Costs) -> int:
    """Give the fewest bytes of a text of `low` to `high` code points; one must exist.

    Exact. From the structure where each set of characters has one of a single byte, or where the lengths do not bind;
    by a search otherwise.

    Raises:
        UnsupportedSchemaError: For a search past its bound.
    """
    found = _structural(node, low, high, costs) if node.positive else None
    return _searched(node, low, high, costs) if found is None else found


def _structural(node: Node, low: int, high: int, costs: Costs) -> int | None:
    least = node.low
    if low <= least and high >= node.high:
        return _free(node, costs)
    if _single_byte(node, costs):
        return lg.next_length(node, low, high) if low > least else least
    if node.low == node.high:
        return _free(node, costs)
    if node.kind == REPEAT and node.parts[0].kind == CHARS:
        return max(low, least) * wr.cheapest(node.parts[0].ranges, costs)
    return None


def _free(node: Node, costs: Costs) -> int:
    """Give the fewest bytes of any text, from the structure."""
    key = ("bytes", len(costs))
    found = node.notes.get(key)
    if found is None:
        if node.kind == CHARS:
            found = wr.cheapest(node.ranges, costs)
        elif node.kind == CONCAT:
            found = sum(_free(part, costs) for part in node.parts)
        elif node.kind == ALT:
            found = min(_free(part, costs) for part in node.parts)
        elif node.kind == REPEAT:
            found = node.least * _free(node.parts[0], costs) if node.least else 0
        else:
            found = 0
        node.notes[key] = found
    return found


def _single_byte(node: Node, costs: Costs) -> bool:
    """Say whether each set of characters in the expression has one that takes a single byte."""
    key = ("single", len(costs))
    found = node.notes.get(key)
    if found is None:
        if node.kind == CHARS:
            found = wr.cheapest(node.ranges, costs) == 1
        else:
            found = all(_single_byte(part, costs) for part in node.parts)
        node.notes[key] = found
    return found


@lru_cache(maxsize=4096)
def _searched(node: Node, low: int, high: int, costs: Costs) -> int:
    """Search by increasing bytes (A*); counters that no longer bind are dropped, so that states meet."""
    heap: list[tuple[int, int, int, Node | None, int, int]] = [(0, 0, 0, node, low, high)]
    done: set[tuple[Node, int, int]] = set()
    ticket = 0
    while heap:
        bound, _, spent, at, need, room = heapq.heappop(heap)
        if at is None:
            return bound
        if (at, need, room) in done:
            continue
        done.add((at, need, room))
        if len(done) > _MOST_STATES:
            raise lg.too_large("the shortest writing of a text")
        quick = _structural(at, need, room, costs) if at.positive else None
        if quick is None and at.nullable and not need:
            quick = 0
        if quick is not None:
            ticket += 1
            heapq.heappush(heap, (spent + quick, ticket, 0, None, 0, 0))
            continue
        after, left = max(need - 1, 0), room - 1 if room < INFINITE else room
        for number, ranges in enumerate(partition(at).ranges()):
            target = follow(at, number)
            if target is not NEVER and lg.has_length(target, after, left):
                ticket += 1
                beyond = INFINITE if target.high <= left else left
                dearer = spent + wr.cheapest(ranges, costs)
                least = dearer + max(lg.shortest(target), after)  # no code point takes less than a byte
                heapq.heappush(heap, (least, -ticket, dearer, target, after, beyond))
    raise AssertionError("no text where one was promised")


def spread(begun: Iterable[Begun], costs: Costs, most: int, beyond: int) -> tuple[int, bool]:
    """Give the fewest bytes within which more than `most` texts end, with True; else bytes within which all do.

    Texts are counted by their bytes, not listed: those that lead to the same place are taken together.

    Args:
        begun: What is left of different texts.
        costs: The bytes of each code point.
        most: See above.
        beyond: Bytes beyond the fewest past which none are counted; then the best number known, or `INFINITE`.

    Raises:
        UnsupportedSchemaError: For more states than are searched.
    """
    waiting: dict[int, dict[tuple[Node, int, int], int]] = {}
    for node, low, high, spent, number in begun:
        _join(waiting, spent, (node, low, high), number)
    found, fewest, last, work, best = 0, INFINITE, 0, 0, INFINITE
    while waiting:
        spent = min(waiting)
        if spent > fewest + beyond:
            return best, True
        layer = waiting.pop(spent)
        work += len(layer)
        if work > _MOST_STATES:
            raise lg.too_large("counting texts by their bytes")
        for (node, need, room), number in layer.items():
            if node.nullable and not need:
                found, fewest, last = found + number, min(fewest, spent), spent
            after, left = max(need - 1, 0), room - 1 if room < INFINITE else room
            for target, cost, ways in _onward(node, costs):
                alive = lg.has_length(target, after, left)
                if alive and (best >= INFINITE or spent + cost + nearest(target, after, left, costs) < best):
                    _join(waiting, spent + cost, (target, after, left), min(number * ways, most + 1))
        if found > most:
            return min(spent, best), True
        best = min(best, _ended(layer, found, spent, costs, most))
    return (last, False) if best >= INFINITE else (best, True)


def _ended(layer: dict[tuple[Node, int, int], int], found: int, spent: int, costs: Costs, most: int) -> int:
    """Give bytes within which more than `most` texts end, if those that lead to a layer end as soon as can be."""
    going_on = (place for place in layer if place[1] or not place[0].nullable)
    for size, number in sorted((spent + nearest(*place, costs), layer[place]) for place in going_on):
        found += number
        if found > most:
            return size
    return INFINITE


def _join(
    waiting: dict[int, dict[tuple[Node, int, int], int]], spent: int, at: tuple[Node, int, int], number: int
) -> None:
    layer = waiting.setdefault(spent, {})
    layer[at] = layer.get(at, 0) + number


@lru_cache(maxsize=2048)
def _onward(node: Node, costs: Costs) -> tuple[tuple[Node, int, int], ...]:
    """Give the derivatives with the bytes of the code points that lead to each, and how many of those there are."""
    found: dict[tuple[Node, int], int] = {}
    for number, ranges in enumerate(partition(node).ranges()):
        target = follow(node, number)
        if target is not NEVER:
            for cost, band in costs:
                ways = cs.size(cs.intersection(ranges, band))
                if ways:
                    found[target, cost] = found.get((target, cost), 0) + ways
    return tuple((target, cost, ways) for (target, cost), ways in found.items())


__all__ = ["Begun", "Costs", "nearest", "spread"]
