"""Wrong memories of a model: a cache backend or a wrapped model that is wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from decodekit.cache import LayerCache, Placement, SlotLayer, Slots
from decodekit.memory.base import ForwardOutput, Memory
from decodekit.memory.watch import Watch
from decodekit.model import CausalModel
from decodekit.testing.caches import CacheLaws
from decodekit.testing.mutants.base import Mutant
from decodekit.testing.toys import tiny_llama
from decodekit.types import Tensor


class _Fixed(CacheLaws):
    """Laws on the slots path only: a check at wrap time must not save a faulty backend."""

    programs = 2

    def make_model(self) -> CausalModel:
        return type(self).make()


class Faulty(Memory):
    """Hands everything on to a right memory."""

    def __init__(self, inner: Memory) -> None:
        self.inner = inner

    @property
    def lengths(self) -> list[int]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Tokens held, per row."""
        return self.inner.lengths

    def join(self, rows: int) -> None:
        self.inner.join(rows)

    def forward(
        self, tokens: Tensor, counts: Sequence[int], wanted: Sequence[int], *, watch: Watch | None = None
    ) -> ForwardOutput:
        return self.inner.forward(tokens, counts, wanted, watch=watch)

    def gather(self, index: Sequence[int]) -> None:
        self.inner.gather(index)

    def rewind(self, lengths: Sequence[int]) -> None:
        self.inner.rewind(lengths)

    def save(self, row: int) -> Any:
        return self.inner.save(row)

    def load(self, row: int, saved: Any) -> None:
        self.inner.load(row, saved)

    def bytes(self) -> int:
        return self.inner.bytes()


class GatherRunsBackwards(Faulty):
    """Gives the rows in the opposite order."""

    def gather(self, index: Sequence[int]) -> None:
        self.inner.gather(list(reversed(index)))


class LoadsAnotherRow(Faulty):
    """Saves the row before the one that is asked for."""

    def save(self, row: int) -> Any:
        return self.inner.save(row - 1)


class RewindKeepsAToken(Faulty):
    """Keeps one token more than it says."""

    extra: list[int] | None = None

    @property
    def lengths(self) -> list[int]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return [length - more for length, more in zip(self.inner.lengths, self._extra(), strict=True)]

    def rewind(self, lengths: Sequence[int]) -> None:
        held = self.inner.lengths
        kept = [min(length + 1, most) for length, most in zip(lengths, held, strict=True)]
        self.inner.rewind(kept)
        self.extra = [keep - length for keep, length in zip(kept, lengths, strict=True)]

    def gather(self, index: Sequence[int]) -> None:
        extra = self._extra()
        self.inner.gather(index)
        self.extra = [extra[row] for row in index]

    def _extra(self) -> list[int]:
        extra = self.extra or []
        return extra + [0] * (len(self.inner.lengths) - len(extra))


