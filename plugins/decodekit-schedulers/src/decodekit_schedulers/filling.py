"""Fill the free rows with requests in a given order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def fill(order: Iterable[int], waiting: Sequence[int], free_rows: int) -> list[int]:
    """Give the first requests of `order` until no row is left; only the last one may join in part.

    Args:
        order: Indices of waiting requests.
        waiting: Rows that each of them waits with.
        free_rows: Rows that there are.
    """
    chosen: list[int] = []
    for index in order:
        if free_rows <= 0:
            break
        chosen.append(index)
        free_rows -= waiting[index]
    return chosen


__all__ = ["fill"]
