"""What a request asks for: the laws of a constraint against brute force, typed results, refusals, checks at the end."""

import io
import json
import random
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal
from unittest.mock import create_autospec

import jsonschema
import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from decodekit import Decoder
from decodekit.cli.application import run
from decodekit.errors import (
    IncompatibleTechniquesError,
    RequestError,
    SchemaError,
    UnsatisfiableSchemaError,
    UnsupportedSchemaError,
)
from decodekit.plugins import plugins
from decodekit.request import Request
from decodekit.techniques import CompiledConstraint
from decodekit.testing import ConstraintLaws, toy_context
from decodekit.testing.toys import tiny_llama
from decodekit.vocabulary import Vocabulary
from decodekit_json import AnyJSON, Choice, JSONSchema, Regex, decodekit_constraints
from decodekit_json.checking import InvalidDocumentError
from decodekit_json.compiler import Options
from decodekit_json.explain import explain

JSON_WORDS = Vocabulary(
    (b'{"', b'a"', b'": ', b":", b"1", b"12", b"}", b"{}", b", ", b'"b', b'"', b"true", None, b"", b" ", b"-"), (12,)
)
UTF8_WORDS = Vocabulary((b"\xf0\x9f", b"\x90", b"\xa2", b"\x90\xa2", b'"', b'"\xf0', b"\x9f\x90\xa2", b"a", None), (8,))
VALUES = Vocabulary((b"[", b"]", b"[]", b"{}", b",", b"1", b'"', b"null", b"tr", b"ue", None), (10,))
BACK = {"type": "string", "pattern": r"^(a|b)\1$"}


class Day(BaseModel):
    day: str


class Unreadable(TypedDict):
    a: Annotated[str, Field(pattern=r"a\Z")]


