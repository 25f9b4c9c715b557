"""What a stop string leaves of a text that has a constraint: read where it still satisfies it, else told why not."""

import re

import pytest

from decodekit import Decoder, Vocabulary
from decodekit.testing.toys import tiny_llama

PAIRS = [b"ab", b"ba", b"b,", b",a", b"aab", "é".encode(), "éa".encode(), "a€".encode()]
"""Tokens besides single bytes, so that a stop string cuts inside of them."""
PATTERN = "(a+b?|é|a€)(,(a+b?|éa*))*"


@pytest.fixture(scope="module")
def decoder():
    single = [bytes([byte]) for byte in range(256)]
    return Decoder(tiny_llama(257 + len(PAIRS), seed=4), Vocabulary((*single, None, *PAIRS), (256,)))


@pytest.mark.parametrize("stop", ["b", "a", ",", "é", "€", "ab,", ["a,", "b"]], ids=str)
@pytest.mark.parametrize("options", [{"multinomial": True}, {"beam_search": 3}], ids=["samples", "beams"])
def test_what_is_left_of_a_text_is_judged_as_the_oracle_does(decoder, stop, options):
    found = decoder.generate(["x", "y", "z"], regex=PATTERN, stop=stop, n=3, seed=1, max_new_tokens=16, **options)
    samples = [sample for result in found for sample in result.samples]
    assert "multinomial" not in options or any(sample.finish_reason == "stop" for sample in samples)
    for sample in samples:
        assert (sample.parse_error is None) == bool(re.fullmatch(PATTERN, sample.text)), sample


def test_a_document_that_was_cut_is_no_other_document(decoder):
    found = decoder.generate("x", json_schema={"enum": ["ab"]}, stop='"', max_new_tokens=9)
    assert (found.text, found.parsed) == ("", None)
    digits = {"bad_words": [[ord(letter)] for letter in ".eE"]}
    found = decoder.generate("x", json_schema={"const": 1234}, stop="3", max_new_tokens=9, **digits)
    assert (found.text, found.parsed) == ("12", None)


def test_the_stop_string_that_cut_a_document_is_named(decoder):
    schema = {"const": {"a": {"b": True}}}
    found = decoder.generate("x", json_schema={"schema": schema, "whitespace": "compact"}, stop=["]", "}"])
    assert found.text == '{"a":{"b":true'
    assert found.parse_error == "the text ended before json_schema was complete: the stop string '}' cut it"


def test_what_else_ended_a_document_is_named(decoder):
    options = {"json_schema": {"const": "abc"}, "max_new_tokens": 9}
    found = decoder.generate("x", stop=lambda row: len(row.tokens) == 2, **options)
    assert found.parse_error == "the text ended before json_schema was complete: finish reason 'stop'"
    found = decoder.generate("x", stop_regex="a", **options)
    assert found.parse_error == "the text ended before json_schema was complete: finish reason 'stop_regex'"


def test_calls_before_a_stop_string_are_given(decoder):
    none = {"type": "object", "additionalProperties": False}
    asked = {"tool_calls": {"tools": [{"name": "f", "parameters": none}], "begin": "<{name}>", "end": "</f>"}}
    options = {"logit_bias": {ord("<"): 5.5}, "seed": 7, "multinomial": True, "max_new_tokens": 40}
    *_, whole = decoder.stream("x", **asked, **options, min_new_tokens=40)
    first, _, rest = whole.completion.text.partition("</f>")
    assert rest, "a seed of which the text goes on behind its first call"
    *_, last = decoder.stream("x", **asked, **options, min_new_tokens=40, stop=rest[:2])
    assert last.completion.text == f"{first}</f>"
    assert [call.name for call in last.completion.parsed] == ["f"]
    assert len(last.partial) == 1
    *_, last = decoder.stream("x", **asked, **options, min_new_tokens=40, stop=f">{rest[:2]}")
    assert (last.completion.parsed, last.finish_reason) == (None, "stop")


def test_without_single_bytes_a_cut_inside_of_a_token_counts_as_incomplete():
    words = [b"one", b"two", b"one two", b" "]
    decoder = Decoder(tiny_llama(5), Vocabulary((*words, None), (4,)))
    found = decoder.generate([0], choice=["one two", "one"], logit_bias={2: 50}, stop=" t", max_new_tokens=4)
    assert (found.text, found.parsed) == ("one", None)
    assert "the stop string ' t' cut it" in found.parse_error
