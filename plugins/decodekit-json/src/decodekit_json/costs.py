"""The fewest bytes that a text of an expression takes, with its number of code points between two bounds."""

from __future__ import annotations

import heapq
from functools import lru_cache

from decodekit_json import languages as lg
from decodekit_json import writings as wr
from decodekit_json.charsets import Ranges
from decodekit_json.expressions import ALT, CHARS, CONCAT, NEVER, REPEAT, Node, follow, partition
from decodekit_json.terminal import INFINITE

_MOST_STATES = 10_000

Costs = tuple[tuple[int, Ranges], ...]


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


__all__ = ["nearest"]
