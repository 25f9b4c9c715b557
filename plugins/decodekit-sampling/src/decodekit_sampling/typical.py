"""Locally typical truncation: the tokens whose surprise is closest to the expected surprise (arXiv:2202.00666).

As transformers' `TypicalLogitsWarper`: ties with the last token stay. *Not* argmax invariant: where the law is flat but
for one likely token, that token is not typical and goes.
"""

from __future__ import annotations

import torch
from pydantic import Field

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor, Stage
from decodekit.types import Float, Tensor
from decodekit_sampling.candidates import narrows, slack, top, trim
from decodekit_sampling.columns import column
from decodekit_sampling.entropy import entropy_and_total

_TIER = 1024


class Typical(
    LogitsProcessor,
    name="typical",
    stage=Stage.TRUNCATION,
    stackable=True,
    default_selector="multinomial",
    source="arXiv:2202.00666; transformers",
):
    """Keep the tokens whose surprise is closest to the law's entropy, until their mass is at least `mass`.

    Exact. Cost: six passes over the law while 1024 tokens reach the mass, else a sort at full width.

    Args:
        mass: In (0, 1]; 1 keeps all.
    """

    mass: float = Field(gt=0, le=1)

    def __call__(self, law: Law, at: Positions) -> Law:
        if not isinstance(self.mass, Tensor) and self.mass == 1:
            return law
        entropy, total = entropy_and_total(law.logits)
        mass = column(self.mass, law.logits).double()
        wanted = torch.where(mass >= 1, torch.inf, mass * (1 - slack(law.logits)))
        # |-log p - H| is the distance of the logit from one point.
        closeness = -(law.logits - (total - entropy)).abs()
        if narrows(law):
            closest = top(Law(closeness), _TIER)
            assert closest.ids is not None
            near, values = closest.logits, law.logits.gather(-1, closest.ids)
            last = _last(near, values, total, wanted)
            if bool((last > near[:, -1:]).all()):
                return trim(Law(values, closest.ids), near >= last)
        near, columns = closeness.sort(dim=-1, descending=True)
        return law.keep(closeness >= _last(near, law.logits.gather(-1, columns), total, wanted))


def _last(
    near: Float[Tensor, "position candidate"],
    values: Float[Tensor, "position candidate"],
    total: Tensor,
    wanted: Tensor,
) -> Float[Tensor, "position 1"]:
    """Give the closeness of the token with which the mass is reached."""
    masses = (values.double() - total.double()).exp_().cumsum(dim=-1)
    count = (masses < wanted).sum(dim=-1, keepdim=True)
    return near.gather(-1, count.clamp(max=near.shape[-1] - 1))
