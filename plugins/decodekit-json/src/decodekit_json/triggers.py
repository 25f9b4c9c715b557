"""Free text up to one of some beginnings, as a terminal: Aho and Corasick's automaton (1975) on bytes.

A beginning starts with a trigger. Before a trigger the text is free, as long as it is UTF-8; from a trigger on only a
beginning may be written. It does not know what comes after one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from decodekit_json.loops import MOVES, WHOLE
from decodekit_json.terminal import INFINITE, Terminal

_REST = (0, 1, 2, 3, 2, 2, 3, 3)
"""Bytes that a character still needs, by the place inside of it; see `loops.MOVES`."""

State = tuple[int, int]
"""A node of the tree of beginnings, and the place inside of a character."""


class Until(Terminal):
    """Texts that end with the first of some beginnings. Make it with `until`.

    Args:
        begins: The beginnings.
        triggers: Where the free text ends. Each beginning starts with one, and none is a part of another: so the
            first to be complete is the first to have begun.

    Attributes:
        begins: The beginnings.
        locked: Whether only a beginning can follow, by node.
    """

    def __init__(self, begins: Sequence[bytes], triggers: Sequence[bytes]) -> None:
        self.begins = tuple(begins)
        self._children: list[dict[int, int]] = [{}]
        self._ends: list[int] = [-1]
        self.locked: list[bool] = [False]
        for number, begin in enumerate(begins):
            free = len(next(trigger for trigger in triggers if begin.startswith(trigger)))
            self._ends[self._grow(begin, free)] = number
        self._fallbacks = self._find_fallbacks()
        self._distances = self.costs([0] * len(self.begins))

    def _grow(self, begin: bytes, free: int) -> int:
        node = 0
        for depth, byte in enumerate(begin, 1):
            following = self._children[node].get(byte)
            if following is None:
                following = self._children[node][byte] = len(self._children)
                self._children.append({})
                self._ends.append(-1)
                self.locked.append(depth >= free)
            node = following
        return node

    def _find_fallbacks(self) -> list[int]:
        """Give the longest end of each free node that is a node too, and give each free node its moves."""
        fallbacks = [0] * len(self._children)
        self._moves: list[dict[int, int]] = [dict(self._children[0]), *self._children[1:]]
        pending = [(node, 0) for node in self._children[0].values() if not self.locked[node]]
        for node, fallback in pending:  # by depth, so that moves of a fallback are there
            fallbacks[node] = fallback
            for byte, child in self._children[node].items():
                if not self.locked[child]:
                    pending.append((child, self._moves[fallback].get(byte, 0)))
            self._moves[node] = {**self._moves[fallback], **self._children[node]}
        return fallbacks

    def start(self) -> State:
        """Give the state before the first byte."""
        return (0, WHOLE)

    def step(self, state: State, byte: int) -> State | None:
        """Give the state after `byte`."""
        node, shape = state
        if self.locked[node]:
            following = self._children[node].get(byte)
            return None if following is None else (following, WHOLE)
        shape = MOVES[shape][byte]
        if shape < 0:
            return None
        return (self._moves[node].get(byte, 0), shape)

    def final(self, state: State) -> bool:
        """Say whether a beginning has just been written."""
        return self._ends[state[0]] >= 0

    def closed(self, state: State) -> bool:
        """Say whether a beginning has just been written that none goes on from."""
        return self.final(state) and not self._children[state[0]]

    def which(self, state: State) -> int:
        """Give the number of the beginning that has just been written, -1 where none was."""
        return self._ends[state[0]]

    def pauses(self, state: State) -> bool:
        """Say whether the text is free and between two characters."""
        return not self.locked[state[0]] and state[1] == WHOLE

    def rest(self, state: State) -> int:
        """Give how many bytes the character still needs that the text is in."""
        return _REST[state[1]]

    def base(self, state: State) -> State | None:
        """Give the state of free text that no beginning has begun in, where this one is between two characters."""
        return self.start() if self.pauses(state) else None

    def allowed(self, state: State) -> bytes | None:
        """Give the bytes that may follow inside of a beginning; None in free text."""
        return bytes(self._children[state[0]]) if self.locked[state[0]] else None

    def costs(self, behind: Sequence[int]) -> list[int]:
        """Give the fewest bytes by node, where each beginning costs so much more; to be read by `nearest`."""
        down = [INFINITE] * len(self._children)
        for node in reversed(range(len(down))):  # children come after their parents
            if self._ends[node] >= 0:
                down[node] = behind[self._ends[node]]
            down[node] = min([down[node], *(1 + down[child] for child in self._children[node].values())])
        found = list(down)
        for node in sorted(range(1, len(down)), key=self._depth):
            if self._fallbacks[node]:
                found[node] = min(found[node], found[self._fallbacks[node]])
        return found

    def _depth(self, node: int) -> int:
        depth = 0
        while node:
            node, depth = self._fallbacks[node], depth + 1
        return depth

    def nearest(self, state: State, costs: Sequence[int]) -> int:
        """Give the fewest bytes from a state, by what `costs` gave."""
        node, shape = state
        fresh = _REST[shape] + costs[0]
        if not node:
            return fresh
        return costs[node] if self.locked[node] else min(costs[node], fresh)

    def distance(self, state: State) -> int:
        """Give the fewest bytes to the end of a beginning, exactly."""
        return self.nearest(state, self._distances)

    def count(self, state: State, limit: int) -> int:
        """Give how many texts can still come out, at most `limit`: in free text more than that."""
        return limit if not self.locked[state[0]] else min(limit, len(list(self.completions(state))))

    def completions(self, state: State) -> Iterator[bytes]:
        """Give one completion for each beginning that can still come out, once one of them must."""
        pending = [(state[0], b"")] if self.locked[state[0]] else []
        for node, text in pending:
            if self._ends[node] >= 0:
                yield text
            pending += [(child, text + bytes((byte,))) for byte, child in self._children[node].items()]


@lru_cache(maxsize=256)
def until(begins: tuple[bytes, ...], triggers: tuple[bytes, ...]) -> Until:
    """Give the terminal; the same object for the same arguments, as long as the cache keeps it."""
    return Until(begins, triggers)


__all__ = ["State", "Until", "until"]
