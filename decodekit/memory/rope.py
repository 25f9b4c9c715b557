"""Positional encodings that change with the longest position of a batch ("dynamic" and "longrope" RoPE).

Their frequencies depend on the largest position in the forward pass, so rows on the two sides of the boundary must
never share one; and keys computed on one side are wrong on the other. transformers' own cache ignores this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from decodekit.memory.base import ForwardOutput, Memory, inferring
from decodekit.memory.caller import Asked, Caller, Part, Run, merge
from decodekit.memory.slots import SlotMemory
from decodekit.memory.watch import Watch
from decodekit.types import Int64, Tensor


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where the encoding changes.

    Attributes:
        tokens: Rows of up to this many tokens are on the short side.
        stretches: Beyond it every further token changes the encoding of all ("dynamic"), so nothing can be kept.
    """

    tokens: int
    stretches: bool


def _encodings(model: nn.Module) -> Iterator[tuple[nn.Module, str, str | None]]:
    for module in model.modules():
        kind = getattr(module, "rope_type", None)
        if isinstance(kind, str):
            yield module, kind, None
        elif isinstance(kind, dict):
            for layer_type, one in kind.items():
                yield module, str(one), layer_type


def boundary_of(model: nn.Module) -> Boundary | None:
    """Read the boundary off the model's rotary modules; None where there is none, or more than one."""
    found: set[Boundary] = set()
    for module, kind, layer_type in _encodings(model):
        if "dynamic" in kind:
            found.add(Boundary(int(module.original_max_seq_len), True))  # type: ignore[arg-type]
        elif kind == "longrope":
            parameters = module.config.rope_parameters  # type: ignore[union-attr]
            parameters = parameters if layer_type is None else parameters[layer_type]  # type: ignore[index]
            found.add(Boundary(int(parameters["original_max_position_embeddings"]), False))  # type: ignore[index,arg-type]
    return found.pop() if len(found) == 1 else None


def calm(caller: Caller, length: int = 0) -> None:
    """Undo what a longer forward pass left behind, if it would be used at this length.

    "dynamic" RoPE keeps the frequencies of the longest sequence so far and takes them back only below the boundary.
    """
    for module, kind, _ in _encodings(caller.model):
        if "dynamic" in kind and int(module.max_seq_len_cached) > max(length, int(module.original_max_seq_len)):  # type: ignore[arg-type]
            with inferring():
                caller(torch.zeros(1, 1, dtype=torch.int64, device=caller.device), uncached=True)
            return


class ApartSlots(SlotMemory):
    """Slots in which no row is run along as padding: its position would count as the longest of the forward pass."""

    fills_gaps = False


class BoundedMemory(Memory):
    """Slots, with the rows on the two sides of a boundary kept out of each other's forward passes.

    *Cost:* as slots on either side. At the crossing the row is run again from its start, once; beyond a boundary that
    stretches it is run again for every position asked for. *Exact.*
    """

    def __init__(self, caller: Caller, slots: ApartSlots, boundary: Boundary) -> None:
        self.caller = caller
        self.inner = slots
        self.boundary = boundary
        self.rows: list[list[int]] = []
        self.long: list[bool] = []
        """Whether what a row's slot holds was computed on the long side."""

    @property
    def lengths(self) -> list[int]:  # type: ignore[override]
        return [len(row) for row in self.rows]

    def join(self, rows: int) -> None:
        self.rows += [[] for _ in range(rows)]
        self.long += [False] * rows
        self.inner.join(rows)

    def gather(self, index: Sequence[int]) -> None:
        self.rows = [list(self.rows[row]) for row in index]
        self.long = [self.long[row] for row in index]
        self.inner.gather(index)

    def rewind(self, lengths: Sequence[int]) -> None:
        held = list(self.inner.lengths)
        for row, length in enumerate(lengths):
            del self.rows[row][length:]
            if self.long[row] and length <= self.boundary.tokens:
                self.long[row], held[row] = False, 0
            held[row] = min(held[row], length)
        self.inner.rewind(held)

    def computed(self, row: int) -> int:
        return self.inner.lengths[row]

    def save(self, row: int) -> Any:
        return list(self.rows[row]), self.long[row], self.inner.save(row)

    def load(self, row: int, saved: Any) -> None:
        tokens, self.long[row], kept = saved
        self.rows[row] = list(tokens)
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
        starts = self.lengths
        for row, (values, count) in enumerate(zip(tokens.tolist(), counts, strict=True)):
            self.rows[row] += values[:count]
        ends = [len(row) if count else 0 for row, count in zip(self.rows, counts, strict=True)]
        edge = self.boundary.tokens
        parts: list[Part] = []
        # The short side first: a row that crosses brings its tokens up to the boundary there.
        short = [min(end, edge) if start < edge else 0 for start, end in zip(starts, ends, strict=True)]
        if any(short):
            with self.caller.turn.taken():
                calm(self.caller)
                parts.append(self._up_to(short, starts, ends, wanted, watch))
        beyond = [end if end > edge else 0 for end in ends]
        if any(beyond) and self.boundary.stretches:
            parts += self._anew(starts, ends, wanted, watch)
        elif any(beyond):
            held = list(self.inner.lengths)
            for row, end in enumerate(beyond):
                if end and not self.long[row]:
                    self.long[row], held[row] = True, 0
            self.inner.rewind(held)
            parts.append(self._up_to(beyond, [max(start, edge) for start in starts], ends, wanted, watch))
        return merge(self.caller, parts)

    def _up_to(
        self,
        targets: Sequence[int],
        starts: Sequence[int],
        ends: Sequence[int],
        wanted: Sequence[int],
        watch: Watch | None,
    ) -> Part:
        """Run each row up to a length (0: sits out), asking for what is wanted between `starts` and there."""
        held = self.inner.lengths
        pieces = [row[have:target] for row, have, target in zip(self.rows, held, targets, strict=True)]
        asked = []
        named = []
        for row, target in enumerate(targets):
            first = max(starts[row], ends[row] - wanted[row])
            asked.append(max(0, target - first) if target else 0)
            named += [(row, place) for place in range(target - asked[row], target)]
        width = max(map(len, pieces))
        padded = torch.tensor([piece + [0] * (width - len(piece)) for piece in pieces], device=self.caller.device)
        return named, self.inner.forward(padded, [len(piece) for piece in pieces], asked, watch=watch)

    def _anew(
        self, starts: Sequence[int], ends: Sequence[int], wanted: Sequence[int], watch: Watch | None
    ) -> list[Part]:
        """Compute positions beyond a stretching boundary, each from its whole prefix."""
        parts: list[Part] = []
        with inferring():
            for row, end in enumerate(ends):
                for length in range(max(end - wanted[row], self.boundary.tokens, starts[row]) + 1, end + 1):
                    prefix = torch.tensor([self.rows[row][:length]], device=self.caller.device)
                    asked = Asked.of([length], [1], length)
                    keep = asked.keep(self.caller.device)
                    run = Run(watch, [row], [0], [length])
                    with self.caller.turn.taken():
                        calm(self.caller, length)
                        outputs = self.caller(prefix, uncached=True, keep=keep, run=run)
                    parts.append(([(row, length - 1)], asked.output(outputs)))
        return parts
