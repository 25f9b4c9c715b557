"""Top-H truncation: the likeliest tokens until they hold a share of the entropy (arXiv:2509.02510).

As transformers' `TopHLogitsWarper`: entropy and shares are those of the `top_n` likeliest tokens, renormalised; tokens
stay while the sum of their -p log p is at most the share. *Not* a bound on mass: that is top-p.
"""

from __future__ import annotations

import torch
from pydantic import Field

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor, Stage
from decodekit.types import Tensor
from decodekit_sampling.candidates import narrows, prefix, ranked, slack, top
from decodekit_sampling.columns import column, count_column


class TopH(
    LogitsProcessor,
    name="top_h",
    stage=Stage.TRUNCATION,
    argmax_invariant=True,
    stackable=True,
    default_selector="multinomial",
    source="arXiv:2509.02510; transformers",
):
    """Keep the likeliest tokens whose entropy terms sum to at most `share` of the entropy, never less than one token.

    Exact. Cost: one pass over the law; it becomes a candidate set. Equals are taken by token id.

    Args:
        share: In (0, 1]; 1 keeps the `top_n` likeliest.
        top_n: How many of the likeliest tokens are considered.
    """

    share: float = Field(gt=0, le=1)
    top_n: int = Field(default=100, ge=1)

    def __call__(self, law: Law, at: Positions) -> Law:
        most = int(self.top_n.max()) if isinstance(self.top_n, Tensor) else self.top_n
        order = _likeliest(law, most)
        inside = torch.arange(order.logits.shape[-1], device=order.logits.device) < count_column(
            self.top_n, order.logits
        )
        values = order.logits.double().masked_fill(~inside, float("-inf"))
        logprobs = values - values.logsumexp(dim=-1, keepdim=True)
        terms = -(logprobs.exp() * logprobs.clamp(min=-1e4))
        sums = terms.cumsum(dim=-1)
        budget = column(self.share, order.logits).double() * sums[:, -1:] * (1 + slack(order.logits))
        return prefix(order, ((sums <= budget) & inside).sum(dim=-1, keepdim=True).clamp(min=1))


def _likeliest(law: Law, count: int) -> Law:
    """Sort the `count` likeliest tokens; where the last of them has equals, those with the lowest ids."""
    if not narrows(law):
        order = ranked(law)
        return Law(order.logits[:, :count], order.ids[:, :count]) if order.ids is not None else order
    width = count + 8
    while True:
        order = ranked(top(law, width))
        last = order.logits[:, min(count, order.logits.shape[-1]) - 1 :][:, :1]
        if order.logits.shape[-1] < width or bool((last > order.logits[:, -1:]).all()):
            return Law(order.logits[:, :count], None if order.ids is None else order.ids[:, :count])
        width *= 4
