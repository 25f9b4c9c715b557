"""Fewest rows first: more requests are answered early, and one with many samples waits for the end."""

from __future__ import annotations

from collections.abc import Sequence

from decodekit.techniques import Scheduler
from decodekit_schedulers.filling import fill


class ShortestFirst(Scheduler, name="shortest_first"):
    """Let requests that wait with the fewest rows join first, in arrival order where these are equal.

    A request of many samples waits until the small ones have joined; it always joins in the end, since a call's
    requests are all there when it starts. No text depends on it.
    """

    def __call__(self, waiting: Sequence[int], free_rows: int) -> Sequence[int]:
        return fill(sorted(range(len(waiting)), key=waiting.__getitem__), waiting, free_rows)


__all__ = ["ShortestFirst"]
