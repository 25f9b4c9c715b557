"""Top-k truncation: only the k likeliest tokens (Fan, Lewis, Dauphin 2018, arXiv:1805.04833).

*Not* exactly k tokens: whatever is as likely as the k-th stays too, as in transformers' `TopKLogitsWarper`, so that the
law does not depend on the order in which equals are looked at.
"""

from __future__ import annotations

import torch
from pydantic import Field

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor, Stage
from decodekit.types import Int64, Tensor
from decodekit_sampling.candidates import above, narrows, top, trim
from decodekit_sampling.lazy import Divided

_SPARE = 8
"""How many more than k are looked at, so that ties with the k-th rarely need a second look."""


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
    positions, width = (law.base if isinstance(law, Divided) else law.logits).shape
    if isinstance(counts, Tensor):
        counts = counts.expand(positions, 1)
        counts = torch.where(counts == 0, width, counts).clamp(max=width)
        least, most = int(counts.min()), int(counts.max())
    else:
        least = most = min(counts or width, width)
    if least >= width:
        return law
    narrow = narrows(law)
    likely = top(law, most + _SPARE if narrow else most)
    floor = likely.logits.gather(-1, counts - 1) if isinstance(counts, Tensor) else likely.logits[:, most - 1 : most]
    if not narrow:
        return law.keep(law.logits >= floor)
    kept = likely.logits >= floor
    # Where the last one looked at stays, others as likely may have been overlooked.
    return above(law, lambda _: floor) if kept.numpy()[:, -1].any() else trim(likely, kept)
