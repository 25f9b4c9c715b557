r"""Sets of code points as sorted tuples of inclusive ranges, and the sets that ECMA-262 and Python give names to.

Surrogates are in no set: they are no characters, and UTF-8 cannot write them.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Any, TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Sorted ranges of code points, both ends included, that do not touch."""

LAST = 0x10FFFF
ANY: Ranges = ((0, 0xD7FF), (0xE000, LAST))
NONE: Ranges = ()
ASCII_DIGIT: Ranges = ((0x30, 0x39),)
ASCII_WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
ASCII_SPACE: Ranges = ((0x09, 0x0D), (0x20, 0x20))
LINE_ENDS: Ranges = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
ECMA_SPACE: Ranges = (
    (0x09, 0x0D),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
)
r"""WhiteSpace and LineTerminator of ECMA-262, which `\s` stands for."""


def union(*sets: Ranges) -> Ranges:
    """Give every code point of any of `sets`."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pair for ranges in sets for pair in ranges):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def intersection(left: Ranges, right: Ranges) -> Ranges:
    """Give every code point that both have."""
    found: list[tuple[int, int]] = []
    at, other = 0, 0
    while at < len(left) and other < len(right):
        low, high = max(left[at][0], right[other][0]), min(left[at][1], right[other][1])
        if low <= high:
            found.append((low, high))
        if left[at][1] < right[other][1]:
            at += 1
        else:
            other += 1
    return tuple(found)


@lru_cache(maxsize=1024)
def complement(ranges: Ranges) -> Ranges:
    """Give every code point that is not in `ranges`, and no surrogate."""
    found: list[tuple[int, int]] = []
    following = 0
    for low, high in union(ranges, ((0xD800, 0xDFFF),)):
        if low > following:
            found.append((following, low - 1))
        following = high + 1
    if following <= LAST:
        found.append((following, LAST))
    return tuple(found)


def minus(ranges: Ranges, other: Ranges) -> Ranges:
    """Give every code point of `ranges` that is not in `other`."""
    return intersection(ranges, complement(other))


def interval(low: int, high: int) -> Ranges:
    """Give the code points from `low` to `high`, both included."""
    return intersection(((low, high),), ANY)


def of(codes: Iterable[int]) -> Ranges:
    """Give the set of single code points."""
    return intersection(union(tuple((code, code) for code in codes)), ANY)


def contains(ranges: Ranges, code: int) -> bool:
    """Say whether `code` is in the set."""
    at = bisect_right(ranges, (code, LAST)) - 1
    return at >= 0 and ranges[at][1] >= code


def size(ranges: Ranges) -> int:
    """Give the number of code points."""
    return sum(high - low + 1 for low, high in ranges)


def where(regex: str) -> Ranges:
    """Give every code point that Python's `re` finds with `regex`, a single character class."""
    found = tuple((m.start(), m.end() - 1) for m in re.finditer(f"(?:{regex})+", _every_character()))
    return intersection(found, ANY)


def _every_character() -> str:
    return "".join(map(chr, range(LAST + 1)))


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
def _python_folding() -> tuple[dict[int, list[int]], dict[int, tuple[int, ...]], Callable[[int], int]]:
    sre: Any = importlib.import_module("_sre")
    extra: dict[int, tuple[int, ...]] = importlib.import_module("re._casefix")._EXTRA_CASES
    lower: Callable[[int], int] = sre.unicode_tolower
    uppers: dict[int, list[int]] = {}
    for code in range(0x20000):  # letters with case end at U+1E943
        if (low := lower(code)) != code:
            uppers.setdefault(low, []).append(code)
    return uppers, extra, lower


@lru_cache(maxsize=256)
def python_ignore_case(ranges: Ranges) -> Ranges:
    """Give the set that Python's `re.IGNORECASE` makes of it."""
    uppers, extra, lower = _python_folding()
    cased = set(uppers) | {u for group in uppers.values() for u in group} | set(extra)
    lowered = {lower(code) for code in cased if contains(ranges, code)}
    lowered |= {other for low in lowered for other in extra.get(low, ())}
    moved = {*lowered, *(u for low in lowered for u in uppers.get(low, ()))}
    return union(ranges, of(moved))


@cache
def _ecma_folding() -> dict[int, list[int]]:
    """Give the code points that have one simple case folding, by it."""
    groups: dict[int, list[int]] = {}
    for code in range(0x20000):
        character = chr(code)
        full, lower = character.casefold(), character.lower()
        target = full if len(full) == 1 else lower if len(lower) == 1 else character
        if target != character:
            groups.setdefault(ord(target), [ord(target)]).append(code)
    return groups


@lru_cache(maxsize=256)
def ecma_ignore_case(ranges: Ranges) -> Ranges:
    """Give every code point with the simple case folding of one in `ranges` (ECMA-262, flags `iu`)."""
    if ranges and ranges[-1][1] < 0x80 and not {0x4B, 0x53, 0x6B, 0x73} & _codes(ranges):
        letters = {code ^ 0x20 for code in _codes(ranges) if 0x41 <= code & ~0x20 <= 0x5A}
        return union(ranges, of(letters))
    moved: list[int] = []
    for group in _ecma_folding().values():
        if any(contains(ranges, code) for code in group):
            moved += group
    return union(ranges, of(moved))


