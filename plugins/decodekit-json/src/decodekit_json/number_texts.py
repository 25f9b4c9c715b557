"""What may still come after some digits of a number, listed with the values that it gives, or counted from below.

A value may come more than once, in several forms; the terminal tells values apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from decodekit_json.number_forms import NumberForms
from decodekit_json.number_powers import padded
from decodekit_json.number_shape import ten
from decodekit_json.number_states import POINT, POWER, WHOLE, State


def least_count(forms: NumberForms, state: State, enough: int) -> int:
    """Give a number of values that are there without listing them; looks no further once it is enough."""
    phase, side, digits, size, places = state
    at, shape, found = forms.sides[side], forms.shape, 0
    rest = shape.whole - size if size and phase == WHOLE else 0
    for more in range(rest + 1):
        one = two = 0
        if phase == WHOLE and at.whole is not None:
            one = at.whole.count(digits * ten(more), (digits + 1) * ten(more) - 1)
        if at.pointed is not None and (size + more <= shape.pointed or phase == POINT):
            two = at.pointed.count(*forms.pointed_range(digits, size + more, places, more, -1))
        found += max(one, two)
        if found >= enough:
            return found
    if size == 1 and at.scientific is not None and shape.mantissa >= places:
        for power in (at.least, (at.least + at.most) // 2, at.most):
            unit = ten(shape.scale + power - shape.mantissa)
            first = digits * ten(shape.mantissa - places)
            last = first + ten(shape.mantissa - places) - 1
            found = max(found, at.scientific.count(first * unit, last * unit, unit))
    return found


def plain_texts(forms: NumberForms, state: State) -> Iterator[tuple[Fraction, bytes]]:
    """Give what may still come before the end of a text without an exponent."""
    phase, side, digits, size, places = state
    at, shape = forms.sides[side], forms.shape
    rest = shape.whole - size if size and phase == WHOLE else 0
    for more in range(rest + 1):
        if phase == WHOLE and at.whole is not None:
            first = digits * ten(more)
            for value in at.whole.members(first, first + ten(more) - 1):
                yield Fraction(value), padded(value - first, more)
        if at.pointed is None or (phase == WHOLE and size + more > shape.pointed):
            continue
        first, last, grain = forms.pointed_range(digits, size + more, places, more, -1)
        for value in at.pointed.members(first, last, grain):
            text = padded(value - first, more + shape.places - places)
            after = text[more:].rstrip(b"0") or (b"" if places else b"0")
            yield Fraction(value, ten(shape.places)), text[:more] + (b"." if phase == WHOLE else b"") + after


def scientific_texts(forms: NumberForms, state: State) -> Iterator[tuple[Fraction, bytes]]:
    """Give what may still come before the end of a text with an exponent."""
    phase, side, digits, size, places = state
    at, shape = forms.sides[side], forms.shape
    more = shape.mantissa - places
    if size != 1 or at.scientific is None or more < 0:
        return
    for power in range(at.least, at.most + 1):
        unit = ten(shape.scale + power - shape.mantissa)
        first = digits * ten(more)
        for value in at.scientific.members(first * unit, (first + ten(more) - 1) * unit, unit):
            after = padded(value // unit - first, more).rstrip(b"0")
            if phase == WHOLE and after:
                after = b"." + after
            elif phase == POINT and not places:
                after = after or b"0"
            yield Fraction(value, ten(shape.scale)), after + b"e%d" % power


def power_texts(state: State) -> Iterator[tuple[Fraction, bytes]]:
    """Give the exponents that can still come; the value stands for the number, whose digits are gone."""
    phase, low, high, holes = state[:4]
    value, size = (state[4], state[5]) if phase == POWER else (0, 0)
    seen: set[int] = set()
    for more in range(4 - size if phase == POWER else 1):
        first, last = (value * ten(more), (value + 1) * ten(more) - 1) if phase == POWER else (low, high)
        for power in range(max(low, first), min(high, last) + 1):
            if power not in holes and power not in seen:
                seen.add(power)
                text = padded(power - first, more) if phase == POWER else b"%d" % power
                yield Fraction(power), text


__all__ = ["least_count", "plain_texts", "power_texts", "scientific_texts"]
