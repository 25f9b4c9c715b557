"""Reading the rest of many tokens at once, level by level, by threads that meet again whatever they read.

The sets of threads that tokens lead to are numbered as the states of an automaton, whose moves are worked out once; the
tokens then go through it as arrays.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from decodekit_json.machine import Thread
from decodekit_json.trie import Array, VocabularyTrie, ranges

_MANY_STATES = 512
_FIRST_STATES = 16
_UNKNOWN, _DEAD = -2, -1


@dataclass(slots=True)
class Crowd:
    """Where tokens lead.

    Attributes:
        ids: Tokens that threads have read to their end.
        reached: The threads that they lead to, and those that stand where tokens go on.
        passed: Nodes where a thread of `bottom` stands and tokens go on.
    """

    ids: Array
    reached: set[Thread] = field(default_factory=set[Thread])
    passed: list[int] = field(default_factory=list[int])


class Levels:
    """Sets of threads as the states of an automaton.

    Args:
        trie: The vocabulary.
        bottom: The thread that stands for what is below a part; it reads nothing.
    """

    def __init__(self, trie: VocabularyTrie, bottom: Thread) -> None:
        self.trie, self.bottom = trie, bottom
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._numbers: dict[frozenset[Thread], int] = {}
        self._states: list[frozenset[Thread]] = []
        self._moves: Array = np.full((0, 256), _UNKNOWN, np.int32)
        self._bottom: Array = np.zeros(0, np.bool_)

    def read(self, thread: Thread, nodes: Iterable[int]) -> Crowd:
        """Let a thread read the tokens below some nodes of the trie; one caller at a time numbers states."""
        with self._lock:
            return self._read(thread, nodes)

    def _read(self, thread: Thread, nodes: Iterable[int]) -> Crowd:
        if len(self._states) > _MANY_STATES:
            self._clear()
        trie, first = self.trie, self.trie.first
        at = np.fromiter(nodes, np.int64)
        states = np.full(len(at), self._number((thread,)), np.int64)
        found, seen = list[Array](), set[int]()
        crowd = Crowd(np.zeros(0, np.int32))
        while len(at):
            counts = first[at + 1] - first[at]
            children = ranges(first[at], counts)
            states = self._step(np.repeat(states, counts), trie.letters[children])
            alive = np.flatnonzero(states >= 0)
            at, states = children[alive], states[alive]
            low = trie.low[at]
            found.append(trie.order[ranges(low, trie.own[at] - low)])
            seen.update(np.unique(states).tolist())
            inner = np.flatnonzero(first[at + 1] > first[at])
            at, states = at[inner], states[inner]
            crowd.passed += at[self._bottom[states]].tolist()
        crowd.ids = np.concatenate(found) if found else crowd.ids
        crowd.reached.update(thread for number in seen for thread in self._states[number])
        return crowd

    def _number(self, threads: Iterable[Thread]) -> int:
        key = frozenset(threads)
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self._states)
            if found == len(self._moves):
                more = max(found, _FIRST_STATES)
                self._moves = np.concatenate([self._moves, np.full((more, 256), _UNKNOWN, np.int32)])
                self._bottom = np.concatenate([self._bottom, np.zeros(more, np.bool_)])
            self._states.append(key)
            self._bottom[found] = self.bottom in key
        return found

    def _step(self, states: Array, letters: Array) -> Array:
        reached = self._moves[states, letters]
        unknown = reached == _UNKNOWN
        if not unknown.any():
            return reached
        for key in np.unique(states[unknown] << 8 | letters[unknown]).tolist():
            state, byte = key >> 8, key & 255
            after = [one for thread in self._states[state] for one in thread.step(byte)]
            number = self._number(after) if after else _DEAD  # may put `_moves` into a larger array
            self._moves[state, byte] = number
        return self._moves[states, letters]


__all__ = ["Crowd", "Levels"]
