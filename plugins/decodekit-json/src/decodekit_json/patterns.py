r"""Regular expressions as JSON Schema and Python read them, to expressions.

Anchors, word boundaries and look-around are not local. They are resolved while the expression is put together from its
end: each part is asked for "what may follow, given what stands before", so `$` meets the rest with the empty text, a
look-ahead meets the rest with its own language, and `^` and `\b` know what kind of code point came last.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import charsets as cs
from decodekit_json.boolean_operations import both, complement
from decodekit_json.ecma import Reader
from decodekit_json.expressions import ALT, CHARS, CONCAT, EPSILON, NEVER, REPEAT, Node, chars
from decodekit_json.regular_operations import ANYTHING, alt, concat, repeat
from decodekit_json.trees import Anchor, Either, Look, Loop, Row, Tree, refused, row

_START, _WORD, _OTHER, _LINE = range(4)
_MOST_UNROLLED = 8
_KEPT = 512
_INSIDE_NOTHING = re.search(r"\B", "") is not None
r"""ECMA-262 finds `\B` in the empty text, Python from 3.14 on."""


@lru_cache(maxsize=_KEPT)
def search(pattern: str, flags: str = "u") -> Node:
    """Give the texts in which `pattern` is found anywhere, as ECMA-262 reads it with the flag `u`.

    Args:
        pattern: The regular expression; not anchored.
        flags: ECMA-262's flags; `i`, `m` and `s` change the meaning.

    Raises:
        SchemaError: For a pattern that does not parse.
        UnsupportedSchemaError: For back references, look-ahead in a loop, look-behind behind look-ahead, and scripts.
    """
    reader = Reader(pattern, flags)
    tree = reader.tree()
    if isinstance(tree, Node):
        return concat(ANYTHING, tree, ANYTHING)
    return Placement(pattern, reader.word, reader.line_ends).place(tree, ANYTHING, ANYTHING)


@lru_cache(maxsize=_KEPT)
def full(pattern: str) -> Node:
    """Give the texts that `re.fullmatch(pattern, text)` accepts.

    Raises:
        SchemaError: For a pattern that does not parse.
        UnsupportedSchemaError: As for `search`, and for atomic groups, possessive repeats and conditional groups.
    """
    from decodekit_json.python_regex import read  # its tables are wanted for `regex=` alone

    tree, word = read(pattern)
    if isinstance(tree, Node):
        return tree
    return Placement(pattern, word, ((0x0A, 0x0A),), inside_nothing=_INSIDE_NOTHING).place(tree, EPSILON, EPSILON)


class _Rest:
    """What may follow, by what came last; worked out when asked."""

    __slots__ = ("_give", "_known")

    def __init__(self, give: Callable[[int], Node]) -> None:
        self._give = give
        self._known: list[Node | None] = [None] * 4

    def after(self, last: int) -> Node:
        found = self._known[last]
        if found is None:
            found = self._known[last] = self._give(last)
        return found


class Placement:
    r"""Puts a tree between what stands before and after it.

    Args:
        pattern: For messages.
        word: Code points of words.
        line_ends: Code points that end a line.
        inside_nothing: Whether `\B` is found in the empty text.
    """

    def __init__(self, pattern: str, word: cs.Ranges, line_ends: cs.Ranges, *, inside_nothing: bool = True) -> None:
        self.pattern, self.word, self._inside_nothing = pattern, word, inside_nothing
        self.sets = {_WORD: word, _LINE: line_ends, _OTHER: cs.complement(cs.union(word, line_ends))}

    def place(self, tree: Tree, before: Node, after: Node) -> Node:
        """Give the texts of `before`, then `tree`, then `after`."""
        rest = _Rest(lambda last: after)
        options = tree.options if isinstance(tree, Either) else (tree,)
        return alt(*(self._behind(before, option, rest) for option in options))

    def _behind(self, before: Node, tree: Tree, rest: _Rest) -> Node:
        """Take look-behinds off the front, which restrict what stands before; then split by what came last."""
        items = tree.items if isinstance(tree, Row) else (tree,)
        places = [at for at, item in enumerate(items) if isinstance(item, Look) and item.behind]
        for at, item in enumerate(items[: places[-1] + 1] if places else ()):
            if isinstance(item, Node):
                before = concat(before, item)
            elif item is Anchor.START and at == 0:
                before = both(before, EPSILON)
            elif isinstance(item, Look) and item.behind:
                before = both(before, self._past(item))
            else:
                raise self._refuse("a look-behind behind other assertions", "put it first")
        left = row(items[places[-1] + 1 :]) if places else tree
        follow = _Rest(lambda last: self._build(left, last, rest))
        return self._split(before, follow)

    def _past(self, look: Look) -> Node:
        if not isinstance(look.body, Node):
            raise self._refuse("assertions in a look-behind", "put them outside")
        found = concat(ANYTHING, look.body)
        return complement(found) if look.negative else found

    def _split(self, before: Node, rest: _Rest) -> Node:
        groups = self._groups(rest)
        at_start = rest.after(_START)
        if len(groups) == 1:
            (later,) = groups
            if later is at_start:
                return concat(before, later)
            some = concat(chars(cs.ANY), ANYTHING)
            options = [concat(some if before is ANYTHING else both(before, some), later)]
        else:
            options = []
            for later, ranges in groups.items():
                ends = concat(ANYTHING, chars(ranges))
                options.append(concat(ends if before is ANYTHING else both(before, ends), later))
        return alt(*options, at_start) if before.nullable else alt(*options)

    def _groups(self, rest: _Rest) -> dict[Node, cs.Ranges]:
        """Give the different languages that may follow after a code point, and after which."""
        found: dict[Node, cs.Ranges] = {}
        for last, ranges in self.sets.items():
            following = rest.after(last)
            found[following] = cs.union(found.get(following, ()), ranges)
        return found

    def _refuse(self, what: str, hint: str) -> UnsupportedSchemaError:
        return refused(self.pattern, what, hint)

    def _build(self, tree: Tree, last: int, rest: _Rest) -> Node:
        """Give `tree` and then the rest, after a code point of kind `last`."""
        match tree:
            case Node():
                return self._local(tree, last, rest)
            case Anchor():
                return self._anchored(tree, last, rest.after(last))
            case Look():
                if tree.behind:
                    raise self._refuse("a look-behind inside of a group or look-ahead", "put it first")
                seen = self._build(tree.body, last, _Rest(lambda _: ANYTHING))
                return both(rest.after(last), complement(seen) if tree.negative else seen)
            case Row():
                for item in reversed(tree.items[1:]):
                    rest = self._then(item, rest)
                return self._build(tree.items[0], last, rest)
            case Either():
                return alt(*(self._build(option, last, rest) for option in tree.options))
            case Loop():
                return self._looped(tree, last, rest)

    def _then(self, tree: Tree, rest: _Rest) -> _Rest:
        return _Rest(lambda last: self._build(tree, last, rest))

    def _local(self, node: Node, last: int, rest: _Rest) -> Node:
        groups = self._groups(rest)
        if len(groups) == 1:
            (later,) = groups
            if not node.nullable or rest.after(last) is later:
                return concat(node, later)
            return alt(rest.after(last), concat(nonempty(node), later))
        options = [concat(ending(node, ranges), later) for later, ranges in groups.items()]
        return alt(*options, rest.after(last)) if node.nullable else alt(*options)

    def _anchored(self, anchor: Anchor, last: int, rest: Node) -> Node:
        match anchor:
            case Anchor.START:
                return rest if last == _START else NEVER
            case Anchor.LINE_START:
                return rest if last in (_START, _LINE) else NEVER
            case Anchor.END:
                return both(rest, EPSILON)
            case Anchor.FINAL:
                return both(rest, repeat(chars(self.sets[_LINE]), 0, 1))
            case Anchor.LINE_END:
                return both(rest, alt(EPSILON, concat(chars(self.sets[_LINE]), ANYTHING)))
            case _:
                word = concat(chars(self.word), ANYTHING)
                other = alt(EPSILON, concat(chars(cs.complement(self.word)), ANYTHING))
                if anchor is Anchor.INSIDE and last == _START and not self._inside_nothing:
                    other = concat(chars(cs.complement(self.word)), ANYTHING)
                return both(rest, word if (last == _WORD) == (anchor is Anchor.INSIDE) else other)

    def _looped(self, tree: Loop, last: int, rest: _Rest) -> Node:
        if tree.most is not None and tree.most <= _MOST_UNROLLED:
            following = rest
            for number in range(tree.most, 0, -1):
                following = self._once(tree.body, following, rest if number > tree.least else None)
            return following.after(last)
        tempered = self._tempered(tree, last, rest)
        if tempered is None:
            raise self._refuse("an assertion inside of a repeat", "put anchors and look-ahead outside of repeats")
        return tempered

    def _once(self, body: Tree, following: _Rest, skipped: _Rest | None) -> _Rest:
        if skipped is None:
            return self._then(body, following)
        return _Rest(lambda last: alt(skipped.after(last), self._build(body, last, following)))

    def _tempered(self, tree: Loop, last: int, rest: _Rest) -> Node | None:
        """Read `(?:(?!x)c)*` before the end of the text: no x anywhere in it."""
        items = tree.body.items if isinstance(tree.body, Row) else ()
        if len(items) != 2 or any(rest.after(kind) is not EPSILON for kind in (_START, *self.sets)):
            return None
        look, character = items
        if not isinstance(look, Look) or look.behind or not look.negative or not isinstance(look.body, Node):
            return None
        if not isinstance(character, Node) or character.kind != CHARS or look.body.nullable:
            return None
        return both(repeat(character, tree.least, tree.most), complement(concat(ANYTHING, look.body, ANYTHING)))


def nonempty(node: Node) -> Node:
    """Give the texts of a node without intersection and complement, but for the empty text."""
    if not node.nullable:
        return node
    match node.kind:
        case k if k == ALT:
            return alt(*(nonempty(part) for part in node.parts))
        case k if k == CONCAT:
            return alt(*(concat(nonempty(part), *node.parts[at + 1 :]) for at, part in enumerate(node.parts)))
        case k if k == REPEAT:
            inner = node.parts[0]
            if not inner.nullable:
                return repeat(inner, 1, node.most)
            return concat(nonempty(inner), repeat(inner, 0, None if node.most is None else node.most - 1))
        case _:
            return NEVER


def ending(node: Node, ranges: cs.Ranges) -> Node:
    """Give the texts of a node without intersection and complement whose last code point is in `ranges`."""
    match node.kind:
        case k if k == CHARS:
            return chars(cs.intersection(node.ranges, ranges))
        case k if k == ALT:
            return alt(*(ending(part, ranges) for part in node.parts))
        case k if k == CONCAT:
            options: list[Node] = []
            for at in range(len(node.parts) - 1, -1, -1):
                options.append(concat(*node.parts[:at], ending(node.parts[at], ranges)))
                if not node.parts[at].nullable:
                    break
            return alt(*options)
        case k if k == REPEAT:
            fewer = repeat(node.parts[0], max(node.least - 1, 0), None if node.most is None else node.most - 1)
            return concat(fewer, ending(node.parts[0], ranges))
        case _:
            return NEVER


__all__ = ["ending", "full", "nonempty", "search"]