def _codes(ranges: Ranges) -> set[int]:
    return {code for low, high in ranges for code in range(low, high + 1)}


_UNASSIGNED_PLANES = (0x34000, 0xE0000)
_TAGS_END = 0xE1000


@cache
def general_categories() -> dict[str, Ranges]:
    """Give the set of each general category of two letters, as this Python's `unicodedata` has them."""
    unassigned = (_UNASSIGNED_PLANES[0], _UNASSIGNED_PLANES[1] - 1)
    runs: dict[str, list[tuple[int, int]]] = {"Cn": [unassigned]}
    category = unicodedata.category
    for first, stop in ((0, _UNASSIGNED_PLANES[0]), (_UNASSIGNED_PLANES[1], _TAGS_END)):
        start, current = first, category(chr(first))
        for code in range(first + 1, stop):
            if (here := category(chr(code))) != current:
                runs.setdefault(current, []).append((start, code - 1))
                start, current = code, here
        runs.setdefault(current, []).append((start, stop - 1))
    runs["Cn"].append((_TAGS_END, 0xEFFFF))
    for plane in (0xF0000, 0x100000):
        runs["Co"].append((plane, plane + 0xFFFD))
        runs["Cn"].append((plane + 0xFFFE, plane + 0xFFFF))
    return {name: intersection(union(tuple(found)), ANY) for name, found in runs.items()}


_CATEGORIES = {
    "Cased_Letter": "LC",
    "Close_Punctuation": "Pe",
    "Connector_Punctuation": "Pc",
    "Control": "Cc",
    "cntrl": "Cc",
    "Currency_Symbol": "Sc",
    "Dash_Punctuation": "Pd",
    "Decimal_Number": "Nd",
    "digit": "Nd",
    "Enclosing_Mark": "Me",
    "Final_Punctuation": "Pf",
    "Format": "Cf",
    "Initial_Punctuation": "Pi",
    "Letter": "L",
    "Letter_Number": "Nl",
    "Line_Separator": "Zl",
    "Lowercase_Letter": "Ll",
    "Mark": "M",
    "Combining_Mark": "M",
    "Math_Symbol": "Sm",
    "Modifier_Letter": "Lm",
    "Modifier_Symbol": "Sk",
    "Nonspacing_Mark": "Mn",
    "Number": "N",
    "Open_Punctuation": "Ps",
    "Other": "C",
    "Other_Letter": "Lo",
    "Other_Number": "No",
    "Other_Punctuation": "Po",
    "Other_Symbol": "So",
    "Paragraph_Separator": "Zp",
    "Private_Use": "Co",
    "Punctuation": "P",
    "punct": "P",
    "Separator": "Z",
    "Space_Separator": "Zs",
    "Spacing_Mark": "Mc",
    "Surrogate": "Cs",
    "Symbol": "S",
    "Titlecase_Letter": "Lt",
    "Unassigned": "Cn",
    "Uppercase_Letter": "Lu",
}
_SHORT_CATEGORIES = frozenset(_CATEGORIES.values())


@lru_cache(maxsize=256)
def named(name: str) -> Ranges | None:
    r"""Give the set of `\p{name}`, None where this module has no exact data for it (scripts among others)."""
    key, _, value = name.partition("=")
    if value and key not in ("General_Category", "gc"):
        return None
    short = _CATEGORIES.get(value or key, value or key)
    if short in _SHORT_CATEGORIES:
        table = general_categories()
        wanted = ("Lu", "Ll", "Lt") if short == "LC" else tuple(two for two in table if two.startswith(short))
        return union(*(table.get(two, NONE) for two in wanted))
    binary: dict[str, Callable[[], Ranges]] = {
        "Any": lambda: ANY,
        "ASCII": lambda: ((0, 0x7F),),
        "Assigned": lambda: minus(ANY, general_categories()["Cn"]),
        "White_Space": lambda: union(minus(ECMA_SPACE, ((0xFEFF, 0xFEFF),)), ((0x85, 0x85),)),
        "Uppercase": lambda: of(code for code in range(0x20000) if chr(code).isupper()),
        "Lowercase": lambda: of(code for code in range(0x20000) if chr(code).islower()),
    }
    aliases = {"space": "White_Space", "Upper": "Uppercase", "Lower": "Lowercase"}
    make = None if value else binary.get(aliases.get(key, key))
    return make() if make else None


__all__ = [
    "ANY",
    "ASCII_DIGIT",
    "ASCII_SPACE",
    "ASCII_WORD",
    "ECMA_SPACE",
    "LAST",
    "LINE_ENDS",
    "NONE",
    "Ranges",
    "complement",
    "contains",
    "ecma_ignore_case",
    "general_categories",
    "intersection",
    "interval",
    "minus",
    "named",
    "of",
    "python_ignore_case",
    "size",
    "unicode_digit",
    "unicode_space",
    "unicode_word",
    "union",
    "where",
]
