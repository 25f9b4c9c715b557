r"""How one code point is written, byte by byte: UTF-8, and inside of a JSON string also escapes.

A partial character is a *shape*, which says what bytes may come, and a value, which the bytes so far make up. The
shapes after `\u` go through surrogate pairs; lone surrogates, overlong forms and code points past 10FFFF have no way.
"""

from __future__ import annotations

import json
from functools import lru_cache

from decodekit_json import charsets as cs

(
    DONE,
    ONE_MORE,
    TWO_MORE,
    THREE_MORE,
    AFTER_E0,
    AFTER_ED,
    AFTER_F0,
    AFTER_F4,
    ESCAPE,
    FOUR_HEX,
    THREE_HEX,
    TWO_HEX,
    ONE_HEX,
    AFTER_D,
    HIGH_TWO,
    HIGH_ONE,
    LOW_BACKSLASH,
    LOW_U,
    LOW_D,
    LOW_KIND,
) = range(20)

Move = tuple[int, int, int]
"""The next shape; the next value is the value shifted left by the second, plus the third: a code point for DONE."""

_SHORT = {0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 0x08, 0x66: 0x0C, 0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09}
_HEX = {ord(digit): int(digit, 16) for digit in "0123456789abcdefABCDEF"}


def _continuation(low: int, high: int, shape: int) -> dict[int, Move]:
    return {byte: (shape, 6, byte & 0x3F) for byte in range(low, high + 1)}


def _hexadecimal(shape: int) -> dict[int, Move]:
    return {byte: (shape, 4, digit) for byte, digit in _HEX.items()}


_D = _HEX[0x44]
_PAIRS = range(0x8, 0xC)
_LOWS = range(0xC, 0x10)

MOVES: dict[int, dict[int, Move]] = {
    ONE_MORE: _continuation(0x80, 0xBF, DONE),
    TWO_MORE: _continuation(0x80, 0xBF, ONE_MORE),
    THREE_MORE: _continuation(0x80, 0xBF, TWO_MORE),
    AFTER_E0: _continuation(0xA0, 0xBF, ONE_MORE),
    AFTER_ED: _continuation(0x80, 0x9F, ONE_MORE),
    AFTER_F0: _continuation(0x90, 0xBF, TWO_MORE),
    AFTER_F4: _continuation(0x80, 0x8F, TWO_MORE),
    ESCAPE: {**{byte: (DONE, 0, code) for byte, code in _SHORT.items()}, 0x75: (FOUR_HEX, 0, 0)},
    FOUR_HEX: {byte: (AFTER_D, 0, 0) if digit == _D else (THREE_HEX, 4, digit) for byte, digit in _HEX.items()},
    THREE_HEX: _hexadecimal(TWO_HEX),
    TWO_HEX: _hexadecimal(ONE_HEX),
    ONE_HEX: _hexadecimal(DONE),
    AFTER_D: {
        byte: (HIGH_TWO, 0, digit - 8) if digit in _PAIRS else (TWO_HEX, 0, 0xD0 + digit)
        for byte, digit in _HEX.items()
        if digit not in _LOWS
    },
    HIGH_TWO: _hexadecimal(HIGH_ONE),
    HIGH_ONE: _hexadecimal(LOW_BACKSLASH),
    LOW_BACKSLASH: {0x5C: (LOW_U, 0, 0)},
    LOW_U: {0x75: (LOW_D, 0, 0)},
    LOW_D: {0x44: (LOW_KIND, 0, 0), 0x64: (LOW_KIND, 0, 0)},
    LOW_KIND: {byte: (TWO_HEX, 2, 0x100 + (digit & 3)) for byte, digit in _HEX.items() if digit in _LOWS},
}
"""What each byte does to a partial character, by its shape."""

NEXT: dict[int, list[tuple[bytes, tuple[int, ...]]]] = {
    shape: [
        (bytes([byte for byte, move in moves.items() if move[0] == after]), (after,) if after != DONE else ())
        for after in sorted({move[0] for move in moves.values()})
    ]
    for shape, moves in MOVES.items()
}
"""The bytes that may follow inside of a character, by the shape after them; no shape for none."""

LEADS: dict[int, tuple[int, int]] = {
    **{byte: (ONE_MORE, byte & 0x1F) for byte in range(0xC2, 0xE0)},
    **{byte: (TWO_MORE, byte & 0x0F) for byte in range(0xE1, 0xF0)},
    **{byte: (THREE_MORE, byte & 0x07) for byte in range(0xF1, 0xF4)},
    0xE0: (AFTER_E0, 0),
    0xED: (AFTER_ED, 0xD),
    0xF0: (AFTER_F0, 0),
    0xF4: (AFTER_F4, 4),
}
"""The shape and value after the first byte of a character beyond ASCII."""

FIRSTS = sum(1 << byte for byte in (*range(0x80), *LEADS))
"""The bytes that begin a character, one bit each."""

