"""What a constraint forces, in tokens that nothing else could stand for and in text that could be spelled otherwise."""

import re
from dataclasses import replace

import pytest

from decodekit import Decoder, Vocabulary
from decodekit.errors import IncompatibleTechniquesError
from decodekit.testing import toy_context
from decodekit.testing.oracle import Oracle
from decodekit.testing.toys import tiny_llama
from decodekit_outlines import Choice, JSONSchema, Regex
from decodekit_speculative import ForcedTokens

WORDS = Vocabulary(
    (
        b"{",
        b'{"',
        b"na",
        b"me",
        b"name",
        b'"',
        b'":',
        b":",
        b"1",
        b"2",
        b"}",
        b"n",
        b"a",
        b"m",
        b"e",
        b" ",
        b'"}',
        None,
    ),
    (17,),
)
SCHEMA = {"properties": {"name": {"enum": [1, 2]}}, "required": ["name"]}


def runs(constraint, **fields):
    context = toy_context(vocabulary=WORDS)
    compiled = constraint.build(context)
    return ForcedTokens(**fields).build(replace(context, constraint=compiled)), compiled


def spelled(tokens):
    return [WORDS.tokens[token] for token in tokens]


def test_forced_text_is_spelled_in_the_longest_tokens():
    piece, _ = runs(JSONSchema(SCHEMA, whitespace="compact"))
    assert spelled(piece.run(piece.start(()), 16)) == [b'{"', b"name", b'":']


def test_a_word_that_has_begun_is_finished():
    piece, compiled = runs(JSONSchema(SCHEMA, whitespace="compact"))
    state = compiled.index.automaton.walk(0, b'{"na')
    assert spelled(piece.run(state, 16)) == [b"me", b'":']


def test_optional_whitespace_and_values_are_a_choice():
    piece, compiled = runs(JSONSchema(SCHEMA, whitespace="single"))
    assert spelled(piece.run(piece.start(()), 16)) == [b'{"', b"name", b'":']
    assert piece.run(compiled.index.automaton.walk(0, b'{"name":'), 16) == []


def test_after_the_last_value_the_end_is_forced_and_then_nothing():
    piece, compiled = runs(JSONSchema(SCHEMA, whitespace="compact"))
    assert spelled(piece.run(compiled.index.automaton.walk(0, b'{"name":1'), 16)) == [b"}"]
    assert piece.run(compiled.index.automaton.walk(0, b'{"name":1}'), 16) == []


def test_a_text_that_may_end_here_is_not_forced_on():
    piece, compiled = runs(Regex("n(ame)?"))
    assert piece.run(compiled.index.automaton.walk(0, b"n"), 16) == []


@pytest.mark.parametrize("limit", range(4))
def test_no_more_than_the_limit_is_proposed(limit):
    piece, _ = runs(JSONSchema(SCHEMA, whitespace="compact"))
    assert len(piece.run(piece.start(()), limit)) == limit


def test_certain_leaves_out_what_could_be_spelled_in_other_tokens():
    piece, compiled = runs(JSONSchema(SCHEMA, whitespace="compact"), certain=True)
    assert piece.run(piece.start(()), 16) == []
    assert spelled(piece.run(compiled.index.automaton.walk(0, b'{"name":2'), 16)) == [b"}"]


@pytest.mark.parametrize("pattern", ["1(2 )?n", "(12|1:)n{2}}", "(1|2)nn(a|e)"])
def test_certain_tokens_are_the_only_ones_that_brute_force_allows(pattern):
    piece, compiled = runs(Regex(re.sub("}$", r"\\}", pattern)), certain=True)
    oracle = Oracle(WORDS, lambda text: re.fullmatch(pattern.encode(), text) is not None, lambda text: len(text) < 6)
    layer, seen = [b""], 0
    while layer:
        grown = []
        for begun in layer:
            text = begun
            forced = piece.run(compiled.index.automaton.walk(0, text), 8)
            for token in forced:
                assert not oracle.accepts(text)
                assert oracle.allowed(text, 6) == {token}
                text, seen = text + WORDS.tokens[token], seen + 1
            grown += [text + WORDS.tokens[t] for t in oracle.allowed(text, 6)]
        layer = grown
    assert seen


def test_a_request_without_a_constraint_is_refused_by_name():
    decoder = Decoder(tiny_llama(18), WORDS)
    with pytest.raises(IncompatibleTechniquesError, match="'forced_tokens': it needs a constraint such as json_schema"):
        decoder.generate([1, 2], forced_tokens=True)
    with pytest.raises(IncompatibleTechniquesError, match="'forced_tokens': it needs a constraint"):
        ForcedTokens().build(toy_context())


@pytest.mark.parametrize("options", [{}, {"temperature": 2.0, "seed": 3, "n": 3}])
@pytest.mark.parametrize("certain", [True, False])
def test_certain_tokens_are_always_kept_and_the_text_stays_the_same(options, certain):
    decoder = Decoder(tiny_llama(18, seed=1), WORDS)
    constraint = {"json_schema": {"schema": SCHEMA, "whitespace": "compact"}, "max_new_tokens": 14}
    plain = decoder.generate([1, 2], **constraint, **options)
    forced = decoder.generate([1, 2], **constraint, **options, forced_tokens={"certain": certain})
    assert [s.text for s in forced.samples] == [s.text for s in plain.samples]
    assert [s.tokens for s in forced.samples] == [s.tokens for s in plain.samples]
    assert forced.stats.drafted_tokens > 0
    if certain:
        assert forced.stats.accepted_tokens == forced.stats.drafted_tokens


def test_choices_are_finished_once_they_are_decided():
    piece, compiled = runs(Choice(("name 1", "eem 2")))
    assert spelled(piece.run(compiled.index.automaton.walk(0, b"n"), 16)) == [b"a", b"me", b" ", b"1"]
