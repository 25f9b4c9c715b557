"""What `decodekit explain-schema` says of a schema is true, is all there is to say, and can be read."""

import json
from itertools import pairwise

import pytest

from decodekit.cli.application import run
from decodekit_json.compiler import Options
from decodekit_json.explain import explain

_LONG = "a string of at least 2 characters"


def allowed(schema, **options):
    return explain(schema, Options(**options)).allowed


@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ({"type": "integer", "not": {"const": 5}}, "an integer, but not 5"),
        ({"type": "integer", "not": {"enum": [1, 2]}}, "an integer, but not 1 or 2"),
        ({"type": "integer", "minimum": 3, "not": {"enum": [1, 4]}}, "an integer, at least 3, but not 4"),
        ({"type": "number", "not": {"enum": [0.5, 1]}}, "a number, but not 0.5 or 1"),
        ({"type": "number", "if": {"const": 7}, "then": False}, "a number, but not 7"),
        (
            {"type": "integer", "not": {"enum": list(range(100))}},
            "an integer, but not 0, 1, 2, 3, 4, 5, 6, 7 or 92 more",
        ),
        ({"type": "number", "not": {"multipleOf": 2}}, "a number, not a multiple of 2"),
        ({"type": "number", "not": {"type": "integer"}}, "a number that is no integer"),
        ({"enum": [1, 0.25, 3], "minimum": 1}, "one of the numbers 1 or 3"),
        ({"const": 4}, "the number 4"),
        ({"type": "string", "minLength": 1}, "a string of at least 1 character"),
        ({"type": "number", "maximum": 10**300}, "a number, at most about 1.000000e+300"),
        ({"type": "string", "not": {"enum": ["b", "a", "c"]}}, "a string, but not 'a', 'b' or 'c'"),
        ({"minLength": 2, "type": "string", "not": {"enum": ["ab", "c"]}}, f"{_LONG}, but not 'ab'"),
        ({"type": "string", "enum": ["a", "b"]}, "one of the strings 'a' or 'b'"),
    ],
)
def test_a_value_that_is_left_out_is_named(schema, line):
    assert allowed(schema) == [line]


def _tagged(i):
    members = {"tag": {"const": f"t{i}"}, "a": {"type": "integer"}, f"b{i}": {"type": "string"}, "c": {"type": "array"}}
    return {"type": "object", "properties": members, "required": ["tag", "a"], "additionalProperties": False}


def _owing(i):
    return {"type": "object", "required": [f"k{i}"]}


def _either(depth):
    inside = {"type": "integer"} if depth == 0 else _either(depth - 1)
    members = {"type": "object", "properties": {"a": inside, "b": {"anyOf": [inside, {"type": "null"}]}}}
    return {"anyOf": [members, {"type": "array", "items": inside}, {"type": "string"}]}


_LONG_ONES = {
    "20 objects with a tag": {"oneOf": [_tagged(i) for i in range(20)]},
    "20 open objects": {"oneOf": [_owing(i) for i in range(20)]},
    "20 objects inside": {"type": "object", "properties": {"x": {"anyOf": [_tagged(i) for i in range(20)]}}},
    "alternatives of alternatives": _either(4),
}


@pytest.mark.parametrize("schema", _LONG_ONES.values(), ids=_LONG_ONES)
def test_every_line_says_something(schema):
    lines = allowed(schema)
    depths = [len(line) - len(line.lstrip()) for line in lines]
    assert not [line for line in lines if line.endswith((":", ": …")) or line.strip() in ("", "…", "or …")]
    assert all(deeper - depth <= 2 for depth, deeper in pairwise(depths))
    assert max(map(len, lines)) <= 120


def test_many_objects_take_a_line_each():
    lines = allowed(_LONG_ONES["20 objects with a tag"])
    assert lines[0] == "an object with 'tag' = 't0' and 'a', perhaps 'b0' and 'c'"
    assert lines[19] == "or an object with 'tag' = 't19' and 'a', perhaps 'b19' and 'c'"
    assert len(lines) == 20
    assert allowed(_LONG_ONES["20 open objects"])[1] == (
        "or an object with 'k1', perhaps other keys, without 'k0', 'k2', 'k3' and 16 more"
    )
    inside = allowed({"type": "object", "properties": {"x": {"anyOf": [_tagged(i) for i in range(25)]}}})
    assert inside[:2] == ["an object", "  'x' (optional): one of 25 alternatives"]
    assert inside[22] == "    or one of 5 more alternatives"


