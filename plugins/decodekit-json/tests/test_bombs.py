"""Schemas that are made to be too much: each is compiled and begun within its time and memory, or refused by name."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

SECONDS, MEGABYTES = 30, 400
"""Of processor time and of memory, for a schema and the beginning of one document."""
NUMBERS = {"type": "integer"}


def nested(count: int, wrap: Any, inner: Any) -> Any:
    for _ in range(count):
        inner = wrap(inner)
    return inner


def chain(count: int, wrap: Any) -> dict[str, Any]:
    """Give definitions of which each refers to the next."""
    definitions = {f"d{i}": wrap({"$ref": f"#/$defs/d{i + 1}"}) for i in range(count)}
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{count}": NUMBERS}}


def properties(count: int) -> dict[str, Any]:
    return {f"key{i}": {"type": "integer"} for i in range(count)}


def kinds(count: int) -> list[Any]:
    return [{"properties": {"kind": {"const": f"k{i}"}, "v": NUMBERS}, "required": ["kind"]} for i in range(count)]


def big(number: int) -> Any:
    return {"a": number, "b": [number] * 30, "c": {"d": "x" * 100}}


BEGUN: dict[str, tuple[Any, str]] = {
    "quantifiers in quantifiers": ({"type": "string", "pattern": "^(([a-z]*)*)*x{0,1000}$"}, '"aaaa'),
    "alternatives in quantifiers": ({"type": "string", "pattern": "^(a|aa|aaa){0,500}b{1,500}a{300}$"}, '"aabbb'),
    "counted in counted": ({"type": "string", "pattern": "^(.{0,1000}x){0,1000}$"}, '"ab'),
    "10,000 properties": ({"properties": properties(10_000), "additionalProperties": False}, '{"key5":1,"key6":2'),
    "10,000 required properties": ({"required": list(properties(10_000)), "type": "object"}, '{"key0":1'),
    "10,000 values": ({"enum": [f"value {i}" for i in range(10_000)]}, '"value 77'),
    "1,000 references": (chain(1_000, lambda s: s), "12"),
    "1,000 references to objects": (chain(1_000, lambda s: {"properties": {"a": s}}), '{"a":{"a":'),
    "a very long string": ({"type": "string", "maxLength": 10**6, "minLength": 10**6 - 5}, '"abc'),
    "a long string with a pattern": ({"type": "string", "maxLength": 10**6, "pattern": "^[a-c]+x"}, '"abcx'),
    "very many items": ({"type": "array", "items": NUMBERS, "minItems": 10**6}, "[1,2"),
    "very many members": ({"type": "object", "minProperties": 10**6}, '{"a":1'),
    "schemas that contain one another": (
        {
            "$ref": "#/$defs/a",
            "$defs": {
                "a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/b"}}, "required": ["b"]},
                "b": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/a"}}, {"type": "null"}]},
            },
        },
        '{"b":[{"b":nul',
    ),
    "one of 200 kinds": ({"type": "object", "oneOf": kinds(200)}, '{"kind":"k7","v":1'),
    "all of 500": ({"allOf": [{"properties": {f"p{i}": NUMBERS}} for i in range(500)]}, '{"p7":1'),
    "patterns of keys that overlap": (
        {
            "patternProperties": {f"^[{c}-z]+": {"minimum": i} for i, c in enumerate("abcdefghijkl")},
            "propertyNames": {"pattern": "^[a-m]{2,5}$", "maxLength": 4},
        },
        '{"ab":77',
    ),
    "300 large objects": ({"enum": [big(i) for i in range(100)]}, '{"a":1'),
}
TOO_MUCH: dict[str, tuple[Any, str]] = {
    "one of 200 objects that are not told apart": (
        {"oneOf": [{"type": "object", "properties": {f"p{i}": NUMBERS}, "required": [f"p{i}"]} for i in range(200)]},
        "{",
    ),
    "arrays in 500 arrays": (nested(500, lambda s: {"type": "array", "items": s, "minItems": 1}, NUMBERS), "[[[["),
    "500 alternatives in one another": (nested(500, lambda s: {"allOf": [s]}, NUMBERS), "1"),
    "500 negations": (nested(500, lambda s: {"not": s}, NUMBERS), "1"),
    "a constant in 500 arrays": ({"const": nested(500, lambda v: [v], 1)}, "[[["),
    "500 conditions": (
        {
            "allOf": [
                {"if": {"properties": {"k": {"const": i}}, "required": ["k"]}, "then": {"required": [f"p{i}"]}}
                for i in range(500)
            ]
        },
        '{"k":1',
    ),
    "look-ahead over long patterns": (
        {"type": "string", "pattern": "(?=.*a.{100})(?=.*b.{100})(?!.*c.{50}d)"},
        '"b',
    ),
    "2,000 keys that need one another": (
        {"properties": properties(2_000), "dependentRequired": {f"key{i}": [f"key{i + 1}"] for i in range(1_999)}},
        '{"key5":1',
    ),
    "alternatives of alternatives": (
        {"allOf": [{"anyOf": [{"required": [f"p{i}"]}, {"required": [f"q{i}"]}]} for i in range(20)], "type": "object"},
        "{",
    ),
    "a number with 400 digits": ({"type": "integer", "minimum": 10**400}, "1"),
    "many patterns that overlap": (
        {"patternProperties": {c: {"minimum": i} for i, c in enumerate("abcdefghij")}},
        '{"ab":7',
    ),
}

_PROGRAM = """
import json, resource, sys
import decodekit_json
from decodekit.errors import UnsupportedSchemaError
from decodekit.vocabulary import Vocabulary
seconds, megabytes = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_CPU, (seconds + 60, seconds + 60))
sys.setrecursionlimit(1000)
schema, text = json.load(sys.stdin)
used = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
before, held, found = used(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "begun"
try:
    compiled = decodekit_json.compile(schema, Vocabulary.from_bytes())
    state = compiled.start()
    for byte in text.encode():
        if not compiled.mask(state)[byte // 32] >> (byte % 32) & 1:
            found = "not allowed"
            break
        state = compiled.advance(state, byte)
    compiled.mask(state)
except UnsupportedSchemaError as error:
    found = "refused: " + str(error)
print(json.dumps([found, used() - before, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) / 1024]))
"""


def outcome(schema: Any, text: str) -> str:
    """Compile a schema and begin a document in a process of its own; give what became of it."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(SECONDS), str(MEGABYTES)],
        input=json.dumps([schema, text]),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    found, seconds, megabytes = json.loads(done.stdout)
    assert seconds <= SECONDS, f"{seconds:.1f} s of processor time"
    assert megabytes <= MEGABYTES, f"{megabytes:.0f} MB"
    return str(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", BEGUN)
def test_a_large_schema_is_begun_within_its_time(name: str) -> None:
    assert outcome(*BEGUN[name]) == "begun"


@pytest.mark.slow
@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_multiplies_is_begun_or_refused_by_name_within_its_time(name: str) -> None:
    found = outcome(*TOO_MUCH[name])
    assert found == "begun" or found.startswith("refused: ")


def test_a_schema_of_10_000_properties_is_begun_within_its_time() -> None:
    assert outcome(*BEGUN["10,000 properties"]) == "begun"
