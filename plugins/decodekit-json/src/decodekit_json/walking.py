"""Reading the tokens of a vocabulary with a terminal: byte by byte where few go on, whole levels at once where many do.

Once a JSON string may go on with any text, what is known about such strings (`plain`) takes over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from decodekit_json.automaton import Automaton, automaton_of, free, outside_of
from decodekit_json.closers import quoted
from decodekit_json.loops import CharacterSets
from decodekit_json.plain import BETWEEN, Plain, plain_of
from decodekit_json.strings import StringTerminal
from decodekit_json.terminal import INFINITE, Terminal, TerminalState
from decodekit_json.trie import Array, VocabularyTrie, ranges

Frontier: TypeAlias = "list[tuple[int, TerminalState]]"
"""Nodes from which tokens go on, and the state at each."""
Reached: TypeAlias = "list[tuple[TerminalState, int]]"
"""States, each with the most bytes that it takes to come to it."""

_MANY_CHILDREN = 400
"""Children of a level past which it is read at once; NumPy's calls cost as much as reading these one by one."""
_FEW_CHILDREN = 100
_FEW_TOKENS = 24
_MANY_LETTERS = 24
"""Children of a node past which it is asked first which bytes may follow."""
_PROBES = b"aZ0 -.,eE1"
_MANY_BACK = 2
_REST = 3
"""Bytes of a character after its first, at most."""
_MANY_BELOW = 64
"""Tokens below a node for which it is asked whether they have to be read at all."""
_QUOTE = 0x22


def prepare(trie: VocabularyTrie) -> None:
    """Work out what all schemas share of a vocabulary, so that no mask has to wait for it.

    *Cost:* for 131,000 tokens 0.1 s, once.
    """
    plain_of(trie, 0)
    sets_of(trie)
    quoted(trie)


def sets_of(trie: VocabularyTrie) -> CharacterSets:
    """Give the characters of the tokens; made once."""
    return trie.whole.get("characters", lambda: CharacterSets(trie))


