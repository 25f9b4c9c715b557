"""JSON strings and other literals, as they stand in a JSON text.

A string without bounds may use every escape of JSON (a surrogate only as half of a pair). A string with a length,
pattern or format is written in one way: characters as they are, escapes only where JSON needs them. That reaches
every value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from decodekit_outlines import charsets as cs
from decodekit_outlines.automaton import Automaton, leaf, trim
from decodekit_outlines.nodes import Leaf, Literal, Node, Repeat, both, sequence
from decodekit_outlines.patterns import language, search

LENGTH_CAP = 2000
"""A larger `maxLength` is lowered to this many characters: every text still satisfies the schema."""

_QUOTE = Literal(b'"')
_UNIT = (
    r'[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u(?:[0-9abcefABCEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}'
    r"|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)


def free_string() -> Node:
    """Give any JSON string."""
    return sequence(_QUOTE, Repeat(Leaf(leaf(_UNIT)), 0, None), _QUOTE)


def inside(patterns: Sequence[str], formats: Sequence[str], least: int, most: int | None) -> Node:
    """Give what may stand between the quotes of a string with all of these properties."""
    parts: list[Node] = [search(pattern) for pattern in patterns]
    parts += [Leaf(language(regex)) for regex in formats]
    if least or most is not None or not parts:
        parts.append(Repeat(cs.in_json(cs.ANY), least, most))
    found = parts[0]
    for part in parts[1:]:
        found = both(found, part)
    return found


def quoted(node: Node) -> Node:
    """Put quotes around."""
    return sequence(_QUOTE, node, _QUOTE)


def spell(text: str) -> str:
    """Give a string as it stands between the quotes; surrogates that stand alone become U+FFFD."""
    return "".join(
        cs.json_character(ord(c)) for c in text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def literal(value: Any) -> bytes | None:
    """Give a scalar as JSON, None for arrays and objects."""
    if isinstance(value, str):
        return f'"{spell(value)}"'.encode()
    return None if isinstance(value, list | dict) else json.dumps(value).encode()


def literals(raws: Iterable[bytes]) -> Node:
    """Give any of these byte strings: a tree, however many there are."""
    moves: list[dict[int, int]] = [{}]
    final: list[bool] = [False]
    for raw in raws:
        state = 0
        for byte in raw:
            if byte not in moves[state]:
                moves[state][byte] = len(moves)
                moves.append({})
                final.append(False)
            state = moves[state][byte]
        final[state] = True
    used = sorted({byte for row in moves for byte in row})
    column = {byte: i for i, byte in enumerate(used)}
    table = np.full((len(moves), len(used) + 1), -1, np.int32)
    for state, row in enumerate(moves):
        for byte, target in row.items():
            table[state, column[byte]] = target
    classes = np.full(256, len(used) % 256, np.uint8)
    classes[used] = range(len(used))
    automaton: Automaton = trim(table, classes, np.array(final), 0)
    return Leaf(automaton)


__all__ = ["LENGTH_CAP", "free_string", "inside", "literal", "literals", "quoted", "spell"]
