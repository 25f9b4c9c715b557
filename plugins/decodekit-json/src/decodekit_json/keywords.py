"""What each keyword asks of a value of one type, and what its negation asks: a table, one function per keyword.

A handler gives alternatives (a list of lists of terms, of which one list holds entirely): `[[]]` is always true, `[]`
never. A term is a group, or a literal: a schema that must hold or must not. Keywords that are not in the table are
annotations, as the specification says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

from decodekit.errors import SchemaError, UnsupportedSchemaError
from decodekit_json import number_range, patterns
from decodekit_json.dialects import DRAFTS, LATEST
from decodekit_json.formats import FORMATS
from decodekit_json.groups import (
    ArrayGroup,
    Contains,
    Items,
    KeySet,
    Literal,
    Literals,
    ObjectGroup,
    Pattern,
    PlainGroup,
    Rule,
    Some,
    StringGroup,
)
from decodekit_json.located import Schema
from decodekit_json.number_range import NumberRange
from decodekit_json.texts import found as matching

if TYPE_CHECKING:
    from decodekit_json.lowering import Lowering

Term: TypeAlias = Any
Terms: TypeAlias = list[Term]
Alternatives: TypeAlias = list[Terms]
Handler: TypeAlias = "Callable[[Lowering, Schema, bool, str], Alternatives]"

MAX_ALTERNATIVES = 512
MAX_DEPENDENT = 64
"""Most keys of one schema on which other keys, or a schema, depend."""
ALWAYS: Alternatives = [[]]
NEVER: Alternatives = []
FALSE = Schema(False, LATEST, "#", None)

_TABLE: dict[str, tuple[str, str, str, Handler]] = {}
"""Keyword to (type, or "" for all; first draft; last draft; handler)."""
_ORDER = list(DRAFTS)


def keyword(name: str, kind: str = "", since: str = "4", until: str = "2020-12") -> Callable[[Handler], Handler]:
    """Enter a handler into the table."""

    def enter(handler: Handler) -> Handler:
        _TABLE[name] = (kind, since, until, handler)
        return handler

    return enter


def handler_of(name: str) -> Handler:
    """Give the handler of a keyword."""
    return _TABLE[name][3]


def span(name: str) -> tuple[str, str] | None:
    """Give the first and the last draft that know a keyword; None where it is an annotation."""
    entry = _TABLE.get(name)
    return None if entry is None else (entry[1], entry[2])


def is_read(draft: str, name: str) -> bool:
    """Say whether a keyword of the table is one of a draft."""
    first, last = _TABLE[name][1:3]
    return not draft or _ORDER.index(first) <= _ORDER.index(draft) <= _ORDER.index(last)


def known(draft: str) -> list[str]:
    """Give the keywords of the table that are of a draft."""
    return [name for name in _TABLE if is_read(draft, name)]


def relevant(schema: Schema, kind: str) -> Iterator[str]:
    """Give a schema's keywords that say something about a type, in the schema's order."""
    contents = schema.contents
    if "$ref" in contents and schema.older("7"):
        yield "$ref"
        return
    for name in contents:
        entry = _TABLE.get(name)
        if entry is not None and entry[0] in ("", kind) and is_read(schema.draft, name):
            yield name


def type_of(value: Any) -> str:
    """Give the JSON type of a Python value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def may_have_type(schema: Schema, kind: str) -> bool:
    """Say whether `type`, `enum` and `const` of a schema leave a type; a cheap first look."""
    contents = schema.contents
    if isinstance(contents, bool):
        return contents
    if "$ref" in contents and schema.older("7"):
        return True
    if "type" in contents and not _names_type(types_of(schema), kind):
        return False
    if "const" in contents and schema.draft != "4" and type_of(contents["const"]) != kind:
        return False
    values = contents.get("enum")
    return not isinstance(values, list) or any(type_of(value) == kind for value in values)


def listed(schema: Schema) -> frozenset[str] | None:
    """Give the strings that `const` or `enum` of a schema lists, None where it does not list strings only."""
    contents = schema.contents
    if isinstance(contents, bool) or (schema.older("7") and "$ref" in contents):
        return None
    values = [contents["const"]] if "const" in contents and schema.draft != "4" else contents.get("enum")
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return None
    return frozenset(values)


