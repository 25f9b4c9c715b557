import json
import random
from collections import defaultdict
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decodekit.errors import SchemaError, UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit_outlines.nodes import compile_node
from decodekit_outlines.schema import schema_node

DATA = next(
    (p / "shared/data" for p in Path(__file__).resolve().parents if (p / "shared/data").is_dir()), Path("absent")
)
SUITE, BENCH = DATA / "json-schema-test-suite/draft2020-12", DATA / "jsonschemabench-dev"
FAST_SHARE = 30


def automaton_of(schema, **options):
    return compile_node(schema_node(schema, **options))


def spellings(value):
    for ascii_only in (False, True):
        for separators in ((",", ":"), (", ", ": ")):
            yield json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()


def accepts(automaton, value):
    return any(automaton.accepts(raw) for raw in spellings(value))


def texts_of(automaton, seed, count=4, most=400):
    """Random texts of the language, bytes drawn one by one."""
    rng, letters = random.Random(seed), defaultdict(list)
    for byte, number in enumerate(automaton.classes.tolist()):
        letters[number].append(byte)
    for _ in range(count if automaton.size else 0):
        state, raw = 0, bytearray()
        while len(raw) < most and not (automaton.final[state] and rng.random() < 0.3):
            ways = [(c, t) for c, t in enumerate(automaton.moves[state].tolist()) if t >= 0]
            if not ways:
                break
            number, state = rng.choice(ways)
            raw.append(rng.choice(letters[number]))
        if automaton.final[state]:
            yield bytes(raw)


def check(schema, tests):
    """Give how many instances were accepted rightly; fail on anything that is accepted wrongly."""
    try:
        automaton = automaton_of(schema)
    except SchemaError as error:
        return len(str(error)) < 10 or None
    for data, valid in tests:
        assert valid or not accepts(automaton, data), f"false accept: {data!r} under {schema!r}"
    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    validator = kind(schema, format_checker=kind.FORMAT_CHECKER)
    for raw in texts_of(automaton, 0):
        assert validator.is_valid(json.loads(raw)), f"{raw!r} under {schema!r}"
    return sum(valid and accepts(automaton, data) for data, valid in tests)


def groups(folder):
    return [
        (f"{path.stem}: {group['description']}", group["schema"], [(t["data"], t["valid"]) for t in group["tests"]])
        for path in sorted(folder.glob("*.json"))
        for group in json.loads(path.read_text())
    ]


def bench():
    lines = [json.loads(line) for path in sorted(BENCH.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [(one["name"], one["schema"], [(t["data"], t["valid"]) for t in one["tests"]]) for one in lines]


def judge(cases, share):
    chosen = random.Random(0).sample(cases, max(1, len(cases) // share))
    return sum(check(schema, tests) is not None for _, schema, tests in chosen)


@pytest.mark.skipif(not SUITE.is_dir(), reason="needs shared/data/json-schema-test-suite")
@pytest.mark.parametrize("share", [4, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("folder", [".", "optional/format"])
def test_nothing_of_the_test_suite_is_accepted_wrongly(folder, share):
    assert judge(groups(SUITE / folder), share) > 0


@pytest.mark.skipif(not BENCH.is_dir(), reason="needs shared/data/jsonschemabench-dev")
@pytest.mark.parametrize("share", [FAST_SHARE, pytest.param(1, marks=pytest.mark.slow)])
def test_nothing_of_the_bench_is_accepted_wrongly(share):
    assert judge(bench(), share) > 0


bounds = st.one_of(st.integers(-120, 120), st.floats(-20, 20).map(lambda x: round(x, 2)))
leaves = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": ["null", "string"]}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])}, optional={"minimum": bounds, "maximum": bounds}
    ),
    st.fixed_dictionaries(
        {"type": st.just("number")}, optional={"exclusiveMinimum": bounds, "exclusiveMaximum": bounds}
    ),
    st.fixed_dictionaries({"type": st.just("integer"), "multipleOf": st.integers(1, 12)}),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "minLength": st.integers(0, 3),
            "maxLength": st.integers(0, 5),
            "pattern": st.sampled_from(["a", "^[a-c]+$", r"\d", '"', r"^.{2}$", r"\s"]),
        },
    ),
    st.lists(st.sampled_from([1, 1.0, "é\n", True, None, [1], {"a": "\\"}]), min_size=1).map(lambda v: {"enum": v}),
)
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.dictionaries(st.sampled_from(["a", "b", 'q"']), inner, max_size=3),
            },
            optional={
                "required": st.lists(st.sampled_from(["a", "b"]), unique=True),
                "additionalProperties": st.one_of(st.booleans(), inner),
            },
        ),
        st.fixed_dictionaries(
            {"type": st.just("array")},
            optional={
                "items": inner,
                "prefixItems": st.lists(inner, min_size=1, max_size=2),
                "minItems": st.integers(0, 2),
                "maxItems": st.integers(0, 3),
            },
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda v: {"anyOf": v}),
        st.lists(inner, min_size=1, max_size=2).map(lambda v: {"allOf": v}),
        st.lists(inner, min_size=2, max_size=2).map(lambda v: {"oneOf": v}),
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(schemas, st.integers(0, 1000))
def test_whatever_compiles_writes_only_valid_json(schema, seed):
    try:
        automaton = automaton_of(schema, depth=1)
    except SchemaError:
        return
    validator = jsonschema.Draft202012Validator(schema)
    for raw in texts_of(automaton, seed):
        assert validator.is_valid(json.loads(raw)), (raw, schema)


