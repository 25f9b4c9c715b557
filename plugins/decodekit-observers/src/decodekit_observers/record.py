"""A record of a request: who joined, what each step added to each row and how long it took, how each sample ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from decodekit.results import Completion
from decodekit.row_views import RowView, StepView
from decodekit.techniques import BuildContext, Observer
from decodekit_observers.recorder import LineFile, Recorder, Sink


class Record(Observer, name="record"):
    """Write down each step of the request.

    Events are plain data with the key "event":

    - "start": `request`, `sample`, `prompt_tokens`, `time_s` (seconds since 1970). Samples that join together have one.
    - "step": `request`, `step` (from 1), `duration_ms` since the request's event before, and `rows`: for each row
      `sample`, `tokens` (ids added), `text` (characters added; a character appears with its last byte),
      `drafted_tokens` and `accepted_tokens` (proposed in this step, and kept) and `finish_reason`.
    - "finish": `request`, `sample`, `text`, `new_tokens`, `finish_reason`.

    Rows of a search share a sample; what a step added to one is added to the row that it continues.

    Args:
        into: A `Recorder`, or the path of a file to which JSON lines are appended.

    *Cost:* about the time of looking at the rows; a file is opened for each event.
    """

    into: Recorder | Path

    def build(self, context: BuildContext) -> Scribe:
        sink = self.into if isinstance(self.into, Recorder) else LineFile(self.into)
        return Scribe(name=self.name, sink=sink)


class Scribe:
    """The working piece of `Record` for one request.

    Args:
        name: Flat name, for messages.
        sink: Takes the events.
    """

    def __init__(self, *, name: str, sink: Sink) -> None:
        self.name = name
        self.sink = sink
        self.request = 0
        self.last_s = 0.0
        self.lengths: dict[int, int] = {}
        self.texts: dict[tuple[int, ...], int] = {}

    def on_start(self, rows: Sequence[RowView]) -> None:
        """Note that samples join."""
        self.last_s = time.perf_counter()
        for row in rows:
            self.request = row.request
            start = {"event": "start", "request": row.request, "sample": row.sample, "prompt_tokens": len(row.prompt)}
            self.sink.write({**start, "time_s": time.time()})

    def on_step(self, step: StepView) -> None:
        """Note what the step added."""
        now_s = time.perf_counter()
        rows = [self._added(row) for row in step.rows]
        event = {"event": "step", "request": self.request, "step": step.number}
        self.sink.write({**event, "duration_ms": 1000 * (now_s - self.last_s), "rows": rows})
        self.last_s = now_s
        for row in step.rows:
            self.lengths[row.sample] = len(row.tokens)
        # Rows of a search are told apart by their tokens: the row that a text continues has the same ones before.
        self.texts = {tuple(row.tokens): len(row.text) for row in step.rows}

    def on_finish(self, completion: Completion) -> None:
        """Note how a sample ended."""
        event = {"event": "finish", "request": self.request, "sample": completion.sample, "text": completion.text}
        self.sink.write({**event, "new_tokens": len(completion.tokens), "finish_reason": completion.finish_reason})

    def _added(self, row: RowView) -> dict[str, Any]:
        before = self.lengths.get(row.sample, 0)
        added = list(row.tokens[before:])
        return {
            "sample": row.sample,
            "tokens": added,
            "text": row.text[self.texts.get(tuple(row.tokens[:before]), 0) :],
            "drafted_tokens": row.drafted_tokens,
            "accepted_tokens": row.accepted_tokens,
            "finish_reason": row.finish_reason,
        }


__all__ = ["Record", "Scribe"]
