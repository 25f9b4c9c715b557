"""What stands behind keywords: read, or refused as no schema."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from decodekit.errors import SchemaError
from decodekit_json import number_range
from decodekit_json.located import Schema

if TYPE_CHECKING:
    from decodekit_json.lowering import Lowering

_NAMES = ("null", "boolean", "number", "integer", "string", "array", "object")


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
    if "type" in contents and not names_type(types_of(schema), kind):
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
    if isinstance(value, int):
        return Fraction(value)
    return Fraction(Decimal(repr(value) if isinstance(value, float) else value))


def number(schema: Schema, name: str) -> Fraction:
    """Give the value of a keyword that is a number, exactly."""
    value = schema.contents[name]
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise SchemaError(f"{name} at {schema.pointer}: {value!r:.80} is not a number")
    return number_range.exact(value)


def subschemas(lowering: Lowering, schema: Schema, name: str) -> list[Schema]:
    """Give the schemas in a keyword's list."""
    values = schema.contents[name]
    if not isinstance(values, list) or not values:
        raise SchemaError(f"{name} at {schema.pointer} is not a list of schemas")
    return [lowering.documents.child(schema, value, name, i) for i, value in enumerate(values)]


def subschema(lowering: Lowering, schema: Schema, name: str) -> Schema:
    """Give the schema that a keyword has."""
    return lowering.documents.child(schema, schema.contents[name], name)


def mapping(schema: Schema, name: str) -> dict[str, Any]:
    """Give the object that a keyword has; empty where there is none."""
    value = schema.contents.get(name, {})
    if not isinstance(value, dict):
        raise SchemaError(f"{name} at {schema.pointer} is not an object")
    return value


def types_of(schema: Schema) -> list[str]:
    """Give the names in `type`."""
    given = schema.contents["type"]
    names = given if isinstance(given, list) else [given]
    for name in names:
        if name not in _NAMES:
            raise _no_type(schema, name, isinstance(given, list))
    if not names:
        raise SchemaError(f"type at {schema.pointer}: the list is empty", hint="leave type out where all types will do")
    return names


def _no_type(schema: Schema, name: Any, listed: bool) -> SchemaError:
    from decodekit_json.misspelt import meant_type

    where = " in the list" if listed else ""
    message = f"type at {schema.pointer}: {name!r:.80}{where} is not one of {', '.join(_NAMES)}"
    return SchemaError(message, hint=(meant_type(name) if isinstance(name, str) else "") or None)


def names_type(names: list[str], kind: str) -> bool:
    """Say whether some names in `type` leave a type."""
    return kind in names or (kind == "number" and "integer" in names)


def whole(schema: Schema, name: str) -> int:
    """Give a keyword's value that counts something."""
    value = schema.contents[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != int(value):
        raise SchemaError(f"{name} at {schema.pointer}: {value!r:.80} is not a whole number that is at least 0")
    return int(value)


def strings(schema: Schema, name: str, value: Any) -> tuple[str, ...]:
    """Give a list of keys."""
    if isinstance(value, bool) and schema.draft in ("", "4"):
        return ()  # draft 3's required: true
    if not isinstance(value, list) or any(not isinstance(key, str) for key in value):
        raise SchemaError(f"{name} at {schema.pointer}: {value!r:.80} is not a list of names")
    return tuple(dict.fromkeys(value))