def test_what_is_short_stands_behind_its_title():
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"]},
            "b": {"type": "array", "items": {"type": "integer"}},
            "c": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"d": {}, "e": {"$ref": "#"}}}]},
        },
        "additionalProperties": False,
    }
    assert allowed(schema) == [
        "an object",
        "  'a' (optional): null or a string",
        "  'b' (optional): an array, each item: an integer",
        "  'c' (optional): null or an object",
        "    'd' (optional): any value",
        "    'e' (optional): an object as above",
        "    other keys: any value",
    ]


def test_what_keys_and_items_are_bound_to_is_said():
    keys = {"type": "object", "propertyNames": {"maxLength": 5}, "dependentRequired": {"a": ["b"]}}
    assert allowed(keys) == [
        "an object",
        "  each key: a string of 0 to 5 characters",
        "  other keys: any value",
        "  with 'a' also 'b'",
    ]
    items = {"type": "array", "contains": {"const": 5}, "minContains": 2}
    assert allowed(items) == ["an array", "  at least 2 of the items: the number 5", "  each item: any value"]


def test_an_alternative_that_nothing_satisfies_is_none():
    dead = {"type": "array", "items": False, "minItems": 1}
    assert allowed({"anyOf": [dead, {"type": "string"}]}) == ["a string"]
    no_keys = {"type": "object", "propertyNames": {"type": "integer"}}
    assert allowed(no_keys) == ["an object", "  each key: never"]


def test_what_is_no_schema_is_not_read_as_one():
    names = {"dependentRequired": {"type": ["b"]}, "x-shape": {"pattern": "a"}, "$vocabulary": {}}
    assert explain(names, Options()).ignored == [("x-shape", "#")]
    assert explain(names, Options()).costs == []


def test_the_screen_never_shows_a_title_without_a_word(capsys):
    long = {"type": "object", "properties": {f"k{i}": {"type": "integer"} for i in range(60)}}
    schema = {"type": "object", "properties": {"a": long, "b": _LONG_ONES["20 open objects"], "c": long}}
    with pytest.raises(SystemExit):
        run(["explain-schema", json.dumps(schema)])
    shown = capsys.readouterr().out.partition("allowed\n")[2].splitlines()
    assert shown[1] == "    'a' (optional): an object (the first 35 of 61 lines)"
    assert shown[37:41] == [
        "    'b' (optional): one of 20 alternatives …",
        "    'c' (optional): an object …",
        "    other keys: any value",
        "  … 107 more lines: --json has them all",
    ]


_BACK = {"type": "string", "pattern": r"^(a|b)\1$"}


def test_what_is_left_out_while_writing_costs_nothing():
    followed = {"type": "string", "pattern": "^a", "minLength": 3}
    members = {"a": _BACK, "b": _BACK, "c": followed, "d": {"items": {**_BACK, "title": "x"}}}
    for unsupported in ("refuse", "check"):
        found = explain({"type": "object", "properties": members}, Options(unsupported=unsupported))
        assert [cost[:2] for cost in found.costs] == [("pattern", "#/properties/c")]
        assert {error.keyword for error in found.checked + found.refused} == {"pattern"}
    found = explain({"type": "string", "not": _BACK}, Options(unsupported="check"))
    assert (found.costs, [error.pointer for error in found.refused]) == ([], ["#/not"])


def test_each_place_is_named_though_the_schemas_are_equal():
    member = {"type": "string", "pattern": "^a", "title": "x"}
    found = explain({"type": "object", "properties": {"a/b": member, "": dict(member)}}, Options())
    places = ["#/properties/a~1b", "#/properties/"]
    assert [cost[1] for cost in found.costs] == places
    assert found.ignored == [("title", place) for place in places]


def test_tokens_that_are_enough_for_a_part_of_the_schema_only_are_said_to_be_that(capsys):
    def enough(*options):
        with pytest.raises(SystemExit):
            run(["explain-schema", "--json", *options])
        return json.loads(capsys.readouterr().out)["enough"]

    checked = ["2 bytes, without what is checked at the end: that may need more"]
    assert enough(json.dumps(_BACK), "--unsupported", "check") == checked
    assert enough('{"type": "string"}', "--unsupported", "check") == ["2 bytes"]
