r"""Where a pattern does not care which characters come: from there no token of only such characters has to be read.

Most of what a string of a pattern may hold only leads round among a few places, all of which can be ended, as the
letters in `^(\S+ ){0,9}\S+$`, or anything in `.*\.gif`.
"""

from __future__ import annotations

from typing import NamedTuple

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import languages as lg
from decodekit_json import writings as wr
from decodekit_json.costs import nearest
from decodekit_json.derivatives import follow, partition
from decodekit_json.expressions import ALT, AND, NEVER, Node
from decodekit_json.partitions import first_bytes
from decodekit_json.terminal import INFINITE

_DIRECT = sum(1 << byte for byte in range(0x20, 0x80)) & ~(1 << 0x22 | 1 << 0x5C)
_LETTERS = _DIRECT | sum(1 << byte for byte in wr.LEADS)
_MOST_PARTS = 128
"""Parts of all places together, past which no further ones are looked at."""
_FEW_PLACES = 8
"""Places past which it is kept what led too far, for those on the way: they need not find out again."""


class Steady(NamedTuple):
    """What is known of a place in an expression.

    Attributes:
        letters: First bytes of characters, one bit each: any number of such characters may follow.
        places: Where they lead, once there is one.
        most: Bytes that are enough to the end of a JSON string from any of the places.
    """

    letters: int
    places: tuple[Node, ...]
    most: int


def steady(node: Node) -> Steady:
    """Give the characters of which any number may follow a place; kept."""
    found = node.notes.get("steady")
    if found is None:
        found = node.notes["steady"] = _steady(node)
    return found


def _steady(node: Node) -> Steady:
    letters, places = 0, dict[Node, None]()
    far = node.notes.pop("far", 0)
    groups = _groups(node)
    try:
        for some in groups if far else [_LETTERS, *groups]:
            if some & far or not some & ~letters:
                continue
            found = dict[Node, None]()
            if _lead(node, letters | some, found):
                letters, places = letters | some, found
            elif some != _LETTERS and len(found) > _FEW_PLACES:
                for place in found:
                    place.notes["far"] = place.notes.get("far", 0) | some
        most = max([nearest(place, 0, INFINITE, wr.JSON_COSTS) + 1 for place in places], default=0)
    except UnsupportedSchemaError:  # for a place that may be never visited
        return Steady(0, (), 0)
    return Steady(letters, tuple(places), most)


def _groups(node: Node) -> list[int]:
    """Give first bytes of characters, one bit each, those together that a place does not tell apart; most first."""
    groups = [_LETTERS]
    for firsts in first_bytes(partition(node)):
        groups = [part for one in groups for part in (one & firsts, one & ~firsts) if part]
    return sorted(groups, key=int.bit_count, reverse=True)


def _lead(node: Node, letters: int, places: dict[Node, None]) -> bool:
    """Collect the places that characters lead to; False where some lead nowhere, or too far."""
    pending, parts = [node], 0
    for one in pending:
        for number, firsts in enumerate(first_bytes(partition(one))):
            if not firsts & letters:
                continue
            target = follow(one, number)
            if target is NEVER or (not target.positive and lg.is_empty(target)):
                return False
            if target not in places:
                parts += 1 + (len(target.parts) if target.kind in (ALT, AND) else 0)
                if parts > _MOST_PARTS:
                    return False
                places[target] = None
                pending.append(target)
    return True


__all__ = ["Steady", "steady"]