class Perl(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    a: str = Field(pattern=r"a\Z")


class Den(BaseModel):
    model_config = ConfigDict(extra="forbid")

    place: str = Field(max_length=8)
    depth_m: float = Field(ge=0, lt=20)


class Bear(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=6)
    kind: Literal["brown", "polar"]
    age: int = Field(ge=0, le=60)
    tags: list[bool] = Field(default_factory=list, max_length=2)
    den: Den | None = None


@pytest.fixture(scope="module")
def context():
    return toy_context(vocabulary=Vocabulary.from_bytes(), max_new_tokens=64)


def allowed(constraint, state, remaining=10_000):
    bits = np.unpackbits(constraint.mask(state, remaining).view(np.uint8), bitorder="little")
    return set(np.flatnonzero(bits).tolist())


def accepts(constraint, text):
    state = constraint.start()
    for byte in text.encode():
        if byte not in allowed(constraint, state):
            return False
        state = constraint.advance(state, byte)
    return constraint.is_complete(state)


def write(constraint, budget, seed):
    rng, state, tokens = random.Random(seed), constraint.start(), []
    while len(tokens) < budget:
        ways = sorted(allowed(constraint, state, budget - len(tokens)))
        if not ways or (constraint.is_complete(state) and rng.random() < 0.5):
            break
        tokens.append(rng.choice(ways))
        state = constraint.advance(state, tokens[-1])
    return tokens, state


def is_card(text: bytes) -> bool:
    return re.fullmatch(rb'\{"a": ?(0|-?[1-9]\d*)(, ?"b": ?true)? ?\}', text) is not None


def is_value(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return not text.endswith(b" ")


def may_become_a_value(text: bytes) -> bool:
    """Say whether some bytes of the words make it a value."""
    closers = (b"", b"1", b'"', b"ue", b"{}", b"[]")
    return any(is_value(text + a + b"]" * n) for a in closers for n in range(7)) or not text


class TestRegex(ConstraintLaws):
    make = staticmethod(lambda: Regex(pattern="(ab|a)*b?"))
    accepts = staticmethod(lambda text: re.fullmatch(rb"(ab|a)*b?", text) is not None)


class TestBoundedRegex(ConstraintLaws):
    make = staticmethod(lambda: Regex(pattern="a{2,5}|b{3}"))
    accepts = staticmethod(lambda text: re.fullmatch(rb"a{2,5}|b{3}", text) is not None)


class TestLookAhead(ConstraintLaws):
    make = staticmethod(lambda: Regex(pattern=r"(?!ab)[ab]{2,3}\b"))
    accepts = staticmethod(lambda text: re.fullmatch(rb"(?!ab)[ab]{2,3}\b", text) is not None)


class TestChoice(ConstraintLaws):
    make = staticmethod(lambda: Choice(choices=("ab", "abba", "b", "")))
    accepts = staticmethod(lambda text: text in (b"ab", b"abba", b"b", b""))


class TestJSONSchema(ConstraintLaws):
    make = staticmethod(
        lambda: JSONSchema(
            {
                "properties": {"a": {"type": "integer"}, "b": {"const": True}},
                "required": ["a"],
                "type": "object",
                "additionalProperties": False,
            }
        )
    )
    accepts = staticmethod(is_card)
    may_continue = staticmethod(lambda text: b'{"a": '.startswith(text[:6]) or text[:5] == b'{"a":')
    vocabulary = JSON_WORDS
    max_tokens = 6


class TestCharactersOfSeveralBytes(ConstraintLaws):
    make = staticmethod(lambda: Regex(pattern='"🐢"|🐢a*'))
    accepts = staticmethod(lambda text: re.fullmatch('"🐢"|🐢a*'.encode(), text) is not None)
    vocabulary = UTF8_WORDS


class TestAnyJSON(ConstraintLaws):
    make = staticmethod(lambda: AnyJSON(whitespace="compact"))
    accepts = staticmethod(is_value)
    may_continue = staticmethod(may_become_a_value)
    vocabulary = VALUES
    max_tokens = 4


class TestIntersectionOfExpressions(ConstraintLaws):
    accepts = staticmethod(lambda text: re.fullmatch(rb"(?=[ab]{2,4}$)a*b*", text) is not None)

    def compiled(self):
        one, two = (Regex(pattern=p).build(self.context()) for p in ("a*b*", "[ab]{2,4}"))
        return one.intersect(two)


class TestIntersectionWithChoice(ConstraintLaws):
    accepts = staticmethod(lambda text: text in (b"ab", b"b"))

    def compiled(self):
        return Choice(("ab", "ba", "b")).build(self.context()).intersect(Regex("a*b*").build(self.context()))


class TestIntersectionOfSchemas(ConstraintLaws):
    accepts = staticmethod(lambda text: re.fullmatch(rb'\{"a": ?(1|12) ?\}', text) is not None)
    may_continue = TestJSONSchema.may_continue
    vocabulary = JSON_WORDS
    max_tokens = 5

    def compiled(self):
        one = JSONSchema(
            {"$defs": {"n": {"minimum": 1}}, "properties": {"a": {"$ref": "#/$defs/n"}}, "required": ["a"]}
        )
        two = JSONSchema(
            {
                "$defs": {"n": {"enum": [-1, 1, 12]}},
                "type": "object",
                "properties": {"a": {"$ref": "#/$defs/n"}},
                "additionalProperties": False,
            }
        )
        return one.build(self.context()).intersect(two.build(self.context()))


@pytest.mark.parametrize("extra", [0, 1, 5, 40])
def test_every_document_ends_within_its_budget_and_is_typed(context, extra):
    constraint = JSONSchema(Bear).build(context)
    budget = constraint.min_tokens(constraint.start()) + extra
    for seed in range(5):
        tokens, state = write(constraint, budget, seed)
        assert constraint.is_complete(state)
        assert isinstance(constraint.parse(context.vocabulary.text(tokens)), Bear)


@pytest.mark.parametrize("source", [{"type": "integer"}, '{"type": "integer"}', int, TypeAdapter(int)])
def test_a_schema_may_be_given_in_many_ways(context, source, tmp_path):
    (tmp_path / "schema.json").write_text('{"type": "integer"}')
    for given in (source, tmp_path / "schema.json", str(tmp_path / "schema.json")):
        for technique in (JSONSchema(given), JSONSchema(schema=given)):
            constraint = technique.build(context)
            assert constraint.parse("12") == 12
            assert (accepts(constraint, "12"), accepts(constraint, "1.5")) == (True, False)


def test_a_class_gives_an_instance_and_is_written_as_its_schema(context):
    technique = JSONSchema(Bear, whitespace="compact")
    text = '{"name":"Bo","kind":"polar","age":3,"tags":[],"den":{"place":"oak","depth_m":2.5}}'
    assert technique.build(context).parse(text).den == Den(place="oak", depth_m=2.5)
    plain = technique.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert plain == {"schema": Bear.model_json_schema(), "whitespace": "compact", "formats": "assert"}
    assert json.loads(json.dumps(plain)) == plain


def test_every_option_survives_a_recipe():
    technique = JSONSchema(
        {"$ref": "urn:x"}, key_order="any", formats="assert", unsupported="check", documents={"urn:x": True}, draft="7"
    )
    plain = json.loads(json.dumps(Request(prompt="p", techniques=[technique]).to_dict()))
    assert Request.from_dict(plain, plugins()).techniques == (technique,)


def test_whitespace_is_the_models_choice_or_none(context):
    schema = {"required": ["a"], "type": "object"}
    pretty, compact = json.dumps({"a": [1, {}]}, indent=2), '{"a":[1,{}]}'
    flexible, tight = JSONSchema(schema).build(context), JSONSchema(schema, whitespace="compact").build(context)
    assert [accepts(c, t) for c in (flexible, tight) for t in (pretty, compact)] == [True, True, False, True]


def test_keys_come_in_the_schemas_order_unless_any_will_do(context):
    schema = {"properties": {"a": True, "b": True}, "required": ["a", "b"], "type": "object"}
    one, any_order = JSONSchema(schema).build(context), JSONSchema(schema, key_order="any").build(context)
    assert [accepts(c, '{"b":1,"a":1}') for c in (one, any_order)] == [False, True]
    assert [accepts(c, '{"b":1}') for c in (one, any_order)] == [False, False]


class Stamped(BaseModel):
    day: str = Field(json_schema_extra={"format": "date"})


@pytest.mark.parametrize(
    ("technique", "wrong_one_is_accepted"),
    [
        (JSONSchema(Stamped), False),
        (JSONSchema(Stamped, formats="annotate"), True),
        (JSONSchema(Stamped.model_json_schema()), True),
        (JSONSchema(Stamped.model_json_schema(), formats="assert"), False),
    ],
)
def test_formats_are_asserted_for_types_and_annotate_schemas(context, technique, wrong_one_is_accepted):
    constraint = technique.build(context)
    assert accepts(constraint, '{"day": "2024-02-29"}')
    assert accepts(constraint, '{"day": "2023-02-29"}') == wrong_one_is_accepted


def test_documents_are_handed_in_and_never_fetched(context):
    schema = {"$ref": "https://example.org/age.json"}
    given = JSONSchema(schema, documents={"https://example.org/age.json": {"type": "integer", "minimum": 3}})
    assert [accepts(given.build(context), text) for text in ("3", "2")] == [True, False]
    with pytest.raises(UnsupportedSchemaError, match=r"json_schema: \$ref at #: .* leads nowhere") as caught:
        JSONSchema(schema).build(context)
    assert "documents={'https://example.org/age.json': schema}" in caught.value.hint


def test_a_draft_has_its_own_rules(context):
    schema = {"type": "integer", "$defs": {"x": {}}, "exclusiveMinimum": True, "minimum": 3}
    assert not accepts(JSONSchema(schema, draft="4").build(context), "3")
    with pytest.raises(SchemaError, match="json_schema: "):
        JSONSchema(schema, draft="2020-12").build(context)


def test_a_loosened_keyword_is_checked_at_the_end(context):
    schema = {"type": "array", "items": BACK, "minItems": 1}
    with pytest.raises(UnsupportedSchemaError, match=r"json_schema: pattern at #/items: .* back reference"):
        JSONSchema(schema).build(context)
    constraint = JSONSchema(schema, unsupported="check").build(context)
    assert accepts(constraint, '["aa"]')
    assert accepts(constraint, '["ab"]')
    assert not accepts(constraint, "[1]")
    assert constraint.parse('["aa", "bb"]') == ["aa", "bb"]
    with pytest.raises(
        InvalidDocumentError, match=r"'ab' does not match .*at #/1 of the document; pattern at #/items was left"
    ):
        constraint.parse('["aa", "ab"]')


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"items": {"pattern": BACK["pattern"], "multipleOf": 0.01}}, "[0.07]", None),
        ({"properties": {"a": BACK, "d": {"format": "date"}}}, '{"a": "aa", "d": "2024-02-29"}', '{"d": "2023-02-29"}'),
        ({"properties": {"a": BACK, "w": {"pattern": r"^\p{Lu}\d$"}}}, '{"w": "Ä1"}', '{"w": "Ä١"}'),
        ({"$ref": "urn:other", "properties": {"a": BACK}}, '{"o": 1}', '{"o": "x"}'),
    ],
)
def test_the_check_reads_keywords_as_the_engine_does(context, schema, right, wrong):
    documents = {"urn:other": {"properties": {"o": {"type": "integer"}}}}
    constraint = JSONSchema(schema, unsupported="check", formats="assert", documents=documents).build(context)
    assert constraint.parse(right) == json.loads(right)
    if wrong:
        with pytest.raises(InvalidDocumentError):
            constraint.parse(wrong)


