"""Where whitespace may stand between a document's parts, and how much: bounded, so that no text is only whitespace.

A gap is a small int: 0 before any whitespace, then what was written. Gaps never come first or last in a document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Policy: TypeAlias = Literal["compact", "flexible"]

SPACE, TAB, NEWLINE = 0x20, 0x09, 0x0A
_CLOSED = 1
_LINE = 2
_TABS = 1 << 20
_WIDEST = 4


@dataclass(frozen=True, slots=True)
class Whitespace:
    """What the model may write between parts.

    Attributes:
        policy: "compact" writes none. "flexible" allows a space after `:`, and where a line may break (after an opening
            bracket, after a comma, before a closing bracket) a space, or a line break with at most four spaces or one
            tab for each level.
    """

    policy: Policy = "flexible"

    def step(self, gap: int, byte: int, depth: int, line: bool) -> int:
        """Give the gap after one byte of whitespace, -1 where it is not allowed."""
        if self.policy == "compact" or gap == _CLOSED:
            return -1
        if gap == 0:
            return _CLOSED if byte == SPACE else _LINE if byte == NEWLINE and line else -1
        if byte == SPACE and gap < _TABS:
            return gap + 1 if gap - _LINE < _WIDEST * depth else -1
        if byte == TAB and gap == _LINE:
            return _TABS + 1 if depth else -1
        return gap + 1 if byte == TAB and gap >= _TABS and gap - _TABS < depth else -1

    def bytes(self, gap: int, depth: int, line: bool) -> tuple[int, ...]:
        """Give the whitespace that may follow."""
        if self.policy == "compact" or gap == _CLOSED:
            return ()
        if gap == 0:
            return (SPACE, NEWLINE) if line else (SPACE,)
        return tuple(byte for byte in (SPACE, TAB) if self.step(gap, byte, depth, line) >= 0)


__all__ = ["Policy", "Whitespace"]
