"""Numbers and booleans as users mean them: pydantic alone takes True for 1, "6" for 6 and "no" for False."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import numpy as np
from pydantic_core import PydanticKnownError

_NUMBERS = frozenset({int, float})
_PLAIN = frozenset({int, float, bool, NoneType})


def check_plain(value: Any, annotation: Any) -> Any:
    """Give a field's value as it is; raise pydantic's error where it is a number or a boolean in disguise.

    Args:
        value: What a user gave.
        annotation: The field's; what is not made of numbers, booleans and None is left to pydantic.
    """
    kinds = _kinds(annotation)
    if kinds <= _PLAIN:
        _check(value, kinds)
        return value
    inside = _kinds_inside(annotation)
    if inside and isinstance(value, Sequence | Mapping) and not isinstance(value, str | bytes):
        for each in value.values() if isinstance(value, Mapping) else value:
            _check(each, inside)
    return value


def _check(value: Any, kinds: frozenset[Any]) -> None:
    is_bool = isinstance(value, bool | np.bool_)
    if kinds & _NUMBERS and bool not in kinds and (is_bool or isinstance(value, str | bytes)):
        raise PydanticKnownError("float_type" if float in kinds else "int_type")
    if bool in kinds and not (is_bool or value is None or (kinds & _NUMBERS and not isinstance(value, str | bytes))):
        raise PydanticKnownError("bool_type")


@lru_cache(maxsize=1024)
def _kinds(annotation: Any) -> frozenset[Any]:
    """Give the types that an annotation is a union of."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return frozenset().union(*(_kinds(each) for each in get_args(annotation)))
    return frozenset({annotation})


@lru_cache(maxsize=1024)
def _kinds_inside(annotation: Any) -> frozenset[Any]:
    """Give the types of what a sequence holds, or of a mapping's values; none where they are not plain."""
    for each in _kinds(annotation):
        arguments = [one for one in get_args(each) if one is not Ellipsis]
        if get_origin(each) in (tuple, list, dict, Sequence, Mapping) and arguments:
            kinds = _kinds(arguments[-1])
            if kinds <= _PLAIN and (get_origin(each) in (dict, Mapping) or len(set(arguments)) == 1):
                return kinds
    return frozenset()


__all__ = ["check_plain"]