def test_the_result_says_that_a_loosened_keyword_is_broken():
    decoder = Decoder(tiny_llama(257, eos_token_id=256), Vocabulary.from_bytes())
    technique = JSONSchema({"type": "array", "items": BACK, "minItems": 1, "maxItems": 1}, unsupported="check")
    found = decoder.generate("x", technique, multinomial=True, n=12, seed=3, max_new_tokens=10)
    for sample in found.samples:
        value = json.loads(sample.text)
        if value[0] in ("aa", "bb"):
            assert (sample.parsed, sample.parse_error) == (value, None)
        else:
            assert sample.parsed is None
            assert sample.parse_error.startswith("InvalidDocumentError: ")
    assert any(sample.parse_error for sample in found.samples)


def test_a_validator_in_python_may_still_refuse(context):
    with pytest.raises(ValidationError, match="name"):
        JSONSchema(Bear).build(context).parse('{"kind": "polar", "age": 3}')


@pytest.mark.parametrize(
    ("technique", "kind", "message"),
    [
        (JSONSchema("{nonsense"), SchemaError, "json_schema: the schema is not JSON"),
        (JSONSchema("no/such/file.json"), SchemaError, "json_schema: .* is neither JSON nor a file"),
        (JSONSchema({"type": {1}}), SchemaError, "json_schema: the schema is not JSON"),
        (JSONSchema(object()), SchemaError, "json_schema: .* is not a schema"),
        (JSONSchema(Annotated[str, Field(pattern=r"a\Z")]), SchemaError, r"a\\Z error: unrecognized escape sequence"),
        (JSONSchema(Unreadable), SchemaError, r'Field "a": .* a\\Z error: unrecognized escape sequence'),
        (JSONSchema(Perl), SchemaError, r"pattern at #/properties/a: .*an unknown escape \\Z at character 1"),
        (JSONSchema({"type": "text"}), SchemaError, "json_schema: type at #: .*'text'.* is not one of null, boolean"),
        (JSONSchema({"properties": {"a": {"pattern": "("}}}), SchemaError, r"json_schema: .*'\(' does not parse"),
        (JSONSchema({"not": {}}), UnsatisfiableSchemaError, "json_schema: no document satisfies"),
        (JSONSchema(False), UnsatisfiableSchemaError, "json_schema: no document satisfies"),
        (
            JSONSchema({}, documents={"urn:x": "no/such"}),
            SchemaError,
            "json_schema: urn:x: .* is neither JSON nor a file",
        ),
        (Regex("(a)\\1"), UnsupportedSchemaError, "regex: .* back reference"),
        (Regex("(a"), SchemaError, "regex: .* does not parse"),
        (Regex("[^\\s\\S]"), UnsatisfiableSchemaError, "regex: no text satisfies it"),
        (Choice(["\ud800"]), SchemaError, "choice: .* lone surrogate"),
    ],
)
def test_errors_say_what_and_where(context, technique, kind, message):
    with pytest.raises(kind, match=message):
        technique.build(context)


