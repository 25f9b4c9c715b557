"""Diverse beam search (Vijayakumar et al., arXiv:1610.02424) with Hamming diversity."""

from __future__ import annotations

from collections import Counter

import numpy as np
from pydantic import Field, model_validator

from decodekit.law import Law
from decodekit.techniques import Expansion, GroupView
from decodekit_beam.beams import Beams, Candidate, Settled, expansion
from decodekit_beam.likeliest import likeliest, normalised
from decodekit_beam.score import Score


class DiverseBeam(Beams, name="diverse_beam", source="arXiv:1610.02424, algorithm 1, Hamming diversity"):
    """Let groups of beams search one after another, each avoiding the tokens that groups before it choose at this step.

    A group of `width / groups` beams maximises the log-probability minus `diversity` for every row and every ended text
    of an earlier group that took the same token at the same step. What was taken off stays in the score of the rows
    that grow from there, as in the paper's sum over sequences. With `diversity=0` all groups find the same texts.

    `n = width` gives each group's texts, the best first; `n` below it the best of those. Each group ends by itself.

    Args:
        width: Rows of all groups together.
        groups: How many groups; divides the width.
        diversity: Penalty per earlier use of a token, in nats (the paper's lambda; 0.2 to 0.8 there).
        length_penalty: As in `beam_search`.
        early_stopping: As in `beam_search`, for each group.

    *Approximate*. *Cost:* as `beam_search`, with a selection of up to `3 * width` more candidates per row.
    """

    groups: int = Field(default=2, ge=1)
    diversity: float = Field(default=0.5, ge=0)

    @model_validator(mode="after")
    def _divides(self) -> DiverseBeam:
        if self.width % self.groups:
            raise ValueError(f"{self.groups} groups cannot share a width of {self.width} evenly")
        return self

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        # Tokens that earlier groups chose sink; below as many more there are `wanted` that do not.
        wanted = self.candidates_wanted(group, self.width // self.groups)
        logprobs, tokens = likeliest(normalised(law), wanted + 2 * self.width)
        scores = [Score.of(score) for score in group.scores]
        before = np.array([score.logprob for score in scores])
        logprobs = logprobs.double().cpu().numpy() + before[:, None]
        chosen: Counter[int] = Counter()
        settled: list[Settled] = []
        for part in range(self.groups):
            members = [i for i, score in enumerate(scores) if score.group == part or not group.new_tokens[i]]
            if not members or self.settled_before(group, part, self.groups):
                continue
            found = self._best(logprobs[members], tokens.cpu().numpy()[members], members, scores, chosen)
            settled.append(self.settle(found[:wanted], group, part, self.groups))
            chosen.update(one.token for one, _ in (*settled[-1].running, *settled[-1].ended))
        return expansion(settled)

    def _best(
        self,
        logprobs: np.ndarray,
        tokens: np.ndarray,
        members: list[int],
        scores: list[Score],
        chosen: Counter[int],
    ) -> list[Candidate]:
        """Give one group's candidates, the best first."""
        times = np.zeros(tokens.shape)
        for token, count in chosen.items():
            times[tokens == token] = count
        penalties = self.diversity * times + np.array([scores[i].penalty for i in members])[:, None]
        flat, parents = (logprobs - penalties).ravel(), np.repeat(members, tokens.shape[1])
        ranks = np.array([score.rank for score in scores])[parents]
        order = np.lexsort((tokens.ravel(), ranks, -flat))[: int((flat > -np.inf).sum())]
        values = (parents[order], tokens.ravel()[order], logprobs.ravel()[order], penalties.ravel()[order])
        return [Candidate(*one) for one in zip(*(value.tolist() for value in values), strict=True)]

    def rank(self, scores: list[float], lengths: list[int]) -> list[int]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Order finished texts: first the best of each group, as many as it has beams, then what else has ended."""
        order = super().rank(scores, lengths)
        seen: Counter[int] = Counter()
        first: list[int] = []
        for i in order:
            group = Score.of(scores[i]).group
            seen[group] += 1
            if seen[group] <= self.width // self.groups:
                first.append(i)
        return [*first, *(i for i in order if i not in set(first))]
