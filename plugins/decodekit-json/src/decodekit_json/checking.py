"""A document against its whole schema, after it is written: for keywords that were loosened while writing.

An independent validator, the library `jsonschema`, with what it gets wrong replaced by the engine's own reading:
formats, `pattern` (ECMA-262, not Python) and `multipleOf` (exact, not in binary fractions).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from referencing.exceptions import Unresolvable

from decodekit.errors import UnsupportedSchemaError
from decodekit_json.formats import FORMATS
from decodekit_json.keywords import exact
from decodekit_json.located import NOWHERE, Documents
from decodekit_json.texts import format_of, found, matches

_VALIDATORS = {
    "4": "Draft4Validator",
    "6": "Draft6Validator",
    "7": "Draft7Validator",
    "2019-09": "Draft201909Validator",
    "2020-12": "Draft202012Validator",
}


class InvalidDocumentError(ValueError):
    """A document that breaks a keyword which was left out while it was written; shown as `.parse_error`."""


class Checker:
    """Validates documents. Made once per constraint; the library is imported then.

    Args:
        schema: The whole schema.
        documents: Other schemas by URI.
        draft: What it is read as, where it does not say so itself.
        formats: Whether `format` is asserted.
        loosened: What was left out so far; it grows while documents are written.
    """

    def __init__(
        self,
        schema: Any,
        documents: Mapping[str, Any],
        draft: str,
        formats: bool,
        loosened: Sequence[UnsupportedSchemaError],
    ) -> None:
        import jsonschema
        from jsonschema import validators

        read = Documents(schema, documents, draft)
        base = getattr(jsonschema, _VALIDATORS[read.draft or "2020-12"])
        own: dict[str, Any] = {"pattern": _pattern, "multipleOf": _multiple_of}
        own |= dict.fromkeys(read.root.dialect.without, _says_nothing)
        kind: Any = validators.extend(base, own)
        formatted = jsonschema.FormatChecker(formats=())
        for name in FORMATS if formats else ():
            formatted.checks(name)(_is_of(name))
        self._validator = kind(schema, registry=read.registry, format_checker=formatted)
        self._loosened = loosened

    def __call__(self, text: str) -> None:
        """Check a document.

        Raises:
            InvalidDocumentError: With the first place that is wrong, and what was left out while writing.
        """
        left = ", ".join(dict.fromkeys(f"{error.keyword} at {error.pointer}" for error in self._loosened))
        try:
            wrong = next(iter(self._validator.iter_errors(json.loads(text))), None)
        except NOWHERE as error:  # only a document that needs the reference is not checked
            missing = f"{error.ref!r:.200} is not" if isinstance(error, Unresolvable) else "what it refers to is not"
            raise InvalidDocumentError(
                f"it cannot be checked: {missing} among the documents ({left} was left out while writing)"
            ) from error
        if wrong is None:
            return
        place = "".join(f"/{part}" for part in wrong.absolute_path)
        raise InvalidDocumentError(
            f"{wrong.message[:200]} (at #{place} of the document; {left or 'nothing'} was left out while writing)"
        )


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not validator.is_type(instance, "string"):
        return
    try:
        there = found(pattern, instance)
    except UnsupportedSchemaError:  # what the engine does not follow, such as back references
        there = re.search(pattern, instance) is not None
    if not there:
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _says_nothing(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """Stand for a keyword that the metaschema leaves out."""
    yield from ()


def _multiple_of(validator: Any, step: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if validator.is_type(instance, "number") and exact(instance) % exact(step):
        yield ValidationError(f"{instance!r} is not a multiple of {step!r}")


def _is_of(name: str) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or matches(format_of(name), value)


__all__ = ["Checker", "InvalidDocumentError"]
