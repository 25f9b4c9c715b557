"""Documents that are handed in: under which names they are found, and what is refused about them."""

import json

import pytest

from decodekit import RequestError, SchemaError, UnsupportedSchemaError, Vocabulary
from decodekit_json import JSONSchema, compile
from decodekit_json.compiler import Options, lower
from decodekit_json.states import State, stepped

ID = "https://example.com/root.json"
BEAR = "https://example.com/bear.json"
NULL = {"type": "null"}


def accepts(schema, documents, value):
    lowered = lower(schema, Options(), documents)
    return State(stepped((lowered.start,), json.dumps(value).encode())).complete


@pytest.mark.parametrize(
    ("schema", "documents"),
    [
        ({"$ref": BEAR}, {BEAR: NULL}),
        ({"$ref": f"{BEAR}#/$defs/a"}, {f"{BEAR}#": {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": NULL}}}),
        ({"$ref": "bear.json"}, {"bear.json": NULL}),
        ({"$id": ID, "$ref": "bear.json"}, {"bear.json": NULL}),
        ({"$id": ID, "$ref": "bear.json"}, {BEAR: NULL}),
        ({"$ref": BEAR}, {"urn:mirror": {"$id": BEAR, **NULL}}),
        ({"$ref": "urn:mirror"}, {"urn:mirror": {"$id": BEAR, **NULL}}),
        ({"$ref": BEAR}, {BEAR: {"$id": BEAR, **NULL}, "urn:mirror": {"$id": BEAR, **NULL}}),
    ],
)
def test_a_document_is_found_by_every_name_that_it_has(schema, documents):
    assert accepts(schema, documents, None)
    assert not accepts(schema, documents, 1)


@pytest.mark.parametrize(
    ("schema", "documents", "message", "hint"),
    [
        (True, {"x": 3}, "the document 'x' is not a schema: 3", "a schema is an object"),
        (True, {"x": None}, "the document 'x' is not a schema: None", "a schema is an object"),
        (True, [NULL], "documents are schemas by URI, got", "documents={uri: schema}"),
        (True, {3: NULL}, "documents: 3 is not a URI", "https://example.com"),
        (True, {"": NULL}, "documents: '' is not a URI", "https://example.com"),
        (True, {f"{BEAR}#/$defs/a": NULL}, "is a place inside of a document", f"whole document in, under '{BEAR}'"),
        (True, {BEAR: {"$id": 3}}, f"the document '{BEAR}': $id is 3, not a URI", ""),
        ({"$id": 3}, {}, "the schema: $id is 3, not a URI", ""),
        ({"items": {"$id": []}}, {}, "#/items: $id is [], not a URI", ""),
        (
            True,
            {"urn:mirror": {"$id": BEAR, **NULL}, BEAR: True},
            f"the document 'urn:mirror' and the document '{BEAR}' are both '{BEAR}', and differ",
            "known by its $id as well",
        ),
        ({"$id": ID}, {ID: NULL}, f"the schema and the document '{ID}' are both '{ID}'", "known by its $id as well"),
    ],
)
def test_what_is_wrong_with_a_document_is_told(schema, documents, message, hint):
    with pytest.raises(SchemaError) as refused:
        compile(schema, Vocabulary.from_bytes(), documents=documents)
    assert message in str(refused.value)
    assert hint in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("schema", "documents", "hint"),
    [
        ({"$ref": "https://example.com/beer.json"}, {BEAR: NULL}, f"beer.json': schema}}; there is '{BEAR}'"),
        ({"$id": ID, "$ref": "bear.json"}, {}, f"hand the document in, documents={{'{BEAR}': schema}}"),
        ({"$ref": "#/$defs/a"}, {}, "the document is there, but has nothing at '/$defs/a'"),
        ({"$ref": f"{BEAR}#/$defs/a"}, {BEAR: NULL}, "the document is there, but has nothing at '/$defs/a'"),
        ({"$ref": "#a"}, {}, "the document is there, but has nothing at 'a'"),
    ],
)
def test_a_reference_that_leads_nowhere_says_what_to_do(schema, documents, hint):
    with pytest.raises(UnsupportedSchemaError, match="leads nowhere") as refused:
        lower(schema, Options(), documents)
    assert hint in refused.value.hint


@pytest.mark.parametrize("wrong", [3, None, [NULL]])
def test_a_document_that_is_no_schema_is_refused_when_it_is_given(wrong):
    with pytest.raises(RequestError, match=r"json_schema: documents\.urn:x: a schema is a dict, JSON text, a path"):
        JSONSchema({"$ref": "urn:x"}, documents={"urn:x": wrong})
