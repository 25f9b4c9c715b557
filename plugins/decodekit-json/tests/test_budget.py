"""Random walks on real vocabularies: a document always ends within its budget, and the usual tokens are allowed."""

from __future__ import annotations

import itertools
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import decodekit_json
from decodekit.testing.oracle import unpack
from decodekit.vocabulary import Vocabulary
from decodekit_json import Compiled

from .oracle import read, validator

DATA = next(
    (p / "shared/data" for p in Path(__file__).resolve().parents if (p / "shared/data").is_dir()), Path("absent")
)
REAL = DATA / "tokenizers"
absent = pytest.mark.skipif(not REAL.is_dir(), reason="needs shared/data/tokenizers")
TOKENIZERS = [
    pytest.param("demo"),
    pytest.param("byte_level"),
    pytest.param("byte_fallback"),
    pytest.param("gpt2", marks=absent),
    pytest.param("tekken-131k", marks=absent),
]
NAMES = [
    pytest.param("bytes"),
    pytest.param("demo"),
    pytest.param("byte_level", marks=pytest.mark.slow),
    pytest.param("byte_fallback"),
    pytest.param("gpt2", marks=absent),
    pytest.param("tekken-131k", marks=[absent, pytest.mark.slow]),
]

CARD: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "score": {"type": "number", "multipleOf": 0.25, "exclusiveMinimum": 0, "maximum": 10},
        "tags": {"type": "array", "items": {"enum": ["red", "green", "blü"]}, "uniqueItems": True, "minItems": 1},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
TREE: dict[str, Any] = {
    "type": "object",
    "properties": {"value": {"type": ["number", "null"]}, "children": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["value"],
}
CHOICE: dict[str, Any] = {
    "oneOf": [
        {"properties": {"kind": {"const": "circle"}, "r": {"type": "number", "minimum": 0}}, "required": ["kind", "r"]},
        {
            "properties": {"kind": {"const": "box"}, "sides": {"type": "array", "minItems": 2}},
            "required": ["kind", "sides"],
        },
    ],
    "type": "object",
}
CODE: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string", "pattern": "^[A-Z]{2}-\\d{3}$"},
    "contains": {"const": "AB-123"},
}
DOCUMENTS: list[tuple[Any, Any]] = [
    (CARD, {"name": "Zoë 🐢", "age": 42, "score": 1.75, "tags": ["blü", "red"]}),
    (TREE, {"value": 1.5e10, "children": [{"value": None, "children": []}, {"value": -3}]}),
    (CHOICE, {"kind": "box", "sides": [1, "two"]}),
    (CODE, ["XY-000", "AB-123"]),
    (True, [{"a": {"b": [None, True, '\\"\n']}}, 0.5]),
]


