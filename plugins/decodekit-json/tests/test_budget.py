"""Random walks on real vocabularies: a document always ends within its budget, and the usual tokens are allowed."""

from __future__ import annotations

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
GPT2 = DATA / "tokenizers/gpt2"
NAMES = [
    pytest.param("bytes"),
    pytest.param("gpt2", marks=pytest.mark.skipif(not GPT2.is_dir(), reason="needs shared/data/tokenizers/gpt2")),
    pytest.param("demo"),
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


@cache
def tokenizer(name: str) -> Any:
    if name == "gpt2":
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(GPT2)
    if name == "demo":
        demo = pytest.importorskip("decodekit_demo")
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(demo.model_path())
    return None


@cache
def vocabulary(name: str) -> Vocabulary:
    return Vocabulary.from_bytes() if name == "bytes" else Vocabulary.from_tokenizer(tokenizer(name))


def walk(compiled: Compiled, budget: int, seed: int) -> tuple[str, int]:
    """Write a document of random allowed tokens within a budget."""
    random, state, tokens = np.random.default_rng(seed), compiled.start(), list[int]()
    while len(tokens) < budget:
        allowed = sorted(unpack(compiled.mask(state, budget - len(tokens))))
        if compiled.is_complete(state) and (not allowed or random.random() < 0.1):
            break
        assert allowed, f"dead end after {compiled.vocabulary.bytes_of(tokens)!r} with {budget} tokens"
        tokens.append(int(random.choice(allowed)))
        state = compiled.advance(state, tokens[-1])
    assert compiled.is_complete(state), f"{compiled.vocabulary.bytes_of(tokens)!r} has no end within {budget} tokens"
    return compiled.vocabulary.bytes_of(tokens).decode(), len(tokens)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("schema", [schema for schema, _ in DOCUMENTS], ids=["card", "tree", "choice", "code", "any"])
def test_a_random_document_ends_within_its_budget_and_is_valid(name: str, schema: Any) -> None:
    compiled, judge = decodekit_json.compile(schema, vocabulary(name)), validator(schema)
    least = compiled.min_tokens(compiled.start())
    for seed, more in enumerate((0, 1, 3, 10, 40)):
        text, length = walk(compiled, least + more, seed)
        assert length <= least + more
        assert judge.is_valid(read(text)), text


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("schema", [schema for schema, _ in DOCUMENTS], ids=["card", "tree", "choice", "code", "any"])
def test_many_random_documents_end_within_their_budgets(name: str, schema: Any) -> None:
    compiled, judge = decodekit_json.compile(schema, vocabulary(name)), validator(schema)
    least = compiled.min_tokens(compiled.start())
    for seed in range(40):
        text, _ = walk(compiled, least + seed * 2, seed)
        assert judge.is_valid(read(text)), text


@pytest.mark.parametrize("name", NAMES[1:])
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
