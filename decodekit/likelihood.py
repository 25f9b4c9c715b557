"""Log-probabilities of the tokens that a step takes, under the model's law and under the law they were taken from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from decodekit.law import Law, whole_numbers
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
    requests = [scored.plans[p].request for p in positions]
    wanted = any(request.logprobs or request.top_logprobs for request in requests)
    taken = whole_numbers(tokens, scored.logits.device)
    target = _target(scored, positions, taken, wanted)
    if not all(map(math.isfinite, target)):
        raise next(
            scored.explain(position, token)
            for position, token, value in zip(positions, tokens, target, strict=True)
            if not math.isfinite(value)
        )
    if not wanted:
        return [_UNWANTED] * len(tokens)
    model = target
    untouched = len(scored.laws) == 1 and scored.laws[0][2].law.logits is scored.logits
    if not untouched:
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
        places = [place[positions[i]] for i in mine]
        rows = whole_numbers(places, tokens.device)
        chosen = tokens if len(mine) == len(positions) else tokens[whole_numbers(mine, tokens.device)]
        found = target.law.logit_at(rows, chosen)
        if wanted:
            found = found - target.law.normaliser()[rows]
        for i, value in zip(mine, found.tolist(), strict=True):
            values[i] = value
        if not (wanted or part.selector is None or getattr(part.selector, "deterministic", False)):
            # NaN and an empty law show in the best logit; a law's most likely token is that itself.
            best = target.law.logits.amax(dim=-1).tolist()
            for i, row in zip(mine, places, strict=True):
                values[i] -= best[row]
    return values


def _rows(logits: Tensor, positions: Sequence[int]) -> Tensor:
    if len(positions) == len(logits) and list(positions) == list(range(len(logits))):
        return logits
    return logits.index_select(0, whole_numbers(positions, logits.device))


def _top(logits: Tensor, k: int) -> list[dict[int, float]]:
    values, ids = logits.topk(min(k, logits.shape[-1]), dim=-1)
    logprobs = values - Law(logits).normaliser()[:, None]
    return [dict(zip(i, v, strict=True)) for i, v in zip(ids.tolist(), logprobs.tolist(), strict=True)]
