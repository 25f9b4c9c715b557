"""Exponents of numbers: which may still come after an e, a sign and some digits; and what digits make of them."""

from __future__ import annotations

from fractions import Fraction

from decodekit_json.number_shape import decade, ten
from decodekit_json.number_states import EXPONENT, POWER, SIGN, State


def signed(state: State, sign: int) -> State | None:
    """Give the state after the sign of an exponent."""
    _, low, high, holes = state
    if sign < 0:
        low, high, holes = -high, -low, tuple(-p for p in reversed(holes))
    low = max(0, low)
    while low in holes:
        low += 1
    if low > high:
        return None
    return (SIGN, low, high, tuple(p for p in holes if p > low))


def powered(state: State, digit: int) -> State | None:
    """Give the state after a digit of the exponent."""
    phase, value, size = state[0], 0, 0
    if phase == EXPONENT:
        positive = signed(state, 1)
        if positive is None:
            return None
        state = positive
    elif phase == POWER:
        value, size = state[4], state[5]
    low, high, holes = state[1], state[2], state[3]
    return _settled(low, high, holes, value * 10 + digit, size + 1)


def _settled(low: int, high: int, holes: tuple[int, ...], value: int, size: int) -> State | None:
    """Give the state after so many digits of an exponent, None past three or where no exponent is left."""
    if size > 3:
        return None
    alive, every = False, True
    for more in range(4 - size):
        first, last = value * ten(more), (value + 1) * ten(more) - 1
        inside = min(high, last) - max(low, first) + 1
        if inside > 0:
            inside -= sum(1 for p in holes if first <= p <= last)
        alive = alive or inside > 0
        every = every and inside == last - first + 1
    if not alive:
        return None
    return (POWER, 0, 999, (), 0, size) if every else (POWER, low, high, holes, value, size)


def power_between(value: int, digits: int, shift: int) -> int | None:
    """Give the exponent that makes `value` of digits, None where there is none."""
    if digits == 0 or value == 0 or value % digits:
        return None
    rest = value // digits
    power = decade(rest)
    return power - shift if ten(power) == rest else None


def first_multiple(digits: int, shift: int, low: int, high: int, step: int) -> int:
    """Give the least exponent within [low, high] that gives a multiple, high + 1 where none does."""
    high += 1
    while low < high:
        middle = (low + high) // 2
        if digits * ten(shift + middle) % step:
            low = middle + 1
        else:
            high = middle
    return low


def zeros(digits: int, most: int) -> int:
    """Give how many zeros the digits end with, `most` at most."""
    found = 0
    while found < most and digits % 10 == 0:
        digits, found = digits // 10, found + 1
    return found


def padded(value: int, size: int) -> bytes:
    """Give so many digits."""
    return str(value).zfill(size).encode() if size else b""


def power_of_ten(value: Fraction) -> bool:
    """Say whether the value is 1 and zeros, before or after the point."""
    above, below = value.numerator, value.denominator
    return 1 in (above, below) and ten(decade(above)) == above and ten(decade(below)) == below


__all__ = [
    "first_multiple",
    "padded",
    "power_between",
    "power_of_ten",
    "powered",
    "signed",
    "zeros",
]
