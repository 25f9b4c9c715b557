"""Integers within bounds, on a step, with some left out: asked by intervals, never listed."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from itertools import combinations


class Grid:
    """Integers of one scale. Immutable.

    Args:
        low: Least one, at least 0.
        high: Greatest one, None for none.
        step: Only multiples of it, at least 1.
        nots: No multiples of these.
        excluded: None of these.
        values: Only these, None for all.
    """

    __slots__ = ("_steps", "excluded", "high", "low", "nots", "step", "values")

    def __init__(
        self,
        low: int,
        high: int | None,
        step: int = 1,
        nots: tuple[int, ...] = (),
        excluded: tuple[int, ...] = (),
        values: tuple[int, ...] | None = None,
    ) -> None:
        self.low, self.high, self.step = low, high, step
        self.nots = nots
        self.excluded = tuple(sorted(excluded))
        self.values = None if values is None else tuple(sorted(values))
        self._steps: dict[int, int] = {}  # at most one for each number of places

    def on(self, grain: int) -> int:
        """Give the step of the grid's members that are multiples of `grain`."""
        if grain == 1:
            return self.step
        step = self._steps.get(grain)
        if step is None:
            step = self._steps[grain] = grain if self.step == 1 else math.lcm(self.step, grain)
        return step

    def some(self, low: int, high: int, grain: int = 1) -> bool:
        """Say whether a member within [low, high] is a multiple of `grain`."""
        if low < self.low:
            low = self.low
        if self.high is not None and high > self.high:
            high = self.high
        if low > high:
            return False
        if self.values is not None:
            return next(self.members(low, high, grain), None) is not None
        step = self.step if grain == 1 else self.on(grain)
        first = -(-low // step) * step
        if first > high:
            return False
        if not self.nots and not self.excluded:
            return True
        return next(self.members(first, high, grain), None) is not None

    def members(self, low: int, high: int, grain: int = 1) -> Iterator[int]:
        """Give the members within [low, high] that are multiples of `grain`, in order.

        *Cost:* those that are left out, for each one: a run of multiples of a few numbers is short.
        """
        low = max(low, self.low)
        high = high if self.high is None else min(high, self.high)
        if self.values is not None:
            for value in self.values[bisect_left(self.values, low) :]:
                if value > high:
                    return
                if value % grain == 0:
                    yield value
            return
        step = self.on(grain)
        if any(step % n == 0 for n in self.nots):
            return
        for value in range(-(-low // step) * step, high + 1, step):
            if all(value % n for n in self.nots) and not self._left_out(value):
                yield value

    def count(self, low: int, high: int, grain: int = 1) -> int:
        """Give how many members within [low, high] are multiples of `grain`."""
        low = max(low, self.low)
        high = high if self.high is None else min(high, self.high)
        if low > high:
            return 0
        if self.values is not None:
            return sum(1 for _ in self.members(low, high, grain))
        step, found = self.on(grain), 0
        for size in range(len(self.nots) + 1):
            for some in combinations(self.nots, size):
                every = math.lcm(step, *some)
                found += (-1) ** size * (high // every - (low - 1) // every)
        out = self.excluded[bisect_left(self.excluded, low) : bisect_left(self.excluded, high + 1)]
        return found - sum(1 for x in out if x % step == 0 and all(x % n for n in self.nots))

    def holds(self, low: int, high: int) -> bool:
        """Say whether neither a bound nor a value matters within [low, high]: only steps do."""
        if self.values is not None or low < self.low or (self.high is not None and high > self.high):
            return False
        place = bisect_left(self.excluded, low)
        return place == len(self.excluded) or self.excluded[place] > high

    def within(self, low: int, high: int) -> Grid:
        """Give the grid with tighter bounds."""
        high = high if self.high is None else min(high, self.high)
        return Grid(max(low, self.low), high, self.step, self.nots, self.excluded, self.values)

    def _left_out(self, value: int) -> bool:
        place = bisect_left(self.excluded, value)
        return place < len(self.excluded) and self.excluded[place] == value


__all__ = ["Grid"]
