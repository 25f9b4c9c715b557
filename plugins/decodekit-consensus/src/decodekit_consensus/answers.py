"""What a sample answers, and when two answers are the same. *Not* a judge of whether an answer is right."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from typing import Any

from pydantic_core import to_jsonable_python

from decodekit.errors import GenerationError
from decodekit.results import Completion

MISSING: Any = object()
"""What is found where a sample has no answer; None is an answer, the JSON null."""

_NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?([eE][+-]?\d{1,4})?")
_PLAIN_DIGITS = 40
"""A number whose exponent is larger is written with it, so that 1e9999 does not become ten thousand digits."""


class NoAnswerError(GenerationError):
    """No sample has an answer where it was looked for; `.results` has the samples."""


def from_pattern(text: str, pattern: re.Pattern[str], last: bool) -> Any:
    """Give group 1 of the last (or first) match, the whole match where the pattern has no group; else `MISSING`."""
    found = MISSING
    for match in pattern.finditer(text):
        answer = match[1] if pattern.groups else match[0]
        if answer is not None:
            found = answer
            if not last:
                break
    return found


def from_field(sample: Completion, steps: Sequence[str]) -> Any:
    """Follow a path into `.parsed`, or into the text as JSON where nothing was parsed; else `MISSING`."""
    if sample.parsed is not None:
        value = to_jsonable_python(sample.parsed)
    else:
        try:
            value = json.loads(sample.text)
        except ValueError:
            return MISSING
    for step in steps:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isascii() and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return MISSING
    return value


def path_steps(path: str) -> tuple[str, ...]:
    """Read a JSON pointer (`/a/0`, RFC 6901) or a dotted path (`a.0`); the empty path is the whole value."""
    if path.startswith("/"):
        return tuple(step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/"))
    return tuple(path.split(".")) if path else ()


def key_of(answer: Any, *, casefold: bool, numbers: bool) -> str:
    """Give a text that is equal for answers that count as one.

    Args:
        answer: Text, or a JSON value.
        casefold: Whether upper and lower case are the same.
        numbers: Whether texts that are numbers are compared as numbers: `1,000.0` is `1000`.
    """
    if isinstance(answer, str):
        text = " ".join(answer.split())
        number = _number(text) if numbers else None
        return number or (text.casefold() if casefold else text)
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return _number(repr(answer)) or repr(answer)
    if isinstance(answer, Mapping):
        answer = {str(k): key_of(v, casefold=casefold, numbers=numbers) for k, v in answer.items()}
    elif isinstance(answer, list):
        answer = [key_of(each, casefold=casefold, numbers=numbers) for each in answer]
    return json.dumps(answer, sort_keys=True, ensure_ascii=False)


def _number(text: str) -> str | None:
    """Write a number in the one way that is equal for equal numbers; None for other texts."""
    if not _NUMBER.fullmatch(text) or not any(c.isdecimal() for c in text):
        return None
    try:
        # The default context would round long numbers to 28 digits and make different ones equal.
        number = Decimal(text.replace(",", "")).normalize(Context(prec=max(28, len(text))))
    except ArithmeticError:
        return None
    if number == 0:
        return "0"
    return f"{number:f}" if abs(number.adjusted()) < _PLAIN_DIGITS else str(number)


__all__ = ["MISSING", "NoAnswerError", "from_field", "from_pattern", "key_of", "path_steps"]
