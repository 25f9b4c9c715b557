"""Questions about the language of an expression: is it empty, how long are its texts, how many are there, which.

Exact. Expressions without intersection and complement are answered from their structure, the others by a search over
their derivatives that stops with an error past a fixed number of states.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import charsets as cs
from decodekit_json import lengths as ln
from decodekit_json.derivatives import follow, partition
from decodekit_json.expressions import ALT, CHARS, CONCAT, NEVER, Node
from decodekit_json.terminal import INFINITE

_MOST_STATES = 10_000
_MOST_LAYERS = 20_000
_FEW_STATES = 256


def too_large(what: str) -> UnsupportedSchemaError:
    """Give the error for a search that grew past its bound."""
    return UnsupportedSchemaError(
        f"{what} takes more than {_MOST_STATES} states of a pattern with look-around, or of several patterns at once",
        hint="use one pattern without look-ahead, or smaller counts in it",
    )


def successors(node: Node) -> list[Node]:
    """Give the different derivatives of a node, without NEVER."""
    classes = partition(node).members
    found = {follow(node, number): None for number in range(len(classes))}
    found.pop(NEVER, None)
    return list(found)


def shortest(node: Node) -> int:
    """Give the length of the shortest text in code points, `INFINITE` for the empty language.

    Raises:
        UnsupportedSchemaError: For a search past its bound.
    """
    if node is NEVER:
        return INFINITE
    known = _known_shortest(node)
    if known is None:
        known = node.notes["shortest"] = _search(node)
    return known


def _known_shortest(node: Node) -> int | None:
    if node.positive:
        return node.low
    return 0 if node.nullable else node.notes.get("shortest")


def _search(node: Node) -> int:
    best, level = INFINITE, 0
    seen: set[Node] = {node}
    layer = [node]
    while layer and level + 1 < best:
        level += 1
        following: list[Node] = []
        for one in layer:
            for target in successors(one):
                if target in seen:
                    continue
                seen.add(target)
                known = _known_shortest(target)
                if known is None:
                    following.append(target)
                else:
                    best = min(best, level + known)
            if len(seen) > _FEW_STATES and _spread_shortest(node):
                return node.notes["shortest"]
            if len(seen) > _MOST_STATES:
                raise too_large("the shortest text")
        layer = following
    if best >= INFINITE:
        for one in seen:
            if not one.positive:
                one.notes["shortest"] = INFINITE
        return INFINITE
    return best


def _spread_shortest(root: Node) -> bool:
    """Find the shortest texts of all that a node leads to at once; False where that is too much."""
    if "wide" in root.notes:
        return False
    before: dict[Node, list[Node]] = {root: []}
    pending = deque([root])  # what lies near takes least to work out
    heap: list[tuple[int, int, Node]] = []
    while pending:
        one = pending.popleft()
        known = _known_shortest(one)
        if known is not None:
            heappush(heap, (known, one.serial, one))
            continue
        for target in successors(one):
            if target not in before:
                before[target] = []
                pending.append(target)
            before[target].append(one)
        if len(before) > _MOST_STATES:
            for wide in before:
                wide.notes["wide"] = True
            return False
    while heap:
        length, _, one = heappop(heap)
        if one in before:
            one.notes["shortest"] = length
            for previous in before.pop(one):
                heappush(heap, (min(length + 1, INFINITE), previous.serial, previous))
    for one in before:  # no way leads from it to the end of a text
        one.notes["shortest"] = INFINITE
    return True


def is_empty(node: Node) -> bool:
    """Say whether the language has no text at all."""
    return shortest(node) >= INFINITE


def is_infinite(node: Node) -> bool:
    """Say whether there is no longest text; False where that takes too many states to find out."""
    if node.positive:
        return node.high >= INFINITE
    found = node.notes.get("infinite")
    if found is None:
        try:
            found = _circles(node)
        except UnsupportedSchemaError:
            found = False
        node.notes["infinite"] = found
    return found


def _circles(node: Node) -> bool:
    """Say whether few characters lead round in a circle, or to a part that has no longest text by its structure."""
    after: dict[Node, list[Node]] = {}
    queue = deque([node])
    while queue and len(after) < _FEW_STATES:
        one = queue.popleft()
        if one in after:
            continue
        alive = [target for target in successors(one) if not is_empty(target)]
        if any(target.positive and target.high >= INFINITE for target in alive):
            return True
        after[one] = [target for target in alive if not target.positive]
        queue.extend(after[one])
    before = len(after) + 1
    while len(after) < before:  # what leads to no other that is left is on no circle
        before = len(after)
        after = {one: targets for one, targets in after.items() if not after.keys().isdisjoint(targets)}
    return bool(after)


def has_length(node: Node, low: int, high: int) -> bool:
    """Say whether a text of `low` to `high` code points is in the language, exactly; `high` may be `INFINITE`."""
    least = shortest(node)
    if least > high or least >= INFINITE:
        return False
    if least >= low:
        return True
    if node.high < low:
        return False
    if node.positive and (node.high <= high or high >= INFINITE):
        return True
    return ln.reaches(lengths(node), low, high)


def next_length(node: Node, low: int, high: int) -> int | None:
    """Give the smallest length of a text between `low` and `high`, None where there is none."""
    least = shortest(node)
    if least >= low:
        return least if least <= high and least < INFINITE else None
    return ln.smallest(lengths(node), low, high)


def lengths(node: Node) -> ln.Lengths:
    """Give the lengths of all texts in code points.

    Raises:
        UnsupportedSchemaError: Where they are too irregular, or a search goes past its bound.
    """
    found = node.notes.get("lengths")
    if found is None:
        found = node.notes["lengths"] = _structural(node) if node.positive else _by_layers(node)
    return found


def _structural(node: Node) -> ln.Lengths:
    if node is NEVER:
        return ()
    if node.low == node.high:
        return ln.interval(node.low, node.low)
    if node.kind == CHARS:
        return ln.interval(1, 1)
    if node.kind == CONCAT:
        found = ln.ZERO
        for part in node.parts:
            found = ln.plus(found, lengths(part))
        return found
    if node.kind == ALT:
        return ln.union(*(lengths(part) for part in node.parts))
    return ln.times(lengths(node.parts[0]), node.least, node.most)


def _by_layers(node: Node) -> ln.Lengths:
    """Follow the sets of derivatives by ever more code points until one comes back."""
    layer = frozenset((node,))
    places: dict[frozenset[Node], int] = {}
    work = 0
    found: list[tuple[int, int, ln.Lengths]] = []  # a layer, the length so far, the lengths that follow
    while layer and layer not in places:
        number = places[layer] = len(places)
        following: set[Node] = set()
        for one in layer:
            if one.nullable:
                found.append((number, number, ln.ZERO))
            for target in successors(one):
                if target.positive:
                    found.append((number, number + 1, lengths(target)))
                else:
                    following.add(target)
        layer = frozenset(following)
        work += len(layer) + 1
        if work > _MOST_LAYERS:
            raise too_large("the lengths of the texts")
    first, period = places.get(layer, INFINITE), len(places) - places.get(layer, 0)
    pieces = [
        ln.plus((ln.Piece(at, period, INFINITE) if number >= first else ln.Piece(at, 1, 1),), more)
        for number, at, more in found
    ]
    return ln.union(*pieces)


def count(node: Node, limit: int, low: int = 0, high: int = INFINITE) -> int:
    """Give how many texts of `low` to `high` code points there are, at most `limit`."""
    if not has_length(node, low, high):
        return 0
    done, length = 0, 0
    layer: dict[Node, int] = {node: 1}
    while layer:
        if length >= low:
            done += sum(ways for one, ways in layer.items() if one.nullable)
        following: dict[Node, int] = {}
        if length < high:
            for one, ways in layer.items():
                for target, weight in weighted(one).items():
                    if has_length(target, max(low - length - 1, 0), high - length - 1 if high < INFINITE else high):
                        following[target] = following.get(target, 0) + ways * weight
        layer = following
        length += 1
        if done + sum(layer.values()) >= limit:
            return limit
        if length > _MOST_LAYERS:
            raise too_large("counting texts")
    return done


def weighted(node: Node) -> dict[Node, int]:
    """Give the derivatives and how many code points lead to each, without NEVER."""
    found: dict[Node, int] = {}
    for number, ranges in enumerate(partition(node).ranges()):
        target = follow(node, number)
        if target is not NEVER:
            found[target] = found.get(target, 0) + cs.size(ranges)
    return found


def texts(node: Node, low: int = 0, high: int = INFINITE) -> Iterator[str]:
    """Give every text of `low` to `high` code points, the shortest first."""
    length = next_length(node, low, high)
    while length is not None:
        yield from _of_length(node, length)
        length = next_length(node, length + 1, high) if length < min(high, node.high) else None


def _of_length(node: Node, length: int) -> Iterator[str]:
    stack: list[Iterator[tuple[str, Node]]] = [iter([("", node)])]
    prefix: list[str] = []
    while stack:
        following = next(stack[-1], None)
        if following is None:
            stack.pop()
            if prefix:
                prefix.pop()
            continue
        character, target = following
        if len(stack) > length:
            yield "".join([*prefix, character])
            continue
        prefix.append(character)
        stack.append(_onward(target, length - len(stack)))


def _onward(node: Node, rest: int) -> Iterator[tuple[str, Node]]:
    for number, ranges in enumerate(partition(node).ranges()):
        target = follow(node, number)
        if target is not NEVER and has_length(target, rest, rest):
            for low, high in ranges:
                for code in range(low, high + 1):
                    yield chr(code), target


__all__ = [
    "count",
    "has_length",
    "is_empty",
    "is_infinite",
    "lengths",
    "next_length",
    "shortest",
    "successors",
    "texts",
    "too_large",
    "weighted",
]
