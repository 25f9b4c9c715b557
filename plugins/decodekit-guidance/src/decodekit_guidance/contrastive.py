"""Contrastive decoding: what a strong model says more than a weak one (arXiv:2210.15097)."""

from __future__ import annotations

import math
from typing import Any

import torch
from pydantic import Field, PrivateAttr

from decodekit import BuildContext, CausalModel, Companion, Law, LogitsProcessor, ModelHook, Positions, Stage
from decodekit.second_model import ModelSource, second_model
from decodekit_guidance.pieces import piece_of


class Contrastive(
    ModelHook,
    LogitsProcessor,
    name="contrastive",
    stage=Stage.GUIDANCE,
    stackable=True,
    source="arXiv:2210.15097; XiangLi1999/ContrastiveDecoding",
):
    """Score plausible tokens by `log p_expert - beta * log p_amateur`; the rest becomes impossible.

    Plausible is what the decoder's model, the expert, finds at least `alpha` times as likely as its best token; under
    a constraint, as the best allowed token. Ids that only the wider of two padded vocabularies has are never plausible.

    *Cost:* one forward pass of the amateur per step, and its memory of every row. *Exact.*

    Args:
        amateur: A smaller model with the same vocabulary: a transformers model, a `Decoder`, or a path or name, which
            is loaded once per decoder.
        alpha: Plausibility threshold in [0, 1]; 0 keeps every token, 1 only ties with the best one.
        beta: Strength of the contrast, at least 0; 0 leaves the expert's law, cut to the plausible tokens.
        temperature: Divides the amateur's logits; above 0. The paper takes 0.5 for small models.
        ignore_prompt: Whether the amateur reads nothing of the prompt but its last token.
    """

    amateur: ModelSource
    alpha: float = Field(default=0.1, ge=0, le=1)
    beta: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    ignore_prompt: bool = False
    _second: CausalModel | None = PrivateAttr(default=None)
    _tokens: tuple[int, ...] | None = PrivateAttr(default=None)

    def build(self, context: BuildContext) -> Contrastive:
        second = second_model(self.amateur, context, self.name)
        tokens = context.prompt[-1:] if self.ignore_prompt else None
        return piece_of(self, {"amateur": "", "ignore_prompt": False}, second=second, tokens=tokens)

    def companion(self) -> Companion:
        return Companion(self._tokens, self._second)

    def __call__(self, law: Law, at: Positions) -> Law:
        amateur = torch.log_softmax(at.view.companion.to(law.logits) / self.temperature, dim=-1)
        if law.ids is not None:
            amateur = amateur.gather(-1, law.ids)
        expert = law.logprobs()
        both = law.allowed & (amateur > -math.inf)
        # Where no allowed token is known to the amateur, there is nothing to contrast with.
        both = torch.where(both.any(dim=-1, keepdim=True), both, law.allowed)
        amateur = amateur.masked_fill(amateur == -math.inf, 0)
        best = expert.masked_fill(~both, -math.inf).amax(dim=-1, keepdim=True)
        plausible = both & (expert >= best + _log(self.alpha, expert))
        return law.with_logits(expert - self.beta * amateur).keep(plausible)


def _log(alpha: Any, like: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(alpha, dtype=like.dtype, device=like.device).log()
