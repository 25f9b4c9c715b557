"""What a user meets when a constraint is written wrongly: the place, the value, and what to write instead."""

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

import decodekit_json
from decodekit import (
    Decoder,
    IncompatibleTechniquesError,
    ModelError,
    RequestError,
    SchemaError,
    SchemaWarning,
    UnsatisfiableSchemaError,
    UnsupportedSchemaError,
    Vocabulary,
)
from decodekit.cli.application import run
from decodekit.plugins import plugins
from decodekit.request import make_request
from decodekit.schemas import load_schema
from decodekit.testing import tiny_llama, toy_context
from decodekit_json import (
    AnyJSON,
    Choice,
    Grammar,
    JSONSchema,
    Regex,
    StructuralTag,
    Tag,
    Tool,
    ToolCalls,
    commands,
    compile,
)
from decodekit_json.checking import Checker
from decodekit_json.compiler import Options, lower


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        ({"choice": "abc"}, "choice: choices: 'abc' is not a list", 'for example choice=["yes", "no"]'),
        ({"choice": [1, 2]}, "choice: choices.0: 1 is not text; choices.1: 2 is not text", 'choice=["yes", "no"]'),
        ({"choice": []}, r"choice: choices: \[\] is empty", 'choice=["yes", "no"]'),
        ({"grammar": 5}, "grammar: grammar: 5 is not text and is not a path", "grammar='start:"),
        ({"grammar": {"grammar": 'start: "a"', "start": 5}}, "grammar: start: 5 is not text", None),
        ({"regex": 5}, "regex: pattern: 5 is not text", 'regex="[0-9]+"'),
        ({"json_schema": 5}, r"json_schema: schema: a schema is a dict.*\(got 5\)", 'json_schema={"type": "object"}'),
        ({"json": {"x": 1}}, r"json: whitespace: it is .* \(got \{'x': 1\}\)", "json=True; a schema"),
        ({"json": {"whitespace": 9}}, r"whitespace: it is .* or a whole number from 0 to 8 \(got 9\)", "json=True"),
        ({"json_schema": {"schema": {}, "key_order": "x"}}, "key_order: 'x' is not 'schema' or 'any'", None),
        ({"tool_calls": 5}, "tool_calls: tools: 5 is not a list", "tool_calls=[{"),
        ({"tool_calls": [5]}, "tool_calls: tools.0: 5 is not a dict", "tool_calls=[{"),
        (
            {"tool_calls": [{"name": "a", "paramters": {}}]},
            "tool_calls: tools.0: there is no field .paramters.",
            "tool_calls=[{",
        ),
        ({"structural_tag": [{}]}, "structural_tag: tags.0.begin is missing", "structural_tag=[{"),
    ],
)
def test_a_field_that_does_not_fit_is_named_with_its_value_and_an_example(asked, message, hint):
    with pytest.raises(RequestError, match=message) as refused:
        make_request("x", (), asked, plugins())
    assert "nput should" not in str(refused.value)
    assert refused.value.hint is None if hint is None else hint in refused.value.hint


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (
            lambda: JSONSchema({}, whitspace=1),
            "json_schema: there is no field 'whitspace'",
            "did you mean 'whitespace'",
        ),
        (lambda: JSONSchema(shcema={}), "json_schema: there is no field 'shcema'; schema is", "did you mean 'schema'"),
        (
            lambda: JSONSchema({}, whitespace="compct"),
            r"whitespace: it is 'flexible', 'compact' or .* \(got 'compct'\)",
            None,
        ),
        (lambda: JSONSchema({}, draft="3"), "json_schema: draft: '3' is not '4', '6', '7', '2019-09' or", None),
        (lambda: JSONSchema({}, after=""), "json_schema: after: '' is empty", None),
        (lambda: AnyJSON(partial_string=True), "json: there is no field 'partial_string'", "did you mean 'partial_str"),
        (lambda: Regex("a", aftr="b"), "regex: there is no field 'aftr'", "did you mean 'after' for 'aftr'?"),
        (lambda: Choice(["a"], choice=["a"]), "choice: there is no field 'choice'", "did you mean 'choices'"),
        (lambda: Grammar('start: "a"', begin="x"), "grammar: there is no field 'begin'", "its fields are after, "),
        (lambda: ToolCalls([], min_call=1), "tool_calls: there is no field 'min_call'", "did you mean 'min_calls'"),
        (
            lambda: ToolCalls([{"name": "a", "paramters": {}}]),
            "tool_calls: tools.0: there is no field 'paramters'",
            "did you mean 'parameters' for 'paramters'? the fields of tools.0 are description, name",
        ),
        (lambda: ToolCalls([{"name": "a"}], max_calls=0), "max_calls: 0 is not greater than or equal to 1", None),
        (
            lambda: StructuralTag([{"begin": "<a>", "shema": {}}]),
            "structural_tag: tags.0: there is no field 'shema'",
            "did you mean 'schema' for 'shema'? the fields of tags.0 are begin, end, name, schema; for example",
        ),
        (lambda: Tag(begin="<a>", ends="x"), "tag: there is no field 'ends'", "did you mean 'end' for 'ends'?"),
        (lambda: Tool(name=""), "tool: name: '' is empty", None),
    ],
)
def test_a_misspelt_option_of_a_technique_object_is_named_with_the_nearest(make, message, hint):
    with pytest.raises(RequestError, match=message) as refused:
        make()
    assert "pydantic" not in str(refused.value)
    assert hint is None or hint in refused.value.hint


