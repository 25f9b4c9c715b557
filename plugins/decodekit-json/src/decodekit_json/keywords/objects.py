"""Members of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import patterns
from decodekit_json.groups import KeySet, Literal, Literals, ObjectGroup, Rule, Some
from decodekit_json.keywords.reading import mapping, strings, subschema
from decodekit_json.keywords.table import ALWAYS, FALSE, MAX_DEPENDENT, NEVER, Alternatives, keyword
from decodekit_json.located import Schema
from decodekit_json.texts import found as matching

if TYPE_CHECKING:
    from decodekit_json.lowering import Lowering


def absent(key: str) -> ObjectGroup:
    """Give the objects without a key."""
    return ObjectGroup((Rule(((key, ((FALSE, True),)),)),))


def forbidden(group: ObjectGroup) -> list[str]:
    """Give the named keys that a group's objects do not have: those whose value would have to satisfy `False`."""
    return [
        name
        for rule in group.rules
        for name, literals in rule.names
        if any(s.contents is not sign for s, sign in literals if isinstance(s.contents, bool))
    ]


def _rule_of(
    lowering: Lowering, schema: Schema
) -> tuple[list[tuple[str, Schema]], list[tuple[str, Schema]], Schema | None]:
    """Give the schemas of an object's values: by name, by pattern, of the rest."""
    child, contents = lowering.documents.child, schema.contents
    names = [(k, child(schema, s, "properties", k)) for k, s in mapping(schema, "properties").items()]
    by_pattern = [
        (p, child(schema, s, "patternProperties", p)) for p, s in mapping(schema, "patternProperties").items()
    ]
    for pattern, _ in by_pattern:
        try:
            patterns.search(pattern)
        except UnsupportedSchemaError as error:
            raise error.at("patternProperties", schema.pointer) from None
    rest = subschema(lowering, schema, "additionalProperties") if "additionalProperties" in contents else None
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


@keyword("required", "object")
def _required(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    names = strings(schema, "required", schema.contents["required"])
    return [[ObjectGroup(required=names)]] if sign else [[absent(name)] for name in names]


@keyword("propertyNames", "object", since="6")
def _property_names(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    names = subschema(lowering, schema, "propertyNames")
    if sign:
        return [[ObjectGroup(keys=frozenset([(names, True)]))]]
    return [[ObjectGroup(some=(Some(KeySet(literals=frozenset([(names, False)])), frozenset()),))]]


def _needs(lowering: Lowering, schema: Schema, name: str, key: str, value: Any, sign: bool) -> Alternatives:
    if isinstance(value, list):
        needed = strings(schema, name, value)
        if sign:
            return [[ObjectGroup(dependent=((key, frozenset(needed)),))]]
        return [[ObjectGroup(required=(key,)), absent(other)] for other in needed]
    literal = lowering.documents.child(schema, value, name, key)
    present = ObjectGroup(required=(key,))
    return [[absent(key)], [present, (literal, True)]] if sign else [[present, (literal, False)]]


def _dependent(name: str, since: str, until: str) -> None:
    @keyword(name, "object", since, until)
    def handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
        found = [_needs(lowering, schema, name, key, value, sign) for key, value in mapping(schema, name).items()]
        if not sign:
            return [alternative for alternatives in found for alternative in alternatives]
        if len(found) > MAX_DEPENDENT:
            raise UnsupportedSchemaError(
                f"more than {MAX_DEPENDENT} keys on which others depend",
                hint="list keys in required, or split the schema",
            )
        plain = [term for alternatives in found if len(alternatives) == 1 for term in alternatives[0]]
        return [[*plain, *(alternatives for alternatives in found if len(alternatives) != 1)]]


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
