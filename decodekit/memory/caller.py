"""How one particular model is called: the names of its arguments, its position offset, what it can leave out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import nn

from decodekit.memory.base import ForwardOutput
from decodekit.memory.turns import ModelTurn, turn_of
from decodekit.memory.watch import Pass, Watch
from decodekit.types import Float, Int64, Tensor

Runner = Callable[..., Any]
"""`runner(model, **inputs) -> outputs`. What it may say about itself, as attributes:

`static_shapes = True`: where rows are in slots it is given tables of positions, each a tensor of its own, never the
shortcuts for rows that stand level.
`sees_hooks = False`: it runs what was made of the model before, and what model hooks do to the modules would not reach
that; forward passes with a hook around are run eagerly.
"""

CACHE_ARGUMENTS = ("past_key_values", "cache_params", "state")
"""What models call the argument, and the output, that carries what they remember."""


@dataclass(frozen=True, slots=True)
class Run:
    """Which rows of a memory a forward pass is for.

    Attributes:
        watch: The rows' model hooks, or None.
        rows: Row of the memory in each row of the batch.
        starts: Tokens that each of them held before.
        counts: Valid tokens of each of them.
    """

    watch: Watch | None
    rows: Sequence[int]
    starts: Sequence[int]
    counts: Sequence[int]


def eager(model: nn.Module, **inputs: Any) -> Any:
    """Run the forward pass as it is."""
    return model(**inputs)


def name_of(runner: Runner) -> str:
    """Name a runner in messages."""
    return str(getattr(runner, "name", None) or getattr(runner, "__name__", type(runner).__name__))


@dataclass(slots=True, eq=False)
class Caller:
    """Calls the model; the only place that knows its signature.

    Attributes:
        cache_argument: None where the model remembers nothing.
        vocab_size: Width of the logits, once known.
        position_offset: What is added to 0, 1, ... to make position ids; None where the model takes none.
        keeps_logits: Whether the model computes logits of chosen positions only.
        turn: The model's; every pass takes it, and so does who puts something onto the model for several passes.
    """

    model: nn.Module
    runner: Runner
    device: torch.device
    cache_argument: str | None
    keeps_logits: bool
    takes_use_cache: bool
    turn: ModelTurn
    position_offset: int | None = 0
    vocab_size: int = 0

    @classmethod
    def of(cls, model: nn.Module, device: torch.device) -> Caller:
        """Read the signature."""
        names = _arguments(model)
        return cls(
            model=model,
            runner=eager,
            device=device,
            cache_argument=next((name for name in CACHE_ARGUMENTS if name in names), None),
            keeps_logits="logits_to_keep" in names,
            takes_use_cache="use_cache" in names,
            turn=turn_of(model),
            position_offset=0 if "position_ids" in names else None,
        )

    def __call__(
        self,
        tokens: Int64[Tensor, "row query"],
        *,
        positions: Int64[Tensor, "row query"] | None = None,
        cache: Any = None,
        uncached: bool = False,
        keep: int | Tensor | None = None,
        run: Run | None = None,
    ) -> Any:
        """Run one forward pass.

        Args:
            tokens: Token ids on the model's device.
            positions: Counted from 0; None leaves it to the model.
            cache: What the model remembers; updated in place, or returned by the model.
            uncached: Neither give nor take a cache.
            keep: Logits of the last so many columns, or of these columns.
            run: Which rows these are, for the model hooks that watch them.
        """
        inputs: dict[str, Any] = {"input_ids": tokens}
        if positions is not None and self.position_offset is not None:
            inputs["position_ids"] = positions + self.position_offset if self.position_offset else positions
        if self.takes_use_cache:
            inputs["use_cache"] = not uncached
        if cache is not None and self.cache_argument is not None:
            inputs[self.cache_argument] = cache
        if keep is not None and self.keeps_logits:
            inputs["logits_to_keep"] = keep
        if run is None or run.watch is None:
            with self.turn.taken():
                return self.runner(self.model, **inputs)
        runner = self.runner if getattr(self.runner, "sees_hooks", True) else eager
        with self.turn.taken(), run.watch.around(Pass(self.model, tokens, run.rows, run.starts, run.counts)):
            return runner(self.model, **inputs)


def _arguments(model: Any) -> set[str]:
    """Name what the forward pass takes; a wrapper (an adapter's, say) may hand on more than it names itself."""
    names = set(inspect.signature(model.forward).parameters)
    if not names & set(CACHE_ARGUMENTS):
        get = getattr(model, "get_base_model", None)
        inner = get() if callable(get) else getattr(model, "module", None)
        if isinstance(inner, nn.Module) and inner is not model:
            names |= _arguments(inner)
    return names


@dataclass(slots=True)
class Asked:
    """Which positions of a `[row, query]` batch are asked for, and how to pick them from the model's output.

    Attributes:
        columns: The columns in which any row asks for its logits, ascending.
    """

    query: int
    columns: list[int]
    flat: list[tuple[int, int]]

    @classmethod
    def of(cls, counts: Sequence[int], wanted: Sequence[int], query: int) -> Asked:
        """Take the last `wanted` of each row's `counts` valid columns."""
        flat = [
            (row, column)
            for row, (count, last) in enumerate(zip(counts, wanted, strict=True))
            for column in range(count - last, count)
        ]
        return cls(query, sorted({column for _, column in flat}), flat)

    def keep(self, device: torch.device) -> int | Tensor | None:
        """What to give the model as `logits_to_keep`; 0 would mean all, so at least one column is computed."""
        width = len(self.columns)
        if width == self.query:
            return None
        if width == 0:
            return 1
        if self.columns[0] == self.query - width:
            return width
        return torch.tensor(self.columns, device=device)

    def pick(self, values: Float[Tensor, "row column size"], all_columns: bool) -> Float[Tensor, "position size"]:
        """Pick the positions, row by row, from every column or from those of `columns` only."""
        rows, width = values.shape[0], values.shape[1]
        if len(self.flat) == rows * width:
            return values.flatten(0, 1)
        place = {column: column if all_columns else number for number, column in enumerate(self.columns)}
        index = torch.tensor([row * width + place[column] for row, column in self.flat], dtype=torch.int64)
        return values.flatten(0, 1).index_select(0, index.to(values.device))

    def output(self, outputs: Any) -> ForwardOutput:
        """Make the answer from what the model returned."""
        return ForwardOutput(self.pick(outputs.logits, all_columns=outputs.logits.shape[1] == self.query))


Part: TypeAlias = tuple[Sequence[tuple[int, int]], ForwardOutput]
"""Row and column of each position of an output, and the output."""


def merge(caller: Caller, parts: Sequence[Part]) -> ForwardOutput:
    """Join the outputs of any number of forward passes, sorted by (row, column)."""
    if not parts:
        return ForwardOutput(torch.empty(0, caller.vocab_size, device=caller.device))
    joined = parts[0][1].logits if len(parts) == 1 else torch.cat([output.logits for _, output in parts])
    keys = [key for part, _ in parts for key in part]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    if order == list(range(len(order))):
        return ForwardOutput(joined)
    return ForwardOutput(joined.index_select(0, torch.tensor(order, device=joined.device)))


def positions_of(rows: Sequence[int], counts: Sequence[int], wanted: Sequence[int]) -> list[tuple[int, int]]:
    """Row and column of each position that these rows ask for, in this order of rows."""
    return [(row, column) for row in rows for column in range(counts[row] - wanted[row], counts[row])]