@pytest.mark.parametrize(
    ("schema", "message", "hint"),
    [
        ("[1]", r"json_schema: '\[1\]' is JSON, but not a schema", "a schema is an object"),
        ('"x"', """json_schema: '"x"' is JSON, but not a schema""", "a schema is an object"),
        ("null", "json_schema: 'null' is JSON, but not a schema", "a schema is an object"),
        ("", "json_schema: the schema is empty", "a path to a file"),
        ("{", "json_schema: the schema is not JSON: expecting property name", "give a dict"),
        ("none.json", "json_schema: 'none.json' is neither JSON nor a file: no such file", "a path to a file"),
    ],
)
def test_a_text_that_is_no_schema_is_told(schema, message, hint):
    with pytest.raises(SchemaError, match=message) as refused:
        JSONSchema(schema).build(toy_context())
    assert hint in refused.value.hint


def test_a_file_that_holds_no_schema_is_told_by_name(tmp_path):
    (tmp_path / "a.json").write_text("{nonsense")
    with pytest.raises(SchemaError, match=r"a\.json' is not JSON: expecting property name"):
        JSONSchema(tmp_path / "a.json").build(toy_context())


def test_a_grammar_that_is_none_is_told():
    with pytest.raises(SchemaError, match="grammar: the grammar is empty"):
        Grammar(" ").build(toy_context())
    with pytest.raises(SchemaError, match=r"grammar: 'no\.lark' is neither a grammar nor a file: no such file"):
        Grammar("no.lark").build(toy_context())


@pytest.mark.parametrize(
    ("schema", "keywords", "pointer"),
    [
        ({"enum": []}, "nothing satisfies enum at #", "#"),
        (False, "# is false", "#"),
        (
            {"allOf": [{"type": "string"}, {"type": "null"}]},
            "type at #/allOf/0 and type at #/allOf/1 cannot",
            "#/allOf/0",
        ),
        ({"type": "string", "enum": [1], "title": "x"}, "enum and type at # cannot hold together", "#"),
        (
            {"type": "object", "properties": {"a": {"type": "number", "minimum": 5, "maximum": 3}}, "required": ["a"]},
            "minimum, maximum and type at #/properties/a cannot hold together",
            "#/properties/a",
        ),
        (
            {"type": "object", "required": ["a"], "additionalProperties": False, "maxProperties": 9},
            "required, additionalProperties and type at # cannot",
            "#",
        ),
        (
            {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"not": {}}}},
            "nothing satisfies not at #/\\$defs/a",
            "#/$defs/a",
        ),
        (
            {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
            "a value of #/properties/a must have another one inside, without end",
            "#/properties/a",
        ),
        ({"anyOf": [{"enum": []}, {"not": {}}], "minimum": 1}, "nothing satisfies anyOf at #", "#"),
    ],
)
def test_a_schema_that_nothing_satisfies_is_told_with_the_place(schema, keywords, pointer):
    with pytest.raises(UnsatisfiableSchemaError, match=f"no document satisfies the schema.*: {keywords}") as refused:
        lower(schema, Options())
    assert refused.value.pointer == pointer
    assert refused.value.hint


def test_an_expression_that_nothing_satisfies_has_a_hint():
    with pytest.raises(UnsatisfiableSchemaError, match="regex: no text satisfies it") as refused:
        Regex("[^\\s\\S]").build(toy_context())
    assert refused.value.hint == "it contradicts itself: loosen it"


