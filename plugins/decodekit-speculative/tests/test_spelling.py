"""Forced text in the tokenizer's own form: the oracle is the tokenizer, asked for the whole text."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from decodekit import Decoder, Vocabulary
from decodekit.testing import toy_context
from decodekit_demo import model_path
from decodekit_json import Choice, JSONSchema
from decodekit_speculative import ForcedTokens
from decodekit_speculative.spelling import Spelling

DATA = next(
    (p / "shared/data" for p in Path(__file__).resolve().parents if (p / "shared/data").is_dir()), Path("absent")
)
SHARED = DATA / "tokenizers"
PLACES = {"demo": model_path(), "gpt2": SHARED / "gpt2", "tekken-131k": SHARED / "tekken-131k"}
PROMPTS = ["Describe my bear:\n", "A caf\N{LATIN SMALL LETTER E WITH ACUTE}.\n", "x"]
SCHEMA = {
    "type": "object",
    "properties": {
        "first_name": {"type": "string", "maxLength": 30},
        "favourite colour": {"enum": ["dark brown", "dark blue"]},
        "gr\N{LATIN SMALL LETTER O WITH DIAERESIS}\N{LATIN SMALL LETTER SHARP S}e": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
    },
    "required": [
        "first_name",
        "favourite colour",
        "gr\N{LATIN SMALL LETTER O WITH DIAERESIS}\N{LATIN SMALL LETTER SHARP S}e",
    ],
    "additionalProperties": False,
}
NAMES = ["Oskar", "(x)", "/", ":", " a", "7", "\n", '"', ", ", "\N{BEAR FACE}", ""]
DOCUMENTS = [
    dict(zip(SCHEMA["properties"], [name, colour, number, [name]], strict=False))
    for name in NAMES
    for colour, number in (("dark brown", -3), ("dark blue", 12))
]


@pytest.fixture(scope="module", params=PLACES)
def tokenizer(request):
    if not PLACES[request.param].exists():
        pytest.skip(f"needs shared/data/tokenizers/{request.param}")
    return AutoTokenizer.from_pretrained(PLACES[request.param])


def proposals(tokenizer, whitespace, **fields):
    """Give text so far, what was proposed behind it, and the tokens of the whole text from there on."""
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    context = toy_context(vocabulary=vocabulary, max_new_tokens=200)
    constraint = JSONSchema(SCHEMA, whitespace=whitespace).build(context)
    piece = ForcedTokens(**fields).build(replace(context, constraint=constraint, tokenizer=tokenizer))
    separators = (",", ":") if whitespace == "compact" else (", ", ": ")
    for number, document in enumerate(DOCUMENTS):
        prompt = PROMPTS[number % len(PROMPTS)]
        text = json.dumps(document, ensure_ascii=False, separators=separators)
        whole = encoded(tokenizer, prompt + text)
        first = begin(vocabulary, whole, prompt)
        state = constraint.start()
        for place in range(first, len(whole)):
            yield whole[:place], piece.run(state, 16, whole[:place]), whole[place:]
            state = constraint.advance(state, whole[place])


def encoded(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def begin(vocabulary, tokens, prompt):
    """Find where the prompt's tokens end; a token that is both prompt and document is none of the test's texts."""
    for place in range(len(tokens) + 1):
        if vocabulary.bytes_of(tokens[:place]) == prompt.encode():
            return place
    raise AssertionError(prompt)


@pytest.mark.parametrize("whitespace", ["compact", "flexible"])
def test_what_cannot_merge_is_spelled_as_the_finished_text_is(tokenizer, whitespace):
    seen = 0
    for _, found, rest in proposals(tokenizer, whitespace, merging=False):
        assert found == rest[: len(found)]
        seen += len(found)
    assert seen > 5 * len(DOCUMENTS)


@pytest.mark.parametrize("whitespace", ["compact", "flexible"])
def test_all_that_is_forced_is_spelled_as_the_text_so_far_is(tokenizer, whitespace):
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    seen = 0
    for before, found, _ in proposals(tokenizer, whitespace):
        if not found:
            continue
        whole = encoded(tokenizer, vocabulary.bytes_of([*before, *found]).decode())
        if whole[: len(before)] == before:  # else the tokenizer merges what stands before with what is forced
            assert [*before, *found] == whole
            seen += len(found)
    assert seen > 5 * len(DOCUMENTS)


def test_a_word_that_was_begun_otherwise_is_finished_all_the_same(tokenizer):
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    spelling = Spelling.of(vocabulary, tokenizer)
    before = [spelling.tokens[letter.encode()] for letter in ' "f']
    found = spelling.spell(b"irst_name", before)
    assert vocabulary.bytes_of(found) == b"irst_name"


def test_half_a_character_is_left_off(tokenizer):
    texts = ("\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{LATIN SMALL LETTER E WITH GRAVE}")
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    context = toy_context(vocabulary=vocabulary, max_new_tokens=20)
    constraint = Choice([f"caf{text}" for text in texts]).build(context)
    piece = ForcedTokens().build(replace(context, constraint=constraint, tokenizer=tokenizer))
    assert vocabulary.bytes_of(piece.run(constraint.start(), 16)) == b"caf"


def test_text_before_a_special_token_is_another_text(tokenizer):
    spelling = Spelling.of(Vocabulary.from_tokenizer(tokenizer), tokenizer)
    special = next(iter(tokenizer.all_special_ids))
    word = encoded(tokenizer, "name")
    assert spelling.context([*word, special, *word]) == b"name"
    assert spelling.context([*word, special]) == b""


@pytest.mark.parametrize("options", [{}, {"temperature": 1.0, "seed": 3, "n": 2}], ids=str)
@pytest.mark.parametrize("merging", [True, False])
def test_the_text_is_the_same_in_fewer_steps(options, merging):
    decoder = Decoder.from_pretrained(model_path())
    options = {"json_schema": {"schema": SCHEMA, "whitespace": "compact"}, "max_new_tokens": 90, **options}
    plain = decoder.generate(PROMPTS[0], **options)
    forced = decoder.generate(PROMPTS[0], ForcedTokens(merging=merging), **options)
    assert [sample.tokens for sample in forced.samples] == [sample.tokens for sample in plain.samples]
    assert forced.stats.steps < plain.stats.steps
