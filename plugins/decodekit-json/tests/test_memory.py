"""What a compiled schema holds has a bound: nothing of what schemas share, and its own within a number of bytes."""

from __future__ import annotations

import gc
import itertools
import json
from typing import Any

import pytest

from decodekit.testing import toy_context
from decodekit.vocabulary import Vocabulary
from decodekit_json import Compiled, JSONSchema, compile, states, summaries
from decodekit_json.caching import Weighed
from decodekit_json.inside import Inside
from decodekit_json.suffixes import SuffixNode
from decodekit_json.trie import VocabularyTrie, build

from .test_recorded import VOCABULARY

SCHEMA: Any = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]{2,9}$"},
        "sizes": {"type": "array", "items": {"type": "number", "minimum": 0}},
        "more": {"$ref": "#"},
    },
    "additionalProperties": False,
}
TEXTS = [
    json.dumps({"name": name, "sizes": [size, 12.5], "more": {"name": name[::-1]}}).encode()
    for name, size in zip(map("".join, itertools.permutations("abcde", 3)), range(40), strict=False)
]


def _masks(constraint: Compiled, texts: list[bytes]) -> list[bytes]:
    """Give all masks along texts, byte by byte."""
    found, singles = list[bytes](), constraint.trie.singles
    for text in texts:
        state = constraint.start()
        for byte in text:
            found.append(constraint.mask(state).tobytes())
            state = constraint.advance(state, singles[byte])
    return found


def _fresh() -> Compiled:
    return compile(SCHEMA, VOCABULARY, parse=lambda text: text)


def test_a_schema_does_not_hold_what_schemas_share():
    constraint = _fresh()
    _masks(constraint, TEXTS[:3])
    constraint.trie.kept_inside.clear()
    constraint.trie.kept_targets.clear()
    gc.collect()
    held = [one for one in gc.get_objects() if issubclass(type(one), Inside) and one.trie is constraint.trie]
    assert not held


@pytest.mark.parametrize("name", ["states", "summaries"])
def test_masks_are_the_same_whatever_is_forgotten(name: str, monkeypatch: pytest.MonkeyPatch):
    right = _masks(_fresh(), TEXTS)
    monkeypatch.setattr(states if name == "states" else summaries, _BOUNDS[name], 10_000)
    constraint = _fresh()
    assert _masks(constraint, TEXTS) == right
    assert _held(constraint, name) <= 10_000 + 2_000  # the last one may pass the bound


_BOUNDS = {"states": "STATES_BYTES", "summaries": "_KEPT_BYTES"}


def _held(constraint: Compiled, name: str) -> int:
    if name == "states":
        return sum(state.nbytes for state in constraint._states._kept)  # pyright: ignore[reportPrivateUsage]
    return constraint._summaries._kept.used_bytes  # pyright: ignore[reportPrivateUsage]


UNIQUE: Any = {"type": "array", "items": {"type": ["string", "integer"]}, "uniqueItems": True, "minItems": 4}


def _tight_masks(constraint: Compiled) -> list[bytes]:
    """Give masks near the end of a budget along texts."""
    found, singles = list[bytes](), constraint.trie.singles
    for text in (b'["a",1,"b",2]', b'["",0,1,"ab"]', b"[11,10,1,12]"):
        state = constraint.start()
        for byte in text:
            found.append(constraint.mask(state, constraint.min_tokens(state) + 2).tobytes())
            state = constraint.advance(state, singles[byte])
    return found


def test_masks_near_the_end_are_the_same_whatever_is_forgotten(monkeypatch: pytest.MonkeyPatch):
    right = _tight_masks(compile(UNIQUE, VOCABULARY, parse=lambda text: text))
    for bound in ("budget.KEPT_BYTES", "spelling.KEPT_BYTES", "spelling.SPELLED_BYTES", "needs.TABLES_BYTES"):
        monkeypatch.setattr(f"decodekit_json.{bound}", 20_000)
    constraint = compile(UNIQUE, VOCABULARY, parse=lambda text: text)
    assert _tight_masks(constraint) == right
    known = constraint.budget._tokens, constraint.budget._speller._spelled  # pyright: ignore[reportPrivateUsage]
    for kept in known:
        assert isinstance(kept, Weighed)
        assert 0 < len(kept) * states.THREAD_BYTES <= kept.held_bytes <= 20_000
    assert constraint._needs._tables.used_bytes <= 20_000  # pyright: ignore[reportPrivateUsage]


def test_what_is_kept_of_the_rests_of_tokens_has_a_bound(monkeypatch: pytest.MonkeyPatch):
    trie = VocabularyTrie(VOCABULARY.tokens, VOCABULARY.size, build(VOCABULARY.tokens))
    monkeypatch.setattr(trie.kept_suffixes, "limit_bytes", 10_000)
    for node in range(200):
        assert SuffixNode.of(trie, (node, 1)) is SuffixNode.of(trie, (node, 1))
    assert 0 < len(trie.kept_suffixes) * 300 <= trie.kept_suffixes.used_bytes <= 10_000


def test_states_that_were_forgotten_do_not_hold_one_another(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(states, "STATES_BYTES", 10_000)
    constraint = _fresh()
    first = constraint.start()
    _masks(constraint, TEXTS)
    assert not first.following
    assert constraint.start() == first


def test_the_bound_holds_for_all_requests_of_a_schema_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(states, "STATES_BYTES", 100_000)
    technique = JSONSchema({"type": "array", "items": {"type": "string"}, "uniqueItems": True})
    for number in range(20):
        built: Any = technique.build(toy_context(vocabulary=Vocabulary.from_bytes()))
        state = built.start()
        for byte in b'["' + str(number).encode() * 200:
            state = built.advance(state, byte)
        assert sum(one.nbytes for one in built._states._kept) <= 100_000 + 3_000
