"""Where whitespace may stand between a document's parts, and how much: bounded, so that no text is only whitespace.

A gap is a small int: 0 before any whitespace, then what was written. Gaps never come first or last in a document.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from decodekit_json.terminal import INFINITE

Policy: TypeAlias = Literal["compact", "flexible"] | int

MOST_INDENT = 8
"""Most spaces of a level, where a number says how many."""


def check_policy(value: Any) -> Policy:
    """Give a policy.

    Raises:
        ValueError: For something else.
    """
    if value not in ("flexible", "compact") and not (type(value) is int and 0 <= value <= MOST_INDENT):
        raise ValueError(f"it is 'flexible', 'compact' or a whole number from 0 to {MOST_INDENT}")
    return value


SPACE, TAB, NEWLINE = 0x20, 0x09, 0x0A
_CLOSED = 1
_LINE = 2
_TABS = 1 << 20
MOST_SPACES = 4
"""Spaces of a level, where they are left to the model."""


@dataclass(frozen=True)
class Whitespace:
    """What the model may write between parts.

    Attributes:
        policy: "compact" writes none. "flexible" allows a space after `:`, and where a line may break (after an opening
            bracket, after a comma, before a closing bracket) a space, or a line break with at most four spaces or one
            tab for each level. A number writes what `json.dumps(indent=number)` writes and nothing else: a space after
            `:`, and a line for each member and item, indented by as many spaces for each level.
    """

    policy: Policy = "flexible"

    @cached_property
    def indent(self) -> int | None:
        """Spaces of a level, None where whitespace is left to the model."""
        return self.policy if isinstance(self.policy, int) else None

    @cached_property
    def slack(self) -> int:
        """Give bytes that are enough for whitespace on a way to the end; known only where none has to be written."""
        return 0 if self.indent is None else INFINITE >> 8

    @cached_property
    def required(self) -> bytes:
        """Whitespace that is not left to the model."""
        return b"" if self.indent is None else b" \n"

    def level(self, depth: int, closing: bool) -> int:
        """Give how deep a line is indented; `closing` where a bracket comes that ends what is `depth` deep."""
        return depth - 1 if closing and self.indent is not None else depth

    def due(self, gap: int, depth: int, line: bool) -> int:
        """Give the whitespace that has to come next, -1 where none has to."""
        if self.indent is None or gap == _CLOSED:
            return -1
        if gap == 0:
            return NEWLINE if line else SPACE
        return SPACE if gap - _LINE < self.indent * depth else -1

    def step(self, gap: int, byte: int, depth: int, line: bool) -> int:
        """Give the gap after one byte of whitespace, -1 where it is not allowed."""
        if self.policy == "compact" or gap == _CLOSED:
            return -1
        if self.indent is not None:
            fits = byte == self.due(gap, depth, line)
            return -1 if not fits else gap + 1 if gap else _LINE if line else _CLOSED
        if gap == 0:
            return _CLOSED if byte == SPACE else _LINE if byte == NEWLINE and line else -1
        if byte == SPACE and gap < _TABS:
            return gap + 1 if gap - _LINE < MOST_SPACES * depth else -1
        if byte == TAB and gap == _LINE:
            return _TABS + 1 if depth else -1
        return gap + 1 if byte == TAB and gap >= _TABS and gap - _TABS < depth else -1

    def bytes(self, gap: int, depth: int, line: bool) -> tuple[int, ...]:
        """Give the whitespace that may follow."""
        if self.policy == "compact" or gap == _CLOSED:
            return ()
        if self.indent is not None:
            due = self.due(gap, depth, line)
            return () if due < 0 else (due,)
        if gap == 0:
            return (SPACE, NEWLINE) if line else (SPACE,)
        return tuple(byte for byte in (SPACE, TAB) if self.step(gap, byte, depth, line) >= 0)


__all__ = ["MOST_SPACES", "Policy", "Whitespace"]
