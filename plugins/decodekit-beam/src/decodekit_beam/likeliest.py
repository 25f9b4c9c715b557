"""The likeliest continuations of every row, ties in the order of token ids."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from decodekit.errors import DeadEndError
from decodekit.largest import Blocks, largest
from decodekit.law import Law, on_host
from decodekit.types import Float, Int64, Tensor

_EQUALS = 64
"""How many tokens more than asked for may be as likely as the last of them before it is `topk` that finds them."""
Places: TypeAlias = NDArray[np.int64]
_LEAST = float(np.finfo(np.float64).min)


def normalised(law: Law) -> Law:
    """Give the laws with log-probabilities in place of their weights. Cost: two passes, one copy.

    Raises:
        DeadEndError: A law is empty or NaN.
    """
    made = law.with_logits(law.logprobs())
    _refuse_unusable(law, made.logits.amax(dim=-1).tolist())
    return made


def _refuse_unusable(law: Law, best: Sequence[float]) -> None:
    """Refuse laws whose best log-probability is no number."""
    for row, value in enumerate(best):
        if not math.isfinite(value):
            what = "has NaN" if bool(law.logits[row].isnan().any()) else "allows no token"
            raise DeadEndError(
                f"the law of row {row} of {len(best)} {what}", hint="look at the model's logits and at the processors"
            )


def small_exp(logits: Float[Tensor, "row candidate"]) -> Float[Tensor, "row candidate"]:
    """Give the exponentials of numbers that are at most 0, in place; exp(-80) where they are less, -inf included.

    On a CPU `exp` is up to a hundred times slower where it comes to nothing, as it does wherever a constraint says no.
    """
    return logits.clamp_(min=-80).exp_()


def continuations(law: Law, before: Sequence[float], k: int) -> tuple[NDArray[np.float64], Places, Places]:
    """Give log-probability, row and token of the k likeliest continuations of all rows, and maybe of further ones.

    Those as likely as the k-th are among them, whatever the form of the law. Cost: three passes over the law, one copy.

    Args:
        law: The laws.
        before: Log-probabilities of the rows' texts.
        k: How many.

    Raises:
        DeadEndError: A law is empty or NaN.
    """
    rows, width = law.logits.shape
    sums = np.array(before)[:, None]
    if on_host(law.logits) is None:
        values, tokens = likeliest(normalised(law), k)
        logprobs = values.double().cpu().numpy() + sums
        return logprobs.ravel(), np.repeat(np.arange(rows), values.shape[1]), tokens.cpu().numpy().ravel()
    blocks = Blocks(law.logprobs(), -(-k // rows))
    _refuse_unusable(law, blocks.best().ravel().tolist())
    among = blocks.maxima if blocks.maxima.size >= k else blocks.values
    logprobs = (among + sums).ravel()
    bound = max(np.partition(logprobs, max(len(logprobs) - k, 0))[max(len(logprobs) - k, 0)], _LEAST)
    place = blocks.find(lambda values, rows: values + sums[rows] >= bound)
    row = place // width
    tokens = place - row * width if law.ids is None else law.ids.numpy().ravel()[place]
    return blocks.values.ravel()[place] + sums[row, 0], row, tokens


def likeliest(law: Law, k: int) -> tuple[Float[Tensor, "row k"], Int64[Tensor, "row k"]]:
    """Give logits and tokens of each row's k likeliest continuations, in no order.

    Of several equal ones at the end those with the lowest ids are taken, whatever the form of the law; fewer than k
    possible ones are filled up with -inf, or left out in all rows. Cost: one pass over the law, one more where many
    equal the k-th.
    """
    k = min(k, law.logits.shape[-1])
    found = largest(law.logits, k, 4 * k + _EQUALS) if on_host(law.logits) is not None else None
    if found is None:
        return _by_topk(law, k)
    values, columns = found
    rows = np.arange(len(values))[:, None]
    ids = columns if law.ids is None else law.ids.numpy()[rows, columns]
    order = np.lexsort((ids, -values), axis=-1)[:, :k]
    return torch.from_numpy(values[rows, order]), torch.from_numpy(ids[rows, order])


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
