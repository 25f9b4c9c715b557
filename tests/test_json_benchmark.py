"""The harness of benchmarks/json judges rightly: an oracle of a few texts, and engines that are wrong on purpose."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "json"


class Automaton:
    """Exactly these texts: nothing of an engine."""

    def __init__(self, texts):
        self.texts = [text.encode() for text in texts]

    def start(self):
        return b""

    def mask(self, state):
        flags = np.zeros(288, np.uint8)
        flags[[t[len(state)] for t in self.texts if t.startswith(state) and len(t) > len(state)]] = 1
        return np.packbits(flags, bitorder="little").view(np.int32)

    def advance(self, state, token):
        return state + bytes([token])

    def is_complete(self, state):
        return state in self.texts


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("correctness"), importlib.import_module("data")


@pytest.mark.parametrize(
    ("texts", "accepts", "rejects"),
    [
        (['{"a":1}', '{\n  "a": 1\n}'], [], []),
        (['{"a":1}'], [], ['{\n  "a": 1\n}']),
        (['{"a":1}', '{\n  "a": 1\n}', "[]"], ["[]"], []),
    ],
)
def test_what_an_engine_gets_wrong_is_named(harness, monkeypatch, texts, accepts, rejects):
    correctness, data = harness
    monkeypatch.setattr(correctness, "compile_schema", lambda *_, **__: Automaton(texts))
    group = data.Group("one", {}, [data.Instance({"a": 1}, True), data.Instance([], False)])
    found = correctness.judge("any", "dev", group)
    assert (found["false_accepts"], found["false_rejects"]) == (accepts, rejects)
    found["instances"] = {"valid": 1, "invalid": 1}
    exact = int(not accepts and not rejects)
    assert re.search(rf"exact groups {exact} of 1", correctness.report([found], verbose=True))


def test_an_engine_of_this_repository_is_judged(harness):
    correctness, data = harness
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    group = data.Group("one", schema, [data.Instance({"a": 1}, True), data.Instance({"a": "1"}, False)])
    found = correctness.judge("decodekit-llguidance", "dev", group)
    assert (found["refused"], found["false_accepts"], found["valid"]) == (None, [], 1)
    refused = correctness.judge("decodekit-llguidance", "dev", data.Group("two", {"not": {}}, []))["refused"]
    assert refused["keyword"] == "not"