@pytest.mark.parametrize(
    ("schema", "keyword", "pointer"),
    [
        ({"not": {"type": "string"}}, "not", "#"),
        ({"properties": {"a/b": {"type": "array", "uniqueItems": True}}}, "uniqueItems", "#/properties/a~1b"),
        ({"items": {"if": True}}, "if", "#/items"),
        ({"dependentRequired": {"a": ["b"]}}, "dependentRequired", "#"),
        ({"type": "array", "contains": {}}, "contains", "#"),
        ({"type": "string", "format": "iri"}, "format", "#"),
        ({"multipleOf": 0.01}, "multipleOf", "#"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf", "#"),
        ({"$defs": {"n": {"items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"}, "\\$ref", "#/\\$defs/n/items"),
        ({"$ref": "https://example.org/x"}, "\\$ref", "#"),
        ({"properties": {"a": True}, "minProperties": 1}, "minProperties", "#"),
        ({"properties": {"a": True}, "propertyNames": {"maxLength": 3}}, "propertyNames", "#"),
        ({"unevaluatedProperties": False}, "unevaluatedProperties", "#"),
        ({"type": "number", "exclusiveMinimum": 0.1234567890123456}, "exclusiveMinimum", "#"),
        ({"allOf": [{"multipleOf": 2}, {"multipleOf": 3}]}, "multipleOf", "#/allOf/1"),
    ],
)
def test_what_would_not_be_honoured_is_refused_by_name(schema, keyword, pointer):
    with pytest.raises(UnsupportedSchemaError, match=f"'{keyword}' at {pointer} is not supported"):
        automaton_of(schema)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "strnig"}, "'strnig' is no value for 'type' at #"),
        ({"minLength": "3"}, "'3' is no value for 'minLength' at #"),
        ({"items": [{}]}, "'items' at # is a list"),
        ({"properties": {"a": 1}}, "1 at #/properties/a is not a schema"),
        ({"$ref": "#/$defs/x"}, "which is not there"),
        ({"pattern": "("}, "does not parse"),
        ({"pattern": "^(?=a)"}, "look-around"),
    ],
)
def test_what_is_no_schema_says_where(schema, message):
    with pytest.raises(SchemaError, match=message):
        automaton_of(schema)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"enum": []},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"required": ["a"], "additionalProperties": False},
    ],
)
def test_what_nothing_satisfies_has_no_states(schema):
    assert automaton_of(schema).size == 0
    assert issubclass(UnsatisfiableSchemaError, SchemaError)


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"type": "string"}, ['"a"', '"\\u00e9\\n"', '"\\ud83d\\udc22"', '"🐢"'], ['"\\ud83d"', '"\n"', '"']),
        ({"maxLength": 1}, ['""', '"🐢"', '"\\n"', '"\\""'], ['"ab"']),
        ({"pattern": "^a|b$", "maxLength": 2}, ['"a"', '"ab"', '"xb"'], ['"x"', '"aab"']),
        (
            {"additionalProperties": {"type": "integer"}, "properties": {"a": {"type": "null"}}},
            ["{}", '{"a": null}', '{"a":null,"b":1}', '{"b":1}'],
            ['{"a":1}', '{"b":null}'],
        ),
        (
            {"patternProperties": {"^x": {"type": "null"}}, "additionalProperties": False},
            ['{"x":null}', "{}"],
            ['{"y":null}'],
        ),
        (
            {"prefixItems": [{"type": "integer"}, {"type": "null"}], "items": False},
            ["[]", "[1]", "[1, null]"],
            ["[null]", "[1,null,1]"],
        ),
        ({"format": "date"}, ['"2024-02-29"'], ['"2023-02-29"', '"1900-02-29"']),
        ({"properties": {"a": True, "b": True}, "required": ["b"]}, ['{"a":[{"x":1}],"b":0}', '{"b":{}}'], ['{"a":1}']),
        (
            {
                "oneOf": [
                    {"properties": {"k": {"const": 1}}, "required": ["k"]},
                    {"properties": {"k": {"const": 2}}, "required": ["k"]},
                ]
            },
            ['{"k":1}', '{"k":2}'],
            ['{"k":3}'],
        ),
    ],
)
def test_texts(schema, right, wrong):
    automaton = automaton_of(schema)
    assert [t for t in right if not automaton.accepts(t.encode())] == []
    assert [t for t in wrong if automaton.accepts(t.encode())] == []


@pytest.mark.parametrize(
    ("whitespace", "spaced", "broken"), [("compact", False, False), ("single", True, False), ("flexible", True, True)]
)
def test_whitespace(whitespace, spaced, broken):
    automaton = automaton_of({"properties": {"a": {"items": {"type": "integer"}}}}, whitespace=whitespace)
    assert automaton.accepts(b'{"a":[1,2]}')
    assert automaton.accepts(b'{"a": [1, 2]}') == spaced
    assert automaton.accepts(json.dumps({"a": [1, 2]}, indent=2).encode()) == broken


def test_a_keyword_in_the_wrong_case_is_a_slip_and_refused():
    with pytest.raises(UnsupportedSchemaError, match="'maxlength' at #") as caught:
        automaton_of({"type": "string", "maxlength": 2})
    assert caught.value.hint == "did you mean 'maxLength'?"
