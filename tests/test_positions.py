"""Positions: what stands in the history, and random numbers that belong to a position."""

from __future__ import annotations

import numpy as np
import pytest

from decodekit.testing import positions as make


def test_histories_are_right_padded_and_masked():
    at = make(histories=[[5], [6, 7, 8]], prompt_lengths=[1, 2], padding=9)
    assert at.history.tolist() == [[5, 9, 9], [6, 7, 8]]
    assert at.in_history.tolist() == [[True, False, False], [True, True, True]]
    assert at.in_generated.tolist() == [[False, False, False], [False, False, True]]
    assert at.new_tokens.tolist() == [0, 1]


def test_index_select_takes_everything_along():
    at = make(histories=[[1], [2, 3]], states=["a", "b"], seeds=[4, 5], samples=[6, 7]).index_select([1, 1, 0])
    assert at.history.tolist() == [[2, 3], [2, 3], [1, 0]]
    assert (at.states, at.seeds.tolist(), at.samples.tolist()) == (["b", "b", "a"], [5, 5, 4], [7, 7, 6])


def test_with_states_changes_the_states_only():
    at = make(2, states=[1, 2])
    other = at.with_states([3, 4])
    assert (at.states, other.states) == ([1, 2], [3, 4])
    assert other.history_array is at.history_array


def test_a_number_belongs_to_seed_sample_position_and_purpose():
    histories = [[0], [0, 1], [0], [0], [0]]
    at = make(histories=histories, prompt_lengths=[1] * 5, seeds=[1, 1, 2, 1, 1], samples=[0, 0, 0, 1, 0])
    numbers = at.uniform("select").tolist()
    assert len(set(numbers)) == 4
    assert numbers[0] == numbers[4]
    assert not set(numbers) & set(at.uniform("xtc").tolist())


def test_a_number_does_not_depend_on_the_prompt_or_its_length():
    at = make(histories=[[1], [2, 3, 4]], prompt_lengths=[1, 3], seeds=[8, 8])
    first, second = at.uniform("select").tolist()
    assert first == second


def test_scripted_positions_keep_their_script_through_a_gather():
    at = make(3, draw=lambda seeds, *_: seeds.astype(np.float64) / 4)
    assert at.index_select([2, 0]).with_states([1, 2]).uniform("any").tolist() == [0.5, 0.0]


def test_numbers_of_positions_that_do_not_agree_are_refused():
    with pytest.raises(ValueError, match="2 positions, but 3 values"):
        make(histories=[[1], [2]], states=[1, 2, 3])
