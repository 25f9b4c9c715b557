"""The keys that a schema names, as numbers in its order, as bits, and as texts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from decodekit_json.caching import Limited
from decodekit_json.fixed import FixedTerminal, fixed_strings
from decodekit_json.subsets import bits

if TYPE_CHECKING:
    from decodekit_json.keys import KeyClass
    from decodekit_json.terminal import TerminalState

_KEPT = 2_000
"""Sets of keys of which is kept the state before one of them."""


class NamedKeys:
    """The named keys of one kind of object.

    Args:
        names: Their texts, in order.

    Attributes:
        place_of: Their numbers.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.place_of = {name: i for i, name in enumerate(names)}
        self._in_class: dict[KeyClass, frozenset[str]] = {}
        self._starts: dict[int, TerminalState | None] = Limited(_KEPT)

    def mask(self, names: Iterable[str]) -> int:
        """Give some of them as bits."""
        found = 0
        for name in names:
            found |= 1 << self.place_of[name]
        return found

    def in_class(self, c: KeyClass) -> frozenset[str]:
        """Give those that are texts of a kind of other keys."""
        found = self._in_class.get(c)
        if found is None:
            found = self._in_class[c] = frozenset(name for name in self.names if c.has(name))
        return found

    @cached_property
    def texts(self) -> frozenset[bytes]:
        """Give them as JSON texts without escapes."""
        return frozenset(b'"%b"' % name.encode("utf-8", "replace") for name in self.names)

    @cached_property
    def terminal(self) -> FixedTerminal:
        """Give the terminal that reads one of them."""
        return fixed_strings(self.names)

    @cached_property
    def places(self) -> list[int]:
        """Give them by their numbers in the terminal."""
        return [self.place_of[name] for name in self.terminal.members]

    def start(self, mask: int) -> TerminalState | None:
        """Give the state before one of some of them."""
        found = self._starts.get(mask)
        if found is None:
            numbers = self.terminal.numbers
            members = sum(1 << numbers[self.names[i]] for i in bits(mask) if self.names[i] in numbers)
            found = self._starts[mask] = self.terminal.start_with(members)
        return found

    def read(self, state: TerminalState) -> int:
        """Give the one that a state of the terminal has read."""
        number = self.terminal.which(state)
        assert number is not None
        return self.place_of[self.terminal.members[number]]


__all__ = ["NamedKeys"]