@pytest.mark.parametrize("schema", [None, 3, 1.5, [{"type": "null"}]])
def test_what_is_no_schema_is_refused_when_it_is_given(schema):
    with pytest.raises(RequestError, match="a schema is a dict, JSON text, a path"):
        JSONSchema(schema)


def test_a_misspelt_option_beside_a_schema_is_not_read_as_a_keyword_that_says_nothing():
    decoder = Decoder(tiny_llama(257, eos_token_id=256), Vocabulary.from_bytes())
    with pytest.raises(RequestError, match=r"json_schema: there is no field 'whitspace'") as caught:
        decoder.request("a", json_schema={"schema": {"type": "null"}, "whitspace": "compact"})
    assert "did you mean 'whitespace'" in caught.value.hint
    assert "schema_" not in caught.value.hint
    plain = decoder.request("a", json_schema={"type": "null", "default": None})
    assert plain.to_dict()["techniques"][0]["schema"] == {"type": "null", "default": None}


@pytest.mark.parametrize("where", [["items"], ["properties", "a", "items"], ["anyOf", 0, "properties", "b"]])
def test_what_cannot_be_kept_is_refused_before_the_first_byte_wherever_it_is(context, where):
    schema = BACK
    for part in reversed(where):
        schema = [schema] if part == 0 else {part: schema}
    pointer = "/".join(map(str, where))
    with pytest.raises(UnsupportedSchemaError, match=f"pattern at #/{pointer}: ") as caught:
        JSONSchema(schema).build(context)
    assert (caught.value.keyword, caught.value.pointer) == ("pattern", f"#/{pointer}")


