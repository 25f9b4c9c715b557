"""A law at full width and the same law as a candidate set are one distribution."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from decodekit.law import Law, neighbours
from decodekit.testing import as_candidates, difference, random_law

SEEDS = st.integers(0, 10_000)


@given(seed=SEEDS, vocab=st.integers(1, 40))
def test_a_candidate_set_spreads_back_to_the_full_law(seed, vocab):
    law = random_law(8, vocab, seed)
    assert difference(as_candidates(law, seed).full(vocab), law, vocab) is None


@given(seed=SEEDS, vocab=st.integers(1, 40))
def test_argmax_and_logprobs_do_not_depend_on_the_form(seed, vocab):
    law = random_law(8, vocab, seed)
    narrow = as_candidates(law, seed)
    assert narrow.argmax().tolist() == law.argmax().tolist()
    tokens = torch.arange(8) % vocab
    assert torch.allclose(narrow.logprob_of(tokens), law.logprob_of(tokens), atol=1e-12)


def test_among_equals_the_lowest_id_is_the_most_likely():
    assert Law(torch.tensor([[0.0, 2.0, 2.0]])).argmax().tolist() == [1]
    assert Law(torch.tensor([[2.0, 2.0, 0.0]]), torch.tensor([[7, 3, 1]])).argmax().tolist() == [3]


def test_keep_and_with_logits_leave_the_law_they_came_from_alone():
    law = Law(torch.tensor([[1.0, 2.0]]))
    kept = law.keep(torch.tensor([[True, False]]))
    assert (kept.allowed.tolist(), law.allowed.tolist()) == ([[True, False]], [[True, True]])
    assert law.with_logits(torch.zeros(1, 2)).logits.tolist() == [[0.0, 0.0]]


def test_probabilities_sum_to_one_and_impossible_tokens_have_none():
    law = random_law(16, 12)
    assert torch.allclose(law.probs().sum(-1), torch.ones(16, dtype=torch.float64))
    assert bool((law.probs()[~law.allowed] == 0).all())
    assert bool((law.logprobs()[~law.allowed] == -math.inf).all())


def test_candidates_keep_the_likeliest_tokens_in_order():
    law = Law(torch.tensor([[0.0, 3.0, 1.0, 2.0]]))
    narrow = law.candidates(2)
    assert (narrow.tokens(torch.tensor([[0, 1]])).tolist(), narrow.logits.tolist()) == ([[1, 3]], [[3.0, 2.0]])
    assert law.candidates(9).logits.shape == (1, 4)


def test_index_select_repeats_and_reorders_positions():
    law = as_candidates(random_law(4, 6))
    chosen = law.index_select(torch.tensor([3, 3, 0]))
    assert chosen.ids is not None
    assert law.ids is not None
    assert chosen.ids.tolist() == [law.ids[i].tolist() for i in (3, 3, 0)]


@pytest.mark.parametrize("token", [0, 4])
def test_a_token_outside_of_the_candidates_is_impossible(token):
    law = Law(torch.zeros(1, 2), torch.tensor([[1, 2]]))
    assert law.logprob_of(torch.tensor([token])).tolist() == [-math.inf]


@pytest.mark.parametrize("places", [[1, 2, 3], [0], [2, 1], [3, 3, 0], []])
def test_laws_at_places_are_those_rows_and_a_view_where_they_stand_side_by_side(places):
    law = as_candidates(random_law(4, 20, 3), 3)
    taken = law.at(places)
    assert torch.equal(taken.logits, law.logits[places])
    assert taken.ids is not None
    assert law.ids is not None
    assert torch.equal(taken.ids, law.ids[places])
    shares = taken.logits.untyped_storage().data_ptr() == law.logits.untyped_storage().data_ptr()
    assert shares == (neighbours(places) is not None)
