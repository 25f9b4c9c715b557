"""DRY, n-grams, biases and bans by hand and against the naive definition."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decodekit.errors import RequestError
from decodekit.law import Law
from decodekit.testing import positions, toy_context
from decodekit_sampling import DRY, BadWords, LogitBias, MinNewTokens, NoRepeatNGram, Suppress

TEXTS = st.lists(st.integers(0, 4), min_size=1, max_size=40)


def naive_dry(text: list[int], breakers: set[int], allowed: int, multiplier: float, base: float) -> dict[int, float]:
    """The loop of text-generation-webui #5677."""
    lengths: dict[int, int] = {}
    if text[-1] in breakers:
        return {}
    for i in range(len(text) - 1):
        if text[i] != text[-1] or text[i + 1] in breakers:
            continue
        length = 1
        while i - length >= 0 and text[i - length] == text[-1 - length] and text[-1 - length] not in breakers:
            length += 1
        lengths[text[i + 1]] = max(lengths.get(text[i + 1], 0), length)
    return {t: multiplier * base ** (n - allowed) for t, n in lengths.items() if n >= allowed}


@given(TEXTS, st.sets(st.integers(0, 4), max_size=2), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_dry_equals_the_naive_loop(text: list[int], breakers: set[int], allowed: int):
    piece = DRY(0.7, base=1.5, allowed_length=allowed, breaker_tokens=tuple(breakers))
    given_law = piece(Law(torch.zeros(1, 6, dtype=torch.float64)), positions(histories=[text], width=50, padding=1))
    expected = naive_dry(text, breakers, allowed, 0.7, 1.5)
    assert given_law.logits[0].tolist() == pytest.approx([-expected.get(t, 0.0) for t in range(6)], abs=1e-9)


def test_dry_looks_back_as_far_as_it_is_told():
    text = [1, 2, 3, 4, 1, 2]
    law, at = Law(torch.zeros(1, 6)), positions(histories=[text])
    assert DRY(1.0, breaker_tokens=())(law, at).logits.tolist() == [[0, 0, 0, -1, 0, 0]]
    assert DRY(1.0, breaker_tokens=(), last_tokens=5)(law, at).logits.tolist() == [[0, 0, 0, 0, 0, 0]]


def test_dry_stays_finite_and_fast_on_one_token_repeated():
    at = positions(histories=[[3] * 20_000])
    logits = DRY(breaker_tokens=())(Law(torch.zeros(1, 5)), at).logits
    assert bool(logits.isfinite().all())
    assert logits.argmin().item() == 3


def test_dry_finds_every_token_that_contains_a_breaker():
    assert DRY(breakers=("\n", "*")).build(toy_context(257)).breaker_tokens == (10, 42)


def test_dry_refuses_a_breaker_that_no_token_contains():
    with pytest.raises(RequestError, match="no token contains the breaker 'ab'"):
        DRY(breakers=("ab",)).build(toy_context(257))


def test_dry_needs_a_vocabulary_or_token_ids():
    context = dataclasses.replace(toy_context(8), vocabulary=None)
    with pytest.raises(RequestError, match="no tokenizer"):
        DRY().build(context)
    assert DRY(breaker_tokens=(1,)).build(context).breaker_tokens == (1,)


@given(TEXTS, st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_a_token_is_banned_exactly_where_it_repeats_an_ngram(text: list[int], n: int):
    grams = {tuple(text[i : i + n]) for i in range(len(text) - n + 1)}
    law = NoRepeatNGram(n)(Law(torch.zeros(1, 6)), positions(histories=[text], width=45, padding=2))
    for token in range(6):
        grown = [*text, token]
        assert law.allowed[0, token].item() == (len(grown) < n or tuple(grown[len(grown) - n :]) not in grams)


def word_tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["Ġcat", "cat", "c", "at", "Ġ", "Ċ", "a", "t", "Ġc", "end"]
    vocab = {word: i for i, word in enumerate(words)}
    merges = [("c", "at"), ("a", "t"), ("Ġ", "cat"), ("Ġ", "c")]
    tokenizer = Tokenizer(models.BPE(vocab, [merges[1], merges[0], merges[2]]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def text_context():
    return dataclasses.replace(toy_context(10), tokenizer=word_tokenizer())


def test_a_word_is_banned_with_and_without_a_leading_space():
    piece = BadWords("cat").build(text_context())
    law = piece(Law(torch.zeros(1, 10)), positions(1))
    assert (~law.allowed[0]).nonzero().flatten().tolist() == [0, 1]
    assert BadWords(["cat"]) == BadWords("cat")


def test_a_text_is_biased_as_its_tokens():
    law = LogitBias({"cat": 2.0, 7: -1.0}).build(text_context())(Law(torch.zeros(1, 10)), positions(1))
    assert law.logits.tolist() == [[2, 2, 0, 0, 0, 0, 0, -1, 0, 0]]


def test_text_without_a_tokenizer_is_refused():
    with pytest.raises(RequestError, match="bad_words: 'cat' is text, and this decoder has no tokenizer"):
        BadWords(["cat"]).build(toy_context(10))


@pytest.mark.parametrize("technique", [BadWords([(1, 10)]), LogitBias({10: 1.0}), Suppress([10])])
def test_a_token_outside_of_the_vocabulary_is_refused(technique: BadWords | LogitBias | Suppress):
    with pytest.raises(RequestError, match=f"{technique.name}: token 10 is outside of the model's vocabulary of 10"):
        technique.build(toy_context(10))


def test_an_empty_phrase_is_refused():
    with pytest.raises(RequestError, match=r"bad_words: \(\) has no tokens"):
        BadWords([()]).build(toy_context(10))


def test_biases_survive_json():
    technique = LogitBias({"a": 1.0, 3: -2.0, (4, 5): -30.0})
    assert LogitBias.model_validate_json(technique.model_dump_json()) == technique
    assert LogitBias(bias=[("a", 1.0), (3, -2.0)]).bias == (("a", 1.0), (3, -2.0))


def test_a_least_length_beyond_the_most_is_refused():
    with pytest.raises(RequestError, match="50 tokens are more than the 2"):
        MinNewTokens(50).build(toy_context(5, max_new_tokens=2))


def test_min_new_tokens_bans_the_requests_end_tokens():
    piece = MinNewTokens(2).build(toy_context(5))
    at = positions(histories=[[0, 1], [0, 1, 2]], prompt_lengths=[1, 1])
    assert piece(Law(torch.zeros(2, 5)), at).allowed[:, 4].tolist() == [False, True]


def test_history_beyond_the_logits_is_passed_over():
    at = positions(histories=[[9, 9, 9, 1]], width=6, padding=9)
    for piece in (NoRepeatNGram(1), DRY(allowed_length=1, breaker_tokens=())):
        assert piece(Law(torch.zeros(1, 5)), at).logits.shape == (1, 5)


def test_an_empty_history_changes_nothing():
    at = positions(histories=[[]], prompt_lengths=[0])
    assert at.history_array.dtype == np.int64
    for piece in (NoRepeatNGram(1), NoRepeatNGram(3), DRY(breaker_tokens=()), BadWords([(1, 2)])):
        assert piece(Law(torch.zeros(1, 5)), at).logits.tolist() == [[0.0] * 5]
