"""Repetition, frequency and presence penalties: tokens that stand in the text already become less likely.

Repetition is CTRL's (arXiv:1909.05858) as in transformers, prompt included; frequency and presence are OpenAI's,
generated tokens only. Both ways of counting are open to all three. *Not* sequence penalties: those are `dry` and
`no_repeat_ngram`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor, Stage
from decodekit.types import Tensor
from decodekit_sampling.columns import column


class RepetitionPenalty(
    LogitsProcessor,
    name="repetition_penalty",
    stage=Stage.PENALTY,
    needs_history=True,
    stackable=True,
    source="arXiv:1909.05858; transformers",
):
    """Divide positive logits of seen tokens by `penalty` and multiply negative ones with it, once per distinct token.

    Cost: one copy of the law and a table of counts.

    Args:
        penalty: Above 0; 1 changes nothing, more than 1 discourages.
        include_prompt: Whether tokens of the prompt count as seen.
    """

    penalty: float = Field(gt=0, allow_inf_nan=False)
    include_prompt: bool = True

    def __call__(self, law: Law, at: Positions) -> Law:
        penalty = column(self.penalty, law.logits)

        def scaled(logits: Tensor, counts: Tensor) -> Tensor:
            return torch.where(counts > 0, torch.where(logits < 0, logits * penalty, logits / penalty), logits)

        return _recount(law, at, self.include_prompt, scaled)


class FrequencyPenalty(
    LogitsProcessor,
    name="frequency_penalty",
    stage=Stage.PENALTY,
    needs_history=True,
    stackable=True,
    source="OpenAI API; vLLM, mlx-lm",
):
    """Subtract `penalty` from a token's logit for every time that it was generated.

    Cost: one copy of the law and a table of counts.

    Args:
        penalty: 0 changes nothing, above 0 discourages; OpenAI allows -2 to 2.
        include_prompt: Whether tokens of the prompt count.
    """

    penalty: float = Field(allow_inf_nan=False)
    include_prompt: bool = False

    def __call__(self, law: Law, at: Positions) -> Law:
        penalty = column(self.penalty, law.logits)
        return _recount(law, at, self.include_prompt, lambda logits, counts: logits - penalty * counts.to(logits.dtype))


class PresencePenalty(
    LogitsProcessor,
    name="presence_penalty",
    stage=Stage.PENALTY,
    needs_history=True,
    stackable=True,
    source="OpenAI API; vLLM, mlx-lm",
):
    """Subtract `penalty` from the logit of every token that was generated at least once.

    Cost: one copy of the law and a table of counts.

    Args:
        penalty: 0 changes nothing, above 0 discourages; OpenAI allows -2 to 2.
        include_prompt: Whether tokens of the prompt count.
    """

    penalty: float = Field(allow_inf_nan=False)
    include_prompt: bool = False

    def __call__(self, law: Law, at: Positions) -> Law:
        penalty = column(self.penalty, law.logits)
        return _recount(
            law, at, self.include_prompt, lambda logits, counts: logits - penalty * (counts > 0).to(logits.dtype)
        )


def _recount(law: Law, at: Positions, include_prompt: bool, change: Callable[[Tensor, Tensor], Tensor]) -> Law:
    """Apply `change(logits, counts)` to the tokens that stand in the text; it must leave counts of 0 alone."""
    if not include_prompt and bool((at.lengths_array <= at.prompt_lengths_array).all()):
        return law
    history = at.history
    width = law.logits.shape[-1] if law.ids is None else int(law.ids.max()) + 1
    # An embedding may be wider than the logits: such tokens cannot be generated.
    counted = (at.in_history if include_prompt else at.in_generated) & (history < width)
    tokens = history.clamp(max=width - 1)
    table = torch.zeros(len(at), width, dtype=torch.float32, device=law.logits.device)
    table.scatter_add_(1, tokens, counted.to(table.dtype))
    if law.ids is not None:
        return law.with_logits(change(law.logits, table.gather(1, law.ids)))
    # A token that occurs several times gets the same value each time, one beyond the text keeps its own.
    values = change(law.logits.gather(1, tokens), table.gather(1, tokens))
    return Law(law.logits.scatter(1, tokens, values))
