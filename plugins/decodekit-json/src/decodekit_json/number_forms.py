"""The forms of a number's text, and whether one that begins with given digits is left: whole, with a point, with an e.

That is arithmetic on the intervals of values that each number of further digits gives; nothing is listed, and no state
is kept. How long texts may be is said in `number_shape`.
"""

from __future__ import annotations

from decodekit_json.number_grid import Grid
from decodekit_json.number_powers import first_multiple, power_between
from decodekit_json.number_range import NumberRange
from decodekit_json.number_shape import LOOSE, Shape, Side, shape_of, sides_of, ten


class NumberForms:
    """The texts of a range's numbers. Immutable.

    Digits are given as one number without the point, with the side that their sign makes theirs.

    Args:
        numbers: The range.
        budget: See `Shape`.

    Attributes:
        shape: How long texts may be.
        sides: Which magnitudes they may have.
    """

    __slots__ = ("_best_above", "_best_below", "shape", "sides")

    def __init__(self, numbers: NumberRange, budget: int) -> None:
        self.shape: Shape = shape_of(numbers, budget)
        self.sides: tuple[Side, Side, Side] = sides_of(numbers, self.shape)
        grid = self.sides[LOOSE].scientific
        self._best_above = Grid(0, None, grid.step) if grid is not None and grid.step > 1 else None
        self._best_below = Grid(0, None, 1, grid.nots) if grid is not None and grid.nots else None

    def whole_alive(self, side: int, digits: int, size: int) -> bool:
        """Say whether any text is left after digits before the point."""
        at, shape = self.sides[side], self.shape
        if size == 0:
            return self.whole_some(side, 0, 0, 0) or self.pointed_some(side, 0, 0, 0)
        most = min(at.high_digits, shape.whole) if side != LOOSE else shape.whole
        least = max(0, at.low_digits - size) if side != LOOSE else 0
        for more in range(most - size, least - 1, -1):
            if self.whole_some(side, digits, size, more):
                return True
            if size + more <= shape.pointed and self.pointed_some(side, digits, size + more, 0, more):
                return True
        return self.scientific_some(side, digits, size, 0)

    def whole_some(self, side: int, digits: int, size: int, more: int) -> bool:
        """Say whether a text ends after exactly `more` further digits before the point."""
        grid = self.sides[side].whole
        if grid is None or size + more > self.shape.whole:
            return False
        unit = ten(more)
        return grid.some(digits * unit, digits * unit + unit - 1)

    def pointed_some(self, side: int, digits: int, size: int, places: int, more: int = 0, reach: int = -1) -> bool:
        """Say whether a text with a point ends after `more` digits before it and at most `reach` after it."""
        grid = self.sides[side].pointed
        if grid is None:
            return False
        first, last, grain = self.pointed_range(digits, size, places, more, reach)
        return grid.some(first, last, grain)

    def pointed_range(self, digits: int, size: int, places: int, more: int, reach: int) -> tuple[int, int, int]:
        """Give the least and greatest value of such texts and the step between them, in units of the last place."""
        shape = self.shape
        most = shape.reach(size)
        if reach >= 0:
            most = min(most, reach)
        first = digits * ten(more + shape.places - places)
        if places and most <= places:
            return first, first, 1
        grain = ten(shape.places - most)
        return first, first + ten(more + shape.places - places) - grain, grain

    def scientific_some(self, side: int, digits: int, size: int, places: int) -> bool:
        """Say whether a text with an exponent is left."""
        at, shape = self.sides[side], self.shape
        more = shape.mantissa - places
        if size != 1 or at.scientific is None or more < 0:
            return False
        if more == 0:
            return self.powers(side, digits, size, places) is not None
        if at.most - at.least > 1:
            for power in (at.most - 1, at.least + 1):
                if self.power_some(at, digits, places, more, power):
                    return True
        if not self.power_hope(digits, places, more, at):
            return False
        return any(self.power_some(at, digits, places, more, p) for p in range(at.most, at.least - 1, -1))

    def power_some(self, at: Side, digits: int, places: int, more: int, power: int) -> bool:
        """Say whether at most `more` further digits and this exponent give a value."""
        assert at.scientific is not None
        unit = ten(self.shape.scale + power - places - more)
        first = digits * ten(more) * unit
        return at.scientific.some(first, first + (ten(more) - 1) * unit, unit)

    def power_hope(self, digits: int, places: int, more: int, at: Side) -> bool:
        """Rule out what no exponent can mend: large ones are best for multiples, small ones for their absence."""
        for power, grid in ((at.most, self._best_above), (at.least, self._best_below)):
            if grid is not None:
                unit = ten(self.shape.scale + power - places - more)
                first = digits * ten(more) * unit
                if not grid.some(first, first + (ten(more) - 1) * unit, unit):
                    return False
        return True

    def powers(self, side: int, digits: int, size: int, places: int) -> tuple[int, int, tuple[int, ...]] | None:
        """Give the exponents that may follow complete digits: least, greatest, and those between that may not."""
        shape, at = self.shape, self.sides[side]
        if size != 1 or places > shape.mantissa:
            return (-99, 99, ()) if shape.free else None
        grid = at.scientific
        if grid is None:
            return None
        low, high, shift = at.least, at.most, shape.scale - places
        if grid.values is not None:
            found = (power_between(v, digits, shift) for v in grid.values)
            powers = sorted(p for p in found if p is not None and low <= p <= high)
            if not powers:
                return None
            return powers[0], powers[-1], tuple(sorted(set(range(powers[0], powers[-1])) - set(powers)))
        assert grid.high is not None
        low += digits * ten(shift + low) < grid.low
        high -= digits * ten(shift + high) > grid.high
        if grid.step > 1:
            low = first_multiple(digits, shift, low, high, grid.step)
        for hole in grid.nots:
            high = first_multiple(digits, shift, low, high, hole) - 1
        holes = [power_between(x, digits, shift) for x in grid.excluded]
        out = {p for p in holes if p is not None and low <= p <= high}
        while low in out:
            low += 1
        while high in out:
            high -= 1
        return (low, high, tuple(sorted(p for p in out if low < p < high))) if low <= high else None


__all__ = ["NumberForms"]
