"""Unions and conditions about an object's keys: every document of few keys and values, against `jsonschema`."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from typing import Any

import pytest

import decodekit_json
from decodekit.errors import UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit.testing.oracle import Oracle, unpack
from decodekit.vocabulary import Vocabulary
from decodekit_json import lowering
from decodekit_json.compiler import Options, lower
from decodekit_json.nodes import TerminalPlan

from .oracle import may_begin, read, validator
from .test_against_jsonschema import accepts
from .test_laws import words

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
NAMES = "abcdefghijkl"


def of(properties: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), **more}


def every(make: Any) -> list[Any]:
    return [make(name) for name in NAMES]


def implied(name: str) -> dict[str, Any]:
    return {"if": {"required": [name]}, "then": {"required": [f"{name}{name}"]}}


def kind(name: str) -> dict[str, Any]:
    return {"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]}, "then": {"required": [name]}}


def flagged(name: str) -> dict[str, Any]:
    condition = of({name: {"const": 1}}, name)
    return {
        "if": condition,
        "then": {"required": [name + name, f"{name}3"]},
        "else": {"properties": {f"{name}4": TEXT}},
    }


PAIRS = [{"required": list(pair)} for pair in zip(NAMES[::2], NAMES[1::2], strict=True)]
UNIONS: dict[str, tuple[Any, int]] = {
    "open objects": ({"oneOf": every(lambda k: of({k: TEXT}, k))}, 12),
    "with a key in common": ({"oneOf": every(lambda k: of({"id": NUMBER, k: TEXT}, "id", k))}, 12),
    "with two keys each": ({"oneOf": every(lambda k: of({k: TEXT, k + k: NUMBER}, k, k + k))}, 12),
    "with optional keys": ({"oneOf": every(lambda k: of({"id": NUMBER, k: TEXT, k + k: NUMBER}, k))}, 12),
    "with the rest of a type": ({"oneOf": every(lambda k: of({k: TEXT}, k, additionalProperties=NUMBER))}, 12),
    "closed, all keys optional": ({"oneOf": every(lambda k: of({k: TEXT}, additionalProperties=False))}, 12),
    "inheritance": (
        {
            "$defs": {"base": of({"id": NUMBER}, "id")},
            "oneOf": every(lambda k: {"allOf": [{"$ref": "#/$defs/base"}, of({k: TEXT}, k)]}),
        },
        12,
    ),
    "nested": ({"oneOf": every(lambda k: of({"a": of({k: TEXT}, k)}, "a"))}, 12),
    "an optional kind": ({"oneOf": every(lambda k: of({"kind": {"const": k}, k: TEXT}, k))}, 12),
    "what is left over": (
        {"oneOf": every(lambda k: of({"kind": {"const": k}, k: TEXT}, "kind")), "unevaluatedProperties": NUMBER},
        12,
    ),
    "required keys": ({"type": "object", "oneOf": every(lambda k: {"required": [k]})}, 12),
    "required pairs": ({"type": "object", "oneOf": every(lambda k: {"required": [k, k + k]})}, 12),
    "none of them": ({"type": "object", "not": {"anyOf": every(lambda k: of({k: TEXT}, k))}}, 1),
    "a key needs another": ({"type": "object", "allOf": every(implied)}, 1),
    "a key needs a schema": ({"type": "object", "dependentSchemas": {k: of({k + k: TEXT}, k + k) for k in NAMES}}, 1),
    "a kind needs a key": ({"type": "object", "allOf": every(kind)}, 13),
    "not both": ({"type": "object", "allOf": [{"not": pair} for pair in PAIRS], "minProperties": 1}, 1),
    "one of two": ({"allOf": [{"oneOf": [{"required": [k]} for k in pair["required"]]} for pair in PAIRS]}, 1),
    "a value needs keys": ({"type": "object", "allOf": every(flagged)}, 1),
    "dependencies and a count": (
        {"type": "object", "dependentRequired": {"a": ["b"], "b": ["aa"]}, "minProperties": 2, "maxProperties": 3},
        1,
    ),
    "dependencies and a negation": (
        {"type": "object", "dependentRequired": {"a": ["b"]}, "not": {"additionalProperties": NUMBER}},
        1,
    ),
}


def sample(keys: tuple[str, ...], values: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    for chosen in product((..., *values), repeat=len(keys)):
        yield {key: value for key, value in zip(keys, chosen, strict=True) if value is not ...}


SAMPLE = [*sample(("id", "kind", "a", "aa", "b", "bb"), ("a", 1)), *sample(("b", "bb", "b3", "b4"), ("a", 1))]
OTHERS = [
    {"b": "a"},
    *({"a": one, "id": 1} for one in sample(("a", "b"), ("x", 1))),
    *({"a": 1, "d": 1, "f": 1, "h": 1, "j": 1, "l": 1, **one} for one in sample(("b", "c", "e"), (1,))),
]


def differing(schema: Any, documents: list[Any], key_order: Any) -> list[Any]:
    """Give documents of which the engine and the judge think differently."""
    judge = validator(schema)
    try:
        start = lower(schema, Options(key_order=key_order))
    except UnsatisfiableSchemaError:
        return [one for one in documents if judge.is_valid(one)]
    texts = ((one, json.dumps(one, sort_keys=key_order == "schema")) for one in documents)
    return [one for one, text in texts if accepts(start, text) != judge.is_valid(one)]


@pytest.mark.parametrize(("schema", "plans"), UNIONS.values(), ids=UNIONS)
def test_a_union_of_many_objects_is_as_many_plans_and_exact(schema: Any, plans: int):
    found = [plan for plan in lower(schema, Options()).root.plans if not isinstance(plan, TerminalPlan)]
    assert len(found) == plans
    documents = [*random.Random(5).sample(SAMPLE, 60), *OTHERS]
    assert {validator(schema).is_valid(one) for one in documents} == {True, False}
    assert differing(schema, documents, "any") == []


def test_what_is_joined_is_absent_or_has_such_a_value():
    (plan,) = lower({"type": "object", "not": of({"a": TEXT}, "a")}, Options()).root.plans
    assert plan.group.required == ()
    assert [name for rule in plan.group.rules for name, _ in rule.names] == ["a"]


def test_alternatives_about_several_keys_are_refused_where_they_multiply():
    either = [{"anyOf": [{"required": [f"{k}{n}", f"{k}{n}+"]} for n in range(5)]} for k in NAMES]
    with pytest.raises(UnsupportedSchemaError, match="multiply out"):
        lower({"type": "object", "allOf": either}, Options())


def test_dependencies_that_are_too_many_beside_a_count_are_refused():
    needed = {f"p{i}": [f"p{(i * 7 + 3) % 60}"] for i in range(60)}
    with pytest.raises(UnsupportedSchemaError, match="minProperties at #: 60 choices about 60 properties are too much"):
        lower({"type": "object", "dependentRequired": needed, "minProperties": 3}, Options())


KEYS = "abc"
VALUES: tuple[Any, ...] = ("x", 1, None, {"a": "x"}, {"b": 1})
SMALL: list[Any] = [*sample((*KEYS, "d"), VALUES[:3]), *sample(("a", "b"), VALUES), *VALUES, []]


class Chance(random.Random):
    """Schemas by chance: unions, negations and conditions of objects with a few keys."""

    def value(self, depth: int) -> Any:
        if depth and self.random() < 0.2:
            return self.schema(depth - 1)
        types = [{"type": name} for name in ("string", "integer", "null", "object")]
        return self.choice([*types, {"type": ["string", "null"]}, {"const": "x"}, {"enum": ["x", 1]}, True, False])

    def object(self, depth: int) -> Any:
        names = sorted(self.sample(KEYS, self.randint(0, 2)))
        found: dict[str, Any] = {"properties": {name: self.value(depth) for name in names}}
        found["required"] = [name for name in names if self.random() < 0.7]
        if self.random() < 0.7:
            found["type"] = "object"
        rest = {
            "additionalProperties": self.choice([False, self.value(0)]),
            "minProperties": self.randint(1, 2),
            "maxProperties": self.randint(1, 2),
            "patternProperties": {self.choice(["^a", "[bd]"]): self.value(0)},
            "propertyNames": {"enum": self.sample("abcd", 2)},
            "dependentRequired": {self.choice(KEYS): [self.choice(KEYS)]},
        }
        for name in self.sample(sorted(rest), self.choice((0, 0, 1))):
            found[name] = rest[name]
        return found

    def schema(self, depth: int) -> Any:
        if depth < 0 or self.random() < 0.25:
            return self.object(max(depth, 0))
        inner = [self.schema(depth - 1) for _ in range(self.randint(2, 4))]
        found = self.choice(
            [
                {"oneOf": inner},
                {"oneOf": inner},
                {"anyOf": inner},
                {"not": inner[0]},
                {"if": inner[0], "then": inner[1]},
                {"if": inner[0], "then": inner[1], "else": inner[-1]},
                {"dependentSchemas": dict(zip(KEYS, inner, strict=False))},
            ]
        )
        return {**self.object(0), **found} if self.random() < 0.4 else found


def compared(seeds: range, depth: int, documents: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Compare with the judge, also with next to nothing multiplied out; give how many schemas were not refused."""
    judged = 0
    for seed in seeds:
        chance = Chance(seed)
        schema = chance.schema(depth)
        monkeypatch.setattr(lowering, "MAX_MULTIPLIED", chance.choice((1, 32)))
        try:
            assert differing(schema, chance.sample(SMALL, documents), chance.choice(("any", "schema"))) == [], schema
            judged += 1
        except UnsupportedSchemaError:
            pass
    return judged


