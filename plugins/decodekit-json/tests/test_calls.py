"""Tool calls and triggers: typed results, what is refused, and every token of a real vocabulary against its bytes."""

from __future__ import annotations

import datetime
import json
import random
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, Field
from pydantic_core import PydanticSerializationError

from decodekit.errors import RequestError, SchemaError, UnsatisfiableSchemaError
from decodekit.plugins import plugins
from decodekit.request import Request, make_request
from decodekit.testing import toy_context
from decodekit.vocabulary import Vocabulary
from decodekit_json import JSONSchema, StructuralTag, ToolCall, ToolCalls
from decodekit_json.masks import Walk
from decodekit_json.states import State, stepped
from decodekit_json.triggers import until


class Weather(BaseModel):
    """Where and when."""

    city: str
    days: int = Field(1, ge=1, le=14)


NOW = {"name": "now", "description": "Tell the time.", "parameters": {"type": "object", "additionalProperties": False}}
HERMES = {"begin": '<tool_call>\n{"name": "{name}", "arguments": ', "end": "}\n</tool_call>", "trigger": "<tool_call>"}
BEAR = {"type": "object", "properties": {"name": {"maxLength": 5, "type": "string"}}, "required": ["name"]}


@pytest.fixture(scope="module")
def context():
    return toy_context(vocabulary=Vocabulary.from_bytes(), max_new_tokens=200)


@pytest.fixture(scope="module")
def words():
    demo = pytest.importorskip("decodekit_demo")
    from transformers import AutoTokenizer

    return Vocabulary.from_tokenizer(AutoTokenizer.from_pretrained(demo.model_path()))


_TAG = {"begin": "<a", "schema": True, "end": ""}


def allowed(constraint: Any, state: Any, remaining: int = 10_000) -> set[int]:
    bits = np.unpackbits(constraint.mask(state, remaining).view(np.uint8), bitorder="little")
    return set(np.flatnonzero(bits).tolist())


def accepts(constraint: Any, text: str) -> bool:
    state = constraint.start()
    for byte in text.encode():
        if byte not in allowed(constraint, state):
            return False
        state = constraint.advance(state, byte)
    return constraint.is_complete(state)


@pytest.mark.parametrize(
    ("technique", "text", "calls"),
    [
        (
            ToolCalls([Weather, NOW]),
            '<look>\n<function=Weather>{"city": "</function>", "days": 2}</function> <function=now>{}</function>!',
            [ToolCall("Weather", Weather(city="</function>", days=2)), ToolCall("now", {})],
        ),
        (
            ToolCalls([{"type": "function", "function": NOW}, Weather], **HERMES),
            '<tool_call>\n{"name": "Weather", "arguments": {"city": "Bé"}}\n</tool_call>',
            [ToolCall("Weather", Weather(city="Bé"))],
        ),
        (
            ToolCalls([NOW], after="</think>"),
            "<function=now>{}</function> or <function=then></think><function=now>{}</function>",
            [ToolCall("now", {})],
        ),
        (ToolCalls([NOW]), "no call <function now>", []),
        (
            ToolCalls([{"name": "any"}], max_calls=1),
            '<function=any>{"x": [1]}</function>',
            [ToolCall("any", {"x": [1]})],
        ),
        (
            StructuralTag(
                [
                    {"begin": "<n>", "schema": {"type": "number"}, "end": "</n>", "name": "n"},
                    {"begin": "<nn>", "schema": list[int], "end": ""},
                ]
            ),
            "a<<n>-1.5e3</n><nn>[1, 2]3",
            [ToolCall("n", -1500.0), ToolCall("<nn>", [1, 2])],
        ),
    ],
    ids=["types", "hermes", "thinking", "none", "any object", "tags"],
)
def test_calls_are_read_with_their_types(context, technique, text, calls):
    constraint = technique.build(context)
    assert accepts(constraint, text)
    assert constraint.parse(text) == calls


@pytest.mark.parametrize(
    ("technique", "text"),
    [
        (ToolCalls([NOW]), "<function=later>{}</function>"),
        (ToolCalls([NOW]), '<function=now>{"a": 1}</function>'),
        (ToolCalls([NOW]), "<function=now>{}</functio"),
        (ToolCalls([NOW], min_calls=1), "nothing to call"),
        (ToolCalls([NOW], max_calls=1), "<function=now>{}</function> "),
        (ToolCalls([NOW], **HERMES), "<tool_call>{}"),
        (ToolCalls([NOW], after="</think>"), "<function=now>{}</function>"),
        (JSONSchema(BEAR, after="</think>"), '{"name": "a"}'),
        (JSONSchema(BEAR, after="</think>"), 'x</think> {"name": "a"}'),
        (JSONSchema(BEAR, after="</think>"), 'x</think></think>{"name": "a"}'),
    ],
)
def test_what_is_no_call_is_not_written(context, technique, text):
    assert not accepts(technique.build(context), text)


