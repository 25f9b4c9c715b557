"""The texts of a terminal from a state on, the shortest in bytes first: listed as far as they were asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import count

from decodekit_json.strings import StringTerminal
from decodekit_json.terminal import Terminal, TerminalState
from decodekit_json.writings import inside

_MOST_PLACES = 10_000


class Nearby:
    """The shortest texts; which comes first of equally short ones is up to the order of the bytes.

    Args:
        terminal: What is read.
        state: From where on.
        letters: The bytes that may be written, those to take first.
    """

    def __init__(self, terminal: Terminal, state: TerminalState, letters: Sequence[int]) -> None:
        self._terminal, self._letters = terminal, letters
        self._string = terminal if isinstance(terminal, StringTerminal) else None
        self._found: list[tuple[bytes, TerminalState]] = []
        self._order = count()
        self._queue = [(terminal.distance(state), 0, next(self._order), b"", state)]
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[tuple[bytes, TerminalState]]:
        """Give each text with the state at its end; none past a bound."""
        for number in count():
            if number >= len(self._found):
                with self._lock:
                    while number >= len(self._found):
                        if not self._queue or next(self._order) > 256 * _MOST_PLACES:
                            return
                        self._go_on()
            yield self._found[number]

    def _go_on(self) -> None:
        terminal = self._terminal
        _, _, _, text, state = heappop(self._queue)  # of equals the one that has come farthest
        if terminal.final(state):
            self._found.append((text, state))
        allowed = terminal.allowed(state)
        for byte in self._letters if allowed is None else [byte for byte in self._letters if byte in allowed]:
            after = terminal.step(state, byte)
            longer = text + bytes((byte,))
            if after is not None and not self._said_otherwise(longer, after):
                size = len(longer) + terminal.distance(after)
                heappush(self._queue, (size, -len(longer), next(self._order), longer, after))

    def _said_otherwise(self, text: bytes, state: TerminalState) -> bool:
        """Say whether a part of a string has escapes that are written shorter in another one."""
        string = self._string
        return string is not None and b"\\" in text and string.between_characters(state) and _escaped(text)


def _escaped(text: bytes) -> bool:
    try:
        return len(inside(json.loads(b'"%b"' % text))) < len(text)
    except ValueError:  # it begins inside of a character
        return False


__all__ = ["Nearby"]