def test_a_vocabulary_that_cannot_write_it_is_an_error():
    few = toy_context(vocabulary=Vocabulary((b"x", b"zz", b"{")))
    for technique in (Choice(["xyz"]), Regex("xz"), JSONSchema({"type": "object"})):
        with pytest.raises(UnsatisfiableSchemaError, match="tokens of this vocabulary can write"):
            technique.build(few)


def test_without_the_tokens_bytes_nothing_is_built(context):
    with pytest.raises(SchemaError, match="choice needs to know the tokens' bytes"):
        Choice(["a"]).build(replace(context, vocabulary=None))


def test_a_contradiction_of_two_constraints_is_an_error(context):
    one, two = Regex("a+").build(context), Choice(["b", "c"]).build(context)
    with pytest.raises(UnsatisfiableSchemaError, match="regex and choice: no text satisfies it"):
        one.intersect(two)


def test_two_constraints_are_both_kept_and_parse_is_the_typed_one(context):
    joint = Regex("[a-c]+").build(context).intersect(Choice(["a", "cab", "dd"]).build(context))
    assert [accepts(joint, text) for text in ("cab", "dd", "b")] == [True, False, False]
    assert joint.parse("cab") == "cab"
    assert joint.intersect(create_autospec(CompiledConstraint, instance=True)) is None


def test_a_schema_and_an_expression_are_refused_by_name():
    decoder = Decoder(tiny_llama(257, eos_token_id=256), Vocabulary.from_bytes())
    with pytest.raises(IncompatibleTechniquesError, match="'json' and 'regex' cannot be combined"):
        decoder.generate("x", AnyJSON(), Regex(".*"))


def test_schemas_that_are_read_differently_are_not_intersected(context):
    one, two = JSONSchema({}, key_order="any").build(context), JSONSchema({}).build(context)
    with pytest.raises(IncompatibleTechniquesError, match="key_order is 'any' in one and 'schema' in the other"):
        one.intersect(two)
    assert accepts(AnyJSON(whitespace="compact").build(context).intersect(two), "[1]")


def test_how_formats_are_read_counts_where_there_are_formats(context):
    dated = JSONSchema({"properties": {"day": {"format": "date"}}}, formats="assert").build(context)
    typed = JSONSchema(Day).build(context)
    for joint in (
        dated.intersect(typed),
        typed.intersect(dated),
        typed.intersect(JSONSchema(Day.model_json_schema()).build(context)),
    ):
        assert accepts(joint, '{"day":"2024-02-29"}')
    assert not accepts(dated.intersect(typed), '{"day":"2023-02-29"}')
    loose = JSONSchema({"properties": {"day": {"format": "date"}}}).build(context)
    assert accepts(loose.intersect(typed), '{"day":"2023-02-29"}')


