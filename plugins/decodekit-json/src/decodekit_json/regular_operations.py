"""Concatenation, alternatives and counted repeats of expressions: the operations of regular languages.

The constructors bring expressions into one form as far as that is cheap (associativity, order, absorption, neighbouring
repeats of one base merged), which is not a canonical one: different nodes may have one language. A counted repeat stays
a counter. After S. Owens et al., "Regular-expression derivatives re-examined", 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from decodekit_json import charsets as cs
from decodekit_json.counters import Counters, united
from decodekit_json.expressions import ALT, CHARS, CONCAT, EPSILON, NEVER, NOT, REPEAT, Node, chars, interned
from decodekit_json.terminal import INFINITE

_serial = attrgetter("serial")


def literal(text: str) -> Node:
    """One text; surrogates make it impossible."""
    return concat(*(chars(cs.interval(ord(character), ord(character))) for character in text))


def concat(*nodes: Node) -> Node:
    """One after the other."""
    parts: list[Node] = []
    for node in nodes:
        if node is NEVER:
            return NEVER
        if node is not EPSILON:
            for part in node.parts if node.kind == CONCAT else (node,):
                _append(parts, part)
    return _concat(parts)


def _append(parts: list[Node], part: Node) -> None:
    """Put a part behind the others, merging what becomes one repeat or is swallowed by "anything"."""
    while parts:
        last = parts[-1]
        if last is ANYTHING and part.nullable:
            return
        if part is ANYTHING and last.nullable:
            parts.pop()
            continue
        base, other = (last.parts[0] if last.kind == REPEAT else last), (part.parts[0] if part.kind == REPEAT else part)
        if base is not other:
            break
        parts.pop()
        most = None if last.most is None or part.most is None else last.most + part.most
        part = repeat(base, last.least + part.least, most)  # a plain part has least and most 1
    parts.append(part)


def _concat(parts: Sequence[Node]) -> Node:
    if len(parts) < 2:
        return parts[0] if parts else EPSILON
    key = (CONCAT, *[part.serial for part in parts])
    node = interned.get(key)
    if node is None:
        node = Node(CONCAT)
        node.parts = tuple(parts)
        low = high = 0
        nullable = positive = True
        for part in parts:
            low += part.low
            high += part.high
            nullable = nullable and part.nullable
            positive = positive and part.positive
        node.low, node.high, node.nullable, node.positive = low, min(high, INFINITE), nullable, positive
        interned[key] = node
    return node


def prepend(head: Node, tail: tuple[Node, ...]) -> Node:
    """Concatenate; `tail` is already in form."""
    if head is NEVER:
        return NEVER
    if head is EPSILON or not tail:
        return _concat(tail) if head is EPSILON else head
    front = list(head.parts if head.kind == CONCAT else (head,))
    before = len(front)
    _append(front, tail[0])
    if len(front) == before + 1 and front[-1] is tail[0]:
        front += tail[1:]
        return _concat(front)
    for part in tail[1:]:
        _append(front, part)
    return _concat(front)


def alt(*nodes: Node) -> Node:
    """Any of them."""
    found: dict[Node, None] = {}
    sets: list[cs.Ranges] = []
    empty = False
    pending = list(nodes)
    for node in pending:
        if node.kind == ALT:
            pending += node.parts
        elif node is EPSILON:
            empty = True
        elif node.kind == CHARS:
            sets.append(node.ranges)
        elif node.kind == REPEAT and node.least == 0 and node.most == 1:
            empty = True
            pending.append(node.parts[0])
        elif node is ANYTHING:
            return ANYTHING
        elif node is not NEVER:
            found[node] = None
    if sets:
        found[chars(sets[0] if len(sets) == 1 else cs.union(*sets))] = None
    parts = list(found)
    if len(parts) > 1:
        parts = _absorbed(parts)
        if any(part.kind == NOT and part.parts[0] in found for part in parts):
            return ANYTHING
    if empty and not any(part.nullable for part in parts):
        return _optional(parts)
    return _alt(parts)


def _optional(parts: list[Node]) -> Node:
    for at, part in enumerate(parts):
        if part.kind == REPEAT and part.least == 1:
            parts[at] = repeat(part.parts[0], 0, part.most)
            return _alt(parts)
    return repeat(_alt(parts), 0, 1) if parts else EPSILON


def _alt(parts: list[Node]) -> Node:
    if len(parts) < 2:
        return parts[0] if parts else NEVER
    parts.sort(key=_serial)
    key = (ALT, *[part.serial for part in parts])
    node = interned.get(key)
    if node is None:
        node = Node(ALT)
        node.parts = tuple(parts)
        node.nullable = any(part.nullable for part in parts)
        node.positive = all(part.positive for part in parts)
        node.low, node.high = min(part.low for part in parts), max(part.high for part in parts)
        interned[key] = node
    return node


def _absorbed(parts: list[Node]) -> list[Node]:
    """Merge alternatives that differ in one counter, drop those whose counters lie inside another's."""
    groups: dict[tuple[int, ...], list[Node]] = {}
    for part in parts:
        inner = part.parts if part.kind == CONCAT else (part,)
        shape = tuple([one.parts[0].serial if one.kind == REPEAT else one.serial for one in inner])
        groups.setdefault(shape, []).append(part)
    if len(groups) == len(parts):
        return parts
    kept: list[Node] = []
    for group in groups.values():
        kept += group if len(group) == 1 else _merged(group)
    return kept


