"""Ready-made inputs of a piece: positions with sensible defaults, laws with every awkward feature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from decodekit import rng
from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.types import Float, Int64, State, Tensor

Draw = Callable[[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64], str], NDArray[np.float64]]


@dataclass(slots=True, eq=False)
class ScriptedPositions(Positions):
    """Positions whose uniform numbers come from a function of the test instead of the generator.

    Args:
        draw: Called like `decodekit.rng.uniform`: seeds, samples, new tokens, purpose.
    """

    draw: Draw = rng.uniform

    def uniform(self, purpose: str) -> Float[Tensor, "position"]:
        new = (self.lengths_array - self.prompt_lengths_array).astype(np.uint64)
        return torch.from_numpy(self.draw(self.seeds, self.samples, new, purpose)).to(self.device)

    def index_select(self, index: Sequence[int]) -> ScriptedPositions:
        rows = np.asarray(index, dtype=np.int64)
        return ScriptedPositions(
            self.history_array[rows],
            self.lengths_array[rows],
            self.prompt_lengths_array[rows],
            self.seeds[rows],
            self.samples[rows],
            [self.states[i] for i in rows.tolist()],
            self.device,
            draw=self.draw,
        )


def positions(
    n: int | None = None,
    *,
    histories: Sequence[Sequence[int]] | None = None,
    prompt_lengths: Sequence[int] | None = None,
    states: Sequence[State] | None = None,
    seeds: Sequence[int] | None = None,
    samples: Sequence[int] | None = None,
    width: int | None = None,
    padding: int | Int64[NDArray, "position length"] = 0,
    device: torch.device | str = "cpu",
    draw: Draw | None = None,
) -> Positions:
    """Make positions for a test.

    Args:
        n: How many; may be left out where anything else tells it.
        histories: Tokens before each position, prompt included; by default the one token 0.
        prompt_lengths: How many of them are the prompt; by default all.
        states: The piece's states; by default None each.
        seeds: By default 0, 1, 2, …, so that positions draw different numbers.
        samples: By default 0 each.
        width: Width of the history array; by default the longest history.
        padding: What stands right of each history: one token, or an array to take it from.
        device: Where tensors are wanted.
        draw: A function of the test that gives the uniform numbers.
    """
    given = (histories, prompt_lengths, states, seeds, samples)
    count = n if n is not None else next((len(each) for each in given if each is not None), 1)
    texts = [list(text) for text in (histories if histories is not None else [[0]] * count)]
    for each in (texts, *given):
        if each is not None and len(each) != count:
            raise ValueError(f"{count} positions, but {len(each)} values for them")
    columns = max([width or 0, *map(len, texts)])
    array = np.broadcast_to(np.asarray(padding, dtype=np.int64), (count, columns)).copy()
    for row, text in enumerate(texts):
        array[row, : len(text)] = text
    arrays = (
        array,
        np.array([len(text) for text in texts], dtype=np.int64),
        np.array([len(text) for text in texts] if prompt_lengths is None else list(prompt_lengths), dtype=np.int64),
        np.array(range(count) if seeds is None else list(seeds), dtype=np.uint64),
        np.array([0] * count if samples is None else list(samples), dtype=np.uint64),
    )
    held = [None] * count if states is None else list(states)
    if draw is not None:
        return ScriptedPositions(*arrays, held, torch.device(device), draw=draw)
    return Positions(*arrays, held, torch.device(device))


def altered(at: Positions, **fields: Any) -> Positions:
    """Give positions with other fields; what was worked out from the old ones is forgotten."""
    return replace(at, **({"draws": None, "_memo": {}} | fields))


LAW_KINDS = ("plain", "masked", "ties", "masked ties", "one token", "flat", "sharp", "far from zero")


def random_law(count: int, vocab_size: int, seed: int = 0, dtype: torch.dtype = torch.float64, first: int = 0) -> Law:
    """Make a law of many positions at full width that has what breaks pieces.

    Position i is of kind `LAW_KINDS[(first + i) % 8]`: -inf entries, equal values, one possible token only, …
    """
    generator = torch.Generator().manual_seed(seed)
    rows = [_logits(LAW_KINDS[(first + i) % len(LAW_KINDS)], vocab_size, generator) for i in range(count)]
    return Law(torch.stack(rows).to(dtype))


def _logits(kind: str, vocab_size: int, generator: torch.Generator) -> Tensor:
    values = 3 * torch.randn(vocab_size, generator=generator, dtype=torch.float64)
    keep = torch.rand(vocab_size, generator=generator) < 0.6
    keep[int(torch.randint(vocab_size, (), generator=generator))] = True
    match kind:
        case "ties" | "masked ties":
            values = values.round()
        case "one token":
            keep = torch.arange(vocab_size) == keep.int().argmax()
        case "flat":
            values = torch.zeros(vocab_size, dtype=torch.float64)
        case "sharp":
            values = 30 * values
        case "far from zero":
            values = values + 2000
    return values.masked_fill(~keep, -torch.inf) if kind in ("masked", "masked ties", "one token", "flat") else values


def as_candidates(law: Law, seed: int = 0) -> Law:
    """Write a law at full width as a candidate set with shuffled columns.

    Some columns are impossible, and two of each position are padding: -inf, with the ids of other columns.
    """
    generator = torch.Generator().manual_seed(seed)
    width = min(law.logits.shape[-1], int(law.allowed.sum(dim=-1).max()) + 2)
    order = torch.rand(law.logits.shape, generator=generator).to(law.logits.device).masked_fill(law.allowed, 2.0)
    ids = order.topk(width, dim=-1).indices
    # What is possible comes first, so that padding bears the id of a possible token.
    logits = torch.nn.functional.pad(law.logits.gather(-1, ids), (0, 2), value=-torch.inf)
    ids = torch.cat([ids, ids[:, :2]], dim=-1)
    shuffle = torch.rand(ids.shape, generator=generator).argsort(dim=-1).to(ids.device)
    return Law(logits.gather(-1, shuffle), ids.gather(-1, shuffle))


def difference(left: Law, right: Law, vocab_size: int, tolerance: float = 0.0) -> str | None:
    """Say at which position and token two laws differ, or give None."""
    a, b = left.full(vocab_size).logits.double(), right.full(vocab_size).logits.double()
    if a.shape != b.shape:
        return f"shapes {list(a.shape)} and {list(b.shape)}"
    wrong = ~(torch.isclose(a, b, rtol=tolerance, atol=tolerance) | (a == b))
    if not bool(wrong.any()):
        return None
    position, token = wrong.nonzero()[0].tolist()
    return f"position {position}, token {token}: {float(a[position, token])!r} against {float(b[position, token])!r}"
