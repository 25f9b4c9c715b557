"""A least length: no end token before so many tokens are generated.

As transformers' `MinNewTokensLengthLogitsProcessor`. *Not* a bound on words or characters, and a constraint that allows
nothing but the end wins (the loop lifts the ban there).
"""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field

from decodekit.errors import RequestError
from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import BuildContext, LogitsProcessor, Stage
from decodekit.types import Tensor
from decodekit_sampling.sparse import ban


class MinNewTokens(
    LogitsProcessor,
    name="min_new_tokens",
    stage=Stage.BAN,
    stackable=True,
    source="transformers",
):
    """Ban the end tokens at the first `n` new tokens.

    Cost: one copy of the law while it bans, nothing after.

    Args:
        n: How many tokens.
        end_tokens: What to ban; None stands for the request's end tokens.
    """

    n: int = Field(ge=0)
    end_tokens: tuple[int, ...] | None = None

    def build(self, context: BuildContext) -> Self:
        if self.n > context.max_new_tokens:
            raise RequestError(
                f"min_new_tokens: {self.n} tokens are more than the {context.max_new_tokens} that the request may have",
                hint="raise max_new_tokens, within the model's context, or lower min_new_tokens",
            )
        return self if self.end_tokens is not None else self.model_copy(update={"end_tokens": context.end_tokens})

    def __call__(self, law: Law, at: Positions) -> Law:
        least = self.n.squeeze(-1).cpu().numpy() if isinstance(self.n, Tensor) else self.n
        short = np.flatnonzero(at.lengths_array - at.prompt_lengths_array < least).tolist()
        ends = self.end_tokens or ()
        return ban(law, [row for row in short for _ in ends], list(ends) * len(short))
