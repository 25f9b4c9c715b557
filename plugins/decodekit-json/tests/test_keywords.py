"""Refusals and faulty schemas: each message names the keyword and the place, before anything is written."""

from __future__ import annotations

from typing import Any

import pytest

import decodekit_json
from decodekit.errors import SchemaError, UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit.vocabulary import Vocabulary

BYTES = Vocabulary.from_bytes()

UNSUPPORTED: list[tuple[Any, str]] = [
    ({"type": "string", "pattern": r"(a)\1"}, r"pattern at #: .*back reference"),
    ({"properties": {"a": {"type": "string", "pattern": r"(a)\1"}}}, r"pattern at #/properties/a: .*back reference"),
    ({"patternProperties": {r"(a)\1": True}}, r"patternProperties at #: .*back reference"),
    ({"items": {"$ref": "http://elsewhere/schema"}}, r"\$ref at #/items: 'http://elsewhere/schema' leads nowhere"),
    ({"additionalProperties": {"$ref": "#/nope"}}, r"\$ref at #/additionalProperties: '#/nope' leads nowhere"),
    ({"contains": {"const": 1}, "minContains": 10**6, "type": "array"}, r"contains at #"),
]
FAULTY: list[tuple[Any, str]] = [
    ({"type": "strin"}, r"type at #: .*'strin'.* is not one of null, boolean"),
    ({"properties": {"a": {"type": "strin"}}}, r"type at #/properties/a"),
    ({"properties": {"a": 5}}, r"5 at #/properties/a is not a schema"),
    ({"minLength": -1, "type": "string"}, r"minLength at #: -1 is not a whole number"),
    ({"maxItems": 1.5, "type": "array"}, r"maxItems at #: 1\.5 is not a whole number"),
    ({"multipleOf": 0, "type": "number"}, r"multipleOf at #: 0 is not above 0"),
    ({"required": "a", "type": "object"}, r"required at #: 'a' is not a list of names"),
    ({"anyOf": []}, r"anyOf at # is not a list of schemas"),
    ({"enum": 1}, r"enum at # is not a list"),
    ({"$ref": 1}, r"\$ref at #: 1 is not a string"),
    ({"pattern": 1, "type": "string"}, r"pattern at #: 1 is not a string"),
    ([], r"\[\] at # is not a schema"),
    ({"const": float("nan")}, r"the schema is not JSON"),
]
NEVER: list[Any] = [
    False,
    {"type": "integer", "minimum": 2, "maximum": 1},
    {"type": "string", "minLength": 3, "maxLength": 2},
    {"type": "object", "required": ["a"], "properties": {"a": False}},
    {"type": "array", "minItems": 1, "items": False},
    {"allOf": [{"type": "string"}, {"type": "number"}]},
    {"const": 1, "enum": [2]},
    {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}},
    {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 3},
    {"type": "object", "propertyNames": {"enum": ["a"]}, "minProperties": 2},
]


@pytest.mark.parametrize(("schema", "message"), UNSUPPORTED, ids=[message for _, message in UNSUPPORTED])
def test_what_cannot_be_kept_is_refused_with_keyword_and_place(schema: Any, message: str) -> None:
    with pytest.raises(UnsupportedSchemaError, match=message):
        decodekit_json.compile(schema, BYTES)


@pytest.mark.parametrize(("schema", "message"), FAULTY, ids=[message for _, message in FAULTY])
def test_a_schema_that_is_none_is_refused_with_its_place(schema: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        decodekit_json.compile(schema, BYTES)


@pytest.mark.parametrize("schema", NEVER, ids=str)
def test_a_schema_without_documents_is_refused(schema: Any) -> None:
    with pytest.raises(UnsatisfiableSchemaError, match="no document satisfies the schema"):
        decodekit_json.compile(schema, BYTES)


def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(UnsupportedSchemaError) as caught:
        decodekit_json.compile({"$ref": "other.json"}, BYTES)
    assert (caught.value.keyword, caught.value.pointer) == ("$ref", "#")
    assert caught.value.hint is not None
    assert "hand the document in" in caught.value.hint


def test_a_document_that_is_handed_in_is_used() -> None:
    documents = {"http://elsewhere/schema": {"const": 1}}
    compiled = decodekit_json.compile({"$ref": "http://elsewhere/schema"}, BYTES, documents=documents)
    assert compiled.is_complete(compiled.advance(compiled.start(), ord("1")))


def test_a_keyword_that_cannot_be_kept_is_left_for_the_end_where_that_is_asked() -> None:
    schema = {"type": "string", "pattern": r"(a)\1", "minLength": 1}
    compiled = decodekit_json.compile(schema, BYTES, unsupported="check")
    assert compiled.min_tokens(compiled.start()) == 3
