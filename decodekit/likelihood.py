"""Log-probabilities of the tokens that a step takes, under the model's law and under the law they were taken from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from decodekit.law import Law
from decodekit.scoring import Scored
from decodekit.types import Tensor


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely one token was, in nats.

    Attributes:
        model: Under the model's own law.
        target: Under the law it was taken from.
        top: The likeliest tokens under the model's law; empty unless asked for.
    """

    model: float
    target: float
    top: dict[int, float]


def likelihoods(scored: Scored, positions: list[int], tokens: list[int]) -> list[Likelihood]:
    """Give the likelihood of each token at its position.

    Raises:
        DeadEndError: For a token that is impossible under its law, which is how NaN and empty laws show.
    """
    taken = torch.tensor(tokens, device=scored.logits.device)
    wanted = any(scored.plans[p].request.logprobs for p in positions)
    target = _target(scored, positions, taken, wanted)
    for position, token, value in zip(positions, tokens, target, strict=True):
        if not math.isfinite(value):
            raise scored.explain(position, token)
    requests = [scored.plans[p].request for p in positions]
    model = target
    untouched = len(scored.laws) == 1 and scored.laws[0][2].law.logits is scored.logits
    if not untouched and wanted:
        model = Law(_rows(scored.logits, positions)).logprob_of(taken).tolist()
    most = max((request.top_logprobs for request in requests), default=0)
    tops = _top(_rows(scored.logits, positions), most) if most else [{}] * len(tokens)
    return [
        Likelihood(m, t, dict(list(top.items())[: request.top_logprobs]))
        for m, t, top, request in zip(model, target, tops, requests, strict=True)
    ]


def _target(scored: Scored, positions: list[int], tokens: Tensor, wanted: bool) -> list[float]:
    """Give the target log-probabilities, or where nobody wants them any number that is finite for usable laws."""
    values = [math.nan] * len(positions)
    for index, part, target in scored.laws:
        place = {p: i for i, p in enumerate(index)}
        mine = [i for i, p in enumerate(positions) if p in place]
        if not mine:
            continue
        rows = torch.tensor([place[positions[i]] for i in mine], device=tokens.device)
        chosen = tokens if len(mine) == len(positions) else tokens[torch.tensor(mine, device=tokens.device)]
        found = target.law.logit_at(rows, chosen)
        if wanted or not (part.selector is None or getattr(part.selector, "deterministic", False)):
            # Otherwise NaN and an empty law show in the best logit itself, without a pass over the vocabulary.
            found = found - target.law.normaliser()[rows]
        for i, value in zip(mine, found.tolist(), strict=True):
            values[i] = value
    return values


def _rows(logits: Tensor, positions: Sequence[int]) -> Tensor:
    if len(positions) == len(logits) and list(positions) == list(range(len(logits))):
        return logits
    return logits.index_select(0, torch.tensor(positions, device=logits.device))


def _top(logits: Tensor, k: int) -> list[dict[int, float]]:
    values, ids = logits.topk(min(k, logits.shape[-1]), dim=-1)
    logprobs = values - Law(logits).normaliser()[:, None]
    return [dict(zip(i, v, strict=True)) for i, v in zip(ids.tolist(), logprobs.tolist(), strict=True)]
