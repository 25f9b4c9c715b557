"""Prompt lookup against a search written with loops."""

import numpy as np
import pytest

from decodekit import RequestError
from decodekit.testing import positions
from decodekit_speculative import PromptLookup


def by_hand(text, drafter, limit):
    """Try lengths from long to short, places from late to early."""
    for size in range(min(drafter.max_ngram, len(text) - 1), drafter.min_ngram - 1, -1):
        for end in range(len(text) - 2, size - 2, -1):
            if text[end - size + 1 : end + 1] == text[-size:]:
                grown = list(text)
                for i in range(min(limit, drafter.tokens)):
                    grown.append(grown[end + 1 + i])
                return grown[len(text) :]
    return []


def drafts(drafter, texts, limits):
    width = max(map(len, texts)) + 3
    at = positions(histories=texts, width=width, padding=texts[0][-1])
    return [list(draft.tokens) for draft in drafter(at, limits)]


@pytest.mark.parametrize("vocab", [2, 3, 8])
@pytest.mark.parametrize(("most", "least"), [(1, 1), (2, 1), (3, 2), (5, 3)])
def test_drafts_are_those_of_a_search_by_hand(vocab, most, least):
    random = np.random.default_rng(vocab)
    drafter = PromptLookup(6, max_ngram=most, min_ngram=least)
    for _ in range(60):
        texts = [random.integers(vocab, size=random.integers(1, 30)).tolist() for _ in range(5)]
        limits = random.integers(0, 9, size=5).tolist()
        assert drafts(drafter, texts, limits) == [by_hand(t, drafter, n) for t, n in zip(texts, limits, strict=True)]


def test_a_longer_match_wins_over_a_later_one_and_then_the_latest():
    drafter = PromptLookup(1, max_ngram=2, min_ngram=1)
    assert drafts(drafter, [[1, 2, 7, 9, 2, 8, 1, 2]], [5]) == [[7]]
    assert drafts(drafter, [[1, 2, 7, 1, 2, 8, 1, 2]], [5]) == [[8]]


def test_a_repetition_is_continued_beyond_the_end_of_the_text():
    assert drafts(PromptLookup(7), [[9, 1, 2, 3, 1, 2, 3]], [5]) == [[1, 2, 3, 1, 2]]


def test_nothing_is_drafted_where_nothing_matches_or_no_room_is_left():
    assert drafts(PromptLookup(3), [[1, 2, 3], [4], [1, 2, 1, 2]], [5, 5, 0]) == [[], [], []]


@pytest.mark.parametrize("wrong", [{"tokens": 0}, {"min_ngram": 0}, {"min_ngram": 3, "max_ngram": 2}])
def test_parameters_that_make_no_sense_are_refused(wrong):
    with pytest.raises(RequestError):
        PromptLookup(**wrong)


def test_min_ngram_beyond_max_ngram_says_both():
    with pytest.raises(RequestError, match="min_ngram is 3 and max_ngram 2, which is less"):
        PromptLookup(min_ngram=3, max_ngram=2)
