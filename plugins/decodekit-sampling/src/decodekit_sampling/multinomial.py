"""Multinomial sampling: one uniform number per position, turned into a token by the inverse distribution function.

Tokens stand in the order of their ids, so a law at full width and the same law as a candidate set give the same token
for the same number. *Not* an exponential race or Gumbel argmax: those need a random number per token of the vocabulary.
"""

from __future__ import annotations

import torch

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import TokenSelector
from decodekit.types import Float, Int64, Tensor

_BLOCK = 128
_BELOW_ONE = 1 - 2**-52
"""Keeps a uniform number next to 1 from rounding up to the whole mass."""


class Multinomial(
    TokenSelector,
    name="multinomial",
    stackable=True,
    follows_law=True,
    graph_safe=True,
    source="inverse transform sampling; law of torch.multinomial",
):
    """Draw from the law.

    Exact: weights in the law's dtype (at least float32), sums in float64; an impossible token is never drawn.
    Cost: a sort of the candidates, or three passes at full width.
    """

    def __call__(self, law: Law, at: Positions) -> Int64[Tensor, "position"]:
        uniform = at.uniform("select")
        logits = law.logits if law.logits.dtype in (torch.float32, torch.float64) else law.logits.float()
        if law.ids is None:
            return _draw_wide(logits, uniform)
        ids, order = law.ids.sort(dim=-1)
        column = _invert(_weights(logits.gather(-1, order)).double(), uniform)
        return ids.gather(-1, column[:, None]).squeeze(-1)


def _weights(logits: Float[Tensor, "position candidate"]) -> Float[Tensor, "position candidate"]:
    return (logits - logits.amax(dim=-1, keepdim=True)).exp_()


def _draw_wide(
    logits: Float[Tensor, "position vocab"], uniform: Float[Tensor, "position"]
) -> Int64[Tensor, "position"]:
    """Choose a block of neighbouring tokens by its mass, then the token inside of it."""
    count, width = logits.shape
    blocks = -(-width // _BLOCK)
    padded = logits.new_zeros(count, blocks * _BLOCK)
    torch.sub(logits, logits.amax(dim=-1, keepdim=True), out=padded[:, :width])
    padded[:, :width].exp_()
    weights = padded.view(count, blocks, _BLOCK)
    masses = weights.sum(dim=-1, dtype=torch.float64)
    ends = masses.cumsum(dim=-1)
    block = _invert(masses, uniform, ends)[:, None]
    start = torch.where(block > 0, ends.gather(-1, (block - 1).clamp(min=0)), 0.0).squeeze(-1)
    inside = weights.gather(1, block[:, :, None].expand(-1, -1, _BLOCK)).squeeze(1).double()
    target = uniform * ends[:, -1] - start
    return block.squeeze(-1) * _BLOCK + _first_beyond(inside, inside.cumsum(dim=-1), target)


def _invert(
    weights: Float[Tensor, "position candidate"],
    uniform: Float[Tensor, "position"],
    ends: Float[Tensor, "position candidate"] | None = None,
) -> Int64[Tensor, "position"]:
    ends = weights.cumsum(dim=-1) if ends is None else ends
    total = ends[:, -1]
    return _first_beyond(weights, ends, torch.minimum(uniform * total, total * _BELOW_ONE))


def _first_beyond(
    weights: Float[Tensor, "position candidate"],
    ends: Float[Tensor, "position candidate"],
    target: Float[Tensor, "position"],
) -> Int64[Tensor, "position"]:
    """Give the first possible column that ends beyond the target; where rounding leaves none, a possible one."""
    possible = (weights > 0).to(torch.uint8)
    return (possible + possible * (ends > target[:, None])).argmax(dim=-1)
