"""Why nothing satisfies a schema: a part that contradicts itself, as small as was found. Not surely the smallest.

It goes down through what a value must have (required members, first items) for as long as there is one way only; at the
last place keywords are left out one by one, as long as the rest still contradicts itself.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from decodekit.errors import UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit_json import keywords
from decodekit_json.groups import ArrayGroup, ObjectGroup
from decodekit_json.located import Documents, Schema
from decodekit_json.nodes import Node
from decodekit_json.terminal import INFINITE

Part: TypeAlias = tuple[Schema, str]
"""A keyword of a schema."""

_BOUND = re.compile(r'(?:"min(?:Length|Items|Properties|Contains)": |[^\\]\{)(\d+(?:\.\d+)?(?:e\+?\d+)?)')
"""Least numbers that keywords, and repeats in patterns, ask for."""
_MOST_PARTS = 40
_MOST_ITEMS = 16


def blame(root: Node) -> UnsatisfiableSchemaError:
    """Give the error for a schema that nothing satisfies, with the place."""
    node, above = root, set[Node]()
    while (inner := _culprit(node)) is not None and inner not in above:
        above.add(node)
        node = inner
    if inner is not None:
        pointer = min(schema.pointer for schema, _ in inner.literals)
        return _error(
            f"a value of {pointer} must have another one inside, without end", "", pointer, "make it optional"
        )
    return _of(_smallest(node), node)


def _of(parts: list[Part], node: Node) -> UnsatisfiableSchemaError:
    if not parts:
        pointer = min((schema.pointer for schema, _ in node.literals), default="#")
        return _error(f"{pointer} is false", "", pointer, "leave it out, or make it true")
    places: dict[str, list[str]] = {}
    for schema, keyword in parts:
        places.setdefault(schema.pointer, []).append(keyword)
    named = [f"{_listed(words)} at {pointer}" for pointer, words in places.items()]
    pointer, words = next(iter(places.items()))
    if _too_long(parts, node.nodes.lowering.documents.root):
        return UnsatisfiableSchemaError(
            f"no document that satisfies the schema is short enough to be written: see {_listed(named)}",
            keyword=words[0],
            pointer=pointer,
            hint="ask for less",
        )
    if len(parts) == 1:
        return _error(f"nothing satisfies {named[0]}", words[0], pointer, "loosen it")
    return _error(f"{_listed(named)} cannot hold together", words[0], pointer, "loosen one of them")


def _error(why: str, keyword: str, pointer: str, hint: str) -> UnsatisfiableSchemaError:
    return UnsatisfiableSchemaError(
        f"no document satisfies the schema: {why}",
        keyword=keyword,
        pointer=pointer,
        hint=hint,
    )


def _too_long(parts: list[Part], root: Schema) -> bool:
    """Say whether some keywords ask for more than is counted, one bound taken as often as the others say."""
    text = json.dumps([{name: schema.contents[name]} for schema, name in parts], default=str)
    if '"$ref"' in text:
        text += json.dumps(root.contents)
    return math.prod(max(float(number), 1) for number in _BOUND.findall(text)) >= INFINITE >> 8


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _culprit(node: Node) -> Node | None:
    """Give what every value must have inside and cannot; None where that is not known, or not all there is to say."""
    lowering = node.nodes.lowering
    try:
        groups = [lowering.settled(kind, node.literals) for kind in lowering.types(node.literals)]
        possible = [group for group in groups if group is not None]
        inner = _inside(node, possible[0]) if len(possible) == 1 else ()
        return next((one for one in inner if one.distance >= INFINITE and not _is_forbidden(one)), None)
    except UnsupportedSchemaError:
        return None


def _inside(node: Node, group: object) -> Iterator[Node]:
    """Give what every value of a group has inside."""
    if isinstance(group, ObjectGroup):
        yield from (node.nodes.node(keywords.value_of(group, key)) for key in group.required)
    if isinstance(group, ArrayGroup):
        yield from (node.nodes.node(group.item(i)) for i in range(min(group.low, _MOST_ITEMS)))


def _is_forbidden(node: Node) -> bool:
    """Say whether a schema here is plainly false: then it is the keywords above that contradict one another."""
    return any(isinstance(schema.contents, bool) and schema.contents != sign for schema, sign in node.literals)


def _smallest(node: Node) -> list[Part]:
    """Leave out keywords as long as the rest contradicts itself."""
    documents = node.nodes.lowering.documents
    kept: list[Part] = []
    negated = [literal for literal in node.literals if not literal[1]]
    for schema, sign in sorted(node.literals, key=lambda literal: literal[0].pointer):
        kept += _keywords(documents, schema) if sign else ()
    kept.sort(key=lambda part: part[1] == "type")  # the last to be left out, and to be named
    if not _contradicts(node, kept, negated):
        return [(schema, name) for schema, sign in node.literals if sign for name in _names(schema)]
    for part in list(kept[:_MOST_PARTS]):
        fewer = [one for one in kept if one is not part]
        if _contradicts(node, fewer, negated):
            kept = fewer
    return kept


def _keywords(documents: Documents, schema: Schema) -> Iterator[Part]:
    """Give the keywords of a schema, and those of what must hold with it at the same place."""
    for name in _names(schema):
        if name == "allOf":
            for i, one in enumerate(schema.contents[name]):
                yield from _keywords(documents, documents.child(schema, one, name, i))
        elif name == "$ref" and (target := _target(documents, schema)):
            yield from _keywords(documents, target)
        else:
            yield schema, name


def _target(documents: Documents, schema: Schema) -> Schema | None:
    try:
        return documents.target(schema, "$ref")
    except UnsupportedSchemaError:  # it leads nowhere
        return None


def _names(schema: Schema) -> list[str]:
    if isinstance(schema.contents, bool):
        return []
    alone = "$ref" in schema.contents and schema.older("7")
    return ["$ref"] if alone else list(schema.contents)


def _contradicts(node: Node, parts: Iterable[Part], negated: list[tuple[Schema, bool]]) -> bool:
    """Say whether nothing satisfies some keywords, and what must not hold."""
    contents: dict[Schema, dict[str, object]] = {}
    for schema, name in parts:
        contents.setdefault(schema, {})[name] = schema.contents[name]
    literals = [(Schema(some, s.dialect, s.pointer, s.resolver), True) for s, some in contents.items()]
    try:
        return node.nodes.node(frozenset([*literals, *negated])).distance >= INFINITE
    except UnsupportedSchemaError:
        return False


__all__ = ["blame"]
