"""The states of a terminal by number, with moves as arrays, so that many tokens are read at once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from decodekit_json.caching import BoundedCache
from decodekit_json.loops import loops, outside
from decodekit_json.terminal import Terminal, TerminalState
from decodekit_json.trie import Array

_MANY_STATES = 512
_MANY_KNOWN = 256
_WORDS = 3
_MANY_UNKNOWN = 8
"""Bytes of a state for which all of its moves are looked for at once."""
_UNKNOWN, _DEAD = -2, -1
_AUTOMATA_BYTES = 96 << 20
_BACKSLASH, _QUOTE = 0x5C, 0x22


class Automaton:
    """The states of a terminal that walks have met, by number, with the moves that were asked for.

    Attributes:
        known: Moves of single walks, by state and byte.
        steady: Whether there are characters of which any number may follow a state, shape [state]; below 0: not known.
        outside: All others, as words, each of shape [state].
    """

    nbytes = _MANY_STATES * 1200 + _MANY_KNOWN * 4800

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.lock = threading.Lock()
        self.known: dict[TerminalState, dict[int, TerminalState | None]] = {}
        self.clear()

    def clear(self) -> None:
        """Forget all states."""
        self.numbers: dict[TerminalState, int] = {}
        self.states: list[TerminalState] = []
        self.kept_loops: dict[int, tuple[list[int], list[tuple[int, int]]]] = {}
        self.moves: Array = np.full((16, 256), _UNKNOWN, np.int32)
        self.final: Array = np.zeros(16, np.bool_)
        self.free: Array = np.zeros(16, np.bool_)
        self.outside: list[Array] = [np.zeros(16, np.uint64) for _ in range(_WORDS)]
        self.steady: Array = np.full(16, _UNKNOWN, np.int8)

    def tidy(self) -> None:
        """Forget all states where there are too many."""
        if len(self.states) > _MANY_STATES:
            self.clear()

    def loops(self, state: int) -> tuple[list[int], list[tuple[int, int]]]:
        """Give the first bytes of characters that lead back to a state, and those that lead elsewhere; kept."""
        found = self.kept_loops.get(state)
        if found is None:
            step, states, number = self.terminal.step, self.states, self.number

            def move(at: int, byte: int) -> int:
                after = step(states[at], byte)
                return _DEAD if after is None else number(after)

            found = self.kept_loops[state] = loops(move, state)
        return found

    def number(self, state: TerminalState) -> int:
        """Give a state's number."""
        found = self.numbers.get(state)
        if found is None:
            found = self.numbers[state] = len(self.states)
            if found == len(self.moves):
                self.moves = np.concatenate([self.moves, np.full_like(self.moves, _UNKNOWN)])
                self.final = np.concatenate([self.final, np.zeros_like(self.final)])
                self.free = np.concatenate([self.free, np.zeros_like(self.free)])
                self.outside = [np.concatenate([words, np.zeros_like(words)]) for words in self.outside]
                self.steady = np.concatenate([self.steady, np.full_like(self.steady, _UNKNOWN)])
            self.states.append(state)
            self.final[found] = self.terminal.final(state)
            self.free[found] = free(self.terminal, state) is not None
        return found

    def judge(self, states: Array) -> None:
        """Find the characters of which any number may follow some states."""
        for number in np.unique(states[self.steady[states] == _UNKNOWN]).tolist():
            found = outside_of(self.terminal, self.states[number])
            self.steady[number] = found is not None
            for words, word in zip(self.outside, found or (0,) * _WORDS, strict=True):
                words[number] = word

    def step(self, states: Array, letters: Array) -> Array:
        """Give the states after one byte each, -1 where there is none."""
        reached = self.moves[states, letters]
        unknown = reached == _UNKNOWN
        if not unknown.any():
            return reached
        keys = np.unique(states[unknown].astype(np.int64) << 8 | letters[unknown])
        numbers, counts = np.unique(keys >> 8, return_counts=True)
        whole = [number for number in numbers[counts >= _MANY_UNKNOWN].tolist() if self._fill(number)]
        for key in keys[~np.isin(keys >> 8, whole)].tolist():
            after = self.terminal.step(self.states[key >> 8], key & 255)
            to = _DEAD if after is None else self.number(after)  # may put `moves` into a larger array
            self.moves[key >> 8, key & 255] = to
        return self.moves[states, letters]

    def _fill(self, number: int) -> bool:
        """Find all moves from a state; False where they are not known at once."""
        ways = self.terminal.ways(self.states[number])
        if ways is None:
            return False
        self.moves[number] = _DEAD
        for letters, after in ways:
            to = self.number(after)
            self.moves[number, list(letters)] = to
        return True


_AUTOMATA: BoundedCache[Automaton] = BoundedCache(_AUTOMATA_BYTES)


def automaton_of(terminal: Terminal) -> Automaton:
    """Give what is known of a terminal's states."""
    found = _AUTOMATA.get(terminal, lambda: Automaton(terminal))
    if len(found.known) > _MANY_KNOWN:
        found.known.clear()
    return found


def free(terminal: Terminal, state: TerminalState) -> tuple[int, int] | None:
    """Give the code points still needed and possible where a JSON string goes on with any text, None elsewhere."""
    found = terminal.plain(state)
    if found is None:
        return None
    if not found[1]:
        return found if terminal.step(state, _QUOTE) is not None else None
    after = terminal.step(state, _BACKSLASH)  # without quotes, a backslash is a character
    return found if after is not None and terminal.plain(after) is None else None


def outside_of(terminal: Any, state: TerminalState) -> tuple[int, ...] | None:
    """Give the characters of which not any number may follow a state, as three words; None for all."""
    found = terminal.steady(state)
    return outside(found.letters) if found and found.letters else None


__all__ = ["Automaton", "automaton_of", "free", "outside_of"]
