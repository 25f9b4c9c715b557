"""Tokens inside of JSON strings whose text may be anything: only code points count.

All such states of all schemas share what is worked out here: once for the tokens from their first byte on, and once for
the tokens below a node that are read from there on.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from decodekit.types import PackedMask
from decodekit_json.trie import Array, VocabularyTrie, ranges

BETWEEN, CLOSED = 0, 1
_DEAD = -1
_QUOTE, _BACKSLASH = 0x22, 0x5C
_DIGITS = b"0123456789abcdefABCDEF"


class Plain:
    """The tokens below a node of the trie, read between two characters of a free string from that node on.

    A token that ends inside of a character counts that character as well: there must be room for it.

    Attributes:
        state: What each node below leads to, by place in `nodes`; -1 where no string goes so.
        sizes: Code points up to there, an unfinished one included.
        tokens: Ids of the tokens that end in the string, by size.
        token_sizes: Their sizes, ascending.
        closing: Ids of the tokens that end with the closing quote, by size.
        closing_sizes: Their sizes, ascending.
        exits: Nodes after the closing quote where tokens go on, by size.
        exit_sizes: Their sizes, ascending.
        extra: Bytes that an unfinished character still needs, at most.
        largest: The largest size.
    """

    def __init__(self, trie: VocabularyTrie, node: int) -> None:
        self.trie, self.node = trie, node
        nodes, self.state, self.sizes = _read(trie, node)
        inside = np.flatnonzero(self.state != _DEAD)[1:]  # the first is the node itself
        live, states, sizes = nodes[inside], self.state[inside], self.sizes[inside]
        starts, counts = trie.low[live], trie.own[live] - trie.low[live]
        where = np.repeat(np.arange(len(live)), counts)
        ids = trie.order[ranges(starts, counts)]
        closed = states[where] == CLOSED
        self.tokens, self.token_sizes = _by_size(ids[~closed], sizes[where][~closed])
        self.closing, self.closing_sizes = _by_size(ids[closed], sizes[where][closed])
        going = (states == CLOSED) & (trie.first[live + 1] > trie.first[live])
        self.exits, self.exit_sizes = _by_size(live[going], sizes[going])
        self.extra = int(_REST[np.unique(states[where])].max(initial=0))
        self.largest = int(max(self.token_sizes[-1:].max(initial=0), self.closing_sizes[-1:].max(initial=0)))
        self._groups = _groups(ids[~closed], states[where][~closed], sizes[where][~closed])
        self._masks = self._all_masks()

    def below(self, nodes: Array, needed: int, possible: int) -> tuple[Array, Array]:
        """Give the tokens below nodes that are read from there on, and the nodes where tokens go on past the end.

        Only for the whole trie, and for nodes that it has between two characters.
        """
        trie = self.trie
        low, base = trie.own[nodes], self.sizes[nodes]
        counts = trie.high[nodes] - low
        at = ranges(low, counts)
        states, sizes = self.token_at
        sizes = sizes[at] - np.repeat(base, counts)
        kept = (states[at] >= 0) & (sizes <= possible)
        if needed:
            kept &= (states[at] != CLOSED) | (sizes >= needed)
        exits, exit_low = self.exits_in_order
        first = np.searchsorted(exit_low, low)
        counts = np.searchsorted(exit_low, trie.high[nodes]) - first
        found = exits[ranges(first, counts)]
        sizes = self.sizes[found] - np.repeat(base, counts)
        return trie.order[at[kept]], found[(sizes >= needed) & (sizes <= possible)]

    def all_but(self, nodes: list[int]) -> tuple[Array, Array]:
        """Give where in the trie's order the tokens are that stay in a string, and the nodes where others go past it.

        Only for the whole trie, and without those below some nodes.
        """
        kept, (exits, exit_low) = self.token_at[0] >= 0, self.exits_in_order
        kept[: self.trie.own[0]] = False
        left = np.ones(len(exits), np.bool_)
        for node in nodes:
            low, high = int(self.trie.low[node]), int(self.trie.high[node])
            kept[low:high] = False
            first, last = np.searchsorted(exit_low, (low, high))
            left[first:last] = False
        return np.flatnonzero(kept), exits[left]

    def closes_below(self, nodes: Array) -> bool:
        """Say whether a token below one of some nodes ends the string, as it is read from the beginning."""
        low, high = self.trie.own[nodes], self.trie.high[nodes]
        return bool((np.searchsorted(self.closing_at, low) < np.searchsorted(self.closing_at, high)).any())

    def groups_below(self, nodes: Array, needed: int, possible: int) -> list[tuple[int, Array]]:
        """Give the tokens of `below`, each group with the node that the first of it was read from.

        From one state at all nodes, those of a group lead to states with the same future.
        """
        low = self.trie.own[nodes]
        counts = self.trie.high[nodes] - low
        at, base = ranges(low, counts), np.repeat(self.sizes[nodes], counts)
        states, sizes = self.token_at[0][at], self.token_at[1][at] - base
        kept = (states >= 0) & (sizes <= possible) & ((states != CLOSED) | (sizes >= needed))
        above = np.repeat(nodes, counts)[kept]
        grouped = _groups(np.arange(len(above)), states[kept], sizes[kept])
        ids = self.trie.order[at[kept]]
        return [(int(above[group[0]]), ids[group]) for _, group in grouped]

    @cached_property
    def token_at(self) -> tuple[Array, Array]:
        """State and size of the tokens in the trie's order."""
        trie = self.trie
        counts = trie.own - trie.low
        node_of = np.empty(len(trie.order), np.int64)
        node_of[ranges(trie.low, counts)] = np.repeat(np.arange(trie.size), counts)
        return self.state[node_of], self.sizes[node_of]

    @cached_property
    def closing_at(self) -> Array:
        """Where the tokens that end the string are in the trie's order."""
        return np.flatnonzero(self.token_at[0] == CLOSED)

    @cached_property
    def exits_in_order(self) -> tuple[Array, Array]:
        """The exits and where their tokens begin, in the trie's order."""
        low = self.trie.low[self.exits]
        order = np.argsort(low, kind="stable")
        return self.exits[order], low[order]

    @cached_property
    def size_of(self) -> Array:
        """Size of each token by its id, shape [id]; 0 for those that no string goes on with."""
        found = np.zeros(self.trie.width, np.int16)
        found[self.tokens], found[self.closing] = self.token_sizes, self.closing_sizes
        return found

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        arrays = (self.state, self.sizes, self.tokens, self.token_sizes, *self._masks)
        return sum(a.nbytes for a in arrays) + 400 * len(self.exits) + 1000

    def _all_masks(self) -> list[PackedMask]:
        marked = np.zeros(self.trie.width, np.bool_)
        masks: list[PackedMask] = []
        for size in range(self.largest + 1):
            low, high = np.searchsorted(self.token_sizes, (size, size + 1))
            if low < high or not masks:
                marked[self.tokens[low:high]] = True
                masks.append(self.trie.pack(marked))
            else:
                masks.append(masks[-1])
        return masks

    def bits(self, needed: int, possible: int) -> PackedMask:
        """Give the tokens that stay in the string, with or without its closing quote."""
        mask = self._masks[min(possible, self.largest)]
        low, high = self._between(self.closing_sizes, needed, possible)
        if low == high:
            return mask
        mask = mask | self.trie.pack(self.closing[low:high])
        mask.setflags(write=False)
        return mask

    def most(self, needed: int) -> int:
        """Give a bound on the bytes to the end after any of the tokens; it is reached, but for odd vocabularies."""
        return max(needed - 1, 0) + self.extra + 1

    def exits_between(self, needed: int, possible: int) -> list[int]:
        """Give the nodes where the string has ended and tokens go on."""
        low, high = self._between(self.exit_sizes, needed, possible)
        return self.exits[low:high].tolist()

    def groups(self, needed: int, possible: int) -> list[Array]:
        """Give the tokens that stay in the string; those of a group lead to states with the same future."""
        low, high = self._between(self.closing_sizes, needed, possible)
        found = [ids for size, ids in self._groups if size <= possible]
        return [*found, self.closing[low:high]] if low < high else found

    @staticmethod
    def _between(sizes: Array, needed: int, possible: int) -> tuple[int, int]:
        low, high = np.searchsorted(sizes, (min(needed, 1 << 30), min(possible, 1 << 30) + 1))
        return int(low), max(int(high), int(low))