def exact(value: Any) -> Fraction:
    """Give a number of a document or schema exactly: a float means what it is written as."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise SchemaError(f"{value!r:.80} is not a number")
    return (
        Fraction(value)
        if isinstance(value, int)
        else Fraction(Decimal(repr(value) if isinstance(value, float) else value))
    )


def _number(schema: Schema, name: str) -> Fraction:
    value = schema.contents[name]
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise SchemaError(f"{name} at {schema.pointer}: {value!r:.80} is not a number")
    return number_range.exact(value)


def _subschemas(lowering: Lowering, schema: Schema, name: str) -> list[Schema]:
    values = schema.contents[name]
    if not isinstance(values, list) or not values:
        raise SchemaError(f"{name} at {schema.pointer} is not a list of schemas")
    return [lowering.documents.child(schema, value, name, i) for i, value in enumerate(values)]


def _subschema(lowering: Lowering, schema: Schema, name: str) -> Schema:
    return lowering.documents.child(schema, schema.contents[name], name)


def _mapping(schema: Schema, name: str) -> dict[str, Any]:
    value = schema.contents.get(name, {})
    if not isinstance(value, dict):
        raise SchemaError(f"{name} at {schema.pointer} is not an object")
    return value


def types_of(schema: Schema) -> list[str]:
    """Give the names in `type`."""
    names = schema.contents["type"]
    names = [names] if isinstance(names, str) else names
    known = ("null", "boolean", "number", "integer", "string", "array", "object")
    if not isinstance(names, list) or not names or any(name not in known for name in names):
        raise SchemaError(
            f"type at {schema.pointer}: {names!r:.80} is not one of {', '.join(known)}, or a list of them"
        )
    return names


def _names_type(names: list[str], kind: str) -> bool:
    return kind in names or (kind == "number" and "integer" in names)


@keyword("type")
def _type(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    names = types_of(schema)
    if kind == "number" and "integer" in names and "number" not in names:
        return [[NumberRange(integer=sign, plain_integers=schema.draft == "4")]]
    return ALWAYS if _names_type(names, kind) == sign else NEVER


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


def absent(key: str) -> ObjectGroup:
    """Give the objects without a key."""
    return ObjectGroup((Rule(((key, ((FALSE, True),)),)),))


@keyword("allOf")
def _all_of(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    found = _subschemas(lowering, schema, "allOf")
    return [[(s, True) for s in found]] if sign else [[(s, False)] for s in found]


@keyword("anyOf")
def _any_of(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    found = _subschemas(lowering, schema, "anyOf")
    return [[(s, True)] for s in found] if sign else [[(s, False) for s in found]]


@keyword("oneOf")
def _one_of_schemas(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    options: list[Literal] = [(s, True) for s in _subschemas(lowering, schema, "oneOf")]
    if not sign:  # none holds, or two do
        pairs = [[a, b] for a, b in combinations(options, 2) if not lowering.disjoint(kind, a, b)]
        return [[(s, False) for s, _ in options], *pairs]
    found: Alternatives = []
    for i, one in enumerate(options):
        if lowering.groups(kind, frozenset([one])):
            others = [s for j, (s, _) in enumerate(options) if j != i and not lowering.disjoint(kind, one, (s, True))]
            found.append([one, *((s, False) for s in others)])
    return found


@keyword("not")
def _not(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    return [[(_subschema(lowering, schema, "not"), not sign)]]


@keyword("if", since="7")
def _if(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    condition = _subschema(lowering, schema, "if")
    found: Alternatives = []
    for holds, name in ((True, "then"), (False, "else")):
        if name in schema.contents:
            found.append([(condition, holds), (_subschema(lowering, schema, name), sign)])
        elif sign:
            found.append([(condition, holds)])
    if sign and len(found[0]) == len(found[1]) == 1:
        return ALWAYS
    return found


def _reference(name: str) -> Handler:
    def handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
        return [[(lowering.documents.target(schema, name), sign)]]

    return handler


keyword("$ref")(_reference("$ref"))
keyword("$recursiveRef", since="2019-09", until="2019-09")(_reference("$recursiveRef"))
keyword("$dynamicRef", since="2020-12")(_reference("$dynamicRef"))


def whole(schema: Schema, name: str) -> int:
    """Give a keyword's value that counts something."""
    value = schema.contents[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != int(value):
        raise SchemaError(f"{name} at {schema.pointer}: {value!r:.80} is not a whole number that is at least 0")
    return int(value)


def _at_least(name: str, kind: str, make: Callable[..., Any]) -> None:
    @keyword(name, kind)
    def handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
        limit = whole(schema, name)
        if sign:
            return [[make(low=limit)]]
        return [[make(high=limit - 1)]] if limit else NEVER


def _at_most(name: str, kind: str, make: Callable[..., Any]) -> None:
    @keyword(name, kind)
    def handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
        limit = whole(schema, name)
        return [[make(high=limit)]] if sign else [[make(low=limit + 1)]]


for _noun, _kind, _make in (
    ("Length", "string", StringGroup),
    ("Items", "array", ArrayGroup),
    ("Properties", "object", ObjectGroup),
):
    _at_least(f"min{_noun}", _kind, _make)
    _at_most(f"max{_noun}", _kind, _make)


@keyword("pattern", "string")
def _pattern(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    text = schema.contents["pattern"]
    if not isinstance(text, str):
        raise SchemaError(f"pattern at {schema.pointer}: {text!r:.80} is not a string")
    patterns.search(text)
    return [[StringGroup(patterns=frozenset([Pattern("pattern", text, sign)]))]]


@keyword("format", "string")
def _format(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    name = schema.contents["format"]
    if not lowering.formats or not isinstance(name, str) or name not in FORMATS:
        return ALWAYS if sign else NEVER
    return [[StringGroup(patterns=frozenset([Pattern("format", name, sign)]))]]


def _bound(lower: bool, excluded: bool, sign: bool, value: Fraction) -> NumberRange:
    if not sign:  # not at least v: below v
        lower, excluded = not lower, not excluded
    if lower:
        return NumberRange(low=value, low_excluded=excluded)
    return NumberRange(high=value, high_excluded=excluded)


def _limit(name: str, exclusive: str, lower: bool) -> None:
    @keyword(name, "number")
    def inclusive_handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
        excluded = schema.contents.get(exclusive) is True and schema.draft in ("", "4")
        return [[_bound(lower, excluded, sign, _number(schema, name))]]

    @keyword(exclusive, "number")
    def exclusive_handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
        value = schema.contents[exclusive]
        if isinstance(value, bool) and schema.draft in ("", "4"):
            return ALWAYS if sign else NEVER  # part of the keyword beside it
        return [[_bound(lower, True, sign, _number(schema, exclusive))]]


_limit("minimum", "exclusiveMinimum", lower=True)
_limit("maximum", "exclusiveMaximum", lower=False)


@keyword("multipleOf", "number")
def _multiple_of(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    value = _number(schema, "multipleOf")
    if value <= 0:
        raise SchemaError(f"multipleOf at {schema.pointer}: {schema.contents['multipleOf']} is not above 0")
    return [[NumberRange(multiples=(value,)) if sign else NumberRange(not_multiples=(value,))]]


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
    return prefix, (rest, _subschema(lowering, schema, rest)) if rest in contents else None


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
    literals: Literals = frozenset([(_subschema(lowering, schema, "contains"), True)])
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


def _rule_of(
    lowering: Lowering, schema: Schema
) -> tuple[list[tuple[str, Schema]], list[tuple[str, Schema]], Schema | None]:
    """Give the schemas of an object's values: by name, by pattern, of the rest."""
    child, contents = lowering.documents.child, schema.contents
    names = [(k, child(schema, s, "properties", k)) for k, s in _mapping(schema, "properties").items()]
    by_pattern = [
        (p, child(schema, s, "patternProperties", p)) for p, s in _mapping(schema, "patternProperties").items()
    ]
    for pattern, _ in by_pattern:
        try:
            patterns.search(pattern)
        except UnsupportedSchemaError as error:
            raise error.at("patternProperties", schema.pointer) from None
    rest = _subschema(lowering, schema, "additionalProperties") if "additionalProperties" in contents else None
    return names, by_pattern, rest


def _values(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    names, by_pattern, rest = _rule_of(lowering, schema)
    if sign:
        rule = Rule(
            tuple((k, ((s, True),)) for k, s in names),
            tuple((p, ((s, True),)) for p, s in by_pattern),
            ((rest, True),) if rest else (),
        )
        return [[ObjectGroup((rule,))]]
    found: Alternatives = [[ObjectGroup((Rule(((k, ((s, False),)),)),), (k,))] for k, s in names]
    found += [[ObjectGroup(some=(Some(KeySet(inside=(p,)), frozenset([(s, False)])),))] for p, s in by_pattern]
    if rest:
        others = KeySet(outside=tuple(p for p, _ in by_pattern), names=frozenset(k for k, _ in names))
        found.append([ObjectGroup(some=(Some(others, frozenset([(rest, False)])),))])
    return found


@keyword("properties", "object")
def _properties(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    return _values(lowering, schema, sign, kind)


@keyword("patternProperties", "object")
def _pattern_properties(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    if "properties" in schema.contents:
        return ALWAYS if sign else NEVER  # taken with `properties`
    return _values(lowering, schema, sign, kind)


@keyword("additionalProperties", "object")
def _additional_properties(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    if "properties" in schema.contents or "patternProperties" in schema.contents:
        return ALWAYS if sign else NEVER  # taken with them
    return _values(lowering, schema, sign, kind)


def strings(schema: Schema, name: str, value: Any) -> tuple[str, ...]:
    """Give a list of keys."""
    if isinstance(value, bool) and schema.draft in ("", "4"):
        return ()  # draft 3's required: true
    if not isinstance(value, list) or any(not isinstance(key, str) for key in value):
        raise SchemaError(f"{name} at {schema.pointer}: {value!r:.80} is not a list of names")
    return tuple(dict.fromkeys(value))


@keyword("required", "object")
def _required(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    names = strings(schema, "required", schema.contents["required"])
    return [[ObjectGroup(required=names)]] if sign else [[absent(name)] for name in names]


@keyword("propertyNames", "object", since="6")
def _property_names(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    names = _subschema(lowering, schema, "propertyNames")
    if sign:
        return [[ObjectGroup(keys=frozenset([(names, True)]))]]
    return [[ObjectGroup(some=(Some(KeySet(literals=frozenset([(names, False)])), frozenset()),))]]


def _needs(lowering: Lowering, schema: Schema, name: str, key: str, value: Any, sign: bool) -> Alternatives:
    if isinstance(value, list):
        needed = strings(schema, name, value)
        if sign:
            return [[ObjectGroup(dependent=frozenset([(key, frozenset(needed))]))]]
        return [[ObjectGroup(required=(key,)), absent(other)] for other in needed]
    literal = lowering.documents.child(schema, value, name, key)
    present = ObjectGroup(required=(key,))
    return [[absent(key)], [present, (literal, True)]] if sign else [[present, (literal, False)]]


def _dependent(name: str, since: str, until: str) -> None:
    @keyword(name, "object", since, until)
    def handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
        found = [_needs(lowering, schema, name, key, value, sign) for key, value in _mapping(schema, name).items()]
        if not sign:
            return [alternative for alternatives in found for alternative in alternatives]
        if len(found) > MAX_DEPENDENT:
            raise UnsupportedSchemaError(
                f"more than {MAX_DEPENDENT} keys on which others depend",
                hint="list keys in required, or split the schema",
            )
        plain = [a[0] for a in found if len(a) == 1]
        choices = [a for a in found if len(a) != 1]
        product: Alternatives = [[term for terms in plain for term in terms]]
        for alternatives in choices:
            product = [[*done, *alternative] for done in product for alternative in alternatives]
            if len(product) > MAX_ALTERNATIVES:
                raise UnsupportedSchemaError(
                    f"{len(choices)} dependent schemas multiply out to more than {MAX_ALTERNATIVES} alternatives",
                    hint="list keys that need one another under dependentRequired, or split the schema",
                )
        return product


_dependent("dependentRequired", "2019-09", "2020-12")
_dependent("dependentSchemas", "2019-09", "2020-12")
_dependent("dependencies", "4", "7")


def value_of(group: ObjectGroup, key: str) -> Literals:
    """Give what the value of a key must satisfy."""
    found = group._cache.get(key)
    if found is None:
        named = group._cache.get(_NAMED)
        if named is None:
            named = group._cache[_NAMED] = tuple(dict(rule.names) for rule in group.rules)
        literals: list[Literal] = []
        for rule, names in zip(group.rules, named, strict=True):  # type: ignore[arg-type]
            extra = names.get(key)
            matched = extra is not None
            literals += extra or ()
            for pattern, more in rule.patterns:
                if matching(pattern, key):
                    literals += more
                    matched = True
            if not matched:
                literals += rule.rest
        found = group._cache[key] = frozenset(literals)
    return found  # type: ignore[return-value]


_NAMED = ("names of rules",)

__all__ = [
    "ALWAYS",
    "FALSE",
    "NEVER",
    "Alternatives",
    "Terms",
    "absent",
    "exact",
    "handler_of",
    "is_read",
    "known",
    "may_have_type",
    "relevant",
    "span",
    "strings",
    "type_of",
    "types_of",
    "value_of",
    "whole",
]
