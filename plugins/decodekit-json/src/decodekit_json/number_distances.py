"""The fewest bytes from digits to the end of a number: searched by size, over the forms that its text may take.

Exact; not kept, which the terminal does. Exponents that have begun are few, and the terminal walks through them.
"""

from __future__ import annotations

from decodekit_json.number_forms import NumberForms
from decodekit_json.terminal import INFINITE

_LENGTHS = ((2, 0, 9), (3, 10, 99), (3, -9, -1), (4, 100, 999), (4, -99, -10), (5, -999, -100))
"""Bytes of an e and an exponent, and the exponents that need so many."""


def whole_distance(forms: NumberForms, side: int, digits: int, size: int) -> int:
    """Give the fewest bytes to the end after digits before the point, where they are not a whole text."""
    shape, best = forms.shape, INFINITE
    rest = shape.whole - size if size else 0
    for more in range(rest + 1):
        if more >= best:
            break
        if forms.whole_some(side, digits, size, more):
            best = more
        elif size + more <= shape.pointed:
            best = min(best, place_distance(forms, side, digits, size + more, 0, more, best - more - 1) + more + 1)
    return scientific_distance(forms, side, digits, size, 0, 0, 1, best)


def place_distance(forms: NumberForms, side: int, digits: int, size: int, places: int, more: int, below: int) -> int:
    """Give the fewest digits after the point until a text ends, `below` or more where there are not fewer."""
    least, most = max(1, places), min(forms.shape.places, places + below - 1)
    if most < least or not forms.pointed_some(side, digits, size, places, more, most):
        return INFINITE
    while least < most:
        middle = (least + most) // 2
        if forms.pointed_some(side, digits, size, places, more, middle):
            most = middle
        else:
            least = middle + 1
    return most - places


def scientific_distance(
    forms: NumberForms, side: int, digits: int, size: int, places: int, least: int, point: int, best: int
) -> int:
    """Give the fewest bytes with an exponent, of at least `least` further digits, or `best` where that is less."""
    at, shape = forms.sides[side], forms.shape
    if size != 1 or at.scientific is None:
        return best
    for more in range(least, shape.mantissa - places + 1):
        begun = more + (point if more else 0)
        if begun + 2 >= best:
            break
        if not forms.power_hope(digits, places, more, at):
            continue
        for length, low, high in _LENGTHS:
            powers = range(max(low, at.least), min(high, at.most) + 1)
            if begun + length < best and any(forms.power_some(at, digits, places, more, p) for p in powers):
                best = begun + length
    return best


__all__ = ["place_distance", "scientific_distance", "whole_distance"]