def test_an_equal_schema_is_compiled_once_whatever_reads_its_documents(context):
    one, two = JSONSchema(Bear).build(context), JSONSchema(Bear.model_json_schema(), formats="assert").build(context)
    assert one.start() is two.start()
    assert Regex("a+").build(context).start() is Regex("a+").build(context).start()


def test_a_schema_that_is_changed_later_is_another_one(context):
    schema = {"type": "integer"}
    assert accepts(JSONSchema(schema).build(context), "1")
    schema["type"] = "string"
    assert not accepts(JSONSchema(schema).build(context), "1")


def test_threads_share_what_is_compiled(context):
    found, constraint = [], JSONSchema(Bear).build(context)

    def work(seed):
        tokens, state = write(constraint, 60, seed)
        found.append(constraint.is_complete(state) and bool(constraint.parse(context.vocabulary.text(tokens))))

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [True] * 6


def test_written_documents_satisfy_an_independent_validator(context):
    schema = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["a", "b"]},
            "size": {"type": "number", "multipleOf": 0.5, "maximum": 4, "minimum": -4},
            "tags": {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "maxItems": 3},
        },
        "required": ["kind"],
        "additionalProperties": False,
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"required": ["size"]},
        "else": {"required": ["tags"]},
    }
    constraint, seen = JSONSchema(schema).build(context), set()
    for seed in range(40):
        tokens, state = write(constraint, 60, seed)
        assert constraint.is_complete(state)
        value = json.loads(context.vocabulary.text(tokens))
        jsonschema.validate(value, schema)
        seen.add(value["kind"])
    assert seen == {"a", "b"}


def test_a_schema_is_explained_with_all_refusals_and_the_shortest_example():
    schema = {
        "title": "Card",
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 2, "maxLength": 5},
            "age": {"type": "integer", "minimum": 10},
        },
        "required": ["age"],
        "additionalProperties": False,
    }
    found = explain(schema, Options())
    assert found.allowed == [
        "an object",
        "  'name' (optional): a string of 2 to 5 characters",
        "  'age' (required): an integer, at least 10",
    ]
    assert (len(found.example), found.enough, found.ignored) == (10, 10, [("title", "#")])
    jsonschema.validate(json.loads(found.example), schema)
    refused = explain({"properties": {"a": {"items": {**BACK, "minLength": 1}}, "b": BACK}}, Options())
    assert {error.pointer for error in refused.refused} == {"#/properties/a/items", "#/properties/b"}
    assert refused.example is None


def test_what_nothing_satisfies_is_said_in_words():
    found = explain({"type": "array", "items": [{"type": "integer"}], "additionalItems": False}, Options(draft="7"))
    assert found.allowed == ["an array", "  item 1: an integer", "  each further item: never"]
    assert explain({"type": "array", "items": False}, Options()).allowed == ["an array", "  each item: never"]
    places = {"type": "array", "prefixItems": [{"type": "null"}, False]}
    assert explain(places, Options()).allowed == ["an array", "  item 1: null", "  item 2: never"]
    closed = {"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": False}
    assert explain(closed, Options()).allowed == ["an object", "  'a' (optional): null"]


def test_what_is_kept_is_not_called_ignored():
    schema = {"type": "object", "properties": {"a": {}, "b": True}, "unevaluatedProperties": False}
    found = explain(schema, Options())
    assert found.ignored == []
    assert found.allowed == ["an object", "  'a' (optional): any value", "  'b' (optional): any value"]


def test_choices_cost_what_they_come_to():
    def one(key):
        return {"required": [key]}

    def costs(schema):
        return [cost for cost in explain(schema, Options()).costs if cost[0] in ("allOf", "anyOf", "oneOf")]

    side_by_side = "3 alternatives of one type are followed side by side"
    kinds = [{"type": "object", "properties": {"kind": {"const": kind}}, "required": ["kind"]} for kind in "abc"]
    assert costs({"oneOf": kinds}) == [("oneOf", "#", side_by_side)]
    assert costs({"anyOf": [{"type": "string"}, {"type": "integer"}]}) == []
    many = {"type": "object", "allOf": [{"anyOf": [one(f"a{i}"), one(f"b{i}")]} for i in range(12)]}
    owed = "12 choices about keys are followed as what the object owes, not multiplied out"
    assert ("allOf", "#", owed) in costs(many)


