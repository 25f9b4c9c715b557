"""What a JSON number must satisfy, in exact arithmetic: no value ever passes through a float."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import islice
from typing import TypeAlias

from rpds import HashTrieSet

from decodekit.errors import SchemaError, UnsupportedSchemaError

Exact: TypeAlias = "Fraction | Decimal | int | float | str"

MAX_DIGITS = 400


def exact(value: Exact) -> Fraction:
    """Give the value that a JSON number has as it is written: a float means its shortest decimal.

    Raises:
        SchemaError: For infinities and not-a-number.
        UnsupportedSchemaError: For more than 400 digits, or values that no decimal writes.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SchemaError(f"{value!r} is not a JSON number")
        value = repr(value)
    if isinstance(value, str):
        value = Decimal(value)
    if isinstance(value, Decimal) and value and abs(value.adjusted()) > MAX_DIGITS:
        raise _too_long()
    found = Fraction(value)
    if found.denominator != 1:
        places_of(found)
    if abs(found.numerator).bit_length() > 3.3 * MAX_DIGITS:
        raise _too_long()
    return found


def places_of(value: Fraction) -> int:
    """Give how many digits after the point `value` needs.

    Raises:
        UnsupportedSchemaError: Where it has no end, as 1/3, or comes after 400 digits.
    """
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1 or max(twos, fives) > MAX_DIGITS:
        raise _too_long()
    return max(twos, fives)


def _exactly(values: Iterable[Exact]) -> frozenset[Fraction]:
    return frozenset(value if type(value) is Fraction else exact(value) for value in values)


def _too_long() -> UnsupportedSchemaError:
    return UnsupportedSchemaError(
        f"a number has more than {MAX_DIGITS} digits", hint="write it shorter, or leave the keyword out"
    )


def common_multiple(values: Iterable[Fraction]) -> Fraction | None:
    """Give the smallest number that all values divide, None for none."""
    found: Fraction | None = None
    for value in values:
        if found is None:
            found = value
        else:
            above = math.lcm(found.numerator * value.denominator, value.numerator * found.denominator)
            found = Fraction(above, found.denominator * value.denominator)
    return found


