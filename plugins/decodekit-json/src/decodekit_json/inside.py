"""Which tokens stay within a terminal, and which run past an end of it; found once, and shared between schemas.

States that the next bytes of one token cannot tell apart share what is found, and so do all free strings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from decodekit.types import PackedMask
from decodekit_json.fixed import Branch, FixedTerminal
from decodekit_json.plain import Plain, plain_of
from decodekit_json.strings import StringTerminal
from decodekit_json.suffixes import Ids, SuffixNode
from decodekit_json.terminal import Terminal, TerminalState
from decodekit_json.trie import Array, VocabularyTrie
from decodekit_json.walking import Walk, free, reach

_MANY_PARTS = 12
_MANY_ENDS = 1024
"""A terminal with more ends is no string or number of a document: they are taken all together."""
_FEW_IDS = 64

Where = tuple[VocabularyTrie, Any, TerminalState, int, int]
"""The vocabulary, what reads it, its state, the node it reads from, and how deep that is."""
Exits = tuple[tuple[bytes, SuffixNode], ...]
Targets = list[tuple[TerminalState, Array]]


class Inside:
    """What the tokens do that are read by a terminal from a state on.

    Attributes:
        bits: Tokens whose bytes all are steps of the terminal, as a mask; None where they are in `ids`.
        ids: The same tokens where they are few.
    """

    __slots__ = (
        "_contents",
        "_end",
        "_ended",
        "_ends",
        "_escaped",
        "_exits",
        "_most",
        "bits",
        "depth",
        "ids",
        "node",
        "state",
        "terminal",
        "trie",
    )

    def __init__(
        self,
        where: Where,
        bits: PackedMask | None,
        ended: dict[TerminalState, list[int]],
        most: int,
        ids: Ids = (),
    ) -> None:
        self.ids = ids
        self.trie, self.terminal, self.state, self.node, self.depth = where
        self.bits, self._ended, self._most = bits, ended, most
        self._exits: Exits | None = None
        self._ends: tuple[tuple[TerminalState, SuffixNode], ...] | None = None
        self._end: SuffixNode | None = None
        self._contents: dict[bytes, SuffixNode] | None = None
        self._escaped: tuple[bytes, ...] | None = None

    @property
    def nbytes(self) -> int:
        """Memory of the mask, and about that of the exits."""
        held = 8 * len(self.ids) if self.bits is None else self.bits.nbytes
        ended = sum(map(len, self._ended.values()))
        return held + 300 + (300 if ended <= _MANY_ENDS else 60) * ended

    @property
    def mask(self) -> PackedMask:
        """The tokens as a mask, few or not."""
        return self.trie.pack(self.ids) if self.bits is None else self.bits

    @property
    def most(self) -> int:
        """A bound on the bytes to a final state after any token in `bits`, for this very state; exact but in free text.

        States that share a mask may differ in it: it is then found by another walk, when it is asked for.
        """
        if self._most < 0:
            self._most = self._walk().most()
        return self._most

    @property
    def exits(self) -> Exits:
        """Beginnings of tokens that lead to a final state, and what follows them; none is empty.

        They are relative to the node that the tokens were read from.
        """
        found = self._exits
        if found is None:
            bytes_to, depth, trie = self.trie.bytes_to, self.depth, self.trie
            found = tuple([(bytes_to(node)[depth:], SuffixNode.of(trie, (node,))) for node in self._nodes()])
            self._exits = found
        return found

    @property
    def ends(self) -> tuple[tuple[TerminalState, SuffixNode], ...]:
        """The final states that tokens reach and run past, each with what is left of them."""
        found = self._ends
        if found is None:
            states = self._final_states()
            found = tuple([(state, SuffixNode.of(self.trie, nodes)) for state, nodes in states.items()])
            self._ends = found
        return found

    @property
    def end(self) -> SuffixNode | None:
        """What follows an end, all ends put together; None where no token runs past one."""
        if self._end is None and self._ended:
            self._end = SuffixNode.of(self.trie, self._nodes())
        return self._end

    def without(self, contents: Iterable[bytes]) -> SuffixNode | None:
        """Give what follows the ends, but for some beginnings; None for nothing."""
        passed = {node for content in contents if content in self.contents for node in self.contents[content].nodes}
        left = [node for node in self._nodes() if node not in passed]
        return SuffixNode.of(self.trie, left) if left else None

    @property
    def contents(self) -> dict[bytes, SuffixNode]:
        """The exits by their beginnings."""
        if self._contents is None:
            self._contents = dict(self.exits)
        return self._contents

    @property
    def escaped(self) -> tuple[bytes, ...]:
        """The beginnings that have a backslash."""
        if self._escaped is None:
            self._escaped = tuple(content for content in self.contents if b"\\" in content)
        return self._escaped

    def targets(self) -> Targets:
        """Give the tokens in `bits` by the state that they lead to.

        In free strings tokens are together whose states have the same future, and one of the states stands for them.
        """
        key = (self.terminal, self.state, self.node)
        return self.trie.kept_targets.get(key, lambda: _Targets(self._targets())).found

    def _walk(self) -> Walk:
        return Walk(self.trie, self.terminal, self.state, self.node)

    def _targets(self) -> Targets:
        return self._walk().targets()

    def _final_states(self) -> dict[TerminalState, list[int]]:
        return self._ended

    def _nodes(self) -> list[int]:
        """Give the nodes where the terminal may have ended."""
        return [node for nodes in self._ended.values() for node in nodes]

    def like(self, state: TerminalState) -> Inside:
        """Give the same for a state that the next bytes cannot tell from this one."""
        return _Alike((self.trie, self.terminal, state, self.node, self.depth), self.bits, self._ended, -1, self.ids)


class _Alike(Inside):
    """For a state that another one stood for: final states from which nothing goes on have the same future here too."""

    __slots__ = ()

    def _final_states(self) -> dict[TerminalState, list[int]]:
        found: dict[TerminalState, list[int]] = {}
        for state, nodes in self._ended.items():
            if self.terminal.closed(state):
                found.setdefault(state, []).extend(nodes)
                continue
            for node in nodes:
                reached = self.state
                for byte in self.trie.bytes_to(node)[self.depth :]:
                    reached = self.terminal.step(reached, byte)
                found.setdefault(reached, []).append(node)
        return found


class _Free(Inside):
    """For free strings."""

    __slots__ = ()

    def _targets(self) -> Targets:
        bounds = free(self.terminal, self.state)
        assert bounds is not None
        groups = plain_of(self.trie, self.node).groups(*bounds)
        return [(reach(self.trie, self.terminal, self.state, int(ids[0]), self.depth), ids) for ids in groups]

    def _final_states(self) -> dict[TerminalState, list[int]]:
        nodes = self._nodes()
        if not nodes:
            return {}
        end = self.state
        for byte in self.trie.bytes_to(nodes[0])[self.depth :]:
            end = self.terminal.step(end, byte)
        return {end: nodes}


class _Union(Inside):
    """For alternatives: what one of them reads."""

    __slots__ = ("parts",)

    def __init__(self, where: Where, states: list[TerminalState]) -> None:
        trie, terminal, _, node, depth = where
        self.parts = [inside_from(trie, terminal, state, node, depth) for state in states]
        bits = self.parts[0].mask.copy()
        for part in self.parts[1:]:
            bits |= part.mask
        bits.setflags(write=False)
        super().__init__(where, bits, _once(part._ended for part in self.parts), -1)

    @property
    def most(self) -> int:
        return max(part.most for part in self.parts)

    def _final_states(self) -> dict[TerminalState, list[int]]:
        return _once(part._final_states() for part in self.parts)


def _once(ended: Iterable[dict[TerminalState, list[int]]]) -> dict[TerminalState, list[int]]:
    """Put ends together, each node once."""
    found: dict[TerminalState, list[int]] = {}
    seen: set[int] = set()
    for part in ended:
        for state, nodes in part.items():
            found.setdefault(state, []).extend(node for node in nodes if node not in seen)
        seen.update(node for nodes in part.values() for node in nodes)
    return {state: nodes for state, nodes in found.items() if nodes}


class _Targets:
    """Targets with their size."""

    __slots__ = ("found", "nbytes")

    def __init__(self, found: Targets) -> None:
        self.found = found
        self.nbytes = 200 + sum(ids.nbytes + 200 for _, ids in found)


class _Shared:
    """What free strings with the same bounds have together."""

    __slots__ = ("bits", "ended", "exits", "nbytes")

    def __init__(self, view: Plain, needed: int, possible: int) -> None:
        self.bits = view.bits(needed, possible)
        nodes = view.exits_between(needed, possible)
        self.ended: dict[TerminalState, list[int]] = {None: nodes} if nodes else {}
        depth = view.trie.depth(view.node)
        trie = view.trie
        self.exits = tuple([(trie.bytes_to(node)[depth:], SuffixNode.of(trie, (node,))) for node in nodes])
        self.nbytes = self.bits.nbytes + 600 * len(nodes) + 300


def inside(trie: VocabularyTrie, terminal: Terminal, state: TerminalState) -> Inside:
    """Find what tokens do from their first byte on."""
    return inside_from(trie, terminal, state, 0, 0)


def inside_from(trie: VocabularyTrie, terminal: Terminal, state: TerminalState, node: int, depth: int) -> Inside:
    """Find what the tokens below a node do, read from there on.

    Args:
        trie: The vocabulary.
        terminal: What reads them.
        state: Its state at the node.
        node: Where the terminal began, or was, when the token began something else.
        depth: How many bytes lead to the node.
    """
    key = (terminal, state, node)
    found = trie.kept_inside.look_up(key)
    if found is not None:
        return found
    return trie.kept_inside.get(key, lambda: _find(trie, terminal, state, node, depth))


def _find(trie: VocabularyTrie, terminal: Terminal, state: TerminalState, node: int, depth: int) -> Inside:
    if isinstance(terminal, FixedTerminal):
        return _find_fixed((trie, terminal, state, node, depth))
    bounds = free(terminal, state)
    if bounds is not None:
        return _find_free((trie, terminal, state, node, depth), *bounds)
    parts = terminal.alternatives(state)
    if 1 < len(parts) <= _MANY_PARTS:
        return _Union((trie, terminal, state, node, depth), parts)
    if isinstance(terminal, StringTerminal) and (limits := terminal.limits(state)) is not None:
        from decodekit_json.limits import Limited

        return Limited((trie, terminal, state, node, depth), terminal.unlimited(state), *limits)
    alike = terminal.alike(state, trie.longest)
    if alike == state:
        return _read((trie, terminal, state, node, depth))
    key = (terminal, alike, node, "alike")
    found = trie.kept_inside.get(key, lambda: _read((trie, terminal, state, node, depth)))
    return found if found.state == state else found.like(state)


def _read(where: Where) -> Inside:
    trie, terminal, state, node, _ = where
    walk = Walk(trie, terminal, state, node)
    return Inside(where, trie.pack(walk.all_tokens()), walk.all_exits(), walk.most())


class _Below:
    """What the tokens below a node do in fixed texts from a branch on, whichever members are allowed.

    Attributes:
        found: The branches that beginnings of tokens lead to, with the nodes there and the tokens that end there.
    """

    __slots__ = ("found", "nbytes")

    def __init__(self, trie: VocabularyTrie, terminal: FixedTerminal, start: Branch, node: int) -> None:
        self.found: list[tuple[Branch, int, tuple[int, ...]]] = []
        waiting = [(start, node)]
        while waiting:
            branch, at = waiting.pop()
            children = trie.children(at)
            for byte, after in (branch.edges or terminal.grow(branch)).items():
                child = children.get(byte)
                if child is not None:
                    self.found.append((after, child, trie.tokens_at(child)))
                    waiting.append((after, child))
        self.nbytes = 300 + 150 * len(self.found)


def _find_fixed(where: Where) -> Inside:
    """Read fixed texts: few tokens, and few ways."""
    trie, terminal, (start, mask), node, _ = where
    every = trie.kept_inside.get((terminal, start, node, "below"), lambda: _Below(trie, terminal, start, node))
    found = every.found if mask == start.below else [one for one in every.found if one[0].below & mask]
    ids = [token for _, _, tokens in found for token in tokens]
    ended: dict[TerminalState, list[int]] = {}
    for after, child, _ in found:
        if after.member is not None and trie.children(child):
            ended.setdefault((after, mask & after.below), []).append(child)
    if len(ids) <= _FEW_IDS:
        return Inside(where, None, ended, terminal.longest, tuple(ids))
    return Inside(where, trie.pack(ids), ended, terminal.longest)


def _find_free(where: Where, needed: int, possible: int) -> Inside:
    trie, node = where[0], where[3]
    view = plain_of(trie, node)
    low, high = min(needed, trie.longest + 1), min(possible, trie.longest + 1)
    shared = trie.kept_inside.get((node, low, high), lambda: _Shared(view, low, high))
    found = _Free(where, shared.bits, shared.ended, view.most(needed))
    found._exits = shared.exits
    return found


__all__ = ["Exits", "Inside", "Targets", "Where", "inside", "inside_from"]
