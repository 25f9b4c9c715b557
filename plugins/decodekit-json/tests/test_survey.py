"""What is refused or malformed is said when a schema is compiled, never in the middle of a text."""

from __future__ import annotations

from typing import Any

import pytest

from decodekit.errors import SchemaError, UnsupportedSchemaError
from decodekit_json.compiler import Options, lower
from decodekit_json.survey import Survey

DEEP = 6


def inside(schema: Any, depth: int = DEEP) -> Any:
    """Put a schema where the first tokens do not look."""
    for i in range(depth):
        schema = {"properties": {f"k{i}": schema}} if i % 2 else {"type": ["array", "null"], "items": schema}
    return schema


@pytest.mark.parametrize(
    ("keyword", "schema"),
    [
        ("type", {"type": 3}),
        ("type", {"type": "text"}),
        ("enum", {"enum": "a"}),
        ("required", {"required": [1]}),
        ("properties", {"properties": []}),
        ("minItems", {"minItems": -1}),
        ("maxLength", {"maxLength": "3"}),
        ("pattern", {"pattern": "("}),
        ("patternProperties", {"patternProperties": {"[": {}}}),
        ("multipleOf", {"multipleOf": 0}),
        ("minimum", {"minimum": "1"}),
        ("uniqueItems", {"uniqueItems": "yes"}),
        ("anyOf", {"anyOf": {}}),
        ("k0", {"properties": {"k0": 3}}),
        ("dependentRequired", {"dependentRequired": {"a": [1]}}),
        ("$ref", {"$ref": 3}),
    ],
)
def test_a_malformed_keyword_is_refused_with_its_place(keyword: str, schema: Any):
    with pytest.raises(SchemaError, match="k1") as caught:
        lower(inside(schema), Options())
    assert keyword in str(caught.value)


@pytest.mark.parametrize(
    ("keyword", "schema"),
    [
        ("$ref", {"$ref": "https://example.com/elsewhere"}),
        ("pattern", {"pattern": r"(a)\1"}),
        ("uniqueItems", {"type": "array", "maxItems": 3, "not": {"uniqueItems": True}}),
    ],
)
def test_what_cannot_be_kept_is_refused_at_once(keyword: str, schema: Any):
    with pytest.raises(UnsupportedSchemaError) as caught:
        lower(inside(schema), Options())
    assert keyword in f"{caught.value.keyword} {caught.value}"


def test_a_part_that_cannot_be_reached_is_not_refused():
    lower({"properties": {"a": {"allOf": [False, {"$ref": "https://example.com/elsewhere"}]}}}, Options())


def test_too_many_alternatives_deep_inside_are_refused_at_once():
    choice = [{"anyOf": [{"required": [f"{i}{j}", f"{i}{j}+"]} for j in range(5)]} for i in range(6)]
    with pytest.raises(UnsupportedSchemaError, match="multiply out"):
        lower(inside({"type": "object", "allOf": choice}), Options())


def test_alternatives_that_what_holds_already_implies_do_not_multiply():
    kinds = ["company", "person", "office", "other"]

    def two(i: int) -> Any:
        return {"oneOf": [{"type": "string"}, {"minItems": i}]}

    def details(kind: str) -> Any:
        return {
            "type": "object",
            "properties": {f"{kind}{i}": {"oneOf": [{"type": "string"}, {"minItems": i}]} for i in range(12)},
        }

    schema = {
        "type": "object",
        "required": ["kind", "details"],
        "oneOf": [{"properties": {"kind": {"enum": [kind]}, "details": details(kind)}} for kind in kinds],
    }
    lowered = lower(schema, Options())
    assert len(lowered.root.plans) == len(kinds)


def test_a_schema_that_contains_itself_is_surveyed_once():
    schema = {
        "$ref": "#/$defs/tree",
        "$defs": {"tree": {"properties": {"next": {"$ref": "#/$defs/tree"}, "x": {"pattern": "a"}}}},
    }
    lowered = lower(schema, Options())
    survey = Survey(lowered.root.nodes.lowering.documents, False)
    assert survey.level(lowered.root.nodes.lowering.documents.root) == 1