def plain_of(trie: VocabularyTrie, node: int) -> Plain:
    """Give what is known about the tokens below a node; made once, that for node 0 stays with the trie."""
    if node:
        return trie.kept_views.get(node, lambda: Plain(trie, node))
    return trie.whole.get(0, lambda: Plain(trie, 0))


def _by_size(items: Array, sizes: Array) -> tuple[Array, Array]:
    order = np.argsort(sizes, kind="stable")
    return items[order], sizes[order]


def _groups(ids: Array, states: Array, sizes: Array) -> list[tuple[int, Array]]:
    keys = sizes.astype(np.int64) * len(_REST) + states
    order = np.argsort(keys, kind="stable")
    cuts = np.flatnonzero(np.diff(keys[order])) + 1
    return [(int(sizes[group[0]]), ids[group]) for group in np.split(order, cuts) if len(group)]


def _read(trie: VocabularyTrie, node: int) -> tuple[Array, Array, Array]:
    """Read every node below one, level by level, where a level is a range."""
    nodes, states, sizes = [np.array([node])], [np.zeros(1, np.int8)], [np.zeros(1, np.int16)]
    start, end = node, node + 1
    while True:
        below = trie.first[start : end + 1]
        low, high = int(below[0]), int(below[-1])
        if low == high:
            break
        counts = np.diff(below)
        before = np.repeat(states[-1], counts)
        after = _STEP[before, trie.letters[low:high]]
        began = (before == BETWEEN) & (after != CLOSED)
        sizes.append(np.repeat(sizes[-1], counts) + began.astype(np.int16))
        states.append(after)
        nodes.append(np.arange(low, high))
        start, end = low, high
    return np.concatenate(nodes), np.concatenate(states), np.concatenate(sizes)


