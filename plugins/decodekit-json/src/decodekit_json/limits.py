"""Strings whose length has limits: tokens are read once without the limits, and those are put on what was found."""

from __future__ import annotations

import numpy as np

from decodekit.errors import UnsupportedSchemaError
from decodekit_json.characters import State
from decodekit_json.plain import plain_of
from decodekit_json.strings import StringTerminal
from decodekit_json.trie import Array, VocabularyTrie
from decodekit_json.walking import Reached, TerminalWalk
from decodekit_json.within import Inside, Targets, Where

_FEW = 64
"""Tokens that are read one by one where it matters to which state each of them leads."""


class Unlimited:
    """What the tokens below a node do in a string from a state on, whatever its length may be.

    Attributes:
        cases: States that tokens lead to, each with the code points on the way, one after the other state by state;
            several states where tokens lead to one of them and it was not asked to which (see `steady`).
        ids: The tokens.
        case_of: Which case each of them is.
        ends: Nodes where tokens go on behind the string, with the code points on the way.
        enough: Code points that are enough for all tokens, and to the end of a string after them.
    """

    __slots__ = ("case_of", "cases", "ends", "enough", "ids", "nbytes")

    def __init__(self, trie: VocabularyTrie, terminal: StringTerminal, state: State, node: int, exact: bool) -> None:
        walk, view = TerminalWalk(trie, terminal, state, node, exact=exact), plain_of(trie, node)
        targets: list[tuple[tuple[State, ...], Array]] = [((state,), ids) for state, ids in walk.targets()]
        targets += [(terminal.places(state), ids) for state, ids in walk.all_steady()]
        self.ids: Array = np.concatenate([np.zeros(0, np.int32), *[ids for _, ids in targets]])
        many = trie.longest + 1
        keys = np.repeat(np.arange(len(targets)), [len(ids) for _, ids in targets]) * many + view.size_of[self.ids]
        occurs = np.zeros(len(targets) * many, np.bool_)
        occurs[keys] = True
        found = np.flatnonzero(occurs)
        numbers = np.zeros(len(occurs), np.min_scalar_type(len(found)))
        numbers[found] = np.arange(len(found))
        self.case_of: Array = numbers[keys]
        self.cases: list[tuple[tuple[State, ...], int]] = [
            (targets[key // many][0], key % many) for key in found.tolist()
        ]
        size_at = dict(zip(view.exits.tolist(), view.exit_sizes.tolist(), strict=True))
        self.ends = [(at, size_at[at]) for nodes in walk.all_exits().values() for at in nodes]
        shortest = [size + terminal.shortest(state) for states, size in self.cases for state in states]
        self.enough = max([*shortest, *[size for _, size in self.ends]], default=0)
        self.nbytes = self.ids.nbytes + self.case_of.nbytes + 200 * len(self.cases) + 100 * len(self.ends) + 500

    def kept(self, alive: Array, single: tuple[int, ...]) -> Array:
        """Give the tokens of some cases, shape of `alive`: [case], and single ones."""
        found = self.ids if alive.all() else self.ids[alive[self.case_of]]
        return np.concatenate([found, np.array(single, np.int32)]) if single else found


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

    __slots__ = ("_limits",)

    def __init__(self, where: Where, base: State, need: int, room: int) -> None:
        self._limits = base, need, room
        self.trie, self.terminal, self.state, self.node, self.depth = where
        trie, terminal, exact = self.trie, self.terminal, False
        free = self._unlimited(exact)
        alive, unclear = self._alive(free)
        few = free.ids[unclear[free.case_of]] if unclear.any() else free.ids[:0]
        if len(few) > _FEW:
            free, exact, few = self._unlimited(True), True, few[:0]
            alive, _ = self._alive(free)
        single = tuple([token for token in few.tolist() if self._stays(token)])
        key = (base, self.node, exact, alive.tobytes(), single)
        bits = trie.kept_inside.get(key, lambda: _Bits(trie, free.kept(alive, single))).bits
        nodes = [node for node, size in free.ends if need <= size <= room]
        super().__init__(where, bits, {terminal.end: nodes} if nodes else {}, -1)

    def _unlimited(self, exact: bool) -> Unlimited:
        trie, terminal, node, base = self.trie, self.terminal, self.node, self._limits[0]
        key = (base, node, exact)  # between two characters it is the same for every string terminal
        return trie.kept_inside.get(key, lambda: Unlimited(trie, terminal, base, node, exact))

    def _alive(self, free: Unlimited) -> tuple[Array, Array]:
        """Say which cases can keep the limits, and for which it matters to which of its states a token leads."""
        _, need, room = self._limits
        alive, unclear = np.ones(len(free.cases), np.bool_), np.zeros(len(free.cases), np.bool_)
        if need or room < free.enough:
            for case, (states, size) in enumerate(free.cases):
                kept = {self.terminal.limited(state, size, need, room) is not None for state in states}
                alive[case], unclear[case] = False not in kept, len(kept) > 1
        return alive, unclear

    def _stays(self, token: int) -> bool:
        """Say whether a token stays in the string, byte by byte."""
        state = self.state
        for byte in (self.trie.tokens[token] or b"")[self.depth :]:
            state = self.terminal.step(state, byte)
            if state is None:
                return False
        return True

    @property
    def nbytes(self) -> int:
        return 500 + 300 * len(self._nodes())

    @property
    def most(self) -> int:
        if self._most < 0:
            try:
                self._most = self._farthest(self._unlimited(False))
            except UnsupportedSchemaError:  # for a state to which no token may lead
                self._most = self._farthest(self._unlimited(True))
        return self._most

    def _farthest(self, free: Unlimited) -> int:
        _, need, room = self._limits
        last: dict[object, tuple[int, State]] = {}  # with less room the shortest text is as long or longer
        for states, size in free.cases:
            for target in states:
                state = self.terminal.limited(target, size, need, room)
                key = (target, size) if need else target
                if state is not None and size >= last.get(key, (0, state))[0]:
                    last[key] = size, state
        return max([self.terminal.distance(state) for _, state in last.values()], default=0)

    def reached(self) -> Reached:
        return [(state, 0) for state in self._led(self._unlimited(True)) if state is not None]

    def _led(self, free: Unlimited) -> list[State | None]:
        """Give the state that each case leads to, None for none; of an exact walk."""
        _, need, room = self._limits
        return [self.terminal.limited(states[0], size, need, room) for states, size in free.cases]

    def _targets(self) -> Targets:
        free = self._unlimited(True)
        if not free.cases:
            return []
        order = np.argsort(free.case_of, kind="stable")
        groups = np.split(free.ids[order], np.cumsum(np.bincount(free.case_of))[:-1])
        led = zip(self._led(free), groups, strict=True)
        return [(state, ids) for state, ids in led if state is not None]


__all__ = ["Limited", "Unlimited"]
