"""What a value of `format` means: patterns that hold, patterns that do not, and lengths."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """A language of strings. Patterns are ECMA-262, in the subset that Python's `re` reads alike.

    Attributes:
        all_of: Each is found in the string.
        none_of: None is found in it.
        min_length: Fewest code points.
        max_length: Most code points, None for no limit.
    """

    all_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    min_length: int = 0
    max_length: int | None = None


__all__ = ["Format"]
