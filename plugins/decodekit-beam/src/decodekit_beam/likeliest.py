"""The likeliest continuations of every row, ties in the order of token ids."""

from __future__ import annotations

import math

import numpy as np
import torch

from decodekit.errors import DeadEndError
from decodekit.largest import largest
from decodekit.law import Law, on_host
from decodekit.types import Float, Int64, Tensor

_EQUALS = 64
"""How many tokens more than asked for may be as likely as the last of them before it is `topk` that finds them."""


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
    possible ones are filled up with -inf, or left out in all rows. Cost: one pass over the law, one more where the k-th has many equals.
    """
    k = min(k, law.logits.shape[-1])
    found = largest(law.logits, k, 4 * k + _EQUALS) if on_host(law.logits) is not None else None
    if found is None:
        return _by_topk(law, k)
    values, columns = found
    ids = columns if law.ids is None else np.take_along_axis(law.ids.numpy(), columns, axis=-1)
    order = np.lexsort((ids, -values), axis=-1)[:, :k]
    chosen = np.take_along_axis(values, order, axis=-1), np.take_along_axis(ids, order, axis=-1)
    return torch.from_numpy(chosen[0]), torch.from_numpy(chosen[1])


def _by_topk(law: Law, k: int) -> tuple[Float[Tensor, "row k"], Int64[Tensor, "row k"]]:
    values, columns = law.logits.topk(min(k + 1, law.logits.shape[-1]), dim=-1)
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
