"""Metaschemas of one's own: vocabularies that they do not declare say nothing, unknown required ones are refused."""

import json

import pytest

from decodekit import UnsupportedSchemaError, Vocabulary
from decodekit.testing import toy_context
from decodekit_json import JSONSchema, compile
from decodekit_json.checking import InvalidDocumentError
from decodekit_json.compiler import Options, lower
from decodekit_json.explain import explain
from decodekit_json.states import State, stepped

BASE = "https://json-schema.org/draft/2020-12/vocab/"
META = "https://example.com/meta"
NUMBER = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "number"}
EVERY = ("applicator", "unevaluated", "validation", "meta-data", "format-annotation", "content")


def metaschema(*vocabularies, base=BASE, **others):
    declared = {f"{base}{name}": True for name in ("core", *vocabularies)}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": META, "$vocabulary": declared | others}


def accepts(schema, document, *vocabularies, base=BASE, **options):
    documents = {META: metaschema(*vocabularies, base=base), "urn:number": NUMBER}
    lowered = lower({"$schema": META, **schema}, Options(key_order="any", **options), documents)
    return State(stepped((lowered.start,), json.dumps(document).encode())).complete


@pytest.mark.parametrize(
    ("schema", "wrong", "vocabulary"),
    [
        ({"properties": {"a": False}}, {"a": 1}, "applicator"),
        ({"items": False}, [1], "applicator"),
        ({"not": {"$ref": "urn:number"}}, 1, "applicator"),
        ({"type": "string"}, 1, "validation"),
        ({"enum": [1]}, 2, "validation"),
        ({"const": 1}, 2, "validation"),
        ({"minimum": 10}, 1, "validation"),
        ({"required": ["a"]}, {}, "validation"),
        ({"uniqueItems": True}, [1, 1], "validation"),
        ({"unevaluatedProperties": False}, {"a": 1}, "unevaluated"),
    ],
)
def test_a_keyword_says_something_where_its_vocabulary_is_declared(schema, wrong, vocabulary):
    assert not accepts(schema, wrong, *EVERY)
    assert not accepts(schema, wrong, vocabulary)
    assert accepts(schema, wrong, *(name for name in EVERY if name != vocabulary))


def test_formats_are_asserted_only_where_they_are_declared():
    assert not accepts({"type": "string", "format": "date"}, "x", *EVERY, formats=True)
    assert accepts({"format": "date"}, "x", "validation", formats=True)


def test_the_core_always_counts():
    schema = {"$ref": "#/$defs/n", "$defs": {"n": {"type": "number"}}}
    assert not accepts(schema, "x", "validation")
    assert accepts(schema, 1, "validation")


def test_the_metaschema_counts_inside_and_behind_references():
    schema = {"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"minimum": 3, "items": {"minimum": 3}}}}
    assert accepts(schema, {"a": 1}, "applicator")
    assert accepts(schema, {"a": [1]}, "applicator")
    assert not accepts(schema, {"a": 1}, "applicator", "validation")


def test_a_part_may_name_another_metaschema():
    part = {"$id": "urn:part", "$schema": "https://json-schema.org/draft/2020-12/schema", "minimum": 3}
    assert not accepts({"properties": {"a": part}, "minimum": 3}, {"a": 1}, "applicator")
    assert accepts({"properties": {"a": part}, "minimum": 3}, 1, "applicator")


def test_the_vocabularies_of_2019_are_those_of_2019():
    base = "https://json-schema.org/draft/2019-09/vocab/"
    schema = {"items": [{"type": "string"}], "minItems": 2}
    assert not accepts(schema, [1], "applicator", "validation", base=base)
    assert accepts(schema, [1], "applicator", base=base)
    assert not accepts({"items": [False]}, [1], "applicator", base=base)


def test_a_vocabulary_that_is_required_and_unknown_is_refused():
    documents = {META: metaschema("validation", **{"urn:units": True})}
    with pytest.raises(UnsupportedSchemaError, match=r"\$vocabulary at #: .*requires the vocabulary 'urn:units'"):
        compile({"$schema": META, "type": "number"}, Vocabulary.from_bytes(), documents=documents)


def test_a_vocabulary_that_is_optional_and_unknown_is_left_out():
    documents = {META: metaschema("validation", **{"urn:units": False})}
    lowered = lower({"$schema": META, "type": "number", "unit": "m"}, Options(), documents)
    assert State(stepped((lowered.start,), b"1")).complete
    assert not State(stepped((lowered.start,), b'"x"')).complete


def test_the_check_at_the_end_leaves_out_the_same_keywords():
    context = toy_context(vocabulary=Vocabulary.from_bytes(), max_new_tokens=64)
    schema = {"$schema": META, "properties": {"a": {"pattern": r"^(.)\1$", "minLength": 3}}, "minProperties": 2}
    documents = {META: metaschema("applicator")}
    assert JSONSchema(schema, unsupported="check", documents=documents).build(context).parse('{"a": "x"}')
    documents = {META: metaschema("applicator", "validation")}
    with pytest.raises(InvalidDocumentError):
        JSONSchema(schema, unsupported="check", documents=documents).build(context).parse('{"a": "x"}')


def test_what_is_left_out_is_told():
    documents = {META: metaschema("applicator")}
    schema = {"$schema": META, "properties": {"a": {"minimum": 3}}}
    found = explain(schema, Options(), documents)
    assert ("minimum", "#/properties/a") in found.ignored
