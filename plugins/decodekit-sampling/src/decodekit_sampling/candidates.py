"""Narrow laws: from 131k numbers to the few that can still be sampled, exactly.

`top` finds the k largest entries by way of block maxima: the k blocks with the largest maxima hold the k largest
entries, so one pass over the law and a few small selections do what `torch.topk` does with a heap over everything. On
accelerators `torch.topk` is fast and a mask is cheaper than a host synchronisation, so there laws keep their width.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from decodekit.law import Law, on_host
from decodekit.types import Float, Int64, Tensor
from decodekit_sampling.lazy import Divided

_BLOCK = 16
_DIRECT = 1024
"""Below this width, or where k is a large part of the width, selecting through blocks gains nothing."""
_LIKELY = 120
"""How many tokens are looked at before those above a floor are counted."""


def top(law: Law, k: int) -> Law:
    """Give each position's k likeliest columns, sorted downwards.

    Which of several equal ones is taken at the end is not defined; the values are the same whatever is taken.
    """
    if isinstance(law, Divided):
        values, columns = _top(law.base, k)
        return Law(values / law.divisor, columns)
    values, columns = _top(law.logits, k)
    return Law(values, law.tokens(columns))


def _top(logits: Float[Tensor, "position candidate"], k: int) -> tuple[Tensor, Int64[Tensor, "position k"]]:
    width = logits.shape[-1]
    k = min(k, width)
    if logits.device.type != "cpu" or width < max(_DIRECT, 2 * _BLOCK * k):
        values, columns = logits.topk(k, dim=-1)
        return values, columns
    # Block j is made of the columns j, j + blocks, j + 2 * blocks, …: a reduction over rows, which vectorises well.
    blocks = width // _BLOCK
    maxima = logits[:, : _BLOCK * blocks].unflatten(-1, (_BLOCK, blocks)).amax(dim=1)
    _, chosen = _top(maxima, k)
    columns = (chosen[:, None, :] + torch.arange(0, _BLOCK * blocks, blocks)[:, None]).flatten(1)
    if _BLOCK * blocks < width:
        tail = torch.arange(_BLOCK * blocks, width).expand(len(logits), -1)
        columns = torch.cat([columns, tail], dim=-1)
    values, best = logits.gather(-1, columns).topk(k, dim=-1)
    return values, columns.gather(-1, best)


def narrows(law: Law) -> bool:
    """Say whether reducing the law to a candidate set pays: full width, in the memory of the CPU, not tiny."""
    if law.ids is not None:
        return False
    logits = law.base if isinstance(law, Divided) else law.logits
    return logits.device.type == "cpu" and logits.shape[-1] >= _DIRECT


def above(law: Law, floor: Callable[[Tensor], Tensor]) -> Law:
    """Keep the columns whose value is at least `floor(best)`, and always those with the best value.

    The result is a candidate set where that pays. Cost: one pass over the law when at most 120 tokens stay, else two or
    three.
    """
    if not narrows(law):
        best = law.logits.amax(dim=-1, keepdim=True)
        return law.keep(law.logits >= torch.minimum(floor(best).to(best.dtype), best))
    likely = top(law, _LIKELY)
    best = likely.logits[:, :1]
    bound = torch.minimum(floor(best).to(best.dtype), best)
    if bool((likely.logits[:, -1:] >= bound).any()):
        most = int(count_at_least(law.logits, bound).max())
        if 2 * _BLOCK * most > law.logits.shape[-1]:
            return law.keep(law.logits >= bound)
        likely = top(law, most)
    return trim(likely, likely.logits >= bound)


def trim(law: Law, kept: Tensor) -> Law:
    """Keep the columns in `kept` of a sorted law, and drop those at the end that no position keeps."""
    sizes = kept.numpy().sum(axis=-1)
    width = int(sizes.max())
    assert law.ids is not None
    narrow = Law(law.logits[:, :width], law.ids[:, :width])
    return narrow if int(sizes.min()) == width else narrow.keep(kept[:, :width])


def count_at_least(logits: Float[Tensor, "position candidate"], floor: Float[Tensor, "position 1"]) -> Tensor:
    """Count each position's entries that are at least `floor`."""
    if logits.device.type == "cpu" and logits.dtype in (torch.float32, torch.float64):
        # numpy compares and counts three times faster than torch here.
        rows = zip(logits.detach().numpy(), floor.detach().expand(len(logits), 1).numpy(), strict=True)
        return torch.tensor([np.count_nonzero(row >= bound) for row, bound in rows])
    return (logits >= floor).sum(dim=-1)


def ranked(law: Law) -> Law:
    """Sort downwards, equal values by token id, which is the order in which a prefix is taken.

    Cost: two sorts, where the law is not in that order already.
    """
    if law.ids is None:
        values, ids = law.logits.sort(dim=-1, descending=True, stable=True)
        return Law(values, ids)
    values = on_host(law.logits)
    if values is not None and (values[:, 1:] < values[:, :-1]).all():
        return law
    by_id = law.ids.argsort(dim=-1)
    values, order = law.logits.gather(-1, by_id).sort(dim=-1, descending=True, stable=True)
    return Law(values, law.ids.gather(-1, by_id).gather(-1, order))


def prefix(law: Law, counts: Int64[Tensor, "position 1"]) -> Law:
    """Keep the first `counts` columns of each position."""
    if law.logits.device.type == "cpu":
        sizes = counts.numpy()
        width = int(sizes.max())
        law = Law(law.logits[:, :width], None if law.ids is None else law.ids[:, :width])
        if int(sizes.min()) == width:
            return law
    return law.keep(torch.arange(law.logits.shape[-1], device=law.logits.device) < counts)


def log_total(logits: Float[Tensor, "position candidate"]) -> Float[Tensor, "position 1"]:
    """Give the logarithm of the sum of all weights, without a copy more than needed.

    `torch.logsumexp` takes two to four times as long at full width on a CPU.
    """
    best = logits.amax(dim=-1, keepdim=True).clamp(min=torch.finfo(logits.dtype).min)
    return (logits - best).exp_().sum(dim=-1, keepdim=True).log_() + best


def slack(logits: Tensor) -> float:
    """Give how far apart two masses may be and count as equal: a few roundings of the law's dtype, float32 at most."""
    return 8 * torch.finfo(torch.float64 if logits.dtype == torch.float64 else torch.float32).eps