def trained(byte_level: bool) -> Any:
    """Make a tokenizer of some hundred tokens as GPT-2 has it, or as Gemma has it, with tokens for single bytes."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    texts = [
        json.dumps(document, ensure_ascii=False, indent=i % 3 or None) for _, document in DOCUMENTS for i in range(3)
    ]
    backend = Tokenizer(models.BPE())
    if byte_level:
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        backend.train_from_iterator(texts * 5, trainers.BpeTrainer(vocab_size=450, initial_alphabet=alphabet))
    else:
        backend.normalizer = normalizers.Replace(" ", "▁")
        backend.train_from_iterator(texts * 5, trainers.BpeTrainer(vocab_size=200))
        model = json.loads(backend.to_str())["model"]
        words = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *model["vocab"]]
        merges = [tuple(pair) for pair in model["merges"]]
        backend.model = models.BPE(
            vocab={word: i for i, word in enumerate(words)}, merges=merges, byte_fallback=True, unk_token="<unk>"
        )
        steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        backend.decoder = decoders.Sequence(steps)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", clean_up_tokenization_spaces=False)


@cache
def tokenizer(name: str) -> Any:
    from transformers import AutoTokenizer

    if name in ("byte_level", "byte_fallback"):
        return trained(name == "byte_level")
    if name == "demo":
        return AutoTokenizer.from_pretrained(pytest.importorskip("decodekit_demo").model_path())
    return AutoTokenizer.from_pretrained(REAL / name)


@cache
def vocabulary(name: str) -> Vocabulary:
    return Vocabulary.from_bytes() if name == "bytes" else Vocabulary.from_tokenizer(tokenizer(name))


def walk(compiled: Compiled, budget: int, seed: int) -> list[int]:
    """Write a document of random allowed tokens within a budget; give the tokens."""
    random, state, tokens = np.random.default_rng(seed), compiled.start(), list[int]()
    while len(tokens) < budget:
        allowed = sorted(unpack(compiled.mask(state, budget - len(tokens))))
        if compiled.is_complete(state) and (not allowed or random.random() < 0.1):
            break
        assert allowed, f"dead end after {compiled.vocabulary.bytes_of(tokens)!r} with {budget} tokens"
        tokens.append(int(random.choice(allowed)))
        state = compiled.advance(state, tokens[-1])
    assert compiled.is_complete(state), f"{compiled.vocabulary.bytes_of(tokens)!r} has no end within {budget} tokens"
    return tokens


def text_of(name: str, tokens: list[int]) -> str:
    """Say what the tokenizer itself says."""
    return bytes(tokens).decode() if name == "bytes" else tokenizer(name).decode(tokens)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("schema", [schema for schema, _ in DOCUMENTS], ids=["card", "tree", "choice", "code", "any"])
def test_a_random_document_ends_within_its_budget_and_is_valid(name: str, schema: Any) -> None:
    compiled, judge = decodekit_json.compile(schema, vocabulary(name)), validator(schema)
    least = compiled.min_tokens(compiled.start())
    for seed, more in enumerate((0, 1, 3, 10, 40)):
        tokens = walk(compiled, least + more, seed)
        assert len(tokens) <= least + more
        text = text_of(name, tokens)
        assert judge.is_valid(read(text)), text


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("schema", [schema for schema, _ in DOCUMENTS], ids=["card", "tree", "choice", "code", "any"])
def test_many_random_documents_end_within_their_budgets(name: str, schema: Any) -> None:
    compiled, judge = decodekit_json.compile(schema, vocabulary(name)), validator(schema)
    least = compiled.min_tokens(compiled.start())
    for seed in range(40):
        text = text_of(name, walk(compiled, least + seed * 2, seed))
        assert judge.is_valid(read(text)), text


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize(("schema", "document"), DOCUMENTS, ids=["card", "tree", "choice", "code", "any"])
def test_the_usual_tokens_of_a_valid_document_are_allowed(name: str, schema: Any, document: Any) -> None:
    compiled = decodekit_json.compile(schema, vocabulary(name))
    for text in (json.dumps(document), json.dumps(document, indent=2, ensure_ascii=False)):
        state = compiled.start()
        for token in tokenizer(name).encode(text, add_special_tokens=False):
            assert token in unpack(compiled.mask(state)), f"{compiled.vocabulary.tokens[token]!r} in {text}"
            state = compiled.advance(state, token)
        assert compiled.is_complete(state)


def test_fewer_tokens_than_the_shortest_document_allow_nothing() -> None:
    compiled = decodekit_json.compile(CARD, vocabulary("bytes"))
    least = compiled.min_tokens(compiled.start())
    assert least == len('{"name":"a","age":0,"tags":["red"]}')
    assert not unpack(compiled.mask(compiled.start(), least - 1))
    assert unpack(compiled.mask(compiled.start(), least)) == {ord("{")}


PAIR: dict[str, Any] = {
    "type": "object",
    "properties": {"b": {"type": "integer"}, "a": {"enum": ["x", None, 12]}},
    "required": ["b", "a"],
    "additionalProperties": False,
}
EQUAL: dict[str, dict[str, Any]] = {
    "objects": {"items": PAIR},
    "open objects": {"items": {"type": "object", "required": ["b", "a"]}},
    "arrays": {"items": {"type": "array", "minItems": 1, "items": {"enum": [1, "a"]}}},
    "four": {"minItems": 4, "items": {"type": ["integer", "string"], "maxLength": 3}},
    "places": {"prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 1},
    "counted": {"contains": {"type": "string"}, "minContains": 2},
    "inside": {"items": {"type": "array", "not": {"uniqueItems": True}}},
}
OPTIONS: list[dict[str, Any]] = [{}, {"key_order": "any"}, {"whitespace": 2}]


def owed(name: str, kind: str, options: dict[str, Any], seeds: range) -> None:
    """Walk through arrays of which two items have to be equal, near their budgets."""
    schema = {"type": "array", "not": {"uniqueItems": True}, **EQUAL[kind]}
    compiled, judge = decodekit_json.compile(schema, vocabulary(name), **options), validator(schema)
    least = compiled.min_tokens(compiled.start())
    for seed in seeds:
        text = text_of(name, walk(compiled, least + (0, 1, 2, 3, 5, 8, 15, 30)[seed % 8], seed))
        assert judge.is_valid(read(text)), text


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", EQUAL)
def test_two_equal_items_are_there_before_the_budget_ends(kind: str, options: dict[str, Any]) -> None:
    owed("bytes", kind, options, range(4, 8))


@absent
@pytest.mark.parametrize(("kind", "options"), [("objects", OPTIONS[1]), ("four", OPTIONS[2])])
def test_two_equal_items_are_there_with_a_large_vocabulary(kind: str, options: dict[str, Any]) -> None:
    owed("gpt2", kind, options, range(5, 7))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", EQUAL)
def test_two_equal_items_are_there_on_many_walks(name: str, kind: str, options: dict[str, Any]) -> None:
    owed(name, kind, options, range(24))


@absent
def test_a_number_that_is_taken_is_not_written_where_no_bytes_are_left_for_another() -> None:
    words = vocabulary("gpt2")
    compiled = decodekit_json.compile({"type": "array", "uniqueItems": True, "items": {"type": "integer"}}, words)
    state, again = compiled.start(), words.tokens.index(b"12")
    for token in (b"[", b"12", b","):
        state = compiled.advance(state, words.tokens.index(token))
    assert again in unpack(compiled.mask(state, 3))
    assert again not in unpack(compiled.mask(state, 2))


@pytest.mark.parametrize(
    ("schema", "least"),
    [
        ({"type": "object", "minProperties": 2}, '{"":0,"0":0}'),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 3}, '["","0","1"]'),
        (
            {"type": "array", "items": {"pattern": "a", "type": "string"}, "uniqueItems": True, "minItems": 2},
            '["a","0a"]',
        ),
        ({"items": {"type": "object", "minProperties": 2}, "type": "array", "minItems": 1}, '[{"":0,"0":0}]'),
    ],
    ids=["keys", "strings", "patterns", "keys inside"],
)
def test_what_values_must_differ_in_is_counted(schema: Any, least: str) -> None:
    compiled = decodekit_json.compile(schema, vocabulary("bytes"))
    assert compiled.min_tokens(compiled.start()) == len(least)
    for seed in range(6):
        tokens = walk(compiled, len(least) + 2 * seed, seed)
        assert validator(schema).is_valid(read(text_of("bytes", tokens)))


OBJECTS: dict[str, Any] = {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["b"]}


@pytest.mark.parametrize("items", [{"type": "object"}, OBJECTS], ids=["free", "named"])
@pytest.mark.parametrize("whitespace", [0, 2])
def test_objects_that_must_differ_are_indented(items: Any, whitespace: int) -> None:
    schema = {"type": "array", "items": items, "uniqueItems": True, "minItems": 2, "maxItems": 3}
    compiled = decodekit_json.compile(schema, vocabulary("bytes"), whitespace=whitespace)
    least = compiled.min_tokens(compiled.start())
    for seed in range(3):
        tokens = walk(compiled, least + 10 * seed, seed)
        assert validator(schema).is_valid(read(text_of("bytes", tokens)))


@pytest.mark.parametrize(
    ("schema", "enough"),
    [({"minLength": 16}, 4), ({"pattern": "^[a-z]{12}$"}, 5), ({"pattern": "^[a-y]{4}$"}, 6), ({"minLength": 20}, 8)],
    ids=str,
)
def test_long_strings_are_counted_along_long_tokens(schema: Any, enough: int) -> None:
    pieces = (*(bytes([byte]) for byte in range(256)), b"~" * 8, b"z" * 4)
    compiled = decodekit_json.compile({"type": "string", **schema}, Vocabulary((*pieces, None), (258,)))
    for seed in range(5):
        rng, state, left = np.random.default_rng(seed), compiled.start(), compiled.min_tokens(compiled.start())
        assert left == enough
        while not compiled.is_complete(state):
            chosen = np.flatnonzero(np.unpackbits(compiled.mask(state, left).view(np.uint8), bitorder="little"))
            state, left = compiled.advance(state, int(rng.choice(chosen))), left - 1


FAR_APART = {"type": "string", "pattern": "^(.{1000})*$"}
THIN = {"type": "array", "uniqueItems": True, "minItems": 2, "items": FAR_APART}
SPARSE = [
    {"anyOf": [{"type": "null"}, THIN]},
    {"type": "array", "items": {"anyOf": [{"type": "null"}, {"type": "array", "minItems": 1, "items": THIN}]}},
    {"properties": {"a": THIN, "b": {"type": "null"}}, "additionalProperties": False, "type": "object"},
    {"anyOf": [{"type": "null"}, {"type": "object", "minProperties": 2, "propertyNames": FAR_APART}]},
    {
        "anyOf": [
            {"type": "null"},
            {
                "type": "object",
                "properties": {"b": {"items": {"$ref": "#"}, "minItems": 1, "type": "array"}},
                "required": ["b"],
                "additionalProperties": False,
            },
            {"type": "object", "properties": {"a": THIN}, "required": ["a"], "additionalProperties": False},
        ]
    },
]


@pytest.mark.parametrize("schema", SPARSE, ids=str)
def test_values_that_differ_only_far_on_are_not_begun_near_the_end(schema: Any) -> None:
    compiled = decodekit_json.compile(schema, Vocabulary.from_bytes())
    likely = list(b'[]{}":,abn ')
    for seed, more in enumerate((3, 50, 200, 300, 400, 600)):
        rng, state, left = np.random.default_rng(seed), compiled.start(), compiled.min_tokens(compiled.start()) + more
        while not compiled.is_complete(state):
            chosen = np.flatnonzero(np.unpackbits(compiled.mask(state, left).view(np.uint8), bitorder="little"))
            usual = np.intersect1d(chosen, likely)
            state = compiled.advance(state, int(rng.choice(usual if len(usual) else chosen)))
            left -= 1


def single(text: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"pattern": text, "type": "string"}}, "required": ["a"]}


NULLS = ",".join(f"[{','.join(['null'] * size)}]" for size in range(30))
APART = [
    pytest.param(
        {"uniqueItems": True, "items": {**single("^(.{700})*$"), "additionalProperties": False}, "type": "array"},
        '[{"a":""}', ",", 710, id="in objects"),
    pytest.param(
        {"uniqueItems": True, "items": {"type": "string", "pattern": "^([a-z]+|#|#a{700})$"}, "type": "array"},
        '["#","', "#", 703, id="few of a pattern"),
    pytest.param(
        {"uniqueItems": True, "items": {"type": "array", "items": {"type": "null"}}, "type": "array"},
        f"[{NULLS}", ",", 153, id="of one length each"),
    pytest.param(
        {"anyOf": [{"type": "null"}, {"type": "object", "required": ["a"], "additionalProperties": False, "properties":
            {"a": {"type": "array", "uniqueItems": True, "minItems": 25,
                   "items": {"type": "string", "pattern": "^([a-z]{16})*$"}}}}]},
        "", "{", 466, id="many"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "begun", "byte", "least"), APART)
def test_what_must_differ_is_begun_only_where_there_is_room_to_differ(
    schema: Any, begun: str, byte: str, least: int
) -> None:
    compiled = decodekit_json.compile(schema, Vocabulary.from_bytes())
    state = compiled.start()
    for one in begun.encode():
        state = compiled.advance(state, one)
    assert compiled.min_tokens(compiled.advance(state, ord(byte))) == least - 1
    for left in (60, least // 2, least - 40, least - 1):
        assert ord(byte) not in unpack(compiled.mask(state, left))
    for left in (least, least + 1, 2 * least, 100 * least):
        assert ord(byte) in unpack(compiled.mask(state, left))


def test_an_array_of_itself_whose_items_differ_has_a_ceiling() -> None:
    items = {"anyOf": [{"$ref": "#"}, {"enum": ["a", 1, 1.5]}]}
    schema: Any = {"type": "array", "minItems": 2, "maxItems": 4, "uniqueItems": True, "items": items}
    compiled = decodekit_json.compile(schema, Vocabulary.from_bytes())
    least = compiled.min_tokens(compiled.start())
    assert least == len('["a",1]')
    for seed in range(4):
        tokens = walk(compiled, least + 3 * seed, seed)
        assert validator(schema).is_valid(read(text_of("bytes", tokens)))


def test_characters_that_take_more_bytes_than_others_are_counted_where_all_shorter_texts_are_taken() -> None:
    schema = {
        "type": "array",
        "uniqueItems": True,
        "items": {"type": "string", "pattern": "^[a\\u0001]*$", "minLength": 8, "maxLength": 8},
    }
    compiled = decodekit_json.compile(schema, Vocabulary.from_bytes(), whitespace="compact")
    texts = ["".join(one) for one in itertools.product("a\1", repeat=8) if one.count("\1") <= 6]
    state = compiled.start()
    for byte in json.dumps(texts, separators=(",", ":")).encode()[:-1]:
        state = compiled.advance(state, byte)
    least = len(',"a') + 7 * len("\\u0001") + len('"]')
    for left in range(least - 4, least + 4):
        assert (ord(",") in unpack(compiled.mask(state, left))) == (left >= least)
    after = compiled.advance(state, ord(","))
    for left in range(least - 4, least + 4):
        assert (ord('"') in unpack(compiled.mask(after, left))) == (left >= least - 1)


def some_property(literals: dict[str, Any]) -> dict[str, Any]:
    return {"not": {"additionalProperties": {"not": literals}}}


@pytest.mark.parametrize(
    ("keys", "members"),
    [
        ("^(a|b{18}|c{20})$", [{"const": 1}, {"const": 2}]),
        ("^(a|b{18}|d{3})$", [{"type": "integer"}, {"const": "a"}]),
        ("^(a|b{18})$", [{}, {"const": []}]),
    ],
    ids=["two", "a third", "one"],
)
def test_members_that_are_owed_may_need_longer_keys_than_the_taken_ones(keys: str, members: list[Any]) -> None:
    schema = {"type": "object", "propertyNames": {"pattern": keys}, "allOf": [some_property(one) for one in members]}
    compiled, judge = decodekit_json.compile(schema, vocabulary("bytes")), validator(schema)
    least = compiled.min_tokens(compiled.start())
    for seed in range(60):
        text = text_of("bytes", walk(compiled, least + seed, seed))
        assert judge.is_valid(read(text)), text


FAR_APART_OR = {"enum": ["a", "b" * 50]}
WRITTEN: list[tuple[Any, bytes, bytes]] = [
    (
        {"properties": {"a": {"type": "string"}}, "required": ["a"],
         "additionalProperties": {"type": "string", "minLength": 60}},
        b'[{"a":"x"},{"a":"x', b'"',
    ),
    (
        {"properties": {"a": {"type": "string"}, "z": FAR_APART_OR}, "additionalProperties": False},
        b'[{"z":"a"},{"', b"z",
    ),
    (
        {"properties": {"a": {"type": "string"}}, "patternProperties": {"^z": FAR_APART_OR}, "maxProperties": 1,
         "additionalProperties": False},
        b'[{"zoo":"a"},{"zoo', b'"',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("items", "begun", "byte"), WRITTEN, ids=["a value", "a name", "a key"])
def test_a_taken_item_is_not_gone_on_with_where_only_much_longer_ones_differ(
    items: Any, begun: bytes, byte: bytes
) -> None:
    schema = {"type": "array", "uniqueItems": True, "items": {"type": "object", **items}}
    compiled = decodekit_json.compile(schema, vocabulary("bytes"))
    state = compiled.start()
    for one in begun:
        state = compiled.advance(state, one)
    after = compiled.advance(state, byte[0])
    least = compiled.min_tokens(after)
    assert least > 50
    for left in range(1, 2 * least):
        assert (byte[0] in unpack(compiled.mask(state, left))) == (left > least)


@pytest.mark.parametrize(
    ("schema", "fewest"),
    [({"type": ["null", "string"]}, 1), ({"enum": ["ab" * 6, 12345]}, 2), ({"type": ["object", "boolean"]}, 1)],
)
def test_a_longer_text_in_fewer_tokens_counts_from_the_start(schema, fewest):
    words = [bytes((byte,)) for byte in range(256)] + [b"null", b"true", b'"ababab', b'ababab"', None]
    constraint = decodekit_json.compile(schema, Vocabulary(words, (len(words) - 1,)))
    start = constraint.start()
    assert constraint.min_tokens(start) == fewest
    assert not constraint.mask(start, fewest - 1).any()
