r"""A reader of Python's regular expressions, for `regex=`: its own parser, its `\d`, `\w`, `\s`, its `$`."""

from __future__ import annotations

import importlib
import re
import warnings
from typing import Any

from decodekit.errors import SchemaError
from decodekit_json import charsets as cs
from decodekit_json.expressions import NEVER, chars
from decodekit_json.trees import Anchor, Look, Tree, either, loop, refused, row, shown

_parser: Any = importlib.import_module("re._parser")
_codes: Any = importlib.import_module("re._constants")
_REFUSED = {
    "GROUPREF": ("a back reference", "spell the alternatives out"),
    "GROUPREF_IGNORE": ("a back reference", "spell the alternatives out"),
    "GROUPREF_EXISTS": ("a conditional group", "spell the alternatives out"),
    "POSSESSIVE_REPEAT": ("a possessive repeat", "use an ordinary repeat"),
    "ATOMIC_GROUP": ("an atomic group", "use an ordinary group"),
}

Items = list[tuple[Any, Any]]


def read(pattern: str) -> tuple[Tree, cs.Ranges]:
    """Give the tree of a pattern, and the code points that make words for its boundaries.

    Raises:
        SchemaError: For a pattern that does not parse.
        UnsupportedSchemaError: For what cannot be followed exactly.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set": read as Python reads it
            tree = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise SchemaError(
            f"regex {shown(pattern)} does not parse: {error}", hint="the syntax is that of Python's re"
        ) from error
    flags = tree.state.flags
    if "AT_BOUNDARY" in str(tree.data) or "AT_NON_BOUNDARY" in str(tree.data):
        word = _category("CATEGORY_WORD", flags)
    else:
        word = cs.ASCII_WORD
    try:
        return _sequence(pattern, list(tree), flags), word
    except RecursionError as error:
        raise refused(pattern, "groups too deep inside of each other", "write fewer groups") from error


def _sequence(pattern: str, items: Items, flags: int) -> Tree:
    return row([_item(pattern, str(kind), value, flags) for kind, value in items])


def _item(pattern: str, kind: str, value: Any, flags: int) -> Tree:
    match kind:
        case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
            return chars(cs.intersection(_characters(kind, value, flags), cs.ANY))
        case "BRANCH":
            return either([_sequence(pattern, list(option), flags) for option in value[1]])
        case "SUBPATTERN":
            _, add, remove, inner = value
            return _sequence(pattern, list(inner), (flags | add) & ~remove)
        case "MAX_REPEAT" | "MIN_REPEAT":
            least, most, inner = value
            body = _sequence(pattern, list(inner), flags)
            return loop(body, int(least), None if most == _codes.MAXREPEAT else int(most))
        case "ASSERT" | "ASSERT_NOT":
            return Look(_sequence(pattern, list(value[1]), flags), kind == "ASSERT_NOT", value[0] < 0)
        case "AT":
            return _anchor(str(value), flags)
        case "FAILURE":
            return NEVER
        case _:
            what, hint = _REFUSED.get(kind, (kind.lower(), "write it with plain groups and repeats"))
            raise refused(pattern, what, hint)


def _anchor(name: str, flags: int) -> Anchor:
    lines = bool(flags & re.MULTILINE)
    match name:
        case "AT_BEGINNING":
            return Anchor.LINE_START if lines else Anchor.START
        case "AT_BEGINNING_STRING":
            return Anchor.START
        case "AT_END":
            return Anchor.LINE_END if lines else Anchor.FINAL
        case "AT_END_STRING":
            return Anchor.END
        case "AT_BOUNDARY":
            return Anchor.BOUNDARY
        case _:
            return Anchor.INSIDE


def _characters(kind: str, value: Any, flags: int) -> cs.Ranges:
    match kind:
        case "LITERAL":
            return _fold(((value, value),), flags)
        case "NOT_LITERAL":
            return cs.complement(_fold(((value, value),), flags))
        case "ANY":
            return cs.ANY if flags & re.DOTALL else cs.complement(((0x0A, 0x0A),))
        case _:
            negate = bool(value) and str(value[0][0]) == "NEGATE"
            written: list[tuple[int, int]] = []
            named: list[cs.Ranges] = []
            for what, detail in value[1:] if negate else value:
                if str(what) == "CATEGORY":
                    named.append(_category(str(detail), flags))
                else:
                    written.append(detail if str(what) == "RANGE" else (detail, detail))
            found = cs.union(_fold(cs.union(tuple(written)), flags), *named)
            return cs.complement(found) if negate else found


def _fold(ranges: cs.Ranges, flags: int) -> cs.Ranges:
    if not flags & re.IGNORECASE:
        return ranges
    if flags & re.ASCII:
        swapped = [
            code ^ 0x20
            for low, high in cs.intersection(ranges, ((0, 0x7F),))
            for code in range(low, high + 1)
            if chr(code).isalpha()
        ]
        return cs.union(ranges, cs.of(swapped))
    return cs.python_ignore_case(ranges)


def _category(name: str, flags: int) -> cs.Ranges:
    *_, kind = name.removeprefix("CATEGORY_").split("_")
    if flags & re.ASCII:
        ranges = {"DIGIT": cs.ASCII_DIGIT, "WORD": cs.ASCII_WORD, "SPACE": cs.ASCII_SPACE}[kind]
    else:
        ranges = {"DIGIT": cs.unicode_digit, "WORD": cs.unicode_word, "SPACE": cs.unicode_space}[kind]()
    return cs.complement(ranges) if "NOT" in name else ranges


__all__ = ["read"]
