"""Unfinished JSON: what is complete of it, however the text is cut into pieces. The oracle reads whole documents."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from decodekit import PartialJSON

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
FORMS = st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}])


def read(text, size=1, **options):
    state = PartialJSON(**options)
    for start in range(0, len(text), size):
        state = state.push(text[start : start + size])
    return state


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        (" {", {}),
        ('{"a', {}),
        ('{"a"', {}),
        ('{"a":', {}),
        ('{"a":1', {}),
        ('{"a":12,', {"a": 12}),
        ('{"a":12\n', {"a": 12}),
        ('{"a":tru', {}),
        ('{"a":true', {"a": True}),
        ('{"a":"x', {}),
        ('{"a":"x"', {"a": "x"}),
        ('{"a":"\\"', {}),
        ('{"a":{"b":[1,2', {"a": {"b": [1]}}),
        ('{"a":{"b":[1,2]', {"a": {"b": [1, 2]}}),
        ('{"a":[]}', {"a": []}),
        ("[1,2.5e", [1]),
        ("[[1],[", [[1], []]),
        ('"ab', None),
        ('"ab"', "ab"),
        ("12", None),
        ("12 ", 12),
        ("null", None),
        ('"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        ('"\\\\"', "\\"),
    ],
)
def test_what_is_complete_shows(text, expected):
    for size in (1, 2, 3, 100):
        assert read(text, size).value == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":"', {"a": ""}),
        ('{"a":"xy', {"a": "xy"}),
        ('{"a":"x\\', {"a": "x"}),
        ('{"a":"x\\n', {"a": "x\n"}),
        ('{"a":"x\\u00e', {"a": "x"}),
        ('{"a":"x\\u00e9', {"a": "x\N{LATIN SMALL LETTER E WITH ACUTE}"}),
        ('{"a":"\\ud83d', {"a": ""}),
        ('{"a":"\\ud83d\\ude00', {"a": "\N{GRINNING FACE}"}),
        ('{"a":"\\ud83dx', {"a": "\ud83dx"}),
        ('{"a":"x","b', {"a": "x"}),
        ('["a","b', ["a", "b"]),
        ('"ab', "ab"),
    ],
)
def test_strings_show_as_they_grow_where_asked_for(text, expected):
    for size in (1, 2, 100):
        assert read(text, size, strings=True).value == expected


@given(VALUES, FORMS, st.integers(1, 9), st.booleans())
def test_a_whole_document_is_read_as_json_reads_it(value, form, size, strings):
    assert read(json.dumps(value, **form), size, strings=strings).end().value == value


@given(VALUES, FORMS, st.data())
def test_a_beginning_holds_what_pydantic_reads_of_it_without_a_number_that_may_go_on(value, form, data):
    text = json.dumps(value, **form)
    text = text[: data.draw(st.integers(0, len(text)))]
    inside = re.sub(r'"(?:[^"\\]|\\.)*"', "", text).count('"') % 2
    closed = text if inside else re.sub(r"-?[0-9][-+.0-9eE]*$|-$", "", text)
    for strings, mode in ((False, True), (True, "trailing-strings")):
        try:
            expected = from_json(closed, allow_partial=mode)
        except ValueError:  # a document that is a string or a number, and nothing at all
            continue
        assert read(text, strings=strings).value == expected


@given(VALUES, st.data())
def test_values_stay_as_they_were_when_forks_go_on(value, data):
    text = json.dumps(value)
    at = data.draw(st.integers(0, len(text)))
    state = read(text[:at])
    before = json.dumps(state.value)
    one, two = state.push(text[at:]).end(), state.push(text[at:]).end()
    assert json.dumps(state.value) == before
    assert one.value == two.value == value


def test_nothing_is_read_twice():
    text = json.dumps({"items": [{"name": "a\u00e9" * 50, "age": i} for i in range(40)], "text": "b\n" * 2000})
    state, longest = PartialJSON(), 0
    for start in range(0, len(text), 4):
        state = state.push(text[start : start + 4])
        longest = max(longest, len(state.rest))
    assert longest <= len("\\ud83d\\udc3")
