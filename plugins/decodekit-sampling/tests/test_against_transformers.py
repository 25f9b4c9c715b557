"""Equality with transformers' processors, in float64, on laws with ties and impossible tokens, narrow and wide."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers.generation import logits_process as hf

from decodekit.law import Law
from decodekit.testing import as_candidates, positions, random_law, toy_context
from decodekit_sampling import (
    BadWords,
    Epsilon,
    Eta,
    LogitBias,
    MinNewTokens,
    MinP,
    NoRepeatNGram,
    RepetitionPenalty,
    Suppress,
    Temperature,
    TopH,
    TopK,
    TopP,
    Typical,
)

# "flat" laws have every entry equal; "sharp" ones underflow: transformers removes what underflows even at mass 1.
STATELESS = [
    (Temperature(0.3), hf.TemperatureLogitsWarper(0.3)),
    (Temperature(4.0), hf.TemperatureLogitsWarper(4.0)),
    (TopK(1), hf.TopKLogitsWarper(1)),
    (TopK(7), hf.TopKLogitsWarper(7)),
    (TopK(200), hf.TopKLogitsWarper(200)),
    (TopK(100_000), hf.TopKLogitsWarper(100_000)),
    (MinP(0.02), hf.MinPLogitsWarper(0.02)),
    (MinP(0.9), hf.MinPLogitsWarper(0.9)),
    (Typical(0.3), hf.TypicalLogitsWarper(0.3)),
    (Typical(0.97), hf.TypicalLogitsWarper(0.97)),
    (Epsilon(0.001), hf.EpsilonLogitsWarper(0.001)),
    (Epsilon(0.4), hf.EpsilonLogitsWarper(0.4)),
    (Eta(0.002), hf.EtaLogitsWarper(0.002)),
    (Eta(0.3), hf.EtaLogitsWarper(0.3)),
]
WIDTHS = (23, 4099)


def laws(width: int) -> Law:
    return random_law(24, width, seed=7)


def assert_same(technique: Any, law: Law, expected: torch.Tensor, at: Any = None) -> None:
    width = law.logits.shape[-1]
    at = positions(len(law.logits)) if at is None else at
    for form in (law, as_candidates(law)):
        found = technique(form, at).full(width).logits
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("ours", "theirs"), STATELESS, ids=lambda value: repr(value) if hasattr(value, "name") else "")
def test_stateless_techniques_equal_transformers(ours: Any, theirs: Any, width: int):
    law = laws(width)
    assert_same(ours, law, theirs(torch.zeros(24, 1, dtype=torch.int64), law.logits))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("p", [0.05, 0.5, 0.9, 0.999])
def test_top_p_equals_transformers_where_no_tie_is_cut(p: float, width: int):
    # "ties" and "flat" laws are cut inside of ties, where transformers takes whichever its sort leaves last.
    law = laws(width)
    law = law.index_select(torch.tensor([i for i in range(24) if i % 8 not in (2, 3, 5)]))
    assert_same(TopP(p), law, hf.TopPLogitsWarper(p)(None, law.logits))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("p", [0.05, 0.5, 0.9, 0.999])
def test_top_p_keeps_as_many_as_transformers_within_ties(p: float, width: int):
    law = laws(width).index_select(torch.tensor([2, 3, 10, 11, 18, 19]))
    theirs = hf.TopPLogitsWarper(p)(None, law.logits)
    ours = TopP(p)(law, positions(6)).full(width).logits
    assert torch.equal(ours.sort(dim=-1).values, theirs.sort(dim=-1).values)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_top_h_equals_transformers(share: float, width: int):
    # transformers' entropy terms are NaN beyond an impossible token, so laws with few possible ones are left out, and
    # so are ties, which its topk cuts in no particular order.
    law = laws(width).index_select(torch.tensor([0, 7, 8, 15, 16, 23]))
    assert_same(TopH(share), law, hf.TopHLogitsWarper(share)(None, law.logits))


HISTORIES = [[1, 2, 3, 1, 2], [4, 4, 4, 4, 4], [5, 6, 1, 2, 9]]


def with_history(width: int = 23) -> tuple[Law, Any, torch.Tensor]:
    at = positions(histories=HISTORIES, prompt_lengths=[2, 2, 2], width=9, padding=3)
    return random_law(3, width, seed=5), at, torch.tensor(HISTORIES)


@pytest.mark.parametrize("penalty", [0.5, 1.0, 1.7])
def test_repetition_penalty_equals_transformers(penalty: float):
    law, at, ids = with_history()
    assert_same(RepetitionPenalty(penalty), law, hf.RepetitionPenaltyLogitsProcessor(penalty)(ids, law.logits), at)


def test_repetition_penalty_without_the_prompt_equals_transformers():
    law, at, ids = with_history()
    theirs = hf.RepetitionPenaltyLogitsProcessor(1.4, prompt_ignore_length=2)(ids, law.logits)
    assert_same(RepetitionPenalty(1.4, include_prompt=False), law, theirs, at)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7])
def test_no_repeat_ngram_equals_transformers(n: int):
    law, at, ids = with_history()
    assert_same(NoRepeatNGram(n), law, hf.NoRepeatNGramLogitsProcessor(n)(ids, law.logits), at)


def test_logit_bias_equals_transformers():
    law, at, ids = with_history()
    bias = {(2,): 1.5, (3, 1): -2.0, (1, 2, 7): 4.0, (4, 4): -30.0, (1, 2, 3, 1, 2, 5, 6): 9.0}
    theirs = hf.SequenceBiasLogitsProcessor(bias)(ids, law.logits)
    assert_same(LogitBias(bias).build(toy_context(23)), law, theirs, at)


def test_bad_words_equal_transformers():
    law, at, ids = with_history()
    words = [[2], [1, 2, 9], [4, 4], [22], [2, 8]]
    theirs = hf.NoBadWordsLogitsProcessor(words, eos_token_id=22)(ids, law.logits)
    ours = BadWords([tuple(word) for word in words]).build(toy_context(23))
    assert_same(ours, law, theirs, at)


def test_suppress_equals_transformers():
    law, at, ids = with_history()
    assert_same(Suppress([1, 5, 22]), law, hf.SuppressTokensLogitsProcessor([1, 5, 22])(ids, law.logits), at)


@pytest.mark.parametrize("n", [0, 3, 4])
def test_min_new_tokens_equals_transformers(n: int):
    law, at, ids = with_history()
    theirs = hf.MinNewTokensLengthLogitsProcessor(2, n, [22, 0])(ids, law.logits)
    assert_same(MinNewTokens(n, end_tokens=(22, 0)), law, theirs, at)
