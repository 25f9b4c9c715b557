"""Sets of characters as ranges of code points, written as plain UTF-8 or inside a JSON string.

Surrogates are never part of a set: they are no characters and UTF-8 cannot write them.
"""

from __future__ import annotations

import bisect
import importlib
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeAlias

from decodekit_outlines.automaton import leaf
from decodekit_outlines.nodes import NEVER, Leaf, Literal, Node

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Sorted ranges of code points, both ends included, that do not touch."""

LAST = 0x10FFFF
_SURROGATES = ((0xD800, 0xDFFF),)
_SHORT = {0x08: "b", 0x09: "t", 0x0A: "n", 0x0C: "f", 0x0D: "r", 0x22: '"', 0x5C: "\\"}


def union(*sets: Ranges) -> Ranges:
    """Give every character of any of `sets`."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pair for ranges in sets for pair in ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(ranges: Ranges) -> Ranges:
    """Give every character that is not in `ranges`."""
    found: list[tuple[int, int]] = []
    following = 0
    for low, high in union(ranges, _SURROGATES):
        if low > following:
            found.append((following, low - 1))
        following = high + 1
    return (*found, *(((following, LAST),) if following <= LAST else ()))


def minus(ranges: Ranges, other: Ranges) -> Ranges:
    """Give every character of `ranges` that is not in `other`."""
    return complement(union(complement(ranges), other))


def of(characters: Iterable[int]) -> Ranges:
    """Give the set of single characters."""
    return union(tuple((code, code) for code in characters))


def where(regex: str) -> Ranges:
    """Give every character that Python's `re` finds with `regex`, a single character class."""
    found = tuple((m.start(), m.end() - 1) for m in re.finditer(f"(?:{regex})+", "".join(map(chr, range(LAST + 1)))))
    return minus(found, _SURROGATES)


ANY: Ranges = complement(())
ASCII_DIGIT = ((0x30, 0x39),)
ASCII_WORD = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
ASCII_SPACE = ((0x09, 0x0D), (0x20, 0x20))
LINE_ENDS = of((0x0A, 0x0D, 0x2028, 0x2029))


@cache
def unicode_digit() -> Ranges:
    r"""Python's `\d`."""
    return where(r"\d")


@cache
def unicode_word() -> Ranges:
    r"""Python's `\w`."""
    return where(r"\w")


@cache
def unicode_space() -> Ranges:
    r"""Python's `\s`."""
    return where(r"\s")


@cache
def any_word() -> Ranges:
    r"""What some engine of regular expressions counts as `\w`: Python's, and marks and connectors."""
    marks = {"Mn", "Mc", "Me", "Pc", "Nl"}
    more = of(code for code in range(LAST + 1) if unicodedata.category(chr(code)) in marks)
    return union(unicode_word(), more, ((0x200C, 0x200D),))


@cache
def _folding() -> tuple[dict[int, list[int]], dict[int, tuple[int, ...]], Callable[[int], int]]:
    sre: Any = importlib.import_module("_sre")
    extra: dict[int, tuple[int, ...]] = importlib.import_module("re._casefix")._EXTRA_CASES
    lower: Callable[[int], int] = sre.unicode_tolower
    uppers: dict[int, list[int]] = {}
    for code in range(0x20000):  # letters with case end at U+1E943
        if (low := lower(code)) != code:
            uppers.setdefault(low, []).append(code)
    return uppers, extra, lower


def ignore_case(ranges: Ranges) -> Ranges:
    """Give the set that Python's `re.IGNORECASE` makes of it."""
    uppers, extra, lower = _folding()
    highs = [high for _, high in ranges]

    def has(code: int) -> bool:
        at = bisect.bisect_left(highs, code)
        return at < len(ranges) and ranges[at][0] <= code

    cased = set(uppers) | {u for group in uppers.values() for u in group} | set(extra)
    lowered = {lower(code) for code in cased if has(code)}
    lowered |= {other for low in lowered for other in extra.get(low, ())}
    moved = {*lowered, *(u for low in lowered for u in uppers.get(low, ()))}
    return union(ranges, of(moved))


def plain(ranges: Ranges) -> Node:
    """Write one of the characters as UTF-8."""
    ranges = minus(ranges, _SURROGATES)
    if not ranges:
        return NEVER
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return Literal(chr(ranges[0][0]).encode())
    return Leaf(leaf(_bracket(ranges)))


def in_json(ranges: Ranges) -> Node:
    """Write one of the characters inside a JSON string; escaped where JSON needs it, in one way."""
    ranges = minus(ranges, _SURROGATES)
    if not ranges:
        return NEVER
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return Literal(json_character(ranges[0][0]).encode())
    must = union(((0, 0x1F),), of((0x22, 0x5C)))
    raw = minus(ranges, must)
    escaped = [code for low, high in minus(ranges, raw) for code in range(low, high + 1)]
    return Leaf(
        leaf("|".join([*([_bracket(raw)] if raw else []), *(_quoted(json_character(code)) for code in escaped)]))
    )


def json_character(code: int) -> str:
    """Give one character as it stands inside a JSON string."""
    if code in _SHORT:
        return "\\" + _SHORT[code]
    return f"\\u{code:04x}" if code < 0x20 else chr(code)


def _quoted(ascii_text: str) -> str:
    return "".join(f"\\x{ord(c):02x}" for c in ascii_text)


def _bracket(ranges: Ranges) -> str:
    if ranges[-1][1] < 0x80:
        return "[" + "".join(f"\\x{low:02x}-\\x{high:02x}" for low, high in ranges) + "]"
    if all(high < 0x80 or (low < 0x80 and high == LAST) for low, high in _whole(ranges)):
        low_part = "".join(f"\\x{low:02x}-\\x{min(high, 0x7F):02x}" for low, high in _whole(ranges))
        return f"[{low_part}[^\\x00-\\x7f]]"
    return "[" + "".join(f"\\x{{{low:x}}}-\\x{{{high:x}}}" for low, high in ranges) + "]"


def _whole(ranges: Ranges) -> Ranges:
    """Close the gap of the surrogates."""
    if ranges[-2:-1] and ranges[-2][1] == 0xD7FF and ranges[-1][0] == 0xE000:
        return (*ranges[:-2], (ranges[-2][0], ranges[-1][1]))
    return ranges


__all__ = [
    "ANY",
    "ASCII_DIGIT",
    "ASCII_SPACE",
    "ASCII_WORD",
    "LINE_ENDS",
    "Ranges",
    "any_word",
    "complement",
    "ignore_case",
    "in_json",
    "json_character",
    "minus",
    "of",
    "plain",
    "unicode_digit",
    "unicode_space",
    "unicode_word",
    "union",
    "where",
]
