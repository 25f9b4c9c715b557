"""Arrays whose items differ, or of which two are equal: against all documents, listed and judged by `jsonschema`."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import decodekit_json
from decodekit.errors import UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit.types import State
from decodekit.vocabulary import Vocabulary
from decodekit_json import distinct
from decodekit_json.compiled import Compiled
from decodekit_json.machine import Thread
from decodekit_json.states import stepped

CROSSING = (b"],[", b'":', b'"a', b'","', b"true", b"als", b'{"p', b"]]")
WORDS = Vocabulary((*(bytes([byte]) for byte in range(0x20, 0x7F)), *CROSSING, None), (103,))
BOOLEAN = {"type": "boolean"}
LETTERS = ["a", "b", "c"]
PAIR = {"type": "object", "properties": {"p": BOOLEAN, "q": BOOLEAN}, "additionalProperties": False}
FEW = {"type": "array", "items": BOOLEAN, "maxItems": 1}


def writings(value: Any) -> Iterator[str]:
    """Give every compact writing, keys in each order."""
    if isinstance(value, list):
        for parts in itertools.product(*([*writings(item)] for item in value)):
            yield "[" + ",".join(parts) + "]"
    elif isinstance(value, dict):
        for keys in itertools.permutations(value):
            for parts in itertools.product(*([*writings(value[key])] for key in keys)):
                yield "{" + ",".join(f"{json.dumps(k)}:{p}" for k, p in zip(keys, parts, strict=True)) + "}"
    else:
        yield json.dumps(value)


def lists(items: Iterable[Any], most: int) -> Iterator[list[Any]]:
    """Give the lists of some items."""
    known = list(items)
    for length in range(most + 1):
        for chosen in itertools.product(known, repeat=length):
            yield list(chosen)


def pairs() -> Iterator[dict[str, bool]]:
    for p, q in itertools.product((None, True, False), repeat=2):
        yield {key: value for key, value in (("p", p), ("q", q)) if value is not None}


def valid(schema: Any, values: Iterable[Any]) -> set[bytes]:
    """Give the writings of the values that `jsonschema` finds valid."""
    judge = Draft202012Validator(schema)
    return {text.encode() for value in values if judge.is_valid(value) for text in writings(value)}


def allowed(compiled: Compiled, state: State) -> set[bytes]:
    bits = np.unpackbits(compiled.mask(state).view(np.uint8), bitorder="little")
    return {WORDS.tokens[i] or b"" for i in np.flatnonzero(bits)}


def check(schema: Any, texts: set[bytes], beginnings: set[bytes] | None = None) -> None:
    """Compare each mask with what the texts, which are all there are, go on with."""
    compiled = decodekit_json.compile(schema, WORDS, key_order="any", whitespace="compact")
    prefixes = {text[:i] for text in texts for i in range(len(text) + 1)}
    pieces = [piece for piece in WORDS.tokens if piece]

    @cache
    def reached(prefix: bytes) -> State:
        if not prefix:
            return compiled.start()
        return compiled.advance(reached(prefix[:-1]), WORDS.tokens.index(prefix[-1:]))

    for prefix in sorted(prefixes if beginnings is None else beginnings, key=len):
        state = reached(prefix)
        assert compiled.is_complete(state) == (prefix in texts), prefix
        wanted = {piece for piece in pieces if prefix + piece in prefixes}
        assert allowed(compiled, state) == wanted, f"after {prefix!r} of {schema}"


CASES: list[tuple[dict[str, Any], list[Any]]] = [
    ({"items": {"enum": LETTERS}, "minItems": 2}, list(lists(LETTERS, 4))),
    ({"prefixItems": [{"enum": ["a", "b"]}, {"const": "a"}], "items": False, "minItems": 2}, list(lists(LETTERS, 3))),
    ({"prefixItems": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}, {"enum": ["a", "b"]}], "items": False, "minItems": 3},
     list(lists(LETTERS, 4))),
    ({"items": PAIR, "maxItems": 2}, list(lists(pairs(), 3))),
    ({"items": {**PAIR, "required": ["p", "q"]}, "minItems": 3, "maxItems": 3}, list(lists(pairs(), 3))),
    ({"items": FEW, "minItems": 2}, list(lists([[], [True], [False], [True, True]], 4))),
    ({"items": {"type": "array", "items": BOOLEAN, "uniqueItems": True}, "maxItems": 3},
     list(lists([[], [True], [False], [True, False], [False, True], [True, True]], 4))),
    ({"items": {"enum": LETTERS}, "contains": {"enum": ["a", "b"]}, "minContains": 2, "maxItems": 3},
     list(lists(LETTERS, 4))),
    ({"items": {"enum": LETTERS}, "contains": {"enum": ["a", "b"]}, "maxContains": 1, "minItems": 2},
     list(lists(LETTERS, 4))),
    ({"items": {"enum": [[], {}, True, None, "a"]}, "minItems": 4}, list(lists([[], {}, True, None, "a", False], 5))),
    ({"prefixItems": [FEW, {"items": {"type": "null"}, "type": "array", "maxItems": 1}], "items": False, "minItems": 2},
     list(lists([[], [True], [False], [None]], 3))),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CASES)))
def test_items_that_differ_are_followed_exactly(number: int):
    extra, values = CASES[number]
    schema = {"type": "array", "uniqueItems": True, **extra}
    texts = valid(schema, values)
    assert texts
    check(schema, texts)


INSIDE = [
    {"type": "array", "items": {"$ref": "#"}, "maxItems": 3},
    {"type": "array", "items": {"anyOf": [{"$ref": "#"}, BOOLEAN]}, "maxItems": 2},
    {"type": ["array", "object"], "items": {"$ref": "#"}, "additionalProperties": {"$ref": "#"}, "maxProperties": 1},
]


@pytest.mark.parametrize("extra", INSIDE, ids=str)
def test_arrays_inside_of_themselves_are_read_as_jsonschema_does(extra: dict[str, Any]):
    schema = {**extra, "uniqueItems": True}
    compiled = decodekit_json.compile(schema, WORDS, key_order="any", whitespace="compact")
    small = [True, False, [], {}, {"a": []}]
    middle = [*small, *lists(small, 2)]
    judge = Draft202012Validator(schema)
    for value in [*middle, *itertools.islice(lists(middle, 2), 0, None, 23)]:
        state: State | None = compiled.start()
        for byte in json.dumps(value, separators=(",", ":")).encode():
            token = WORDS.tokens.index(bytes([byte]))
            state = compiled.advance(state, token) if compiled.mask(state)[token // 32] >> token % 32 & 1 else None
            if state is None:
                break
        assert (state is not None and compiled.is_complete(state)) == judge.is_valid(value), value
    rng = np.random.default_rng(1)
    compiled = decodekit_json.compile(schema, Vocabulary.from_bytes(), key_order="any")
    for _ in range(10):
        state, left = compiled.start(), compiled.min_tokens(compiled.start()) + int(rng.integers(12))
        while not compiled.is_complete(state):
            chosen = np.flatnonzero(np.unpackbits(compiled.mask(state, left).view(np.uint8), bitorder="little"))
            state, left = compiled.advance(state, int(rng.choice(chosen))), left - 1


PAIR_OF_IT = {"type": "array", "items": {"$ref": "#"}, "minItems": 2, "uniqueItems": True}
PAIRS = [
    {"type": "object", "properties": {"a": PAIR_OF_IT, "b": {"const": 1}}, "additionalProperties": False},
    {"anyOf": [{**PAIR_OF_IT, "maxItems": 2}, BOOLEAN]},
]


@pytest.mark.parametrize("schema", PAIRS, ids=["object", "boolean"])
def test_items_that_hold_arrays_of_themselves_are_read_as_jsonschema_does(schema: dict[str, Any]):
    compiled = decodekit_json.compile(schema, Vocabulary.from_bytes(), key_order="any", whitespace="compact")
    small: list[Any] = [{}, {"b": 1}, {"b": 2}, [], {"a": [{}, {}]}, {"a": [{}, {"b": 1}]}, True, False, [True, False]]
    judge, states = Draft202012Validator(schema), list[State]()
    for value in [*small, *lists(small, 2), *({"a": items} for items in lists(small, 2))]:
        state: State | None = compiled.start()
        for byte in json.dumps(value, separators=(",", ":")).encode():
            state = compiled.advance(state, byte) if compiled.mask(state)[byte // 32] >> byte % 32 & 1 else None
            if state is None:
                break
            states.append(state)
        assert (state is not None and compiled.is_complete(state)) == judge.is_valid(value), value
    for number, begun in enumerate(states[::40]):
        state, rng = begun, np.random.default_rng(number)
        left = compiled.min_tokens(state) + number % 9
        while not compiled.is_complete(state):
            chosen = np.flatnonzero(np.unpackbits(compiled.mask(state, left).view(np.uint8), bitorder="little"))
            state, left = compiled.advance(state, int(rng.choice(chosen))), left - 1


def test_pairs_of_themselves_are_refused_with_the_reason():
    schema = {"type": "object", "properties": {"a": PAIR_OF_IT}, "additionalProperties": False}
    with pytest.raises(UnsupportedSchemaError, match="items that must differ contain themselves"):
        decodekit_json.compile(schema, WORDS)


def test_two_equal_items_are_owed_until_they_are_there():
    schema = {
        "type": "array",
        "items": {"type": "array", "items": BOOLEAN, "maxItems": 1},
        "not": {"uniqueItems": True},
    }
    items = [[], [True], [False]]
    texts = valid(schema, lists(items, 6))
    begun = {text.encode() for value in lists(items, 3) for text in writings(value)}
    beginnings = {text[:i] for text in begun for i in range(len(text) + 1)}
    prefixes = {text[:i] for text in texts for i in range(len(text) + 1)}
    check(schema, texts, beginnings & prefixes)


def test_two_equal_items_of_a_limited_number_are_refused_by_name():
    schema = {"type": "array", "items": BOOLEAN, "maxItems": 3, "not": {"uniqueItems": True}}
    with pytest.raises(UnsupportedSchemaError, match="two equal items"):
        decodekit_json.compile(schema, WORDS)


@pytest.mark.parametrize(
    "extra",
    [
        {"items": {"enum": LETTERS}, "minItems": 4},
        {"items": PAIR, "minItems": 10},
        {"prefixItems": [{"const": "a"}, {"const": "a"}], "minItems": 2},
        {"items": {"enum": LETTERS}, "contains": {"const": "a"}, "minContains": 2},
    ],
)
def test_too_few_different_values_are_unsatisfiable(extra: dict[str, Any]):
    with pytest.raises(UnsatisfiableSchemaError):
        decodekit_json.compile({"type": "array", "uniqueItems": True, **extra}, WORDS)


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("[1,1.0]", False),
        ("[1,true]", True),
        ('["a","\\u0061"]', False),
        ('[{"p":1,"q":2},{"q":2.0,"p":1}]', False),
        ("[[1],[true]]", True),
        ('[{"p":1},{"p":1,"q":1}]', True),
        ("[0,-0]", False),
        ("[10,1e1]", False),
        ("[0.1,0.10000000000000000001]", True),
        ("[100000000000000000000000,1e23]", False),
    ],
)
def test_equal_are_values_not_texts(text: str, is_valid: bool):
    vocabulary = Vocabulary.from_bytes()
    compiled = decodekit_json.compile({"type": "array", "uniqueItems": True}, vocabulary, key_order="any")
    state = compiled.start()
    for byte in text.encode():
        state = compiled.advance(state, byte)
    assert compiled.is_complete(state) == is_valid


@pytest.mark.parametrize("name", ["name", "n"])
def test_three_objects_that_differ_are_spelled_with_a_vocabulary_that_lacks_bytes(name: str):
    item = {"type": "object", "properties": {name: {"type": "string"}}, "additionalProperties": False}
    schema = {"type": "array", "uniqueItems": True, "items": item, "minItems": 3}
    compiled = decodekit_json.compile(schema, WORDS)
    shortest = compiled.budget.shortest(compiled.start())
    assert shortest is not None
    assert Draft202012Validator(schema).is_valid(json.loads(shortest))


OWED: list[dict[str, Any]] = [
    {},
    {"items": {"type": "string", "minLength": 3}},
    {"prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 3},
]


@pytest.mark.parametrize("extra", OWED, ids=["any", "strings", "places"])
def test_two_equal_items_are_there_before_the_budget_ends(extra: dict[str, Any]):
    schema = {"type": "array", "not": {"uniqueItems": True}, **extra}
    vocabulary = Vocabulary.from_bytes()
    compiled, judge = decodekit_json.compile(schema, vocabulary), Draft202012Validator(schema)
    fewest = compiled.min_tokens(compiled.start())
    for seed in range(2):
        random, state, tokens, budget = np.random.default_rng(seed), compiled.start(), list[int](), fewest + 9 * seed
        while not compiled.is_complete(state):
            bits = np.unpackbits(compiled.mask(state, budget - len(tokens)).view(np.uint8), bitorder="little")
            tokens.append(int(random.choice(np.flatnonzero(bits))))
            state = compiled.advance(state, tokens[-1])
        assert judge.is_valid(json.loads(vocabulary.bytes_of(tokens)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "item",
    [
        {"type": "object"},
        {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False},
        {"type": "object", "properties": {"n": {"type": "integer", "maximum": 1, "minimum": 0}}, "maxProperties": 2},
        {"type": "array", "items": {"enum": [1, 1.5, "x"]}, "maxItems": 2},
        True,
    ],
)
def test_walks_at_random_never_come_to_a_dead_end(item: Any):
    compiled = decodekit_json.compile({"type": "array", "uniqueItems": True, "items": item, "minItems": 3}, WORDS)
    random = np.random.default_rng(5)
    for _ in range(3):
        state, text = compiled.start(), b""
        for _ in range(25):
            following = sorted(allowed(compiled, state))
            assert following or compiled.is_complete(state), text
            if not following:
                break
            piece = following[int(random.integers(len(following)))]
            text += piece
            state = compiled.advance(state, WORDS.tokens.index(piece))
            assert state.threads, text


def test_items_whose_lengths_are_irregular_are_kept_apart_near_a_budget():
    schema = {"type": "array", "items": {"type": "string", "format": "email"}, "uniqueItems": True, "minItems": 2}
    compiled = decodekit_json.compile(schema, Vocabulary.from_bytes(), formats=True)
    state = compiled.start()
    for byte in b'["a@b.c':
        state = compiled.advance(state, byte)
    least = compiled.min_tokens(state)
    assert np.unpackbits(compiled.mask(state, least).view(np.uint8)).any()
    assert not np.unpackbits(compiled.mask(state, least - 1).view(np.uint8)).any()


@pytest.mark.parametrize("counted", [{"const": {"a": [1]}}, {"enum": [{"a": [1]}, 2, 3]}], ids=["const", "enum"])
def test_an_item_that_must_be_counted_is_not_passed_over(counted: dict[str, Any]):
    compiled = decodekit_json.compile(
        {"type": "array", "contains": counted, "uniqueItems": True}, Vocabulary.from_bytes()
    )
    threads = stepped(compiled.start().threads, b'[7,2,3,{"a":[1]}')
    assert threads
    assert all(thread.place.plan.remaining(thread.place.counts) == 0 for thread in threads)  # type: ignore[attr-defined]


def test_enough_different_arrays_are_found_without_beginning_all_of_them(monkeypatch: pytest.MonkeyPatch):
    digits = {"type": "array", "items": {"enum": list(range(9))}, "uniqueItems": True, "minItems": 4}
    step, done = Thread.step, [0]

    def counted(self: Thread, byte: int) -> Any:
        done[0] += 1
        return step(self, byte)

    monkeypatch.setattr(Thread, "step", counted)
    schema = {"type": "array", "items": digits, "uniqueItems": True, "minItems": 3, "$comment": "not compiled before"}
    compiled = decodekit_json.compile(schema, WORDS)
    assert len(json.loads(compiled.budget.shortest(compiled.start()) or b"")) == 3
    assert 0 < done[0] < 2_000


def test_numbers_are_tried_before_arrays_of_arrays_without_end():
    array: dict[str, Any] = {"type": "array", "minItems": 2, "maxItems": 4, "uniqueItems": True}
    array["items"] = {"anyOf": [{"$ref": "#"}, {"type": "number", "multipleOf": 0.25, "minimum": 0.05, "maximum": 2}]}
    schema = {"type": "array", "prefixItems": [True, array], "minItems": 2, "maxItems": 2}
    compiled = decodekit_json.compile(schema, Vocabulary.from_bytes())
    state = compiled.start()
    for byte in b"[[0],[2,":
        state = compiled.advance(state, byte)
    assert compiled.min_tokens(state) == len("1]]")


def test_which_numbers_become_taken_ones_is_asked_of_those_alone_that_may(monkeypatch: pytest.MonkeyPatch):
    asked: list[object] = []
    monkeypatch.setattr(distinct, "many", lambda place: asked.append(place) or True)
    schema = {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}, "uniqueItems": True}
    compiled = decodekit_json.compile(schema, Vocabulary.from_bytes())
    state = compiled.start()
    for byte in b"[0.25,0.7":
        state = compiled.advance(state, byte)
    compiled.mask(state, 30)
    assert len(asked) <= 1
