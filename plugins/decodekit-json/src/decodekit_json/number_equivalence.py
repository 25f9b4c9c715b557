"""Which beginnings of numbers have the same future, and the one of them that stands for all.

Digits matter only as long as a bound can still be broken; after that only what the multiples ask for. Beginnings that
are kept apart may have one future all the same: there are finitely many, but not the fewest.
"""

from __future__ import annotations

from collections.abc import Hashable

from decodekit_json.number_forms import NumberForms
from decodekit_json.number_powers import power_of_ten, zeros
from decodekit_json.number_range import NumberRange, common_multiple, places_of
from decodekit_json.number_shape import LOOSE, OVERFLOW, ten
from decodekit_json.number_states import POINT, WHOLE, State

MANY = 9
"""Digits before the point, where only matters that there are more than one."""


class Equivalence:
    """Which beginnings of a range's numbers are alike. Immutable.

    Attributes:
        dense: Whether there are neither multiples nor their absence.
        cycle: Where no bound matters, digits are alike that are equal modulo this at `cycle_places`; 0 where `dense`.
        cycle_places: Places after the point that the multiples have.
    """

    __slots__ = ("_by_zeros", "_limit", "_shape", "_sides", "cycle", "cycle_places", "dense")

    def __init__(self, numbers: NumberRange, forms: NumberForms) -> None:
        step = numbers.lattice
        every = common_multiple([*numbers.holes, *([] if step is None else [step])])
        self._shape, self._sides = forms.shape, forms.sides
        self._by_zeros = not numbers.holes and (step is None or power_of_ten(step))
        self._limit = str(OVERFLOW)
        self.dense = every is None
        self.cycle_places = 0 if every is None else max(places_of(q) for q in (*numbers.holes, step) if q is not None)
        self.cycle = 0 if every is None else int(every * ten(self.cycle_places))

    def settled(self, side: int, digits: int, size: int, places: int, more: int) -> bool:
        """Say whether no bound can be broken by any text that begins so, with `more` digits before a point at most."""
        at, shape = self._sides[side], self._shape
        end = (digits + 1) * ten(more)
        if at.whole is not None and not places and not at.whole.holds(digits, end - 1):
            return False
        if at.pointed is not None:
            unit = ten(shape.places - places)
            if not at.pointed.holds(digits * unit, end * unit - 1):
                return False
        elif self._sides[LOOSE].pointed is not None:
            return False
        if at.whole is None and self._sides[LOOSE].whole is not None:
            return False
        if size != 1 or places > shape.mantissa or self._sides[LOOSE].scientific is None:
            return True
        grid = at.scientific
        if grid is None or grid.values is not None or not at.finite:
            return False
        low = digits * ten(shape.scale + shape.least - places)
        return low >= grid.low and (not grid.excluded or grid.excluded[-1] < low)

    def least_digits(self, digits: int, size: int, places: int) -> int:
        """Give the least digits that have the same future where no bound matters."""
        if size == 1 and places <= self._shape.mantissa and self._sides[LOOSE].scientific is not None:
            if not self._by_zeros:
                return digits
            after = places if self.dense else zeros(digits, places)
            prefix = int(self._limit[: places + 1])
            if digits == prefix:
                return digits
            return ten(places) * (1 if digits < prefix else 2) + (ten(after) if after < places else 0)
        if not self.cycle:
            return 0
        return digits % (self.cycle * ten(max(0, places - self.cycle_places)))

    def least_alike(self, side: int, digits: int, size: int) -> int:
        """Give the least digits before the point with the same future: of no bound they are the first ones."""
        bounds = self._sides[side].bounds
        if bounds is None or size < 2:
            return digits
        below = ten(size - 1) - 1
        for bound, length in bounds:
            first = bound // ten(length - size) if length >= size else 0
            if first == digits:
                return digits
            if first < digits:
                below = max(below, first)
        return below + 1 + (digits - below - 1) % (self.cycle or 1)

    def alike(self, state: State, horizon: int) -> Hashable:
        """Give a key of a state: see `Terminal.alike`."""
        if state[0] not in (WHOLE, POINT) or state[1] != LOOSE or self._shape.budget is not None:
            return state
        phase, _, digits, size, places = state
        shape, left = self._shape, self._shape.places - places
        if phase == WHOLE:
            if size < 2:
                return state
            rest = (min(shape.whole - size, horizon), max(-1, min(shape.pointed - size, horizon)))
            return (WHOLE, LOOSE, digits, MANY, rest)
        if size == 1:
            if not self._by_zeros:
                return state
            prefix = int(self._limit[: places + 1])
            kind = digits if digits == prefix else -1 if digits < prefix else -2
            shift = 0 if self.dense else places - zeros(digits, places)
            rest = (min(shape.mantissa - places, horizon), min(left, horizon), shift, places == 0)
            return (POINT, LOOSE, kind, 1, rest)
        if self.cycle and (digits or places < self.cycle_places):
            return state
        return (POINT, LOOSE, digits, MANY, (min(left, horizon), places == 0))


__all__ = ["MANY", "Equivalence"]
