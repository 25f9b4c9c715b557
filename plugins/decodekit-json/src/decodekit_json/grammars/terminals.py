"""Terminals of a grammar: their definitions put together to one expression over code points each.

A terminal stands for every text that its expression matches in full. Lark lets a lazy repeat end a terminal as early
as it can; that is kept where it says which texts are meant, and refused where it does not.
"""

from __future__ import annotations

import importlib
import re
import warnings
from dataclasses import dataclass
from typing import Any

from decodekit_json import charsets as cs
from decodekit_json import languages as lg
from decodekit_json.boolean_operations import both, minus
from decodekit_json.expressions import Node, chars
from decodekit_json.grammars.syntax import Body, Definition, Either, Name, Pattern, Range, Row, Spot, Text, Times
from decodekit_json.patterns import full
from decodekit_json.plain_texts import PlainTerminal, plain_terminal
from decodekit_json.python_regex import read
from decodekit_json.regular_operations import ANYTHING, alt, concat, literal, repeat

_parser: Any = importlib.import_module("re._parser")


@dataclass(frozen=True, slots=True)
class _Texts:
    """What a part of a terminal matches, and whether it has repeats that end early, or late."""

    node: Node
    lazy: bool = False
    greedy: bool = False


class Terminals:
    """The terminals of one grammar; each is made when it is asked for.

    Args:
        definitions: By name.
    """

    def __init__(self, definitions: dict[str, Definition]) -> None:
        self.definitions = definitions
        self._named: dict[str, _Texts | None] = {}
        self._made: dict[Body, PlainTerminal] = {}

    def terminal(self, body: Body, at: Spot) -> PlainTerminal:
        """Give the terminal of a name, a literal, or of what is to be ignored.

        Raises:
            SchemaError: Where it may be empty, names itself, a rule, or nothing.
            UnsupportedSchemaError: For regular expressions that look at what is around them.
        """
        found = self._made.get(body)
        if found is None:
            texts = self._texts(body)
            if texts.node.nullable:
                what = body.name if isinstance(body, Name) else "a terminal"
                raise at.error(f"{what} matches the empty text", "make it optional where it is used")
            found = self._made[body] = plain_terminal(_ended(texts, at))
        return found

    def _texts(self, body: Body) -> _Texts:
        match body:
            case Text():
                if body.ignore_case:
                    return _Texts(full(f"(?i:{re.escape(body.value)})"))
                return _Texts(literal(body.value))
            case Pattern():
                return _pattern(body)
            case Range():
                return _Texts(chars(((ord(body.low), ord(body.high)),)))
            case Name():
                return self._named_texts(body)
            case Row():
                parts = [self._texts(item) for item in body.items]
                return _together(concat(*(part.node for part in parts)), parts)
            case Either():
                parts = [self._texts(option) for option in body.options]
                return _together(alt(*(part.node for part in parts)), parts)
            case Times():
                part = self._texts(body.item)
                greedy = part.greedy or body.least != body.most
                return _Texts(repeat(part.node, body.least, body.most), part.lazy, greedy)

    def _named_texts(self, name: Name) -> _Texts:
        if name.name in self._named:
            found = self._named[name.name]
            if found is None:
                raise name.at.error(f"{name.name} is defined by itself", "recursion is for rules, in lower case")
            return found
        if name.name.lstrip("_")[:1].islower():
            raise name.at.error(f"the rule {name.name} stands in a terminal", "a terminal is made of terminals")
        definition = self.definitions.get(name.name)
        if definition is None:
            raise name.at.error(f"the terminal {name.name} is not defined", "define it, or %import it from common")
        self._named[name.name] = None
        found = self._named[name.name] = self._texts(definition.body)
        return found


def _together(node: Node, parts: list[_Texts]) -> _Texts:
    return _Texts(node, any(part.lazy for part in parts), any(part.greedy for part in parts))


def _pattern(pattern: Pattern) -> _Texts:
    source = f"(?{pattern.flags}:{pattern.value})" if pattern.flags else pattern.value
    tree, _ = read(source)
    if not isinstance(tree, Node):
        raise pattern.at.refusal(
            f"/{pattern.value[:60]}/ has an anchor, a boundary or looks around, which depends on other terminals",
            "say which characters the terminal is made of; strings and comments are in %import common",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        repeats = set(_repeats(_parser.parse(source)))
    return _Texts(full(source), "MIN_REPEAT" in repeats, "MAX_REPEAT" in repeats)


def _repeats(tree: Any) -> list[str]:
    found: list[str] = []
    for kind, value in tree:
        match str(kind):
            case "MAX_REPEAT" | "MIN_REPEAT":
                if value[0] != value[1]:
                    found.append(str(kind))
                found += _repeats(value[2])
            case "SUBPATTERN":
                found += _repeats(value[3])
            case "BRANCH":
                for option in value[1]:
                    found += _repeats(option)
            case _:
                pass
    return found


def _ended(texts: _Texts, at: Spot) -> Node:
    if not texts.lazy:
        return texts.node
    longer = concat(texts.node, chars(cs.ANY), ANYTHING)
    if lg.is_empty(both(texts.node, longer)):
        return texts.node
    if texts.greedy:
        raise at.refusal(
            "lazy and greedy repeats stand in one terminal, so where it ends is not clear",
            'write what may come before the end, as in /"[^"]*"/ for /".*?"/',
        )
    return minus(texts.node, longer)


__all__ = ["Terminals"]
