"""What a constraint forces, in tokens that nothing else could stand for and in text that could be spelled otherwise."""

from dataclasses import replace

import pytest

from decodekit import Decoder, Vocabulary
from decodekit.testing import toy_context
from decodekit.testing.oracle import Oracle
from decodekit.testing.toys import tiny_llama
from decodekit_outlines import OutlinesChoice as Choice
from decodekit_outlines import OutlinesJSONSchema as JSONSchema
from decodekit_outlines import OutlinesRegex as Regex
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
SCHEMA = {
    "type": "object",
    "properties": {"name": {"enum": [1, 2]}},
    "required": ["name"],
    "additionalProperties": False,
}


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


@pytest.mark.parametrize("search", [{}, {"beam_search": 3, "n": 2}], ids=str)
@pytest.mark.parametrize("certain", [True, False])
def test_the_last_token_of_all_is_left_to_the_model(search, certain):
    decoder = Decoder(tiny_llama(18, seed=1), WORDS)
    options = {"regex": "(1|2):(2} |2}:)", "max_new_tokens": 8, **search}
    plain = decoder.generate([1, 2], **options)
    forced = decoder.generate([1, 2], **options, forced_tokens={"certain": certain})
    assert [(s.tokens, s.finish_reason, s.score) for s in forced.samples] == [
        (s.tokens, s.finish_reason, None if s.score is None else pytest.approx(s.score)) for s in plain.samples
    ]
    # Forced are the colon, and the second token behind it, behind which a third is to come.
    assert forced.stats.drafted_tokens > 0
    assert forced.stats.steps < plain.stats.steps
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
    piece, _ = runs(JSONSchema(SCHEMA, whitespace="compact"), certain=True)
    assert piece.run(piece.start(()), 16) == []
    piece, compiled = runs(Regex("{1: 2}"), certain=True)
    assert spelled(piece.run(compiled.index.automaton.walk(0, b"{"), 16)) == [b"1", b":", b" ", b"2", b"}"]


@pytest.mark.parametrize(
    ("pattern", "language"),
    [
        ("1(2 )?n}", (b"1n}", b"12 n}")),
        (r"(12|1:)n{2}\}", (b"12nn}", b"1:nn}")),
        ("(1|2)nn(a|e)", (b"1nna", b"1nne", b"2nna", b"2nne")),
    ],
)
def test_certain_tokens_are_the_only_ones_that_brute_force_allows(pattern, language):
    piece, compiled = runs(Regex(pattern), certain=True)
    oracle = Oracle(WORDS, lambda text: text in language, lambda text: any(word.startswith(text) for word in language))
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


def test_without_a_constraint_nothing_is_forced():
    decoder = Decoder(tiny_llama(18), WORDS)
    plain = decoder.generate([1, 2], max_new_tokens=8)
    forced = decoder.generate([1, 2], max_new_tokens=8, forced_tokens=True)
    assert forced.tokens == plain.tokens
    assert forced.stats.drafted_tokens == 0


@pytest.mark.parametrize(
    "search",
    [
        {"beam_search": 3},
        {"beam_search": {"width": 2, "length_penalty": 0.5}},
        {"diverse_beam": {"width": 4, "groups": 2}},
    ],
    ids=str,
)
def test_beams_find_the_texts_that_they_find_without_and_in_fewer_steps(search):
    decoder = Decoder(tiny_llama(18, seed=1), WORDS)
    options = {"json_schema": {"schema": SCHEMA, "whitespace": "compact"}, "max_new_tokens": 14, "n": 2, **search}
    plain = decoder.generate([[1, 2], [3] * 5], **options)
    forced = decoder.generate([[1, 2], [3] * 5], **options, forced_tokens={"certain": True})
    spelled_too = decoder.generate([[1, 2], [3] * 5], **options, forced_tokens=True)
    for fast in (forced, spelled_too):
        assert [[(s.tokens, s.text, s.parsed) for s in r.samples] for r in fast] == [
            [(s.tokens, s.text, s.parsed) for s in r.samples] for r in plain
        ]
        for a, b in zip(fast, plain, strict=True):
            assert [s.score for s in a.samples] == pytest.approx([s.score for s in b.samples], abs=1e-9)
            assert a.stats.steps <= b.stats.steps
    assert sum(r.stats.steps for r in spelled_too) < sum(r.stats.steps for r in plain)


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


def test_requests_with_one_constraint_are_served_by_one_call():
    context = toy_context()
    one, other = (Choice(["abc", "abd"]).build(context) for _ in range(2))
    runs = [ForcedTokens().build(replace(context, constraint=c, prompt=p)) for c, p in ((one, (1,)), (one, (2,)))]
    assert runs[0] == runs[1]
    assert hash(runs[0]) == hash(runs[1])
    assert runs[0] != ForcedTokens(tokens=3).build(replace(context, constraint=one))
    assert runs[0] != ForcedTokens().build(replace(context, constraint=other))
