"""Masks where values must differ: a token is allowed if and only if its bytes can be read one by one."""

import random

import numpy as np
import pytest

from decodekit_json import compile
from decodekit_json.states import stepped

from .pieces import vocabulary_of

_PIECES = [
    '"',
    '"a"',
    "a",
    "b",
    "ab",
    '":',
    '": ',
    '",',
    '","',
    '"}',
    '{"',
    '{"a":',
    "},",
    '},{"',
    "[",
    "]",
    "],[",
    ",",
    "1",
    "2",
]
_PIECES += [
    "12",
    ".0",
    ".",
    "e",
    "0",
    "\\",
    "\\u0061",
    "u0061",
    "u006",
    "1,",
    '"]',
    "}]",
    "{",
    "}",
    ":",
    "true",
    "null",
    "é",
    "{}",
]

VOCABULARY = vocabulary_of(_PIECES, 3000, 0)
UNIQUE = {"type": "array", "uniqueItems": True}
CLOSED = {
    "type": "object",
    "properties": {"a": {"type": ["string", "integer"]}, "b": {"type": "array", "uniqueItems": True}},
    "required": ["a"],
    "additionalProperties": False,
}
SCHEMAS = {
    "anything": True,
    "any items": UNIQUE,
    "strings": {**UNIQUE, "items": {"type": "string"}},
    "short strings": {**UNIQUE, "items": {"type": "string", "maxLength": 2}},
    "few strings": {**UNIQUE, "items": {"pattern": "^(ab?|b+)$", "type": "string"}, "minItems": 3},
    "numbers": {**UNIQUE, "items": {"type": "number"}},
    "strings and integers": {**UNIQUE, "items": {"type": ["string", "integer"]}},
    "enumerated": {**UNIQUE, "items": {"enum": ["a", "ab", 1, 12, None]}, "minItems": 4},
    "objects": {**UNIQUE, "items": CLOSED},
    "open objects": {**UNIQUE, "items": {"type": "object"}},
    "arrays": {**UNIQUE, "items": {**UNIQUE, "items": {"type": ["string", "integer"]}}},
    "closed arrays": {**UNIQUE, "items": {"type": "array", "maxItems": 2, "items": {"enum": ["a", "ab", 1]}}},
    "equal items": {"type": "array", "not": {"uniqueItems": True}},
    "keys": {"type": "object", "properties": {"a": {"type": "string"}, "ab": {"type": "integer"}}},
    "short keys": {"type": "object", "propertyNames": {"maxLength": 2}, "minProperties": 3},
    "patterns of keys": {"type": "object", "patternProperties": {"^a": {"type": "integer"}, "b$": {"minimum": 2}}},
    "keys in items": {
        **UNIQUE,
        "items": {
            "type": "object",
            "propertyNames": {"pattern": "^a?b?$"},
            "additionalProperties": {"type": "integer"},
        },
    },
}


def _allowed(mask: np.ndarray) -> set[int]:
    return set(np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")).tolist())


def _differences(schema: object, key_order: str, seed: int, states: int, favourites: str = '"a,b{[1]}:') -> list[str]:
    rng = random.Random(seed)
    constraint = compile(schema, VOCABULARY, key_order=key_order)
    state, found, depth = constraint.start(), [], 0
    text = b""
    for _ in range(states):
        allowed = _allowed(constraint.mask(state))
        right = {token for token, raw in enumerate(VOCABULARY.tokens) if raw and stepped(state.threads, raw)}
        if allowed != right:
            extra = [VOCABULARY.tokens[token] for token in allowed - right]
            missing = [VOCABULARY.tokens[token] for token in right - allowed]
            found.append(f"after {text!r}: too many {extra[:5]}, too few {missing[:5]}")
        likely = [
            token for token in right if all(byte in favourites.encode() for byte in VOCABULARY.tokens[token] or b"")
        ]
        depth += 1
        if not right or depth > 25:
            state, text, depth = constraint.start(), b"", 0
            continue
        token = rng.choice(likely or sorted(right))
        state, text = constraint.advance(state, token), text + (VOCABULARY.tokens[token] or b"")
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_mask_has_the_tokens_whose_bytes_can_be_read(name):
    assert _differences(SCHEMAS[name], "any" if len(name) % 2 else "schema", seed=1, states=12) == []


def test_near_the_end_of_a_budget_a_key_may_follow_one_that_stands_for_others():
    constraint = compile(SCHEMAS["short keys"], VOCABULARY)
    state = constraint.start()
    for byte in '{":":{"é'.encode():
        state = constraint.advance(state, byte)
    right = {token for token, raw in enumerate(VOCABULARY.tokens) if raw and stepped(state.threads, raw)}
    allowed = _allowed(constraint.mask(state, 13))
    assert allowed
    assert allowed <= right


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("seed", range(2, 6))
def test_more_masks_have_the_tokens_whose_bytes_can_be_read(name, seed):
    assert _differences(SCHEMAS[name], "any" if seed % 2 else "schema", seed, states=80) == []


def _tight_differences(schema: object, seed: int, walks: int) -> list[str]:
    rng = random.Random(seed)
    constraint = compile(schema, VOCABULARY, key_order="any" if seed % 2 else "schema")
    fewest, found = constraint.min_tokens(constraint.start()), []
    for _ in range(walks):
        state, remaining, text = constraint.start(), fewest + rng.choice((0, 1, 3, 8)), b""
        while remaining:
            allowed = _allowed(constraint.mask(state, remaining))
            possible = _allowed(constraint.mask(state))
            for token in {
                *rng.sample(sorted(possible), min(40, len(possible))),
                *rng.sample(sorted(allowed), min(10, len(allowed))),
            }:
                fits = constraint.budget.fewest(constraint.advance(state, token)) < remaining
                spared = b"\\" in (VOCABULARY.tokens[token] or b"")  # taken texts with escapes are not looked for
                if fits != (token in allowed) and not (fits and spared):
                    found.append(f"after {text!r}, {remaining} left: {VOCABULARY.tokens[token]!r} fits: {fits}")
            if not allowed or (constraint.is_complete(state) and rng.random() < 0.3):
                break
            token = rng.choice(sorted(allowed))
            state, text, remaining = (
                constraint.advance(state, token),
                text + (VOCABULARY.tokens[token] or b""),
                remaining - 1,
            )
        if not constraint.is_complete(state):
            found.append(f"no end after {text!r}")
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_near_the_end_of_a_budget_a_token_is_allowed_where_what_it_leads_to_fits(name):
    assert _tight_differences(SCHEMAS[name], seed=len(name), walks=2) == []
