"""Arrays and objects whose items and keys have few values: no token leads to where all of them are taken."""

from __future__ import annotations

import contextlib
import itertools
import random
from typing import Any

import pytest

from decodekit.errors import SchemaError, UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit.testing.oracle import unpack
from decodekit.vocabulary import Vocabulary
from decodekit_json import compile
from decodekit_json.states import State, stepped
from decodekit_json.terminal import INFINITE

from .pieces import vocabulary_of

PIECES = [*'[]{},:"ab120', '"a"', '"b"', "],[", "},{", '",', "},", "],", "1,", "[1", '{"a":', '{"b":', "true", "null"]
VOCABULARY = vocabulary_of(PIECES, 1200, 3)
UNIQUE: dict[str, Any] = {"type": "array", "uniqueItems": True}
ONE = {"type": "array", "prefixItems": [{"const": 1}], "minItems": 1, "maxItems": 1}


class Chance(random.Random):
    """Schemas by chance of arrays, objects and keys with few values."""

    def leaf(self) -> Any:
        return self.choice(
            [
                *({"const": 1}, {"const": "a"}, {"enum": ["a", "b"]}, {"enum": [1, 2, 0]}, {"type": "boolean"}),
                *({"type": "integer", "minimum": 0, "maximum": 2}, {"type": "string", "maxLength": 1}),
                *({"type": "integer"}, {"type": "string", "pattern": "^[ab]?$"}),
            ]
        )

    def node(self, depth: int) -> Any:
        kind = self.choice(["array", "array", "keys", "object", "enum", "either", "leaf"]) if depth else "leaf"
        if kind == "array":
            limits = {"maxItems": self.randint(0, 2), "minItems": self.randint(0, 2), "uniqueItems": True}
            some = {name: limit for name, limit in limits.items() if self.random() < 0.5}
            return {"type": "array", "items": self.node(depth - 1), **some}
        if kind == "keys":
            keys = self.sample(["^a$", "^[ab]$", "^b", "^$", "^(a|b|aa)$"], self.randint(1, 2))
            patterns = {key: self.node(depth - 1) for key in keys}
            low = self.randint(0, 2)
            return {
                "type": "object",
                "patternProperties": patterns,
                "additionalProperties": False,
                "minProperties": low,
            }
        if kind == "object":
            named = {key: self.node(depth - 1) for key in self.sample("ab", self.randint(0, 2))}
            return {"type": "object", "properties": named, "additionalProperties": self.choice([False, self.leaf()])}
        if kind == "enum":
            values = [1, 2, [1], [], ["a"], {"a": 1}, {"b": 1}, {}, "a", "b", [[]], {"a": [1]}, None]
            return {"enum": self.sample(values, self.randint(1, 4))}
        return self.leaf() if kind == "leaf" else {"anyOf": [self.node(depth - 1), self.node(depth - 1)]}

    def schema(self) -> Any:
        return {**UNIQUE, "items": self.node(2), **({"minItems": self.randint(1, 3)} if self.random() < 0.3 else {})}


def readable(state: State) -> set[int]:
    """Give the tokens whose bytes can be read one by one."""
    return {token for token, raw in enumerate(VOCABULARY.tokens) if raw and stepped(state.threads, raw)}


def walked(schema: Any, seed: int, walks: int) -> int:
    """Compare masks with what can be read on walks along long tokens; give how many there were."""
    chance, compared = random.Random(seed), 0
    constraint = compile(schema, VOCABULARY, key_order=chance.choice(("schema", "any")))
    for _ in range(walks):
        state = constraint.start()
        for _ in range(14):
            right = readable(state)
            assert unpack(constraint.mask(state)) == right, (schema, state.threads)
            assert unpack(constraint.mask(state, 60)) <= right, (schema, state.threads)
            compared += 1
            if not right:
                assert constraint.is_complete(state), (schema, "a dead end")
                break
            long = [token for token in right if len(VOCABULARY.tokens[token] or b"") > 1]
            state = constraint.advance(state, chance.choice(sorted(long if long and chance.random() < 0.7 else right)))
    return compared


def compared(seeds: range, walks: int) -> int:
    found = 0
    for seed in seeds:
        with contextlib.suppress(SchemaError):
            found += walked(Chance(seed).schema(), seed, walks)
    return found


def test_masks_where_few_values_are_left_are_what_can_be_read():
    assert compared(range(40), 1) >= 200


@pytest.mark.slow
def test_more_masks_where_few_values_are_left_are_what_can_be_read():
    assert compared(range(40, 400), 3) >= 8_000


@pytest.mark.parametrize(
    ("items", "text", "token"),
    [
        ({"enum": [1, 2, [1]]}, "[[1", "],["),
        ({"enum": [1, {"x": 1}]}, '[{"x":1', '},{"'),
        ({"type": "array", "maxItems": 0}, "[[", "],["),
        (ONE, "[[1", "],["),
        (
            {"type": "object", "patternProperties": {"^a$": {"const": 1}}, "additionalProperties": False},
            '[{"a":1',
            ',"',
        ),
    ],
)
def test_a_token_does_not_begin_a_value_where_all_are_taken(items: Any, text: str, token: str):
    words = [bytes((byte,)) for byte in range(256)] + [token.encode()]
    constraint = compile({**UNIQUE, "items": items}, Vocabulary([*words, None], (len(words),)))
    state = constraint.start()
    for byte in text.encode():
        assert byte in unpack(constraint.mask(state))
        state = constraint.advance(state, byte)
    for mask in (constraint.mask(state), constraint.mask(state, 100)):
        assert token.encode()[0] in unpack(mask) or token[0] == ","
        assert 256 not in unpack(mask)


