"""How many tokens a document still needs, so that it always ends within the request's tokens.

A number that is enough comes from one shortest way to the end, cut into as few tokens as possible. With a small
vocabulary all ways are searched where fewer tokens are left than that (`searching.py`); with a large one a way through
a longer text in fewer tokens is not looked for. What is allowed stays so: the rest of a way that was found is found
again.
"""

from __future__ import annotations

from decodekit_json import distinct, recorded
from decodekit_json.caching import Weighed
from decodekit_json.ceilings import extra, falls
from decodekit_json.machine import Thread
from decodekit_json.searching import SMALL, Search
from decodekit_json.spelling import KEPT_BYTES, MAX_BYTES, Speller, weight
from decodekit_json.states import State
from decodekit_json.terminal import INFINITE
from decodekit_json.trie import VocabularyTrie

_TEXT_BYTES = 120


class Budget:
    """Fewest tokens to the end, for the states of one constraint.

    Args:
        trie: The vocabulary.
        indented: Whether whitespace has to be written, which threads do not count.
    """

    def __init__(self, trie: VocabularyTrie, *, indented: bool = False) -> None:
        self.trie, self.indented = trie, indented
        self._speller, self._search = Speller(trie), Search(trie)
        self._ceilings: dict[Thread, int] = Weighed(KEPT_BYTES, weight)
        self._tokens: dict[Thread, int] = Weighed(KEPT_BYTES, weight)
        self._cuts: dict[bytes, int] = Weighed(KEPT_BYTES, _weight_of_text)
        self._last_cut: tuple[bytes, list[int]] = (b"", [0])
        self.searches = len(trie.order) <= SMALL

    def enough(self, state: State) -> int:
        """Give a number of tokens that is enough to end the document, `INFINITE` where none is found."""
        return min((self.need(thread) for thread in state.threads), default=INFINITE)

    def follows(self, state: State, most: int) -> bool:
        """Say whether tokens are known to be enough wherever tokens lead from where at most so many bytes are."""
        return most <= MAX_BYTES or self.indented or all(map(falls, state.threads))

    def finds(self, state: State, remaining: int) -> bool:
        """Say whether a search finds a way to the end of the document within `remaining` tokens."""
        return self._search.fewest(state, remaining) is not None

    def _bytes(self, thread: Thread) -> int:
        """Give a number of tokens of one byte that is enough."""
        if not self.trie.spells or self.indented or not falls(thread):
            return INFINITE
        return thread.falling + (extra(thread) if recorded.matters(thread) else 0)

    def ceiling(self, thread: Thread) -> int:
        """Give a number of bytes that is enough to end the document, but where a recorded text must be avoided."""
        if not self.indented:
            return thread.ceiling
        found = self._ceilings.get(thread)
        if found is None:
            try:
                found = self._indented_ceiling(thread)
            except distinct.Undecided:  # it depends on a value that is not known: no number is known to be enough
                found = INFINITE
            self._ceilings[thread] = found
        return found

    def _indented_ceiling(self, thread: Thread) -> int:
        if thread.place.curious:
            return max(map(self.ceiling, thread.place.outcomes(thread)), default=INFINITE)
        text = None if distinct.unknown(thread) else self._speller.spell(thread)
        return INFINITE if text is None else len(text)

    def fewest(self, state: State) -> int:
        """Give the fewest tokens to the end; a number that is enough where that is too much to search."""
        enough = self.enough(state)
        found = self._search.fewest(state, enough - 1 if enough < INFINITE else INFINITE) if self.searches else None
        return enough if found is None else found

    def shortest(self, state: State) -> bytes | None:
        """Give the rest of a document that is as short as can be, in bytes; None where none is found."""
        found = [self._speller.spell(thread) for thread in state.threads]
        return min((text for text in found if text is not None), key=len, default=None)

    def need(self, thread: Thread) -> int:
        """Give a number of tokens that is enough to end a thread: those of a way that was spelled."""
        found = self._tokens.get(thread)
        return self.need_and_way(thread)[0] if found is None else found

    def need_and_way(self, thread: Thread) -> tuple[int, bytes | None]:
        """Give that number with the way; None where none was spelled."""
        text = self._speller.way_on(thread)
        need = self._bytes(thread) if text is None else self._cuts.get(text)
        if need is None:
            assert text is not None
            need = self._cuts[text] = self._cut(text)
        self._tokens[thread] = need
        return need, text

    def _cut(self, text: bytes) -> int:
        """Give the fewest tokens that spell a text, from its end on: texts one after another mostly end alike."""
        known, costs = self._last_cut
        costs = costs[: _alike_behind(text, known) + 1]
        children, tokens_at, length = self.trie.children, self.trie.tokens_at, len(text)
        for start in range(length - len(costs), -1, -1):
            best, node = INFINITE, 0
            for end in range(start, length):
                following = children(node).get(text[end])
                if following is None:
                    break
                node = following
                if costs[length - end - 1] < best and tokens_at(node):
                    best = costs[length - end - 1]
            costs.append(min(best + 1, INFINITE))
        self._last_cut = (text, costs)
        return costs[length]


def _weight_of_text(text: bytes, need: int) -> int:
    return len(text) + _TEXT_BYTES


def _alike_behind(one: bytes, other: bytes) -> int:
    """Give how many bytes two texts have in common at their ends."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[-middle:] == other[-middle:]:
            low = middle
        else:
            high = middle - 1
    return low


__all__ = ["Budget"]
