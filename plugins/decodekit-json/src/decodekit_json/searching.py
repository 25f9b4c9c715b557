"""The fewest tokens to the end of a document by trying all of them, breadth first and with a bound.

For small vocabularies; with a large one it takes seconds.
"""

from __future__ import annotations

from typing import NamedTuple

from decodekit_json import distinct
from decodekit_json.caching import Limited
from decodekit_json.masks import Walk
from decodekit_json.states import State
from decodekit_json.terminal import INFINITE
from decodekit_json.trie import VocabularyTrie

SMALL = 64
"""Most tokens of a vocabulary that is searched."""
_MAX_SOUGHT = 2_000
_MAX_SEARCHED = 50_000
"""Steps in all searches of one mask: threads read on in each, times tokens that lead on, times tokens asked about.

The same for every state of a vocabulary; a deeper search goes on with what a shallower one left of them, so that what
is found within some tokens is found within more.
"""


class Sought(NamedTuple):
    """How far a search for the fewest tokens has come; a value, as several threads may deepen it.

    Attributes:
        depth: The tokens that are tried next; where an end was found, those that it takes.
        visited: The threads that were read.
        ends: Whether an end was found.
    """

    depth: int
    visited: int = 0
    ends: bool = False


class Search:
    """Fewest tokens to the end, searched, for the states of one constraint.

    Args:
        trie: The vocabulary.
    """

    def __init__(self, trie: VocabularyTrie) -> None:
        self.trie = trie
        self._sought: dict[State, Sought] = Limited(_MAX_SOUGHT)
        self._most_visited = _MAX_SEARCHED // max(len(trie.order), 1) ** 2

    def fewest(self, state: State, limit: int) -> int | None:
        """Give the fewest tokens to the end where they are at most `limit`; None where not, or past the bound.

        Iterative deepening: what is found within some tokens is found within more.
        """
        if state.complete:
            return 0
        found = self._sought.get(state)
        if found is None:
            hopeless = any(map(distinct.owes_equal, state.threads))  # of two equal items there are too many to search
            found = Sought(INFINITE if hopeless else self._at_least(state))
        limit = min(limit, INFINITE - 1)  # the depth of what has no end
        while not found.ends and found.depth <= limit and found.visited <= self._most_visited:
            found = self._deepen(state, found)
        self._sought[state] = found
        return found.depth if found.ends and found.depth <= limit else None

    def _deepen(self, start: State, sought: Sought) -> Sought:
        """Search for an end within one token more than before."""
        depth, visited = sought.depth, sought.visited
        seen, layer, steps, passed = {start}, [start], 0, False
        while layer and steps < depth:
            steps += 1
            following: list[State] = []
            for one in layer:
                visited += len(one.threads)
                if visited > self._most_visited:
                    return Sought(depth, visited)
                for threads, _ in Walk(self.trie, one.threads).targets():
                    after = State(threads)
                    if after.complete:
                        return Sought(depth, visited, ends=True)
                    if after in seen:
                        continue
                    if steps + self._at_least(after) > depth:
                        passed = True
                        continue
                    seen.add(after)
                    following.append(after)
            layer = following
        return Sought(depth + 1 if passed or layer else INFINITE, visited)

    def _at_least(self, state: State) -> int:
        shortest = min((thread.distance for thread in state.threads), default=INFINITE)
        return -(-shortest // self.trie.longest)


__all__ = ["SMALL", "Search", "Sought"]