_FREE = StructuralTag([{"begin": "<a>", "schema": True, "end": "<"}])
_SAME = "give both the same "


@pytest.mark.parametrize(
    ("asked", "reason", "hint"),
    [
        (
            (Grammar('start: "a"'), JSONSchema({})),
            "'grammar' and 'json_schema' .* need not be a grammar",
            "into the grammar",
        ),
        (
            (Choice(["a"]), Grammar('start: "a"')),
            "'choice' and 'grammar' .* need not be a grammar",
            "into the grammar",
        ),
        (
            (ToolCalls([{"name": "a"}]), Regex("a")),
            "'tool_calls' and 'regex' .* in free text",
            "into their schemas",
        ),
        ((Regex("a"), _FREE), "'regex' and 'structural_tag' .* stand in free text", "into their schemas"),
        (
            (JSONSchema({}), Regex("a")),
            "'json_schema' and 'regex' .* value is written in many ways",
            '{"pattern": …}',
        ),
        ((Choice(["a"]), AnyJSON()), "'choice' and 'json' .* one value is written in many ways", '{"enum": […]}'),
        ((Regex("a", after="b"), Choice(["a"])), "places, behind 'b' and at the beginning", f"{_SAME}after="),
        ((Regex("a", after="b"), Regex("a", after="c")), "places, behind 'b' and behind 'c'", f"{_SAME}after="),
        (
            (JSONSchema({}, after="b"), Grammar('start: "a"', after="b")),
            "'json_schema' and 'grammar' .* need not be a grammar",
            "write into the grammar",
        ),
        (
            (JSONSchema({}), JSONSchema({"maxItems": 1}, key_order="any")),
            "read differently: key_order is 'schema' in one and 'any' in the other",
            f"{_SAME}key_order=",
        ),
        (
            (JSONSchema({}, whitespace="compact"), JSONSchema({}, whitespace=2)),
            "whitespace is 'compact' in one and 2 in the other",
            f"{_SAME}whitespace=",
        ),
        ((AnyJSON(), JSONSchema({}, whitespace=6)), "whitespace is 'flexible' in one and 6 in", f"{_SAME}whitespace="),
        (
            (JSONSchema({"format": "date"}), JSONSchema({"format": "time"}, formats="assert")),
            "formats is 'annotate' in one and 'assert' in the other",
            f"{_SAME}formats=",
        ),
        ((JSONSchema({}, draft="7"), AnyJSON()), "draft is '7' in one and None in the other", f"{_SAME}draft="),
        (
            (JSONSchema({}, documents={"urn:x": True}), JSONSchema({"minItems": 1}, documents={"urn:x": {}})),
            "two schemas under 'urn:x'",
            "another URI",
        ),
    ],
)
def test_constraints_that_do_not_go_together_are_refused_with_the_reason_and_what_to_do(asked, reason, hint):
    decoder = Decoder(tiny_llama(257, eos_token_id=256), Vocabulary.from_bytes())
    with pytest.raises(IncompatibleTechniquesError, match="cannot be combined: ") as refused:
        decoder.generate("a", *asked)
    assert re.search(reason, str(refused.value))
    assert hint in refused.value.hint


def test_a_tokenizer_that_is_nowhere_is_told_at_once(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("huggingface_hub.get_session", lambda: asked.append(1) or pytest.fail("no network in tests"))
    monkeypatch.setattr(commands, "_reaches_hub", lambda: asked.append(1) is not None)
    with pytest.raises(ModelError, match="there is no folder 'no-such-tokenizer', no tokenizer of that name"):
        commands._vocabulary("no-such-tokenizer")
    assert asked == [1]
    with pytest.raises(SystemExit) as ended:
        run(["explain-schema", "{}", "--tokenizer", "no-such-tokenizer"])
    assert ended.value.code == 2
    assert "the hub cannot be reached" in capsys.readouterr().err


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch):
    class Session:
        asked = 0

        def head(self, url, timeout):
            Session.asked += 1
            raise ConnectionError(f"no route to {url} within {timeout} s")

    monkeypatch.setattr("huggingface_hub.get_session", Session)
    assert not commands._reaches_hub()
    assert Session.asked == 1


def test_an_unsatisfiable_schema_is_one_json_object_too(capsys):
    with pytest.raises(SystemExit) as ended:
        run(["explain-schema", '{"enum": []}', "--json"])
    assert ended.value.code == 1
    told = json.loads(capsys.readouterr().out)
    assert told["refused"][0].startswith("unsatisfiable: ")
    assert "enum" in told["refused"][0]
    assert told["allowed"] == []


