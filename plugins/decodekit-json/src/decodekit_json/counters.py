"""The counters of alternatives that differ in nothing else: which lists of bounds are one, or lie inside another.

Arithmetic of bounds alone; `regular_operations.alt` reads them off expressions and builds what they stand for.
"""

from __future__ import annotations

from typing import TypeAlias

from decodekit_json import charsets as cs

Counters: TypeAlias = tuple[tuple[int, int], ...]
"""The fewest and most times of each part of a concatenation."""


def united(group: list[Counters]) -> list[Counters]:
    """Merge lists of counters; where all differ in the same one, without comparing each with each."""
    different = [at for at, pairs in enumerate(zip(*group, strict=True)) if len(set(pairs)) > 1]
    if len(different) == 1:
        at, one = different[0], group[0]
        return [(*one[:at], pair, *one[at + 1 :]) for pair in cs.union(tuple([bounds[at] for bounds in group]))]
    kept: list[Counters] = []
    for new in group:
        at = 0
        while at < len(kept):
            joined = _joined(kept[at], new)
            if joined is None:
                at += 1
            elif joined == kept[at]:
                break
            else:
                kept.pop(at)
                new, at = joined, 0  # noqa: PLW2901
        else:
            kept.append(new)
    return kept


def _joined(left: Counters, right: Counters) -> Counters | None:
    """Give the one list of counters that stands for both, if there is one."""
    different = [at for at, pair in enumerate(zip(left, right, strict=True)) if pair[0] != pair[1]]
    if len(different) == 1:
        at = different[0]
        (low, high), (other_low, other_high) = left[at], right[at]
        if low <= other_high + 1 and other_low <= high + 1:
            return (*left[:at], (min(low, other_low), max(high, other_high)), *left[at + 1 :])
        return None
    if all(left[at][0] <= right[at][0] and right[at][1] <= left[at][1] for at in different):
        return left
    if all(right[at][0] <= left[at][0] and left[at][1] <= right[at][1] for at in different):
        return right
    return None


__all__ = ["Counters", "united"]
