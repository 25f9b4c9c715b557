"""What a schema says and is not followed is told: unknown dialects and formats, keywords of other drafts."""

import datetime
import re
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from decodekit import SchemaError, SchemaWarning, UnsupportedSchemaError
from decodekit.cli.application import run
from decodekit.testing import toy_context
from decodekit_json import JSONSchema, ToolCalls
from decodekit_json.compiler import Options, lower
from decodekit_json.located import Documents

FOREIGN = "https://example.com/dialect"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def remarks(schema, documents=None, **options):
    return [str(remark) for remark in lower(schema, Options(**options), documents).remarks]


def assert_told(told, schema, **options):
    with pytest.warns(SchemaWarning, match=f"json_schema: {told}"):
        JSONSchema(schema, **options).build(toy_context())


@pytest.mark.parametrize(
    ("name", "draft"),
    [
        ("http://json-schema.org/draft-04/schema", "4"),
        ("https://json-schema.org/draft-04/schema#", "4"),
        ("http://json-schema.org/draft-04/hyper-schema#", "4"),
        ("http://json-schema.org/draft-05/schema#", "4"),
        ("http://json-schema.org/draft-06/schema#", "6"),
        ("https://json-schema.org/draft-07/schema", "7"),
        ("http://www.json-schema.org/draft-07/schema#", "7"),
        ("http://json-schema.org/draft/2019-09/schema", "2019-09"),
        ("https://json-schema.org/draft/2020-12/schema#", "2020-12"),
        ("https://json-schema.org/draft/2020-12/schema/", "2020-12"),
        ("http://json-schema.org/schema#", ""),
    ],
)
def test_a_draft_is_known_in_every_usual_spelling(name, draft):
    assert Documents({"$schema": name}).draft == draft
    assert remarks({"$schema": name}) == []


@pytest.mark.parametrize(
    "name", ["https://json-schema.org/draft/2033/schema", "http://json-schema.org/draft-03/schema#"]
)
@pytest.mark.parametrize("where", [lambda s: s, lambda s: {"properties": {"a": s}}, lambda s: {"allOf": [s]}])
def test_a_draft_that_is_not_known_is_refused_by_name(name, where):
    with pytest.raises(UnsupportedSchemaError, match=r"\$schema at #: '.*' is not a known draft") as refused:
        lower(where({"$schema": name}), Options())
    assert refused.value.keyword == "$schema"
    assert "draft='2020-12'" in refused.value.hint


def test_a_draft_that_is_given_is_how_an_unknown_dialect_is_read():
    for name in (FOREIGN, "https://json-schema.org/draft/2033/schema"):
        assert remarks({"$schema": name}, draft="7") == []
        assert Documents({"$schema": name}, draft="7").root.draft == "7"


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(SchemaError, match=r"\$schema: 7 is not a string"):
        lower({"$schema": 7}, Options())


def test_an_unknown_dialect_is_told():
    assert remarks({"$schema": FOREIGN}) == [
        f"$schema '{FOREIGN}' at # says nothing (not among the documents; read as draft 2020-12)"
    ]
    assert_told(rf"\$schema '{FOREIGN}' .* read as draft 2020-12", {"$schema": FOREIGN, "title": "told"})


def test_a_metaschema_without_vocabularies_is_read_as_its_own_dialect_is():
    documents = {FOREIGN: {"$schema": DRAFT_7, "$id": FOREIGN}}
    assert Documents({"$schema": FOREIGN}, documents).draft == "7"
    assert remarks({"$schema": FOREIGN}, documents) == []
    itself = {FOREIGN: {"$schema": FOREIGN, "$id": FOREIGN}}
    assert Documents({"$schema": FOREIGN}, itself).draft == ""


def test_an_unknown_format_is_told_where_formats_are_asserted():
    schema = {"items": {"format": "grid"}, "contains": {"format": "date"}}
    assert remarks(schema, formats=True) == ["format 'grid' at #/items says nothing (unknown)"]
    assert remarks(schema) == []
    assert_told("format 'shout' at #/items says nothing", {"items": {"format": "shout"}}, formats="assert")
    with pytest.warns(SchemaWarning, match="tool_calls: format 'yell' at #/items says nothing"):
        ToolCalls([{"name": "a", "parameters": {"items": {"format": "yell"}}}], formats="assert").build(toy_context())


