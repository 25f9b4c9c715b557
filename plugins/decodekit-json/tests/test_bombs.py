"""Schemas that are made to be too much: each is compiled and walked within its time and memory, or refused by name.

Stated for the 256 single bytes: processor time from the schema to the first mask, of each later byte (advance and
mask) along a document, of `min_tokens`, and memory on top of the imported package.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import decodekit_json
from decodekit.errors import UnsupportedSchemaError
from decodekit.vocabulary import Vocabulary

FIRST_S, BYTE_S, FEWEST_S, MEGABYTES = 6.0, 1.0, 2.0, 128
"""Goals with room for a slow machine; on one core of a server nearly all schemas take less than 2 s."""
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


def members(count: int) -> str:
    return "{" + ",".join(f'"key{i}":{i}' for i in range(count))


def each(count: int, make: Any) -> dict[str, Any]:
    return {"allOf": [make(i) for i in range(count)]}


def fan(keyword: str) -> dict[str, Any]:
    """Give definitions of which each refers to the next twice."""
    return chain(60, lambda s: {keyword: [s, dict(s)]})


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
    "at least 9,000 of 10,000 names": (
        {"properties": properties(10_000), "additionalProperties": False, "minProperties": 9_000},
        members(40),
    ),
    "all of 10,000 names": (
        {"properties": properties(10_000), "additionalProperties": False, "minProperties": 10_000},
        members(40),
    ),
    "names of 10,000": (
        {"type": "object", "propertyNames": {"enum": [f"k{i}" for i in range(10_000)]}, "minProperties": 10_000},
        '{"k1":1,"k2":2',
    ),
    "different ones of 10,000": (
        {"uniqueItems": True, "items": {"enum": [f"v{i}" for i in range(10_000)]}, "type": "array"},
        "[" + ",".join(f'"v{i}"' for i in range(60)) + "]",
    ),
    "5,000 different ones of 10,000 numbers": (
        {"uniqueItems": True, "items": {"enum": list(range(10_000))}, "minItems": 5_000, "type": "array"},
        "[" + ",".join(map(str, range(60))),
    ),
    "at least a million letters": ({"type": "string", "minLength": 10**6}, '"abc'),
    "at least a million letters of a pattern": ({"type": "string", "minLength": 10**6, "pattern": "^[a-c]+$"}, '"abc'),
    "at most a million items": ({"type": "array", "items": NUMBERS, "maxItems": 10**6}, "[" + "1," * 500 + "1]"),
    "10,000 items of their own": (
        {"type": "array", "prefixItems": [NUMBERS] * 10_000, "minItems": 10_000, "items": False},
        "[" + "1," * 200,
    ),
    "(a*)*b": ({"type": "string", "pattern": "^(a*)*b$"}, f'"{"a" * 300}b"'),
    "(a|a)*": ({"type": "string", "pattern": "^(a|a)*b$"}, f'"{"a" * 300}b"'),
    "(a{1,1000}){1,1000}": ({"type": "string", "pattern": "^(a{1,1000}){1,1000}$"}, f'"{"a" * 1500}"'),
    "a letter 500 from the end": ({"type": "string", "pattern": "^[ab]*a[ab]{500}$"}, '"' + "abbaabab" * 30),
    "1,000 letters of any script": ({"type": "string", "pattern": r"^\p{L}{1,1000}$"}, f'"{"aé漢" * 200}"'),
    "5,000 alternatives": (
        {"type": "string", "pattern": "^(" + "|".join(f"w{i}x*" for i in range(5_000)) + ")$"},
        '"w77xx"',
    ),
    "none of 10,000 texts": ({"not": {"enum": [f"v {i}" for i in range(10_000)]}, "type": "string"}, '"v 99x"'),
    "none of 10,000 numbers": ({"not": {"enum": list(range(10_000))}, "type": "integer"}, "99999"),
    "10,000 numbers left out one by one": (
        each(10_000, lambda i: {"not": {"const": i}}) | {"type": "integer", "minimum": 0},
        "99999",
    ),
    "10,000 numbers left out of 20,000": (
        each(10_000, lambda i: {"not": {"const": i}}) | {"type": "integer", "minimum": 0, "maximum": 20_000},
        "15000",
    ),
    "300 conditions beside 10,000 numbers left out": (
        {
            "type": "integer",
            "not": {"enum": list(range(20_000, 30_000))},
            "allOf": [{"if": {"const": i}, "then": {"multipleOf": i + 2}} for i in range(300)],
        },
        "99999",
    ),
    "one of 100,000 texts": ({"enum": [f"value {i}" for i in range(100_000)]}, '"value 9'),
    "a constant of a million letters": ({"const": "x" * 10**6}, '"xxx'),
    "2^60 ways to the same": (fan("allOf"), "12"),
    "a tiny step": ({"type": "number", "multipleOf": 3e-300, "minimum": 0, "maximum": 1}, "0.5"),
    "a huge step": ({"type": "number", "multipleOf": 1e300}, "0"),
    "a document of 100 objects in one another": (
        {"properties": {"a": {"$ref": "#"}}, "type": "object"},
        '{"a":' * 100 + "{" + "}" * 101,
    ),
    "300 large objects": ({"enum": [big(i) for i in range(100)]}, '{"a":1'),
}
LOOPS: dict[str, Any] = {
    "$ref": {"$ref": "#"},
    "allOf": {"allOf": [{"$ref": "#"}]},
    "anyOf": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    "not": {"not": {"$ref": "#"}},
    "if": {"if": {"$ref": "#"}, "then": {"type": "null"}},
    "dependentSchemas": {"dependentSchemas": {"a": {"$ref": "#"}}},
    "two references": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    "below": {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}},
}
"""Schemas that contain themselves at the same value."""
TOO_MUCH: dict[str, tuple[Any, str]] = {
    "one of 200 objects that are not told apart": (
        {"oneOf": [{"type": "object", "properties": {f"p{i}": NUMBERS}, "required": [f"p{i}"]} for i in range(200)]},
        "{",
    ),
    "arrays in 500 arrays": (nested(500, lambda s: {"type": "array", "items": s, "minItems": 1}, NUMBERS), "[[[["),
    "400 alternatives in one another": (nested(400, lambda s: {"allOf": [s]}, NUMBERS), "1"),
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
    "a number with 400 digits": ({"type": "integer", "minimum": 10**399}, "1" + "0" * 399),
    "a number with 1,001 digits": ({"type": "integer", "minimum": 10**1000}, "1"),
    "a constant with 1,001 digits": ({"const": 10**1000}, "1"),
    "10,000 keys that need one another": ({"dependentRequired": {f"k{i}": [f"k{i + 1}"] for i in range(10_000)}}, "{"),
    "10,000 keys that need one": ({"dependentRequired": {f"k{i}": ["x"] for i in range(10_000)}}, "{"),
    "10,000 keys with schemas": (
        {"dependentSchemas": {f"k{i}": {"required": [f"k{i + 1}"]} for i in range(10_000)}},
        "{",
    ),
    "60 keys that need one another": ({"dependentRequired": {f"k{i}": [f"k{i + 1}"] for i in range(60)}}, '{"k5":1'),
    "one of 200 optional keys": (
        {"oneOf": [{"type": "object", "properties": {f"p{i}": NUMBERS}} for i in range(200)]},
        "{",
    ),
    "2^100 keys": (each(100, lambda i: {"oneOf": [{"required": [f"p{i}"]}, {"required": [f"q{i}"]}]}), "{"),
    "2^100 ranges": (each(100, lambda i: {"anyOf": [{"maximum": i}, {"minimum": i + 1000}]}), "5"),
    "2^100 patterns": (
        each(100, lambda i: {"type": "string", "anyOf": [{"pattern": f"a{i}"}, {"pattern": f"b{i}"}]}),
        '"',
    ),
    "100 conditions": (each(100, lambda i: {"if": {"required": [f"p{i}"]}, "then": {"required": [f"q{i}"]}}), "{"),
    "2^60 alternatives": (fan("anyOf"), "12"),
    "none of 2,000 objects": ({"not": {"enum": [{"a": i, "b": "x"} for i in range(2_000)]}}, '{"a":3000}'),
    "none of all kinds": (
        {"not": {"enum": [*(f"v{i}" for i in range(3_000)), *range(3_000), *({"a": i} for i in range(300))]}},
        '{"a":1000}',
    ),
    "100 patterns of keys": ({"patternProperties": {f"^x{i}_": {"minimum": i} for i in range(100)}}, '{"x50_a":77'),
    "a million that count": ({"type": "array", "contains": NUMBERS, "minContains": 10**6}, "[1"),
    "500 of 1,000 that count": (
        {"prefixItems": [{"type": ["integer", "string"]}] * 1_000, "contains": NUMBERS, "minContains": 500},
        "[1",
    ),
    "1,000 objects in one another": (nested(1_000, lambda s: {"properties": {"a": s}}, NUMBERS), "{"),
    "12 patterns at once": ({"type": "string", "allOf": [{"pattern": f"w{i}"} for i in range(12)]}, '"w1w2'),
    "200 alternatives with the rest closed": (
        {
            "anyOf": [{"properties": {f"p{i}": NUMBERS}, "required": [f"p{i}"]} for i in range(200)],
            "unevaluatedProperties": False,
        },
        '{"p1":1',
    ),
    "many patterns that overlap": (
        {"patternProperties": {c: {"minimum": i} for i, c in enumerate("abcdefghij")}},
        '{"ab":7',
    ),
}

_PROGRAM = """
import json, os, resource, signal, sys
import decodekit_json
from decodekit.errors import UnsupportedSchemaError
from decodekit.vocabulary import Vocabulary

