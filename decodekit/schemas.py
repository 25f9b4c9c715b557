"""What users give as a schema (a dict, JSON text, a file, a pydantic type), as data and with what reads the result."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import is_dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_origin

from pydantic import BaseModel, BeforeValidator, PlainSerializer, TypeAdapter

from decodekit.errors import SchemaError, SchemaWarning

Parse: TypeAlias = Callable[[str], Any]
_HINT = "give a dict, JSON text, a path to a file, or a pydantic model"
_OBJECT = 'a schema is an object such as {"type": "array"}, true or false'
_BEGINNINGS, _WORDS = ("{", "[", '"', "\ufeff"), ("true", "false", "null")
"""How JSON is told from a path."""


def _something(value: Any) -> Any:
    if isinstance(value, list | tuple) and value and all(_is_type(each) for each in value):
        names = [getattr(each, "__name__", "") or str(each) for each in value]
        raise SchemaError(
            f"a list of types is no schema: {', '.join(names)}",
            hint=f"{' | '.join(names)} is one of them, list[{names[0]}] a list of them; "
            f"tool_calls=[{', '.join(names)}] are calls of functions",
        )
    if value is None or (isinstance(value, int | float | list | tuple | set) and not isinstance(value, bool)):
        raise ValueError("a schema is a dict, JSON text, a path, or a type that pydantic understands")
    return value


def _is_type(value: Any) -> bool:
    return isinstance(value, type) or get_origin(value) is not None


def _as_json(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value if isinstance(value, str) else load_schema(value)[0]


SchemaLike = Annotated[Any, BeforeValidator(_something), PlainSerializer(_as_json)]
"""A technique's field that holds a schema in any form that `load_schema` takes; written to a recipe as JSON."""


def load_schema(source: Any, what: str = "json_schema") -> tuple[Any, Parse]:
    """Give a schema as Python data, and what turns a document's text into the typed result.

    Args:
        source: A schema as a dict, true or false; JSON text; a path to a file; a pydantic model, dataclass or any other
            type that pydantic understands; or a `TypeAdapter`.
        what: Who asks, for messages.

    Raises:
        SchemaError: For text that is not JSON, a file that cannot be read, or a type that pydantic does not understand.
    """
    if isinstance(source, dict | bool):
        return source, json.loads
    if isinstance(source, str | Path):
        return _read_schema(source, what), json.loads
    adapter = source if isinstance(source, TypeAdapter) else _adapter(source, what)
    try:
        return adapter.json_schema(), adapter.validate_json
    except Exception as error:  # pydantic raises several kinds, some of them plain
        raise SchemaError(f"{what}: pydantic has no schema for {source!r:.80}: {_first_line(error)}") from error


def _read_schema(source: str | Path, what: str) -> Any:
    """Read JSON text, or the file that has it."""
    text, whose = str(source), "the schema"
    if not text.strip():
        raise SchemaError(f"{what}: the schema is empty", hint=_HINT)
    if isinstance(source, Path) or not (text.lstrip().startswith(_BEGINNINGS) or text.strip() in _WORDS):
        whose = repr(text[:80])
        try:
            text = Path(source).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SchemaError(f"{what}: {whose} is neither JSON nor a file: {_lower(reason)}", hint=_HINT) from error
    try:
        found = _LOADER.decode(text.removeprefix("\ufeff").strip())
    except json.JSONDecodeError as error:
        raise SchemaError(f"{what}: {whose} is not JSON: {_lower(str(error))}", hint=_HINT) from error
    except RecursionError as error:
        raise SchemaError(f"{what}: {whose} nests too deeply to be read") from error
    except _UnreadableError as error:
        raise SchemaError(f"{what}: {whose} {error}", hint=error.hint) from None
    if not isinstance(found, dict | bool):
        raise SchemaError(f"{what}: {text.strip()[:80]!r} is JSON, but not a schema", hint=_OBJECT)
    return found


class _UnreadableError(SchemaError):
    """JSON that would not mean what it says once it is read."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        message = f"the schema has the key {twice!r:.80} more than once in one object: only the last one counts"
        warnings.warn(message, SchemaWarning, stacklevel=2)
    return found


def _float(text: str) -> float:
    """Read a number that a float keeps as it is written, and no other: what it means is exact."""
    found = float(text)
    if not math.isfinite(found) or Decimal(repr(found)) != Decimal(text):
        raise _UnreadableError(
            f"has the number {text:.60}, of which a float keeps {found}",
            hint="write it with at most 15 digits, between 1e-300 and 1e300; whole numbers may have 400 digits",
        )
    return found


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:  # Python reads no integer of more than 4,300 digits
        raise _UnreadableError(
            f"has a number of {len(text)} digits", hint="whole numbers may have 400 digits"
        ) from error


_LOADER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_int=_integer)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _first_line(error: Exception) -> str:
    """Give what pydantic says, without its advice to authors of types; all lines of a reason that goes on in them."""
    first, *rest = str(error).splitlines() or [""]
    if first.endswith(":"):  # the way to the place, then the reason, with the characters pointed at by ^
        first = " ".join([first, *(line.strip().removeprefix("SchemaError: ") for line in rest if line.strip(" ^"))])
    return _lower(first.partition(". Set `")[0][:400])


def _adapter(source: Any, what: str) -> TypeAdapter[Any]:
    try:
        try:
            return _kept_adapter(source)
        except TypeError:  # a type that has no hash
            return TypeAdapter(source)
    except Exception as error:
        if isinstance(source, BaseModel) or is_dataclass(source):
            hint = f"give its type: {type(source).__name__}"
            raise SchemaError(f"{what}: {source!r:.80} is a value, not a schema", hint=hint) from error
        raise SchemaError(f"{what}: {source!r:.80} is not a schema: {_first_line(error)}", hint=_HINT) from error


@lru_cache(maxsize=64)
def _kept_adapter(source: Any) -> TypeAdapter[Any]:
    return TypeAdapter(source)


__all__ = ["Parse", "SchemaLike", "load_schema"]