@pytest.mark.parametrize("token", ['],"a"', '],"a",', '],"a","'])
def test_near_a_budget_a_token_may_end_an_item_and_write_the_next_one(token: str):
    words = [bytes((byte,)) for byte in range(256)] + [token.encode()]
    vocabulary = Vocabulary([*words, None], (len(words),))
    constraint = compile({**UNIQUE, "minItems": 3}, vocabulary, whitespace="compact")
    state = constraint.advance(constraint.advance(constraint.start(), ord("[")), ord("["))
    assert constraint.min_tokens(state) <= 6
    assert 256 in unpack(constraint.mask(state, 6))


def test_what_is_found_within_some_tokens_is_found_within_more():
    words = ["{", "}", ",", ":", '"', "a", "b", "c", "x", "0", '{"a":', ',"b":', '"c":', "0}"]
    vocabulary = Vocabulary([*(word.encode() for word in words), None], (len(words),))
    schema = {"type": "object", "required": ["b"], "minProperties": 2}
    constraint = compile(schema, vocabulary, key_order="any", whitespace="compact")
    masks = [unpack(constraint.mask(constraint.start(), left)) for left in reversed(range(9))]
    assert all(larger >= smaller for larger, smaller in itertools.pairwise(masks))
    assert masks[0] == {0, 10}
    assert constraint.min_tokens(constraint.advance(constraint.start(), 0)) == 4


def test_where_nothing_leads_on_no_number_of_tokens_is_enough():
    vocabulary = Vocabulary([b'"', b"a", b"b", None], (3,))
    constraint = compile({"const": "a"}, vocabulary)
    assert constraint.min_tokens(constraint.advance(constraint.start(), 1)) >= INFINITE


INTEGERS = {**UNIQUE, "items": {"type": "integer", "minimum": 1, "maximum": 1100}}
KEYS = {"type": "object", "propertyNames": {"pattern": "^[0-9]{3}$"}, "additionalProperties": {"type": "null"}}


@pytest.mark.parametrize(
    ("schema", "text", "goes_on"),
    [
        (INTEGERS, "[" + ",".join(map(str, range(1, 1100))), True),
        (INTEGERS, "[" + ",".join(map(str, range(1, 1101))), False),
        ({**UNIQUE, "items": {"type": "string"}}, "[" + ",".join(f'"{i}"' for i in range(1200)), True),
        (KEYS, "{" + ",".join(f'"{i:03}":null' for i in range(999)), True),
        (KEYS, "{" + ",".join(f'"{i:03}":null' for i in range(1000)), False),
    ],
    ids=["1099 integers", "1100 integers", "1200 strings", "999 keys", "1000 keys"],
)
def test_a_long_array_or_object_ends_before_its_values_do(schema: Any, text: str, goes_on: bool):
    constraint = compile(schema, Vocabulary.from_bytes())
    state = constraint.start()
    for byte in text.encode():
        state = constraint.advance(state, byte)
    tokens = unpack(constraint.mask(state))
    assert (ord(",") in tokens) == goes_on
    assert ord("]" if text[0] == "[" else "}") in tokens


@pytest.mark.parametrize(
    ("items", "low"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 1500}, 1501),
        ({"enum": list(range(1500))}, 1501),
        ({"type": "string", "maxLength": 1}, 1_200_000),
        ({"type": "array", "items": {"enum": list(range(40))}, "minItems": 2, "maxItems": 2}, 1601),
    ],
    ids=str,
)
def test_more_items_than_there_are_values_are_refused(items: Any, low: int):
    with pytest.raises(UnsupportedSchemaError, match="uniqueItems at #"):
        compile({**UNIQUE, "items": items, "minItems": low}, Vocabulary.from_bytes())


def test_more_keys_than_there_are_satisfy_nothing():
    keys = {"type": "object", "propertyNames": {"pattern": "^[0-9]{4}$"}}
    with pytest.raises(UnsatisfiableSchemaError, match="minProperties"):
        compile({**keys, "minProperties": 10_001}, Vocabulary.from_bytes())
    assert compile({**keys, "minProperties": 10_000}, Vocabulary.from_bytes())


@pytest.mark.parametrize(
    "items",
    [
        {"type": "integer"},
        {"type": "integer", "minimum": 1, "maximum": 10**9},
        {
            "type": "object",
            "properties": {"id": {"type": "integer"}},
            "required": ["id"],
            "additionalProperties": False,
        },
        {"type": "string"},
    ],
    ids=str,
)
def test_many_items_of_many_values_are_not_refused(items: Any):
    assert compile({**UNIQUE, "items": items, "minItems": 1001}, Vocabulary.from_bytes())


@pytest.mark.parametrize("order", ["schema", "any"])
def test_keys_that_are_owed_end_in_the_tokens_that_were_said(order: Any):
    keys = {"^a": {"type": "string", "pattern": "^[a-c]{1,3}$"}}
    named = {"a": False, "b": True}
    item = {"type": "object", "properties": named, "patternProperties": keys, "additionalProperties": False}
    vocabulary = Vocabulary.from_bytes()
    constraint = compile(
        {**UNIQUE, "items": {**item, "minProperties": 6}}, vocabulary, key_order=order, whitespace="compact"
    )
    state = constraint.start()
    for byte in b'[{"aq":"c","b":0,':
        state = constraint.advance(state, byte)
    for left in range(constraint.min_tokens(state), 0, -1):
        tokens = unpack(constraint.mask(state, left))
        assert tokens
        state = constraint.advance(state, max(tokens))
    assert constraint.is_complete(state)
