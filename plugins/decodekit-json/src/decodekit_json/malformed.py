"""Keywords with a value that they cannot have: told wherever they stand, also where nothing leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from decodekit.errors import SchemaError, UnsupportedSchemaError
from decodekit_json import keywords, patterns
from decodekit_json.located import Schema


def refuse_malformed(schema: Schema, name: str) -> None:
    """Look at a keyword of a schema.

    Raises:
        SchemaError: For a value that it cannot have.
    """
    check = _CHECKS.get(name)
    if check is not None:
        check(schema, name)


def _check_list(schema: Schema, name: str) -> None:
    if not isinstance(schema.contents[name], list):
        raise SchemaError(f"{name} at {schema.pointer} is not a list")


def _check_schemas(schema: Schema, name: str) -> None:
    if not isinstance(schema.contents[name], list) or not schema.contents[name]:
        raise SchemaError(f"{name} at {schema.pointer} is not a list of schemas")


def _check_mapping(schema: Schema, name: str) -> None:
    if not isinstance(schema.contents[name], dict):
        raise SchemaError(f"{name} at {schema.pointer} is not an object")


def _check_boolean(schema: Schema, name: str) -> None:
    if not isinstance(schema.contents[name], bool):
        raise SchemaError(f"{name} at {schema.pointer}: {schema.contents[name]!r:.80} is neither true nor false")


def _check_text(schema: Schema, name: str) -> None:
    if not isinstance(schema.contents[name], str):
        raise SchemaError(f"{name} at {schema.pointer}: {schema.contents[name]!r:.80} is not a string")


def _check_pattern(schema: Schema, name: str) -> None:
    _check_text(schema, name)
    _check_regex(schema, name, schema.contents[name])


def _check_patterns(schema: Schema, name: str) -> None:
    _check_mapping(schema, name)
    for text in schema.contents[name]:
        _check_regex(schema, name, text)


def _check_regex(schema: Schema, name: str, text: str) -> None:
    try:
        patterns.search(text)
    except UnsupportedSchemaError:  # refused where it is reached
        return
    except SchemaError as error:
        raise SchemaError(f"{name} at {schema.pointer}: {error}", hint=error.hint) from None


def _check_number(schema: Schema, name: str) -> None:
    value = schema.contents[name]
    if isinstance(value, bool) and name.startswith("exclusive") and schema.draft in ("", "4"):
        return
    try:
        number = keywords.exact(value)
    except SchemaError as error:
        raise SchemaError(f"{name} at {schema.pointer}: {error}", hint=error.hint) from None
    if name == "multipleOf" and number <= 0:
        raise SchemaError(f"multipleOf at {schema.pointer}: {value} is not above 0")


def _check_items(schema: Schema, name: str) -> None:
    if isinstance(schema.contents[name], list) and schema.draft == "2020-12":
        raise SchemaError(f"items at {schema.pointer} is a list: in draft 2020-12 that is prefixItems")


def _check_names(schema: Schema, name: str) -> None:
    keywords.strings(schema, name, schema.contents[name])


def _check_dependencies(schema: Schema, name: str) -> None:
    _check_mapping(schema, name)
    for value in schema.contents[name].values():
        if isinstance(value, list) or name == "dependentRequired":
            keywords.strings(schema, name, value)


_CHECKS: dict[str, Callable[[Schema, str], Any]] = {
    "type": lambda schema, name: keywords.types_of(schema),
    "enum": _check_list,
    "required": _check_names,
    "uniqueItems": _check_boolean,
    "items": _check_items,
    "pattern": _check_pattern,
    "patternProperties": _check_patterns,
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _check_schemas),
    **dict.fromkeys(("prefixItems",), _check_list),
    **dict.fromkeys(("properties", "dependentSchemas"), _check_mapping),
    **dict.fromkeys(("dependencies", "dependentRequired"), _check_dependencies),
    **dict.fromkeys(("format", "$ref", "$dynamicRef"), _check_text),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), _check_number),
    **dict.fromkeys(
        (
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "minProperties",
            "maxProperties",
            "minContains",
            "maxContains",
        ),
        keywords.whole,
    ),
}

__all__ = ["refuse_malformed"]
