"""Top-nσ truncation: keep what lies within n standard deviations of the best logit (arXiv:2411.07641).

The kept set does not depend on the temperature. The deviation (with N - 1, as the reference code's `logits.std()`) is
taken over possible tokens only, so a constraint or an earlier truncation narrows what it measures; the paper means the
whole vocabulary, so list it before other truncations. *Not* a probability bound.
"""

from __future__ import annotations

from pydantic import Field

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor, Stage
from decodekit.types import Float, Tensor
from decodekit_sampling.candidates import above
from decodekit_sampling.columns import column


class TopNSigma(
    LogitsProcessor,
    name="top_n_sigma",
    stage=Stage.TRUNCATION,
    argmax_invariant=True,
    stackable=True,
    graph_safe=True,
    default_selector="multinomial",
    source="arXiv:2411.07641; reference code",
):
    """Keep the tokens whose logit is at least the best one minus `n` standard deviations.

    Exact. Cost: five passes over the law; it becomes a candidate set where few tokens stay.

    Args:
        n: At least 0; 0 keeps only ties with the best token.
    """

    n: float = Field(default=1.0, ge=0, allow_inf_nan=False)

    def __call__(self, law: Law, at: Positions) -> Law:
        return above(law, lambda best: best - column(self.n, best) * _deviation(law.logits, best))


def _deviation(
    logits: Float[Tensor, "position candidate"], best: Float[Tensor, "position 1"]
) -> Float[Tensor, "position 1"]:
    allowed = (logits > float("-inf")).to(logits.dtype)
    count = allowed.sum(dim=-1, keepdim=True)
    # Relative to the best logit, so that laws far from zero lose no digits.
    gap = (logits - best).nan_to_num_(neginf=0.0)
    mean = gap.sum(dim=-1, keepdim=True) / count
    squares = gap.sub_(mean).mul_(allowed).square_().sum(dim=-1, keepdim=True)
    return (squares / (count - 1).clamp(min=1)).sqrt()
