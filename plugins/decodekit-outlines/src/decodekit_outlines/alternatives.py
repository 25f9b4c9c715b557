"""One alternative of a schema, what satisfies two of them at once, and whether two are disjoint."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from decodekit.errors import UnsupportedSchemaError

Schema: TypeAlias = Any

TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
NUMERIC = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
MEANS = {
    "object": (
        "properties",
        "required",
        "patternProperties",
        "additionalProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
    ),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "additionalItems"),
    "string": ("minLength", "maxLength", "pattern", "format", "patterns", "formats"),
    "number": NUMERIC,
}
_ITEMS = ("items", "prefixItems")


@dataclass(frozen=True, slots=True)
class Flat:
    """One alternative of a schema: everything that must hold, for one type or a list of values.

    Attributes:
        pointer: Where it stands.
        types: Types that it allows, None where it says nothing.
        values: Values of `enum` and `const`, None where it has none.
        words: The other keywords; "patterns" and "formats" are lists.
        refs: `$ref`s on the way here, to see recursion.
    """

    pointer: str
    types: frozenset[str] | None = None
    values: tuple[Any, ...] | None = None
    words: dict[str, Any] = field(default_factory=dict)
    refs: frozenset[str] = frozenset()


def unsupported(keyword: str, pointer: str, why: str = "", hint: str | None = None) -> UnsupportedSchemaError:
    """Make the error for a keyword that would not be honoured exactly."""
    what = f"{keyword!r} at {pointer} is not supported" + (f": {why}" if why else "")
    return UnsupportedSchemaError(what, hint=hint)


def escape(key: str) -> str:
    """Write a key as part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def is_closed(flat: Flat) -> bool:
    """Say whether only declared properties are written."""
    extra = flat.words.get("additionalProperties")
    declared = flat.words.get("properties") or flat.words.get("required")
    return not flat.words.get("patternProperties") and (
        extra is False or (bool(declared) and not isinstance(extra, dict))
    )


def meet(one: Flat, two: Flat) -> Flat:
    """Give what must hold for both."""
    types = one.types if two.types is None else two.types if one.types is None else _common(one.types, two.types)
    values = one.values if two.values is None else two.values
    if one.values is not None and two.values is not None:
        values = tuple(v for v in one.values if any(same(v, w) for w in two.values))
    words = dict(one.words)
    for word, value in two.words.items():
        words[word] = value if word not in words else _joined(word, words[word], value, two.pointer)
    if (
        any("prefixItems" in flat.words for flat in (one, two))
        and any(w in one.words for w in _ITEMS)
        and any(w in two.words for w in _ITEMS)
    ):
        words.update(_items(one.words, two.words))
    for word in ("properties", "additionalProperties", "patternProperties"):
        if one.words.get(word, True) is not True or two.words.get(word, True) is not True:
            words.update(_properties(one, two))
            break
    return Flat(
        two.pointer if not one.words and one.types is None else one.pointer, types, values, words, one.refs | two.refs
    )


def _joined(word: str, one: Any, two: Any, pointer: str) -> Any:
    if one == two and type(one) is type(two):
        return one
    if word in ("patterns", "formats", "required"):
        return [*one, *(v for v in two if v not in one)]
    if word in ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"):
        return max(one, two)
    if word in ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"):
        return min(one, two)
    if word == "items":
        return _all([one, two])
    if word in ("prefixItems", "properties", "additionalProperties", "patternProperties"):
        return one
    raise unsupported(word, pointer, "two schemas that must both hold disagree about it", "write them as one")


def _properties(one: Flat, two: Flat) -> dict[str, Any]:
    left, right = one.words, two.words
    if left.get("patternProperties") or right.get("patternProperties"):
        raise unsupported(
            "patternProperties", two.pointer, "next to allOf, anyOf, oneOf or $ref", "write them as one schema"
        )
    names = dict.fromkeys([*left.get("properties", {}), *right.get("properties", {})])
    merged: dict[str, Any] = {}
    for name in names:
        parts = [w.get("properties", {}).get(name, w.get("additionalProperties", True)) for w in (left, right)]
        merged[name] = _all(parts)
    rest = [w["additionalProperties"] for w in (left, right) if "additionalProperties" in w]
    found: dict[str, Any] = {"properties": merged} if names else {}
    return found | ({"additionalProperties": _all(rest)} if rest else {})


