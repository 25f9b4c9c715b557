"""What routers decided about tokens that stand side by side: the notes of the hook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from decodekit.types import Float, Int64, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Routed:
    """Routing of tokens, which are the first axis; of a whole batch, rows are before it.

    Attributes:
        experts: Ids of the chosen experts.
        weights: What their outputs were multiplied with.
        logits: What the routers said about all experts.
    """

    experts: Int64[Tensor, "*token layer top_k"]
    weights: Float[Tensor, "*token layer top_k"]
    logits: Float[Tensor, "*token layer expert"]

    def __getitem__(self, index: int | slice) -> Routed:
        return Routed(self.experts[index], self.weights[index], self.logits[index])

    @classmethod
    def stacked(cls, layers: Sequence[tuple[Tensor, Tensor, Tensor]], rows: int, query: int) -> Routed:
        """Join the layers of a pass whose tokens run row by row."""
        home = layers[0][0].device

        def join(place: int) -> Tensor:
            return torch.stack([layer[place].to(home) for layer in layers], dim=1).unflatten(0, (rows, query))

        return cls(join(0), join(1), join(2))

    @classmethod
    def joined(cls, parts: Sequence[Routed]) -> Routed:
        """Join parts in order."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in ("experts", "weights", "logits")))

    def row(self, row: int, count: int) -> Routed:
        """Give a row's first tokens as a copy, so that they do not hold the whole batch in memory."""
        own = self[row][:count]
        return Routed(own.experts.clone(), own.weights.clone(), own.logits.clone())


__all__ = ["Routed"]
