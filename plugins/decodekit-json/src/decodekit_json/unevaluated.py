"""`unevaluatedProperties` and `unevaluatedItems`: what holds decides which keys and items are left over.

Alternatives of `anyOf`, `oneOf` and `if` are told apart by what holds of them, each with the keys and items that it
evaluates; the rest is then an ordinary rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import keywords
from decodekit_json.groups import ArrayGroup, Contains, Items, KeySet, ObjectGroup, Rule, Some
from decodekit_json.located import Schema

if TYPE_CHECKING:
    from decodekit_json.keywords import Alternatives
    from decodekit_json.lowering import Lowering

_KEYWORDS = {"object": "unevaluatedProperties", "array": "unevaluatedItems"}
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
COLLECTED = frozenset(
    {"allOf", "anyOf", "oneOf", "if", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems", *_REFERENCES}
)
_MAX_CASES = 256
_MAX_ALTERNATIVES = {"anyOf": 8, "oneOf": 64}
"""Most alternatives of a keyword: several of `anyOf` may hold, one of `oneOf`."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Keys and items that a schema has looked at.

    Attributes:
        everything: Whether all of them.
        names: Keys.
        patterns: Patterns of keys.
        items: How many first items.
        contains: Items that satisfy one of these schemas.
    """

    everything: bool = False
    names: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    items: int = 0
    contains: frozenset[Schema] = frozenset()

    def __or__(self, other: Evaluated) -> Evaluated:
        return Evaluated(
            self.everything or other.everything,
            self.names | other.names,
            self.patterns | other.patterns,
            max(self.items, other.items),
            self.contains | other.contains,
        )


Case: TypeAlias = "tuple[tuple[Any, ...], Evaluated]"
"""What holds, and what it evaluates."""
_PLAIN: Case = ((), Evaluated())


def keyword_of(schema: Schema, kind: str) -> str:
    """Give the keyword by which a schema speaks of what is left over in a type, "" where it does not."""
    name = _KEYWORDS.get(kind, "")
    return name if name in schema.contents and not schema.older("7") else ""


def handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    """Give the alternatives of a schema's in-place applicators together with what is left over."""
    name = keyword_of(schema, kind)
    rest = lowering.documents.child(schema, schema.contents[name], name)
    found: Alternatives = []
    if not sign:
        for other in schema.contents:
            if other in COLLECTED and other not in _KEYWORDS.values():
                found += keywords.handler_of(other)(lowering, schema, False, kind)
    for terms, evaluated in _cases(lowering, schema, kind, ()):
        if evaluated.everything:
            found += [list(terms)] if sign else []
        elif kind == "object":
            found.append([*terms, _left_over_keys(evaluated, rest, sign)])
        else:
            found.append([*terms, _left_over_items(lowering, evaluated, rest, sign)])
    return found


def _left_over_keys(evaluated: Evaluated, rest: Schema, sign: bool) -> ObjectGroup:
    names, patterns = tuple(sorted(evaluated.names)), tuple(sorted(evaluated.patterns))
    if sign:
        return ObjectGroup((Rule(tuple((k, ()) for k in names), tuple((p, ()) for p in patterns), ((rest, True),)),))
    return ObjectGroup(some=(Some(KeySet(outside=patterns, names=evaluated.names), frozenset([(rest, False)])),))


def _left_over_items(lowering: Lowering, evaluated: Evaluated, rest: Schema, sign: bool) -> ArrayGroup:
    if sign:
        either = lowering.documents.either([rest, *evaluated.contains]) if evaluated.contains else rest
        return ArrayGroup((Items(((),) * evaluated.items, ((either, True),)),))
    neither = frozenset((schema, False) for schema in (rest, *evaluated.contains))
    return ArrayGroup(contains=(Contains(neither, 1, None, evaluated.items),))


