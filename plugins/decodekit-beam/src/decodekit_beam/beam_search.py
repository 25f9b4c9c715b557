"""Beam search, equal to transformers' `generate(num_beams=…)`."""

from __future__ import annotations

import math

import numpy as np

from decodekit.law import Law
from decodekit.techniques import Expansion, GroupView
from decodekit_beam.beams import Beams, Candidate, expansion
from decodekit_beam.likeliest import likeliest, log_totals
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
        totals = log_totals(law)
        if self.settled_before(group):
            return Expansion([], [], [], [], done=True, state=None)
        k = self.candidates_wanted(group, self.width)
        logits, tokens = likeliest(law, k)
        before = logits.new_tensor([Score.of(score).logprob for score in group.scores]).double()
        logprobs = ((logits - totals[:, None]).double() + before[:, None]).cpu().numpy()
        return expansion([self.settle(best(logprobs, tokens.cpu().numpy(), k), group)])


def best(logprobs: np.ndarray, tokens: np.ndarray, k: int) -> list[Candidate]:
    """Give the k likeliest of all rows' candidates, the best first, equal ones by row and token."""
    rows, width = logprobs.shape
    flat, ids, parents = logprobs.ravel(), tokens.ravel(), np.repeat(np.arange(rows), width)
    order = np.lexsort((ids, parents, -flat))[:k]
    return [
        Candidate(parent, token, logprob)
        for parent, token, logprob in zip(
            parents[order].tolist(), ids[order].tolist(), flat[order].tolist(), strict=True
        )
        if logprob > -math.inf
    ]
