"""How long the texts of numbers may be, and which magnitudes they may have: positive, negative, or without bounds.

Readers round a number with a point or an exponent to a float. Rounding keeps order, so the texts that come out on the
right side of a bound are all those past one exact place, which is found here; whole numbers are read exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from decodekit_json.number_grid import Grid
from decodekit_json.number_range import NumberRange, places_of

FREE_DIGITS = 100
WHOLE_DIGITS = 19
REPR_PLACES = 24  # a float's repr has at most 20 digits after the point before it turns to exponents
MANTISSA_PLACES = 16
SAFE_DIGITS = 15  # decimals of so many digits are different floats
LEAST_EXPONENT, LEAST_NORMAL, MOST_EXPONENT = -324, -307, 308
OVERFLOW = 2**1024 - 2**970
"""What is at least so large is read as infinity."""
POSITIVE, NEGATIVE, LOOSE = range(3)
"""Places of the sides that `sides_of` gives."""

_TENS = [10**i for i in range(800)]


def ten(exponent: int) -> int:
    """Give a power of ten."""
    return _TENS[exponent] if exponent < 800 else 10**exponent


def decade(value: int) -> int:
    """Give the exponent of the power of ten at or below `value` > 0."""
    guess = int((value.bit_length() - 1) * 0.30102999566398120)
    while ten(guess + 1) <= value:
        guess += 1
    return guess


@dataclass(frozen=True, slots=True)
class Shape:
    """Digits that texts may have.

    Attributes:
        free: No constraints at all: an exponent may follow any digits.
        whole: Most digits before the point.
        pointed: Most digits before the point where a point follows.
        places: Most digits after the point.
        budget: Most digits before and after the point until only zeros may follow, None for no such limit.
        mantissa: Most digits after the point where an exponent follows.
        least: Least exponent.
        most: Greatest exponent.
    """

    free: bool
    whole: int
    pointed: int
    places: int
    budget: int | None
    mantissa: int
    least: int
    most: int

    @property
    def scale(self) -> int:
        """Give the places that write every value with an exponent."""
        return max(0, self.mantissa - self.least)

    def reach(self, digits: int) -> int:
        """Give after how many places only zeros follow, for so many digits before the point (0 for "0")."""
        if self.budget is None:
            return self.places
        return max(0, min(self.places, self.budget - digits))


def shape_of(numbers: NumberRange, budget: int) -> Shape:
    """Choose how long texts may be."""
    if numbers == NumberRange():
        return Shape(True, FREE_DIGITS, FREE_DIGITS, FREE_DIGITS, None, FREE_DIGITS, LEAST_EXPONENT, MOST_EXPONENT)
    step, holes = numbers.lattice, numbers.holes
    named = [b for b in (numbers.low, numbers.high) if b is not None] + list(numbers.values or ())
    steps = [*holes, *([] if step is None else [step])]
    spread = len(str(len(numbers.excluded))) + 2
    whole = max([len(str(int(abs(v)))) for v in [*named, *steps, *numbers.excluded]], default=0) + spread
    whole = max(WHOLE_DIGITS, whole) if named or steps != [Fraction(1)] else FREE_DIGITS
    places = max([places_of(v) for v in [*named, *steps, *numbers.excluded]], default=0)
    if numbers.values is not None:
        digits = [len(str(v.numerator * 10 ** places_of(v) // v.denominator)) for v in numbers.values]
        least = [decade(abs(v.numerator) * ten(places) // v.denominator) - places for v in numbers.values if v]
        mantissa = max([MANTISSA_PLACES, *digits])
        return Shape(
            False,
            whole,
            whole,
            max(REPR_PLACES, places),
            None,
            mantissa,
            min([0, *least]),
            MOST_EXPONENT,
        )
    exact_in_floats = step is None or (step.numerator == 1 and step.denominator & (step.denominator - 1) == 0)
    if exact_in_floats and not holes and not numbers.excluded:
        least = LEAST_EXPONENT if step is None else -places_of(step)
        return Shape(False, whole, whole, max(REPR_PLACES, places + 2), None, MANTISSA_PLACES, least, MOST_EXPONENT)
    budget = max(budget, places + 3)
    most = SAFE_DIGITS - 1 if step is not None and step.denominator == 1 and step != 1 else MOST_EXPONENT
    least = LEAST_NORMAL if step is None else -places_of(step)
    pointed = min(whole, budget)
    return Shape(False, whole, pointed, max(REPR_PLACES, places + 2), budget, SAFE_DIGITS - 1, least, most)


class Side:
    """The magnitudes that texts of one sign may have, or texts for which no bound matters any more.

    Attributes:
        whole: Magnitudes of texts without point and exponent; None for none.
        pointed: Magnitudes of texts with a point, times 10^places.
        scientific: Magnitudes of texts with an exponent, times 10^scale.
        least: Least exponent that can be within the bounds.
        most: Greatest such exponent.
        finite: Whether the only upper bound of `scientific` is that floats end.
        low_digits: Fewest digits before the point that can be within the bounds.
        high_digits: Most such digits.
        bounds: Whole parts of the bounds, each with its number of digits; None where single values matter too.
    """

    __slots__ = (
        "bounds", "finite", "high_digits", "least", "low_digits", "most", "pointed", "scientific", "whole",
    )  # fmt: skip

    def __init__(self, shape: Shape, whole: Grid | None, pointed: Grid | None, scientific: Grid | None) -> None:
        if pointed is not None and shape.pointed > MOST_EXPONENT:
            pointed = pointed.within(0, OVERFLOW * ten(shape.places) - 1)
        self.whole, self.pointed = whole, pointed
        self.finite = scientific is not None and scientific.high is None
        self.least, self.most = shape.least, shape.most
        if scientific is not None:
            scientific = scientific.within(1, OVERFLOW * ten(shape.scale) - 1)
            self._exponents(scientific, shape)
        self.scientific = scientific if self.least <= self.most else None
        units = [(whole, 0), (pointed, shape.places)]
        lows = [(g.low if not g.values else max(g.low, g.values[0]), p) for g, p in units if g is not None]
        highs = [(g.values[-1] if g.values else g.high, p) for g, p in units if g is not None]
        self.low_digits = min((_digits(low, p) for low, p in lows), default=1)
        tops = [shape.whole if high is None else _digits(high, p) for high, p in highs]
        self.high_digits = min(shape.whole, max(tops, default=1))
        self.bounds: tuple[tuple[int, int], ...] | None = None
        if all(grid is None or (grid.values is None and not grid.excluded) for grid in (whole, pointed)):
            named = [(b, p) for g, p in units if g is not None for b in (g.low, g.high) if b is not None]
            self.bounds = tuple({(bound // ten(p), _digits(bound, p)) for bound, p in named})

    def _exponents(self, grid: Grid, shape: Shape) -> None:
        assert grid.high is not None
        low, high = grid.low, grid.high
        if grid.values is not None:
            values = [v for v in grid.values if low <= v <= high]
            low, high = (min(values), max(values)) if values else (1, 0)
        if low > high:
            self.least, self.most = 1, 0
            return
        self.least = max(shape.least, decade(low) - shape.scale)
        self.most = min(shape.most, decade(high) - shape.scale)
        for hole in grid.nots:  # from some exponent on, every value is a multiple
            tens, rest = 0, hole
            while rest % 10 == 0:
                tens, rest = tens + 1, rest // 10
            tens += next((i for i in range(rest.bit_length() + 1) if 10**i % rest == 0), shape.scale + MOST_EXPONENT)
            self.most = min(self.most, tens - 1 + shape.mantissa - shape.scale)


def _digits(value: int, places: int) -> int:
    whole = value // ten(places)
    return decade(whole) + 1 if whole else 1


def sides_of(numbers: NumberRange, shape: Shape) -> tuple[Side, Side, Side]:
    """Give the magnitudes of positive texts, of negative ones, and of those that are past all bounds."""
    plain_only = numbers.plain_integers and numbers.integer is True
    float_only = numbers.plain_integers and numbers.integer is False
    sides: list[Side] = []
    for sign in (1, -1, 0):
        whole = None if float_only else _grid(numbers, sign, 0, floats=False)
        pointed = None if plain_only else _grid(numbers, sign, shape.places, floats=True)
        scientific = None if plain_only else _grid(numbers, sign, shape.scale, floats=True)
        sides.append(Side(shape, whole, pointed, scientific))
    return sides[0], sides[1], sides[2]


def _grid(numbers: NumberRange, sign: int, places: int, floats: bool) -> Grid | None:
    """Give magnitudes times 10^places; `sign` 0 leaves out bounds, values and what is excluded."""
    unit = ten(places)
    step = numbers.lattice
    every = 1 if step is None else math.lcm((step * unit).numerator, 1)
    nots = tuple((hole * unit).numerator for hole in numbers.holes)
    if sign == 0:
        return Grid(0, None, every, nots)
    low, high = (numbers.low, numbers.low_excluded), (numbers.high, numbers.high_excluded)
    if sign < 0:
        low, high = (None if high[0] is None else -high[0], high[1]), (None if low[0] is None else -low[0], low[1])
    least, most = 0, None
    if low[0] is not None:
        least = max(0, _least(low[0], low[1], unit, floats))
    if high[0] is not None:
        most = -_least(-high[0], high[1], unit, floats)
        if most < least:
            return None
    left_out = _magnitudes(numbers.excluded, sign, unit)
    values = None
    if numbers.values is not None:
        values = _magnitudes(numbers.kept, sign, unit)
        if not values:
            return None
    return Grid(least, most, every, nots, left_out, values)


def _magnitudes(values: Iterable[Fraction], sign: int, unit: int) -> tuple[int, ...]:
    """Give the values of one sign that are whole numbers of 1 / unit."""
    found: list[int] = []
    for value in values:
        scaled, rest = divmod(value.numerator * sign * unit, value.denominator)
        if scaled >= 0 and not rest:
            found.append(scaled)
    return tuple(found)


def _least(bound: Fraction, excluded: bool, unit: int, floats: bool) -> int:
    """Give the least integer x for which x / unit, and what a reader makes of it, is at least or above the bound."""
    place = _first(bound, excluded, unit)
    if not floats:
        return place
    try:
        near = float(bound)
    except OverflowError:
        return place
    if math.isinf(near):
        return place
    if excluded:
        place = max(place, _rounds_up_to(math.nextafter(near, math.inf), unit))
    elif bound.denominator == 1 and Fraction(Decimal(repr(near))) != bound and Fraction(near) < bound:
        place = max(place, _rounds_up_to(math.nextafter(near, math.inf), unit))  # readers keep a whole bound exact
    return place


def _rounds_up_to(value: float, unit: int) -> int:
    """Give the least integer x for which x / unit is read as `value` or more."""
    if math.isinf(value):
        return OVERFLOW * unit
    below = math.nextafter(value, -math.inf)
    middle = (Fraction(value) + Fraction(below)) / 2
    place = math.ceil(middle * unit)
    if Fraction(place, unit) == middle and float(middle) != value:  # a tie goes to the even neighbour
        place += 1
    return place


def _first(bound: Fraction, excluded: bool, unit: int) -> int:
    scaled = bound * unit
    return math.floor(scaled) + 1 if excluded else math.ceil(scaled)


__all__ = ["LOOSE", "NEGATIVE", "OVERFLOW", "POSITIVE", "Shape", "Side", "decade", "shape_of", "sides_of", "ten"]
