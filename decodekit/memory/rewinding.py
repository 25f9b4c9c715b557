"""Rewinding for states that only go forward: go back to a snapshot and run the tokens since then again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from decodekit.memory.advancing import AdvancingMemory
from decodekit.memory.base import ForwardOutput, Memory
from decodekit.memory.caller import Part, merge, positions_of
from decodekit.types import Int64, Tensor


@dataclass(slots=True)
class _Trace:
    """The tokens of a row, and the last state to which it can return."""

    tokens: list[int] = field(default_factory=list)
    saved_length: int = 0
    saved: Any = None

    def copy(self) -> _Trace:
        return _Trace(list(self.tokens), self.saved_length, self.saved)


class RewindingMemory(Memory):
    """Any `AdvancingMemory`, with an exact rewind.

    A row's state is saved where it is likely to return to: before several tokens are scored at once (a draft that may
    be rejected), and after it went back (a draft model's row will do so again). Going back is lazy: a row that is
    dropped next costs nothing. Going back beyond the saved state runs the row from its start.

    *Cost:* a copy of the state per draft, and one more forward pass after a rejection. *Exact.*

    Args:
        inner: Holds the states.
        one_by_one: The model is wrong when several tokens continue a state; they are fed one at a time.
    """

    def __init__(self, inner: AdvancingMemory, *, one_by_one: bool = False) -> None:
        self.inner = inner
        self.one_by_one = one_by_one
        self.traces: list[_Trace] = []

    @property
    def lengths(self) -> list[int]:  # type: ignore[override]
        return [len(trace.tokens) for trace in self.traces]

    def join(self, rows: int) -> None:
        self.traces += [_Trace() for _ in range(rows)]
        self.inner.join(rows)

    def gather(self, index: Sequence[int]) -> None:
        seen: set[int] = set()
        traces = []
        for row in index:
            traces.append(self.traces[row].copy() if row in seen else self.traces[row])
            seen.add(row)
        self.traces = traces
        self.inner.gather(index)

    def rewind(self, lengths: Sequence[int]) -> None:
        for row, (trace, length) in enumerate(zip(self.traces, lengths, strict=True)):
            if length < len(trace.tokens):
                del trace.tokens[length:]
            if length < self.inner.lengths[row]:
                if trace.saved is None or trace.saved_length > length:
                    trace.saved, trace.saved_length = None, 0
                self.inner.restore(row, trace.saved, trace.saved_length)

    def bytes(self) -> int:
        return self.inner.bytes()

    def forward(
        self,
        tokens: Int64[Tensor, "row query"],
        counts: Sequence[int],
        wanted: Sequence[int],
        *,
        hidden_states: bool = False,
    ) -> ForwardOutput:
        behind = self._catch_up(counts)
        for row, count in enumerate(counts):
            held = self.inner.lengths[row]
            if held and (row in behind or count > 1):
                self.traces[row].saved, self.traces[row].saved_length = self.inner.snapshot(row), held
        output = self._advance(tokens, counts, wanted, hidden_states)
        for trace, values, count in zip(self.traces, tokens.tolist(), counts, strict=True):
            trace.tokens += values[:count]
        return output

    def _catch_up(self, counts: Sequence[int]) -> set[int]:
        """Run again what rows lost when they went back to a saved state."""
        missing: list[list[int]] = [
            trace.tokens[held:] if count else []
            for trace, held, count in zip(self.traces, self.inner.lengths, counts, strict=True)
        ]
        if not any(missing):
            return set()
        width = max(map(len, missing))
        padded = torch.tensor([part + [0] * (width - len(part)) for part in missing])
        self._advance(padded, [len(part) for part in missing], [0] * len(missing), False)
        return {row for row, part in enumerate(missing) if part}

    def _advance(
        self, tokens: Tensor, counts: Sequence[int], wanted: Sequence[int], hidden_states: bool
    ) -> ForwardOutput:
        if not self.one_by_one or max(counts) == 1:
            return self.inner.forward(tokens, counts, wanted, hidden_states=hidden_states)
        parts: list[Part] = []
        fresh = [length == 0 for length in self.inner.lengths]
        for column in range(max(counts)):
            # A fresh row brings all its tokens at once; the others one, as long as they have any.
            here = [
                (count if column == 0 else 0) if new else int(column < count)
                for new, count in zip(fresh, counts, strict=True)
            ]
            if not any(here):
                continue
            first = 0 if column == 0 else column
            asked = [
                (last if column == 0 else 0) if new else int(count - last <= column < count)
                for new, count, last in zip(fresh, counts, wanted, strict=True)
            ]
            piece = self.inner.forward(tokens[:, first : first + max(here)], here, asked, hidden_states=hidden_states)
            named = positions_of(range(len(counts)), here, asked)
            parts.append(([(row, first + place) for row, place in named], piece))
        return merge(self.inner.caller, parts)