def test_the_command_shows_the_top_of_a_long_schema_and_all_of_it_as_json(capsys, monkeypatch):
    inner = {"type": "object", "properties": {f"p{i}": {"type": "integer"} for i in range(10)}}
    schema = {"type": "object", "properties": {f"k{i}": inner for i in range(20)}, "additionalProperties": False}
    with pytest.raises(SystemExit):
        run(["explain-schema", json.dumps(schema), "--json"])
    whole = json.loads(capsys.readouterr().out)["allowed"]
    assert whole == explain(schema, Options()).allowed
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(schema)))
    with pytest.raises(SystemExit):
        run(["explain-schema", "-"])
    shown = capsys.readouterr().out.partition("allowed\n")[2].splitlines()
    first, *others = [line for line in shown if "'k" in line]
    assert (first, shown[2]) == ("    'k0' (optional): an object", "      'p0' (optional): an integer")
    assert others == [f"    'k{i}' (optional): an object …" for i in range(1, 20)]
    assert shown[-1] == f"  … {len(whole) - len(shown) + 1} more lines: --json has them all"
    assert len(shown) <= 41


def test_the_command_says_what_is_checked_at_the_end(capsys):
    with pytest.raises(SystemExit) as ended:
        run(["explain-schema", json.dumps({"type": "string", **BACK}), "--unsupported", "check", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert (shown["refused"], shown["example"], len(shown["checked at the end"])) == ([], [], 1)
    assert "back reference" in shown["checked at the end"][0]


@pytest.mark.parametrize(
    ("schema", "status", "shown"),
    [
        ('{"type": "boolean"}', 0, "false or true"),
        ('{"pattern": "(a)\\\\1"}', 1, "back reference"),
        ("false", 1, "unsatisfiable"),
    ],
)
def test_the_command_explains_and_its_status_says_whether_all_is_kept(schema, status, shown, capsys):
    with pytest.raises(SystemExit) as ended:
        run(["explain-schema", schema])
    assert ended.value.code == status
    assert shown in capsys.readouterr().out


def test_the_command_takes_the_options_of_the_technique(tmp_path, capsys):
    other = tmp_path / "other.json"
    other.write_text('{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}')
    arguments = [
        "explain-schema",
        '{"$ref": "https://example.org/other"}',
        "--document",
        f"https://example.org/other={other}",
    ]
    with pytest.raises(SystemExit) as ended:
        run([*arguments, "--whitespace", "2", "--key-order", "any", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert (ended.value.code, shown["example"]) == (0, ['{\n  "a": 0\n}'])
    with pytest.raises(SystemExit) as ended:
        run([*arguments, "--whitespace", "compact", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert (ended.value.code, shown["enough"]) == (0, ["7 bytes"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--whitespace", "wide"], "whitespace"),
        (["--key-order", "none"], "key_order"),
        (["--draft", "3"], "draft"),
        (["--unsupported", "ignore"], "unsupported"),
        (["--document", "nothing"], "--document 'nothing' is no URI=FILE"),
    ],
)
def test_the_command_refuses_wrong_options_in_our_words(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        run(["explain-schema", "{}", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_the_hook_offers_techniques():
    assert [technique.name for technique in decodekit_constraints()] == [
        "json_schema",
        "json",
        "regex",
        "grammar",
        "choice",
        "structural_tag",
        "tool_calls",
    ]


def test_the_readmes_example_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    readme = Path(__file__).parents[1] / "README.md"
    blocks = re.findall(r"```(python|text)\n(.*?)```", readme.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    for kind, block in blocks:
        if kind == "python":
            exec(compile(block, "README.md", "exec", dont_inherit=True), names)
        else:
            assert capsys.readouterr().out == block


def test_requests_with_one_schema_have_equal_constraints_whose_states_are_the_same():
    context = toy_context()
    one, other = (JSONSchema({"type": "array", "minItems": 2}).build(replace(context, prompt=p)) for p in ((1,), (2,)))
    assert one == other
    assert hash(one) == hash(other)
    assert one.advance(one.start(), ord("[")) is other.advance(other.start(), ord("["))
    assert one != JSONSchema({"type": "array", "minItems": 3}).build(context)
