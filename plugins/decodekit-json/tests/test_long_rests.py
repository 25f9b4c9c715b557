"""Documents whose rest is too long to be spelled, and values that differ only far on: counted, never a dead end."""

from __future__ import annotations

from typing import Any

import pytest

import decodekit_json
from decodekit.testing.oracle import unpack
from decodekit.vocabulary import Vocabulary
from decodekit_json import budget, spelling
from decodekit_json.ceilings import Spread, spread
from decodekit_json.distinct import FAR
from decodekit_json.machine import Reading
from decodekit_json.patterns import search
from decodekit_json.strings import StringTerminal, string_terminal
from decodekit_json.terminal import INFINITE

from .oracle import read, validator
from .test_budget import text_of, walk

BYTES = Vocabulary.from_bytes()
STRINGS = {"type": "array", "items": {"type": "string", "maxLength": 3}, "uniqueItems": True, "minItems": 3}
NAMED: dict[str, Any] = {"type": "object", "properties": {"ab": {"type": "integer"}}}
LONG_TEXT, KEY = {"type": "string", "minLength": 9}, "k" * 20
LONG: list[dict[str, Any]] = [
    {**NAMED, "minProperties": 3},
    {**NAMED, "required": ["ab", "abc"], "additionalProperties": {"enum": ["one", "another"]}},
    {"type": "object", "patternProperties": {"^a{9}": LONG_TEXT}, "additionalProperties": False, "minProperties": 2},
    {"oneOf": [{"type": "object", "minProperties": 2}, {**NAMED, "required": ["b"]}]},
    {"type": "array", "minItems": 9, "items": {"type": "integer"}, "contains": {"minimum": 1000}, "minContains": 2},
    {"type": "array", "items": {"type": "array", "items": {"type": "boolean"}, "minItems": 4}, "minItems": 2},
    STRINGS,
    {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 5},
    {"type": "object", "properties": {KEY: {"type": "string", "pattern": "^(a{15}|b{40})$"}}, "required": [KEY]},
]


@pytest.mark.parametrize("schema", LONG, ids=range(len(LONG)))
@pytest.mark.parametrize("whitespace", ["compact", "flexible"])
def test_a_rest_that_is_not_spelled_ends_within_its_bytes(
    monkeypatch: pytest.MonkeyPatch, schema: Any, whitespace: str
) -> None:
    for module in (budget, spelling):
        monkeypatch.setattr(module, "MAX_BYTES", 8)
    compiled = decodekit_json.compile(schema, BYTES, whitespace=whitespace)  # type: ignore[arg-type]
    least, judge = compiled.min_tokens(compiled.start()), validator(schema)
    assert least < 200
    for seed in range(6):
        text = text_of("bytes", walk(compiled, least + (0, 1, 5)[seed % 3], seed))
        assert judge.is_valid(read(text)), text


@pytest.mark.parametrize("items", [{"type": "object", "minProperties": 1}, {"type": "array"}], ids=str)
def test_no_number_of_bytes_is_said_where_objects_or_arrays_must_differ(
    monkeypatch: pytest.MonkeyPatch, items: Any
) -> None:
    for module in (budget, spelling):
        monkeypatch.setattr(module, "MAX_BYTES", 8)
    compiled = decodekit_json.compile({"type": "array", "items": items, "uniqueItems": True, "minItems": 4}, BYTES)
    assert compiled.min_tokens(compiled.start()) >= INFINITE
    assert unpack(compiled.mask(compiled.start()))


@pytest.mark.parametrize("pattern", ["^(a{5000}|b{20000})$", "^((ab){2}x{30000}|c)$"])
def test_texts_that_are_too_long_to_count_have_masks_near_the_end(pattern: str) -> None:
    compiled = decodekit_json.compile({"type": "string", "pattern": pattern}, BYTES)
    state = compiled.start()
    least = compiled.min_tokens(state)
    assert unpack(compiled.mask(state, least))
    state = compiled.advance(state, ord('"'))
    assert unpack(compiled.mask(state, least - 1)) == {ord("a" if least > 9 else "c")}


@pytest.mark.parametrize(
    ("pattern", "least"),
    [
        ("^(a{20})*b$", 1 + 21 + 41 + 10),
        ("^(a{20})*$", 20 + 40 + 10),
        ("^(a{30}|b{70})*$", 30 + 60 + 10),
        ("^(é|€€)*$", 2 + 4 + 10),
    ],
)
def test_the_shortest_texts_that_differ_are_found_however_far_they_lie_apart(pattern: str, least: int) -> None:
    schema = {"type": "array", "items": {"type": "string", "pattern": pattern}, "uniqueItems": True, "minItems": 3}
    compiled = decodekit_json.compile(schema, BYTES)
    assert compiled.min_tokens(compiled.start()) == least
    judge = validator(schema)
    for extra in (0, 5):
        text = text_of("bytes", walk(compiled, least + extra, extra))
        assert judge.is_valid(read(text)), text


def terminal(pattern: str, **limits: int) -> StringTerminal:
    return string_terminal(search(pattern), **limits)


@pytest.mark.parametrize(
    ("pattern", "limits", "expected"),
    [
        ("^[ab]{1,9}$", {}, Spread(7, True)),  # 2 + 4 + ... + 128 are 254, and then 256
        ("^[ab]{1,7}$", {}, Spread(6, False)),
        ("^(ab){1,3}$", {}, Spread(4, False)),
        ("^(a{2})*$", {}, Spread(255 * 2, True)),
        ("^(a{300})*b$", {}, Spread(FAR, True)),
        ("^a*$", {"max_length": 300}, Spread(255, True)),
        ("^[é€]*$", {"min_length": 1}, Spread(16, True)),
        ("", {}, Spread(2, True)),
        ("", {"min_length": 9, "max_length": 9}, Spread(0, True)),
        ("^(a|b){5000}$", {}, Spread(0, True)),
    ],
)
def test_values_within_some_bytes_are_counted(pattern: str, limits: dict[str, int], expected: Spread) -> None:
    one = terminal(pattern, **limits)
    assert spread(Reading(one, one.start())) == expected
