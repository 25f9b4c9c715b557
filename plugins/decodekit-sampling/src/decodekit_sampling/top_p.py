"""Top-p (nucleus) truncation: the smallest set of likeliest tokens that has mass p (arXiv:1904.09751).

Among equally likely tokens those with the lowest ids are taken first. transformers' `TopPLogitsWarper` removes from
below while the removed mass is at most `1 - p`, where rounding decides whether a mass of exactly p is enough (`1 - 0.9`
is less than 0.1, so one token more stays); here a mass within a few roundings of p is enough. *Not* relative to the
best token: that is min-p.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from pydantic import Field

from decodekit.largest import least_number
from decodekit.law import Law, on_host
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor, Stage
from decodekit.types import Float, Tensor
from decodekit_sampling.candidates import log_total, narrows, prefix, ranked, slack, top
from decodekit_sampling.columns import column

_TIERS = (64, 1024)
"""How many of the likeliest tokens are tried before a law is sorted at full width."""


class TopP(
    LogitsProcessor,
    name="top_p",
    stage=Stage.TRUNCATION,
    argmax_invariant=True,
    stackable=True,
    default_selector="multinomial",
    source="arXiv:1904.09751; transformers",
):
    """Keep the smallest set of likeliest tokens whose mass is at least `p`, never less than one token.

    Exact. Cost: on a candidate set two small sorts; at full width two passes over the law while 1024 tokens reach the
    mass, else a sort of the positions where they do not.

    Args:
        p: In (0, 1]; 1 keeps all.
    """

    p: float = Field(gt=0, le=1)

    def __call__(self, law: Law, at: Positions) -> Law:
        if not isinstance(self.p, Tensor) and self.p == 1:
            return law
        if narrows(law):
            wanted = _wanted(self.p, law.logits)
            total = log_total(law.logits).double()
            return _keep(law, total, wanted, _TIERS)
        kept = None if law.ids is None else _nucleus(law.logits, self.p)
        if kept is not None:
            return law.with_logits(kept)
        order = ranked(law)
        masses = order.logits.softmax(dim=-1, dtype=torch.float64)
        return prefix(order, _needed(masses, _wanted(self.p, order.logits)))


def _nucleus(
    logits: Float[Tensor, "position candidate"], p: float | Tensor
) -> Float[Tensor, "position candidate"] | None:
    """Cut a few candidates where they stand; None where ties at the cut have to be told apart, or away from the CPU."""
    values = on_host(logits)
    if values is None:
        return None
    down = np.sort(values, axis=-1)[:, ::-1]
    # A law of which nothing is possible stays one; `errstate` and `take_along_axis` would take longer than all of this.
    ends = np.exp(down - np.maximum(down[:, :1], least_number(down.dtype)), dtype=np.float64).cumsum(axis=-1)
    counts = (ends[:, :-1] < _wanted(p, logits).numpy() * ends[:, -1:]).sum(axis=-1)
    last = down[np.arange(len(down)), counts]
    kept = values >= last[:, None]
    if np.count_nonzero(kept) != counts.sum() + len(counts):
        return None
    return torch.from_numpy(np.where(kept, values, values.dtype.type("-inf")))


def _wanted(p: float | Tensor, like: Tensor) -> Float[Tensor, "position 1"]:
    return _enough(column(p, like)) if isinstance(p, Tensor) else _enough_alone(p, like.dtype, like.device)


def _enough(mass: Float[Tensor, "position 1"]) -> Float[Tensor, "position 1"]:
    """Give the mass that is enough; a p of 1 means everything, also what would be lost to rounding."""
    return torch.where(mass >= 1, torch.inf, mass.double() * (1 - slack(mass)))


@lru_cache(maxsize=256)
def _enough_alone(p: float, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "1 1"]:
    """Give it for all positions alike, computed once: it is the same at every step."""
    with torch.inference_mode(False):
        return _enough(torch.full((1, 1), p, dtype=dtype, device=device))


def _needed(masses: Float[Tensor, "position candidate"], wanted: Tensor) -> Tensor:
    """Count how many of the masses, sorted downwards, it takes to reach the wanted one: at least 1, at most all."""
    return (masses[:, :-1].cumsum(dim=-1) < wanted).sum(dim=-1, keepdim=True) + 1


def _keep(law: Law, total: Tensor, wanted: Tensor, tiers: tuple[int, ...]) -> Law:
    order = ranked(top(law, tiers[0]))
    counts = _needed((order.logits.double() - total).exp_(), wanted)
    last = order.logits.gather(-1, counts - 1)
    # The cut must lie above the last candidate, or tokens as likely as it may be missing from the tier.
    inside = (last > order.logits[:, -1:]) & (counts < order.logits.shape[-1])
    if bool(inside.all()):
        return prefix(order, counts)
    if tiers[1:]:
        return _keep(law, total, wanted, tiers[1:])
    return _keep_wide(law, order, counts, inside.squeeze(-1), total, wanted)


def _keep_wide(law: Law, order: Law, counts: Tensor, inside: Tensor, total: Tensor, wanted: Tensor) -> Law:
    """Cut at full width; positions whose cut is not inside of the tier are sorted."""
    last = order.logits.gather(-1, counts - 1)
    ties = (order.logits == last) & (torch.arange(order.logits.shape[-1]) < counts)
    allowed_ties = ties.sum(dim=-1, keepdim=True)
    for row in (~inside).nonzero().squeeze(-1).tolist():
        values = _sorted(law.logits[row])[None]
        masses = (values.double() - total[row]).exp_()
        count = _needed(masses, wanted.expand(len(counts), 1)[row : row + 1])
        last[row] = values.gather(-1, count - 1)[0]
        allowed_ties[row] = count[0] - (values > last[row]).sum()
    equal = law.logits == last
    if bool((equal.sum(dim=-1, keepdim=True) > allowed_ties).any()):
        equal &= equal.cumsum(dim=-1) <= allowed_ties
    return law.keep((law.logits > last) | equal)


def _sorted(values: Float[Tensor, "candidate"]) -> Float[Tensor, "candidate"]:
    if values.dtype in (torch.float32, torch.float64):
        # numpy sorts ten times faster than torch where the processor has wide vectors.
        return torch.from_numpy(np.sort(values.detach().numpy())[::-1].copy())
    return values.sort(descending=True).values
