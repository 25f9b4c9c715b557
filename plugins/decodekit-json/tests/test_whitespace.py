"""Whitespace that is told: the oracle is `json.dumps(indent=…)`, of values that `jsonschema` finds valid."""

import json
import re

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decodekit import Decoder, IncompatibleTechniquesError, Vocabulary
from decodekit.errors import RequestError
from decodekit.testing import ConstraintLaws, toy_context
from decodekit.testing.toys import tiny_llama
from decodekit_json import AnyJSON, JSONSchema, compile
from decodekit_json.compiler import Options, lower
from decodekit_json.states import State, stepped

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text('a\\" {', max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "ab"]), inner, max_size=3),
    max_leaves=8,
)
CARD = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 4},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2, "uniqueItems": True},
        "den": {"type": "object", "properties": {"deep": {"type": "integer"}}, "additionalProperties": False},
        "grid": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
            "minItems": 1,
        },
    },
    "required": ["name", "grid"],
    "additionalProperties": False,
}
FORMS = [{"indent": n} for n in (0, 1, 2, 4, 8)] + [{"separators": (",", ":")}, {}, {"indent": "\t"}, {"indent": 3}]
LAX = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


TEXTS = tuple(json.dumps(["b"] * count, indent=1).encode() for count in range(3))
WORDS = Vocabulary(
    (b"[", b"]", b"[]", b"\n", b"\n ", b" ", b'"', b"b", b'"b"', b",", b'",\n', b'b"\n]', b"[\n", b"  ", b"]\n", None),
    (15,),
)


class TestIndented(ConstraintLaws):
    make = staticmethod(lambda: JSONSchema({"type": "array", "items": {"const": "b"}, "maxItems": 2}, whitespace=1))
    accepts = staticmethod(lambda text: text in TEXTS)
    may_continue = staticmethod(lambda text: any(whole.startswith(text) for whole in TEXTS))
    vocabulary = WORDS
    max_tokens = 8


def layout(text):
    """Leave out how strings and numbers are written."""
    return re.sub(r"-?[0-9][-+.0-9eE]*", "0", re.sub(r'"(?:[^"\\]|\\.)*"', '""', text))


def accepted(lowered, text):
    return State(stepped((lowered.start,), text.encode())).complete


@LAX
@given(VALUES, st.sampled_from([0, 1, 2, 4, 8]))
def test_any_value_is_written_as_python_writes_it_and_not_otherwise(value, indent):
    lowered = lower(True, Options(whitespace=indent, key_order="any"))
    right = json.dumps(value, indent=indent)
    assert accepted(lowered, right)
    for form in FORMS:
        text = json.dumps(value, **form)
        assert accepted(lowered, text) == (text == right)


@LAX
@given(VALUES, st.data())
def test_no_whitespace_may_come_or_go(value, data):
    text = json.dumps(value, indent=2)
    lowered = lower(True, Options(whitespace=2, key_order="any"))
    at = data.draw(st.integers(0, len(text)))
    changed = text[:at] + data.draw(st.sampled_from([" ", "\n", "\t"])) + text[at:]
    shorter = text[:at] + text[at + 1 :] if text[at : at + 1] in (" ", "\n") else text
    for other in (changed, shorter):
        try:
            expected = json.dumps(json.loads(other), indent=2) == other
        except ValueError:
            expected = False
        assert accepted(lowered, other) == expected


@LAX
@given(
    st.fixed_dictionaries(
        {"name": st.text("ab", max_size=5)},
        optional={
            "tags": st.lists(st.sampled_from("ab"), max_size=3),
            "den": st.dictionaries(st.just("deep"), st.integers(0, 20), max_size=1),
            "grid": st.lists(st.lists(st.integers(0, 20), max_size=3), max_size=3),
        },
    ),
    st.sampled_from([0, 2, 3]),
)
def test_a_schema_is_kept_in_the_indented_form(document, indent):
    lowered = lower(CARD, Options(whitespace=indent))
    document = {key: document[key] for key in CARD["properties"] if key in document}
    valid = jsonschema.Draft202012Validator(CARD).is_valid(document)
    assert accepted(lowered, json.dumps(document, indent=indent)) == valid


@pytest.fixture(scope="module")
def decoder():
    return Decoder(tiny_llama(257, seed=3), Vocabulary.from_bytes())


@pytest.mark.parametrize("indent", [0, 2, 5])
@pytest.mark.parametrize("budget", [0, 3, 120])
def test_documents_end_within_any_budget_and_are_what_python_writes(decoder, indent, budget):
    schema = {"schema": CARD, "whitespace": indent}
    constraint = JSONSchema(**schema).build(toy_context(vocabulary=Vocabulary.from_bytes(), max_new_tokens=400))
    least = constraint.min_tokens(constraint.start())
    shortest = json.dumps({"name": "", "grid": [[]]}, indent=indent)
    assert least == len(shortest)
    for seed in range(4):
        text = decoder.generate("a", json_schema=schema, temperature=1.0, seed=seed, max_new_tokens=least + budget).text
        document = json.loads(text)
        assert layout(json.dumps(document, indent=indent)) == layout(text)
        assert jsonschema.Draft202012Validator(CARD).is_valid(document)
    with pytest.raises(RequestError, match="the shortest text found that satisfies it has"):
        decoder.generate("a", json_schema=schema, max_new_tokens=least - 1)


def test_the_mask_is_what_the_bytes_allow(decoder):
    vocabulary = Vocabulary.from_bytes()
    compiled = compile(CARD, vocabulary, whitespace=2)
    text = json.dumps({"name": "a", "tags": ["a", "b"], "den": {"deep": 1}, "grid": [[], [1]]}, indent=2)
    state = compiled.start()
    for byte in text.encode():
        mask = compiled.mask(state, 300)
        allowed = {t for t in range(256) if int(mask[t >> 5]) >> (t & 31) & 1}
        assert allowed == {t for t in range(256) if stepped(state.threads, bytes([t]))}
        assert byte in allowed
        state = compiled.advance(state, byte)
    assert compiled.is_complete(state)


def test_whitespace_is_a_word_or_a_number_and_survives_a_recipe(decoder):
    for wrong in (-1, 9, "wide", 2.5):
        with pytest.raises(ValueError, match="whitespace"):
            JSONSchema(CARD, whitespace=wrong)
    again = JSONSchema.model_validate_json(JSONSchema(CARD, whitespace=2).model_dump_json(by_alias=True))
    assert again.whitespace == 2
    text = decoder.generate("a", json={"whitespace": 1}, temperature=1.0, seed=2, max_new_tokens=40).text
    assert AnyJSON(whitespace=1).whitespace == 1
    json.loads(text)


def test_two_schemas_meet_where_their_whitespace_does(decoder):
    one, two = {"type": "array", "items": {"type": "integer"}}, {"maxItems": 1, "minItems": 1}

    def together(first, second):
        return decoder.generate(
            "a", JSONSchema(one, whitespace=first), JSONSchema(two, whitespace=second), max_new_tokens=9
        ).text

    for pair in ((2, "flexible"), ("flexible", 2), (2, 2)):
        text = together(*pair)
        assert json.dumps(json.loads(text), indent=2) == text
    for pair in ((2, "compact"), (2, 4), (8, "flexible")):
        with pytest.raises(IncompatibleTechniquesError):
            together(*pair)
