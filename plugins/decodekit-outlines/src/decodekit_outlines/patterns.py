r"""Regular expressions to expressions over automata, read by Python's own parser.

Two readings. `full`: what `re.fullmatch` accepts, character by character. `search`: a JSON Schema `pattern`, found
anywhere in a string; there the dialects (ECMA-262, Python, Rust) disagree about `\d`, `\w`, `\s` and `.`, and only
characters that all of them accept are used. Look-around, back references and word boundaries are not regular or not
local: refused.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from decodekit.errors import SchemaError
from decodekit_outlines import charsets as cs
from decodekit_outlines.automaton import Automaton
from decodekit_outlines.nodes import EMPTY, NEVER, Node, Repeat, Sequence, choice, compile_node

Encoding = Callable[[cs.Ranges], Node]
"""How one character of a set is written."""

_parser: Any = importlib.import_module("re._parser")
_codes: Any = importlib.import_module("re._constants")
_MAX_ALTERNATIVES = 256
_REFUSED = {
    "ASSERT": (
        "look-around",
        "rewrite it as alternatives, or give a second regex: several constraints are intersected",
    ),
    "ASSERT_NOT": (
        "look-around",
        "rewrite it as alternatives, or give a second regex: several constraints are intersected",
    ),
    "GROUPREF": ("a back reference", "spell the alternatives out"),
    "GROUPREF_EXISTS": ("a conditional group", "spell the alternatives out"),
    "POSSESSIVE_REPEAT": ("a possessive repeat", "use an ordinary repeat"),
    "ATOMIC_GROUP": ("an atomic group", "use an ordinary group"),
}
# Escapes and repeats that Python reads and ECMA-262 reads differently.
_NOT_ECMA = re.compile(r"\\[aAZUN]|\\0\d|\{,\d")

Items = list[tuple[Any, Any]]


def full(pattern: str) -> Node:
    """Give the texts that `re.fullmatch(pattern, text)` accepts, as UTF-8.

    Raises:
        SchemaError: For a pattern that does not parse, or uses what a finite automaton cannot do.
    """
    tree = _parse(pattern)
    reader = _Reader(pattern, cs.plain, portable=False)
    return choice(*(reader.sequence(items, tree.state.flags) for _, items, _ in reader.alternatives(list(tree))))


@lru_cache(maxsize=512)
def language(pattern: str) -> Automaton:
    """Give the automaton of `full(pattern)`; for the package's own expressions, which are kept."""
    return compile_node(full(pattern))


def search(pattern: str) -> Node:
    """Give the inside of every JSON string in which `pattern` is found.

    Raises:
        SchemaError: As for `full`.
    """
    different = _NOT_ECMA.search(pattern.replace("\\\\", ""))
    if different:
        raise SchemaError(
            f"pattern {pattern!r}: {different[0]!r} means one thing in ECMA-262, another in Python",
            hint="JSON Schema patterns follow ECMA-262; write it so that both agree",
        )
    tree = _parse(pattern)
    reader = _Reader(pattern, cs.in_json, portable=True)
    anything = Repeat(cs.in_json(cs.ANY), 0, None)
    options: list[Node] = []
    for at_start, items, at_end in reader.alternatives(list(tree)):
        body = reader.sequence(items, tree.state.flags)
        options.append(Sequence((EMPTY if at_start else anything, body, EMPTY if at_end else anything)))
    return choice(*options)


