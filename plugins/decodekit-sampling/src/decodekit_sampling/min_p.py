"""Min-p truncation: drop tokens far less likely than the best one (arXiv:2407.01082).

As transformers' `MinPLogitsWarper`, after temperature. *Not* a bound on the probability itself: that is `epsilon`.
"""

from __future__ import annotations

from pydantic import Field

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor, Stage
from decodekit.types import Tensor
from decodekit_sampling.candidates import above
from decodekit_sampling.columns import column


class MinP(
    LogitsProcessor,
    name="min_p",
    stage=Stage.TRUNCATION,
    argmax_invariant=True,
    stackable=True,
    graph_safe=True,
    default_selector="multinomial",
    source="arXiv:2407.01082; transformers",
):
    """Keep the tokens whose probability is at least `ratio` times the best one's.

    Exact. Cost: two passes over the law; it becomes a candidate set where few tokens stay.

    Args:
        ratio: In [0, 1]; 1 keeps only ties with the best token, 0 keeps all.
    """

    ratio: float = Field(ge=0, le=1)

    def __call__(self, law: Law, at: Positions) -> Law:
        if not isinstance(self.ratio, Tensor) and self.ratio == 0:
            return law
        return above(law, lambda best: best + column(self.ratio, best).log())
