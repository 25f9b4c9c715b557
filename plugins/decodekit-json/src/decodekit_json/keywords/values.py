"""Which values: `type`, `const`, `enum`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from decodekit.errors import SchemaError
from decodekit_json import number_range
from decodekit_json.groups import ArrayGroup, Items, KeySet, ObjectGroup, PlainGroup, Rule, Some, StringGroup
from decodekit_json.keywords.objects import absent
from decodekit_json.keywords.reading import names_type, type_of, types_of
from decodekit_json.keywords.table import ALWAYS, FALSE, NEVER, Alternatives, keyword
from decodekit_json.located import Schema
from decodekit_json.number_range import NumberRange

if TYPE_CHECKING:
    from decodekit_json.lowering import Lowering


@keyword("type")
def _type(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    names = types_of(schema)
    if kind == "number" and "integer" in names and "number" not in names:
        return [[NumberRange(integer=sign, plain_integers=schema.draft == "4")]]
    return ALWAYS if names_type(names, kind) == sign else NEVER


@keyword("const", since="6")
def _const(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    return _one_of(lowering, schema, [schema.contents["const"]], sign, kind)


@keyword("enum")
def _enum(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    values = schema.contents["enum"]
    if not isinstance(values, list):
        raise SchemaError(f"enum at {schema.pointer} is not a list")
    return _one_of(lowering, schema, values, sign, kind)


def _one_of(lowering: Lowering, schema: Schema, values: list[Any], sign: bool, kind: str) -> Alternatives:
    values = [value for value in values if type_of(value) == kind]
    if not values:
        return NEVER if sign else ALWAYS
    if kind == "string":
        texts = frozenset(values)
        return [[StringGroup(values=texts) if sign else StringGroup(excluded=texts)]]
    if kind == "number":
        numbers = frozenset(number_range.exact(value) for value in values)
        return [[NumberRange(values=numbers) if sign else NumberRange(excluded=numbers)]]
    if kind in ("null", "boolean"):
        all_texts = frozenset([b"null"]) if kind == "null" else frozenset([b"true", b"false"])
        plain = frozenset(json.dumps(value).encode() for value in values)
        left = plain if sign else all_texts - plain
        return [[PlainGroup(left)]] if left else NEVER
    if not sign and len(values) > 1:
        return [[(lowering.documents.constant(value, schema), False) for value in values]]
    constant = _constant_array if kind == "array" else _constant_object
    return [a for value in values for a in constant(lowering, schema, value, sign)]


def _constant_array(lowering: Lowering, schema: Schema, value: list[Any], sign: bool) -> Alternatives:
    items = tuple(((lowering.documents.constant(item, schema), sign),) for item in value)
    if sign:
        return [[ArrayGroup((Items(items, ((FALSE, True),)),), len(value), len(value))]]
    found: Alternatives = [[ArrayGroup(low=len(value) + 1)]]
    if value:
        found.append([ArrayGroup(high=len(value) - 1)])
    for i, item in enumerate(items):
        found.append([ArrayGroup((Items(((),) * i + (item,)),), low=len(value), high=len(value))])
    return found


def _constant_object(lowering: Lowering, schema: Schema, value: dict[str, Any], sign: bool) -> Alternatives:
    members = tuple((key, ((lowering.documents.constant(item, schema), sign),)) for key, item in value.items())
    if sign:
        return [[ObjectGroup((Rule(members, (), ((FALSE, True),)),), tuple(value))]]
    found: Alternatives = [[absent(key)] for key in value]
    found += [[ObjectGroup((Rule((member,)),), (member[0],))] for member in members]
    found.append([ObjectGroup(some=(Some(KeySet(names=frozenset(value)), frozenset()),))])
    return found
