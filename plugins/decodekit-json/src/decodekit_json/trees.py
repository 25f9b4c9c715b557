"""What the readers of both dialects of regular expressions give: nodes, and trees around what is not local.

A part without anchors and look-around is an expression already; the rest waits for what stands before and after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from decodekit.errors import UnsupportedSchemaError
from decodekit_json.expressions import EPSILON, Node
from decodekit_json.regular_operations import alt, concat, repeat

_SHOWN = 120


class Anchor(Enum):
    """A place that matches no text."""

    START = auto()
    LINE_START = auto()
    END = auto()
    LINE_END = auto()
    FINAL = auto()
    BOUNDARY = auto()
    INSIDE = auto()


@dataclass(frozen=True, slots=True)
class Look:
    """Look-ahead or look-behind."""

    body: Tree
    negative: bool
    behind: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One after the other."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Any of them."""

    options: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """`least` to `most` times."""

    body: Tree
    least: int
    most: int | None


Tree: TypeAlias = Node | Anchor | Look | Row | Either | Loop


def row(items: Sequence[Tree]) -> Tree:
    """Put trees one after the other; neighbouring nodes become one."""
    found: list[Tree] = []
    nodes: list[Node] = []
    for item in items:
        if isinstance(item, Node):
            nodes.append(item)
            continue
        if nodes:
            found.append(concat(*nodes))
            nodes = []
        found += item.items if isinstance(item, Row) else (item,)
    if nodes or not found:
        found.append(concat(*nodes))
    found = [item for item in found if item is not EPSILON] or [EPSILON]
    return found[0] if len(found) == 1 else Row(tuple(found))


def either(options: Sequence[Tree]) -> Tree:
    """Make alternatives; nodes among them become one."""
    if len(options) == 1:
        return options[0]
    nodes = [option for option in options if isinstance(option, Node)]
    trees = [option for option in options if not isinstance(option, Node)]
    if not trees:
        return alt(*nodes)
    return Either((*([alt(*nodes)] if nodes else []), *trees))


def loop(body: Tree, least: int, most: int | None) -> Tree:
    """Repeat a tree."""
    if isinstance(body, Node):
        return repeat(body, least, most)
    return body if least == most == 1 else Loop(body, least, most)


def refused(pattern: str, what: str, hint: str) -> UnsupportedSchemaError:
    """Give the error for a pattern with something that cannot be followed exactly."""
    return UnsupportedSchemaError(f"regex {shown(pattern)} has {what}, which cannot be followed here", hint=hint)


def shown(pattern: str) -> str:
    """Give a pattern for a message."""
    return repr(pattern if len(pattern) <= _SHOWN else pattern[:_SHOWN] + "...")


__all__ = ["Anchor", "Either", "Look", "Loop", "Row", "Tree", "either", "loop", "refused", "row", "shown"]