def _items(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    size = max(len(w.get("prefixItems", ())) for w in (one, two))
    prefix = [
        _all([(w.get("prefixItems", [])[i : i + 1] or [w.get("items", True)])[0] for w in (one, two)])
        for i in range(size)
    ]
    rest = [w["items"] for w in (one, two) if "items" in w]
    return {"prefixItems": prefix} | ({"items": _all(rest)} if rest else {})


def _all(parts: list[Any]) -> Any:
    if any(part is False for part in parts):
        return False
    parts = [part for part in parts if part is not True]
    return True if not parts else parts[0] if len(parts) == 1 or parts[0] == parts[1] else {"allOf": parts}


def _common(one: frozenset[str], two: frozenset[str]) -> frozenset[str]:
    found = one & two
    return found | {"integer"} if "number" in one ^ two and "integer" in one ^ two and "number" not in found else found


def wide(types: frozenset[str] | None) -> frozenset[str]:
    """Give types with every integer counted as a number's, all where none are named."""
    types = frozenset(TYPES) if types is None else types
    return types | {"integer"} if "number" in types else types


def type_of(value: Any) -> frozenset[str]:
    """Give the types that a value has."""
    match value:
        case bool():
            return frozenset({"boolean"})
        case None:
            return frozenset({"null"})
        case int():
            return frozenset({"integer", "number"})
        case float():
            return frozenset({"integer", "number"} if value.is_integer() else {"number"})
        case str():
            return frozenset({"string"})
        case list():
            return frozenset({"array"})
        case _:
            return frozenset({"object"})


def same(one: Any, two: Any) -> bool:
    """Say whether two JSON values are equal: 1 is 1.0, but not true."""
    return _canonical(one) == _canonical(two)


def _canonical(value: Any) -> str:
    def plain(v: Any) -> Any:
        if isinstance(v, float) and v.is_integer():
            return int(v)
        if isinstance(v, list):
            return [plain(x) for x in v]
        return {k: plain(x) for k, x in v.items()} if isinstance(v, dict) else v

    return json.dumps(plain(value), sort_keys=True)


def admits(flat: Flat, value: Any) -> bool:
    """Say whether a value of `enum` satisfies the keywords beside it.

    Raises:
        UnsupportedSchemaError: Where keywords beside it would have to be checked that are not.
    """
    if flat.types is not None and not flat.types & type_of(value):
        return False
    words = flat.words
    if isinstance(value, str):
        if "patterns" in words or "formats" in words:
            raise unsupported(
                "enum", flat.pointer, "next to pattern or format", "leave the values out that do not match"
            )
        return words.get("minLength", 0) <= len(value) <= words.get("maxLength", len(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        if "multipleOf" in words:
            raise unsupported("enum", flat.pointer, "next to multipleOf", "leave the values out that do not fit")
        low = value > words["exclusiveMinimum"] if "exclusiveMinimum" in words else True
        high = value < words["exclusiveMaximum"] if "exclusiveMaximum" in words else True
        return low and high and words.get("minimum", value) <= value <= words.get("maximum", value)
    marks = MEANS["object" if isinstance(value, dict) else "array"] if isinstance(value, dict | list) else ()
    found = next((mark for mark in marks if mark in words), None)
    if found:
        raise unsupported(found, flat.pointer, "next to enum or const", "leave the values out that do not fit")
    return True


def may_admit(flat: Flat, value: Any) -> bool:
    """Say whether a value may satisfy an alternative; yes in doubt."""
    if flat.values is not None and not any(same(value, v) for v in flat.values):
        return False
    try:
        return admits(flat, value)
    except UnsupportedSchemaError:
        return True


def lowest(flat: Flat) -> float:
    """Give the lower bound of numbers."""
    return max((flat.words[w] for w in ("minimum", "exclusiveMinimum") if w in flat.words), default=float("-inf"))


def highest(flat: Flat) -> float:
    """Give the upper bound of numbers."""
    return min((flat.words[w] for w in ("maximum", "exclusiveMaximum") if w in flat.words), default=float("inf"))


__all__ = [
    "MEANS",
    "NUMERIC",
    "TYPES",
    "Flat",
    "Schema",
    "admits",
    "escape",
    "highest",
    "is_closed",
    "lowest",
    "may_admit",
    "meet",
    "same",
    "type_of",
    "unsupported",
    "wide",
]
