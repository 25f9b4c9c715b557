"""JSON numbers: free, or within bounds, compared digit by digit.

Decimals are compared, readers compare floats. Rounding keeps order but may make two numbers equal, so an exclusive
bound is only taken with few enough digits that it cannot. Exponents are written only where there are no bounds.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TypeAlias

import numpy as np

from decodekit_outlines.automaton import NOTHING, Automaton, product, trim
from decodekit_outlines.nodes import NEVER, Leaf, Node
from decodekit_outlines.patterns import language

Number: TypeAlias = int | float

INTEGER_DIGITS = 18  # within 64 bits, for readers that have no more
FRACTION_DIGITS = 17
SAFE_DIGITS = 15  # decimals of so many digits are different floats
MAX_MULTIPLE = 2000

FREE_INTEGER = rf"-?(?:0|[1-9][0-9]{{0,{INTEGER_DIGITS - 1}}})"
FREE_NUMBER = rf"{FREE_INTEGER}(?:\.[0-9]{{1,{FRACTION_DIGITS}}})?(?:[eE][+-]?[0-9]{{1,2}})?"
Bound: TypeAlias = "tuple[Number, bool] | None"
"""A number, and whether it is itself excluded."""


def integers(low: Bound, high: Bound, multiple: int = 1) -> Node:
    """Give the multiples of `multiple` between two bounds, of at most 18 digits or as many as the bounds."""
    least = None if low is None else math.floor(low[0]) + 1 if low[1] else math.ceil(low[0])
    most = None if high is None else math.ceil(high[0]) - 1 if high[1] else math.floor(high[0])
    if least is None and most is None:
        found = language(FREE_INTEGER)
    else:
        digits = max(INTEGER_DIGITS, *(len(str(abs(b))) for b in (least, most) if b is not None))
        lower = None if least is None else (Decimal(least), False)
        upper = None if most is None else (Decimal(most), False)
        found = _between(_Digits(digits, 0), lower, upper)
    return Leaf(found if multiple == 1 else product(found, _multiples(multiple)))


def numbers(low: Bound, high: Bound) -> Node | None:
    """Give the numbers between two bounds; None where rounding could put one on an excluded bound."""
    if low is None and high is None:
        return Leaf(language(FREE_NUMBER))
    bounds = [None if b is None else (Decimal(repr(b[0])), b[1]) for b in (low, high)]
    parts = [_split(abs(b[0])) for b in bounds if b is not None]
    whole = max(len(p[0]) for p in parts)
    whole = whole if len(parts) == 2 else max(whole, 9)
    fraction = max(SAFE_DIGITS - whole, *(len(p[1]) for p in parts), 1)
    if whole + fraction > SAFE_DIGITS and any(b is not None and b[1] for b in bounds):
        return None
    found = _between(_Digits(whole, fraction), bounds[0], bounds[1])
    return Leaf(found) if found.size else NEVER


def _split(value: Decimal) -> tuple[str, str]:
    whole, _, fraction = f"{value:f}".partition(".")
    return whole, fraction.rstrip("0")


def _between(digits: _Digits, low: tuple[Decimal, bool] | None, high: tuple[Decimal, bool] | None) -> Automaton:
    found = None
    for regex in (None if low is None else digits.at_least(*low), None if high is None else digits.at_most(*high)):
        if regex is not None:
            one = language(regex) if regex else NOTHING
            found = one if found is None else product(found, one)
    assert found is not None
    return found


class _Digits:
    """Regexes of decimals on one side of a bound.

    Args:
        whole: Most digits before the point.
        fraction: Most digits after it; 0 for integers.
    """

    def __init__(self, whole: int, fraction: int) -> None:
        self.whole, self.fraction = whole, fraction
        self.any_fraction = rf"(?:\.[0-9]{{1,{fraction}}})?" if fraction else ""
        self.any = rf"(?:0|[1-9][0-9]{{0,{whole - 1}}}){self.any_fraction}"

    def at_least(self, bound: Decimal, excluded: bool) -> str:
        if bound >= 0:
            return self._magnitude_up(bound, excluded)
        return _either([self.any, _signed(self._magnitude_down(-bound, excluded))])

    def at_most(self, bound: Decimal, excluded: bool) -> str:
        if bound < 0 or (bound == 0 and excluded):
            return _signed(self._magnitude_up(-bound, excluded))
        return _either([f"-{self.any}", self._magnitude_down(bound, excluded)])

    def _magnitude_up(self, bound: Decimal, excluded: bool) -> str:
        whole, fraction = _split(abs(bound))
        more = [rf"[1-9][0-9]{{{len(whole)},{self.whole - 1}}}"] if len(whole) < self.whole else []
        for i, digit in enumerate(whole):
            if digit < "9":
                more.append(rf"{whole[:i]}[{int(digit) + 1}-9][0-9]{{{len(whole) - i - 1}}}")
        options = [f"{_either(more)}{self.any_fraction}"] if more else []
        tail = self._fraction_up(fraction, excluded)
        return _either([*options, *([whole + tail] if tail is not None else [])])

    def _magnitude_down(self, bound: Decimal, excluded: bool) -> str:
        whole, fraction = _split(abs(bound))
        less = [] if len(whole) == 1 else ["0" if len(whole) == 2 else "", rf"[1-9][0-9]{{0,{len(whole) - 2}}}"]
        if len(whole) > 1:
            less[0] = "0"
        for i, digit in enumerate(whole):
            lowest = 1 if i == 0 and len(whole) > 1 else 0
            if int(digit) > lowest:
                less.append(rf"{whole[:i]}[{lowest}-{int(digit) - 1}][0-9]{{{len(whole) - i - 1}}}")
        options = [f"{_either(less)}{self.any_fraction}"] if less else []
        tail = self._fraction_down(fraction, excluded)
        return _either([*options, *([whole + tail] if tail is not None else [])])

    def _fraction_up(self, digits: str, excluded: bool) -> str | None:
        """Give the fractions, point included, that are at least, or above, 0.digits; None where there are none."""
        size = self.fraction
        if not digits and not excluded:
            return self.any_fraction
        options = [rf"\.{digits[:i]}[{int(d) + 1}-9][0-9]{{0,{size - i - 1}}}" for i, d in enumerate(digits) if d < "9"]
        if not excluded:
            options.append(rf"\.{digits}[0-9]{{0,{size - len(digits)}}}")
        else:
            for zeros in range(size - len(digits)):
                left = size - len(digits) - zeros - 1
                options.append(rf"\.{digits}0{{{zeros}}}[1-9][0-9]{{0,{left}}}")
        return _either(options) if options else None

    def _fraction_down(self, digits: str, excluded: bool) -> str | None:
        size = self.fraction
        if not digits:
            return None if excluded else rf"(?:\.0{{1,{size}}})?" if size else ""
        options = [""]
        for i, digit in enumerate(digits):
            if digit > "0":
                options.append(rf"\.{digits[:i]}[0-{int(digit) - 1}][0-9]{{0,{size - i - 1}}}")
            if i:
                options.append(rf"\.{digits[:i]}")
        if not excluded:
            options.append(rf"\.{digits}0{{0,{size - len(digits)}}}")
        return _either(options)


def _either(options: list[str]) -> str:
    return "(?:" + "|".join(options) + ")" if options else ""


def _signed(regex: str) -> str:
    return f"-{regex}" if regex else ""


def _multiples(multiple: int) -> Automaton:
    """Give all integers that `multiple` divides: a state per remainder."""
    start, minus, zero = multiple, multiple + 1, multiple + 2
    moves = np.full((multiple + 3, 12), -1, np.int32)  # columns: digits, "-", everything else
    digits = np.arange(10)
    moves[:multiple, :10] = (np.arange(multiple)[:, None] * 10 + digits) % multiple
    for state in (start, minus):
        moves[state, :10] = digits % multiple
        moves[state, 0] = zero
    moves[start, 10] = minus
    final = np.zeros(multiple + 3, np.bool_)
    final[[0, zero]] = True
    classes = np.full(256, 11, np.uint8)
    classes[0x30:0x3A] = digits
    classes[0x2D] = 10
    return trim(moves, classes, final, start)


__all__ = ["MAX_MULTIPLE", "Bound", "Number", "integers", "numbers"]
