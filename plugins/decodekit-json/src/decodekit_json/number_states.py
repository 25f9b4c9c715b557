"""States of the texts of numbers: how far a text is, and the digits so far or as much of them as still matters.

(START,), (MINUS,), (WHOLE, side, digits, how many, 0), (POINT, side, digits, how many before the point, how many after
it); after an e (EXPONENT or SIGN, the least and greatest exponent, those between that may not come), and after a digit
of it (POWER, these three, value, how many digits). Sides are those of `number_shape`. How states follow each other is
said in `numbers`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

START, MINUS, WHOLE, POINT, EXPONENT, SIGN, POWER = range(7)

State: TypeAlias = tuple[Any, ...]


__all__ = ["EXPONENT", "MINUS", "POINT", "POWER", "SIGN", "START", "WHOLE", "State"]
