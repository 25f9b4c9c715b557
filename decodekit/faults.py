"""What does not fit a field, in the words of our own messages instead of pydantic's. Not a validation of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
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
    "extra_forbidden": lambda at: "is no field",
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
        what: The technique, or whatever it is.
    """
    places: dict[str, list[ErrorDetails]] = {}
    for fault in error.errors(include_url=False):
        parts = [str(part).rstrip("_") for part in fault["loc"] if isinstance(part, int) or not _TAG.fullmatch(part)]
        places.setdefault(".".join(parts), []).append(fault)
    inner = [place for place in places if not any(other.startswith(f"{place}.") for other in places)]
    return f"{what}: " + "; ".join(_fault(place, places[place]) for place in inner)


def _fault(place: str, faults: list[ErrorDetails]) -> str:
    """Say what does not fit at a place, where none of some alternatives does."""
    place, value = place or "value", f"{faults[0]['input']!r:.80}"
    words = " and ".join(dict.fromkeys(map(_word, faults)))
    if faults[0]["type"] in ("missing", "extra_forbidden"):
        return f"{place} {words}"
    if any(fault["type"] == "value_error" for fault in faults):  # a sentence of the field's own
        return f"{place}: {words} (got {value})"
    return f"{place}: {value} {words}"


def _word(fault: ErrorDetails) -> str:
    kind, at = fault["type"], fault.get("ctx", {})
    if sort := _SORT.fullmatch(kind):
        return f"is not {_SORTS[sort[1]]}"
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"is not {words} {at[bound]}"
    if kind in _WORDS:
        return _WORDS[kind](at)
    return f"does not fit: {fault['msg'][:1].lower()}{fault['msg'][1:]}"


__all__ = ["explain"]
