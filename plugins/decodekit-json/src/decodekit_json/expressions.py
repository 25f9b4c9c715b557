"""Regular expressions over code points as interned immutable nodes, followed by Brzozowski derivatives.

Nodes that are built alike are one object, so states are compared by identity. The constructors bring expressions into
one form as far as that is cheap (associativity, order, absorption, neighbouring repeats of one base merged); a counted
repeat stays a counter. `step` works per class of code points that an expression cannot tell apart, and is kept on the
node. Interning is weak: a node lives as long as something that uses it. After J. Brzozowski, "Derivatives of regular
expressions", 1964, and S. Owens et al., "Regular-expression derivatives re-examined", 2009.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

from decodekit_json import charsets as cs
from decodekit_json.terminal import INFINITE

NEVER_KIND, EPSILON_KIND, CHARS, CONCAT, ALT, REPEAT, AND, NOT = range(8)
_MANY = 8


class Node:
    """An expression. Build it with the functions of this module; equal ones are identical.

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
        ascii: Targets of the code points below 128 that were asked for; see `step`.
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


class Partition:
    """Classes of code points that a set of character sets cannot tell apart.

    Attributes:
        cuts: First code points of the stretches, ascending.
        ids: Class of each stretch.
        ascii: Class of each of the first 128 code points.
        members: One code point of each class.
        notes: What other modules work out about the classes and keep.
    """

    __slots__ = ("_ranges", "ascii", "cuts", "ids", "members", "notes")

    def __init__(self, sets: Iterable[cs.Ranges]) -> None:
        toggles: dict[int, int] = {0: 0, 0xD800: 0, 0xE000: 0}
        for position, ranges in enumerate(sets):
            bit = 1 << position
            for low, high in ranges:
                toggles[low] = toggles.get(low, 0) ^ bit
                toggles[high + 1] = toggles.get(high + 1, 0) ^ bit
        toggles.pop(cs.LAST + 1, None)
        self.cuts: list[int] = sorted(toggles)
        classes: dict[int, int] = {}
        self.ids: list[int] = []
        self.members: list[int] = []
        mask = 0
        for cut in self.cuts:
            mask ^= toggles[cut]
            if cut == 0xD800:
                self.ids.append(-1)
                continue
            found = classes.get(mask)
            if found is None:
                found = classes[mask] = len(classes)
                self.members.append(cut)
            self.ids.append(found)
        table: list[int] = []
        for at, cut in enumerate(self.cuts):
            if cut >= 128:
                break
            following = min(self.cuts[at + 1], 128) if at + 1 < len(self.cuts) else 128
            table += [self.ids[at]] * (following - cut)
        self.ascii = table
        self._ranges: list[cs.Ranges] | None = None
        self.notes: dict[Any, Any] = {}

    def class_of(self, code: int) -> int:
        """Give the class of a code point."""
        return self.ascii[code] if code < 128 else self.ids[bisect_right(self.cuts, code) - 1]

    def stretch(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Give the classes between two code points, and how many code points of each stand in a row there."""
        at = bisect_right(self.cuts, low) - 1
        while low <= high:
            end = min(self.cuts[at + 1] - 1 if at + 1 < len(self.cuts) else cs.LAST, high)
            if self.ids[at] >= 0:
                yield self.ids[at], end - low + 1
            low, at = end + 1, at + 1

    def stretches(self) -> Iterator[tuple[int, int, int]]:
        """Give the first and last code points and the class of each stretch."""
        for at, (low, number) in enumerate(zip(self.cuts, self.ids, strict=True)):
            if number >= 0:
                yield low, self.cuts[at + 1] - 1 if at + 1 < len(self.cuts) else cs.LAST, number

    def ranges(self) -> list[cs.Ranges]:
        """Give the code points of each class."""
        if self._ranges is None:
            found: list[list[tuple[int, int]]] = [[] for _ in self.members]
            for low, high, number in self.stretches():
                found[number].append((low, high))
            self._ranges = [cs.union(tuple(pairs)) for pairs in found]
        return self._ranges


_serials = count()
_nodes: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()
_partitions: dict[frozenset[Node], Partition] = {}
_PARTITIONS_KEPT = 2048

NEVER = Node(NEVER_KIND)
EPSILON = Node(EPSILON_KIND)
EPSILON.nullable = True


def chars(ranges: cs.Ranges) -> Node:
    """One code point of the set."""
    if not ranges:
        return NEVER
    key = (CHARS, ranges)
    node = _nodes.get(key)
    if node is None:
        node = Node(CHARS)
        node.ranges, node.low, node.high = ranges, 1, 1
        node.firsts = frozenset((node,))
        _nodes[key] = node
    return node


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
    node = _nodes.get(key)
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
        _nodes[key] = node
    return node


def _before(head: Node, tail: tuple[Node, ...]) -> Node:
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
    node = _nodes.get(key)
    if node is None:
        node = Node(ALT)
        node.parts = tuple(parts)
        node.nullable = any(part.nullable for part in parts)
        node.positive = all(part.positive for part in parts)
        node.low, node.high = min(part.low for part in parts), max(part.high for part in parts)
        _nodes[key] = node
    return node


def _serial(node: Node) -> int:
    return node.serial


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


_Bounds = tuple[tuple[int, int], ...]


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
        for bounds in _united([_bounds(node) for node in group])
    ]


def _bounds(node: Node) -> _Bounds:
    inner = node.parts if node.kind == CONCAT else (node,)
    return tuple([(one.least, INFINITE if one.most is None else one.most) for one in inner])


def _united(group: list[_Bounds]) -> list[_Bounds]:
    """Merge lists of counters; where all differ in the same one, without comparing each with each."""
    different = [at for at, pairs in enumerate(zip(*group, strict=True)) if len(set(pairs)) > 1]
    if len(different) == 1:
        at, one = different[0], group[0]
        return [(*one[:at], pair, *one[at + 1 :]) for pair in cs.union(tuple([bounds[at] for bounds in group]))]
    kept: list[_Bounds] = []
    for new in group:
        at = 0
        while at < len(kept):
            joined = _joined(kept[at], new)
            if joined is None:
                at += 1
            elif joined == kept[at]:
                break
            else:
                kept.pop(at)
                new, at = joined, 0  # noqa: PLW2901
        else:
            kept.append(new)
    return kept


def _joined(left: _Bounds, right: _Bounds) -> _Bounds | None:
    """Give the one list of counters that stands for both, if there is one."""
    different = [at for at, pair in enumerate(zip(left, right, strict=True)) if pair[0] != pair[1]]
    if len(different) == 1:
        at = different[0]
        (low, high), (other_low, other_high) = left[at], right[at]
        if low <= other_high + 1 and other_low <= high + 1:
            return (*left[:at], (min(low, other_low), max(high, other_high)), *left[at + 1 :])
        return None
    if all(left[at][0] <= right[at][0] and right[at][1] <= left[at][1] for at in different):
        return left
    if all(right[at][0] <= left[at][0] and left[at][1] <= right[at][1] for at in different):
        return right
    return None


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
    made = _nodes.get(key)
    if made is None:
        made = Node(REPEAT)
        made.parts, made.least, made.most = (node,), least, most
        made.nullable = least == 0
        made.loose = least == 0 and most is None and node.kind == CHARS
        made.positive = node.positive
        made.low = min(node.low * least, INFINITE)
        made.high = INFINITE if most is None and node.high else min(node.high * (most or 0), INFINITE)
        _nodes[key] = made
    return made


def _contiguous(inner: Node, least: int, most: int | None) -> bool:
    """Say whether repeating `inner`, itself a repeat, leaves no count out."""
    if least == most:
        return True
    if least == 0:
        return inner.least <= 1
    return inner.most is None or (least + 1) * inner.least <= least * inner.most + 1


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
    node = _nodes.get(key)
    if node is None:
        node = Node(AND)
        node.parts = tuple(parts)
        node.nullable = all(part.nullable for part in parts)
        node.positive = False
        node.low, node.high = low, high
        _nodes[key] = node
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
    made = _nodes.get(key)
    if made is None:
        made = Node(NOT)
        made.parts = (node,)
        made.nullable, made.positive = not node.nullable, False
        made.low, made.high = int(node.nullable), INFINITE
        _nodes[key] = made
    return made


def minus(node: Node, other: Node) -> Node:
    """The texts of `node` that `other` does not have."""
    return both(node, complement(other))


_any = chars(cs.ANY)
ANYTHING = NEVER  # until the next line: the constructors compare with it
ANYTHING = repeat(_any, 0, None)
SOMETHING = repeat(_any, 1, None)


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


def first_bytes(classes: Partition) -> list[int]:
    """Give the first bytes of the characters of each class in UTF-8, one bit each, and others that begin none."""
    found = classes.notes.get("firsts")
    if found is None:
        found = [0] * len(classes.members)
        for low, high, number in classes.stretches():
            found[number] |= (2 << chr(high).encode()[0]) - (1 << chr(low).encode()[0])
        classes.notes["firsts"] = found
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
                found.append(_before(_after(part, code), node.parts[at + 1 :]))
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


__all__ = [
    "ALT",
    "AND",
    "ANYTHING",
    "CHARS",
    "CONCAT",
    "EPSILON",
    "NEVER",
    "NOT",
    "REPEAT",
    "SOMETHING",
    "Node",
    "Partition",
    "alt",
    "both",
    "chars",
    "complement",
    "concat",
    "first_bytes",
    "firsts",
    "follow",
    "literal",
    "minus",
    "partition",
    "repeat",
    "step",
]
