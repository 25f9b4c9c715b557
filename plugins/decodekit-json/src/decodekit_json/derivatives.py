"""Brzozowski derivatives of expressions: what may follow after a code point.

They are worked out per class of code points that an expression cannot tell apart, when asked for, and kept on the node;
no automaton is built. After J. Brzozowski, "Derivatives of regular expressions", 1964, and S. Owens et al.,
"Regular-expression derivatives re-examined", 2009.
"""

from __future__ import annotations

from collections.abc import Iterable

from decodekit_json import charsets as cs
from decodekit_json.boolean_operations import both, complement
from decodekit_json.expressions import CHARS, CONCAT, EPSILON, NEVER, Node
from decodekit_json.partitions import Partition
from decodekit_json.regular_operations import alt, concat, prepend, repeat

_MANY = 8
_PARTITIONS_KEPT = 2048

_partitions: dict[frozenset[Node], Partition] = {}


def firsts(node: Node) -> frozenset[Node]:
    """Give the character nodes that decide where the first code point leads."""
    found = node.firsts
    if found is None:
        if node.kind == CONCAT:
            groups: list[frozenset[Node]] = []
            for part in node.parts:
                groups.append(firsts(part))
                if not part.nullable:
                    break
        else:
            groups = [firsts(part) for part in node.parts]
        found = node.firsts = groups[0] if len(groups) == 1 else frozenset().union(*groups)
    return found


def partition(node: Node) -> Partition:
    """Give the classes of code points that `step` cannot tell apart at this node."""
    found = node.partition
    if found is None:
        key = firsts(node)
        found = _partitions.get(key)
        if found is None:
            if len(_partitions) >= _PARTITIONS_KEPT:
                _partitions.clear()
            found = _partitions[key] = Partition(one.ranges for one in key)
        node.partition = found
        node.targets = [None] * len(found.members)
    return found


def step(node: Node, code: int) -> Node:
    """Give what may follow after the code point `code`: the derivative; NEVER where nothing can."""
    return follow(node, partition(node).class_of(code))


def follow(node: Node, number: int) -> Node:
    """Give the derivative by the code points of a class of `partition(node)`."""
    target = node.targets[number]
    if target is None:
        part = node.partition
        assert part is not None
        target = node.targets[number] = _derive(node, part.members[number])
    return target


def _derive(node: Node, code: int) -> Node:
    match node.kind:
        case 2:  # CHARS
            return EPSILON if cs.contains(node.ranges, code) else NEVER
        case 3:  # CONCAT
            found: list[Node] = []
            for at, part in enumerate(node.parts):
                found.append(prepend(_after(part, code), node.parts[at + 1 :]))
                if not part.nullable:
                    break
            return alt(*found) if len(found) > 1 else found[0]
        case 4:  # ALT
            return alt(*[_after(part, code) for part in _candidates(node, code)])
        case 5:  # REPEAT
            inner = node.parts[0]
            more = repeat(inner, max(node.least - 1, 0), None if node.most is None else node.most - 1)
            return concat(_after(inner, code), more)
        case 6:  # AND
            return both(*[_after(part, code) for part in node.parts])
        case 7:  # NOT
            return complement(_after(node.parts[0], code))
        case _:
            return NEVER


def _after(node: Node, code: int) -> Node:
    if node.kind == CHARS:
        return EPSILON if cs.contains(node.ranges, code) else NEVER
    return step(node, code)


def _candidates(node: Node, code: int) -> Iterable[Node]:
    """Give the alternatives that may begin with `code`; an index saves asking each of many."""
    if len(node.parts) < _MANY or not node.positive:
        return node.parts
    index: dict[frozenset[Node], list[Node]] | None = node.notes.get("index")
    if index is None:
        index = node.notes["index"] = {}
        for part in node.parts:
            index.setdefault(firsts(part), []).append(part)
    return [part for key, parts in index.items() if any(cs.contains(one.ranges, code) for one in key) for part in parts]


__all__ = ["firsts", "follow", "partition", "step"]
