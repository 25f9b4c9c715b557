"""Top-k truncation: only the k likeliest tokens (Fan, Lewis, Dauphin 2018, arXiv:1805.04833).

*Not* exactly k tokens: whatever is as likely as the k-th stays too, as in transformers' `TopKLogitsWarper`, so that the
law does not depend on the order in which equals are looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor, Stage
from decodekit.types import Int64, Tensor
from decodekit_sampling.candidates import largest, law_of, narrows, top, width_of


class TopK(
    LogitsProcessor,
    name="top_k",
    stage=Stage.TRUNCATION,
    argmax_invariant=True,
    stackable=True,
    default_selector="multinomial",
    source="arXiv:1805.04833; transformers",
):
    """Keep the `k` likeliest tokens and those as likely as the last of them.

    Exact. Cost: one pass over the law; it becomes a candidate set.

    Args:
        k: How many tokens; 0 keeps all.
    """

    k: int = Field(ge=0, lt=2**31)

    def __call__(self, law: Law, at: Positions) -> Law:
        return keep_top(law, self.k)


def keep_top(law: Law, counts: int | Int64[Tensor, "position 1"]) -> Law:
    """Keep each position's `counts` likeliest tokens, ties with the last included; 0 keeps all.

    Args:
        law: The law.
        counts: One number for all, or shape [position, 1].
    """
    width = width_of(law)
    if isinstance(counts, Tensor):
        counts = torch.where(counts == 0, width, counts).clamp(max=width)
        least, most = int(counts.min()), int(counts.max())
    else:
        least = most = min(counts or width, width)
    if least >= width:
        return law
    found = largest(law, most) if narrows(law) else None
    if found is not None:
        values, ids = found
        floor = _floor(values, counts.numpy() if isinstance(counts, Tensor) else most)
        return law_of(np.where(values < floor, values.dtype.type("-inf"), values), ids)
    likely = top(law, most).logits
    if isinstance(counts, Tensor):
        return law.keep(law.logits >= likely.gather(-1, counts.expand(len(likely), 1) - 1))
    return law.keep(law.logits >= likely[:, most - 1 : most])


def _floor(values: NDArray[Any], counts: int | NDArray[np.int64]) -> NDArray[Any]:
    """Give each row's entry of rank `counts`, or -inf where it has fewer; shape [row, 1]."""
    width = values.shape[1]
    if isinstance(counts, int):
        place = max(width - counts, 0)
        return np.partition(values, place, axis=-1)[:, place, None]
    places = np.broadcast_to(np.maximum(width - counts, 0), (len(values), 1))
    return np.take_along_axis(np.sort(values, axis=-1), places, axis=-1)
