import dataclasses
import math

import pytest

from decodekit import Decoder, GenerationError, IncompatibleTechniquesError, RequestError, Vocabulary
from decodekit.results import Completion
from decodekit.testing import AggregatorLaws, tiny_llama
from decodekit_consensus import BestOf, NoAnswerError


class TestMean(AggregatorLaws):
    make = staticmethod(BestOf)
    orderless = True


class TestTotal(AggregatorLaws):
    make = staticmethod(lambda: BestOf("total"))
    orderless = True


class TestLengthNormalised(AggregatorLaws):
    make = staticmethod(lambda: BestOf("length_normalised"))
    orderless = True


class TestScorer(AggregatorLaws):
    make = staticmethod(lambda: BestOf(lambda sample: len(sample.text)))
    orderless = True


def sample(index, logprobs):
    return Completion(str(index), list(range(len(logprobs))), [-9.0] * len(logprobs), logprobs, [], "eos", sample=index)


SAMPLES = [sample(0, [-1.0]), sample(1, [-0.6] * 2), sample(2, [-0.4] * 5)]


@pytest.mark.parametrize(
    ("technique", "scores", "best"),
    [
        (BestOf(), [-1.0, -0.6, -0.4], 2),
        (BestOf("total"), [-1.0, -1.2, -2.0], 0),
        (BestOf("length_normalised", length_power=1.0), [-1.0, -1.2 / (7 / 6), -2.0 / (10 / 6)], 0),
        (BestOf("length_normalised", length_power=3.0), [-1.0, -1.2 / (7 / 6) ** 3, -2.0 / (10 / 6) ** 3], 2),
        (BestOf("length_normalised", length_power=0.0), [-1.0, -1.2, -2.0], 0),
        (BestOf(lambda s: -abs(s.sample - 1)), [-1.0, 0.0, -1.0], 1),
    ],
)
def test_scores_are_those_of_the_formula(technique, scores, best):
    given = technique(SAMPLES)
    assert given.sample == best
    assert given.details["scores"] == pytest.approx(scores, abs=1e-12)
    assert given.details["score"] == given.details["scores"][best]


def test_equal_scores_go_to_the_lowest_index():
    assert BestOf(lambda s: 1.0)(SAMPLES[::-1]).sample == 0


def test_a_sample_that_could_not_be_parsed_is_no_answer():
    wrong = [dataclasses.replace(one, parse_error="ValueError: odd") for one in SAMPLES]
    assert BestOf("mean")([wrong[2], SAMPLES[0], wrong[1]]).text == "0"
    with pytest.raises(NoAnswerError, match="all 3 samples are wrong, such as: ValueError: odd"):
        BestOf("mean")(wrong)


def test_a_scorer_is_called_once_per_sample():
    seen = []
    BestOf(lambda s: seen.append(s.sample) or 0.0)(SAMPLES)
    assert seen == [0, 1, 2]


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(GenerationError, match=r"the score of sample 1 \('1'\) is NaN"):
        BestOf(lambda s: math.nan if s.sample == 1 else 0.0)(SAMPLES)


def test_no_log_probabilities_and_no_samples_are_refused():
    with pytest.raises(GenerationError, match="best_of by 'mean' compares log-probabilities, and sample 0 has none"):
        BestOf()([dataclasses.replace(SAMPLES[0], target_logprobs=[])])
    with pytest.raises(NoAnswerError, match="no sample was begun"):
        BestOf()([])


def test_an_unknown_score_is_refused_when_it_is_made():
    with pytest.raises(RequestError):
        BestOf("longest")
    with pytest.raises(RequestError):
        BestOf(length_power=-1)


@pytest.fixture(scope="module")
def decoder():
    return Decoder(tiny_llama(9), Vocabulary(tuple(bytes([97 + i]) for i in range(9))))


def test_end_to_end_the_likeliest_sample_answers(decoder):
    result = decoder.generate("a", best_of="total", multinomial=True, n=10, seed=5, max_new_tokens=6)
    totals = [decoder.score([0, *s.tokens]).total for s in result.samples]
    assert result.answer.details["scores"] == pytest.approx(totals, abs=1e-10)
    assert result.tokens == result.samples[totals.index(max(totals))].tokens


def test_end_to_end_an_error_of_the_scorer_names_it_and_keeps_the_samples(decoder):
    def judge(sample):
        raise ZeroDivisionError("bad judge")

    with pytest.raises(GenerationError, match="best_of raised ZeroDivisionError: bad judge") as caught:
        decoder.generate("a", best_of=judge, n=2, multinomial=True, seed=1, max_new_tokens=3)
    assert len(caught.value.results[0].samples) == 2


def test_without_log_probabilities_the_request_is_refused_and_a_scorer_works(decoder):
    with pytest.raises(IncompatibleTechniquesError, match="'best_of' compares log-probabilities, and the") as told:
        decoder.generate("a", best_of=True, n=2, logprobs=False, max_new_tokens=3)
    assert told.value.hint == "leave out logprobs=False"
    with pytest.raises(IncompatibleTechniquesError, match="'self_consistency' compares log-probabilities"):
        decoder.generate("a", self_consistency={"weighted": True}, n=2, logprobs=False, max_new_tokens=3)
    assert decoder.generate("a", self_consistency=True, n=2, logprobs=False, max_new_tokens=3).text
    assert decoder.generate("a", best_of=lambda s: len(s.text), n=2, logprobs=False, max_new_tokens=3).text


def test_a_scorer_cannot_be_written_as_json_and_a_name_can(decoder):
    assert decoder.request("a", best_of="total").to_dict()["techniques"] == [{"name": "best_of", "by": "total"}]
    with pytest.raises(RequestError, match="'best_of' cannot be written as JSON"):
        decoder.request("a", best_of=len).to_dict()
