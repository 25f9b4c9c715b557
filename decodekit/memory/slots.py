"""Ragged slots: every row at its own position in one forward pass, through an unmodified model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import torch

from decodekit.cache import BUCKET_TOKENS, CacheFactory, Placement
from decodekit.law import whole_numbers
from decodekit.memory.base import ForwardOutput, Memory, inferring
from decodekit.memory.bridge import BridgeCache
from decodekit.memory.caller import Asked, Caller, Part, Run, merge
from decodekit.memory.groups import by_width
from decodekit.memory.moves import rounds
from decodekit.memory.watch import Watch
from decodekit.types import Int64, Tensor

FIRST_TOKENS = 64
"""Positions that a slot has at first; it grows by doubling."""

GAP_TOKENS = 8
"""Running a row that sits out along is cheaper than copying the keys of all others, up to this many tokens a row."""


class SlotMemory(Memory):
    """Keys and values in static buffers: row i is in slot i.

    So a forward pass of all rows is a view of the buffers, and what a drop or a beam's fork costs is one copied slot
    for each row that is not at the place of the one that it continues, never a gather per step.

    *Cost:* per step one forward pass, with neither mask nor position table where rows stand level. *Exact.*
    """

    fills_gaps: ClassVar[bool] = True
    """Whether rows that sit out may be run along with nothing but padding, so that the batch stays a view."""

    stays_level: ClassVar[bool] = False
    """Whether all rows of a forward pass stand at one position, because the model goes by the cache's length."""

    def __init__(
        self,
        caller: Caller,
        factory: CacheFactory,
        *,
        layers: dict[int, Any] | None = None,
        count: int = 0,
        limit: int | None = None,
    ) -> None:
        self.caller = caller
        self.limit = limit
        self.cache = BridgeCache(factory, layers, count)
        self.lengths: list[int] = []
        self.static = not self.stays_level and bool(getattr(caller.runner, "static_shapes", False))
        self.bucket = BUCKET_TOKENS
        self._room = (0, 0)
        with inferring():
            self._range = torch.arange(FIRST_TOKENS, device=caller.device)[None]
            self._each = self._range.split(1, dim=1)

    def join(self, rows: int) -> None:
        self.lengths += [0] * rows

    def rewind(self, lengths: Sequence[int]) -> None:
        # Nothing is erased: no query sees a key beyond its row's end, and the next tokens overwrite it.
        self.lengths = list(lengths)

    def gather(self, index: Sequence[int]) -> None:
        longest = max((self.lengths[row] for place, row in enumerate(index) if row != place), default=0)
        spare = max(len(self.lengths), len(index))
        self.lengths = [self.lengths[row] for row in index]
        if longest:
            with inferring():
                for moves in rounds(index, spare):
                    sources, targets = zip(*moves, strict=True)
                    self._copy(sources, targets, longest)

    def _copy(self, sources: Sequence[int], targets: Sequence[int], length: int) -> None:
        self._reserve(max(targets) + 1, 0)
        for store in self.cache.stores:
            store.copy(sources, targets, length)

    def save(self, row: int) -> Any:
        length = self.lengths[row]
        place = Placement([length], [0], 0, length, True, row)
        with inferring():
            kept = [
                tuple(part.clone() for part in store.read(place)) if length and store.bytes() else None
                for store in self.cache.stores
            ]
        return length, kept

    def adopt(self, cache: Any, tokens: Sequence[int]) -> Any:
        kept = [(getattr(layer, "keys", None), getattr(layer, "values", None)) for layer in cache.layers]
        whole = all(keys is not None and keys.shape[2] == len(tokens) for keys, _ in kept)
        return (len(tokens), kept) if whole else None

    def load(self, row: int, saved: Any) -> None:
        length, kept = saved
        if length:
            self.cache.grow(len(kept))
            self._reserve(len(self.lengths), length)
            place = Placement([0], [length], length, length, True, row)
            with inferring():
                for store, part in zip(self.cache.stores, kept, strict=True):
                    if part is not None:
                        keys, values = part
                        store.write(keys, values, place)
        self.lengths[row] = length

    def bytes(self) -> int:
        return self.cache.bytes()

    def bytes_per_token(self) -> float:
        """Give what a position of a slot takes in all attention layers; 0 before the first forward pass."""
        slots, length = self._room
        return self.cache.bytes() / (slots * length) if slots else 0.0

    def forward(
        self,
        tokens: Int64[Tensor, "row query"],
        counts: Sequence[int],
        wanted: Sequence[int],
        *,
        watch: Watch | None = None,
    ) -> ForwardOutput:
        with inferring():
            if 0 < tokens.shape[1] == min(counts) and self._share(counts):
                # The common case, kept free of bookkeeping: all rows, every token valid.
                run = Run(watch, range(len(counts)), self.lengths, counts)
                output = self._run(tokens, run, wanted, 0, None)
                self.lengths = [length + count for length, count in zip(self.lengths, counts, strict=True)]
                return output
            parts: list[Part] = []
            for rows in self._groups(counts):
                parts.append(self._run_group(rows, tokens, counts, wanted, watch))
                # At once: a row that has run may be padding in the next group, which is stored beyond its end.
                self._grow(rows, counts)
            return merge(self.caller, parts)

    def _grow(self, rows: Iterable[int], counts: Sequence[int]) -> None:
        for row in rows:
            self.lengths[row] += counts[row]

    def _share(self, counts: Sequence[int]) -> bool:
        """Whether all rows, each bringing the same number of tokens, can share a forward pass."""
        return True

    def _groups(self, counts: Sequence[int]) -> list[list[int]]:
        return by_width(counts, [length == 0 for length in self.lengths])

    def _run_group(
        self,
        rows: list[int],
        tokens: Tensor,
        counts: Sequence[int],
        wanted: Sequence[int],
        watch: Watch | None,
    ) -> Part:
        """Run some rows, in their order, so that neighbours can be a view."""
        rows = sorted(rows)
        width = max(counts[row] for row in rows)
        here, asked = [counts[row] for row in rows], [wanted[row] for row in rows]
        neighbours = rows[-1] - rows[0] == len(rows) - 1
        if not neighbours and self.fills_gaps and width <= GAP_TOKENS and 2 * len(rows) >= len(counts):
            # The others bring padding only. It is stored beyond their ends, where their own next tokens overwrite it.
            active = set(rows)
            rows, neighbours = list(range(len(counts))), True
            here = [counts[row] if row in active else 0 for row in rows]
            asked = [wanted[row] if row in active else 0 for row in rows]
        output = self._run(
            tokens[:, :width].index_select(0, whole_numbers(rows, tokens.device)),
            Run(watch, rows, [self.lengths[row] for row in rows], here),
            asked,
            rows[0] if neighbours else None,
            rows,
        )
        named = [
            (row, column)
            for row, count, last in zip(rows, here, asked, strict=True)
            for column in range(count - last, count)
        ]
        return named, output

    def _run(
        self,
        tokens: Tensor,
        run: Run,
        wanted: Sequence[int],
        first: int | None,
        slots: list[int] | None,
    ) -> ForwardOutput:
        rows, query = tokens.shape
        starts, counts = run.starts, run.counts
        if tokens.device != self.caller.device:
            tokens = tokens.to(self.caller.device)
        place = self._place(starts, counts, query, first, slots)
        self._reserve(len(self.lengths), max(starts) + query)
        if query == 1:
            asked, keep = None, None
        else:
            asked = Asked.of(counts, wanted, query)
            keep = asked.keep(self.caller.device)
        self.cache.place = place
        if place.level:
            positions = self._between(starts[0], starts[0] + query)
            positions = positions if rows == 1 else positions.expand(rows, query)
        else:
            positions = place.seen
        outputs = self.caller(tokens, positions=positions, cache=self.cache, keep=keep, run=run)
        if asked is None:
            if 0 not in wanted:
                return ForwardOutput(outputs.logits.select(1, -1))
            asked = Asked.of(counts, wanted, 1)
        return asked.output(outputs)

    def _place(
        self, starts: Sequence[int], counts: Sequence[int], query: int, first: int | None, slots: list[int] | None
    ) -> Placement:
        start, rows = starts[0], len(starts)
        level = not self.static and all(other == start for other in starts)
        if level:
            place = Placement(starts, counts, query, start + query, True, first)
            if first is not None:
                return place
        else:
            longest = max(starts[row] + counts[row] for row in range(rows))
            length = -(-longest // self.bucket) * self.bucket
            if self.limit is not None:
                # Some tables (ALiBi's in MPT) end at the context limit.
                length = max(longest, min(length, self.limit))
            place = Placement(starts, counts, query, length, False, first)
        device = self.caller.device
        first_column = whole_numbers(starts, device)[:, None]
        place.positions = first_column + self._between(0, query) if query > 1 else first_column
        place.seen = place.positions
        if self.static or min(counts) < query:
            last = torch.tensor([max(start + count - 1, 0) for start, count in zip(starts, counts, strict=True)])
            place.seen = torch.minimum(place.positions, last.to(device)[:, None])
        if slots is not None:
            place.slots = whole_numbers(slots, device)
        else:
            place.slots = self._between(0, rows)[0]
        return place

    def _between(self, start: int, end: int) -> Tensor:
        """Give the numbers from `start` up to `end`, shape [1, number]."""
        if end > len(self._each):
            self._range = torch.arange(2 * end, device=self.caller.device)[None]
            self._each = self._range.split(1, dim=1)
        # One number is what each step asks for, and a call into torch costs more than all else that is done here.
        return self._each[start] if end == start + 1 else self._range.narrow(1, start, end - start)

    def _reserve(self, slots: int, length: int) -> None:
        have_slots, have_length = self._room
        if slots <= have_slots and length <= have_length:
            return
        if slots > have_slots:
            have_slots = slots if have_slots == 0 else max(slots, 2 * have_slots)
        if length > have_length:
            have_length = max(FIRST_TOKENS, 2 * have_length, -(-length // self.bucket) * self.bucket)
        self._room = (have_slots, have_length)
        self.cache.reserve(have_slots, have_length)
