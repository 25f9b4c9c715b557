"""A progress bar per request, on standard error, so that text may stream to standard output."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from decodekit.results import Completion
from decodekit.row_views import RowView, StepView
from decodekit.techniques import BuildContext, Observer


class Progress(Observer, name="progress"):
    """Show how many tokens the request has, on standard error.

    The bar is full when all samples have ended, though they may end before their last token is due.

    Args:
        show: True shows the bar wherever standard error leads, False never; None only where it is a terminal.

    *Cost:* tqdm's; it draws at most ten times per second.
    """

    show: bool | None = None

    def build(self, context: BuildContext) -> Any:
        wanted = sys.stderr.isatty() if self.show is None else self.show
        return Bar(name=self.name, limit_tokens=context.max_new_tokens) if wanted else self


class Bar:
    """The working piece of `Progress` for one request.

    Args:
        name: Flat name, for messages.
        limit_tokens: Most tokens of a sample.
    """

    def __init__(self, *, name: str, limit_tokens: int) -> None:
        self.name = name
        self.limit_tokens = limit_tokens
        self.lengths: dict[int, int] = {}
        self.running: set[int] = set()
        self.bar: tqdm[Any] | None = None

    def on_start(self, rows: Sequence[RowView]) -> None:
        """Show the bar; samples that join when all before them have ended get one of their own."""
        if self.bar is None:
            self.lengths.clear()
            self.bar = tqdm(total=self.limit_tokens, desc=f"request {rows[0].request}", unit="tok", file=sys.stderr)

    def on_step(self, step: StepView) -> None:
        """Move the bar."""
        if self.bar is None:
            return
        for row in step.rows:
            self.lengths[row.sample] = max(self.lengths.get(row.sample, 0), len(row.tokens))
        # Rows of a search share a sample: some may end while others go on, and when it is decided none may be left.
        going = {row.sample for row in step.rows if not row.finish_reason}
        self.running = (self.running - {row.sample for row in step.rows}) | going if step.rows else going
        self.bar.total = self.limit_tokens * len(self.lengths)
        self.bar.update(sum(self.lengths.values()) - self.bar.n)
        if not self.running:
            self._close(self.bar)

    def on_finish(self, completion: Completion) -> None:
        """Nothing: a step has told already."""

    def _close(self, bar: tqdm[Any]) -> None:
        bar.total = bar.n
        bar.refresh()
        bar.close()
        self.bar = None


__all__ = ["Bar", "Progress"]