class PositionsOffByOne(Faulty):
    """Tells the model positions one too far, but for a fresh prompt."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        right = inner.caller

        class Shifted:
            def __getattr__(self, name: str) -> Any:
                return getattr(right, name)

            def __call__(self, tokens: Tensor, *, positions: Tensor | None = None, **others: Any) -> Any:
                moved = positions + 1 if positions is not None and int(positions.min()) > 0 else positions
                return right(tokens, positions=moved, **others)

        inner.caller = Shifted()


class StartsAnew(Faulty):
    """Takes a pass in which any row is fresh for the first one of all rows."""

    def forward(
        self, tokens: Tensor, counts: Sequence[int], wanted: Sequence[int], *, watch: Watch | None = None
    ) -> ForwardOutput:
        if any(length == 0 < count for length, count in zip(self.inner.lengths, counts, strict=True)):
            self.inner.rewind([0] * len(counts))
        return self.inner.forward(tokens, counts, wanted, watch=watch)


class LastColumns(Faulty):
    """Gives the logits of the last columns, which are padding in a row that brings fewer tokens."""

    def forward(
        self, tokens: Tensor, counts: Sequence[int], wanted: Sequence[int], *, watch: Watch | None = None
    ) -> ForwardOutput:
        lengths = [length + count for length, count in zip(self.inner.lengths, counts, strict=True)]
        output = self.inner.forward(tokens, [tokens.shape[1]] * len(tokens), wanted)
        self.inner.rewind(lengths)
        return output


class JoinsInFront(Faulty):
    """Puts new rows before those that run."""

    def join(self, rows: int) -> None:
        before = len(self.inner.lengths)
        self.inner.join(rows)
        self.inner.gather([*range(before, before + rows), *range(before)])


class LongRowsFirst(Faulty):
    """Runs the rows of a large batch that bring many tokens first, and gives logits in that order."""

    def forward(
        self, tokens: Tensor, counts: Sequence[int], wanted: Sequence[int], *, watch: Watch | None = None
    ) -> ForwardOutput:
        output = self.inner.forward(tokens, counts, wanted, watch=watch)
        if len(counts) < 16:
            return output
        order = sorted(range(len(counts)), key=lambda row: counts[row] <= 4)
        ends = [sum(wanted[: row + 1]) for row in range(len(wanted))]
        return ForwardOutput(
            output.logits[[place for row in order for place in range(ends[row] - wanted[row], ends[row])]]
        )


class CountsNothing(Faulty):
    """Does not say what it holds."""

    def bytes(self) -> int:
        return 0


class LogitsOfTheFirst(Faulty):
    """Gives the logits of the first positions instead of the last ones."""

    def forward(
        self, tokens: Tensor, counts: Sequence[int], wanted: Sequence[int], *, watch: Watch | None = None
    ) -> ForwardOutput:
        every = self.inner.forward(tokens, counts, counts)
        index, first = [], 0
        for count, want in zip(counts, wanted, strict=True):
            index += list(range(first, first + want))
            first += count
        return ForwardOutput(every.logits[index])


class _Forgetful(SlotLayer):
    def copy(self, sources: Sequence[int], targets: Sequence[int], length: int) -> None:
        return None


class _Rounding(SlotLayer):
    def write(self, keys: Tensor, values: Tensor, place: Placement) -> None:
        super().write(keys.half().to(keys.dtype), values, place)


class OneLayerForgets(Slots):
    """Does not copy rows of the second layer."""

    def __call__(self, layer: int) -> LayerCache:
        return _Forgetful() if layer == 1 else SlotLayer()


class RoundsKeys(Slots):
    """Stores keys in 16 bits and says that it is exact."""

    def __call__(self, layer: int) -> LayerCache:
        return _Rounding()


class SaysThatItRounds(Slots):
    """Keeps every bit and says that it does not."""

    exact = False


def _wrapped(factory: Slots, fault: Callable[[Any], Memory] | None = None) -> Any:
    inner = CausalModel.wrap(tiny_llama(32), cache=factory, path="slots")
    if fault is not None:
        right = inner.memory
        inner.memory = lambda: fault(right())
    return inner


def _mutant(fault: type[Any], *breaks: str) -> Mutant:
    def make() -> Any:
        return _wrapped(fault()) if issubclass(fault, Slots) else _wrapped(Slots(), fault)

    make.__name__ = fault.__name__
    return Mutant(_Fixed, make, breaks)


MEMORIES: tuple[Mutant, ...] = (
    _mutant(Slots),
    _mutant(Faulty),
    _mutant(GatherRunsBackwards, "gather_copies"),
    _mutant(LoadsAnotherRow, "saved_row"),
    _mutant(RewindKeepsAToken, "rejected_draft"),
    _mutant(PositionsOffByOne, "prompt_at_once"),
    _mutant(StartsAnew, "fed_in_pieces"),
    _mutant(LastColumns, "ragged_rows"),
    _mutant(JoinsInFront, "join_a_batch"),
    _mutant(LongRowsFirst, "very_different_counts"),
    _mutant(CountsNothing, "bytes_held"),
    _mutant(SaysThatItRounds, "declared_so"),
    _mutant(LogitsOfTheFirst, "any_sequence"),
    _mutant(OneLayerForgets, "gather_copies"),
    _mutant(RoundsKeys, "prompt_at_once"),
)
