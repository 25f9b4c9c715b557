"""The words of Lark's notation: names, literals, signs, and the line ends that end a definition."""

from __future__ import annotations

import re
from dataclasses import dataclass

from decodekit_json.grammars.syntax import Spot

_WORDS = re.compile(
    r"""
    (?P<space>[ \t]+|\\[ ]*\r?\n)
  | (?P<comment>//[^\n]*|\#[^\n]*)
  | (?P<line>\r?\n)
  | (?P<directive>%[a-z]+)
  | (?P<modifier>(!\??|\?!?)(?=[_a-z]))
  | (?P<rule>_?[a-z][_a-z0-9]*)
  | (?P<terminal>_?[A-Z][_A-Z0-9]*)
  | (?P<string>"(\\"|\\\\|[^"\n])*?"i?)
  | (?P<regexp>/(?!/)(\\/|\\\\|[^/])*?/[imslux]*)
  | (?P<number>[+-]?\d+)
  | (?P<sign>->|\.\.|[:|()\[\]{},.~*+?])
    """,
    re.VERBOSE,
)
_BEFORE_OR = re.compile(r"(?:\s|//[^\n]*|\#[^\n]*)*\|")
_PLAIN = {"n": "\n", "f": "\f", "t": "\t", "r": "\r"}
_CODED = {"x": 2, "u": 4, "U": 8}


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the notation; a sign's kind is the sign itself."""

    kind: str
    text: str
    at: Spot


def words(text: str) -> list[Word]:
    """Cut a grammar into words; the last one is of the kind `end`.

    Raises:
        SchemaError: Where no word begins.
    """
    found: list[Word] = []
    at, line, begin = 0, 1, 0
    while at < len(text):
        match = _WORDS.match(text, at)
        spot = Spot(line, at - begin + 1)
        if match is None:
            raise spot.error(f"{text[at : at + 20]!r} is not part of Lark's notation")
        kind, word = str(match.lastgroup), match[0]
        if kind == "line":
            if not _BEFORE_OR.match(text, at):
                found.append(Word("line", word, spot))
        elif kind not in ("space", "comment"):
            found.append(Word(word if kind == "sign" else kind, word, spot))
        at = match.end()
        ends = word.count("\n")
        if ends:
            line, begin = line + ends, match.start() + word.rindex("\n") + 1
    found.append(Word("line", "", Spot(line, at - begin + 1)))
    found.append(Word("end", "", Spot(line, at - begin + 1)))
    return found


def unescaped(inner: str, at: Spot) -> str:
    r"""Read `\n`, `\f`, `\t`, `\r`, `\x`, `\u`, `\U` and `\"`; any other backslash stays as it is, with what follows.

    Raises:
        SchemaError: For an escape that is cut off.
    """
    found: list[str] = []
    place = 0
    while place < len(inner):
        sign = inner[place]
        place += 1
        if sign != "\\":
            found.append(sign)
            continue
        if place == len(inner):
            raise at.error(f"{inner!r} ends in a backslash")
        letter = inner[place]
        place += 1
        if letter in _PLAIN:
            found.append(_PLAIN[letter])
        elif letter in _CODED:
            digits = inner[place : place + _CODED[letter]]
            place += len(digits)
            found.append(_character(letter, digits, at))
        else:
            found.append('"' if letter == '"' else "\\" + letter)
    return "".join(found)


def _character(letter: str, digits: str, at: Spot) -> str:
    try:
        if len(digits) == _CODED[letter]:
            return chr(int(digits, 16))
    except (ValueError, OverflowError):
        pass
    raise at.error(rf"\{letter}{digits} is not a character", f"write {_CODED[letter]} hexadecimal digits")


__all__ = ["Word", "unescaped", "words"]
