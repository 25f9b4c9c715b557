"""Terminals: the languages of bytes that documents are put together from (a string, a number, a fixed text).

A terminal is not an automaton with a table: its states are worked out when they are visited.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from abc import ABC

    from decodekit_json.steady import Steady
else:
    ABC = object  # `isinstance` takes five times as long with classes that ABCMeta made, and it is asked all the time

TerminalState: TypeAlias = Any
"""A small hashable value; equal states have equal futures."""

INFINITE = 1 << 60
"""More values, or more bytes, than anything that is counted."""


class Terminal(ABC):
    """A language of bytes. Immutable, compared by identity; make equal ones once.

    The law: `step` never gives a state from which no text of the language can be completed.

    Attributes:
        kept_places: What `machine.reading` keeps here.
    """

    kept_places: Any = None

    @abstractmethod
    def start(self) -> TerminalState | None:
        """Give the state before the first byte, None where the language is empty."""

    @abstractmethod
    def step(self, state: TerminalState, byte: int) -> TerminalState | None:
        """Give the state after `byte`, None where no text of the language goes on so."""

    @abstractmethod
    def final(self, state: TerminalState) -> bool:
        """Say whether the bytes so far are a text of the language."""

    def closed(self, state: TerminalState) -> bool:
        """Say whether the bytes so far are a text of the language and no byte may follow."""
        return self.final(state) and not any(self.step(state, byte) is not None for byte in range(256))

    @abstractmethod
    def distance(self, state: TerminalState) -> int:
        """Give the fewest bytes to a final state, exactly; 0 where it is final.

        From every state with a distance d > 0 some byte leads to a state with distance d - 1.
        """

    @abstractmethod
    def count(self, state: TerminalState, limit: int) -> int:
        """Give how many different *values* can still come out (1 and 1.0 are one value), at most `limit`."""

    @abstractmethod
    def completions(self, state: TerminalState) -> Iterator[bytes]:
        """Give one completion for each value that can still come out; asked where `count` is small."""

    def allowed(self, state: TerminalState) -> bytes | None:
        """Give the bytes that may follow, or more, where that is known at once; else None."""
        return None

    def ways(self, state: TerminalState) -> list[tuple[bytes, TerminalState]] | None:
        """Give all bytes that may follow and the states after them, where that is known at once; else None."""
        return None

    def endless(self, state: TerminalState) -> bool:
        """Say whether infinitely many values can still come out; False where that is not known at once."""
        return False

    def plain(self, state: TerminalState) -> tuple[int, int] | None:
        """Give the code points still needed and possible inside a string whose rest may be anything, else None."""
        return None

    def steady(self, state: TerminalState) -> Steady | None:
        """Give the characters of which any number may follow, where none of them ends the text; else None."""
        return None

    def alternatives(self, state: TerminalState) -> list[TerminalState]:
        """Give states of which each text goes on from one, where that is simpler than `state`; else none."""
        return []

    def base(self, state: TerminalState) -> TerminalState | None:
        """Give a state that most characters lead back to and most bytes lead on from as from `state`; else None."""
        return None

    def reader(self, state: TerminalState) -> Hashable:
        """Give what is equal for terminals that read on from a state in the same way; by default the terminal."""
        return self

    def alike(self, state: TerminalState, horizon: int) -> Hashable:
        """Give a key that is equal for states which the next `horizon` bytes cannot tell apart.

        Two states of one terminal with equal keys have the same set of byte strings of at most `horizon` bytes that
        lead to a state, or past an end. By default the state itself.
        """
        return state


__all__ = ["INFINITE", "Terminal", "TerminalState"]
