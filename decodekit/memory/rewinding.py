"""Rewinding for states that only go forward: go back to a snapshot and run the tokens since then again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch

from decodekit.memory.advancing import AdvancingMemory
from decodekit.memory.base import ForwardOutput, Memory
from decodekit.memory.caller import Part, merge, positions_of
from decodekit.memory.watch import Watch
from decodekit.types import Int64, Tensor

Feeding: TypeAlias = Literal["together", "token by token", "in pairs"]
"""How tokens continue a state: all that are there; one at a time, for models that are wrong when several continue a
state; never one alone, for models whose step of one token computes something else than their scan (zamba2 bounds its
step sizes only in the latter)."""

FEEDINGS: tuple[Feeding, ...] = ("together", "token by token", "in pairs")


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

    *Cost:* a copy of the state per draft, and one more forward pass after a rejection; in pairs, passes of two tokens
    instead of one, and a copy of the state at every second step. *Exact.*

    Args:
        inner: Holds the states.
        feeding: How tokens continue a state.
    """

    def __init__(self, inner: AdvancingMemory, *, feeding: Feeding = "together") -> None:
        self.inner = inner
        self.feeding: Feeding = feeding
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

    def computed(self, row: int) -> int:
        return self.inner.lengths[row]

    def save(self, row: int) -> Any:
        return list(self.traces[row].tokens), self.inner.save(row)

    def adopt(self, cache: Any, tokens: Sequence[int]) -> Any:
        saved = self.inner.adopt(cache, tokens)
        return None if saved is None else (list(tokens), saved)

    def load(self, row: int, saved: Any) -> None:
        tokens, kept = saved
        self.traces[row] = _Trace(list(tokens))
        self.inner.load(row, kept)

    def bytes(self) -> int:
        return self.inner.bytes()

    def forward(
        self,
        tokens: Int64[Tensor, "row query"],
        counts: Sequence[int],
        wanted: Sequence[int],
        *,
        watch: Watch | None = None,
    ) -> ForwardOutput:
        if self.feeding == "in pairs":
            return self._in_pairs(tokens, counts, wanted, watch)
        behind = self._catch_up(counts, watch)
        for row, count in enumerate(counts):
            held = self.inner.lengths[row]
            if held and (row in behind or count > 1):
                self.traces[row].saved, self.traces[row].saved_length = self.inner.snapshot(row), held
        output = self._advance(tokens, counts, wanted, watch)
        for trace, values, count in zip(self.traces, tokens.tolist(), counts, strict=True):
            trace.tokens += values[:count]
        return output

    def _catch_up(self, counts: Sequence[int], watch: Watch | None) -> set[int]:
        """Run again what rows lost when they went back to a saved state."""
        missing: list[list[int]] = [
            trace.tokens[held:] if count else []
            for trace, held, count in zip(self.traces, self.inner.lengths, counts, strict=True)
        ]
        if not any(missing):
            return set()
        width = max(map(len, missing))
        padded = torch.tensor([part + [0] * (width - len(part)) for part in missing])
        self._advance(padded, [len(part) for part in missing], [0] * len(missing), watch)
        return {row for row, part in enumerate(missing) if part}

    def _advance(
        self, tokens: Tensor, counts: Sequence[int], wanted: Sequence[int], watch: Watch | None
    ) -> ForwardOutput:
        if self.feeding != "token by token" or max(counts) == 1:
            return self.inner.forward(tokens, counts, wanted, watch=watch)
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
            piece = self.inner.forward(tokens[:, first : first + max(here)], here, asked, watch=watch)
            named = positions_of(range(len(counts)), here, asked)
            parts.append(([(row, first + place) for row, place in named], piece))
        return merge(self.inner.caller, parts)

    def _in_pairs(
        self, tokens: Tensor, counts: Sequence[int], wanted: Sequence[int], watch: Watch | None
    ) -> ForwardOutput:
        """Run each row from its state through what it lost or left out and its new tokens, never one token alone.

        A token that would be alone is run with a copy of itself behind it, and the state from before is put back: the
        row's next forward pass runs it again, together with the token that follows.
        """
        for trace, values, count in zip(self.traces, tokens.tolist(), counts, strict=True):
            trace.tokens += values[:count]
        held = list(self.inner.lengths)
        pieces = [
            trace.tokens[have:] if count else [] for trace, have, count in zip(self.traces, held, counts, strict=True)
        ]
        alone = {row for row, piece in enumerate(pieces) if len(piece) == 1 and held[row]}
        for row, trace in enumerate(self.traces):
            if held[row] and (row in alone or counts[row] > 1):
                trace.saved, trace.saved_length = self.inner.snapshot(row), held[row]
        pieces = [2 * piece if row in alone else piece for row, piece in enumerate(pieces)]
        asked = [last + 1 if row in alone and last else last for row, last in enumerate(wanted)]
        width = max(map(len, pieces))
        padded = torch.tensor([piece + [0] * (width - len(piece)) for piece in pieces])
        logits = self.inner.forward(padded, [len(piece) for piece in pieces], asked, watch=watch).logits
        for row in alone:
            self.inner.restore(row, self.traces[row].saved, held[row])
        kept = [not (row in alone and place) for row, count in enumerate(asked) for place in range(count)]
        return ForwardOutput(logits if all(kept) else logits[torch.tensor(kept, device=logits.device)])
