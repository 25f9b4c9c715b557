"""Strings whose length has limits: tokens are read once without the limits, and those are put on what was found."""

from __future__ import annotations

import numpy as np

from decodekit_json.plain import plain_of
from decodekit_json.strings import State, StringTerminal
from decodekit_json.trie import Array, VocabularyTrie
from decodekit_json.walking import Reached, Walk
from decodekit_json.within import Inside, Targets, Where


class Unlimited:
    """What the tokens below a node do in a string from a state on, whatever its length may be.

    Attributes:
        cases: States that tokens lead to, each with the code points on the way, one after the other state by state.
        ids: The tokens.
        case_of: Which case each of them is.
        ends: Nodes where tokens go on behind the string, with the code points on the way.
    """

    __slots__ = ("case_of", "cases", "ends", "ids", "nbytes")

    def __init__(self, trie: VocabularyTrie, terminal: StringTerminal, state: State, node: int) -> None:
        walk, view = Walk(trie, terminal, state, node), plain_of(trie, node)
        size_of = np.zeros(trie.width, np.int64)
        size_of[view.tokens], size_of[view.closing] = view.token_sizes, view.closing_sizes
        targets = walk.targets()
        self.ids: Array = np.concatenate([np.zeros(0, np.int32), *[ids for _, ids in targets]])
        many = trie.longest + 1
        keys = np.repeat(np.arange(len(targets)), [len(ids) for _, ids in targets]) * many + size_of[self.ids]
        found, self.case_of = np.unique(keys, return_inverse=True)
        self.cases: list[tuple[State, int]] = [(targets[key // many][0], key % many) for key in found.tolist()]
        size_at = dict(zip(view.exits.tolist(), view.exit_sizes.tolist(), strict=True))
        self.ends = [(node, size_at[node]) for nodes in walk.all_exits().values() for node in nodes]
        self.nbytes = self.ids.nbytes + self.case_of.nbytes + 200 * len(self.cases) + 100 * len(self.ends) + 500


class _Bits:
    """A mask that states with different limits have in common."""

    __slots__ = ("bits", "nbytes")

    def __init__(self, trie: VocabularyTrie, ids: Array) -> None:
        self.bits = trie.pack(ids)
        self.nbytes = self.bits.nbytes


class Limited(Inside):
    """For strings with limits.

    Args:
        where: The vocabulary, the terminal, its state, the node and its depth.
        base: The state without the limits.
        need: Code points still needed.
        room: Code points still possible.
    """

    __slots__ = ("_cases",)

    def __init__(self, where: Where, base: State, need: int, room: int) -> None:
        trie, terminal, _, node, _ = where
        key = (base, node, "unlimited")  # between two characters it is the same for every string terminal
        free: Unlimited = trie.kept_inside.get(key, lambda: Unlimited(trie, terminal, base, node))
        states = [terminal.limited(state, size, need, room) for state, size in free.cases]
        alive = np.array([state is not None for state in states], np.bool_)
        bits = trie.kept_inside.get((*key, alive.tobytes()), lambda: _Bits(trie, free.ids[alive[free.case_of]])).bits
        nodes = [node for node, size in free.ends if need <= size <= room]
        super().__init__(where, bits, {terminal.end: nodes} if nodes else {}, -1)
        self._cases = (free, states, need)

    @property
    def nbytes(self) -> int:
        return 500 + 100 * len(self._cases[1]) + 300 * len(self._nodes())

    @property
    def most(self) -> int:
        if self._most < 0:
            free, states, need = self._cases
            last: dict[object, tuple[int, State]] = {}  # with less room the shortest text is as long or longer
            for (target, size), state in zip(free.cases, states, strict=True):
                key = (target, size) if need else target
                if state is not None and size >= last.get(key, (0, state))[0]:
                    last[key] = size, state
            self._most = max([self.terminal.distance(state) for _, state in last.values()], default=0)
        return self._most

    def reached(self) -> Reached:
        return [(state, 0) for state in self._cases[1] if state is not None]

    def _targets(self) -> Targets:
        free, states, _ = self._cases
        if not states:
            return []
        order = np.argsort(free.case_of, kind="stable")
        groups = np.split(free.ids[order], np.cumsum(np.bincount(free.case_of))[:-1])
        return [(state, ids) for state, ids in zip(states, groups, strict=True) if state is not None]


__all__ = ["Limited", "Unlimited"]
