"""From one character of a text to the next: where whole and partial ones lead, within counts of code points.

A state is a tuple. Between characters: the expression that is left, the code points still needed at least, the code
points still possible. Inside of a character also what its bytes so far are; where all characters that it can become
lead to the same place, the state keeps that place and forgets which bytes they were. Which bytes write a character is
said in `writings`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from decodekit_json import languages as lg
from decodekit_json import writings as wr
from decodekit_json.derivatives import partition, step
from decodekit_json.expressions import NEVER, Node
from decodekit_json.partitions import Partition
from decodekit_json.terminal import INFINITE

_FOREIGN = ((0x80, 0xD7FF), (0xE000, 0x10FFFF))

State: TypeAlias = tuple[Any, ...]
"""(node, need, room), (shape, target, need, room) or (shape, value, node, need, room); others are the terminal's."""

Between: TypeAlias = tuple[Node, int, int]

Options: TypeAlias = tuple[tuple[Node, int, int], ...]
"""Targets of a partial character: the node, the bytes that are left to it, how many code points lead to it so."""


def target_of(node: Node, code: int) -> Node:
    """Give where a code point leads; NEVER where no text goes on so."""
    target = step(node, code)
    return target if target.positive or not lg.is_empty(target) else NEVER


def ascii_target_of(node: Node, code: int) -> Node:
    """Give where a code point below 128 leads, and keep it in `node.ascii`, where callers look first."""
    table = node.ascii
    if table is None:
        empty: list[Node | None] = [None] * 128
        table = node.ascii = empty
    target = table[code] = target_of(node, code)
    return target


def foreign_target_of(node: Node) -> Node | None:
    """Give where every character beyond ASCII leads, None where they lead to different places."""
    if "foreign" not in node.notes:
        places = {target for low, high in _FOREIGN for _, _, target in stretches(node, low, high)}
        node.notes["foreign"] = places.pop() if len(places) == 1 else None
    return node.notes["foreign"]


def settled(node: Node, need: int, room: int) -> Between:
    """Give a state between two characters without the counters that the expression makes idle."""
    if need and need <= lg.shortest(node):
        need = 0
    return (node, need, INFINITE if node.high <= room else room)


def arrive(target: Node, need: int, room: int) -> State | None:
    """Give the state after a character that leads to `target`; counters are those before it."""
    if target is NEVER or not room:
        return None
    if not need and room == INFINITE:
        return (target, 0, INFINITE)
    need, room = need - 1 if need else 0, room - 1 if room < INFINITE else room
    if target.loose:
        return (target, need, room) if need <= room else None
    return settled(target, need, room) if lg.has_length(target, need, room) else None


def enter(shape: int, value: int, node: Node, need: int, room: int) -> State | None:
    """Give the state inside of a character; counters are those before it."""
    if not room:
        return None
    number = _only_class(partition(node), shape, value)
    if number is not None:
        arrived = arrive(target_of(node, partition(node).members[number]), need, room)
        return (shape, *arrived) if arrived else None
    options, same = targets_of(shape, value, node)
    if not options:
        return None
    if same:
        arrived = arrive(options[0][0], need, room)
        return (shape, *arrived) if arrived else None
    if not need and room == INFINITE:
        return (shape, value, node, need, room)
    after, left = max(need - 1, 0), room - 1 if room < INFINITE else room
    if any(lg.has_length(target, after, left) for target, _, _ in options):
        return (shape, value, node, need, room)
    return None


def stretches(node: Node, low: int, high: int) -> Iterator[tuple[int, int, Node]]:
    """Give the code points between two, by their number in a row, and where they lead."""
    classes = partition(node)
    for number, size in classes.stretch(low, high):
        yield low, size, target_of(node, classes.members[number])
        low += size


def _only_class(classes: Partition, shape: int, value: int) -> int | None:
    """Give the class of all characters that a partial one can become, None where they are of several."""
    key = (shape, value)
    if key not in classes.notes:
        found = {number for low, high, _ in wr.spans(shape, value) for number, _ in classes.stretch(low, high)}
        classes.notes[key] = found.pop() if len(found) == 1 else None
    return classes.notes[key]


def targets_of(shape: int, value: int, node: Node) -> tuple[Options, bool]:
    """Give where a partial character can lead, and whether every way leads to one place."""
    key = (shape, value)
    known = node.notes.get(key)
    if known is None:
        known = node.notes[key] = _reached(shape, value, node)
    return known


def _reached(shape: int, value: int, node: Node) -> tuple[Options, bool]:
    found: dict[tuple[Node, int], int] = {}
    whole = True
    for low, high, left in wr.spans(shape, value):
        for _, size, target in stretches(node, low, high):
            if target is NEVER:
                whole = False
            else:
                found[target, left] = found.get((target, left), 0) + size
    options = tuple((target, left, size) for (target, left), size in found.items())
    return options, whole and len({target for target, _, _ in options}) == 1


__all__ = [
    "Between",
    "State",
    "arrive",
    "ascii_target_of",
    "enter",
    "foreign_target_of",
    "settled",
    "stretches",
    "target_of",
    "targets_of",
]