def _merged(group: list[Node]) -> list[Node]:
    first = group[0].parts if group[0].kind == CONCAT else (group[0],)
    bases = [one.parts[0] if one.kind == REPEAT else one for one in first]
    return [
        concat(
            *(
                repeat(base, low, None if high == INFINITE else high)
                for base, (low, high) in zip(bases, bounds, strict=True)
            )
        )
        for bounds in united([_counters(node) for node in group])
    ]


def _counters(node: Node) -> Counters:
    inner = node.parts if node.kind == CONCAT else (node,)
    return tuple([(one.least, INFINITE if one.most is None else one.most) for one in inner])


def repeat(node: Node, least: int, most: int | None) -> Node:
    """`least` to `most` times, without end for None; both stay counters."""
    if most == 0 or node is EPSILON:
        return EPSILON
    if node is NEVER:
        return EPSILON if least == 0 else NEVER
    if most is not None and most < least:
        return NEVER
    if node.nullable:
        least = 0
        if most == 1:
            return node
    if least == 1 and most == 1:
        return node
    if node.kind == REPEAT and _contiguous(node, least, most):
        inner_most = None if most is None or node.most is None else node.most * most
        return repeat(node.parts[0], node.least * least, inner_most)
    if node.kind == ALT and least == 0 and most is None:
        bare = [part.parts[0] if part.kind == REPEAT and part.least <= 1 else part for part in node.parts]
        if any(one is not part for one, part in zip(bare, node.parts, strict=True)):
            return repeat(alt(*bare), 0, None)
    key = (REPEAT, node.serial, least, most)
    made = interned.get(key)
    if made is None:
        made = Node(REPEAT)
        made.parts, made.least, made.most = (node,), least, most
        made.nullable = least == 0
        made.loose = least == 0 and most is None and node.kind == CHARS
        made.positive = node.positive
        made.low = min(node.low * least, INFINITE)
        made.high = INFINITE if most is None and node.high else min(node.high * (most or 0), INFINITE)
        interned[key] = made
    return made


def _contiguous(inner: Node, least: int, most: int | None) -> bool:
    """Say whether repeating `inner`, itself a repeat, leaves no count out."""
    if least == most:
        return True
    if least == 0:
        return inner.least <= 1
    return inner.most is None or (least + 1) * inner.least <= least * inner.most + 1


_any = chars(cs.ANY)
ANYTHING = NEVER  # until the next line: the constructors compare with it
ANYTHING = repeat(_any, 0, None)
SOMETHING = repeat(_any, 1, None)


__all__ = ["ANYTHING", "SOMETHING", "alt", "concat", "literal", "prepend", "repeat"]