def _table() -> tuple[Array, Array]:
    """Make the automaton of what stands in a JSON string: its moves, and the fewest bytes to the end of a character."""
    rest: list[int] = [0, 0]
    moves: list[dict[int, int]] = [{}, {}]

    def add(bytes_left: int, *ways: tuple[Any, int]) -> int:
        moves.append({byte: target for some, target in ways for byte in some})
        rest.append(bytes_left)
        return len(rest) - 1

    tail = range(0x80, 0xC0)
    one = add(1, (tail, BETWEEN))
    two = add(2, (tail, one))
    three = add(3, (tail, two))
    after_e0, after_ed = add(2, (range(0xA0, 0xC0), one)), add(2, (range(0x80, 0xA0), one))
    after_f0, after_f4 = add(3, (range(0x90, 0xC0), two)), add(3, (range(0x80, 0x90), two))
    hex_one = add(1, (_DIGITS, BETWEEN))
    hex_two = add(2, (_DIGITS, hex_one))
    hex_three = add(3, (_DIGITS, hex_two))
    low_kind = add(3, (b"cdefCDEF", hex_two))
    low_u = add(5, (b"u", add(4, (b"dD", low_kind))))
    high_one = add(7, (_DIGITS, add(6, (b"\\", low_u))))
    high_two = add(8, (_DIGITS, high_one))
    after_d = add(3, (b"01234567", hex_two), (b"89abAB", high_two))
    unicode = add(4, (b"0123456789abcefABCEF", hex_three), (b"dD", after_d))
    escape = add(1, (b'"\\/bfnrt', BETWEEN), (b"u", unicode))
    moves[BETWEEN] = {
        **dict.fromkeys(range(0x20, 0x80), BETWEEN),
        _QUOTE: CLOSED,
        _BACKSLASH: escape,
        **dict.fromkeys(range(0xC2, 0xE0), one),
        **dict.fromkeys(range(0xE1, 0xF0), two),
        **dict.fromkeys(range(0xF1, 0xF4), three),
        0xE0: after_e0,
        0xED: after_ed,
        0xF0: after_f0,
        0xF4: after_f4,
    }
    step = np.full((len(moves) + 1, 256), _DEAD, np.int8)  # the last row is that of -1
    for state, ways in enumerate(moves):
        for byte, target in ways.items():
            step[state, byte] = target
    return step, np.array([*rest, 0])


_STEP, _REST = _table()

__all__ = ["BETWEEN", "CLOSED", "Plain"]
