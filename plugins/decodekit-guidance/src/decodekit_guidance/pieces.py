"""Working pieces: a copy of a technique that holds, besides its fields, what its request needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from decodekit import Technique

T = TypeVar("T", bound=Technique)


def piece_of(technique: T, fields: Mapping[str, Any], **held: Any) -> T:
    """Give the working piece of a technique.

    Args:
        technique: What the user asked for.
        fields: Fields that the piece has otherwise. Pieces with equal fields share a call, so a field that says
            nothing in the call is best the same for all requests.
        held: Its private attributes.
    """
    piece = technique.model_copy(update=fields)
    for name, value in held.items():
        setattr(piece, f"_{name}", value)
    return piece