def _own(lowering: Lowering, schema: Schema, kind: str, top: bool) -> Evaluated:
    contents = schema.contents
    if kind == "object":
        everything = "additionalProperties" in contents or (not top and "unevaluatedProperties" in contents)
        names = frozenset(contents.get("properties", ()))
        return Evaluated(everything, names, frozenset(contents.get("patternProperties", ())))
    items = contents.get("items")
    everything = (items is not None and not isinstance(items, list)) or (not top and "unevaluatedItems" in contents)
    if isinstance(items, list):
        everything, first = everything or "additionalItems" in contents, len(items)
    else:
        first = len(contents.get("prefixItems", ()))
    counts = "contains" in contents and schema.draft != "2019-09"
    contains = [lowering.documents.child(schema, contents["contains"], "contains")] if counts else []
    return Evaluated(everything, items=first, contains=frozenset(contains))


def _cases(lowering: Lowering, schema: Schema, kind: str, above: tuple[Schema, ...]) -> list[Case]:
    if isinstance(schema.contents, bool) or schema in above:
        return [_PLAIN]
    path = (*above, schema)
    factors: list[list[Case]] = [[((), _own(lowering, schema, kind, not above))]]
    contents = schema.contents
    for name in contents:
        if name in _REFERENCES:
            factors.append(_holding(lowering, lowering.documents.target(schema, name), kind, path))
        elif name in ("allOf", "anyOf", "oneOf"):
            subschemas = [lowering.documents.child(schema, s, name, i) for i, s in enumerate(contents[name])]
            factors += _combined(lowering, name, subschemas, kind, path)
        elif name == "if":
            factors.append(_conditional(lowering, schema, kind, path))
        elif name == "dependentSchemas" and kind == "object":
            for key, s in contents[name].items():
                found = _holding(lowering, lowering.documents.child(schema, s, name, key), kind, path)
                present = [((ObjectGroup(required=(key,)), *terms), evaluated) for terms, evaluated in found]
                factors.append([((keywords.absent(key),), Evaluated()), *present])
    return _multiplied(schema, factors)


def _multiplied(schema: Schema, factors: Iterable[list[Case]]) -> list[Case]:
    found: list[Case] = [_PLAIN]
    for factor in factors:
        if len(found) * len(factor) > _MAX_CASES:
            raise UnsupportedSchemaError(
                f"the alternatives beside it make more than {_MAX_CASES} cases",
                pointer=schema.pointer,
                hint="list the properties in one place and use additionalProperties",
            )
        found = [((*a, *b), one | two) for (a, one), (b, two) in product(found, factor)]
    return found


def _holding(lowering: Lowering, schema: Schema, kind: str, above: tuple[Schema, ...]) -> list[Case]:
    return [(((schema, True), *terms), evaluated) for terms, evaluated in _cases(lowering, schema, kind, above)]


def _combined(
    lowering: Lowering, name: str, subschemas: list[Schema], kind: str, above: tuple[Schema, ...]
) -> list[list[Case]]:
    holding = [_holding(lowering, s, kind, above) for s in subschemas]
    if name == "allOf":
        return holding
    failing: list[Case] = [(((s, False),), Evaluated()) for s in subschemas]
    found: list[Case] = []
    number = len(subschemas)
    if number > _MAX_ALTERNATIVES[name]:
        raise UnsupportedSchemaError(
            f"{number} alternatives of {name} beside it make too many cases",
            pointer=above[0].pointer,
            hint=f"write at most {_MAX_ALTERNATIVES[name]} alternatives, or say in each of them what else may come",
        )
    several = product((True, False), repeat=number) if name == "anyOf" else ()
    one = (tuple(i == j for j in range(number)) for i in range(number)) if name == "oneOf" else ()
    for which in (*several, *one):
        if not any(which):
            continue
        chosen = [holding[i] if holds else [failing[i]] for i, holds in enumerate(which)]
        found += _multiplied(above[-1], chosen)
    return [found]


def _conditional(lowering: Lowering, schema: Schema, kind: str, above: tuple[Schema, ...]) -> list[Case]:
    condition = lowering.documents.child(schema, schema.contents["if"], "if")
    found: list[Case] = []
    for holds, name in ((True, "then"), (False, "else")):
        tested = _holding(lowering, condition, kind, above) if holds else [(((condition, False),), Evaluated())]
        branch = [_PLAIN]
        if name in schema.contents:
            branch = _holding(lowering, lowering.documents.child(schema, schema.contents[name], name), kind, above)
        found += _multiplied(schema, [tested, branch])
    return found


__all__ = ["COLLECTED", "Evaluated", "handler", "keyword_of"]
