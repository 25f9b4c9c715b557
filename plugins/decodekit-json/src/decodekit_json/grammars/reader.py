"""A reader of grammars in Lark's notation (lark-parser.readthedocs.io, "Grammar Reference").

What shapes Lark's trees and not the language is read and dropped: `?` and `!` before a rule, aliases, priorities.
"""

from __future__ import annotations

from decodekit_json.grammars.common import COMMON
from decodekit_json.grammars.lexemes import Word, unescaped, words
from decodekit_json.grammars.syntax import (
    Body,
    Definition,
    Either,
    Name,
    Pattern,
    Range,
    Row,
    Source,
    Spot,
    Text,
    Times,
)

_ATOMS = ("string", "regexp", "rule", "terminal", "(", "[")
_REFUSED = {
    "%declare": "terminals without a definition cannot be written; define them",
    "%override": "define the name once",
    "%extend": "add the alternatives to the definition",
}


def read(text: str) -> Source:
    """Read a grammar.

    Raises:
        SchemaError: For text that is not in Lark's notation, with line and column.
        UnsupportedSchemaError: For templates, `%declare`, `%override`, `%extend`, and imports but from `common`.
    """
    return _Reader(words(text)).source()


class _Reader:
    def __init__(self, found: list[Word]) -> None:
        self.words, self.at, self.read = found, 0, Source()

    @property
    def next(self) -> Word:
        return self.words[self.at]

    def take(self, *kinds: str) -> Word:
        word = self.next
        if word.kind not in kinds:
            shown = "the end of the line" if word.kind == "line" else "the end" if word.kind == "end" else word.text
            raise word.at.error(f"{shown} where {' or '.join(kinds)} was expected")
        self.at += 1
        return word

    def maybe(self, *kinds: str) -> Word | None:
        return self.take(*kinds) if self.next.kind in kinds else None

    def source(self) -> Source:
        while not self.maybe("end"):
            if self.maybe("line"):
                continue
            if self.next.kind == "directive":
                self._directive()
            else:
                self._definition()
            self.take("line")
        return self.read

    def _definition(self) -> None:
        self.maybe("modifier")
        word = self.take("rule", "terminal")
        self._refuse_template()
        if self.maybe("."):
            self.take("number")
        self.take(":")
        body = self._options()
        self._define(Definition(word.text, body, word.at), terminal=word.kind == "terminal")

    def _define(self, definition: Definition, *, terminal: bool) -> None:
        table = self.read.terminals if terminal else self.read.rules
        known = table.setdefault(definition.name, definition)
        if known is not definition:
            raise definition.at.error(f"{definition.name} is defined twice, first in line {known.at.line}")

    def _directive(self) -> None:
        word = self.take("directive")
        if word.text == "%ignore":
            self.read.ignored.append(self._options())
        elif word.text == "%import":
            self._import(word.at)
        elif word.text in _REFUSED:
            raise word.at.refusal(f"{word.text} is not followed", _REFUSED[word.text])
        else:
            raise word.at.error(f"{word.text} is not a directive of Lark")

    def _import(self, at: Spot) -> None:
        path = [] if self.maybe(".") is None else [""]
        path.append(self.take("rule", "terminal").text)
        while self.maybe("."):
            path.append(self.take("rule", "terminal").text)
        if self.maybe("("):
            names = [self.take("rule", "terminal").text]
            while self.maybe(","):
                names.append(self.take("rule", "terminal").text)
            self.take(")")
            wanted = {name: name for name in names}
        else:
            name = path.pop()
            wanted = {name: self.take("rule", "terminal").text if self.maybe("->") else name}
        if path != ["common"]:
            raise at.refusal(
                f"%import from {'.'.join(path) or 'nowhere'} is not followed",
                "only the terminals of `common` can be imported; copy other definitions into the grammar",
            )
        for name, alias in wanted.items():
            if name not in COMMON:
                raise at.error(f"common has no {name}", f"it has {', '.join(COMMON)}")
            self._define(Definition(alias, Pattern(COMMON[name], "", at), at), terminal=True)

    def _refuse_template(self) -> None:
        if self.next.kind == "{":
            raise self.next.at.refusal("templates are not followed", "write the rule once for each argument")

    def _options(self) -> Body:
        self.maybe("|")
        options = [self._row()]
        while self.maybe("|"):
            options.append(self._row())
        return options[0] if len(options) == 1 else Either(tuple(options))

    def _row(self) -> Body:
        items: list[Body] = []
        while self.next.kind in _ATOMS:
            items.append(self._repeated())
        if self.maybe("->"):
            self.take("rule", "terminal")
        return items[0] if len(items) == 1 else Row(tuple(items))

    def _repeated(self) -> Body:
        at = self.next.at
        item = self._atom()
        word = self.maybe("?", "*", "+", "~")
        match word.kind if word else "":
            case "?":
                return Times(item, 0, 1, at)
            case "*":
                return Times(item, 0, None, at)
            case "+":
                return Times(item, 1, None, at)
            case "~":
                return self._counted(item, at)
            case _:
                return item

    def _counted(self, item: Body, at: Spot) -> Body:
        least = int(self.take("number").text)
        most = int(self.take("number").text) if self.maybe("..") else least
        if not 0 <= least <= most:
            raise at.error(f"~ {least}..{most} is not a number of times")
        return Times(item, least, most, at)

    def _atom(self) -> Body:
        word = self.take(*_ATOMS)
        match word.kind:
            case "(" | "[":
                inner = self._group(")" if word.kind == "(" else "]")
                return inner if word.kind == "(" else Times(inner, 0, 1, word.at)
            case "string":
                return self._range(word) if self.maybe("..") else text_of(word)
            case "regexp":
                return _pattern_of(word)
            case _:
                self._refuse_template()
                return Name(word.text, word.at)

    def _group(self, closing: str) -> Body:
        inner = self._options()
        self.take(closing)
        return inner

    def _range(self, low: Word) -> Range:
        first, last = text_of(low), text_of(self.take("string"))
        if len(first.value) != 1 or len(last.value) != 1 or first.value > last.value:
            raise low.at.error(f"{first.value!r}..{last.value!r} is not a range of characters")
        return Range(first.value, last.value)


def text_of(word: Word) -> Text:
    """Give a text in quotes without them."""
    ignore_case = word.text.endswith("i")
    inner = unescaped(word.text[1 : -2 if ignore_case else -1], word.at).replace("\\\\", "\\")
    if not inner:
        raise word.at.error("an empty text is not a terminal", "leave it out, or make what follows optional")
    return Text(inner, ignore_case, word.at)


def _pattern_of(word: Word) -> Pattern:
    end = word.text.rindex("/")
    flags = word.text[end + 1 :]
    if "l" in flags:
        raise word.at.refusal(f"the flag l of {word.text[:40]} depends on the locale", "leave it out")
    if "\n" in word.text and "x" not in flags:
        raise word.at.error("a regular expression on several lines needs the flag x")
    return Pattern(unescaped(word.text[1:end], word.at), flags.replace("u", ""), word.at)


__all__ = ["read"]