def test_choices_by_chance_are_exact(monkeypatch: pytest.MonkeyPatch):
    assert compared(range(80), 1, 30, monkeypatch) >= 78


PIECES = words("{", "}", ",", ":", '"', "a", "b", "c", "x", "0", '{"a":', ',"b":', '"c":', "0}")
MOST = 6
"""Tokens of a document that is judged."""


def masked(schema: Any, seed: int) -> int:
    """Compare masks on walks with what the judge accepts, for each number of tokens left; give how many had tokens."""
    judge = validator(schema)

    def is_document(raw: bytes) -> bool:
        try:
            return bool(judge.is_valid(read(raw.decode())))
        except ValueError:
            return False

    oracle = Oracle(PIECES, is_document, may_begin)
    try:
        start = lower(schema, Options(key_order="any", whitespace="compact")).start
        constraint = decodekit_json.Compiled(start, PIECES, PIECES.size, "choices")
    except UnsatisfiableSchemaError:
        assert oracle.fewest(b"", MOST) is None, schema
        return 0
    chance, compared = random.Random(seed), 0
    for _ in range(3):
        state, text = constraint.start(), b""
        for left in range(MOST, 0, -1):
            allowed = [oracle.allowed(text, number) for number in range(left + 1)]
            assert [unpack(constraint.mask(state, number)) for number in range(left + 1)] == allowed, (schema, text)
            compared += sum(map(bool, allowed))
            if not allowed[left]:
                break
            token = chance.choice(sorted(allowed[left]))
            state, text = constraint.advance(state, token), text + (PIECES.tokens[token] or b"")
            assert constraint.is_complete(state) == oracle.accepts(text), (schema, text)
    return compared


