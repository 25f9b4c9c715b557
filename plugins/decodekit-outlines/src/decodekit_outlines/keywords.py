"""Reading JSON Schema: which keywords are honoured, and a schema as alternatives without `$ref` and `allOf`.

A keyword that would not be honoured exactly is refused with its name and JSON pointer. Annotations and unknown words
are ignored, as the specification says.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from decodekit.errors import SchemaError, UnsupportedSchemaError
from decodekit_outlines.alternatives import (
    MEANS,
    NUMERIC,
    TYPES,
    Flat,
    Schema,
    admits,
    escape,
    highest,
    is_closed,
    lowest,
    may_admit,
    meet,
    same,
    type_of,
    unsupported,
    wide,
)

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
_SHAPES: dict[str, Any] = {
    **dict.fromkeys(("properties", "patternProperties", "$defs", "definitions"), dict),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "enum", "required", "prefixItems"), list),
    **dict.fromkeys(("pattern", "format", "$ref"), str),
    **dict.fromkeys(("additionalProperties", "propertyNames"), (dict, bool)),
    "items": (dict, bool, list),
    "type": (str, list),
    "uniqueItems": bool,
}
_BY_LOWER_CASE = {word.lower(): word for word in [*_REFUSED, *_COUNT, *_SHAPES] if word.lower() != word}
"""A keyword in the wrong case would be an annotation by the letter of the specification, and is a slip in practice."""
_DIALECT = re.compile(r"https?://json-schema\.org/(?:draft-0[3-7]/|draft/20(?:19-09|20-12)/)?(?:hyper-)?schema#?$")


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
        self.has_refs = _mentions(root, "$ref")
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
                raise unsupported(
                    "$ref", pointer, f"{schema['$ref']!r} is recursive", "unroll it to the depth that you need"
                )
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
            raise SchemaError(
                f"{schema!r:.80} at {pointer} is not a schema", hint="a schema is an object, true or false"
            )
        self._check(schema, pointer)
        words = {k: v for k, v in schema.items() if k in _SHAPES or k in _COUNT or k in NUMERIC}
        for word in ("$defs", "definitions", "$ref", "allOf", "anyOf", "oneOf", "type", "enum"):
            words.pop(word, None)
        for word, many in (("pattern", "patterns"), ("format", "formats")):
            if word in words:
                words[many] = (words.pop(word),)
        for word, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if isinstance(words.get(word), bool) and words.pop(word) and limit in words:  # draft 4
                words[word] = words.pop(limit)
        if isinstance(words.get("items"), list):
            words["prefixItems"] = words.pop("items")
            words["items"] = schema.get("additionalItems", True)
        if words.get("uniqueItems") is False:
            del words["uniqueItems"]
        values: tuple[Any, ...] | None = tuple(schema["enum"]) if "enum" in schema else None
        if "const" in schema:
            values = (schema["const"],) if values is None or any(same(v, schema["const"]) for v in values) else ()
        types = schema.get("type")
        if types is None and values is None:
            types = [name for name, marks in MEANS.items() if any(mark in words for mark in marks)] or None
        allowed = None if types is None else frozenset([types] if isinstance(types, str) else types)
        return Flat(pointer, allowed, values, words, refs)

    def _check(self, schema: dict[str, Any], pointer: str) -> None:
        for word, value in schema.items():
            meant = _BY_LOWER_CASE.get(word.lower(), word)
            if meant != word:
                raise unsupported(word, pointer, "keywords are case-sensitive", f"did you mean {meant!r}?")
            if word in _REFUSED and not (
                word in ("dependencies", "dependentRequired", "dependentSchemas") and value == {}
            ):
                raise unsupported(word, pointer, hint=_REFUSED[word])
            shape = _SHAPES.get(word)
            if word in _COUNT:
                right = (
                    isinstance(value, int | float)
                    and not isinstance(value, bool)
                    and value >= 0
                    and int(value) == value
                )
            elif word in NUMERIC:
                right = isinstance(value, int | float) and (
                    not isinstance(value, bool) or (self.old and "exclusive" in word)
                )
            else:
                right = shape is None or isinstance(value, shape)
            if word == "multipleOf":
                right = right and value > 0
            if word == "required":
                right = isinstance(value, list) and all(isinstance(name, str) for name in value)
            if word == "type" and right:
                named: list[Any] = value if isinstance(value, list) else [value]
                right = all(isinstance(name, str) and name in TYPES for name in named)
            if word == "items" and isinstance(value, list) and not self.old:
                raise SchemaError(
                    f"'items' at {pointer} is a list", hint="since draft 2020-12 that is called prefixItems"
                )
            if word == "prefixItems" and self.old:
                raise unsupported(word, pointer, "it came with draft 2020-12, and $schema names an older one")
            if not right:
                raise SchemaError(f"{value!r:.80} is no value for {word!r} at {pointer}")
        nested = pointer != "#" and isinstance(schema.get("$id", schema.get("id") if self.old else None), str)
        if nested and self.has_refs:
            raise unsupported(
                "$id", pointer, "a part with a base URI of its own", "take it out and use $ref into $defs"
            )

    def _resolve(self, ref: str, pointer: str) -> tuple[Schema, str]:
        if ref != "#" and not ref.startswith("#/"):
            raise unsupported(
                "$ref", pointer, f"{ref!r} is not in this document", "copy it to $defs and use '#/$defs/…'"
            )
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
        return [meet(one, two) for one in left for two in right]

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
            return not any(admits(one, v) and may_admit(two, v) for v in one.values)
        ours, theirs = wide(one.types), wide(two.types)
        if not ours & theirs:
            return True
        if two.values is not None:
            return not any(type_of(v) & ours for v in two.values)
        if ours == {"object"} or theirs == {"object"} or ours & theirs == {"object"}:
            return self._objects_apart(one, two)
        if ours & theirs <= {"integer", "number"}:
            return lowest(one) > highest(two) or lowest(two) > highest(one)
        return False

    def _objects_apart(self, one: Flat, two: Flat) -> bool:
        mine, theirs = one.words.get("properties", {}), two.words.get("properties", {})
        closed = is_closed(one)
        for name in two.words.get("required", ()):
            if closed and name not in mine and name not in one.words.get("required", ()):
                return True
        for name in one.words.get("required", ()):
            if (
                name not in theirs
                and two.words.get("additionalProperties") is False
                and not two.words.get("patternProperties")
            ):
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


def _mentions(schema: Schema, word: str) -> bool:
    if isinstance(schema, dict):
        return word in schema or any(_mentions(value, word) for value in schema.values())
    return isinstance(schema, list) and any(_mentions(value, word) for value in schema)


__all__ = ["Reader"]
