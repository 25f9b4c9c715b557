"""Schemas and documents by chance: the engine accepts exactly what `jsonschema` calls valid, in both directions."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from decodekit.errors import UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit_json.compiler import CompiledSchema, Options, lower
from decodekit_json.states import State, stepped

from .documents import SCALARS, changed, documents, schemas, written
from .oracle import read, validator

REFUSED = ("uniqueItems", "contains", "dependencies together", "minProperties", "multiply out", "overlap", "too deep")
"""Words of the refusals that small schemas may meet."""


def chance(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )


def accepts(lowered: CompiledSchema, text: str) -> bool:
    return State(stepped((lowered.start,), text.encode())).complete


def compiled(schema: Any) -> CompiledSchema | None:
    """Lower a schema; None where it is refused for a reason that is listed."""
    try:
        return lower(schema, Options(key_order="any"))
    except UnsupportedSchemaError as error:
        if not any(word in str(error) for word in REFUSED):
            raise
        return None


def judged_alike(schema: Any, candidates: list[Any], seed: int) -> bool:
    """Compare the engine with the judge; give whether the schema was not refused."""
    judge, random_ = validator(schema), random.Random(seed)
    try:
        lowered = compiled(schema)
    except UnsatisfiableSchemaError:
        assert not [one for one in [*candidates, *SCALARS] if judge.is_valid(read(json.dumps(one)))]
        return True
    if lowered is None:
        return False
    for number in range(2):
        text = written(seed + number, lowered.start)
        assert judge.is_valid(read(text)), f"{text} was written, but is not valid"
        candidates = [*candidates, json.loads(text), *(changed(json.loads(text), random_) for _ in range(3))]
    for document in candidates:
        valid = judge.is_valid(read(json.dumps(document)))
        for text in (json.dumps(document, separators=(",", ":")), json.dumps(document, indent=2, ensure_ascii=False)):
            assert accepts(lowered, text) == valid, f"{text} is {'in' * (not valid)}valid"
    return True


def run(examples: int) -> tuple[int, int]:
    counts = [0, 0]

    @chance(examples)
    @given(schemas(), st.lists(documents, min_size=5, max_size=5), st.integers(0, 9999))
    def compare(schema: Any, candidates: list[Any], seed: int) -> None:
        counts[judged_alike(schema, candidates, seed)] += 1

    compare()
    return counts[0], counts[1]


def test_the_engine_accepts_what_is_valid_and_nothing_else() -> None:
    refused, judged = run(60)
    assert judged >= 50
    assert refused <= 6


NOT_OBJECTS = [
    {"not": {"const": {"a": 1}}},
    {"not": {"enum": [{"a": 1}, {"a": 1, "b": 1}]}},
    {"if": {"const": {"a": 1}}, "then": {"const": {"b": 1}}},
    {"not": {"properties": {"a": True}, "additionalProperties": False}},
    {"not": {"properties": {"a": True, "b": True}, "additionalProperties": {"type": "string"}}},
    {"not": {"patternProperties": {"^b": True}, "properties": {"a": True}, "additionalProperties": False}},
    {"not": {"properties": {"a": True}, "unevaluatedProperties": False}},
    {"anyOf": [{"not": {"const": {"a": 1}}}, {"not": {"const": {"a": 1}}}]},
    {"type": "object", "not": {"properties": {"a": True}, "additionalProperties": False}, "minProperties": 1},
]
SMALL_OBJECTS = [{}, {"a": 1}, {"a": "x"}, {"b": 1}, {"a": 1, "b": 1}, {"b": "x", "a": 1}, {"a": 1, "c": 1}, {"c": "x"}]


@pytest.mark.parametrize("schema", NOT_OBJECTS, ids=str)
def test_keys_that_only_a_negation_names_are_none_of_its_others(schema: Any) -> None:
    assert judged_alike(schema, SMALL_OBJECTS, 3)


@pytest.mark.slow
def test_the_engine_accepts_what_is_valid_and_nothing_else_in_a_large_sample() -> None:
    refused, judged = run(1500)
    assert judged >= 1400
    assert refused <= 100


def test_the_judge_reads_numbers_exactly() -> None:
    judge = validator({"multipleOf": 0.1})
    assert [judge.is_valid(read(text)) for text in ("0.3", "1.1", "0.15", "1e1")] == [True, True, False, True]
    assert not validator({"uniqueItems": True}).is_valid(read("[1, 1.0]"))
    assert validator({"uniqueItems": True}).is_valid(read("[1, true]"))
