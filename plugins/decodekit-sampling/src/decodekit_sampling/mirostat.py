"""Mirostat: truncation steered so that the text's average surprise stays at a target (arXiv:2007.14966).

The state is mu, the largest surprise that is let through, in bits; after each token it moves by the learning rate times
the distance of the token's surprise from the target. As in llama.cpp and exllamav2 the surprise is that under the law
which the token was drawn from, after truncation and constraint; the authors' script takes it before truncation. *Not*
meant together with other truncations, which can keep the surprise from reaching the target.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import torch
from pydantic import Field

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import BuildContext, LogitsProcessor, Stage
from decodekit.types import Float, Int64, Tensor
from decodekit_sampling.candidates import above, log_total, top
from decodekit_sampling.columns import count_column
from decodekit_sampling.top_k import keep_top

_LN2 = math.log(2)


class Mirostat(
    LogitsProcessor,
    name="mirostat",
    stage=Stage.TRUNCATION,
    argmax_invariant=True,
    stackable=True,
    reads_law=True,
    default_selector="multinomial",
    source="arXiv:2007.14966, algorithm 2; llama.cpp",
):
    """Keep the tokens whose surprise is at most mu, and always the likeliest (version 2).

    Exact. Cost: three passes over the law; it becomes a candidate set where few tokens stay. State: one number.

    Args:
        tau: Target surprise in bits per token.
        eta: Learning rate in (0, 1].
    """

    tau: float = Field(default=5.0, ge=0, allow_inf_nan=False)
    eta: float = Field(default=0.1, gt=0, le=1)

    def start(self, prompt: Sequence[int]) -> float:
        return 2 * self.tau

    def advance(self, state: float, token: int, law: Law | None) -> float:
        return _steer(state, token, law, self.tau, self.eta)

    def __call__(self, law: Law, at: Positions) -> Law:
        mu = torch.tensor(at.states, dtype=torch.float64, device=law.logits.device)[:, None]
        floor = log_total(law.logits).double() - mu * _LN2
        return above(law, lambda _: floor)


class MirostatV1(
    LogitsProcessor,
    name="mirostat_v1",
    stage=Stage.TRUNCATION,
    argmax_invariant=True,
    stackable=True,
    reads_law=True,
    default_selector="multinomial",
    source="arXiv:2007.14966, algorithm 1; llama.cpp",
):
    """Keep the k likeliest tokens, k from mu and an estimate of the law's Zipf exponent (version 1).

    Exact. Cost: two or three passes over the law. State: one number.

    Args:
        tau: Target surprise in bits per token.
        eta: Learning rate in (0, 1].
        m: From how many of the likeliest tokens the exponent is estimated.
        vocab_size: N of the paper; None stands for the model's vocabulary.
    """

    tau: float = Field(default=5.0, ge=0, allow_inf_nan=False)
    eta: float = Field(default=0.1, gt=0, le=1)
    m: int = Field(default=100, ge=2)
    vocab_size: int | None = Field(default=None, ge=2)

    def build(self, context: BuildContext) -> Self:
        return self if self.vocab_size else self.model_copy(update={"vocab_size": max(context.vocab_size, 2)})

    def start(self, prompt: Sequence[int]) -> float:
        return 2 * self.tau

    def advance(self, state: float, token: int, law: Law | None) -> float:
        return _steer(state, token, law, self.tau, self.eta)

    def __call__(self, law: Law, at: Positions) -> Law:
        ranks = count_column(self.m, law.logits)
        most = int(ranks.max())
        values = top(law, most).logits
        mu = torch.tensor(at.states, dtype=torch.float64, device=law.logits.device)[:, None]
        size = count_column(self.vocab_size or law.logits.shape[-1], law.logits)
        return keep_top(law, rank_limit(zipf_exponent(values.double(), ranks), mu, size))


def zipf_exponent(
    values: Float[Tensor, "position m"], ranks: Int64[Tensor, "position 1"]
) -> Float[Tensor, "position 1"]:
    """Estimate s in p ∝ rank^-s from log-probabilities sorted downwards, by least squares over neighbouring ratios."""
    rank = torch.arange(1, values.shape[-1] + 1, dtype=values.dtype, device=values.device)
    t = (rank[1:] / rank[:-1]).log()
    b = values[:, :-1] - values[:, 1:]
    known = b.isfinite() & (rank[1:] <= ranks)
    weight = torch.where(known, t * t, 0.0).sum(dim=-1, keepdim=True)
    # Where only one token is possible no ratio is known, and any exponent keeps that token.
    return torch.where(known, t * b, 0.0).sum(dim=-1, keepdim=True) / torch.where(weight > 0, weight, 1.0)


def rank_limit(
    exponent: Float[Tensor, "position 1"], mu: Float[Tensor, "position 1"], vocab_size: Int64[Tensor, "position 1"]
) -> Int64[Tensor, "position 1"]:
    """Give k of algorithm 1: the rank beyond which the surprise exceeds mu, at least 1 and at most the vocabulary."""
    s = exponent.clamp(min=1e-6)
    eps = s - 1
    log_size = vocab_size.double().log()
    # eps / (1 - N^-eps), whose limit at eps = 0 is 1 / ln N.
    near = eps.abs() < 1e-9
    ratio = torch.where(near, 1 / log_size, eps / -torch.expm1(-torch.where(near, 1.0, eps) * log_size))
    k = ((ratio.log() + mu * _LN2) / s).exp()
    return torch.minimum(k, vocab_size.double()).clamp(min=1).to(torch.int64)


def _steer(mu: float, token: int, law: Law | None, tau: float, eta: float) -> float:
    if law is None:
        raise TypeError("mirostat needs the law that the token was drawn from")
    surprise = -float(law.logprob_of(torch.tensor([token], device=law.logits.device))) / _LN2
    # A token from outside of the law (chosen by someone else) says nothing about it.
    return mu - eta * (surprise - tau) if math.isfinite(surprise) else mu