class Cat(BaseModel):
    lives: int


class Dog(BaseModel):
    bones: int


def test_a_list_of_types_is_told_what_stands_for_several():
    with pytest.raises(SchemaError, match=r"^a list of types is no schema: Cat, Dog") as refused:
        JSONSchema([Cat, Dog])
    assert (
        refused.value.hint
        == "Cat | Dog is one of them, list[Cat] a list of them; tool_calls=[Cat, Dog] are calls of functions"
    )


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Cat | Dog, '{"bones": 3}', Dog(bones=3)),
        (Cat | Dog, '{"lives": 7}', Cat(lives=7)),
        (list[Cat], '[{"lives": 7}, {"lives": 9}]', [Cat(lives=7), Cat(lives=9)]),
    ],
)
def test_unions_and_lists_of_types_are_schemas(kind, text, value):
    built = JSONSchema(kind).build(toy_context(vocabulary=Vocabulary.from_bytes(), max_new_tokens=60))
    state = built.start()
    for byte in text.encode():
        assert built.mask(state, 60)[byte >> 5] >> (byte & 31) & 1
        state = built.advance(state, byte)
    assert built.is_complete(state)
    assert built.parse(text) == value


def test_a_value_of_a_type_is_told_to_be_none():
    with pytest.raises(SchemaError, match=r"json_schema: Cat\(lives=7\) is a value, not a schema") as refused:
        JSONSchema(Cat(lives=7)).build(toy_context(vocabulary=Vocabulary.from_bytes(), max_new_tokens=60))
    assert refused.value.hint == "give its type: Cat"


def test_a_length_that_is_not_found_is_not_said_to_be_none():
    many = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 400}
    with pytest.raises(UnsupportedSchemaError, match="how many tokens a document needs is too much") as told:
        JSONSchema(many).build(toy_context(vocabulary=Vocabulary.from_bytes()))
    assert "leave uniqueItems out" in told.value.hint


def test_a_tokenizer_for_a_vocabulary_is_told():
    with pytest.raises(RequestError, match="the vocabulary is str, not decodekit") as told:
        decodekit_json.compile({}, "gpt2")
    assert told.value.hint == "Vocabulary.from_tokenizer(tokenizer)"


def test_a_document_that_needs_a_reference_that_is_nowhere_cannot_be_checked():
    left = UnsupportedSchemaError("'http://x/y' leads nowhere", keyword="$ref", pointer="#/properties/p")
    check = Checker({"properties": {"p": {"$ref": "http://x/y"}}}, {}, "", False, [left])
    check("{}")
    with pytest.raises(ValueError, match=r"'http://x/y' is not among the documents \(\$ref at #/properties/p was left"):
        check('{"p":1}')


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [(r"\Aa", "ECMA-262 has ^ for the start"), ("(?P<x>a)", r"a named group"), ("a++", "escape it")],
)
def test_a_pattern_that_is_not_read_says_what_to_write(pattern, hint):
    with pytest.raises(SchemaError, match="pattern at #") as caught:
        lower({"pattern": pattern}, Options())
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ("strng", "'strng' is not one of null, boolean, number, integer, string, array, object", "'string'?"),
        ("String", "'String' is not one of null, .*, object", "'string'?"),
        ("int", "'int' is not one of", "'integer'?"),
        ("flaot", "'flaot' is not one of", "did you mean 'number'?"),
        ("obj", "'obj' is not one of", "'object'?"),
        ("None", "'None' is not one of", "'null'?"),
        ("any", "'any' is not one of", "leave type out"),
        ("date-time", "'date-time' is not one of", '"format": "date-time"'),
        ("wibble", "'wibble' is not one of", None),
        (["null", "strng"], "'strng' in the list is not one of", "did you mean 'string'?"),
        (["strng"], "'strng' in the list is not one of", "did you mean 'string'?"),
        ([["string"]], r"\['string'\] in the list is not one of", None),
        (3, "3 is not one of", None),
        ([], "the list is empty", "leave type out"),
    ],
)
def test_a_type_that_there_is_not_is_told_with_what_was_meant(given, said, hint):
    with pytest.raises(SchemaError, match=rf"^type at #/items: {said}") as caught:
        lower({"items": {"type": given}}, Options())
    assert caught.value.hint is None if hint is None else hint in caught.value.hint


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 2**61},
        {"type": "array", "minItems": 1e30},
        {"type": "array", "minItems": 2**30, "items": {"type": "string", "minLength": 2**30}},
        {"type": "object", "minProperties": 2**61},
        {"type": "string", "pattern": "^a{99999999999999999999}$"},
        {
            "type": "object",
            "properties": {key: {"$ref": "#/$defs/a"} for key in "abcd"},
            "required": [*"abcd"],
            "$defs": {"a": {"type": "string", "minLength": 2**59}},
        },
    ],
)
def test_a_document_that_is_too_long_to_be_written_is_not_called_a_contradiction(schema):
    with pytest.raises(UnsatisfiableSchemaError, match="that satisfies the schema is short enough") as refused:
        lower(schema, Options())
    assert "cannot hold together" not in str(refused.value)
    assert "2^60" not in str(refused.value)
    assert refused.value.hint == "ask for less"


