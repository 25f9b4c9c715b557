"""What a mutant is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Mutant:
    """A piece and the laws that it breaks.

    Attributes:
        laws: The law class.
        make: Gives the piece.
        breaks: Words that must stand in the names of failing tests, one failing test for each; empty for a right piece.
        attributes: More attributes of the law class.
    """

    laws: type[Any]
    make: Callable[[], Any]
    breaks: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the piece."""
        return getattr(self.make, "__name__", repr(self.make))
