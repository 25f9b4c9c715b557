"""Keywords that are perhaps misspelt: an unknown one says nothing, and one that is near a known one was meant.

`x-…`, `_…` and everything that is not near is an annotation, as the specification says; so is what is nearer to an
annotation, as OpenAPI's `example`.
"""

from __future__ import annotations

import difflib
from functools import cache

from jsonschema_specifications import REGISTRY

from decodekit_json import keywords

_NEAR = 0.8
"""What difflib calls two words of which five letters are the same and two neighbours have changed places."""
_NEAR_TYPE = 0.7
"""The same for types, of which there are few."""
_LONGER = 2
"""Letters by which they differ in length at most: `requiredWhen` is no `required`."""
_SHORT = 5
"""Letters below which too many words are near: `note` is no `not`."""
_ELSEWHERE = {
    "nullable": '"type": [..., "null"]',
    "optional": "required beside properties, without that key",
    "min": "minimum, minLength or minItems",
    "max": "maximum, maxLength or maxItems",
    "minLen": "minLength",
    "maxLen": "maxLength",
    "regex": "pattern",
    "regexp": "pattern",
    "unique": "uniqueItems",
    "values": "enum, or additionalProperties",
    "choices": "enum",
}
"""What words of OpenAPI, JTD and libraries for validation are here."""
_TYPES = {
    "string": ("str", "text", "char", "varchar"),
    "integer": ("int", "int32", "int64", "long", "whole"),
    "number": ("float", "double", "decimal", "real"),
    "boolean": ("bool",),
    "array": ("arr", "list", "tuple", "set", "sequence"),
    "object": ("obj", "dict", "dictionary", "map", "mapping", "record", "struct"),
    "null": ("none", "nil", "undefined"),
}
"""What types are called elsewhere."""
_FORMATS = ("date", "time", "date-time", "email", "uri", "uuid")
_PARTS = frozenset(("$defs", "definitions", "then", "else", "additionalItems", "minContains", "maxContains"))
"""Keywords that others are read with."""


def meant(name: str, draft: str) -> str:
    """Give the keyword of a draft that an unknown one was meant as; "" where none is near.

    Args:
        name: A keyword.
        draft: The schema's draft, or "".
    """
    if name.lower().startswith(("x-", "_")) or name in _of_any_draft():
        return ""
    known = [*keywords.known(draft), *_PARTS]
    same = [word for word in known if _letters(word) == _letters(name)]
    if len(name) < _SHORT:
        near = [word for word in known if sorted(word) == sorted(name) or _one_more(word, name)]
    else:
        near = difflib.get_close_matches(name, {*known, *_of_any_draft()}, n=1, cutoff=_NEAR)
        near = [word for word in near if abs(len(word) - len(name)) <= _LONGER]
    return next((word for word in [*same, *near] if word in known), "")


def _letters(word: str) -> str:
    """Give a word without what styles differ in: minLength, min_length, MINLENGTH."""
    return word.replace("_", "").replace("-", "").casefold()


def _one_more(word: str, name: str) -> bool:
    """Say whether a letter is missing at an end: `item`, `ref`."""
    return len(name) > 2 and word in (word[:1] + name, name + word[-1:])


@cache
def _of_any_draft() -> frozenset[str]:
    """Give the keywords of all metaschemas, annotations among them."""
    found: set[str] = set()
    for uri in REGISTRY:
        contents = REGISTRY.contents(uri)
        found |= set(contents.get("properties", {})) if isinstance(contents, dict) else set()
    return frozenset(found)


def elsewhere(name: str) -> str:
    """Give what to write instead of a word of another vocabulary; "" where none is known."""
    return _ELSEWHERE.get(name, "")


def meant_type(name: str) -> str:
    """Say what was perhaps meant by the name of a type that there is not; "" where nothing is near.

    Args:
        name: The name.
    """
    word = name.strip().casefold()
    if word == "any":
        return "leave type out where all types will do"
    if word in _FORMATS:
        return f'write "type": "string", "format": "{word}"'
    called = {word: right for right, others in _TYPES.items() for word in (right, *others)}
    near = difflib.get_close_matches(word, called, n=1, cutoff=_NEAR_TYPE)
    return f"did you mean {called[near[0]]!r}?" if near else ""


__all__ = ["elsewhere", "meant", "meant_type"]
