"""Byte automata: deterministic, over byte classes, every state on the way to an accepted text.

Leaves (sets of characters, one character of a JSON string) are compiled by outlines-core: its `Index` over the
vocabulary of single bytes *is* the automaton of a regex. Only expressions of known size go there, because it
determinises without a bound, the unanchored search included (`.*a.{30}`, or a URL with bounded labels: minutes,
gigabytes), and because it is leftmost-first: `a|ab` loses `ab`, `a*?` is empty. An end anchor undoes the latter;
`nodes` puts larger expressions together.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from decodekit import errors

Ints = np.ndarray[Any, np.dtype[np.int32]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Classes = np.ndarray[Any, np.dtype[np.uint8]]

MAX_STATES = 200_000
MAX_PAIRS = 400_000
"""Most pairs of states that a product may reach."""
# Where UTF-8 tells bytes past 0x7F apart, whatever the expression.
_UTF8_CUTS = (0x80, 0x90, 0xA0, 0xC0, 0xC2, 0xE0, 0xE1, 0xED, 0xEE, 0xF0, 0xF1, 0xF4, 0xF5)
_END = 256


@dataclass(frozen=True, slots=True, eq=False)
class Automaton:
    """A deterministic automaton; state 0 is the start, -1 nowhere.

    Attributes:
        moves: Next state, shape [state, class].
        classes: Class of each byte, shape [256].
        final: Where a text may end, shape [state].
    """

    moves: Ints
    classes: Classes
    final: Bools

    @property
    def size(self) -> int:
        """Number of states; 0 where no text is accepted."""
        return len(self.final)

    def walk(self, state: int, raw: bytes) -> int:
        """Follow bytes; -1 once there is no way on."""
        moves, classes = self.moves, self.classes
        for byte in raw:
            if state < 0:
                return -1
            state = moves.item(state, classes.item(byte))
        return state

    def accepts(self, raw: bytes) -> bool:
        """Say whether `raw` is a text of the language."""
        state = self.walk(0, raw) if self.size else -1
        return state >= 0 and bool(self.final[state])

    def example(self) -> bytes | None:
        """Give a shortest text, None where there is none."""
        if not self.size:
            return None
        byte_of = {int(c): b for b, c in reversed(list(enumerate(self.classes.tolist())))}
        came: dict[int, tuple[int, int]] = {0: (-1, 0)}
        layer = [0]
        while True:
            for state in layer:
                if self.final[state]:
                    return _spell(came, state, byte_of)
            following: list[int] = []
            for state in layer:
                for c, target in enumerate(self.moves[state].tolist()):
                    if target >= 0 and target not in came:
                        came[target] = (state, c)
                        following.append(target)
            layer = following


def _spell(came: dict[int, tuple[int, int]], state: int, byte_of: dict[int, int]) -> bytes:
    raw: list[int] = []
    while state:
        state, c = came[state]
        raw.append(byte_of[c])
    return bytes(reversed(raw))


NOTHING = Automaton(np.empty((0, 1), np.int32), np.zeros(256, np.uint8), np.empty(0, np.bool_))


def trim(moves: Ints, classes: Classes, final: Bools, start: int) -> Automaton:
    """Keep the states that can be reached and from which a text can end; number them breadth first from the start."""
    live = final.copy()
    sources, _ = np.nonzero(moves >= 0)
    targets = moves[moves >= 0]
    order = np.argsort(targets, kind="stable")
    sources, offsets = sources[order], np.searchsorted(targets[order], np.arange(len(final) + 1))
    frontier = np.flatnonzero(live)
    while len(frontier):
        found = sources[ranges(offsets[frontier], offsets[frontier + 1])]
        frontier = np.unique(found[~live[found]])
        live[frontier] = True
    if not live[start]:
        return NOTHING
    alive = np.where((moves >= 0) & live[moves], moves, -1)
    number = np.full(len(final), -1, np.int32)
    number[start] = 0
    kept = [np.array([start])]
    count = 1
    while len(kept[-1]):
        reached = alive[kept[-1]].ravel()
        reached = reached[reached >= 0]
        fresh = np.unique(reached[number[reached] < 0])
        number[fresh] = np.arange(count, count + len(fresh), dtype=np.int32)
        count += len(fresh)
        kept.append(fresh)
    states = np.concatenate(kept)
    table = alive[states]
    return compress(np.where(table >= 0, number[table], -1).astype(np.int32), classes, final[states])


def compress(moves: Ints, classes: Classes, final: Bools) -> Automaton:
    """Merge byte classes that no state tells apart."""
    _, first, inverse = np.unique(moves, axis=1, return_index=True, return_inverse=True)
    return Automaton(np.ascontiguousarray(moves[:, first]), inverse.reshape(-1).astype(np.uint8)[classes], final)


def joint_classes(automata: list[Classes]) -> tuple[Classes, Classes]:
    """Give classes that refine all of `automata`, and one byte of each class."""
    stacked = np.stack([*automata, np.zeros(256, np.uint8)])
    _, first, inverse = np.unique(stacked, axis=1, return_index=True, return_inverse=True)
    return inverse.reshape(-1).astype(np.uint8), first.astype(np.uint8)


def product(one: Automaton, two: Automaton, *, without: bool = False) -> Automaton:
    """Intersect two languages; with `without`, the texts of `one` that `two` has not.

    Raises:
        SchemaError: When more than `MAX_PAIRS` pairs of states are reached.
    """
    if not one.size or (not two.size and not without):
        return NOTHING
    if not two.size:
        return one
    classes, letters = joint_classes([one.classes, two.classes])
    left, right = one.moves[:, one.classes[letters]], two.moves[:, two.classes[letters]]
    # Pairs are numbers left * width + right; "nowhere" on the right is kept apart as the last column when subtracting.
    width = two.size + 1
    right = np.vstack([right, np.full((1, right.shape[1]), -1, np.int32)])
    right = np.where(right < 0, two.size, right)
    seen = {0}
    rows: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = []
    frontier = np.array([0], np.int64)
    while len(frontier):
        a, b = left[frontier // width], right[frontier % width]
        dead = (a < 0) | ((b == two.size) & (not without))
        following = np.where(dead, -1, a.astype(np.int64) * width + b)
        rows.append((frontier, following))
        fresh = [pair for pair in np.unique(following).tolist() if pair >= 0 and pair not in seen]
        seen.update(fresh)
        frontier = np.array(fresh, np.int64)
        if len(seen) > MAX_PAIRS:
            raise errors.SchemaError(
                f"the intersection reaches more than {MAX_PAIRS} pairs of states",
                hint="shorten bounded repeats such as {0,1000}, or maxLength",
            )
    pairs = np.concatenate([pair for pair, _ in rows])
    moves = np.concatenate([following for _, following in rows])
    order = np.argsort(pairs)
    known = pairs[order]
    moves = np.where(moves[order] >= 0, np.searchsorted(known, moves[order]), -1).astype(np.int32)
    ends = np.append(two.final, False)[known % width]
    return trim(moves, classes, one.final[known // width] & (ends ^ without), 0)


def ranges(starts: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Concatenate the ranges start..end."""
    counts = (ends - starts).astype(np.int64)
    total = int(counts.sum())
    shift = np.repeat(starts - np.append(0, np.cumsum(counts)[:-1]), counts)
    return shift + np.arange(total)


