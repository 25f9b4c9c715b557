"""What does not fit a field, in the words of our own messages instead of pydantic's. Not a validation of its own."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_SORTS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "a dict",
    "mapping": "a dict",
    "path": "a path",
    "callable": "something to call",
}
"""What pydantic calls a type, and what messages do."""
_SORT = re.compile(rf"({'|'.join(_SORTS)})_(?:type|parsing|sub_type|from_float|unicode)")
_BOUNDS = {
    "greater_than_equal": ("greater than or equal to", "ge"),
    "greater_than": ("greater than", "gt"),
    "less_than_equal": ("less than or equal to", "le"),
    "less_than": ("less than", "lt"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda at: "is missing",
    "literal_error": lambda at: f"is not {at['expected']}",
    "too_short": lambda at: f"has fewer than {at['min_length']}" if at["actual_length"] else "is empty",
    "too_long": lambda at: f"has more than {at['max_length']}",
    "string_too_short": lambda at: "is empty" if at["min_length"] == 1 else f"has fewer than {at['min_length']}",
    "string_too_long": lambda at: f"has more than {at['max_length']} characters",
    "is_instance_of": lambda at: f"is no {at['class']}",
    "model_type": lambda at: "is not a dict",
    "value_error": lambda at: str(at["error"]),
    "finite_number": lambda at: "is not a finite number",
}
_TAG = re.compile(r"\w+[\[(-].*|str|int|float|bool|list|tuple|dict|Path|callable", re.DOTALL)
"""Parts of a place that name an alternative of a union, not a field."""


def explain(error: ValidationError, what: str) -> str:
    """Give one line for all that does not fit.

    Args:
        error: What pydantic found.
        what: Name of the technique, or of whatever was read.
    """
    places: dict[tuple[str, ...], list[ErrorDetails]] = {}
    for fault in error.errors(include_url=False):
        places.setdefault(_place(fault), []).append(fault)
    inner = [place for place in places if not any(other[: len(place)] == place != other for other in places)]
    inner.sort(key=lambda place: places[place][0]["type"] != "extra_forbidden")
    return f"{what}: " + "; ".join(_fault(place, places[place]) for place in inner)


def hint(error: ValidationError, model: type[BaseModel]) -> str | None:
    """Give what to write instead: the nearest fields, or an example where the first field is wrong, which has no name.

    Args:
        error: What pydantic found.
        model: The technique, or whatever was called.
    """
    faults = error.errors(include_url=False)
    unknown = [_place(fault) for fault in faults if fault["type"] == "extra_forbidden"]
    first, info = next(iter(model.model_fields.items()), ("", None))
    wrong = {place[:1] for place in map(_place, faults)} & {(first,), (info.alias if info else None,)}
    usage = getattr(model, "usage", "")
    said = [f"for example {usage}"] if usage and (wrong or any(len(place) > 1 for place in unknown)) else []
    for inside in dict.fromkeys(place[:-1] for place in unknown):
        fields = sorted(_fields(model, inside))
        here = [place[-1] for place in unknown if place[:-1] == inside]
        meant = {key: difflib.get_close_matches(key, fields, n=1) for key in here}
        near = "".join(f"did you mean {right[0]!r} for {key!r}? " for key, right in meant.items() if right)
        whose = f"the fields of {'.'.join(inside)}" if inside else "its fields"
        said.append(f"{near}{whose} are {', '.join(fields)}")
    return "; ".join(reversed(said)) or None


def _place(fault: ErrorDetails) -> tuple[str, ...]:
    parts = (str(part).rstrip("_") for part in fault["loc"] if isinstance(part, int) or not _TAG.fullmatch(part))
    return tuple(parts)


def _fields(model: type[BaseModel], place: tuple[str, ...]) -> set[str]:
    """Give the fields that there are at a place inside of a model."""
    models = [model]
    for part in place:
        known = [(info.alias or name, info.annotation) for one in models for name, info in one.model_fields.items()]
        inside = [found for name, annotation in known if name == part for found in _models(annotation)]
        models = models if part.isdigit() else inside
    return {info.alias or name for one in models for name, info in one.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Give the models that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _fault(parts: tuple[str, ...], faults: list[ErrorDetails]) -> str:
    """Say what does not fit at a place, where none of some alternatives does."""
    if faults[0]["type"] == "extra_forbidden":
        return ": ".join(filter(None, [".".join(parts[:-1]), f"there is no field {parts[-1]!r}"]))
    # What is wrong with several fields together has no place of its own.
    place, value = ".".join(parts) and f"{'.'.join(parts)}: ", f"{faults[0]['input']!r:.80}"
    words = " and ".join(dict.fromkeys(map(_word, faults)))
    if faults[0]["type"] == "missing":
        return f"{'.'.join(parts)} {words}"
    if any(fault["type"] == "value_error" for fault in faults):  # a sentence of the field's own
        return f"{place}{words} (got {value})"
    return f"{place}{value} {words}"


def _word(fault: ErrorDetails) -> str:
    kind, at = fault["type"], fault.get("ctx", {})
    if sort := _SORT.fullmatch(kind):
        return f"is not {_SORTS[sort[1]]}"
    if kind in _BOUNDS and str(fault["input"]) == "nan":
        return _WORDS["finite_number"](at)
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"is not {words} {at[bound]}"
    if kind in _WORDS:
        return _WORDS[kind](at)
    return f"does not fit: {fault['msg'][:1].lower()}{fault['msg'][1:]}"


__all__ = ["explain", "hint"]