class TerminalWalk:
    """One walk: the tokens below a node, read by a terminal from a state on.

    Args:
        trie: The vocabulary.
        terminal: What reads.
        state: Its state at the node.
        node: Where to begin.
        exact: Whether it is asked where tokens lead, and not only which stay within the terminal.

    Attributes:
        few: Tokens that stay within the terminal, with the state that they lead to.
        many: The same as arrays: states by number, the numbers' states, token ids.
        free: Nodes from which on a string is free, by the state there.
        steady: Nodes below which all tokens stay within the terminal, by the state there; none if it is exact.
        looped: A state that tokens lead back to, or into a character from which all ways lead back, and their places.
        freed: A free string that most characters lead to, and the nodes below which tokens are read for themselves.
        exits: Nodes where the terminal may have ended and tokens go on, by the state there.
    """

    def __init__(
        self, trie: VocabularyTrie, terminal: Terminal, state: TerminalState, node: int, *, exact: bool = False
    ) -> None:
        self.trie, self.terminal = trie, terminal
        self.few: list[tuple[TerminalState, tuple[int, ...]]] = []
        self.many: list[tuple[Array, list[TerminalState], Array]] = []
        self.free: dict[TerminalState, list[int]] = {}
        self.steady: dict[TerminalState, list[int]] = {}
        self.exits: dict[TerminalState, list[int]] = {}
        self.looped: tuple[TerminalState, Array] | None = None
        self.freed: tuple[TerminalState, list[int]] | None = None
        self._may_be_free = hasattr(terminal, "plain")
        self._below = None if exact or not hasattr(terminal, "steady") else sets_of(trie)
        self._outside: dict[TerminalState, tuple[int, ...] | None] = {}
        self._moves = automaton_of(terminal).known
        frontier: Frontier = [] if self._is_steady(node, state) else [(node, state)]
        if node == 0 and frontier and self._outside.get(state) is None:
            base = terminal.base(state)
            if base is not None or self._open(state):
                frontier = self._from_loop(state if base is None else base, state)
            elif (after := self._frees(state)) is not None:
                frontier = self._from_freed(after, state)
        while frontier:
            if sum([len(trie.offspring(at)) for at, _ in frontier]) > _MANY_CHILDREN:
                frontier = self._levels(frontier)
            else:
                frontier = self._level(frontier)

    def _open(self, state: TerminalState) -> bool:
        """Guess whether so many characters lead back to a state that it pays to look for all that do."""
        if self.terminal.final(state):
            return False
        step = self.terminal.step
        return sum([step(state, byte) == state for byte in _PROBES]) >= _MANY_BACK

    def _from_loop(self, loop: TerminalState, state: TerminalState) -> Frontier:
        """Take the tokens that lead back to `loop`, and give from where to go on.

        From `state` they do the same, but for those whose first byte leads elsewhere than from `loop`.
        """
        trie, step = self.trie, self.terminal.step
        sets = sets_of(trie)
        automaton = automaton_of(self.terminal)
        with automaton.lock:
            automaton.tidy()
            stay, leave = automaton.loops(automaton.number(loop))
            at = sets.within(stay)
            nodes = [sets.after(stay, byte) for byte, _ in leave]
            states = [np.full(len(some), to) for some, (_, to) in zip(nodes, leave, strict=True)]
            for byte, child in trie.children(0).items():
                after = step(state, byte)
                if loop is state or after == step(loop, byte):
                    continue
                low, high = trie.low[child], trie.high[child]
                at = at[(at < low) | (at >= high)]
                kept = [(trie.low[some] < low) | (trie.low[some] >= high) for some in nodes]
                nodes = [some[keep] for some, keep in zip(nodes, kept, strict=True)]
                states = [some[keep] for some, keep in zip(states, kept, strict=True)]
                if after is not None:
                    nodes.append(np.array([child]))
                    states.append(np.array([automaton.number(after)]))
            self.looped = (loop, at)
            if not nodes:
                return []
            return self._go_on(automaton, *self._arrive(automaton, np.concatenate(nodes), np.concatenate(states)))

    def _frees(self, state: TerminalState) -> TerminalState | None:
        """Give the free string without limits that most characters lead to; None where there is none."""
        if not self._may_be_free:
            return None
        step = self.terminal.step
        after, number = Counter([step(state, byte) for byte in _PROBES]).most_common(1)[0]
        usual = after is not None and 2 * number > len(_PROBES)
        return after if usual and free(self.terminal, after) == (0, INFINITE) else None

    def _from_freed(self, after: TerminalState, state: TerminalState) -> Frontier:
        """Take the tokens whose first byte leads to where it leads in a free string, and give from where to go on."""
        step = self.terminal.step
        apart = [node for byte, node in self.trie.children(0).items() if step(state, byte) != step(after, byte)]
        self.freed = (after, apart)
        return self._level([(0, state)], apart)

    def _level(self, frontier: Frontier, only: list[int] | None = None) -> Frontier:
        """Read one byte from each node of a frontier, or to `only` some nodes below them."""
        trie, final = self.trie, self.terminal.final
        following: Frontier = []
        for node, state in frontier:
            for child, after in self._steps(node, state, trie.offspring(node) if only is None else only):
                tokens = trie.tokens_at(child)
                if tokens:
                    self.few.append((after, tokens))
                if trie.offspring(child):
                    if final(after):
                        self.exits.setdefault(after, []).append(child)
                    if not self._is_steady(child, after) and not self._is_free(child, after):
                        following.append((child, after))
        return following

    def _steps(self, node: int, state: TerminalState, children: Sequence[int]) -> list[tuple[int, TerminalState]]:
        """Give the children of a node, of some, that the terminal goes on to, and its states there."""
        trie, letters = self.trie, self.trie.last_bytes
        few: bytes | None = None
        if len(children) > _MANY_LETTERS:
            ways = self.terminal.ways(state)
            if ways is not None:
                after_byte = {byte: after for some, after in ways for byte in some}
                return [(child, after_byte[letters[child]]) for child in children if letters[child] in after_byte]
            few = self.terminal.allowed(state)
        known, step = self._moves.setdefault(state, {}), self.terminal.step
        found: list[tuple[int, TerminalState]] = []
        for child in children if few is None else [trie.child(node, byte) for byte in few]:
            if child < 0:
                continue
            byte = letters[child]
            if byte in known:
                after = known[byte]
            else:
                after = known[byte] = step(state, byte)
            if after is not None:
                found.append((child, after))
        return found

    def _is_steady(self, node: int, state: TerminalState) -> bool:
        if self._below is None:
            return False
        if state not in self._outside:
            if self.trie.count(node) <= _MANY_BELOW:
                return False
            self._outside[state] = outside_of(self.terminal, state)
        wrong = self._outside[state]
        one, two, three = self._below.words
        if wrong is None or one[node] & wrong[0] or two[node] & wrong[1] or three[node] & wrong[2]:
            return False
        self.steady.setdefault(state, []).append(node)
        return True

    def _is_free(self, node: int, state: TerminalState) -> bool:
        trie = self.trie
        if (
            not self._may_be_free
            or trie.count(node) - len(trie.tokens_at(node)) <= _FEW_TOKENS
            or free(self.terminal, state) is None
        ):
            return False
        if plain_of(trie, 0).state[node] != BETWEEN:
            return False
        self.free.setdefault(state, []).append(node)
        return True

    def _levels(self, frontier: Frontier) -> Frontier:
        automaton = automaton_of(self.terminal)
        with automaton.lock:
            automaton.tidy()
            nodes = np.array([node for node, _ in frontier])
            states = np.array([automaton.number(state) for _, state in frontier])
            return self._go_on(automaton, nodes, states)

    def _go_on(self, automaton: Automaton, nodes: Array, states: Array) -> Frontier:
        """Read level by level until few tokens are left."""
        trie, first = self.trie, self.trie.first
        while True:
            starts = first[nodes]
            counts = first[nodes + 1] - starts
            if int(counts.sum()) <= _FEW_CHILDREN:
                return list(zip(nodes.tolist(), [automaton.states[s] for s in states.tolist()], strict=True))
            nodes = ranges(starts, counts)
            states = automaton.step(np.repeat(states, counts), trie.letters[nodes])
            alive = np.flatnonzero(states >= 0)
            nodes, states = self._arrive(automaton, nodes[alive], states[alive])

    def _arrive(self, automaton: Automaton, nodes: Array, states: Array) -> tuple[Array, Array]:
        """Take the tokens at nodes; give the nodes from which to go on."""
        first = self.trie.first
        self._take(automaton, nodes, states)
        inner = np.flatnonzero(first[nodes + 1] > first[nodes])
        nodes, states = nodes[inner], states[inner]
        ended = automaton.final[states]
        if ended.any():
            for number in np.unique(states[ended]).tolist():
                self.exits.setdefault(automaton.states[number], []).extend(nodes[states == number].tolist())
        if self._below is not None:
            nodes, states = self._take_steady(automaton, nodes, states)
        if self._may_be_free and automaton.free[states].any():
            nodes, states = self._take_free(automaton, nodes, states)
        return nodes, states

    def _take(self, automaton: Automaton, nodes: Array, states: Array) -> None:
        low = self.trie.low[nodes]
        counts = self.trie.own[nodes] - low
        whole = np.flatnonzero(counts)
        if not len(whole):
            return
        low, states, counts = low[whole], states[whole], counts[whole]
        if int(counts.max()) > 1:
            low, states = ranges(low, counts), np.repeat(states, counts)
        self.many.append((states, automaton.states, self.trie.order[low]))

    def _take_steady(self, automaton: Automaton, nodes: Array, states: Array) -> tuple[Array, Array]:
        assert self._below is not None
        automaton.judge(states[self.trie.high[nodes] - self.trie.low[nodes] > _MANY_BELOW])
        taken = automaton.steady[states] > 0
        if not taken.any():
            return nodes, states
        for below, wrong in zip(self._below.below, automaton.outside, strict=True):
            taken &= (below[nodes] & wrong[states]) == 0
        return self._put_aside(self.steady, automaton, nodes, states, taken)

    def _take_free(self, automaton: Automaton, nodes: Array, states: Array) -> tuple[Array, Array]:
        taken = automaton.free[states] & (plain_of(self.trie, 0).state[nodes] == BETWEEN)
        return self._put_aside(self.free, automaton, nodes, states, taken)

    @staticmethod
    def _put_aside(
        found: dict[TerminalState, list[int]], automaton: Automaton, nodes: Array, states: Array, taken: Array
    ) -> tuple[Array, Array]:
        for number in np.unique(states[taken]).tolist():
            found.setdefault(automaton.states[number], []).extend(nodes[taken & (states == number)].tolist())
        return nodes[~taken], states[~taken]

    def _free_parts(self) -> list[tuple[TerminalState, Plain, Array, int, int]]:
        found: list[tuple[TerminalState, Plain, Array, int, int]] = []
        for state, nodes in self.free.items():
            bounds = free(self.terminal, state)
            assert bounds is not None
            found.append((state, plain_of(self.trie, 0), np.array(nodes), *bounds))
        return found

    def all_steady(self) -> list[tuple[TerminalState, Array]]:
        """Give the ids of the tokens below the nodes of `steady`."""
        trie, found = self.trie, list[tuple[TerminalState, Array]]()
        for state, nodes in self.steady.items():
            starts = trie.own[nodes]
            found.append((state, trie.order[ranges(starts, trie.high[nodes] - starts)]))
        return found

    def all_tokens(self) -> Array:
        """Give the ids of all tokens that stay within the terminal."""
        parts = [np.array([token for _, tokens in self.few for token in tokens], np.int32)]
        parts += [ids for _, _, ids in self.many]
        if self.looped:
            parts.append(self.trie.order[self.looped[1]])
        parts += [ids for _, ids in self.all_steady()]
        if self.freed:
            parts.append(self.trie.order[plain_of(self.trie, 0).all_but(self.freed[1])[0]])
        parts += [view.below(nodes, need, room)[0] for _, view, nodes, need, room in self._free_parts()]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def all_exits(self) -> dict[TerminalState, list[int]]:
        """Give the nodes where the terminal may have ended, by the state there."""
        found = {state: [*nodes] for state, nodes in self.exits.items()}
        if self.freed:
            found.setdefault(StringTerminal.end, []).extend(plain_of(self.trie, 0).all_but(self.freed[1])[1].tolist())
        for state, view, nodes, need, room in self._free_parts():
            behind = view.below(nodes, need, room)[1].tolist()
            if behind:
                closed = self.terminal.step(state, _QUOTE) if not need else self._run(state, nodes, behind[0])
                found.setdefault(closed, []).extend(behind)
        return found

    def _run(self, state: TerminalState, nodes: Array, node: int) -> TerminalState:
        """Read the bytes between one of `nodes` and a node below it."""
        raw = self.trie.bytes_to(node)
        above = next(at for at in nodes.tolist() if self.trie.low[at] <= self.trie.low[node] < self.trie.high[at])
        for byte in raw[self.trie.depth(above) :]:
            state = self.terminal.step(state, byte)
        return state

    def reached(self) -> Reached:
        """Give the states that tokens lead to, without telling which do; of an exact walk.

        One stands for all from which a few bytes, given with it, lead to it or to what it leads to: the state that a
        loop leads back to, and one from which a string is free.
        """
        found = {state: 0 for state, _ in self.few}
        for numbers, states, _ in self.many:
            found |= {states[number]: 0 for number in np.unique(numbers).tolist()}
        if self.looped and len(self.looped[1]):
            unfinished = bool(sets_of(self.trie).token_state[self.looped[1]].any())
            found[self.looped[0]] = unfinished * _REST
        if self.freed:
            found |= {self.freed[0]: plain_of(self.trie, 0).extra, StringTerminal.end: 0}
        for state, view, nodes, need, room in self._free_parts():
            if room > self.trie.longest:
                found[state] = view.extra
                if view.closes_below(nodes):
                    found[StringTerminal.end] = 0
                continue
            for node, ids in view.groups_below(nodes, need, room):
                found.setdefault(reach(self.trie, self.terminal, state, int(ids[0]), self.trie.depth(node)), 0)
        return list(found.items())

    def most(self) -> int:
        """Give a bound on the bytes to the end after any of the tokens; exact where all of them were read."""
        found = max([self.terminal.distance(state) + more for state, more in self.reached()], default=0)
        for steady in map(self.terminal.steady, self.steady):
            assert steady is not None
            found = max(found, steady.most + _REST)
        return found

    def targets(self) -> list[tuple[TerminalState, Any]]:
        """Give the tokens by the state that they lead to."""
        groups: dict[TerminalState, list[int]] = {}
        for state, tokens in self.few:
            groups.setdefault(state, []).extend(tokens)
        for numbers, states, ids in self.many:
            order = np.argsort(numbers, kind="stable")
            for group in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
                groups.setdefault(states[int(numbers[group[0]])], []).extend(ids[group].tolist())
        if self.looped:
            back, at = self.looped
            shapes = sets_of(self.trie).token_state[at]
            for shape in np.unique(shapes).tolist():
                ids = self.trie.order[at[shapes == shape]].tolist()
                groups.setdefault(reach(self.trie, self.terminal, back, ids[0], 0), []).extend(ids)
        if self.freed:
            back, view = self.freed[0], plain_of(self.trie, 0)
            at = view.all_but(self.freed[1])[0]
            states = view.token_at[0][at]
            for one in np.unique(states).tolist():
                ids = self.trie.order[at[states == one]].tolist()
                groups.setdefault(reach(self.trie, self.terminal, back, ids[0], 0), []).extend(ids)
        for state, view, nodes, need, room in self._free_parts():
            for node, ids in view.groups_below(nodes, need, room):
                reached = reach(self.trie, self.terminal, state, int(ids[0]), self.trie.depth(node))
                groups.setdefault(reached, []).extend(ids.tolist())
        return [(state, np.array(ids, np.int32)) for state, ids in groups.items()]


def reach(trie: VocabularyTrie, terminal: Terminal, state: TerminalState, token: int, skip: int) -> TerminalState:
    """Read a token's bytes, but for the first `skip`."""
    for byte in (trie.tokens[token] or b"")[skip:]:
        state = terminal.step(state, byte)
    return state


__all__ = ["Reached", "TerminalWalk", "prepare", "reach"]
