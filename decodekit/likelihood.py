"""Log-probabilities of the tokens that a step takes, under the model's law and under the law they were taken from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from decodekit.law import Law, on_host, pick, whole_numbers
from decodekit.pipeline import Part
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


_UNWANTED = Likelihood(math.nan, math.nan, {})


def likelihoods(scored: Scored, positions: list[int], tokens: list[int]) -> list[Likelihood]:
    """Give the likelihood of each token at its position; where no request wants numbers, only check them.

    Raises:
        DeadEndError: For a token that is impossible under its law, which is how NaN and empty laws show.
    """
    wanted = any(plan.request.logprobs or plan.request.top_logprobs for plan in scored.plans)
    target = _target(scored, positions, tokens, wanted)
    if not all(map(math.isfinite, target)):
        raise next(
            scored.explain(position, token)
            for position, token, value in zip(positions, tokens, target, strict=True)
            if not math.isfinite(value)
        )
    if not wanted:
        return [_UNWANTED] * len(tokens)
    requests = [scored.plans[p].request for p in positions]
    model = target
    untouched = len(scored.laws) == 1 and scored.laws[0][2].law.logits is scored.logits
    if not untouched:
        model = Law(pick(scored.logits, positions)).logprob_of(whole_numbers(tokens, scored.logits.device)).tolist()
    most = max((request.top_logprobs for request in requests), default=0)
    tops = _top(pick(scored.logits, positions), most) if most else [{}] * len(tokens)
    return [
        Likelihood(m, t, dict(list(top.items())[: request.top_logprobs]))
        for m, t, top, request in zip(model, target, tops, requests, strict=True)
    ]


def _target(scored: Scored, positions: list[int], tokens: list[int], wanted: bool) -> list[float]:
    """Give the target log-probabilities, or where nobody wants them any number that is finite for usable laws."""
    if len(scored.laws) == 1:
        # Mostly all positions share a chain, and mostly each of them is taken from.
        index, part, target = scored.laws[0]
        place = {p: i for i, p in enumerate(index)} if scored.drafted else None
        return _of_part(part, target.law, positions if place is None else [place[p] for p in positions], tokens, wanted)
    values = [math.nan] * len(positions)
    for index, part, target in scored.laws:
        place = {p: i for i, p in enumerate(index)}
        mine = [i for i, p in enumerate(positions) if p in place]
        if mine:
            places, taken = [place[positions[i]] for i in mine], [tokens[i] for i in mine]
            for i, value in zip(mine, _of_part(part, target.law, places, taken, wanted), strict=True):
                values[i] = value
    return values


def _of_part(part: Part, law: Law, rows: list[int], tokens: list[int], wanted: bool) -> list[float]:
    found = law.logits_at(rows, tokens)
    if wanted:
        totals = law.normaliser().tolist()
        return [value - totals[row] for value, row in zip(found, rows, strict=True)]
    if part.selector is None or getattr(part.selector, "deterministic", False):
        return found
    # NaN and an empty law show in the best logit; a law's most likely token is that itself.
    host = on_host(law.logits)
    best = (law.logits.amax(dim=-1) if host is None else host.max(axis=-1)).tolist()
    return [value - best[row] for value, row in zip(found, rows, strict=True)]


def _top(logits: Tensor, k: int) -> list[dict[int, float]]:
    values, ids = logits.topk(min(k, logits.shape[-1]), dim=-1)
    logprobs = values - Law(logits).normaliser()[:, None]
    return [dict(zip(i, v, strict=True)) for i, v in zip(ids.tolist(), logprobs.tolist(), strict=True)]