def used():
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])

def walk(schema, text):
    begun, longest = used(), 0.0
    try:
        compiled = decodekit_json.compile(schema, vocabulary)
        state = compiled.start()
        mask = compiled.mask(state)
    except UnsupportedSchemaError as error:
        assert error.pointer.startswith("#") and (error.keyword or "nests too deeply" in str(error)), str(error)
        assert error.hint, str(error)
        return "refused: " + str(error), used() - begun, 0, 0
    first = used() - begun
    for at, byte in enumerate(text.encode()):
        if not mask[byte // 32] >> (byte % 32) & 1:
            return f"not allowed: byte {at}", first, longest, 0
        begun = used()
        state = compiled.advance(state, byte)
        mask = compiled.mask(state)
        longest = max(longest, used() - begun)
    begun = used()
    compiled.min_tokens(state)
    compiled.mask(state, 64)
    return "begun", first, longest, used() - begun

vocabulary = Vocabulary.from_bytes()
compiled = decodekit_json.compile({"type": "null"}, vocabulary)
compiled.mask(compiled.start())
for line in sys.stdin:
    if not os.fork():  # a process for each schema, with nothing left of those before
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            usual = sys.getrecursionlimit()
            sys.setrecursionlimit(10 * usual)
            given = json.loads(line)
            sys.setrecursionlimit(usual)
            found = walk(*given)
        except BaseException as error:
            found = repr(error), 0, 0, 0
        print(json.dumps([*found, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) / 1024]), flush=True)
        os._exit(0)
    if os.wait()[1]:
        print(json.dumps(["stopped after 60 s", 60, 0, 0, 0]), flush=True)
