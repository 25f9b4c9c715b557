"""What the tokens do that a terminal reads: which stay within it, and which run past an end of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from decodekit.types import PackedMask
from decodekit_json.automaton import free
from decodekit_json.plain import plain_of
from decodekit_json.suffixes import Ids, SuffixNode
from decodekit_json.terminal import TerminalState
from decodekit_json.trie import Array, VocabularyTrie
from decodekit_json.walking import Reached, TerminalWalk, reach

_MANY_ENDS = 1024
"""A terminal with more ends is no string or number of a document: they are taken all together."""

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
            self._most = TerminalWalk(self.trie, self.terminal, self.state, self.node).most()
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
        key = (self.terminal.reader(self.state), self.state, self.node)
        return self.trie.kept_targets.get(key, lambda: _Targets(self._targets())).found

    def reached(self) -> Reached:
        """Give the states that the tokens in `bits` lead to, without telling which do: see `TerminalWalk.reached`."""
        return self._exactly().reached()

    def _exactly(self) -> TerminalWalk:
        return TerminalWalk(self.trie, self.terminal, self.state, self.node, exact=True)

    def _targets(self) -> Targets:
        return self._exactly().targets()

    def _final_states(self) -> dict[TerminalState, list[int]]:
        return self._ended

    def _nodes(self) -> list[int]:
        """Give the nodes where the terminal may have ended."""
        return [node for nodes in self._ended.values() for node in nodes]

    def like(self, state: TerminalState) -> Inside:
        """Give the same for a state that the next bytes cannot tell from this one."""
        return Alike((self.trie, self.terminal, state, self.node, self.depth), self.bits, self._ended, -1, self.ids)


class Alike(Inside):
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


class Free(Inside):
    """For free strings."""

    __slots__ = ()

    def reached(self) -> Reached:
        return [(state, 0) for state, _ in self.targets()]

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


class Begun(Inside):
    """For a state from which only one byte leads on: it, and what is known from there."""

    __slots__ = ("_after", "_first")

    def __init__(self, where: Where, first: tuple[int, ...], after: Inside) -> None:
        trie = where[0]
        bits = after.mask | trie.pack(first)
        bits.setflags(write=False)
        super().__init__(where, bits, after._ended, -1)
        self._first, self._after = first, after

    @property
    def most(self) -> int:
        after = self._after
        return max(after.most, after.terminal.distance(after.state) if self._first else 0)

    def reached(self) -> Reached:
        return [*([(self._after.state, 0)] if self._first else []), *self._after.reached()]

    def _targets(self) -> Targets:
        first = [(self._after.state, np.array(self._first, np.int32))] if self._first else []
        return [*first, *self._after.targets()]

    def _final_states(self) -> dict[TerminalState, list[int]]:
        return self._after._final_states()


class _Targets:
    """Targets with their size."""

    __slots__ = ("found", "nbytes")

    def __init__(self, found: Targets) -> None:
        self.found = found
        self.nbytes = 200 + sum(ids.nbytes + 200 for _, ids in found)


__all__ = ["Alike", "Begun", "Exits", "Free", "Inside", "Targets", "Where"]
