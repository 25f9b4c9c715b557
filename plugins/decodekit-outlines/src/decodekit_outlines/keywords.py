"""Reading JSON Schema: which keywords are honoured, and a schema as alternatives of one type each, without `$ref` and `allOf`.

A keyword that would not be honoured exactly is refused with its name and JSON pointer. Annotations and unknown words are
ignored, as the specification says.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from urllib.parse import unquote

from decodekit.errors import SchemaError, UnsupportedSchemaError

Schema: TypeAlias = Any

TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
MAX_ALTERNATIVES = 256
_REFUSED = {
    "not": "say what is allowed instead",
    "if": "use anyOf with one alternative per case",
    "then": "use anyOf with one alternative per case",
    "else": "use anyOf with one alternative per case",
    "dependencies": "use anyOf with one alternative per case",
    "dependentRequired": "use anyOf with one alternative per case",
    "dependentSchemas": "use anyOf with one alternative per case",
    "contains": "use prefixItems, or check the result",
    "minContains": "use prefixItems, or check the result",
    "maxContains": "use prefixItems, or check the result",
    "unevaluatedProperties": "use additionalProperties",
    "unevaluatedItems": "use items",
    "$dynamicRef": "use $ref",
    "$recursiveRef": "use $ref",
    "extends": "use allOf",
    "disallow": "say what is allowed instead",
    "divisibleBy": "use multipleOf",
}
_COUNT = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_NUMERIC = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_SHAPES: dict[str, Any] = {
    **dict.fromkeys(("properties", "patternProperties", "$defs", "definitions"), dict),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "enum", "required", "prefixItems"), list),
    **dict.fromkeys(("pattern", "format", "$ref"), str),
    **dict.fromkeys(("additionalProperties", "propertyNames"), (dict, bool)),
    "items": (dict, bool, list),
    "type": (str, list),
    "uniqueItems": bool,
}
_MEANS = {
    "object": ("properties", "required", "patternProperties", "additionalProperties", "propertyNames", "minProperties", "maxProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "additionalItems"),
    "string": ("minLength", "maxLength", "pattern", "format", "patterns", "formats"),
    "number": _NUMERIC,
}
_ITEMS = ("items", "prefixItems")
_DIALECT = re.compile(r"https?://json-schema\.org/(?:draft-0[3-7]/|draft/20(?:19-09|20-12)/)?(?:hyper-)?schema#?$")


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


class Reader:
    """Reads one document.

    Args:
        root: The whole schema.
    """

    def __init__(self, root: Schema) -> None:
        self.root = root
        dialect = root.get("$schema", "") if isinstance(root, dict) else ""
        if dialect and not (isinstance(dialect, str) and _DIALECT.match(dialect)):
            raise unsupported("$schema", "#", f"the dialect {dialect!r} is not known", "use a draft of json-schema.org")
        self.old = isinstance(dialect, str) and "2020-12" not in dialect and bool(dialect)

    def alternatives(self, schema: Schema, pointer: str, refs: frozenset[str] = frozenset()) -> list[Flat]:
        """Give the alternatives of a schema; none where nothing satisfies it.

        Raises:
            UnsupportedSchemaError: For a keyword that would not be honoured exactly.
            SchemaError: For what is no schema.
        """
        flats = [self._own(schema, pointer, refs)] if schema is not False else []
        if not isinstance(schema, dict):
            return flats
        if "$ref" in schema:
            target, place = self._resolve(schema["$ref"], pointer)
            if place in refs:
                raise unsupported("$ref", pointer, f"{schema['$ref']!r} is recursive", "unroll it to the depth that you need")
            flats = self._meet(flats, self.alternatives(target, place, refs | {place}))
        for i, part in enumerate(schema.get("allOf", ())):
            flats = self._meet(flats, self.alternatives(part, f"{pointer}/allOf/{i}", refs))
        for word in ("anyOf", "oneOf"):
            if word in schema:
                groups = [
                    self._meet(flats, self.alternatives(part, f"{pointer}/{word}/{i}", refs))
                    for i, part in enumerate(schema[word])
                ]
                if word == "oneOf":
                    self._check_disjoint(groups, pointer)
                flats = [flat for group in groups for flat in group]
                if len(flats) > MAX_ALTERNATIVES:
                    raise unsupported(word, pointer, f"it comes to more than {MAX_ALTERNATIVES} alternatives")
        return flats

    def _own(self, schema: Schema, pointer: str, refs: frozenset[str]) -> Flat:
        if schema is True:
            return Flat(pointer, refs=refs)
        if not isinstance(schema, dict):
            raise SchemaError(f"{schema!r:.80} at {pointer} is not a schema", hint="a schema is an object, true or false")
        self._check(schema, pointer)
        words = {k: v for k, v in schema.items() if k in _SHAPES or k in _COUNT or k in _NUMERIC}
        for word in ("$defs", "definitions", "$ref", "allOf", "anyOf", "oneOf", "type", "enum"):
            words.pop(word, None)
        for word, many in (("pattern", "patterns"), ("format", "formats")):
            if word in words:
                words[many] = (words.pop(word),)
        for word, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if isinstance(words.get(word), bool):  # draft 4
                if words.pop(word) and limit in words:
                    words[word] = words.pop(limit)
        if isinstance(words.get("items"), list):
            words["prefixItems"] = words.pop("items")
            words["items"] = schema.get("additionalItems", True)
        for word in ("uniqueItems",):
            if words.get(word) is False:
                del words[word]
        values: tuple[Any, ...] | None = tuple(schema["enum"]) if "enum" in schema else None
        if "const" in schema:
            values = (schema["const"],) if values is None or any(same(v, schema["const"]) for v in values) else ()
        types = schema.get("type")
        if types is None and values is None:
            types = [name for name, marks in _MEANS.items() if any(mark in words for mark in marks)] or None
        allowed = None if types is None else frozenset([types] if isinstance(types, str) else types)
        return Flat(pointer, allowed, values, words, refs)

    def _check(self, schema: dict[str, Any], pointer: str) -> None:
        for word, value in schema.items():
            if word in _REFUSED and not (word in ("dependencies", "dependentRequired", "dependentSchemas") and value == {}):
                raise unsupported(word, pointer, hint=_REFUSED[word])
            shape = _SHAPES.get(word)
            if word in _COUNT:
                right = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and int(value) == value
            elif word in _NUMERIC:
                right = isinstance(value, int | float) and (not isinstance(value, bool) or (self.old and "exclusive" in word))
            else:
                right = shape is None or isinstance(value, shape)
            if word == "multipleOf":
                right = right and value > 0
            if word == "required":
                right = right and all(isinstance(name, str) for name in value)
            if word == "type" and right:
                wrong = [t for t in ([value] if isinstance(value, str) else value) if t not in TYPES]
                right = not wrong
            if word == "items" and isinstance(value, list) and not self.old:
                raise SchemaError(f"'items' at {pointer} is a list", hint="since draft 2020-12 that is called prefixItems")
            if word == "prefixItems" and self.old:
                raise unsupported(word, pointer, "it came with draft 2020-12, and $schema names an older one")
            if not right:
                raise SchemaError(f"{value!r:.80} is no value for {word!r} at {pointer}")
        if pointer != "#" and isinstance(schema.get("$id", schema.get("id") if self.old else None), str):
            raise unsupported("$id", pointer, "a part with a base URI of its own", "take it out and use $ref into $defs")

    def _resolve(self, ref: str, pointer: str) -> tuple[Schema, str]:
        if ref != "#" and not ref.startswith("#/"):
            raise unsupported("$ref", pointer, f"{ref!r} is not in this document", "copy it to $defs and use '#/$defs/…'")
        found: Any = self.root
        for part in ref.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(key)] if isinstance(found, list) else found[key]
            except (KeyError, IndexError, ValueError, TypeError):
                raise SchemaError(f"'$ref' at {pointer} points to {ref!r}, which is not there") from None
            if isinstance(found, dict) and isinstance(found.get("$id"), str):
                raise unsupported("$id", ref, "a part with a base URI of its own", "take it out")
        return found, ref

    def _meet(self, left: list[Flat], right: list[Flat]) -> list[Flat]:
        if len(left) * len(right) > MAX_ALTERNATIVES:
            raise unsupported("anyOf", right[0].pointer, f"it comes to more than {MAX_ALTERNATIVES} alternatives")
        return [_both(one, two) for one in left for two in right]

    def _check_disjoint(self, groups: list[list[Flat]], pointer: str) -> None:
        for i, group in enumerate(groups):
            for j, other in enumerate(groups):
                if i != j and not all(self.apart(one, two) for one in group for two in other):
                    raise unsupported(
                        "oneOf",
                        pointer,
                        f"alternatives {min(i, j)} and {max(i, j)} may both hold",
                        "use anyOf, or a required property whose const tells the alternatives apart",
                    )

    def apart(self, one: Flat, two: Flat) -> bool:
        """Say whether surely no text made for `one` satisfies `two`."""
        if one.values is not None:
            return not any(admits(one, v) and _may_admit(two, v) for v in one.values)
        ours, theirs = _wide(one.types), _wide(two.types)
        if not ours & theirs:
            return True
        if two.values is not None:
            return not any(_type_of(v) & ours for v in two.values)
        if ours == {"object"} or theirs == {"object"} or ours & theirs == {"object"}:
            return self._objects_apart(one, two)
        if ours & theirs <= {"integer", "number"}:
            return _lowest(one) > _highest(two) or _lowest(two) > _highest(one)
        return False

    def _objects_apart(self, one: Flat, two: Flat) -> bool:
        mine, theirs = one.words.get("properties", {}), two.words.get("properties", {})
        closed = is_closed(one)
        for name in two.words.get("required", ()):
            if closed and name not in mine and name not in one.words.get("required", ()):
                return True
        for name in one.words.get("required", ()):
            if name not in theirs and two.words.get("additionalProperties") is False and not two.words.get("patternProperties"):
                return True
        told = {*one.words.get("required", ()), *two.words.get("required", ())} & set(mine) & set(theirs)
        for name in told:
            try:
                left = self.alternatives(mine[name], f"{one.pointer}/properties/{escape(name)}", one.refs)
                right = self.alternatives(theirs[name], f"{two.pointer}/properties/{escape(name)}", two.refs)
            except UnsupportedSchemaError:
                continue
            if all(self.apart(a, b) for a in left for b in right):
                return True
        return False


def is_closed(flat: Flat) -> bool:
    """Say whether only declared properties are written."""
    extra = flat.words.get("additionalProperties")
    declared = flat.words.get("properties") or flat.words.get("required")
    return not flat.words.get("patternProperties") and (extra is False or (bool(declared) and not isinstance(extra, dict)))


def _both(one: Flat, two: Flat) -> Flat:
    types = one.types if two.types is None else two.types if one.types is None else _common(one.types, two.types)
    values = one.values if two.values is None else two.values
    if one.values is not None and two.values is not None:
        values = tuple(v for v in one.values if any(same(v, w) for w in two.values))
    words = dict(one.words)
    for word, value in two.words.items():
        words[word] = value if word not in words else _joined(word, words[word], value, two.pointer)
    if any("prefixItems" in flat.words for flat in (one, two)) and any(w in one.words for w in _ITEMS) and any(
        w in two.words for w in _ITEMS
    ):
        words.update(_items(one.words, two.words))
    for word in ("properties", "additionalProperties", "patternProperties"):
        if one.words.get(word, True) is not True or two.words.get(word, True) is not True:
            words.update(_properties(one, two))
            break
    return Flat(two.pointer if not one.words and one.types is None else one.pointer, types, values, words, one.refs | two.refs)


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
        raise unsupported("patternProperties", two.pointer, "next to allOf, anyOf, oneOf or $ref", "write them as one schema")
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
        _all([(w.get("prefixItems", [])[i : i + 1] or [w.get("items", True)])[0] for w in (one, two)]) for i in range(size)
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
    if "number" in one | two and "integer" in one | two:
        found |= {"integer"} - ({"integer"} if "number" in found else set())
    return found


def _wide(types: frozenset[str] | None) -> frozenset[str]:
    types = frozenset(TYPES) if types is None else types
    return types | {"integer"} if "number" in types else types


def _type_of(value: Any) -> frozenset[str]:
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
    if flat.types is not None and not flat.types & _type_of(value):
        return False
    words = flat.words
    if isinstance(value, str):
        if "patterns" in words or "formats" in words:
            raise unsupported("enum", flat.pointer, "next to pattern or format", "leave the values out that do not match")
        return words.get("minLength", 0) <= len(value) <= words.get("maxLength", len(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        if "multipleOf" in words:
            raise unsupported("enum", flat.pointer, "next to multipleOf", "leave the values out that do not fit")
        low = value > words["exclusiveMinimum"] if "exclusiveMinimum" in words else True
        high = value < words["exclusiveMaximum"] if "exclusiveMaximum" in words else True
        return low and high and words.get("minimum", value) <= value <= words.get("maximum", value)
    marks = _MEANS["object" if isinstance(value, dict) else "array"] if isinstance(value, dict | list) else ()
    found = next((mark for mark in marks if mark in words), None)
    if found:
        raise unsupported(found, flat.pointer, "next to enum or const", "leave the values out that do not fit")
    return True


def _may_admit(flat: Flat, value: Any) -> bool:
    if flat.values is not None and not any(same(value, v) for v in flat.values):
        return False
    try:
        return admits(flat, value)
    except UnsupportedSchemaError:
        return True


def _lowest(flat: Flat) -> float:
    return max((flat.words[w] for w in ("minimum", "exclusiveMinimum") if w in flat.words), default=float("-inf"))


def _highest(flat: Flat) -> float:
    return min((flat.words[w] for w in ("maximum", "exclusiveMaximum") if w in flat.words), default=float("inf"))


__all__ = ["TYPES", "Flat", "Reader", "Schema", "admits", "escape", "is_closed", "replace", "same", "unsupported"]
