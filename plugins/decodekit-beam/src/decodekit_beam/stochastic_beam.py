"""Stochastic beam search: texts drawn without replacement (Kool, van Hoof & Welling, arXiv:1903.06059)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from decodekit.law import Law
from decodekit.techniques import Expansion, GroupView, Search
from decodekit_beam.score import Score
from decodekit_beam.urn import Urn, uniforms, urns


class StochasticBeam(Search, name="stochastic_beam", source="arXiv:1903.06059, algorithm 1"):
    """Draw `width` different token sequences, as if one text after another were sampled and put aside.

    Every text y has a perturbed score G(y) = log p(y) + Gumbel noise; the `width` texts with the largest scores are a
    sample without replacement, in the order of the scores. They are found from the top down: a beginning's score is the
    largest of all texts that begin so.

    The children of a row with score G and log-probability φ are looked at in the order of their scores, as far as they
    can be among the `width` best. This has the law of noise on every token of the vocabulary: let its children have
    independent Gumbels at locations φ_i, with logsumexp(φ_i) = φ, given that their maximum is G. The child with the
    maximum is i with probability exp(φ_i - φ), whatever G is, as maximum and place of independent Gumbels are
    independent. Given both, the other children are independent Gumbels at φ_j, each truncated at G. Without the
    truncation their maximum would be Gumbel at φ' = logsumexp(φ_j, j ≠ i), its place j with probability
    exp(φ_j - φ') and independent of the maximum; truncating all of them at G is to condition on the maximum being at
    most G, which leaves the place alone. So the second child is drawn in proportion to what is left, its score is a
    Gumbel at φ' truncated at G, and the same holds for the third with the second's score, and so on.

    A text's `score` is its perturbed score, with its log-probability as `score.logprob`; one row alone gives the tokens
    of ordinary sampling. A text that has ended stays in the sample while it is among the `width` best.

    Args:
        width: How many texts; `n` below it gives the first of them, which is a sample without replacement as well.

    *Exact*: sampling without replacement from the law of texts, ends at a stop string or the greatest length included.
    *Cost:* two passes over [width, vocabulary] per step, and about 2 * `width` draws, each over a few hundred numbers.
    """

    width: int = Field(ge=1)

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        scores = [Score.of(score) for score in group.scores]
        numbers = uniforms(group.at, scores, 2 * self.width + 1)
        families = [
            _Family(row, score, urn, numbers[row])
            if group.new_tokens[row]
            else _Family(row, Score(_gumbel(0.0, math.inf, numbers[row, -1]), 0.0), urn, numbers[row])
            for row, (score, urn) in enumerate(zip(scores, urns(law), strict=True))
        ]
        chosen = self._largest(families, [score for score, _ in group.finished])
        ends = [child.token in group.end_tokens or group.remaining[child.parent] == 1 for child in chosen]
        running = [child for child, end in zip(chosen, ends, strict=True) if not end]
        return Expansion(
            [child.parent for child in running],
            [child.token for child in running],
            [child.score for child in running],
            [(child.parent, child.token, child.score) for child, end in zip(chosen, ends, strict=True) if end],
            not running,
            None,
        )

    def _largest(self, families: list[_Family], finished: list[float]) -> list[_Child]:
        """Give the children that are among the `width` best scores, finished texts counted, the best first."""
        rivals = sorted(finished, reverse=True)
        heads = [child for family in families if (child := family.next()) is not None]
        chosen: list[_Child] = []
        while heads and len(chosen) < self.width:
            best = max(heads, key=lambda child: child.score)
            if sum(rival > best.score for rival in rivals) + len(chosen) >= self.width:
                break
            chosen.append(best)
            heads.remove(best)
            if len(chosen) < self.width and (following := families[best.parent].next()) is not None:
                heads.append(following)
        return chosen


@dataclass(frozen=True, slots=True, eq=False)
class _Child:
    parent: int
    token: int
    score: Score


class _Family:
    """A row's children, the largest perturbed score first. Lives for one step."""

    def __init__(self, row: int, score: Score, urn: Urn, numbers: np.ndarray) -> None:
        self.row, self.urn, self.numbers = row, urn, numbers
        self.logprob = score.logprob
        self.bound = float(score)
        self.drawn = 0

    def next(self) -> _Child | None:
        """Draw the next child; None when there is none left."""
        left = self.urn.log_left
        if left == -math.inf:
            return None
        if self.drawn:  # the first child's score is the row's own
            self.bound = _gumbel(self.logprob + left, self.bound, self.numbers[2 * self.drawn - 1])
        token, logprob = self.urn.draw(self.numbers[2 * self.drawn])
        self.drawn += 1
        return _Child(self.row, token, Score(self.bound, self.logprob + logprob))


def _gumbel(location: float, bound: float, uniform: float) -> float:
    """Draw a Gumbel at a location, given that it is at most `bound`.

    It is the g with F(g) = u F(bound) for F(g) = exp(-exp(location - g)), so exp(-g) = exp(-bound) - log(u)
    exp(-location); as a sum of logarithms it neither overflows nor exceeds the bound.
    """
    exponential = -math.log(max(uniform, 2.0**-54))
    return -float(np.logaddexp(-bound, math.log(exponential) - location))
