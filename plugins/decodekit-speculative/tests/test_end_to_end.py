"""Texts with drafts that are not drawn at random against texts without."""

import pytest

from decodekit import Decoder, Vocabulary
from decodekit.errors import IncompatibleTechniquesError
from decodekit.testing import tiny_llama

WORDS = Vocabulary((*(bytes([c]) for c in b'{"nam:12}, xyz'), b'{"', b"na", b'":', None), (17,))
PROMPTS = [[1, 2, 3, 1, 2, 3, 1], [5] * 9, [7, 8], [4, 3, 2, 1, 0]]
CARD = {"nam": {"enum": [1, 2, 12]}, "a": {"type": "integer"}}
SCHEMA = {
    "schema": {"type": "object", "properties": CARD, "required": ["nam"], "additionalProperties": False},
    "whitespace": "compact",
}
LOOKUP = {"prompt_lookup": {"tokens": 4, "min_ngram": 1}}
FORCED = {"forced_tokens": True}
CONSTRAINTS = [{}, {"regex": "(na|xy){3,9}m?"}, {"json_schema": SCHEMA}]
CHOICES = [
    {},
    {"repetition_penalty": 1.3, "min_new_tokens": 4},
    {"temperature": 1.1, "top_k": 6, "seed": 4},
    {"mirostat": 2.0, "seed": 5},
]


@pytest.fixture(scope="module")
def decoder():
    return Decoder(tiny_llama(18, seed=5, initializer_range=0.5), WORDS)


def drafters(constraint):
    return [LOOKUP] if not constraint else [LOOKUP, FORCED, FORCED | LOOKUP]


def everything(result):
    return [(s.tokens, s.text, s.finish_reason, s.parsed) for s in result.samples]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=str)
def test_a_ragged_batch_with_samples_gets_the_text_it_gets_without_drafts(decoder, constraint, choice):
    options = {"max_new_tokens": 20, "n": 2} | constraint | choice
    plain = decoder.generate(PROMPTS, **options)
    for drafter in drafters(constraint):
        drafted = decoder.generate(PROMPTS, **options, **drafter)
        assert [everything(r) for r in drafted] == [everything(r) for r in plain]
        for a, b in zip(drafted, plain, strict=True):
            assert a.samples[0].logprobs == pytest.approx(b.samples[0].logprobs, abs=1e-9)
        assert sum(r.stats.drafted_tokens for r in drafted) > 0


@pytest.mark.parametrize("verifier", ["token_rule", "block_rule"])
def test_greedy_text_stays_the_same_under_a_ratio_rule(decoder, verifier):
    plain = decoder.generate(PROMPTS, max_new_tokens=20)
    drafted = decoder.generate(PROMPTS, max_new_tokens=20, **LOOKUP, **{verifier: True})
    assert [everything(r) for r in drafted] == [everything(r) for r in plain]
    assert sum(r.stats.accepted_tokens for r in drafted) > 0


@pytest.mark.parametrize("stop", ["string", "callable", "token"])
def test_a_stop_inside_of_a_draft_cuts_where_it_cuts_without(decoder, stop):
    free = decoder.generate(PROMPTS[0], max_new_tokens=24, **LOOKUP)
    assert free.stats.accepted_tokens > 2
    for place in range(2, len(free.tokens) - 2, 3):
        options = {
            "string": {"stop": [free.text[place : place + 2]]},
            "callable": {"stop": [lambda row, place=place: len(row.tokens) == place]},
            "token": {"stop_tokens": [free.tokens[place]]},
        }[stop]
        plain = decoder.generate(PROMPTS, max_new_tokens=24, **options)
        drafted = decoder.generate(PROMPTS, max_new_tokens=24, **options, **LOOKUP)
        assert [everything(r) for r in drafted] == [everything(r) for r in plain]


@pytest.mark.parametrize("options", [{}, {"stop": ["xy"]}, {"json_schema": SCHEMA, "forced_tokens": True}], ids=str)
def test_a_stream_of_drafts_adds_up_to_the_text(decoder, options):
    options = {"max_new_tokens": 20} | options
    pieces = list(decoder.stream(PROMPTS[0], **options, **LOOKUP))
    plain = decoder.generate(PROMPTS[0], **{k: v for k, v in options.items() if k != "forced_tokens"})
    assert "".join(piece.text for piece in pieces) == plain.text
    assert [token for piece in pieces for token in piece.tokens] == plain.tokens
    assert "json_schema" in options or max(len(piece.tokens) for piece in pieces) > 1


def test_the_block_rule_refuses_two_drafters(decoder):
    with pytest.raises(IncompatibleTechniquesError, match="'block_rule': it judges the draft of one drafter"):
        decoder.generate(PROMPTS[0], regex="na+", **LOOKUP, **FORCED, block_rule=True)


@pytest.mark.parametrize("rule", ["token_rule", "block_rule"])
def test_a_ratio_rule_that_would_have_no_effect_is_refused_by_name(decoder, rule):
    with pytest.raises(IncompatibleTechniquesError, match=rf"'{rule}' \(verifier\) judges drafts, .* has no drafter"):
        decoder.generate(PROMPTS[0], **{rule: True})
