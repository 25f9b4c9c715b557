r"""A reader of ECMA-262 regular expressions with the flag `u`, as JSON Schema's `pattern` has them.

More lenient than the flag `u` where real schemas rely on it: any punctuation may be escaped, `{`, `}` and `]` may stand
for themselves, `\w-x` in a class is a class and two characters. `(?i)` at the start is read as the flag. What would
mean something else in another dialect (`\A`, `\Z`, `(?P<name>`, `{,3}`) is refused with a hint.
"""

from __future__ import annotations

import re

from decodekit.errors import SchemaError
from decodekit_json import charsets as cs
from decodekit_json.expressions import Node, chars
from decodekit_json.trees import Anchor, Look, Tree, either, loop, refused, row, shown

_MOST_DEPTH = 100
_COUNTS = re.compile(r"\{(\d+)(,(\d*))?\}")
_NO_LOW_COUNT = re.compile(r"\{,\d+\}")
_MODIFIERS = re.compile(r"\?([ims]*)(-[ims]*)?([:)])")
_NAME = re.compile(r"\?<([A-Za-z_$\u0080-\U0010FFFF][\w$\u0080-\U0010FFFF]*)>")
_CONTROL = {"f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}
_KELVIN_AND_LONG_S: cs.Ranges = ((0x17F, 0x17F), (0x212A, 0x212A))
_HINTS = {
    "A": "ECMA-262 has ^ for the start",
    "Z": "ECMA-262 has $ for the end",
    "z": "ECMA-262 has $ for the end",
    "a": "write \\x07",
    "e": "write \\x1b",
    "h": "write [ \\t]",
    "Q": "escape each character",
}
_FLAT = re.compile(r"\(\?:[^()]*\)")
_QUANTIFIERS = frozenset("*+?{")
_PLAIN = {c: chars(cs.interval(ord(c), ord(c))) for c in map(chr, range(128)) if c not in r"^$\.*+?()[{|"}
"""Characters that stand for themselves, where no count follows."""
_LOOKS = ("(?=", "(?!", "(?<=", "(?<!")
_SINGLE_HINT = "JSON Schema patterns follow ECMA-262"


class Reader:
    """Reads one pattern.

    Args:
        pattern: The regular expression.
        flags: Letters of ECMA-262's flags; `i`, `m` and `s` change the meaning, `u` is always on.

    Attributes:
        word: What counts as a word's character for boundaries.
        line_ends: What ends a line.
    """

    def __init__(self, pattern: str, flags: str) -> None:
        self.text, self.at, self.depth = pattern, 0, 0
        self.flags = frozenset(flags) - {"u"}
        if unknown := self.flags - {"i", "m", "s"}:
            raise SchemaError(f"regex flags {''.join(sorted(unknown))!r} are not known", hint="i, m, s and u are")
        self._flat: dict[tuple[str, frozenset[str]], Tree] = {}
        self.line_ends = cs.LINE_ENDS
        self.word = cs.ASCII_WORD

    def tree(self) -> Tree:
        """Read all of it.

        Raises:
            SchemaError: For a pattern that does not parse.
            UnsupportedSchemaError: For what cannot be followed exactly.
        """
        if leading := re.match(r"\(\?([ims]+)\)", self.text):
            self.flags |= set(leading[1])
            self.at = leading.end()
        if "i" in self.flags:
            self.word = cs.union(cs.ASCII_WORD, _KELVIN_AND_LONG_S)
        found = self._disjunction()
        if self.at < len(self.text):
            raise self._wrong("a ) without its (", "escape it")
        return found

    def _wrong(self, what: str, hint: str = _SINGLE_HINT) -> SchemaError:
        return SchemaError(f"regex {shown(self.text)} does not parse: {what} at character {self.at}", hint=hint)

    def _take(self, text: str) -> bool:
        if self.text.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def _disjunction(self) -> Tree:
        options: list[Tree] = []
        items: list[Tree] = []
        text, end = self.text, len(self.text)
        plain = _PLAIN if "i" not in self.flags else {}
        while self.at < end and (character := text[self.at]) != ")":
            if character == "|":
                self.at += 1
                options.append(row(items))
                items = []
            elif character in plain and text[self.at + 1 : self.at + 2] not in _QUANTIFIERS:
                self.at += 1
                items.append(plain[character])
            else:
                items.append(self._term())
        options.append(row(items))
        return either(options)

    def _term(self) -> Tree:
        character = self.text[self.at]
        if character == "^":
            self.at += 1
            return Anchor.LINE_START if "m" in self.flags else Anchor.START
        if character == "$":
            self.at += 1
            return Anchor.LINE_END if "m" in self.flags else Anchor.END
        if self._take("\\b"):
            return Anchor.BOUNDARY
        if self._take("\\B"):
            return Anchor.INSIDE
        start = self.at
        return self._counted(self._atom(character), start)

    def _atom(self, character: str) -> Tree:
        if character == "(":
            return self._again() or self._group()
        if character == "[":
            return self._class()
        if character in "*+?":
            raise self._wrong(f"nothing for {character} to repeat", "escape it, or put it behind a character or group")
        if character == "{" and (_COUNTS.match(self.text, self.at) or _NO_LOW_COUNT.match(self.text, self.at)):
            raise self._wrong("nothing for a count to repeat", "escape the {, or put it behind a character or group")
        if character == ".":
            self.at += 1
            return chars(cs.ANY if "s" in self.flags else cs.complement(cs.LINE_ENDS))
        if character == "\\":
            found = self._escape()
            return self._characters(((found, found),) if isinstance(found, int) else found)
        self.at += 1
        return self._characters(((ord(character), ord(character)),))

    def _characters(self, ranges: cs.Ranges) -> Node:
        if ranges and ranges[0][0] < 0xE000 and ranges[-1][1] > 0xD7FF:
            ranges = cs.intersection(ranges, cs.ANY)
        return chars(cs.ecma_ignore_case(ranges) if "i" in self.flags else ranges)

    def _counted(self, atom: Tree, start: int) -> Tree:
        text, at = self.text, self.at
        if at >= len(text) or text[at] not in "*+?{":
            return atom
        if counts := _COUNTS.match(text, at):
            self.at = counts.end()
            least = int(counts[1])
            most = least if counts[2] is None else int(counts[3]) if counts[3] else None
            if most is not None and most < least:
                raise self._wrong(f"the count {counts[0]} has its numbers out of order", "put the smaller first")
        elif text[at] == "{":
            if _NO_LOW_COUNT.match(text, at):
                raise self._wrong("a count without its lower number", "write {0,n}: ECMA-262 has no {,n}")
            return atom
        else:
            self.at += 1
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[text[at]]
        self._take("?")
        if isinstance(atom, Look) and text.startswith(_LOOKS, start):
            raise self._wrong("a repeated look-around", "drop the repeat")
        return loop(atom, least, most)

    def _again(self) -> Tree | None:
        """Read a group without groups inside that was read before."""
        match = _FLAT.match(self.text, self.at)
        if match is None:
            return None
        key = match[0], self.flags
        if key not in self._flat:
            found = self._group()
            if self.at != match.end():  # a ) inside of a class
                return found
            self._flat[key] = found
        self.at = match.end()
        return self._flat[key]

    def _group(self) -> Tree:
        start = self.at
        self.at += 1
        flags = self.flags
        look: tuple[bool, bool] | None = None
        for mark, kind in (
            ("?=", (False, False)),
            ("?!", (True, False)),
            ("?<=", (False, True)),
            ("?<!", (True, True)),
        ):
            if self._take(mark):
                look = kind
                break
        else:
            if not self._take("?:") and self.text.startswith("?", self.at):
                self._special(start)
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            raise refused(self.text, f"groups inside of each other, more than {_MOST_DEPTH} deep", "write fewer groups")
        body = self._disjunction()
        self.depth -= 1
        if not self._take(")"):
            self.at = start
            raise self._wrong("a ( without its )", "close the group, or escape the (")
        self.flags = flags
        return Look(body, look[0], look[1]) if look else body

    def _special(self, start: int) -> None:
        if name := _NAME.match(self.text, self.at):
            self.at = name.end()
            return
        if (modifiers := _MODIFIERS.match(self.text, self.at)) and modifiers[3] == ":":
            self.at = modifiers.end()
            self.flags = (self.flags | set(modifiers[1])) - set((modifiers[2] or "-")[1:])
            return
        self.at = start
        if self.text.startswith("(?P", start):
            raise self._wrong("Python's (?P", "ECMA-262 writes a named group (?<name>...)")
        if modifiers:
            raise self._wrong(f"flags {modifiers[0]!r} in the middle", "put (?i) first, or write a group (?i:...)")
        raise self._wrong(f"an unknown group {self.text[start : start + 4]!r}")

    def _class(self) -> Node:
        start = self.at
        self.at += 1
        negative = self._take("^")
        found: list[tuple[int, int]] = []
        while not self._take("]"):
            low = self._member(start)
            if (
                self.text.startswith("-", self.at)
                and not self.text.startswith("-]", self.at)
                and self.at + 1 < len(self.text)
            ):
                self.at += 1
                high = self._member(start)
                if isinstance(low, int) and isinstance(high, int):
                    if high < low:
                        raise self._wrong(f"a range out of order ({chr(low)!r} to {chr(high)!r})", "swap its ends")
                    found.append((low, high))
                    continue
                found.append((0x2D, 0x2D))
                found += ((high, high),) if isinstance(high, int) else high
            found += ((low, low),) if isinstance(low, int) else low
        ranges = cs.union(tuple(found))
        if ranges and ranges[-1][1] > 0xD7FF:
            ranges = cs.intersection(ranges, cs.ANY)
        if "i" in self.flags:
            ranges = cs.ecma_ignore_case(ranges)
        return chars(cs.complement(ranges) if negative else ranges)

    def _member(self, start: int) -> int | cs.Ranges:
        if self.at >= len(self.text):
            self.at = start
            raise self._wrong("a [ without its ]", "close the class, or escape the [")
        if self._take("\\b"):
            return 0x08
        if self.text[self.at] == "\\":
            return self._escape()
        self.at += 1
        return ord(self.text[self.at - 1])

    def _escape(self) -> int | cs.Ranges:
        r"""Read from a backslash on; the code point, or the set, which is empty for half of a surrogate pair."""
        text, at = self.text, self.at + 1
        if at >= len(text):
            raise self._wrong("a \\ at the end", "write \\\\ for the character")
        letter = text[at]
        self.at = at + 1
        match letter:
            case "d" | "D":
                return cs.ASCII_DIGIT if letter == "d" else cs.complement(cs.ASCII_DIGIT)
            case "w" | "W":
                return self.word if letter == "w" else cs.complement(self.word)
            case "s" | "S":
                return cs.ECMA_SPACE if letter == "s" else cs.complement(cs.ECMA_SPACE)
            case "p" | "P":
                return self._property(negative=letter == "P")
            case "f" | "n" | "r" | "t" | "v":
                return _CONTROL[letter]
            case "c":
                if control := re.compile("[A-Za-z]").match(text, self.at):
                    self.at += 1
                    return ord(control[0]) & 31
                raise self._wrong("\\c without a letter")
            case "x":
                return self._hexadecimal(2)
            case "u":
                return self._unicode()
            case "0":
                if re.compile(r"\d").match(text, self.at):
                    raise self._wrong("an octal escape", "write \\xHH")
                return 0
            case "k":
                raise refused(text, "a back reference", "spell the alternatives out")
            case _ if letter in "123456789":
                raise refused(text, "a back reference", "spell the alternatives out")
            case _ if letter.isascii() and letter.isalpha():
                self.at = at - 1
                raise self._wrong(f"an unknown escape \\{letter}", _HINTS.get(letter, _SINGLE_HINT))
            case _:
                return ord(letter)

    def _hexadecimal(self, digits: int) -> int:
        found = self.text[self.at : self.at + digits]
        if not re.fullmatch(f"[0-9A-Fa-f]{{{digits}}}", found):
            raise self._wrong(f"an escape without its {digits} hexadecimal digits")
        self.at += digits
        return int(found, 16)

    def _unicode(self) -> int | cs.Ranges:
        if braced := re.compile(r"\{([0-9A-Fa-f]+)\}").match(self.text, self.at):
            code = int(braced[1], 16)
            if code > cs.LAST:
                raise self._wrong("a code point past 10FFFF")
            self.at = braced.end()
        else:
            code = self._hexadecimal(4)
            low = re.compile(r"\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})").match(self.text, self.at)
            if 0xD800 <= code <= 0xDBFF and low:
                self.at = low.end()
                code = 0x10000 + ((code - 0xD800) << 10) + int(low[1], 16) - 0xDC00
        return () if 0xD800 <= code <= 0xDFFF else code

    def _property(self, *, negative: bool) -> cs.Ranges:
        found = re.compile(r"\{(\w+(?:=\w+)?)\}").match(self.text, self.at)
        if not found:
            raise self._wrong("\\p without {name}")
        self.at = found.end()
        ranges = cs.named(found[1])
        if ranges is None:
            raise refused(
                self.text, f"the property {found[1]!r}", "general categories such as \\p{L} are known; spell others out"
            )
        return cs.complement(ranges) if negative else ranges


__all__ = ["Reader"]
