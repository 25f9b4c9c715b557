import dataclasses
import itertools
import json
import math

import pytest
from pydantic import BaseModel

from decodekit import Decoder, GenerationError, RequestError, Vocabulary
from decodekit.results import Completion
from decodekit.testing import AggregatorLaws, ToyModel, completion, tiny_llama
from decodekit_consensus import NoAnswerError, SelfConsistency


class TestWholeText(AggregatorLaws):
    make = staticmethod(SelfConsistency)
    orderless = True


class TestPattern(AggregatorLaws):
    make = staticmethod(lambda: SelfConsistency(r"is (\S+)", casefold=True, weighted=True))
    samples = ("it is Red", "it is blue", "it IS", "it is red", "so it is blue")
    orderless = True


class TestField(AggregatorLaws):
    make = staticmethod(lambda: SelfConsistency(field="a.0"))
    samples = ('{"a": [1]}', '{"a": [2, 1]}', "{", '{"a": [2.0]}')
    orderless = True


def sample(text, index=0, mean=-1.0, parsed=None):
    tokens = list(range(4))
    return Completion(text, tokens, [0.0] * 4, [mean] * 4, [], "eos", parsed, sample=index)


def test_the_answer_that_most_samples_share_wins():
    given = SelfConsistency(r"answer is (\d+)")(
        [completion(f"the answer is {n}", sample=i) for i, n in enumerate("7447")]
    )
    votes = SelfConsistency(r"answer is (\d+)")(
        [completion(f"the answer is {n}", sample=i) for i, n in enumerate("7444")]
    )
    assert given.sample == 0
    assert votes.sample == 1
    assert dict(votes.details) == {
        "answer": "4",
        "votes": {"4": 3, "7": 1},
        "samples": {"4": [1, 2, 3], "7": [0]},
        "unanswered": [],
    }


@pytest.mark.parametrize("seed", range(30))
def test_votes_ties_and_representatives_are_those_of_the_definition(seed):
    import random

    draw = random.Random(seed)
    samples = [sample(draw.choice("abc"), i, draw.choice([-1.0, -2.0, -3.0])) for i in range(draw.randint(1, 7))]
    # By the words of the definition: rank every sample by its answer's votes, that answer's likeliest sample, its own
    # likelihood, its index; the first is the answer.
    counts = {s.text: sum(t.text == s.text for t in samples) for s in samples}
    likeliest = {s.text: min((-t.target_logprobs[0], t.sample) for t in samples if t.text == s.text) for s in samples}
    wanted = min(samples, key=lambda s: (-counts[s.text], likeliest[s.text], -s.target_logprobs[0], s.sample))
    draw.shuffle(samples)
    given = SelfConsistency()(samples)
    assert (given.text, given.sample) == (wanted.text, wanted.sample)
    assert given.details["votes"] == counts


def test_a_tie_goes_to_the_likelier_sample_then_to_the_lower_index():
    assert SelfConsistency()([sample("a", 0, -2.0), sample("b", 1, -1.0)]).text == "b"
    assert SelfConsistency()([sample("b", 1, -1.0), sample("a", 0, -1.0)]).text == "a"


def test_the_sample_that_stands_for_an_answer_is_its_likeliest():
    samples = [sample("a 1", 0, -3.0), sample("b 1", 1, -1.0), sample("c 2", 2, -0.5)]
    assert SelfConsistency(r"\d").__call__(samples).text == "b 1"


def test_weighted_votes_are_the_papers_normalised_sum():
    samples = [sample("a", 0, -3.0), sample("a", 1, -2.0), sample("b", 2, -0.5)]
    given = SelfConsistency(weighted=True)(samples)
    assert given.text == "b"
    assert given.details["votes"] == pytest.approx({"b": math.exp(-0.5), "a": math.exp(-3) + math.exp(-2)}, abs=1e-15)


@pytest.mark.parametrize(
    ("one", "two", "options", "alike"),
    [
        (" yes\n", "yes", {}, True),
        ("Yes", "yes", {}, False),
        ("Yes", "yes", {"casefold": True}, True),
        ("1,000.0", "1000", {}, True),
        ("1,00", "100", {}, False),
        ("1e3", "1000", {}, True),
        ("-0", "0.00", {}, True),
        ("+5", "5", {}, True),
        ("007", "7", {}, True),
        ("007", "7", {"numbers": False}, False),
        ("12345678901234567890123456789012345", "12345678901234567890123456789012346", {}, False),
        ("1e9999", "1e9998", {}, False),
        ("1.5", "1.50", {}, True),
        ("e5", "e5 ", {}, True),
        (".", ".5", {}, False),
    ],
)
def test_answers_that_count_as_one(one, two, options, alike):
    given = SelfConsistency(**options)([sample(one, 0), sample(two, 1)])
    assert (len(given.details["votes"]) == 1) is alike


def test_the_last_match_counts_unless_the_first_is_asked_for():
    texts = [sample("1 then 2")]
    assert SelfConsistency(r"\d")(texts).details["answer"] == "2"
    assert SelfConsistency(r"\d", take="first")(texts).details["answer"] == "1"


class Sum(BaseModel):
    steps: list[str]
    total: float