def test_a_contradiction_with_a_large_bound_is_one():
    with pytest.raises(UnsatisfiableSchemaError, match=r"^no document satisfies the schema: minItems") as refused:
        lower({"type": "array", "minItems": 10**6, "maxItems": 5}, Options())
    assert "cannot hold together" in str(refused.value)


def test_texts_that_are_too_long_to_be_written_are_not_called_a_contradiction():
    with pytest.raises(UnsatisfiableSchemaError, match="regex: no text of it is short enough") as refused:
        Regex("(a{1000000000}){2000000000}").build(toy_context())
    assert refused.value.hint == "ask for fewer repetitions"


@pytest.mark.parametrize("least", [7, 10**12, 2**59])
def test_too_few_tokens_are_told_with_how_many_are_needed(least):
    decoder = Decoder(tiny_llama(257, eos_token_id=256), Vocabulary.from_bytes())
    with pytest.raises(UnsatisfiableSchemaError, match=rf"has {least + 2} tokens, .* may generate 5") as refused:
        decoder.generate("x", JSONSchema({"type": "string", "minLength": least}), max_new_tokens=5)
    assert f"max_new_tokens={least + 2}" in refused.value.hint


def _needs(**members):
    return {"type": "object", "properties": members, "required": [*members]}


def _chosen(letter):
    several = [{"anyOf": [{"required": [f"{letter}{i}{j}", f"{letter}{i}"]} for j in range(5)]} for i in range(3)]
    return {"type": "object", "allOf": several}


_LOCAL = {"a": {"$ref": "#/$defs/x"}}


@pytest.mark.parametrize(
    ("asked", "message", "pointer"),
    [
        (
            [_needs(a={"type": "integer"}), _needs(a={"type": "string"})],
            "type at the first schema's #/properties/a and type at the second schema's #/properties/a cannot",
            "#/properties/a",
        ),
        ([{"type": "null"}, {"type": "string"}], "type at the first schema's # and type at the second schema's #", "#"),
        (
            [_needs(a={"maximum": 3}), {**_needs(**_LOCAL), "$defs": {"x": {"type": "integer", "minimum": 5}}}],
            "maximum at the first schema's #/properties/a and minimum and type at the second schema's #/$defs/x cannot",
            "#/properties/a",
        ),
        (
            [{"type": "integer", "minimum": 4}, {"maximum": 8}, {"maximum": 2}],
            "minimum and type at the first schema's # and maximum at the third schema's # cannot",
            "#",
        ),
    ],
)
def test_schemas_that_contradict_one_another_are_named_by_their_own_places(asked, message, pointer):
    decoder = Decoder(tiny_llama(257, eos_token_id=256), Vocabulary.from_bytes())
    for after in (None, "b"):
        with pytest.raises(UnsatisfiableSchemaError, match=re.escape(message)) as refused:
            decoder.generate("x", *(JSONSchema(schema, after=after) for schema in asked), max_new_tokens=60)
        assert "allOf" not in str(refused.value)
        assert refused.value.pointer == pointer


def test_schemas_that_multiply_out_together_are_not_said_to_have_a_keyword_of_none():
    decoder = Decoder(tiny_llama(257, eos_token_id=256), Vocabulary.from_bytes())
    with pytest.raises(UnsupportedSchemaError, match="the schemas together: the alternatives multiply out") as refused:
        decoder.generate("x", JSONSchema(_chosen("a")), JSONSchema(_chosen("b")), max_new_tokens=60)
    assert refused.value.keyword == ""
    assert "allOf" not in str(refused.value)