_building = threading.Lock()


@lru_cache(maxsize=4096)
def leaf(regex: str) -> Automaton:
    """Compile a small regex (Rust syntax, at least one character, no anchors) with outlines-core."""
    from outlines_core import Index, Vocabulary

    letters = _letters(regex)
    with _building:
        index = Index(rf"(?:{regex})\z", Vocabulary(_END, {bytes([byte]): [byte] for byte in letters}))
    table: dict[int, dict[int, int]] = index.get_transitions()
    number = {state: i for i, state in enumerate([index.get_initial_state(), *table, *index.get_final_states()])}
    number = {state: i for i, state in enumerate(number)}
    moves = np.full((len(number), len(letters)), -1, np.int32)
    column = {byte: i for i, byte in enumerate(letters)}
    for state, row in table.items():
        for byte, target in row.items():
            if byte != _END:
                moves[number[state], column[byte]] = number[target]
    classes = (np.searchsorted(letters, np.arange(256), side="right") - 1).astype(np.uint8)
    final = np.zeros(len(number), np.bool_)
    final[[number[state] for state in index.get_final_states()]] = True
    return trim(moves, classes, final, number[index.get_initial_state()])


def _letters(regex: str) -> list[int]:
    """Give bytes that stand for all: every ASCII byte, and past it one per range that the expression can tell apart."""
    cuts = set(range(128)) | set(_UTF8_CUTS)
    if not regex.isascii() or "\\x{" in regex or "\\p" in regex:
        cuts |= set(range(128, 256))
    return sorted(cuts)


__all__ = [
    "MAX_PAIRS",
    "MAX_STATES",
    "NOTHING",
    "Automaton",
    "compress",
    "joint_classes",
    "leaf",
    "product",
    "ranges",
    "trim",
]
