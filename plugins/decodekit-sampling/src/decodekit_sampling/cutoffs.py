"""Epsilon and eta truncation: a floor under the probability (Hewitt, Manning, Liang 2022, arXiv:2210.15191).

As transformers' `EpsilonLogitsWarper` and `EtaLogitsWarper`. *Not* relative to the best token: that is min-p.
"""

from __future__ import annotations

import torch
from pydantic import Field

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor, Stage
from decodekit_sampling.candidates import above, log_total
from decodekit_sampling.columns import column
from decodekit_sampling.entropy import entropy_and_total


class Epsilon(
    LogitsProcessor,
    name="epsilon",
    stage=Stage.TRUNCATION,
    argmax_invariant=True,
    stackable=True,
    graph_safe=True,
    default_selector="multinomial",
    source="arXiv:2210.15191; transformers",
):
    """Keep the tokens whose probability is at least `cutoff`, and always the likeliest.

    Exact. Cost: three passes over the law; it becomes a candidate set where few tokens stay.

    Args:
        cutoff: In (0, 1); the paper uses 3e-4 to 9e-4.
    """

    cutoff: float = Field(gt=0, lt=1)

    def __call__(self, law: Law, at: Positions) -> Law:
        floor = log_total(law.logits) + column(self.cutoff, law.logits).log()
        return above(law, lambda _: floor)


class Eta(
    LogitsProcessor,
    name="eta",
    stage=Stage.TRUNCATION,
    argmax_invariant=True,
    stackable=True,
    graph_safe=True,
    default_selector="multinomial",
    source="arXiv:2210.15191; transformers",
):
    """Keep the tokens whose probability is at least min(`epsilon`, sqrt(`epsilon`) · exp(-entropy)), and the likeliest.

    Exact. Cost: five passes over the law; it becomes a candidate set where few tokens stay.

    Args:
        epsilon: In (0, 1); the paper uses 3e-4 to 4e-3.
    """

    epsilon: float = Field(gt=0, lt=1)

    def __call__(self, law: Law, at: Positions) -> Law:
        entropy, total = entropy_and_total(law.logits)
        bound = column(self.epsilon, law.logits).log()
        floor = total + torch.minimum(bound, bound / 2 - entropy)
        return above(law, lambda _: floor)
