"""What a document must be, without the plugin's code: `jsonschema` on exact numbers, and the ways to write it."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4})')
_FIXED = re.compile(r'\\(["\\bfnrt]|u00[01][0-9a-fA-F])')
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


def _multiple_of(validator: Any, step: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "number") and (Fraction(instance) / Fraction(step)).denominator != 1:
        yield ValidationError(f"{instance} is not a multiple of {step}")


def _whole(checker: Any, instance: Any) -> bool:
    if isinstance(instance, bool) or not isinstance(instance, int | Decimal):
        return False
    return instance == int(instance)


def _plain(instance: Any) -> Any:
    """Give a form that compares as JSON does: 1 is 1.0, and not true."""
    if isinstance(instance, bool) or instance is None:
        return repr(instance)
    if isinstance(instance, dict):
        return ("object", frozenset((key, _plain(value)) for key, value in instance.items()))
    return ("array", tuple(map(_plain, instance))) if isinstance(instance, list) else instance


def _unique(validator: Any, asked: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if asked is True and validator.is_type(instance, "array") and len(set(map(_plain, instance))) < len(instance):
        yield ValidationError("two items are equal")


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    ends = pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern  # not before a last newline
    if isinstance(instance, str) and not re.search(ends, instance):
        yield ValidationError(f"{instance!r} does not match")


_CHECKER = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _whole)
EXACT = extend(
    jsonschema.Draft202012Validator,
    {"multipleOf": _multiple_of, "pattern": _pattern, "uniqueItems": _unique},
    type_checker=_CHECKER,
)
"""Draft 2020-12 by `jsonschema`, with numbers as they are written."""


def pairs_apart(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that comes twice."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key comes twice")
    return dict(pairs)


def read(text: str) -> Any:
    """Read JSON with exact numbers; a key that comes twice, NaN and Infinity are errors."""

    def never(name: str) -> Any:
        raise ValueError(name)

    return json.loads(text, parse_float=Decimal, parse_constant=never, object_pairs_hook=pairs_apart)


def validator(schema: Any) -> Any:
    """Give the judge of a schema."""
    return EXACT(json.loads(json.dumps(schema), parse_float=Decimal))


class Writing:
    """Checks how a document is written: whitespace, escapes, the order of keys.

    Args:
        schema: A schema whose `properties`, where there are some, belong to the outermost object.
        whitespace: "flexible" or "compact".
        any_order: Whether keys may come in any order.
        fixed: Strings that have one writing: keys of the schema, members of `enum`.
    """

    def __init__(self, schema: Any, whitespace: str = "flexible", any_order: bool = False, fixed: Any = ()) -> None:
        schema = schema if isinstance(schema, dict) else {}
        self.order = list(schema.get("properties", ()))
        self.required = set(schema.get("required", ()))
        self.fixed = {*self.order, *self.required, *fixed}
        self.spaces, self.any_order = whitespace == "flexible", any_order
        self.text, self.at = "", 0

    def right(self, text: str) -> bool:
        """Say whether a text, which is JSON, is written as it may be."""
        self.text, self.at = text, 0
        try:
            self._value(0)
        except AssertionError:
            return False
        return self.at == len(text)

    def _take(self, pattern: str | re.Pattern[str]) -> str:
        found = re.compile(pattern).match(self.text, self.at)
        assert found, self.text[self.at :]
        self.at = found.end()
        return found[0]

    def _gap(self, depth: int) -> str:
        return self._take(rf"( |\n(\t{{1,{depth}}}| {{0,{4 * depth}}}))?") if self.spaces else ""

    def _value(self, depth: int) -> None:
        first = self.text[self.at]
        if first == '"':
            self._string()
        elif first in "[{":
            self._parts(depth + 1, "]" if first == "[" else "}")
        else:
            self._take(rf"{_NUMBER.pattern}|null|true|false")

    def _parts(self, depth: int, close: str) -> None:
        self.at += 1
        self._gap(depth)
        keys: list[str] = []
        while self.text[self.at] != close:
            if close == "}":
                keys.append(self._string())
                self._take(": ?" if self.spaces else ":")
            self._value(depth)
            before = self.at
            gap = self._gap(depth)
            if self.text[self.at] == ",":
                assert not gap, before
                self.at += 1
                self._gap(depth)
                assert self.text[self.at] != close
            else:
                assert self.text[self.at] == close
        self.at += 1
        if depth == 1 and not self.any_order:
            self._ordered([key for key in keys if key in self.order])

    def _ordered(self, keys: list[str]) -> None:
        for i, late in enumerate(keys):
            for early in keys[:i]:
                if self.order.index(late) < self.order.index(early):  # only an optional one may have been overtaken
                    assert late not in self.required
                    assert early in self.required

    def _string(self) -> str:
        raw = self._take(r'"([^"\\\x00-\x1f]|\\.)*"')
        value = json.loads(raw)
        escapes = re.findall(r"\\u[dD][89abAB]..\\u....|\\u....|\\.", raw)
        assert all(_ESCAPE.fullmatch(escape) for escape in escapes)
        if value in self.fixed:
            for escape in escapes:
                assert _FIXED.fullmatch(escape) or ord(json.loads(f'"{escape}"')) > 0x7F
        return value


_CHARACTERS = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*'
_PART = re.compile(
    _CHARACTERS + r'"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?'
    r"|null|true|false|[\[\]{},:]|\n(?: +|\t*)| "
)
_LAST = re.compile(
    _CHARACTERS + r"(?:\\(?:u[0-9a-fA-F]{0,3})?)?|n(?:ul?)?|t(?:ru?)?|f(?:a(?:ls?)?)?"
    r"|-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:(?<=[0-9])[eE][+-]?[0-9]{0,3})?)?"
)


def may_begin(raw: bytes) -> bool:
    """Say whether bytes may begin a document: its parts are JSON's, and fit side by side; rather yes than no."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(raw)
    except UnicodeDecodeError:
        return False
    at, before, stack = 0, "", ""
    while at < len(text):
        if _LAST.fullmatch(text, at):
            return before != "1"
        found = _PART.match(text, at)
        if found is None:
            return False
        part, at = found[0], found.end()
        if part[0] in " \n":
            continue
        if part in "]}":
            if not stack or stack[-1] != {"]": "[", "}": "{"}[part] or before in (",", ":"):
                return False
            stack, before = stack[:-1], "1"
        elif part in ",:":
            if not stack or before != "1":
                return False
            before = part
        elif before == "1":
            return False
        else:
            stack, before = (stack + part, part) if part in "[{" else (stack, "1")
    return True


__all__ = ["EXACT", "Writing", "may_begin", "read", "validator"]
