"""Classifier-free guidance: away from what the model says after another prompt, or hardly any (arXiv:2306.17806)."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field, PrivateAttr, field_validator

from decodekit import BuildContext, Companion, Law, LogitsProcessor, ModelHook, Positions, Stage
from decodekit.request import PromptLike, as_prompt
from decodekit_guidance.pieces import piece_of

_IMPOSSIBLE = -1e30
"""Stands for the logarithm of 0 where it is multiplied: 0 times it is 0."""


class Guidance(
    ModelHook,
    LogitsProcessor,
    name="guidance",
    stage=Stage.GUIDANCE,
    stackable=True,
    source="arXiv:2306.17806; transformers",
):
    """Mix the law with the one that the same model gives after another prompt: `scale * (law - other) + other`.

    Both are logarithms of probabilities. 1 leaves the law as it is, 0 gives the other one, more than 1 goes further
    away from it, less than 0 turns to it and beyond. Under a constraint the mixture is taken among the allowed tokens.

    *Cost:* a second row per row: one more forward pass per step, and as much memory. *Exact.*

    Args:
        scale: How far to go; any finite number.
        negative_prompt: Text, chat messages or token ids that stand in the place of the prompt in the other row; None,
            or what has no tokens, is the last token of the prompt alone, as in transformers.
    """

    scale: float = Field(allow_inf_nan=False)
    negative_prompt: PromptLike | None = None
    _tokens: tuple[int, ...] = PrivateAttr(default=())

    @field_validator("negative_prompt", mode="before")
    @classmethod
    def _any_prompt(cls, value: Any) -> Any:
        nothing = value is None or (hasattr(value, "__len__") and not len(value))
        return None if nothing else as_prompt(value)

    def build(self, context: BuildContext) -> Guidance:
        given = self.negative_prompt
        tokens = () if given is None else tuple(context.encode(given, "the negative prompt of 'guidance'"))
        return piece_of(self, {"negative_prompt": None}, tokens=tokens or context.prompt[-1:])

    def companion(self) -> Companion:
        return Companion(self._tokens)

    def __call__(self, law: Law, at: Positions) -> Law:
        if isinstance(self.scale, float | int) and self.scale == 1:
            return law
        other = torch.log_softmax(at.view.companion.to(law.logits), dim=-1).clamp(min=_IMPOSSIBLE)
        if law.ids is not None:
            other = other.gather(-1, law.ids)
        own = law.logprobs().masked_fill(~law.allowed, 0)
        return law.with_logits(self.scale * own + (1 - self.scale) * other).keep(law.allowed)
