"""XTC, exclude top choices: now and then, take the likeliest tokens away (p-e-w, text-generation-webui #6335).

The coin is one uniform number per position, so that drafts and their verification see the same law. End tokens and the
newline are never removed (as in mlx-lm). *Not* a truncation of the tail: combine it with min-p.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import BuildContext, LogitsProcessor, Stage
from decodekit.types import Bool, Float, Tensor
from decodekit_sampling.candidates import log_total, narrows, top
from decodekit_sampling.columns import column
from decodekit_sampling.phrases import encode
from decodekit_sampling.sparse import ban


class XTC(
    LogitsProcessor,
    name="xtc",
    stage=Stage.TRUNCATION,
    stackable=True,
    default_selector="multinomial",
    source="text-generation-webui #6335; mlx-lm, llama.cpp",
):
    """With `probability`, remove every token that has at least `threshold`, except the least likely of them.

    Exact with its coin as part of the law. Tokens as likely as the least likely stay with it. Cost: two passes over the
    law and a copy where the coin says so.

    Args:
        probability: How often, in [0, 1].
        threshold: In (0, 0.5].
        protected: Token ids that are never removed; None stands for the end tokens and the newline.
    """

    probability: float = Field(default=0.5, ge=0, le=1)
    threshold: float = Field(default=0.1, gt=0, le=0.5)
    protected: tuple[int, ...] | None = None

    def build(self, context: BuildContext) -> Self:
        if self.protected is not None:
            return self
        newline = encode(context.tokenizer, "\n") if context.tokenizer is not None else ()
        return self.model_copy(update={"protected": (*context.end_tokens, *newline[-1:])})

    def __call__(self, law: Law, at: Positions) -> Law:
        heads = at.uniform("xtc")[:, None] < column(self.probability, law.logits).double()
        if not bool(heads.any()):
            return law
        threshold = column(self.threshold, law.logits)
        floor = log_total(law.logits) + threshold.log()
        if not narrows(law):
            return law.keep(~(self._removed(law, floor) & heads))
        # At most 1 / threshold tokens have that much.
        likely = top(law, int(1 / float(threshold.min())) + 2)
        rows, columns = (self._removed(likely, floor) & heads).nonzero(as_tuple=True)
        assert likely.ids is not None
        return ban(law, rows.tolist(), likely.ids[rows, columns].tolist())

    def _removed(self, law: Law, floor: Float[Tensor, "position 1"]) -> Bool[Tensor, "position candidate"]:
        above = law.logits >= floor
        least = law.logits.masked_fill(~above, float("inf")).amin(dim=-1, keepdim=True)
        removed = above & (law.logits > least)
        for token in self.protected or ():
            if law.ids is not None:
                removed &= law.ids != token
            elif token < removed.shape[-1]:
                removed[:, token] = False
        return removed
