"""Intersection, complement and difference of expressions: what extended regular expressions have beyond regular ones.

No product is built: nodes keep their parts, and derivatives go to each of them (J. Brzozowski, "Derivatives of regular
expressions", 1964). Whether any text is left is not known here; ask `languages`.
"""

from __future__ import annotations

from operator import attrgetter

from decodekit_json import charsets as cs
from decodekit_json.expressions import AND, CHARS, EPSILON, NEVER, NOT, REPEAT, Node, chars, interned
from decodekit_json.regular_operations import ANYTHING, SOMETHING, repeat
from decodekit_json.terminal import INFINITE

_serial = attrgetter("serial")


def both(*nodes: Node) -> Node:
    """The texts that all of them have."""
    found: dict[Node, None] = {}
    counted: tuple[cs.Ranges, int, int] | None = None
    pending = list(nodes)
    empty = False
    for node in pending:
        if node.kind == AND:
            pending += node.parts
        elif node is NEVER:
            return NEVER
        elif node is EPSILON:
            empty = True
        elif node is ANYTHING:
            continue
        elif (node.parts[0] if node.kind == REPEAT else node).kind == CHARS:
            ranges = node.parts[0].ranges if node.kind == REPEAT else node.ranges
            most = INFINITE if node.most is None else node.most
            if counted:
                counted = (
                    cs.intersection(counted[0], ranges),
                    max(counted[1], node.least),
                    min(counted[2], most),
                )
            else:
                counted = (ranges, node.least, most)
        else:
            found[node] = None
    if counted:
        ranges, least, most = counted
        short = repeat(chars(ranges), least, None if most == INFINITE else most)
        if short is NEVER:
            return NEVER
        if short is EPSILON:
            empty = True
        else:
            found[short] = None
    if empty:
        return EPSILON if all(node.nullable for node in found) else NEVER
    return _both(found)


def _both(found: dict[Node, None]) -> Node:
    if len(found) < 2:
        return next(iter(found), ANYTHING)
    low, high = max(part.low for part in found), min(part.high for part in found)
    if low > high or any(part.kind == NOT and part.parts[0] in found for part in found):
        return NEVER
    parts = sorted(found, key=_serial)
    key = (AND, *[part.serial for part in parts])
    node = interned.get(key)
    if node is None:
        node = Node(AND)
        node.parts = tuple(parts)
        node.nullable = all(part.nullable for part in parts)
        node.positive = False
        node.low, node.high = low, high
        interned[key] = node
    return node


def complement(node: Node) -> Node:
    """Every other text."""
    if node.kind == NOT:
        return node.parts[0]
    if node is NEVER:
        return ANYTHING
    if node is ANYTHING:
        return NEVER
    if node is EPSILON:
        return SOMETHING
    if node is SOMETHING:
        return EPSILON
    key = (NOT, node.serial)
    made = interned.get(key)
    if made is None:
        made = Node(NOT)
        made.parts = (node,)
        made.nullable, made.positive = not node.nullable, False
        made.low, made.high = int(node.nullable), INFINITE
        interned[key] = made
    return made


def minus(node: Node, other: Node) -> Node:
    """The texts of `node` that `other` does not have."""
    return both(node, complement(other))


__all__ = ["both", "complement", "minus"]
