"""`grammar=` in whole generations: every way to decode, judged by Lark."""

import json

import lark
import pytest

from decodekit import Decoder
from decodekit.errors import (
    DecodekitError,
    IncompatibleTechniquesError,
    SchemaError,
    UnsatisfiableSchemaError,
    UnsupportedSchemaError,
)
from decodekit.plugins import plugins
from decodekit.request import Request
from decodekit.testing import tiny_llama
from decodekit.vocabulary import Vocabulary
from decodekit_demo import model_path

SUMS = """
start: expr
?expr: expr "+" term | term          // left recursion is fine
?term: term "*" factor | factor
factor: NUMBER | "(" expr ")"
%import common.INT -> NUMBER
%ignore " "
"""
LISTS = 'start: "[" [item ("," item)*] "]"\nitem: start | "yes" | "no" | /[a-c]+/'
AGREEMENT = 'start: "a" start "b" | "a" start "c" | "x"'
"""As many letters before the x as behind it."""
PROMPTS = ["1+", "Once upon a time there was a bear", "([["]
WAYS = {
    "greedy": {},
    "sampled": {"temperature": 1.5, "top_p": 0.95},
    "three samples": {"temperature": 1.5, "n": 3},
    "beams": {"beam_search": 3, "n": 3},
    "sampled beams": {"beam_sample": 2, "temperature": 1.3},
    "prompt lookup": {"prompt_lookup": 3, "temperature": 1.2},
    "forced tokens": {"forced_tokens": True, "temperature": 1.2},
    "forced tokens under beams": {"forced_tokens": True, "beam_search": 2},
    "lookup and forced": {"prompt_lookup": 2, "forced_tokens": True},
    "penalties": {"repetition_penalty": 1.3, "min_new_tokens": 3},
}


@pytest.fixture(scope="module")
def decoder():
    return Decoder.from_pretrained(model_path())


def follows(grammar, text):
    try:
        lark.Lark(grammar, parser="earley", lexer="dynamic_complete").parse(text)
    except lark.exceptions.UnexpectedInput:
        return False
    return True


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("grammar", [SUMS, LISTS, AGREEMENT], ids=["sums", "lists", "agreement"])
def test_every_way_to_decode_gives_texts_of_the_grammar(decoder, grammar, way):
    for budget in (3, 16):
        results = decoder.generate(PROMPTS, grammar=grammar, max_new_tokens=budget, seed=7, **WAYS[way])
        samples = [sample for result in results for sample in result.samples]
        assert len(samples) == len(PROMPTS) * WAYS[way].get("n", 1)
        assert all(len(sample.tokens) <= budget for sample in samples)
        assert [sample.text for sample in samples if not follows(grammar, sample.text)] == []


def test_a_draft_model_changes_nothing(decoder):
    model, words = tiny_llama(257, seed=1, eos_token_id=256), Vocabulary.from_bytes()
    alone = Decoder(model, words).generate([65, 66], grammar=SUMS, max_new_tokens=24)
    draft = tiny_llama(257, seed=2, eos_token_id=256)
    drafted = Decoder(model, words).generate([65, 66], grammar=SUMS, max_new_tokens=24, draft_model=draft)
    assert drafted.tokens == alone.tokens
    assert drafted.stats.drafted_tokens > 0
    assert follows(SUMS, drafted.text)


def test_forced_text_is_drafted(decoder):
    grammar = 'start: "the bear has " /[0-9]/ " honey pots"'
    found = decoder.generate("x", grammar=grammar, max_new_tokens=40, forced_tokens=True)
    assert follows(grammar, found.text)
    assert found.stats.accepted_tokens > 0
    assert found.stats.steps < len(found.tokens)


def test_a_row_is_written_as_alone_whatever_the_batch_has(decoder):
    requests = [{"grammar": SUMS}, {"grammar": LISTS}, {"regex": "[0-9]{4}"}]
    alone = [decoder.generate(p, max_new_tokens=12, **r).text for p, r in zip(PROMPTS, requests, strict=True)]
    together = [decoder.request(p, max_new_tokens=12, **r) for p, r in zip(PROMPTS, requests, strict=True)]
    assert [result.text for result in decoder.generate(together)] == alone


def test_a_stream_gives_the_same_text_in_pieces(decoder):
    whole = decoder.generate(PROMPTS[0], grammar=LISTS, max_new_tokens=20).text
    assert "".join(piece.text for piece in decoder.stream(PROMPTS[0], grammar=LISTS, max_new_tokens=20)) == whole


def test_a_stop_string_ends_a_text_in_its_middle(decoder):
    grammar = 'start: "one, two, three, four"'
    found = decoder.generate("x", grammar=grammar, max_new_tokens=30, stop=["two"], forced_tokens=True)
    assert (found.text, found.finish_reason) == ("one, ", "stop")


def test_too_few_tokens_are_refused_with_the_number_that_is_needed(decoder):
    model = tiny_llama(257, eos_token_id=256)
    with pytest.raises(DecodekitError, match="5"):
        Decoder(model, Vocabulary.from_bytes()).generate(
            [65], grammar='start: "(" start ")" | "abc" "de"', max_new_tokens=4
        )
    found = Decoder(model, Vocabulary.from_bytes()).generate(
        [65], grammar='start: "(" start ")" | "abc" "de"', max_new_tokens=5
    )
    assert found.text == "abcde"


@pytest.mark.parametrize(
    ("grammar", "error", "message"),
    [
        ('start: "a" b', SchemaError, "grammar, line 1, column 12: the rule b is not defined"),
        ("start: /^a/", UnsupportedSchemaError, "grammar, line 1, column 8: .* has an anchor"),
        ('start: "a" start', UnsatisfiableSchemaError, "grammar: no text follows the rule start"),
        ("sums.lark", SchemaError, "grammar: 'sums.lark' is neither a grammar nor a file"),
    ],
)
def test_what_cannot_be_followed_is_refused_before_the_first_token(decoder, grammar, error, message):
    with pytest.raises(error, match=message):
        decoder.generate("x", grammar=grammar)


def test_two_constraints_are_refused_by_name(decoder):
    with pytest.raises(IncompatibleTechniquesError, match="'grammar' and 'regex' cannot be combined"):
        decoder.generate("x", grammar=SUMS, regex="1+")


def test_no_text_in_tokens_of_the_vocabulary_is_an_error():
    words = Vocabulary((b"a", b"b", None), (2,))
    with pytest.raises(UnsatisfiableSchemaError, match="tokens of this vocabulary"):
        Decoder(tiny_llama(3, eos_token_id=2), words).generate([0], grammar='start: "ac"')


def test_a_request_with_a_grammar_is_written_and_read_as_json(decoder):
    request = decoder.request("1+", grammar=SUMS, max_new_tokens=8)
    again = Request.from_dict(json.loads(json.dumps(request.to_dict())), plugins())
    assert decoder.generate(again).tokens == decoder.generate(request).tokens