def test_a_type_checks_its_formats_itself():
    class Place(BaseModel):
        folder: Path
        day: datetime.date
        note: Annotated[str, Field(json_schema_extra={"format": "whisper"})]

    JSONSchema(Place).build(toy_context())  # a warning would be an error


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (
            {"$schema": DRAFT_7, "dependentRequired": {}},
            "dependentRequired at # .*in draft 7: .* drafts 2019-09 to 2020-12",
        ),
        ({"$schema": DRAFT_7, "prefixItems": [{}]}, r"prefixItems at # .*it is of draft 2020-12\)"),
        (
            {"$schema": DRAFT_7, "$ref": "#/definitions/a", "type": "null", "definitions": {"a": {}}},
            r"type .*beside \$ref",
        ),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "const": 1}, "const at # .*drafts 6 to 2020-12"),
        (
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "dependencies": {}},
            "dependencies at # .*drafts 4 to 7",
        ),
        ({"properties": {"a": {"required": True}}}, "required at #/properties/a .*a boolean, as in draft 3"),
    ],
)
def test_a_keyword_of_another_draft_is_told(schema, told):
    assert_told(told, schema)


def test_annotations_and_older_spellings_are_not_worth_a_word():
    plain = {
        "title": "a",
        "x-order": 1,
        "default": 1,
        "examples": [],
        "definitions": {},
        "dependencies": {},
        "items": [{}],
    }
    assert remarks(plain) == []
    assert remarks({"$schema": DRAFT_7, "$ref": "#/definitions/a", "title": "x", "definitions": {"a": {}}}) == []


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("propertes", "properties"),
        ("requred", "required"),
        ("minlength", "minLength"),
        ("max_length", "maxLength"),
        ("additionalproperties", "additionalProperties"),
        ("oneof", "oneOf"),
        ("itmes", "items"),
        ("item", "items"),
        ("tpye", "type"),
        ("ref", "$ref"),
        ("defs", "$defs"),
    ],
)
def test_a_misspelt_keyword_is_told_with_what_was_meant(wrong, right):
    told = f"{wrong} at #/items says nothing (unknown: did you mean '{right}'?)"
    assert remarks({"items": {wrong: {}}}) == [told]
    assert remarks({"$schema": DRAFT_7, "items": {wrong: {}}}) == [told]
    assert_told(re.escape(told), {"items": {wrong: {}, "title": "of a request"}})
    JSONSchema({"items": {wrong: {}, "title": "of a request"}}).build(toy_context())  # told once for each schema


@pytest.mark.parametrize(
    "name",
    [
        "x-required",
        "x-propertes",
        "_format",
        "example",
        "discriminator",
        "readonly",
        "enumNames",
        "propertyOrder",
        "requiredWhen",
        "note",
        "notes",
        "cost",
        "markdownDescription",
        "unit",
        "label",
        "id",
        "$comment",
        "contentSchema",
    ],
)
def test_an_annotation_that_nobody_knows_is_not_worth_a_word(name):
    assert remarks({"properties": {"propertes": {name: True}}}) == []


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("nullable", '"type": [..., "null"]'),
        ("optional", "required beside properties, without that key"),
        ("min", "minimum, minLength or minItems"),
        ("max", "maximum, maxLength or maxItems"),
        ("minLen", "minLength"),
        ("regex", "pattern"),
        ("unique", "uniqueItems"),
        ("values", "enum, or additionalProperties"),
    ],
)
def test_a_word_of_another_vocabulary_is_told_with_what_to_write(name, instead):
    told = f"{name} at #/properties/a says nothing (of another vocabulary: write {instead})"
    assert remarks({"properties": {"a": {name: True}}}) == [told]
    assert remarks({"properties": {name: {"type": "integer"}}}) == []
    assert remarks({"properties": {"a": {name: False}}}) == []


def test_many_remarks_are_cut_short():
    schema = {"properties": {str(i): {"format": f"grid-{i}"} for i in range(5)}}
    assert_told(".*'grid-2' .*; 2 more: decodekit explain-schema lists them", schema, formats="assert")


def test_explain_schema_tells_them(capsys):
    with pytest.raises(SystemExit) as ended:
        run(["explain-schema", "--formats", f'{{"$schema": "{FOREIGN}", "items": {{"format": "grid", "title": "x"}}}}'])
    assert ended.value.code == 0
    _, found, rest = capsys.readouterr().out.partition("not followed\n")
    assert found
    assert f"$schema '{FOREIGN}' at # says nothing" in rest
    assert "format 'grid' at #/items says nothing (unknown)" in rest
    assert rest.count("grid") == 1
