"""Temperature: sharpen or flatten the law; zero is the limit, the most likely token alone.

The softmax with a temperature of Ackley, Hinton and Sejnowski 1985, as in transformers' `TemperatureLogitsWarper`.
*Not* a switch of the selector: at zero the law itself becomes certain, so whatever selects, drafts or verifies stays
right.
"""

from __future__ import annotations

import torch
from pydantic import Field

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor, Stage
from decodekit.types import Float, Tensor
from decodekit_sampling.candidates import narrows
from decodekit_sampling.columns import column
from decodekit_sampling.lazy import Divided

_COLD = 0.01
"""Below this temperature the best logit is subtracted first, so that nothing overflows."""


class Temperature(
    LogitsProcessor,
    name="temperature",
    stage=Stage.TEMPERATURE,
    argmax_invariant=True,
    stackable=True,
    graph_safe=True,
    default_selector="multinomial",
    source="Ackley et al. 1985; transformers",
):
    """Divide the logits by `temperature`.

    Exact: 1 changes nothing; 0 is greedy decoding, among equals the token with the lowest id. Cost: one pass over
    the law, or over the candidates where a truncation follows.

    Args:
        temperature: At least 0. Below 1 the likely tokens become likelier.
    """

    temperature: float = Field(ge=0, allow_inf_nan=False)

    def __call__(self, law: Law, at: Positions) -> Law:
        if not isinstance(self.temperature, Tensor):
            if self.temperature == 1:
                return law
            if self.temperature == 0:
                return _certain(law)
        heat = column(self.temperature, law.logits)
        on_host = heat.device.type == "cpu"
        least = self.temperature
        if isinstance(least, Tensor):
            least = float(least.min()) if on_host else 0.0
        if least >= _COLD:
            return Divided(law.logits, heat) if narrows(law) else law.with_logits(law.logits / heat)
        zero = heat == 0
        heat = heat.clamp(min=torch.finfo(heat.dtype).tiny)
        cold = heat < _COLD
        shift = torch.where(cold, _best(law.logits), 0)
        warm = law.with_logits((law.logits - shift) / heat)
        if on_host and not bool(zero.any()):
            return warm
        return law.with_logits(torch.where(zero, _certain(law).logits, warm.logits))


def _best(logits: Float[Tensor, "position candidate"]) -> Float[Tensor, "position 1"]:
    return logits.amax(dim=-1, keepdim=True).clamp(min=torch.finfo(logits.dtype).min)


def _certain(law: Law) -> Law:
    best = law.argmax()[:, None]
    if law.ids is None:
        return Law(torch.full_like(law.logits, float("-inf")).scatter_(-1, best, 0.0))
    return law.with_logits(torch.where((law.ids == best) & law.allowed, 0.0, float("-inf")).to(law.logits.dtype))