def test_schemas_that_are_met_are_told_of_once():
    decoder = Decoder(tiny_llama(257, eos_token_id=256), Vocabulary.from_bytes())
    asked = [JSONSchema({"type": "integer", "minmum": 4}), JSONSchema({"maximum": 8})]
    with pytest.warns(SchemaWarning) as told:
        decoder.generate("x", *asked, max_new_tokens=5)
    assert len(told) == 1
    assert "minmum at # says nothing" in str(told[0].message)


@pytest.mark.parametrize(
    ("schema", "reference"),
    [
        ({"$ref": "#/properties/a/b", "properties": {"a": 5}}, "'#/properties/a/b'"),
        ({"$ref": "#/x/y", "x": "s"}, "'#/x/y'"),
        ({"$ref": "#/x/y", "x": None}, "'#/x/y'"),
        ({"$ref": "#/prefixItems/a", "prefixItems": [True]}, "'#/prefixItems/a'"),
        ({"$ref": "#/$defs/p/prefixItems/-1", "$defs": {"p": {"prefixItems": [True]}}}, "'#/.*/-1'"),
        ({"$ref": "#/$defs/p/prefixItems/00", "$defs": {"p": {"prefixItems": [True]}}}, "'#/.*/00'"),
        ({"$ref": "http://[bad"}, r"'http://\[bad'"),
    ],
    ids=str,
)
def test_a_reference_into_what_is_no_schema_leads_nowhere(schema: Any, reference: str):
    with pytest.raises(UnsupportedSchemaError, match=rf"\$ref at #: {reference} leads nowhere"):
        compile(schema, Vocabulary.from_bytes())


def test_a_reference_that_leads_nowhere_is_told_where_the_document_needs_it():
    schema = {"properties": {"a": {"$ref": "#/x/y"}}, "x": "s"}
    technique = JSONSchema(schema, unsupported="check")
    constraint: Any = technique.build(toy_context(vocabulary=Vocabulary.from_bytes()))
    assert constraint.parse("{}") == {}
    with pytest.raises(ValueError, match="cannot be checked: what it refers to is not among the documents"):
        constraint.parse('{"a": 1}')


def test_a_place_in_another_document_is_told_with_its_uri():
    documents = {
        "https://e.com/a.json": {"properties": {"x": {"$ref": "#/$defs/y"}}, "$defs": {"y": {"type": "strin"}}}
    }
    with pytest.raises(SchemaError, match=r"type at https://e\.com/a\.json#/\$defs/y: 'strin'"):
        compile({"$ref": "https://e.com/a.json"}, Vocabulary.from_bytes(), documents=documents)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"minimum": 1.00000000000000000001}', r"the number 1\.00000000000000000001, of which a float keeps 1\.0"),
        ('{"minimum": 1e999}', "the number 1e999, of which a float keeps inf"),
        ('{"multipleOf": 1e-999}', r"the number 1e-999, of which a float keeps 0\.0"),
        ('{"minimum": ' + "9" * 5000 + "}", "a number of 5000 digits"),
        ('{"items":' * 5000 + "{}" + "}" * 5000, "nests too deeply"),
    ],
    ids=["digits", "large", "small", "long", "deep"],
)
def test_a_number_that_would_change_is_refused(text: str, message: str):
    with pytest.raises(SchemaError, match=message):
        compile(text, Vocabulary.from_bytes())


def test_a_schema_text_may_begin_with_a_byte_order_mark_and_numbers_stay():
    text = '\ufeff{"enum": [0.1, 2.50, 1e2, 12345678901234567890, -0.0]}'
    assert load_schema(text)[0] == {"enum": [0.1, 2.5, 100.0, 12345678901234567890, 0.0]}


def test_a_key_that_is_there_twice_is_told():
    with pytest.warns(SchemaWarning, match="the key 'type' more than once"):
        assert load_schema('{"type": "null", "type": "integer"}')[0] == {"type": "integer"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"whitespace": 9}, "whitespace=9: it is 'flexible', 'compact' or a whole number from 0 to 8"),
        ({"key_order": "x"}, "key_order is 'schema' or 'any', got 'x'"),
        ({"formats": "assert"}, "formats is True or False, got 'assert'"),
        ({"unsupported": "x"}, "unsupported is 'refuse' or 'check', got 'x'"),
        ({"draft": "9"}, "unknown draft '9'"),
    ],
    ids=str,
)
def test_options_of_compile_are_checked(options: Any, message: str):
    with pytest.raises((RequestError, SchemaError), match=message):
        compile({}, Vocabulary.from_bytes(), **options)