"""


@pytest.fixture(scope="module")
def program() -> Iterator[subprocess.Popen[str]]:
    """Give a process that has imported everything and forks for each schema."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], stdin=pipe, stdout=pipe, text=True) as running:
        yield running
        running.stdin.close()  # type: ignore[union-attr]


def outcome(program: subprocess.Popen[str], schema: Any, text: str) -> str:
    """Compile a schema and walk a document in a process of its own; give what became of it."""
    assert program.stdin
    assert program.stdout
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(10 * usual)  # the test runner's own calls stand on the stack
    written = json.dumps([schema, text])
    sys.setrecursionlimit(usual)
    program.stdin.write(written + "\n")
    program.stdin.flush()
    found, first_s, byte_s, fewest_s, megabytes = json.loads(program.stdout.readline())
    assert first_s <= FIRST_S, f"{first_s:.1f} s to the first mask"
    assert byte_s <= BYTE_S, f"{byte_s:.1f} s for a byte"
    assert fewest_s <= FEWEST_S, f"{fewest_s:.1f} s for the fewest tokens"
    assert megabytes <= MEGABYTES, f"{megabytes:.0f} MB"
    return str(found)


QUICK = [
    "10,000 properties",
    "at least 9,000 of 10,000 names",
    "at least a million letters",
    "10,000 items of their own",
    "(a*)*b",
]


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in BEGUN]
)
def test_a_large_schema_is_walked_within_its_time(name: str, program: subprocess.Popen[str]) -> None:
    assert outcome(program, *BEGUN[name]) == "begun"


QUICK_REFUSALS = ["10,000 keys that need one", "2^100 keys", "a number with 1,001 digits", "500 of 1,000 that count"]


@pytest.mark.parametrize(
    "name", [name if name in QUICK_REFUSALS else pytest.param(name, marks=pytest.mark.slow) for name in TOO_MUCH]
)
def test_what_multiplies_is_walked_or_refused_by_name_within_its_time(
    name: str, program: subprocess.Popen[str]
) -> None:
    found = outcome(program, *TOO_MUCH[name])
    assert found == "begun" or found.startswith("refused: ")


@pytest.mark.parametrize("name", LOOPS)
def test_a_schema_that_contains_itself_at_the_same_value_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedSchemaError, match=r"\$ref at #.*contains itself at the same value") as caught:
        decodekit_json.compile(LOOPS[name], Vocabulary.from_bytes())
    assert caught.value.keyword == "$ref"


def test_a_loop_that_nothing_refers_to_is_no_loop() -> None:
    decodekit_json.compile({"type": "object", "$defs": {"a": {"$ref": "#/$defs/a"}}}, Vocabulary.from_bytes())


def test_the_fewest_tokens_of_a_very_long_text_are_a_number_that_is_enough() -> None:
    compiled = decodekit_json.compile({"type": "string", "minLength": 10**6}, Vocabulary.from_bytes())
    assert compiled.min_tokens(compiled.start()) == 10**6 + 2