_BMP = ((0, 0xD7FF), (0xE000, 0xFFFF))
_BEYOND = (0x10000, cs.LAST)
_BITS = {ONE_MORE: 6, TWO_MORE: 12, THREE_MORE: 18, THREE_HEX: 12, TWO_HEX: 8, ONE_HEX: 4}
_PAIR_BITS = {HIGH_TWO: 18, HIGH_ONE: 14, LOW_BACKSLASH: 10, LOW_U: 10, LOW_D: 10, LOW_KIND: 10}
_LEFT = {
    ONE_MORE: 1,
    TWO_MORE: 2,
    THREE_MORE: 3,
    AFTER_E0: 2,
    AFTER_ED: 2,
    AFTER_F0: 3,
    AFTER_F4: 3,
    ESCAPE: 5,
    FOUR_HEX: 4,
    THREE_HEX: 3,
    TWO_HEX: 2,
    ONE_HEX: 1,
    AFTER_D: 3,
    HIGH_TWO: 8,
    HIGH_ONE: 7,
    LOW_BACKSLASH: 6,
    LOW_U: 5,
    LOW_D: 4,
    LOW_KIND: 3,
}
_PAIR_MORE = 6
ANY_VALUE = {ONE_MORE: 2, TWO_MORE: 1, THREE_MORE: 1, AFTER_ED: 0xD, AFTER_F4: 4}
"""A value that the shape can have; 0 where it is not named."""

Span = tuple[int, int, int]
"""First and last code point, and how many bytes are left to write one of them."""


def spans(shape: int, value: int) -> tuple[Span, ...]:
    """Give the code points that a partial character can become; by short escapes too, which are 1 byte."""
    left = _LEFT[shape]
    if shape in _BITS:
        bits = _BITS[shape]
        return ((value << bits, ((value + 1) << bits) - 1, left),)
    if shape in _PAIR_BITS:
        bits = _PAIR_BITS[shape]
        return ((0x10000 + (value << bits), 0x10000 + ((value + 1) << bits) - 1, left),)
    match shape:
        case 4:  # AFTER_E0
            return ((0x800, 0xFFF, left),)
        case 5:  # AFTER_ED
            return ((0xD000, 0xD7FF, left),)
        case 6:  # AFTER_F0
            return ((0x10000, 0x3FFFF, left),)
        case 7:  # AFTER_F4
            return ((0x100000, cs.LAST, left),)
        case 13:  # AFTER_D
            return ((0xD000, 0xD7FF, left), (*_BEYOND, left + _PAIR_MORE))
        case _:
            short = tuple((code, code, 1) for code in sorted(_SHORT.values())) if shape == ESCAPE else ()
            return (*short, *((low, high, left) for low, high in _BMP), (*_BEYOND, left + _PAIR_MORE))


def tail(shape: int, code: int, left: int) -> bytes:
    """Give the last `left` bytes of a code point's writing, in the way that the shape has begun."""
    if shape < ESCAPE:
        return chr(code).encode()[-left:]
    if left == 1 and shape == ESCAPE:
        return bytes(byte for byte, short in _SHORT.items() if short == code)
    units = chr(code).encode("utf-16-be")
    written = "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    return written.encode()[-left:]


JSON_COSTS: tuple[tuple[int, cs.Ranges], ...] = (
    (1, ((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x7F))),
    (2, ((0x08, 0x0A), (0x0C, 0x0D), (0x22, 0x22), (0x5C, 0x5C), (0x80, 0x7FF))),
    (3, ((0x800, 0xFFFF),)),
    (4, ((0x10000, cs.LAST),)),
    (6, ((0x00, 0x07), (0x0B, 0x0B), (0x0E, 0x1F))),
)
"""The fewest bytes of each code point inside of a JSON string."""

RAW_COSTS: tuple[tuple[int, cs.Ranges], ...] = (
    (1, ((0x00, 0x7F),)),
    (2, ((0x80, 0x7FF),)),
    (3, ((0x800, 0xFFFF),)),
    (4, ((0x10000, cs.LAST),)),
)
"""The bytes of each code point in UTF-8."""


@lru_cache(maxsize=4096)
def cheapest(ranges: cs.Ranges, costs: tuple[tuple[int, cs.Ranges], ...]) -> int:
    """Give the fewest bytes that a code point of a set, which is not empty, takes."""
    for cost, band in costs:
        if cs.intersection(ranges, band):
            return cost
    raise AssertionError("a set of code points without any")


def inside(text: str) -> bytes:
    """Write a text as it stands inside of a JSON string, as `json.dumps(..., ensure_ascii=False)` does."""
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


__all__ = [
    "ANY_VALUE",
    "DONE",
    "ESCAPE",
    "FOUR_HEX",
    "JSON_COSTS",
    "LEADS",
    "MOVES",
    "RAW_COSTS",
    "Move",
    "cheapest",
    "inside",
    "spans",
    "tail",
]