def test_a_field_is_found_in_what_was_parsed_or_in_the_text():
    parsed = sample("not looked at", 0, parsed=Sum(steps=["a/b"], total=3))
    text = sample('{"steps": ["a/b"], "total": 3.0}', 1)
    for path, answer in (("total", "3"), ("/steps/0", "a/b"), ("steps.0", "a/b")):
        assert SelfConsistency(field=path)([parsed, text]).details["votes"] == {answer: 2}
    assert len(SelfConsistency(field="")([parsed, text]).details["votes"]) == 1
    pointer = SelfConsistency(field="/a~1b/~0")([sample('{"a/b": {"~": null}}')])
    assert pointer.details["answer"] == "null"


def test_samples_without_an_answer_do_not_vote():
    given = SelfConsistency(r"\d")([sample("none", 0, -0.1), sample("none", 1, -0.1), sample("3", 2, -9.0)])
    assert given.text == "3"
    assert given.details["unanswered"] == [0, 1]


def test_no_answer_at_all_is_an_error_that_shows_a_sample():
    with pytest.raises(NoAnswerError, match=r"pattern '\\\\d' matches in none of 2 samples, such as 'one'"):
        SelfConsistency(r"\d")([sample("one"), sample("two", 1)])
    with pytest.raises(NoAnswerError, match="field 'x' is in none of 1 samples"):
        SelfConsistency(field="x")([sample('{"y": 1}')])
    with pytest.raises(NoAnswerError, match="no sample was begun"):
        SelfConsistency()([])


def test_bad_parameters_are_refused_when_it_is_made():
    with pytest.raises(RequestError, match="not a regular expression"):
        SelfConsistency("(")
    for pattern in ("", r"\d*", "a|"):
        with pytest.raises(RequestError, match="it matches the empty text"):
            SelfConsistency(pattern)
    with pytest.raises(RequestError, match="not by both"):
        SelfConsistency(r"\d", field="a")


def test_weights_without_log_probabilities_are_refused():
    with pytest.raises(GenerationError, match="compares log-probabilities, and sample 0 has none"):
        SelfConsistency(weighted=True)([dataclasses.replace(sample("a"), target_logprobs=[])])


def test_without_log_probabilities_ties_go_to_the_lower_index():
    bare = [dataclasses.replace(sample(text, i), target_logprobs=[]) for i, text in ((1, "b"), (0, "a"))]
    assert SelfConsistency()(bare).text == "a"


VOCABULARY = Vocabulary((b"0", b"1", b"2", b"x", b" ", None), (5,))


@pytest.fixture(scope="module")
def decoder():
    model = tiny_llama(6)
    model.generation_config.eos_token_id = 5
    return Decoder(model, VOCABULARY)


def test_end_to_end_the_answer_is_the_vote_of_the_samples_that_come_back(decoder):
    result = decoder.generate("x", self_consistency=r"\d", multinomial=True, n=12, seed=3, max_new_tokens=5)
    plain = decoder.generate("x", multinomial=True, n=12, seed=3, max_new_tokens=5)
    assert [s.tokens for s in result.samples] == [s.tokens for s in plain.samples]
    digits = [[c for c in s.text if c.isdigit()] for s in result.samples]
    counts = {d: sum(bool(found) and found[-1] == d for found in digits) for d in "012"}
    assert result.answer.details["votes"] == {d: count for d, count in counts.items() if count}
    assert counts[result.answer.details["answer"]] == max(counts.values())
    assert result.text == result.samples[result.answer.sample].text
    assert json.dumps(result.to_dict())


def test_end_to_end_no_answer_keeps_the_samples(decoder):
    with pytest.raises(GenerationError, match="self_consistency: pattern 'never' matches in none of 3") as caught:
        decoder.generate("x", self_consistency="never", multinomial=True, n=3, seed=3, max_new_tokens=5)
    assert isinstance(caught.value, NoAnswerError)
    assert len(caught.value.results[0].samples) == 3


def test_the_vote_over_all_texts_of_a_toy_model_is_its_most_probable_answer():
    model = ToyModel(vocab_size=4, seed=1, scale=2.0)
    decoder = Decoder(model, Vocabulary((b"a", b"b", b"c", b"d")))
    samples, mass = [], {}
    for i, text in enumerate(itertools.product(range(4), repeat=3)):
        logprob = decoder.score([0, *text]).total
        letters = bytes(97 + t for t in text).decode()
        mass[letters[-1]] = mass.get(letters[-1], 0.0) + math.exp(logprob)
        # Every text once, weighted with its probability: with one token its mean is its total.
        samples.append(Completion(letters, [0], [logprob], [logprob], [], "length", sample=i))
    given = SelfConsistency(r".$", weighted=True)(samples)
    assert sum(mass.values()) == pytest.approx(1.0, abs=1e-12)
    assert given.details["answer"] == max(mass, key=mass.__getitem__)
    assert given.details["votes"] == pytest.approx(mass, abs=1e-12)


def test_a_sample_that_could_not_be_parsed_does_not_vote():
    samples = [
        Completion(
            text, [1], [-1.0], [-1.0], [], "eos", sample=i, parse_error="ValueError: odd" if text == "3" else None
        )
        for i, text in enumerate("3323")
    ]
    answer = SelfConsistency()(samples)
    assert (answer.text, answer.details["unanswered"]) == ("2", [0, 1, 3])
