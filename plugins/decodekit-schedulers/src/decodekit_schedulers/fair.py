"""Fair shares: small requests join at once, large ones take turns, none keeps all rows to itself for long."""

from __future__ import annotations

from collections.abc import Sequence

from decodekit.techniques import Scheduler
from decodekit_schedulers.filling import fill


class Fair(Scheduler, name="fair"):
    """Let requests join that need at most an equal share of the free rows; then the larger ones in turn.

    The share is what is free divided by how many requests wait, rounded up. Whose turn it is follows from the rows that
    wait altogether, so nothing is remembered: where the same number of rows becomes free each time, large requests
    alternate exactly. The one whose turn it is takes all rows that are left. No text depends on it.
    """

    def __call__(self, waiting: Sequence[int], free_rows: int) -> Sequence[int]:
        if not waiting or free_rows <= 0:
            return []
        share = -(-free_rows // len(waiting))
        small = [i for i, rows in enumerate(waiting) if rows <= share]
        large = [i for i, rows in enumerate(waiting) if rows > share]
        # Fewer rows wait after each call, so the quotient counts the turns.
        turn = -(sum(waiting) // free_rows) % len(large) if large else 0
        return fill([*small, *large[turn:], *large[:turn]], waiting, free_rows)


__all__ = ["Fair"]
