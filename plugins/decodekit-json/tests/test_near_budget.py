"""Masks near the end of a budget on a vocabulary of 50,000 tokens, where values must differ: they take little work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import decodekit_json
from decodekit.testing.oracle import unpack
from decodekit_json.budget import Budget
from decodekit_json.machine import Thread

from .oracle import read, validator
from .test_budget import absent, text_of, vocabulary, walk

UNIQUE: dict[str, Any] = {"type": "array", "uniqueItems": True}
PAIR = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
SCHEMAS: dict[str, dict[str, Any]] = {
    "keys": {"type": "object", "minProperties": 3},
    "integers": {**UNIQUE, "items": {"type": "integer"}, "minItems": 5},
    "bounded numbers": {**UNIQUE, "items": {"type": "number", "exclusiveMinimum": 0, "maximum": 10}, "minItems": 3},
    "few numbers": {**UNIQUE, "items": {"type": "integer", "minimum": 2, "maximum": 9}, "minItems": 3},
    "strings": {**UNIQUE, "items": {"type": "string", "maxLength": 3}, "minItems": 4},
    "objects": {**UNIQUE, "items": PAIR, "minItems": 3},
    "keys in items": {**UNIQUE, "items": {"type": "object", "minProperties": 2}, "minItems": 3},
    "anything": {**UNIQUE, "minItems": 3},
    "arrays": {**UNIQUE, "items": {**UNIQUE, "minItems": 2}, "minItems": 2},
    "patterns of keys": {
        "type": "object",
        "patternProperties": {"^x|k": {"type": "object", "properties": {"a": {"pattern": "^(a|bb)*$"}}}},
        "propertyNames": {"pattern": "^[abk]"},
        "minProperties": 2,
        "maxProperties": 2,
    },
}
NAMES = [
    f"{first}{second}" for first in ("alpha", "bravo", "delta", "golf") for second in ("one", "red", "two", "up", "x")
]
OPEN = [{"type": "object", "properties": {k: {"type": "integer"}}, "required": [k]} for k in NAMES]
SCHEMAS["open objects"] = {"oneOf": OPEN}
FIRST, LATER = 1_500, 800
"""Steps of threads, and ways looked for, in a mask of a new kind and in one that has other texts only."""
MANY = 4_500
"""The same where there are 20 objects to choose from."""


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Count steps of threads and ways looked for."""
    step, need, done = Thread.step, Budget.need_and_way, [0]

    def counted_step(self: Thread, byte: int) -> Any:
        done[0] += 1
        return step(self, byte)

    def counted_need(self: Budget, thread: Thread) -> Any:
        done[0] += 1
        return need(self, thread)

    with monkeypatch.context() as patched:
        patched.setattr(Thread, "step", counted_step)
        patched.setattr(Budget, "need_and_way", counted_need)
        yield done


def after(compiled: decodekit_json.Compiled, texts: tuple[str, ...]) -> Any:
    state = compiled.start()
    for text in texts:
        state = compiled.advance(state, compiled.vocabulary.tokens.index(text.encode()))
    return state


def work_of(monkeypatch: pytest.MonkeyPatch, compiled: decodekit_json.Compiled, texts: tuple[str, ...]) -> int:
    """Count the work of the mask after some tokens, with room for little more than what must come."""
    state = after(compiled, texts)
    least = compiled.min_tokens(state)
    with counted(monkeypatch) as done:
        assert unpack(compiled.mask(state, least + 2))
    return done[0]


@absent
@pytest.mark.parametrize(
    ("name", "first", "later"),
    [
        ("keys", ("{", '"', "ab"), ("{", '"', " err")),
        ("integers", ("[", "211"), ("[", " 408", "752")),
        ("strings", ("[", '"', "a"), ("[", '"', "b")),
        ("objects", ("[", "{", '"', "a", '":', "17"), ("[", "{", '"', "a", '":', "18")),
    ],
)
def test_a_mask_takes_little_work_and_the_next_text_less(
    monkeypatch: pytest.MonkeyPatch, name: str, first: tuple[str, ...], later: tuple[str, ...]
) -> None:
    compiled = decodekit_json.compile(SCHEMAS[name], vocabulary("gpt2"))
    assert work_of(monkeypatch, compiled, first) < FIRST
    assert work_of(monkeypatch, compiled, later) < LATER


@absent
@pytest.mark.parametrize("texts", [('{"',), ("{", '"', "a", '":', "1", ',"')])
def test_a_mask_of_many_open_objects_takes_little_work_for_each(
    monkeypatch: pytest.MonkeyPatch, texts: tuple[str, ...]
) -> None:
    schema = SCHEMAS["open objects"]
    known, fresh = (decodekit_json.compile(schema, vocabulary("gpt2"), parse=parse) for parse in (read, float))
    least = known.min_tokens(after(known, texts))
    with counted(monkeypatch) as done:
        assert unpack(fresh.mask(after(fresh, texts), least))
    assert done[0] < MANY


def walked(name: str, options: dict[str, Any], seeds: range) -> None:
    compiled = decodekit_json.compile(SCHEMAS[name], vocabulary("gpt2"), **options)
    least, judge = compiled.min_tokens(compiled.start()), validator(SCHEMAS[name])
    for seed in seeds:
        text = text_of("gpt2", walk(compiled, least + (0, 1, 2, 3, 5, 8, 15)[seed % 7], seed))
        assert judge.is_valid(read(text)), text


@absent
@pytest.mark.parametrize("name", SCHEMAS)
def test_values_that_differ_end_within_the_budget(name: str) -> None:
    walked(name, {}, range(4))


@absent
@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"key_order": "any"}, {"whitespace": 2}], ids=str)
@pytest.mark.parametrize("name", SCHEMAS)
def test_many_walks_with_values_that_differ_end_within_the_budget(name: str, options: dict[str, Any]) -> None:
    walked(name, options, range(4, 32))
