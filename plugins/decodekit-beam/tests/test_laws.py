"""Every search obeys the laws of decodekit.testing."""

from __future__ import annotations

import math

from decodekit.testing import SearchLaws
from decodekit_beam import BeamSample, BeamSearch, DiverseBeam, Score, StochasticBeam


class BeamLaws(SearchLaws):
    def logprob(self, score: float, length: int) -> float:
        return Score.of(score).logprob

    def test_a_score_is_the_log_probability_by_length(self):
        piece = self.piece()
        power = getattr(piece, "length_penalty", None)
        for one in self.plays(piece) if power is not None else []:
            scores = [*one.given.scores, *(score for _, _, score in one.given.finished)]
            for (parent, _), score in zip(one.pairs, scores, strict=True):
                length = one.group.new_tokens[parent] + 1
                assert math.isclose(score, (score.logprob - score.penalty) / length**power, abs_tol=1e-12)


class TestBeamSearch(BeamLaws):
    make = staticmethod(lambda: BeamSearch(3))


class TestBeamSearchWithALengthPenalty(BeamLaws):
    make = staticmethod(lambda: BeamSearch(4, length_penalty=-0.7, early_stopping=True))


class TestBeamSearchWiderThanTheVocabulary(BeamLaws):
    make = staticmethod(lambda: BeamSearch(20, early_stopping="never"))
    seeds = (0,)


class TestBeamSearchOfOneRow(BeamLaws):
    make = staticmethod(lambda: BeamSearch(1))


class TestDiverseBeam(BeamLaws):
    make = staticmethod(lambda: DiverseBeam(6, groups=3, diversity=0.7))
    repeats = True


class TestDiverseBeamOfOneGroup(BeamLaws):
    make = staticmethod(lambda: DiverseBeam(4, groups=1))


class TestStochasticBeam(BeamLaws):
    make = staticmethod(lambda: StochasticBeam(4))


class TestStochasticBeamWiderThanTheVocabulary(BeamLaws):
    make = staticmethod(lambda: StochasticBeam(20))
    seeds = (0,)


class TestBeamSample(BeamLaws):
    make = staticmethod(lambda: BeamSample(3, length_penalty=0.5))


class TestBeamSampleOfOneRow(BeamLaws):
    make = staticmethod(lambda: BeamSample(1))


class TestBeamSampleWiderThanTheVocabulary(BeamLaws):
    make = staticmethod(lambda: BeamSample(12))
    seeds = (0,)
