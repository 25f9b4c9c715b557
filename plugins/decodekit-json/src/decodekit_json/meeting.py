"""Two constraints of one request: what they are made of met exactly, or the reason why it cannot be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from hashlib import blake2b
from typing import Any

from decodekit.errors import IncompatibleTechniquesError, UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit_json.boolean_operations import both
from decodekit_json.compiler import Options
from decodekit_json.embedded import AfterSource
from decodekit_json.handed import JOINT
from decodekit_json.sources import SchemaSource, Source, TextSource
from decodekit_json.texts import matches
from decodekit_json.whitespace import MOST_SPACES, Policy

_ORDER = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_PLACE = re.compile(r"(?:(?<= at )|(?<= of )|(?<=: ))#[^\s,:]*")
"""A JSON pointer in a message, up to the first character that also ends it elsewhere."""


def met(one: Source, other: Source) -> Source:
    """Give what has exactly the texts of both.

    Raises:
        IncompatibleTechniquesError: With the reason, and what to write instead.
    """
    for source in (one, other):
        if source.alone:
            reason, hint = source.alone
            raise IncompatibleTechniquesError(reason, hint=hint)
    if isinstance(one, AfterSource) or isinstance(other, AfterSource):
        trigger = _trigger(one, other)
        return AfterSource(met(_behind(one), _behind(other)), trigger)
    if isinstance(one, SchemaSource) and isinstance(other, SchemaSource):
        return _schemas(one, other)
    if isinstance(one, TextSource) and isinstance(other, TextSource):
        return _texts(one, other)
    raise IncompatibleTechniquesError(
        "a schema says which values there are, the other which characters, and one value is written in many ways",
        hint='what a string of the document must look like goes into the schema, as {"pattern": …} or {"enum": […]}; '
        "of the whole text leave one of the two out",
    )


def _trigger(one: Source, other: Source) -> str:
    triggers = [source.trigger if isinstance(source, AfterSource) else None for source in (one, other)]
    first, second = triggers
    if first is None or second is None or first != second:
        where = " and ".join("at the beginning" if t is None else f"behind {t!r:.80}" for t in triggers)
        raise IncompatibleTechniquesError(f"they begin at different places, {where}", hint="give both the same after=")
    return first


def _behind(source: Source) -> Source:
    return source.source if isinstance(source, AfterSource) else source


def _texts(one: TextSource, other: TextSource) -> TextSource:
    if one.expression is not None and other.expression is not None:
        return TextSource(both(one.expression, other.expression))
    few, test = (other, one) if one.expression is not None else (one, other)
    return TextSource(choices=tuple(text for text in few.choices if _has(test, text)))


def _has(source: TextSource, text: str) -> bool:
    return text in source.choices if source.expression is None else matches(source.expression, text)


def _schemas(one: SchemaSource, other: SchemaSource) -> SchemaSource:
    """Meet two schemas; keys keep the order of the schema that names them, those of the two may mix."""
    whitespace = _whitespace(one.options, other.options)
    formats = _formats(one, other)
    ours, theirs = (
        replace(source.options, whitespace=whitespace, formats=source.options.formats if formats is None else formats)
        for source in (one, other)
    )
    for option in fields(Options):
        values = [getattr(options, option.name) for options in (ours, theirs)]
        if option.compare and values[0] != values[1]:
            raise _read_differently(option.name, *map(_written, values))
    for uri in one.documents.keys() & other.documents.keys():
        if one.documents[uri] != other.documents[uri]:
            raise IncompatibleTechniquesError(
                f"their documents have two schemas under {uri!r:.200}", hint="give one of them another URI"
            )
    parts = {f"{JOINT}{_place(source)}": source.schema for source in (one, other)}
    whole = {"allOf": [{"$ref": uri} for uri in parts]}
    return SchemaSource(whole, ours, {**one.documents, **other.documents, **parts})


def _formats(one: SchemaSource, other: SchemaSource) -> bool | None:
    """Give how both read `format`: as the one that has any does; None where both have and read them differently."""
    having = {source.options.formats for source in (one, other) if _has_formats(source)}
    return None if len(having) > 1 else having.pop() if having else one.options.formats


def _has_formats(source: SchemaSource) -> bool:
    """Say whether a schema may come to a `format`; those of json-schema.org have some."""
    text = json.dumps([source.schema, *source.documents.values()])
    return '"format"' in text or "json-schema.org" in text


def _whitespace(one: Options, other: Options) -> Policy:
    """Give the policy that both keep; "flexible" has all others but the wide ones."""
    first, second = one.whitespace, other.whitespace
    found = second if first == "flexible" else first
    wide = isinstance(found, int) and found > MOST_SPACES
    if first != second and (wide or "flexible" not in (first, second)):
        raise _read_differently("whitespace", repr(first), repr(second))
    return found


def _read_differently(option: str, one: str, other: str) -> IncompatibleTechniquesError:
    return IncompatibleTechniquesError(
        f"their schemas are read differently: {option} is {one} in one and {other} in the other",
        hint=f"give both the same {option}=, or write one schema with both under allOf",
    )


@contextmanager
def blamed_on_parts(source: Source) -> Iterator[None]:
    """Let schema errors name places of the schemas that were given, not of the one that holds them together."""
    try:
        yield
    except (UnsupportedSchemaError, UnsatisfiableSchemaError) as error:
        inner = _behind(source)
        parts = list(_parts(inner, inner.schema, "#")) if isinstance(inner, SchemaSource) else []
        if len(parts) > 1:
            said = str(error)
            if (error.keyword, error.pointer) == ("allOf", "#"):  # the keyword of the one that holds them together
                error.keyword, said = "", said.replace("allOf at #", "the schemas together", 1)
            error.args = (_PLACE.sub(lambda found: " ".join(_located(found[0], parts)), said), *error.args[1:])
            error.pointer = _located(error.pointer, parts)[-1]
        raise


def _parts(source: SchemaSource, schema: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Give the schemas that were given, with where they are in the one that holds them together."""
    held = schema.get("allOf") if isinstance(schema, dict) else None
    uris = [one["$ref"] for one in held or () if isinstance(one, dict) and str(one.get("$ref")).startswith(JOINT)]
    for place, uri in enumerate(uris):
        yield from _parts(source, source.documents[uri], f"{prefix}/allOf/{place}/$ref")
    if not uris:
        yield prefix, schema


def _located(pointer: str, parts: Sequence[tuple[str, Any]]) -> tuple[str, ...]:
    """Give whose a place is, as far as that is known, and the pointer there."""
    for (prefix, _), number in zip(parts, _ORDER, strict=False):
        if pointer == prefix or pointer.startswith(f"{prefix}/"):
            return f"the {number} schema's", f"#{pointer.removeprefix(prefix)}"
    having = [number for (_, schema), number in zip(parts, _ORDER, strict=False) if _leads(pointer, schema)]
    return (f"the {having[0]} schema's", pointer) if len(having) == 1 else ("one schema's", pointer)


def _leads(pointer: str, schema: Any) -> bool:
    """Say whether there is something at a place of a schema."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(schema, list) and key.isdigit() and int(key) < len(schema):
            schema = schema[int(key)]
        elif isinstance(schema, dict) and key in schema:
            schema = schema[key]
        else:
            return False
    return True


def _written(value: object) -> str:
    """Give an option as a user writes it."""
    return repr({True: "assert", False: "annotate", "": None}.get(value, value))  # type: ignore[call-overload]


def _place(source: SchemaSource) -> str:
    return blake2b(json.dumps(source.schema, sort_keys=True).encode(), digest_size=12).hexdigest()


__all__ = ["blamed_on_parts", "met"]
