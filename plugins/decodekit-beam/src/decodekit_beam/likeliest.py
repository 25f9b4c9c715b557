"""The likeliest continuations of every row, ties in the order of token ids.

`topk` keeps a heap over everything that it passes. On a CPU the k largest entries are found by way of block maxima: the
k blocks with the largest maxima hold them, so one reduction over the law and a few small selections are enough.
"""

from __future__ import annotations

import math

import torch

from decodekit.errors import DeadEndError
from decodekit.law import Law
from decodekit.types import Float, Int64, Tensor

_BLOCK = 16
_DIRECT = 8192
"""Up to this width selecting through blocks gains nothing."""


def log_totals(law: Law) -> Float[Tensor, "row"]:
    """Give the logarithm of each row's summed weights, by which logits are normalised. Cost: two passes, one copy.

    Raises:
        DeadEndError: A law is empty or NaN.
    """
    best = law.logits.amax(dim=-1, keepdim=True)
    totals = small_exp(law.logits - best).sum(dim=-1).log_() + best.squeeze(-1)
    if not all(map(math.isfinite, totals.tolist())):
        row = int((~totals.isfinite()).int().argmax())
        what = "has NaN" if bool(law.logits[row].isnan().any()) else "allows no token"
        raise DeadEndError(
            f"the law of row {row} of {len(totals)} {what}", hint="look at the model's logits and at the processors"
        )
    return totals


def small_exp(logits: Float[Tensor, "row candidate"]) -> Float[Tensor, "row candidate"]:
    """Give the exponentials of numbers that are at most 0, in place; exp(-80) where they are less, -inf included.

    On a CPU `exp` is up to a hundred times slower where it comes to nothing, as it does wherever a constraint says no.
    """
    return logits.clamp_(min=-80).exp_()


def likeliest(law: Law, k: int) -> tuple[Float[Tensor, "row k"], Int64[Tensor, "row k"]]:
    """Give logits and tokens of each row's k likeliest continuations, in no order.

    Of several equal ones at the end those with the lowest ids are taken, whatever the form of the law; fewer than k
    possible ones are filled up with -inf. Cost: one pass over the law, one more where the k-th has equals.
    """
    k = min(k, law.logits.shape[-1])
    values, columns = _top(law.logits, min(k + 1, law.logits.shape[-1]))
    tied = [] if values.shape[-1] == k else _tied(values, k)
    values, tokens = values[:, :k], law.tokens(columns[:, :k])
    for row in tied:
        among = (law.logits[row] >= values[row, k - 1]).nonzero().squeeze(-1)
        ids = among if law.ids is None else law.ids[row, among]
        by_id = ids.argsort()
        chosen = by_id[law.logits[row, among][by_id].argsort(descending=True, stable=True)[:k]]
        values[row], tokens[row] = law.logits[row, among[chosen]], ids[chosen]
    return values, tokens


def _tied(values: Float[Tensor, "row k"], k: int) -> list[int]:
    # Compared as plain numbers: there are two a row, and each call into torch costs more than all of them.
    return [row for row, (last, beyond) in enumerate(values[:, k - 1 : k + 1].tolist()) if last == beyond > -math.inf]


def _top(logits: Float[Tensor, "row candidate"], k: int) -> tuple[Tensor, Int64[Tensor, "row k"]]:
    width = logits.shape[-1]
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
