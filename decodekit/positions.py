"""Positions: the places where a law is asked for, each with its own history, state and random key.

A processor never sees a batch. It sees positions and cannot tell whether they come from one row's draft or from ten
rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from decodekit import rng
from decodekit.law import neighbours
from decodekit.types import Bool, Float, Int64, State, Tensor


@dataclass(slots=True, eq=False)
class Positions:
    """What is known before the next token, per position. Read-only: pieces must not write into any of it.

    Not frozen all the same: to make a frozen object of so many parts takes eight microseconds, several times a step.

    Args:
        history_array: Token ids before the position, prompt included, shape [position, length]. Right-padded: what
            stands at or beyond `lengths` is arbitrary but a valid token id.
        lengths_array: Tokens before the position, shape [position].
        prompt_lengths_array: How many of them are the prompt, shape [position].
        seeds: Seed of the request, uint64, shape [position].
        samples: Index of the sample in its request, uint64, shape [position].
        states: The state of the piece that is called, one per position.
        device: Where tensors are wanted.
        draws: Numbers computed ahead, with the row of each position; None computes them when asked.
        view: What a model hook sees of the model at these positions (a `ModelView`, for drafters a `DraftView`); None
            for all other pieces.
        stream: Which stream random numbers come from; see `apart`.
        ahead: How many drafted tokens stand before each position, where numbers go by the draft's beginning.
    """

    history_array: NDArray[np.int64]
    lengths_array: NDArray[np.int64]
    prompt_lengths_array: NDArray[np.int64]
    seeds: NDArray[np.uint64]
    samples: NDArray[np.uint64]
    states: Sequence[State]
    device: torch.device
    draws: tuple[rng.Draws, NDArray[np.int64]] | None = None
    view: Any = None
    stream: str = ""
    ahead: NDArray[np.int64] | None = None
    _memo: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lengths_array)

    @property
    def history(self) -> Int64[Tensor, "position length"]:
        """Token ids before each position, right-padded; combine with `in_history` or `in_generated`."""
        return self._tensor("history_array")

    @property
    def lengths(self) -> Int64[Tensor, "position"]:
        """How many tokens stand before each position."""
        return self._tensor("lengths_array")

    @property
    def prompt_lengths(self) -> Int64[Tensor, "position"]:
        """How many of them are the prompt."""
        return self._tensor("prompt_lengths_array")

    @property
    def new_tokens(self) -> Int64[Tensor, "position"]:
        """How many tokens were generated before each position."""
        return self.lengths - self.prompt_lengths

    @property
    def in_history(self) -> Bool[Tensor, "position length"]:
        """Which entries of `history` are real."""
        return torch.arange(self.history.shape[1], device=self.device) < self.lengths[:, None]

    @property
    def in_generated(self) -> Bool[Tensor, "position length"]:
        """Which entries of `history` were generated, so are real and not the prompt."""
        columns = torch.arange(self.history.shape[1], device=self.device)
        return (columns >= self.prompt_lengths[:, None]) & (columns < self.lengths[:, None])

    def uniform(self, purpose: str) -> Float[Tensor, "position"]:
        """Draw one float64 in [0, 1) per position, fixed for (seed, sample, position, purpose)."""
        new = self.lengths_array - self.prompt_lengths_array
        new = new if self.ahead is None else new - self.ahead
        purpose = self.stream + purpose
        if self.draws is not None:
            numbers = self.draws[0](self.draws[1], new, purpose)
        else:
            numbers = rng.uniform(self.seeds, self.samples, new.astype(np.uint64), purpose)
        return torch.from_numpy(numbers).to(self.device)

    def index_select(self, index: Sequence[int]) -> Positions:
        """Give these positions, in this order, repeats allowed."""
        rows: Any = neighbours(index)
        if rows is None:
            rows = np.asarray(index, dtype=np.int64)
        elif len(index) == len(self):
            return self
        return Positions(
            self.history_array[rows],
            self.lengths_array[rows],
            self.prompt_lengths_array[rows],
            self.seeds[rows],
            self.samples[rows],
            [self.states[i] for i in index],
            self.device,
            None if self.draws is None else (self.draws[0], self.draws[1][rows]),
            None if self.view is None else self.view.index_select(index),
            self.stream,
            None if self.ahead is None else self.ahead[rows],
        )

    def with_states(self, states: Sequence[State]) -> Positions:
        """Give the same positions with another piece's states."""
        return replace(self, states=states)

    def with_view(self, view: Any) -> Positions:
        """Give the same positions with what a model hook sees there."""
        return replace(self, view=view)

    def apart(self, stream: str, ahead: NDArray[np.int64] | None = None) -> Positions:
        """Give the same positions with random numbers that are independent of those of any other stream.

        Args:
            stream: Name of the stream.
            ahead: How many drafted tokens stand before each position: numbers then go by where the draft begins, so
                that a place which is drafted again gets new ones. The stream must say how deep in its draft a draw is.
        """
        return replace(self, stream=f"{stream} ", ahead=ahead)

    @classmethod
    def concat(cls, parts: Sequence[Positions]) -> Positions:
        """Put the positions of several parts one after another."""
        if any(part.view is not None or part.stream or part.ahead is not None for part in parts):
            raise ValueError("positions with a view or a stream of their own cannot be joined")
        width = max(part.history_array.shape[1] for part in parts)
        padded = [np.pad(part.history_array, ((0, 0), (0, width - part.history_array.shape[1]))) for part in parts]
        return cls(
            np.concatenate(padded),
            np.concatenate([part.lengths_array for part in parts]),
            np.concatenate([part.prompt_lengths_array for part in parts]),
            np.concatenate([part.seeds for part in parts]),
            np.concatenate([part.samples for part in parts]),
            [state for part in parts for state in part.states],
            parts[0].device,
        )

    def _tensor(self, name: str) -> Tensor:
        if name not in self._memo:
            self._memo[name] = torch.from_numpy(getattr(self, name)).to(self.device)
        return self._memo[name]
