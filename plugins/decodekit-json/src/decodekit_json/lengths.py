"""Sets of lengths as unions of arithmetic progressions, so that counters are never unrolled."""

from __future__ import annotations

from math import gcd
from typing import NamedTuple, TypeAlias

from decodekit.errors import UnsupportedSchemaError
from decodekit_json.terminal import INFINITE

_MOST_PIECES = 512


class Piece(NamedTuple):
    """The lengths `start`, `start + period`, ...: `terms` of them, without end for `INFINITE`."""

    start: int
    period: int
    terms: int

    @property
    def last(self) -> int:
        """The greatest length, `INFINITE` without end."""
        return INFINITE if self.terms >= INFINITE else self.start + self.period * (self.terms - 1)


Lengths: TypeAlias = tuple[Piece, ...]
ZERO: Lengths = (Piece(0, 1, 1),)


def _too_irregular() -> UnsupportedSchemaError:
    return UnsupportedSchemaError(
        "the lengths of a pattern's texts are too irregular to follow together with minLength and maxLength",
        hint="write the lengths into the pattern, or drop minLength and maxLength",
    )


def interval(low: int, high: int) -> Lengths:
    """Give every length from `low` to `high`."""
    return (Piece(low, 1, INFINITE if high >= INFINITE else high - low + 1),)


