"""Stochastic beams are samples without replacement; one row alone is ordinary sampling."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
import torch
from scipy.stats import gumbel_r, kstest

from decodekit import Decoder, Law
from decodekit.techniques import GroupView
from decodekit.testing import ToyModel, chi_square, enumerate_law, positions, tiny_llama
from decodekit_beam import Score, StochasticBeam
from decodekit_beam.urn import uniforms

RUNS = 2000


def ordered_pairs(law):
    """Texts drawn one after another without replacement."""
    return {(a, b): law[a] * law[b] / (1 - law[a]) for a, b in itertools.permutations(law, 2)}


@pytest.fixture(scope="module")
def drawn():
    """A model where 2 ends a text, the exact law of its texts, and pairs that a beam of two drew."""
    model = ToyModel(vocab_size=3, seed=4, scale=0.8)
    model.generation_config.eos_token_id = 2
    law = enumerate_law(model.law, 2, prompt=[0], end_tokens=(2,))
    requests = [{"prompt": [0], "seed": seed} for seed in range(RUNS)]
    found = Decoder(model, max_rows=2 * RUNS).generate(requests, stochastic_beam=2, n=2, max_new_tokens=2)
    return law, found


def test_texts_in_order_follow_the_law_of_sampling_without_replacement(drawn):
    law, found = drawn
    pairs = Counter(tuple(tuple(sample.tokens) for sample in one.samples) for one in found)
    assert {len(text) for text in law} == {1, 2}
    chi_square(pairs, ordered_pairs(law))


def test_the_first_text_follows_the_law_of_plain_sampling(drawn):
    law, found = drawn
    chi_square(Counter(tuple(one.tokens) for one in found), law)


def test_samples_carry_their_log_probability_and_their_perturbed_score(drawn):
    law, found = drawn
    for one in found[:50]:
        first, second = one.samples
        assert first.score >= second.score
        for sample in one.samples:
            assert sample.score.logprob == pytest.approx(math.log(law[tuple(sample.tokens)]), abs=1e-12)
            assert sum(sample.target_logprobs) == pytest.approx(sample.score.logprob, abs=1e-12)


def test_the_largest_score_is_a_gumbel_at_zero(drawn):
    _, found = drawn
    assert kstest([one.samples[0].score for one in found], gumbel_r.cdf).pvalue > 1e-6


def test_one_row_alone_gives_the_tokens_of_ordinary_sampling():
    model = tiny_llama(32, seed=1)
    model.generation_config.eos_token_id = [3, 4]
    decoder = Decoder(model)
    for seed in range(8):
        options = {"seed": seed, "max_new_tokens": 8, "temperature": 1.3, "top_p": 0.95}
        plain = decoder.generate([5, 6], multinomial=True, **options).tokens
        assert decoder.generate([5, 6], stochastic_beam=1, **options).tokens == plain
        assert decoder.generate([5, 6], beam_sample=1, **options).tokens == plain


def test_children_that_are_all_but_impossible_are_drawn_by_what_is_left():
    """One token has all of the mass in any float; the others still come second in proportion."""
    logits = torch.tensor([[0.0, -400.0, -400.0 + math.log(3), -torch.inf]], dtype=torch.float64)
    second = Counter()
    for seed in range(2000):
        group = GroupView([0.0], [0], [5], (), [], None, positions(1, seeds=[seed]))
        given = StochasticBeam(4)(Law(logits), group)
        assert given.tokens[0] == 0
        assert sorted(given.tokens) == [0, 1, 2]
        assert given.scores == sorted(given.scores, reverse=True)
        second[given.tokens[1]] += 1
    chi_square(second, {1: 0.25, 2: 0.75})


def test_the_scores_of_a_family_are_gumbels_of_its_children():
    """Perturbed scores, whatever their order, are independent Gumbels at the children's log-probabilities."""
    law = Law(torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64).log())
    shifted = {0: [], 1: [], 2: []}
    for seed in range(2000):
        given = StochasticBeam(3)(law, GroupView([0.0], [0], [5], (), [], None, positions(1, seeds=[seed])))
        for token, score in zip(given.tokens, given.scores, strict=True):
            shifted[token].append(score - score.logprob)
    for values in shifted.values():
        assert kstest(values, gumbel_r.cdf).pvalue > 1e-6
    correlation = torch.corrcoef(torch.tensor([shifted[0], shifted[1], shifted[2]]))
    assert float((correlation - torch.eye(3)).abs().max()) < 5 / math.sqrt(2000)


def test_random_numbers_go_by_the_rank_of_a_row_and_differ_between_rows_and_draws():
    scores = [Score(value, value) for value in (-3.0, -1.0, -4.0, -2.0)]
    at = positions(histories=[[0, 1]] * 4, prompt_lengths=[1] * 4, seeds=[7] * 4)
    numbers = uniforms(at, scores, 5)
    assert numbers.shape == (4, 5)
    assert len(set(numbers.ravel().tolist())) == 20
    assert ((numbers >= 0) & (numbers < 1)).all()
    # The best row's first number is that of ordinary sampling.
    assert numbers[1, 0] == float(at.uniform("select")[0])
    order = [2, 0, 3, 1]
    assert (uniforms(at, [scores[i] for i in order], 5) == numbers[order]).all()
    other = uniforms(positions(histories=[[0, 1]] * 4, prompt_lengths=[1] * 4, seeds=[8] * 4), scores, 5)
    assert not set(other.ravel().tolist()) & set(numbers.ravel().tolist())