@pytest.mark.parametrize(
    ("technique", "text"),
    [
        (ToolCalls([NOW]), "<function=now>{"),
        (ToolCalls([NOW]), "<function=n"),
        (ToolCalls([NOW]), "<function=now>{}</func"),
    ],
)
def test_a_text_that_was_cut_inside_of_a_call_is_not_read(context, technique, text):
    with pytest.raises(ValueError, match="ends inside of a call"):
        technique.build(context).parse(text)


def test_a_document_behind_a_trigger_is_read_alone(context):
    typed = JSONSchema(Weather, after="</think>").build(context)
    assert typed.parse('{"city": 1}</think>{"city": "Bern"}') == Weather(city="Bern")
    refused = {"type": "object", "properties": {"a": {"pattern": r"^(a|b)\1$", "type": "string"}}, "required": ["a"]}
    checked = JSONSchema(refused, unsupported="check", after="=").build(context)
    assert checked.parse('x={"a": "aa"}') == {"a": "aa"}
    with pytest.raises(ValueError, match="pattern"):
        checked.parse('x={"a": "ab"}')


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ToolCalls([NOW, NOW]), SchemaError, "tool_calls: 2 tags begin with '<function=now>'"),
        (lambda: ToolCalls([NOW], begin="<call>"), SchemaError, "a call is not told by begin='<call>'"),
        (lambda: ToolCalls([NOW], begin="{name}("), SchemaError, "a call is not told by"),
        (lambda: ToolCalls([NOW], trigger="[call]"), SchemaError, r"trigger='\[call\]'"),
        (lambda: ToolCalls([NOW], min_calls=3, max_calls=2), SchemaError, "min_calls=3 is more than max_calls=2"),
        (
            lambda: ToolCalls([{"name": "f", "parameters": {"type": "integer"}}], end=""),
            SchemaError,
            "a number may come, and the end '' does not show where it ends",
        ),
        (
            lambda: StructuralTag(
                [{"begin": "a", "schema": True, "end": ";"}, {"begin": "at", "schema": True, "end": ""}]
            ),
            SchemaError,
            "'at' goes on from 'a' as its document may begin|does not show where",
        ),
        (
            lambda: StructuralTag([{"begin": "<a", "schema": False, "end": ""}]),
            UnsatisfiableSchemaError,
            "structural_tag: '<a': no document satisfies",
        ),
        (lambda: StructuralTag([_TAG], triggers=["<b"]), SchemaError, "begins with none of the triggers"),
        (lambda: StructuralTag([_TAG], triggers=["<a", "["]), SchemaError, "no tag begins with the trigger"),
        (
            lambda: StructuralTag([_TAG | {"begin": "("}, _TAG | {"begin": "!("}]),
            SchemaError,
            r"'\(' is in '!\(', which could then never",
        ),
        (lambda: ToolCalls([NOW], end="\udc00"), SchemaError, "tool_calls: .* has a lone surrogate"),
    ],
)
def test_refusals_say_what_and_where(context, make, error, message):
    with pytest.raises(error, match=message):
        make().build(context)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tool_calls": []}, "tool_calls: tools"),
        ({"tool_calls": [{"parameters": {}}]}, r"tool_calls: tools\.0\.name"),
        ({"tool_calls": [{"name": "f", "arguments": {}}]}, "tools.0: there is no field 'arguments'"),
        ({"json_schema": {"schema": {}, "after": ""}}, "json_schema: after"),
        ({"json_schema": {"schema": {}, "after": "\ud800"}}, r"json_schema: after: '\\ud800' is not text"),
        ({"structural_tag": [{"begin": ""}]}, r"structural_tag: tags\.0\.begin"),
        ({"structural_tag": [{"begin": "<a>", "schema": {}}]}, r"structural_tag: tags\.0\.end is missing"),
        ({"structural_tag": [{"begin": "<a>", "end": ";"}]}, r"structural_tag: tags\.0\.schema is missing"),
    ],
)
def test_flat_forms_that_do_not_fit_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        make_request("x", (), options, plugins())


def test_recipes_keep_tools_and_triggers(context):
    options = {"tool_calls": {"tools": [Weather, NOW], "max_calls": 2, "after": "</think>"}}
    request = make_request("x", (), options, plugins())
    again = Request.from_dict(json.loads(json.dumps(request.to_dict())), plugins())
    text = 'x</think><function=Weather>{"city": "Bern"}</function>'
    (call,) = again.techniques[0].build(context).parse(text)
    assert call == ToolCall("Weather", {"city": "Bern"})
    assert request.to_dict() == again.to_dict()


