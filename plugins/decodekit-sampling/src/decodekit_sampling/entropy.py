"""The entropy of a law in nats, where impossible tokens count nothing instead of giving NaN."""

from __future__ import annotations

import torch

from decodekit.types import Float, Tensor

_FAR = -1e4
"""Weights below exp(-10000) are zero in every dtype; the bound keeps 0 · -inf out of the sum."""


def entropy_and_total(
    logits: Float[Tensor, "position candidate"],
) -> tuple[Float[Tensor, "position 1"], Float[Tensor, "position 1"]]:
    """Give each position's entropy and the logarithm of its sum of weights. Cost: four passes."""
    best = logits.amax(dim=-1, keepdim=True).clamp(min=torch.finfo(logits.dtype).min)
    gap = (logits - best).clamp_(min=_FAR)
    weights = gap.exp()
    total = weights.sum(dim=-1, keepdim=True)
    entropy = total.log() - gap.mul_(weights).sum(dim=-1, keepdim=True) / total
    return entropy, total.log() + best
