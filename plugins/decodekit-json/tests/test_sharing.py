"""Parts of a document that tokens cannot tell apart share what is known of them; their masks stay right."""

import random
import re

import numpy as np
import pytest

from decodekit.vocabulary import Vocabulary
from decodekit_json import compile, keys
from decodekit_json.closers import endings, quoted
from decodekit_json.gathering import Chain
from decodekit_json.states import stepped
from decodekit_json.strings import string_terminal
from decodekit_json.trie import VocabularyTrie

from .pieces import vocabulary_of

_CROSSING = re.compile(rb'[,{][ \n\t]*".', re.DOTALL)
_PIECES = [
    '"',
    "a",
    "b",
    "ab",
    '"a"',
    '"b":',
    'b":',
    '":',
    '": ',
    '",',
    '"}',
    '{"',
    "},",
    "[",
    "]",
    "[[",
    "],",
    ",",
    "1",
]
_PIECES += [
    "}",
    "]}",
    "}]",
    "{",
    ":",
    ": ",
    " ",
    "\n",
    "true",
    "null",
    ".",
    ".5",
    "-",
    "é",
    "\\",
    "\\u0061",
    '\\"',
    "{}",
]

# None goes on inside of a string behind a comma or an opening brace.
VOCABULARY = vocabulary_of(_PIECES, 2500, 1, without=_CROSSING.search)
STRINGS = {"type": "array", "items": {"type": "string"}}
SCHEMAS = {
    "anything": True,
    "named and free": {"properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "ab": {"type": "object"}}},
    "short names": {"properties": {"": {"type": "null"}, ",": {"type": "integer"}, ":": STRINGS, '"': {"const": 1}}},
    "names with escapes": {"properties": {'a"': {"type": "integer"}, "é": {"type": "string"}, "b\\": STRINGS}},
    "free values": {"type": "object", "additionalProperties": {"type": ["integer", "object"]}},
    "two kinds of keys": {"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": STRINGS},
    "short keys": {"type": "object", "propertyNames": {"maxLength": 2}, "properties": {"ab": {"type": "null"}}},
    "counted": {"type": "object", "minProperties": 2, "maxProperties": 3, "properties": {"a": {"type": "integer"}}},
    "required": {"properties": {"a": {"type": "integer"}, "b": STRINGS}, "required": ["b"], "type": "object"},
    "closed": {"type": "object", "properties": {"a": STRINGS, "b": {"type": "integer"}}, "additionalProperties": False},
    "nothing inside": {"type": "object", "additionalProperties": False},
    "arrays in arrays": {"type": "array", "items": {"type": ["array", "integer"], "items": {"type": "integer"}}},
    "not empty": {"type": "array", "minItems": 1, "items": {"type": "object", "properties": {"a": STRINGS}}},
    "few items": {"type": "array", "maxItems": 2, "prefixItems": [{"type": "integer"}], "items": STRINGS},
    "several objects": {
        "anyOf": [{"type": "object", "required": ["a"]}, {"type": "object", "maxProperties": 1}, STRINGS]
    },
    "recursive": {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"type": "array", "items": {"$ref": "#"}}}},
}


def _allowed(mask: np.ndarray) -> set[int]:
    return set(np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")).tolist())


def _faults(schema: object, seed: int, states: int) -> list[str]:
    """Walk at random; compare masks with reading each token, and their ceilings with the ways from there."""
    rng, found = random.Random(seed), list[str]()
    constraint = compile(schema, VOCABULARY, key_order="any" if seed % 2 else "schema")
    state, text, depth = constraint.start(), b"", 0
    for _ in range(states):
        allowed = _allowed(constraint.mask(state))
        after = {token: stepped(state.threads, raw) for token, raw in enumerate(VOCABULARY.tokens) if raw}
        right = {token for token, threads in after.items() if threads}
        if allowed != right:
            wrong = [VOCABULARY.tokens[token] for token in allowed ^ right]
            found.append(f"after {text!r}: {wrong[:5]} of {len(wrong)}")
        farthest = max((min(thread.distance for thread in after[token]) for token in right), default=0)
        assert state.mask is not None
        most = constraint._summaries.most(state.mask)  # pyright: ignore[reportPrivateUsage]
        if most < farthest:
            found.append(f"after {text!r}: {most} bytes are not enough, {farthest} may be needed")
        depth += 1
        if not right or depth > 12:
            state, text, depth = constraint.start(), b"", 0
            continue
        likely = [token for token in right if len(VOCABULARY.tokens[token] or b"") > 1 or rng.random() < 0.05]
        token = rng.choice(likely or sorted(right))
        state, text = constraint.advance(state, token), text + (VOCABULARY.tokens[token] or b"")
    return found


def test_no_token_of_the_vocabulary_crosses():
    trie = VocabularyTrie.of(VOCABULARY, VOCABULARY.size)
    assert not quoted(trie).crosses
    crossing = (*VOCABULARY.tokens[:-1], b'{"a', None)
    assert quoted(VocabularyTrie.of(Vocabulary(crossing, (len(crossing) - 1,)), len(crossing))).crosses


def test_what_tokens_write_up_to_a_quote_is_known_without_escapes():
    tokens = [b'a"', b'\\u0061":', b'"', b'" ,', b"b", b'\\"', b'"ab": "c"', b'c\\"d"', None]
    trie = VocabularyTrie.of(Vocabulary(tokens, (8,)), 9)
    assert endings(trie, 0).written == {b"a": (b'\\u0061"', b'a"'), b"": (b'"',), b'c"d': (b'c\\"d"',)}
    assert {"ab", ": ", "c"} <= quoted(trie).texts


@pytest.mark.parametrize("name", SCHEMAS)
def test_masks_of_parts_that_read_alike_are_right(name):
    assert _faults(SCHEMAS[name], seed=len(name), states=12) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("seed", range(4))
def test_more_masks_of_parts_that_read_alike_are_right(name, seed):
    assert _faults(SCHEMAS[name], seed, states=150) == []


_KEYS_AND_VALUES = [
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"propertyNames": {"pattern": "^[a-z]*$"}, "additionalProperties": {"pattern": "^[a-z]*$"}, "minProperties": 3},
]


@pytest.mark.parametrize("schema", _KEYS_AND_VALUES)
def test_a_key_and_a_value_of_one_terminal_are_told_apart(schema, monkeypatch):
    monkeypatch.setattr(keys, "string_terminal", lambda expression: string_terminal(expression, 0, None))
    constraint = compile({"type": "object", **schema}, Vocabulary.from_bytes(), whitespace="compact", key_order="any")
    summaries, found = constraint._summaries, 0  # pyright: ignore[reportPrivateUsage]
    state = constraint.start()
    for byte in b'{"ab":"cd","ef":"gh","kl':
        mask = summaries.mask(state.threads)
        anew, _ = summaries._gathered(state.threads)  # pyright: ignore[reportPrivateUsage]
        assert mask.bits.tolist() == anew.bits.tolist()
        assert summaries.most(mask) == summaries.most(anew)
        found += isinstance(mask.held, Chain)
        state = constraint.advance(state, constraint.trie.singles[byte])
    assert found > 10
