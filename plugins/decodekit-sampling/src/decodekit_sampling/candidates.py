"""Narrow laws: from 131k numbers to the few that can still be sampled, exactly.

In the memory of the CPU the large entries are found by way of block maxima, and what is done with a few hundred numbers
is done in numpy, which begins in a third of the time that torch takes. On accelerators `torch.topk` is fast and a mask
is cheaper than a host synchronisation, so there laws keep their width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from decodekit.largest import Blocks, least_number
from decodekit.law import Law, on_host
from decodekit.types import Float, Int64, Tensor
from decodekit_sampling.lazy import Divided

_DIRECT = 1024
"""Below this width selecting through blocks gains nothing."""
_WIDE = 32
"""A candidate set that is wider than this part of the vocabulary gains nothing."""
_ROUNDING = {np.dtype(kind): 4 * np.finfo(kind).eps for kind in (np.float16, np.float32, np.float64)}
_LIKELY = 120
"""How many tokens are expected above a floor."""


def top(law: Law, k: int) -> Law:
    """Give each position's k likeliest columns, sorted downwards.

    Which of several equal ones is taken at the end is not defined; the values are the same whatever is taken.
    """
    found = largest(law, k) if narrows(law) else None
    if found is None or found[0].shape[1] < min(k, width_of(law)):
        values, columns = law.logits.topk(min(k, law.logits.shape[-1]), dim=-1)
        return Law(values, law.tokens(columns))
    values, ids = found
    order = np.argsort(-values, axis=-1, kind="stable")[:, :k]
    rows = np.arange(len(order))[:, None]
    return law_of(values[rows, order], ids[rows, order])


def largest(law: Law, k: int) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
    """Give each position's k largest entries, those that equal the k-th, and maybe more, in the order of token ids.

    Only where the law `narrows`; what is left of the shorter rows is -inf. None where far more than k are equal.
    """
    blocks = _blocks(law, k)
    return _not_below(law, blocks, blocks.bound(k), 4 * k + _LIKELY)


def _blocks(law: Law, k: int) -> Blocks:
    return Blocks(law.base if isinstance(law, Divided) else law.logits, k)


def _not_below(
    law: Law, blocks: Blocks, floor: NDArray[Any], most: int
) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
    """Find what is not below a floor, which is one of undivided logits."""
    if not isinstance(law, Divided):
        return blocks.not_below(floor, most)
    # Numbers that differ may have equal quotients.
    with np.errstate(over="ignore"):
        low = np.maximum(floor - _ROUNDING[floor.dtype] * np.abs(floor), least_number(floor.dtype))
    found = blocks.not_below(low, most)
    return None if found is None else (found[0] / law.divisor.numpy(), found[1])


def law_of(values: NDArray[Any], ids: NDArray[np.int64]) -> Law:
    """Make a candidate set of arrays."""
    return Law(torch.from_numpy(values), torch.from_numpy(ids))


def width_of(law: Law) -> int:
    """Count the columns, without dividing anything."""
    return (law.base if isinstance(law, Divided) else law.logits).shape[-1]


def narrows(law: Law) -> bool:
    """Say whether reducing the law to a candidate set pays: full width, in the memory of the CPU, not tiny."""
    if law.ids is not None:
        return False
    logits = law.base if isinstance(law, Divided) else law.logits
    return logits.shape[-1] >= _DIRECT and on_host(logits) is not None


def above(law: Law, floor: Callable[[Tensor], Tensor]) -> Law:
    """Keep the columns whose value is at least `floor(best)`, and always those with the best value.

    The result is a candidate set where that pays. Cost: one pass over the law where few tokens stay, else two.
    """
    if not narrows(law):
        best = law.logits.amax(dim=-1, keepdim=True)
        return law.keep(law.logits >= torch.minimum(floor(best).to(best.dtype), best))
    blocks = _blocks(law, _LIKELY)
    best = torch.from_numpy(blocks.best())
    best = best / law.divisor if isinstance(law, Divided) else best
    bound = torch.minimum(floor(best).to(best.dtype), best)
    undivided = bound * law.divisor if isinstance(law, Divided) else bound
    found = _not_below(law, blocks, undivided.numpy(), width_of(law) // _WIDE)
    if found is None:
        return law.keep(law.logits >= bound)
    values, ids = found
    return law_of(np.where(values >= bound.numpy(), values, values.dtype.type("-inf")), ids)


def trim(law: Law, kept: Tensor) -> Law:
    """Keep the columns in `kept` of a sorted law, and drop those at the end that no position keeps."""
    sizes = kept.numpy().sum(axis=-1)
    width = int(sizes.max())
    assert law.ids is not None
    narrow = Law(law.logits[:, :width], law.ids[:, :width])
    return narrow if int(sizes.min()) == width else narrow.keep(kept[:, :width])


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
