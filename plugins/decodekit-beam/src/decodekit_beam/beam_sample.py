"""Beams drawn at random, as transformers' `generate(num_beams=…, do_sample=True)`."""

from __future__ import annotations

import numpy as np

from decodekit.law import Law
from decodekit.techniques import Expansion, GroupView
from decodekit_beam.beams import Beams, Candidate, expansion
from decodekit_beam.score import Score, best_first
from decodekit_beam.urn import Urn, uniforms, urns


class BeamSample(Beams, name="beam_sample", source="transformers 5.23, `_get_top_k_continuations`"):
    """Draw continuations instead of taking the likeliest, then go on with the likeliest of those that were drawn.

    Per step `max(2, 1 + end tokens) * width` continuations of all rows together are drawn without replacement, each in
    proportion to the probability of the whole text so far. Only an end among the first `width` draws counts. Scores,
    the length penalty and the end of the search are those of `beam_search`. Width 1 is ordinary sampling. Laws are
    normalised after temperature and truncation (transformers' `renormalize_logits=True`).

    *Not* a sample from the law of texts, which `stochastic_beam` is: the likeliest of the draws go on.

    *Cost:* two passes over [width, vocabulary] per step, and a few hundred numbers per draw.
    """

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        if self.settled_before(group):
            return Expansion([], [], [], [], done=True, state=None)
        scores = [Score.of(score) for score in group.scores]
        draws = self.candidates_wanted(group, self.width)
        # One number chooses row and token; all of them are the best row's.
        numbers = uniforms(group.at, scores, draws)[best_first(scores)[0]]
        return expansion([self.settle(_draw(urns(law), scores, numbers), group)])


def _draw(rows: list[Urn], scores: list[Score], numbers: np.ndarray) -> list[Candidate]:
    """Draw continuations of all rows without replacement, in the order of the draws."""
    logprobs = [score.logprob for score in scores]
    order = sorted(range(len(rows)), key=lambda row: (-logprobs[row], scores[row].rank))
    found: list[Candidate] = []
    for number in numbers.tolist():
        left = np.array([logprobs[row] + rows[row].log_left for row in order])
        if not np.isfinite(left.max()):
            break
        ends = np.exp(left - left.max()).cumsum()
        target = number * ends[-1]
        place = min(int(np.searchsorted(ends, target, side="right")), int(np.flatnonzero(np.isfinite(left))[-1]))
        start = ends[place - 1] if place else 0.0
        row = order[place]
        token, logprob = rows[row].draw(min(max((target - start) / (ends[place] - start), 0.0), 1 - 2.0**-53))
        found.append(Candidate(row, token, logprobs[row] + logprob))
    return found
