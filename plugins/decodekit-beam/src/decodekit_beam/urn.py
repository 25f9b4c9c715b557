"""Urns: the tokens of one row, drawn one after another without putting back, a random number for each draw.

The token of a number is found by the inverse distribution function in the order of token ids, through sums over blocks
of neighbours, so a draw looks at a few hundred numbers whatever the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from decodekit import rng
from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.types import Float, Tensor
from decodekit_beam.likeliest import normalised, small_exp
from decodekit_beam.score import Score, best_first

_BLOCK = 128
_FRESH = 1e-20
"""When less than this is left of the mass, weights are taken anew: they could have been rounded to nothing."""
_WORD = 2.0**53


class Urn:
    """One row's tokens. Lives for one step.

    Args:
        logits: Shape [candidate], in the order of token ids.
        ids: Token of each column, or None where column t is token t.
        weights: `exp(logits - shift)`, filled up with zeros to whole blocks, shape [block, 128]; written to.
        masses: Sum of each block.
        shift: What was taken off the logits.
    """

    def __init__(
        self,
        logits: Float[Tensor, "candidate"],
        ids: NDArray[np.int64] | None,
        weights: NDArray[np.floating],
        masses: NDArray[np.float64],
        shift: float,
    ) -> None:
        self.logits, self.ids, self.weights, self.masses, self.shift = logits, ids, weights, masses, shift
        self.total = shift + _log(float(masses.sum()))
        self._drawn: list[int] = []

    @property
    def log_left(self) -> float:
        """The logarithm of the probability of all tokens that are still in the urn; -inf when it is empty."""
        return self.shift + _log(float(self.masses.sum())) - self.total

    def draw(self, uniform: float) -> tuple[int, float]:
        """Take out one token, with a chance in proportion to its probability; give it with its log-probability."""
        block, before = _find(self.masses, uniform * float(self.masses.sum()))
        inside = self.weights[block].astype(np.float64)
        place, _ = _find(inside, uniform * float(self.masses.sum()) - before)
        column = block * _BLOCK + place
        self.weights[block, place] = inside[place] = 0
        self.masses[block] = inside.sum()
        self._drawn.append(column)
        if self.masses.sum() < _FRESH:
            self._weigh_anew()
        token = column if self.ids is None else int(self.ids[column])
        return token, float(self.logits[column]) - self.total

    def _weigh_anew(self) -> None:
        left = self.logits.clone()
        left[self._drawn] = -torch.inf
        best = float(left.max())
        if best > -math.inf:
            weights, masses = _weigh(left[None] - best)
            self.weights, self.masses, self.shift = weights[0], masses[0], best


def urns(law: Law) -> list[Urn]:
    """Fill an urn for every row. Cost: two passes over the law.

    Raises:
        DeadEndError: A law is empty or NaN.
    """
    logits, ids = law.logits, None
    if law.ids is not None:
        ids, order = law.ids.sort(dim=-1)
        logits = logits.gather(-1, order)
    shifts = logits.amax(dim=-1, keepdim=True)
    weights, masses = _weigh(logits - shifts)
    if not np.isfinite(masses.sum(axis=-1)).all() or not (masses.sum(axis=-1) > 0).all():
        normalised(law)  # says what is wrong
    held = logits.cpu()
    tokens = [None] * len(logits) if ids is None else list(ids.cpu().numpy())
    return [Urn(*each) for each in zip(held, tokens, weights, masses, shifts.squeeze(-1).tolist(), strict=True)]


def uniforms(at: Positions, scores: Sequence[Score], draws: int) -> NDArray[np.float64]:
    """Give `draws` numbers in [0, 1) for each row, independent of one another and of the order of the rows.

    All rows of a group have the same number at a step. It is the first number of the best row, which makes one row
    alone the same as ordinary sampling, and the key of the counter-based numbers for all other (rank of the row, draw).

    Returns:
        Shape [row, draws].
    """
    first = float(at.uniform("select")[0])
    ranks = np.argsort(best_first(scores))
    key = np.full(len(scores) * draws, int(first * _WORD), dtype=np.uint64)
    counters = (np.repeat(ranks, draws).astype(np.uint64), np.tile(np.arange(draws, dtype=np.uint64), len(scores)))
    numbers = rng.uniform(key, *counters, "beam").reshape(len(scores), draws)
    numbers[ranks == 0, 0] = first
    return numbers


def _weigh(logits: Float[Tensor, "row candidate"]) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
    rows, width = logits.shape
    padded = logits.new_zeros(rows, -(-width // _BLOCK) * _BLOCK)
    impossible = logits == -torch.inf
    padded[:, :width] = small_exp(logits.clone()).masked_fill_(impossible, 0)
    weights = padded.view(rows, -1, _BLOCK)
    return weights.cpu().numpy(), weights.sum(dim=-1, dtype=torch.float64).cpu().numpy()


def _find(weights: NDArray[np.float64], target: float) -> tuple[int, float]:
    """Give the first place with a weight whose running sum exceeds the target, and the sum before it."""
    ends = weights.cumsum()
    place = int(np.searchsorted(ends, target, side="right"))
    if place >= len(weights) or not weights[place] > 0:  # a rounding lies between the target and the end
        place = int(np.flatnonzero(weights > 0)[-1])
    return place, float(ends[place - 1]) if place else 0.0


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