def _parse(pattern: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set": read as Python reads it
            return _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise SchemaError(
            f"regex {pattern!r:.200} does not parse: {error}", hint="the syntax is that of Python's re"
        ) from error


class _Reader:
    def __init__(self, pattern: str, write: Encoding, *, portable: bool) -> None:
        self.pattern, self.write, self.portable = pattern, write, portable

    def alternatives(self, items: Items, budget: int = _MAX_ALTERNATIVES) -> list[tuple[bool, Items, bool]]:
        """Split at the top so that anchors stand first or last; give (at start, items, at end)."""
        first, last = 0, len(items)
        while first < last and self._is_anchor(items[first], "AT_BEGINNING"):
            first += 1
        while last > first and self._is_anchor(items[last - 1], "AT_END"):
            last -= 1
        at_start, at_end, inner = first > 0, last < len(items), items[first:last]
        for place in (0, -1) if len(inner) > 1 else (0,) if inner else ():
            if not _has_anchor(inner[place]):
                continue
            found: list[tuple[bool, Items, bool]] = []
            for option in self._options(inner[place]):
                spliced = [*option, *inner[1:]] if place == 0 else [*inner[:-1], *option]
                if len(found) > budget:
                    raise self._refuse("anchors in too many alternatives", "put ^ and $ outside of the group")
                deeper = self.alternatives(spliced, budget // 2)
                found += [(at_start or start, rest, at_end or end) for start, rest, end in deeper]
            return found
        if any(_has_anchor(item) for item in inner):
            raise self._refuse("an anchor in the middle", "put ^ first and $ last")
        return [(at_start, inner, at_end)]

    def _is_anchor(self, item: tuple[Any, Any], name: str) -> bool:
        kind, value = item
        if str(kind) != "AT":
            return False
        if str(value) in ("AT_BOUNDARY", "AT_NON_BOUNDARY"):
            raise self._refuse("a word boundary", "spell out what may stand there")
        return str(value).startswith(name)

    def _options(self, item: tuple[Any, Any]) -> list[Items]:
        kind, value = item
        if str(kind) == "BRANCH":
            return [list(option) for option in value[1]]
        if str(kind) == "SUBPATTERN" and not value[1] and not value[2]:
            return [list(value[3])]
        raise self._refuse("an anchor in the middle", "put ^ first and $ last")

    def _refuse(self, what: str, hint: str) -> SchemaError:
        return SchemaError(f"regex {self.pattern!r:.200} has {what}, which a finite automaton cannot follow", hint=hint)

    def sequence(self, items: Items, flags: int) -> Node:
        return Sequence(tuple(self.item(kind, value, flags) for kind, value in items))

    def item(self, kind: Any, value: Any, flags: int) -> Node:
        match str(kind):
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                return self.write(self.characters(kind, value, flags))
            case "BRANCH":
                return choice(*(self.sequence(list(option), flags) for option in value[1]))
            case "SUBPATTERN":
                _, add, remove, inner = value
                return self.sequence(list(inner), (flags | add) & ~remove)
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, inner = value
                part = self.sequence(list(inner), flags)
                return Repeat(part, int(least), None if most == _codes.MAXREPEAT else int(most))
            case "FAILURE":
                return NEVER
            case "AT":
                raise self._refuse("an anchor in the middle", "put ^ first and $ last")
            case name:
                what, hint = _REFUSED.get(name, (f"{name.lower()}", "write it with plain groups and repeats"))
                raise self._refuse(what, hint)

    def characters(self, kind: Any, value: Any, flags: int) -> cs.Ranges:
        fold: Callable[[cs.Ranges], cs.Ranges] = cs.ignore_case if flags & re.IGNORECASE else lambda ranges: ranges
        match str(kind):
            case "LITERAL":
                return fold(((value, value),))
            case "NOT_LITERAL":
                return cs.complement(fold(((value, value),)))
            case "ANY":
                if flags & re.DOTALL:
                    return cs.ANY
                return cs.complement(cs.LINE_ENDS if self.portable else ((0x0A, 0x0A),))
            case _:
                negate = bool(value) and str(value[0][0]) == "NEGATE"
                written: cs.Ranges = ()
                named: cs.Ranges = ()
                for what, detail in value[1:] if negate else value:
                    if str(what) == "CATEGORY":
                        named = cs.union(named, _category(str(detail), bool(flags & re.ASCII), self.portable, negate))
                    else:
                        written = cs.union(written, (detail,) if str(what) == "RANGE" else ((detail, detail),))
                found = cs.union(fold(written), named)
                return cs.complement(found) if negate else found


def _has_anchor(item: Any) -> bool:
    kind, value = item
    if str(kind) == "AT":
        return True
    if str(kind) == "BRANCH":
        return any(_has_anchor(inner) for option in value[1] for inner in option)
    if str(kind) == "SUBPATTERN":
        return any(_has_anchor(inner) for inner in value[3])
    return False


@cache
def _category(name: str, ascii_only: bool, portable: bool, inside_not: bool) -> cs.Ranges:
    """Give a category's characters; where dialects disagree, those that make the whole class accept least."""
    *_, kind = name.removeprefix("CATEGORY_").split("_")
    negated = "NOT" in name
    narrow = {"DIGIT": cs.ASCII_DIGIT, "WORD": cs.ASCII_WORD, "SPACE": cs.ASCII_SPACE}[kind]
    if ascii_only and not portable:
        ranges = narrow
    elif not portable:
        ranges = {"DIGIT": cs.unicode_digit, "WORD": cs.unicode_word, "SPACE": cs.unicode_space}[kind]()
    elif negated == inside_not:
        ranges = narrow
    else:
        widest = {"DIGIT": cs.unicode_digit, "WORD": cs.any_word, "SPACE": cs.unicode_space}[kind]()
        ranges = cs.union(widest, ((0xFEFF, 0xFEFF),)) if kind == "SPACE" else widest
    return cs.complement(ranges) if negated else ranges


__all__ = ["full", "language", "search"]