def all_masked(seeds: range, multiplied: int, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(lowering, "MAX_MULTIPLIED", multiplied)
    compared = 0
    for seed in seeds:
        with suppress(UnsupportedSchemaError):
            compared += masked(Chance(seed).schema(1), seed)
    return compared


@pytest.mark.parametrize("multiplied", [1, 32])
def test_masks_of_choices_by_chance_are_exact(multiplied: int, monkeypatch: pytest.MonkeyPatch):
    assert all_masked(range(7), multiplied, monkeypatch) >= 120


@pytest.mark.slow
@pytest.mark.parametrize("multiplied", [1, 32])
def test_masks_of_choices_by_chance_are_exact_in_a_large_sample(multiplied: int, monkeypatch: pytest.MonkeyPatch):
    assert all_masked(range(7, 60), multiplied, monkeypatch) >= 900


def masks_after(text: bytes, schema: Any, *remaining: int) -> list[bytes]:
    """Give the bytes that are allowed after a text, with so many tokens left."""
    constraint = decodekit_json.compile(schema, Vocabulary.from_bytes(), whitespace="compact")
    state = constraint.start()
    for byte in text:
        state = constraint.advance(state, constraint.trie.singles[byte])
    vocabulary = constraint.vocabulary
    return [vocabulary.bytes_of(sorted(unpack(constraint.mask(state, number)))) for number in remaining]


def test_a_key_that_is_owed_may_begin_like_one_with_a_name():
    dependent, negated = UNIONS["dependencies and a negation"][0], b'{"aa":""}'
    assert validator(dependent).is_valid(json.loads(negated))
    before, enough = masks_after(b'{"', dependent, len(negated) - 3, len(negated) - 2)
    assert b"a" not in before
    assert b"a" in enough


@pytest.mark.parametrize("key_order", ["schema", "any"])
def test_a_key_after_which_no_other_key_is_left_to_fulfil_is_masked(key_order: str):
    two = {"enum": [1, 2]}
    named = dict.fromkeys(["a", "p1", "q1", "p2", "q2", "p3", "q3", "p4", "q4", "p5", "q5"], two)
    none_is_two = {"not": {"patternProperties": {"^z[12]$": {"const": 2}}}}
    rules = [{"if": {"required": ["a"]}, "then": none_is_two}]
    rules += [{"if": {"required": [f"p{i}"]}, "then": {"required": [f"q{i}"]}} for i in range(1, 6)]
    schema = {**of(named), "patternProperties": {"^z[12]$": two}, "additionalProperties": False, "allOf": rules}
    constraint = decodekit_json.compile(schema, Vocabulary.from_bytes(), key_order=key_order)
    for text, allowed in ((b'{"z1":2,"z2":2,"', False), (b'{"z1":2,"', True)):
        state = constraint.start()
        for byte in text:
            state = constraint.advance(state, constraint.trie.singles[byte])
        letter = constraint.trie.singles[ord("a")]
        assert bool(constraint.mask(state)[letter >> 5] >> (letter & 31) & 1) == allowed


@pytest.mark.slow
def test_choices_by_chance_are_exact_in_a_large_sample(monkeypatch: pytest.MonkeyPatch):
    assert compared(range(1000, 1400), 2, 200, monkeypatch) >= 390
