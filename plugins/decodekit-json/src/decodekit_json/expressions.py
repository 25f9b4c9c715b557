"""Regular expressions over code points as interned immutable nodes, and the smallest: nothing, empty, one character.

Nodes that are built alike are one object, so states are compared by identity. Interning is weak: a node lives as long
as something that uses it. Larger ones are built in `regular_operations` and `boolean_operations`, and followed in
`derivatives`.
"""

from __future__ import annotations

from itertools import count
from typing import Any
from weakref import WeakValueDictionary

from decodekit_json import charsets as cs
from decodekit_json.partitions import Partition

NEVER_KIND, EPSILON_KIND, CHARS, CONCAT, ALT, REPEAT, AND, NOT = range(8)


class Node:
    """An expression. Build it with `chars` and the operations on expressions; equal ones are identical.

    Attributes:
        kind: One of the kinds above.
        parts: What a concatenation, alternative, repeat, intersection or complement is made of.
        ranges: The code points of a character.
        least: Fewest times of a repeat.
        most: Most times of a repeat, None without end.
        serial: A number that no other node ever has.
        nullable: Whether the empty text is in the language.
        positive: Whether neither intersection nor complement is inside; the language is then not empty, unless NEVER.
        low: No text is shorter (code points); exact where `positive`.
        high: No text is longer, `INFINITE` without end; exact where `positive`.
        loose: Whether it is any number of characters of one set.
        ascii: Targets of the code points below 128 that were asked for; see `derivatives.step`.
        notes: What other modules work out about the node and keep.
    """

    __slots__ = (
        "__weakref__",
        "ascii",
        "firsts",
        "high",
        "kind",
        "least",
        "loose",
        "low",
        "most",
        "notes",
        "nullable",
        "partition",
        "parts",
        "positive",
        "ranges",
        "serial",
        "targets",
    )

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.parts: tuple[Node, ...] = ()
        self.ranges: cs.Ranges = ()
        self.least = 1
        self.most: int | None = 1
        self.serial = next(_serials)
        self.nullable = False
        self.positive = True
        self.low = 0
        self.high = 0
        self.loose = False
        self.ascii: list[Node | None] | None = None
        self.firsts: frozenset[Node] | None = None
        self.partition: Partition | None = None
        self.targets: list[Node | None] = []
        self.notes: dict[Any, Any] = {}

    def __repr__(self) -> str:
        inner = ", ".join(map(repr, self.parts))
        match self.kind:
            case 0 | 1:
                return ("NEVER", "EPSILON")[self.kind]
            case 2:
                return "[" + " ".join(f"{low:x}-{high:x}" for low, high in self.ranges[:4]) + "]"
            case 5:
                return f"{inner}{{{self.least},{'' if self.most is None else self.most}}}"
            case kind:
                return f"{('', '', '', 'concat', 'alt', '', 'both', 'complement')[kind]}({inner})"


_serials = count()
interned: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()
"""The nodes by what they are made of; only the modules that build nodes add to it."""

NEVER = Node(NEVER_KIND)
EPSILON = Node(EPSILON_KIND)
EPSILON.nullable = True


def chars(ranges: cs.Ranges) -> Node:
    """One code point of the set."""
    if not ranges:
        return NEVER
    key = (CHARS, ranges)
    node = interned.get(key)
    if node is None:
        node = Node(CHARS)
        node.ranges, node.low, node.high = ranges, 1, 1
        node.firsts = frozenset((node,))
        interned[key] = node
    return node


__all__ = ["ALT", "AND", "CHARS", "CONCAT", "EPSILON", "NEVER", "NOT", "REPEAT", "Node", "chars", "interned"]