def reaches(lengths: Lengths, low: int, high: int) -> bool:
    """Say whether a length between `low` and `high`, both included, is in the set."""
    for start, period, terms in lengths:
        first = start if start >= low else start + -(-(low - start) // period) * period
        if first <= high and (terms >= INFINITE or first <= start + period * (terms - 1)):
            return True
    return False


def smallest(lengths: Lengths, low: int, high: int) -> int | None:
    """Give the smallest length between `low` and `high`, None where there is none."""
    found: int | None = None
    for start, period, terms in lengths:
        first = start if start >= low else start + -(-(low - start) // period) * period
        if first <= high and (terms >= INFINITE or first <= start + period * (terms - 1)):
            found = first if found is None else min(found, first)
    return found


def union(*sets: Lengths) -> Lengths:
    """Give the lengths of any of them."""
    pieces = {piece for lengths in sets for piece in lengths}
    return _tidy(pieces)


def _tidy(pieces: set[Piece]) -> Lengths:
    runs: list[list[int]] = []  # intervals, merged; single lengths are among them
    others: list[Piece] = []
    for piece in sorted(pieces):
        if piece.period != 1 and piece.terms > 1:
            others.append(piece)
        elif runs and piece.start <= runs[-1][1] + 1:
            runs[-1][1] = max(runs[-1][1], piece.last)
        else:
            runs.append([piece.start, piece.last])
    found = [interval(low, high)[0] for low, high in runs]
    found += _progressions(others)
    kept = [
        piece
        for piece in found
        if not any(other != piece and _inside(piece, other) for other in found if len(found) <= _MOST_PIECES)
    ]
    if len(kept) > _MOST_PIECES:
        raise _too_irregular()
    return tuple(kept)


def _progressions(pieces: list[Piece]) -> list[Piece]:
    """Merge progressions that continue each other."""
    groups: dict[tuple[int, int], list[Piece]] = {}
    for piece in pieces:
        groups.setdefault((piece.period, piece.start % piece.period), []).append(piece)
    found: list[Piece] = []
    for (period, _), group in groups.items():
        start, last = group[0].start, group[0].last
        for piece in group[1:]:
            if piece.start <= last + period:
                last = max(last, piece.last)
            else:
                found.append(_piece(start, period, last))
                start, last = piece.start, piece.last
        found.append(_piece(start, period, last))
    return found


def _piece(start: int, period: int, last: int) -> Piece:
    return Piece(start, period, INFINITE if last >= INFINITE else (last - start) // period + 1)


def _inside(piece: Piece, other: Piece) -> bool:
    if piece.start < other.start or (piece.start - other.start) % other.period or piece.last > other.last:
        return False
    return piece.terms == 1 or piece.period % other.period == 0


def plus(left: Lengths, right: Lengths) -> Lengths:
    """Give every sum of a length of each."""
    pieces: set[Piece] = set()
    for one in left:
        for two in right:
            pieces |= _sum(one, two)
            if len(pieces) > 16 * _MOST_PIECES:
                pieces = set(_tidy(pieces))
    return _tidy(pieces)


def _sum(one: Piece, two: Piece) -> set[Piece]:
    if one.period > two.period or (one.period == two.period and one.terms < two.terms):
        one, two = two, one
    start = one.start + two.start
    if two.terms == 1:
        return {Piece(start, one.period, one.terms)}
    if one.terms == 1:
        return {Piece(start, two.period, two.terms)}
    if two.period % one.period == 0 and one.terms >= (ratio := two.period // one.period):
        endless = one.terms >= INFINITE or two.terms >= INFINITE
        return {Piece(start, one.period, INFINITE if endless else one.terms + ratio * (two.terms - 1))}
    if two.terms >= INFINITE:
        rounds = min(one.terms, two.period // gcd(one.period, two.period))
        return _shifted(two, start, one.period, rounds)
    if one.terms >= INFINITE:
        rounds = min(two.terms, one.period // gcd(one.period, two.period))
        return _shifted(one, start, two.period, rounds)
    if one.terms <= two.terms:
        return _shifted(two, start, one.period, one.terms)
    return _shifted(one, start, two.period, two.terms)


def _shifted(piece: Piece, start: int, by: int, rounds: int) -> set[Piece]:
    if rounds > _MOST_PIECES * 8:
        raise _too_irregular()
    return {Piece(start + by * number, piece.period, piece.terms) for number in range(rounds)}


def times(lengths: Lengths, least: int, most: int | None) -> Lengths:
    """Give every sum of `least` to `most` lengths of the set."""
    found = _power(lengths, least)
    if most is None:
        return plus(found, _star(lengths))
    return plus(found, _power(union(ZERO, lengths), most - least)) if most > least else found


def _power(lengths: Lengths, exponent: int) -> Lengths:
    if len(lengths) == 1 and exponent:
        start, period, terms = lengths[0]
        return (Piece(start * exponent, period, terms if terms >= INFINITE else (terms - 1) * exponent + 1),)
    if len(lengths) == 2 and lengths[0] == ZERO[0] and lengths[1].terms == 1 and exponent:
        return (Piece(0, lengths[1].start, exponent + 1),)
    found, square = ZERO, lengths
    while exponent:
        if exponent & 1:
            found = plus(found, square)
        exponent >>= 1
        if exponent:
            square = plus(square, square)
    return found


def _star(lengths: Lengths) -> Lengths:
    found = ZERO
    for piece in lengths:
        found = plus(found, _piece_star(piece))
    return found


def _piece_star(piece: Piece) -> Lengths:
    """Give every sum of lengths of one progression.

    n of them make n*start + period * (0 ... n*(terms-1)); in a class modulo the period these meet from some n on.
    """
    start, period, terms = piece
    if terms == 1:
        return (Piece(0, start, INFINITE),) if start else ZERO
    residues = period // gcd(start, period) if start else 1
    if terms >= INFINITE:
        return union(ZERO, *((Piece(number * start, period, INFINITE),) for number in range(1, residues + 1)))
    need = residues * start // period - 1
    first = max(1, -(-need // (terms - 1)))
    if first + residues > 8 * _MOST_PIECES:
        raise _too_irregular()
    early = [(Piece(number * start, period, number * (terms - 1) + 1),) for number in range(1, first)]
    late = [(Piece(number * start, period, INFINITE),) for number in range(first, first + residues)]
    return union(ZERO, *early, *late)


__all__ = ["ZERO", "Lengths", "Piece", "interval", "plus", "reaches", "smallest", "times", "union"]