@dataclass(frozen=True)
class NumberRange:
    """A set of numbers.

    Attributes:
        low: Least value, None for none.
        low_excluded: Whether `low` itself is left out.
        high: Greatest value, None for none.
        high_excluded: Whether `high` itself is left out.
        integer: True for integers only, False for all but integers, None for both.
        multiples: Every value is a multiple of each.
        not_multiples: No value is a multiple of any.
        excluded: Values that are left out: a persistent set, to which one more is added without a copy.
        values: The only values, None for all.
        plain_integers: An integer is a number written without point and exponent (draft 4), whatever its value.
        exact: Whether all numbers are fractions already, and the multiples in order.
        start: Where it is known that no value is less, and the range is `finite`; no part of the value.
    """

    low: Fraction | None = None
    low_excluded: bool = False
    high: Fraction | None = None
    high_excluded: bool = False
    integer: bool | None = None
    multiples: tuple[Fraction, ...] = ()
    not_multiples: tuple[Fraction, ...] = ()
    excluded: frozenset[Fraction] = HashTrieSet()
    values: frozenset[Fraction] | None = None
    plain_integers: bool = False
    exact: bool = field(default=False, compare=False, repr=False)
    start: Fraction | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.exact:
            return
        put = object.__setattr__
        for name in ("low", "high"):
            value = getattr(self, name)
            if value is None:
                put(self, f"{name}_excluded", False)
            elif type(value) is not Fraction:
                put(self, name, exact(value))
        for name in ("multiples", "not_multiples"):
            numbers = tuple(sorted(_exactly(getattr(self, name))))
            if numbers and numbers[0] <= 0:
                raise SchemaError(f"multipleOf {numbers[0]} is not above 0")
            put(self, name, numbers)
        put(self, "excluded", HashTrieSet(_exactly(self.excluded)))
        if self.values is not None:
            put(self, "values", _exactly(self.values))
        put(self, "plain_integers", self.plain_integers and self.integer is not None)

    def meet(self, other: NumberRange) -> NumberRange | None:
        """Keep what both have; None where no value is left.

        *Cost:* grows with the smaller of the two, not with how many values are left out already.
        """
        if self.integer is not None and other.integer is not None and self.integer != other.integer:
            return None
        low, low_excluded = _tighter((self.low, self.low_excluded), (other.low, other.low_excluded), 1)
        high, high_excluded = _tighter((self.high, self.high_excluded), (other.high, other.high_excluded), -1)
        values = self.values if other.values is None else other.values
        if self.values is not None and other.values is not None:
            values = self.values & other.values
        least = [one.least for one in (self, other) if one.finite]
        found = NumberRange(
            low,
            low_excluded,
            high,
            high_excluded,
            other.integer if self.integer is None else self.integer,
            _in_order(self.multiples, other.multiples),
            _in_order(self.not_multiples, other.not_multiples),
            _united(self.excluded, other.excluded),
            values,
            self.plain_integers or other.plain_integers,
            exact=True,
            start=max((one for one in least if one is not None), default=None),
        )
        return None if None in least or found.empty else found

    def __contains__(self, value: Fraction) -> bool:
        """Say whether the value is in the set; with `plain_integers`, whether some writing of it is."""
        if self.low is not None and (value <= self.low if self.low_excluded else value < self.low):
            return False
        if self.high is not None and (value >= self.high if self.high_excluded else value > self.high):
            return False
        if self.integer and value.denominator != 1:
            return False
        if self.integer is False and value.denominator == 1 and not self.plain_integers:
            return False
        if value in self.excluded or (self.values is not None and value not in self.values):
            return False
        if any((value / multiple).denominator != 1 for multiple in self.multiples):
            return False
        return all((value / multiple).denominator != 1 for multiple in self.not_multiples)

    @cached_property
    def kept(self) -> tuple[Fraction, ...]:
        """Give those of `values` that satisfy the rest."""
        return tuple(value for value in self.values or () if value in self)

    @cached_property
    def lattice(self) -> Fraction | None:
        """Give the number whose multiples the values are, None where they are dense."""
        return common_multiple([*self.multiples, *([Fraction(1)] if self.integer else [])])

    @cached_property
    def holes(self) -> tuple[Fraction, ...]:
        """Give the numbers whose multiples are left out."""
        whole = self.integer is False and not self.plain_integers
        return (*self.not_multiples, *([Fraction(1)] if whole else []))

    @property
    def finite(self) -> bool:
        """Say whether there are finitely many values, as far as bounds and a list tell."""
        if self.values is not None:
            return True
        if self.low is None or self.high is None:
            return False
        return self.low >= self.high or self.lattice is not None

    @cached_property
    def least(self) -> Fraction | None:
        """Give the least value of a `finite` range, None for none."""
        if self.start is not None and self.start in self:
            return self.start
        return next((value for value in self._candidates() if value in self), None)

    def _candidates(self) -> Iterable[Fraction]:
        """Give numbers, in order, among which all values are."""
        if self.values is not None:
            ordered = _ordered(self.values)
            return islice(ordered, 0 if self.start is None else bisect_left(ordered, self.start), None)
        assert self.low is not None
        assert self.high is not None
        step = self.lattice
        if step is None or self.low >= self.high:
            return (self.low,)
        first = self.low if self.start is None else max(self.low, self.start)
        return (number * step for number in range(math.ceil(first / step), math.floor(self.high / step) + 1))

    @property
    def empty(self) -> bool:
        """Say whether there is no such number. Exact."""
        step = self.lattice if self.values is None else None
        if step is not None and any((step / hole).denominator == 1 for hole in self.holes):
            return True
        return self.finite and self.least is None


@lru_cache(maxsize=16)
def _ordered(values: frozenset[Fraction]) -> Sequence[Fraction]:
    return sorted(values, key=lambda value: (math.floor(value), value))


def _in_order(one: tuple[Fraction, ...], two: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    return tuple(sorted({*one, *two})) if one and two else one or two


def _united(one: frozenset[Fraction], two: frozenset[Fraction]) -> frozenset[Fraction]:
    """Give the values of both; the larger itself where it has the smaller."""
    if not one or not two:
        return one or two
    found, large = one | two, one if len(one) > len(two) else two
    return large if len(found) == len(large) else found


def _tighter(
    one: tuple[Fraction | None, bool], two: tuple[Fraction | None, bool], sign: int
) -> tuple[Fraction | None, bool]:
    if one[0] is None or two[0] is None:
        return two if one[0] is None else one
    if one[0] == two[0]:
        return one[0], one[1] or two[1]
    return max(one, two) if sign > 0 else min(one, two)


__all__ = ["MAX_DIGITS", "Exact", "NumberRange", "common_multiple", "exact", "places_of"]
