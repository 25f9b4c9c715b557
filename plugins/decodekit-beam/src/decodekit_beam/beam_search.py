"""Beam search, equal to transformers' `generate(num_beams=…)`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from decodekit.law import Law
from decodekit.techniques import Expansion, GroupView
from decodekit_beam.beams import Beams, Candidate, expansion
from decodekit_beam.likeliest import Places, continuations
from decodekit_beam.score import Score


class BeamSearch(Beams, name="beam_search", source="transformers 5.23, `_beam_search`"):
    """Keep the `width` likeliest beginnings of a text at every step.

    Rows are expanded by the likeliest `max(2, 1 + end tokens) * width` continuations of all of them together. Width 1
    is greedy decoding. A width that no step can fill, as with few tokens or a narrow constraint, gives fewer rows, and
    in the end maybe fewer than `n` texts.

    *Approximate*: the likeliest text may begin unlikely. *Cost:* per step one pass for the normalisation and one for
    the selection, over [width, vocabulary] or the candidate set.
    """

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        if self.settled_before(group):
            return Expansion([], [], [], [], done=True, state=None)
        k = self.candidates_wanted(group, self.width)
        scores = [Score.of(score) for score in group.scores]
        logprobs, rows, tokens = continuations(law, [score.logprob for score in scores], k)
        ranks = np.array([score.rank for score in scores])[rows]
        return expansion([self.settle(best(logprobs, rows, tokens, ranks, k), group)])


def best(logprobs: NDArray[np.float64], rows: Places, tokens: Places, ranks: Places, k: int) -> list[Candidate]:
    """Give the k likeliest candidates, the best first, equal ones by their row's rank and by token."""
    order = np.lexsort((tokens, ranks, -logprobs))[:k]
    taken = zip(rows[order].tolist(), tokens[order].tolist(), logprobs[order].tolist(), strict=True)
    return [Candidate(row, token, logprob) for row, token, logprob in taken if logprob > -math.inf]
