"""Items of arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from decodekit.errors import SchemaError
from decodekit_json.groups import ArrayGroup, Contains, Items, Literals
from decodekit_json.keywords.reading import subschema, whole
from decodekit_json.keywords.table import ALWAYS, NEVER, Alternatives, keyword
from decodekit_json.located import Schema

if TYPE_CHECKING:
    from decodekit_json.lowering import Lowering


def _items_of(lowering: Lowering, schema: Schema) -> tuple[list[Schema], tuple[str, Schema] | None]:
    """Give the schemas of the first items, and that of the rest with its keyword."""
    contents = schema.contents
    first, rest = "prefixItems", "items"
    if isinstance(contents.get("items"), list):
        if schema.draft == "2020-12":
            raise SchemaError(f"items at {schema.pointer} is a list: in draft 2020-12 that is prefixItems")
        first, rest = "items", "additionalItems"
    prefix: list[Schema] = []
    if first in contents and (first == "items" or not schema.older("2019-09")):
        values = contents[first]
        if not isinstance(values, list):
            raise SchemaError(f"{first} at {schema.pointer} is not a list of schemas")
        prefix = [lowering.documents.child(schema, value, first, i) for i, value in enumerate(values)]
    return prefix, (rest, subschema(lowering, schema, rest)) if rest in contents else None


@keyword("items", "array")
def _items(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    prefix, rest = _items_of(lowering, schema)
    if sign:
        rule = Items(tuple(((s, True),) for s in prefix), ((rest[1], True),) if rest else ())
        return [[ArrayGroup((rule,))]]
    found: Alternatives = []
    for i, one in enumerate(prefix):
        found.append([ArrayGroup((Items(((),) * i + (((one, False),),)),), low=i + 1)])
    if rest:
        found.append([ArrayGroup(contains=(Contains(frozenset([(rest[1], False)]), 1, None, len(prefix)),))])
    return found


@keyword("prefixItems", "array", since="2020-12")
def _prefix_items(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    if "items" in schema.contents and not isinstance(schema.contents["items"], list):
        return ALWAYS if sign else NEVER  # taken with `items`
    return _items(lowering, schema, sign, kind)


@keyword("contains", "array", since="6")
def _contains(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    counted = schema.draft in ("", "2019-09", "2020-12")
    low = whole(schema, "minContains") if counted and "minContains" in schema.contents else 1
    high = whole(schema, "maxContains") if counted and "maxContains" in schema.contents else None
    literals: Literals = frozenset([(subschema(lowering, schema, "contains"), True)])
    if sign:
        if high is not None and high < low:
            return NEVER
        return ALWAYS if not low and high is None else [[ArrayGroup(contains=(Contains(literals, low, high),))]]
    found: Alternatives = []
    if low:
        found.append([ArrayGroup(contains=(Contains(literals, 0, low - 1),))])
    if high is not None:
        found.append([ArrayGroup(contains=(Contains(literals, high + 1, None),))])
    return found


@keyword("uniqueItems", "array")
def _unique(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    if schema.contents["uniqueItems"] is not True:
        return ALWAYS if sign else NEVER
    return [[ArrayGroup(unique=True) if sign else ArrayGroup(repeated=True)]]