TECHNIQUES = [
    JSONSchema(BEAR, after="</think>"),
    ToolCalls([Weather, NOW], min_calls=1),
    ToolCalls([Weather], **HERMES),
]


@pytest.mark.parametrize("technique", TECHNIQUES, ids=["after", "tools", "hermes"])
@pytest.mark.parametrize("begun", ["", "é", "a <", "x</thin", " <function", "<tool_call", "€"])
def test_each_token_of_a_vocabulary_is_allowed_by_its_bytes_alone(words, technique, begun):
    constraint = technique.build(toy_context(vocabulary=words, max_new_tokens=200))
    for raw in (begun.encode(), begun.encode()[:-1]):
        threads = stepped(constraint.start().threads, raw)
        wanted = {token for token, piece in enumerate(words.tokens) if piece and stepped(threads, piece)}
        assert allowed(constraint, State(threads)) == wanted
        reached: dict[int, set[Any]] = {}
        for after, ids in Walk(constraint.trie, threads).targets():
            for token in np.asarray(ids).tolist():
                reached.setdefault(token, set()).update(after)
        assert reached == {token: set(stepped(threads, words.tokens[token] or b"")) for token in wanted}


@pytest.mark.parametrize("technique", TECHNIQUES, ids=["after", "tools", "hermes"])
def test_every_budget_ends_with_a_whole_text(words, technique):
    constraint = technique.build(toy_context(vocabulary=words, max_new_tokens=200))
    fewest = constraint.min_tokens(constraint.start())
    for seed in range(12):
        random_, budget = random.Random(seed), fewest + seed
        tokens, state = list[int](), constraint.start()
        while len(tokens) < budget:
            ways = sorted(allowed(constraint, state, budget - len(tokens)))
            if not ways:
                break
            tokens.append(random_.choice(ways))
            state = constraint.advance(state, tokens[-1])
        assert constraint.is_complete(state)
        constraint.parse(words.text(tokens))


def test_many_tools_are_one_automaton(context):
    tools = [{"name": f"tool_{number}", "parameters": BEAR} for number in range(300)]
    constraint = ToolCalls(tools, min_calls=1).build(context)
    state = constraint.start()
    for byte in b"Now <function=tool_29":
        state = constraint.advance(state, byte)
    assert len(state.threads) == 1
    assert allowed(constraint, state) == set(b"0123456789>")


@pytest.mark.parametrize("begins", [("aab", "abc"), ("<f=a>", "<f=ab>", "<g")])
def test_distances_of_free_text_are_exact(begins):
    """The fewest bytes to the end of a beginning, against a search breadth first."""
    free = until(tuple(map(str.encode, begins)), tuple(map(str.encode, begins)))
    states = {free.start()}
    while grown := {after for s in states for byte in range(256) if (after := free.step(s, byte))} - states:
        states |= grown
    for state in states:
        layer, steps = {state}, 0
        while not any(free.final(one) for one in layer):
            layer = {after for one in layer for byte in range(256) if (after := free.step(one, byte))}
            steps += 1
        assert free.distance(state) == steps


@pytest.mark.parametrize(
    ("technique", "text"),
    [
        (JSONSchema(BEAR, after="</t></t>"), 'x</t></t</t></t>{"name": "</t>"}'),
        (
            ToolCalls([Weather, NOW], after="!"),
            '<function=now>{}! <function=Weather>{"city": "</function>"}</function>a',
        ),
        (
            StructuralTag(
                [{"begin": "<", "schema": {"type": "integer"}, "end": ">"}, {"begin": "<<", "schema": BEAR, "end": ""}]
            ),
            '<12><<{"name": "<1>"}<3>',
        ),
    ],
    ids=["after", "tools", "tags"],
)
def test_what_is_complete_so_far_depends_on_the_text_alone(context, technique, text):
    constraint = technique.build(context)
    assert accepts(constraint, text)
    by_letter, start = constraint.partial, constraint.partial
    for size, letter in enumerate(text, 1):
        by_letter = by_letter.push(letter)
        assert by_letter.value == start.push(text[:size]).value
    whole = by_letter.end().value
    assert whole == start.push(text).end().value
    parsed = constraint.parse(text)
    if isinstance(parsed, list):
        assert [call["name"] for call in whole] == [call.name for call in parsed]
    else:
        assert whole == parsed


def test_a_recipe_of_types_asserts_their_formats():
    class Day(BaseModel):
        when: datetime.date

    plain = ToolCalls([Day]).model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert plain["formats"] == "assert"
    assert "formats" not in ToolCalls([{"name": "now"}]).model_dump(mode="json", by_alias=True, exclude_unset=True)
    with pytest.raises(PydanticSerializationError, match="give formats="):
        ToolCalls([Day, {"name": "now"}]).model_dump(mode="json")
