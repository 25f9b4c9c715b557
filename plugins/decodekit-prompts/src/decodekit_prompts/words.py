"""A JSON Schema in words that a model can follow. *Not* a check of the schema: what has no words is shown as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_NAMES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "object": "an object",
    "array": "a list",
}
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "greater than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "matching {}",
    "format": "in the format {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}
_SILENT = {"title", "$defs", "definitions", "$schema", "$id", "default", "examples", "description", "properties"}
"""Words of a schema that say nothing about a value by themselves, or that have a place of their own."""
_NOTHING = (("required", []), ("additionalProperties", False))
"""Words that say nothing beside the list of properties."""


def describe(schema: Any) -> str:
    """Give what a value that satisfies the schema looks like, properties on lines of their own."""
    return "".join(_Words(schema).of(schema, "", ()))


class _Words:
    """Words for the parts of one schema, whose `$ref`s it can follow.

    A part is a head, to stand after `name: `, and lines that follow it.
    """

    def __init__(self, root: Any) -> None:
        self.root = root

    def of(self, schema: Any, indent: str, seen: tuple[str, ...]) -> tuple[str, str]:
        """Describe one schema."""
        if not isinstance(schema, Mapping):
            return "anything" if schema is True else "nothing", ""
        properties = schema.get("properties") or {}
        rest = {key: value for key, value in schema.items() if key not in _SILENT}
        rest["required"] = [name for name in rest.get("required", ()) if name not in properties]
        head, lines = self._kind(rest, properties, indent, seen)
        bounds = [text.format(rest.pop(key)) for key, text in _BOUNDS.items() if key in rest]
        rest = {key: value for key, value in rest.items() if (key, value) not in _NOTHING}
        head = ", ".join([head, *bounds, *([f"and {_json(rest)}"] if rest else [])])
        if schema.get("description"):
            head += f" ({schema['description']})"
        return head, self._properties(properties, schema.get("required", ()), indent, seen) + lines

    def _kind(self, rest: dict[str, Any], properties: Any, indent: str, seen: tuple[str, ...]) -> tuple[str, str]:
        """Say what kind of value it is, taking the words that say so out of `rest`."""
        for word in ("const", "enum"):
            if word in rest:
                rest.pop("type", None)
                values = rest.pop(word)
                return " or ".join(_json(value) for value in ([values] if word == "const" else values)), ""
        if "$ref" in rest:
            return self._referred(rest.pop("$ref"), indent, seen)
        for word in ("anyOf", "oneOf", "allOf"):
            if word in rest:
                return self._joined(rest.pop(word), " and " if word == "allOf" else " or ", indent, seen)
        kind = rest.pop("type", "object" if properties else None)
        if kind == "array" and "items" in rest and "prefixItems" not in rest:
            head, lines = self.of(rest.pop("items"), indent, seen)
            return f"a list, each item {head}", lines
        names = [kind] if isinstance(kind, str) else kind or ()
        return " or ".join(_NAMES.get(name, str(name)) for name in names) or "a value", ""

    def _joined(self, schemas: Any, joint: str, indent: str, seen: tuple[str, ...]) -> tuple[str, str]:
        if len(schemas) == 1:
            return self.of(schemas[0], indent, seen)
        parts = [self.of(each, indent + "  ", seen) for each in schemas]
        if sum(bool(lines) for _, lines in parts) <= 1:
            return joint.join(head for head, _ in parts), "".join(lines for _, lines in parts)
        intro = "one of these" if joint == " or " else "all of these at once"
        return intro, "".join(f"\n{indent}- {head}{lines}" for head, lines in parts)

    def _properties(self, properties: Any, required: Any, indent: str, seen: tuple[str, ...]) -> str:
        lines: list[str] = []
        for name, value in properties.items():
            head, below = self.of(value, indent + "  ", seen)
            lines.append(f"\n{indent}- {_json(name)}{'' if name in required else ' (may be left out)'}: {head}{below}")
        return "".join(lines)

    def _referred(self, pointer: str, indent: str, seen: tuple[str, ...]) -> tuple[str, str]:
        if pointer in seen:
            return f"again {pointer.rsplit('/', 1)[-1]}", ""
        value: Any = self.root
        for step in pointer.removeprefix("#").strip("/").split("/") if pointer != "#" else ():
            value = value.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(value, Mapping) else None
        return (f"as in {pointer}", "") if value is None else self.of(value, indent, (*seen, pointer))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


__all__ = ["describe"]
