"""Strings and numbers, and what is counted: lengths, items, properties."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from decodekit.errors import SchemaError
from decodekit_json import patterns
from decodekit_json.formats import FORMATS
from decodekit_json.groups import ArrayGroup, ObjectGroup, Pattern, StringGroup
from decodekit_json.keywords.reading import number, whole
from decodekit_json.keywords.table import ALWAYS, NEVER, Alternatives, keyword
from decodekit_json.located import Schema
from decodekit_json.number_range import NumberRange

if TYPE_CHECKING:
    from decodekit_json.lowering import Lowering


def _at_least(name: str, kind: str, make: Callable[..., Any]) -> None:
    @keyword(name, kind)
    def handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
        limit = whole(schema, name)
        if sign:
            return [[make(low=limit)]]
        return [[make(high=limit - 1)]] if limit else NEVER


def _at_most(name: str, kind: str, make: Callable[..., Any]) -> None:
    @keyword(name, kind)
    def handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
        limit = whole(schema, name)
        return [[make(high=limit)]] if sign else [[make(low=limit + 1)]]


for _noun, _kind, _make in (
    ("Length", "string", StringGroup),
    ("Items", "array", ArrayGroup),
    ("Properties", "object", ObjectGroup),
):
    _at_least(f"min{_noun}", _kind, _make)
    _at_most(f"max{_noun}", _kind, _make)


@keyword("pattern", "string")
def _pattern(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    text = schema.contents["pattern"]
    if not isinstance(text, str):
        raise SchemaError(f"pattern at {schema.pointer}: {text!r:.80} is not a string")
    patterns.search(text)
    return [[StringGroup(patterns=frozenset([Pattern("pattern", text, sign)]))]]


@keyword("format", "string")
def _format(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    name = schema.contents["format"]
    if not lowering.formats or not isinstance(name, str) or name not in FORMATS:
        return ALWAYS if sign else NEVER
    return [[StringGroup(patterns=frozenset([Pattern("format", name, sign)]))]]


def _bound(lower: bool, excluded: bool, sign: bool, value: Fraction) -> NumberRange:
    if not sign:  # not at least v: below v
        lower, excluded = not lower, not excluded
    if lower:
        return NumberRange(low=value, low_excluded=excluded)
    return NumberRange(high=value, high_excluded=excluded)


def _limit(name: str, exclusive: str, lower: bool) -> None:
    @keyword(name, "number")
    def inclusive_handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
        excluded = schema.contents.get(exclusive) is True and schema.draft in ("", "4")
        return [[_bound(lower, excluded, sign, number(schema, name))]]

    @keyword(exclusive, "number")
    def exclusive_handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
        value = schema.contents[exclusive]
        if isinstance(value, bool) and schema.draft in ("", "4"):
            return ALWAYS if sign else NEVER  # part of the keyword beside it
        return [[_bound(lower, True, sign, number(schema, exclusive))]]


_limit("minimum", "exclusiveMinimum", lower=True)
_limit("maximum", "exclusiveMaximum", lower=False)


@keyword("multipleOf", "number")
def _multiple_of(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    value = number(schema, "multipleOf")
    if value <= 0:
        raise SchemaError(f"multipleOf at {schema.pointer}: {schema.contents['multipleOf']} is not above 0")
    return [[NumberRange(multiples=(value,)) if sign else NumberRange(not_multiples=(value,))]]
