"""How many tokens a document still needs after each token: found once for a thread, for all budgets.

For large vocabularies. A thread whose recorded text can only become a value that may come, whichever token follows, has
the needs of the same thread without that text, so that they are found once for nearly all keys and items.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from decodekit.types import PackedMask
from decodekit_json import distinct, recorded
from decodekit_json.budget import Budget
from decodekit_json.machine import Thread, Threads
from decodekit_json.masks import Walk
from decodekit_json.states import stepped
from decodekit_json.suffixes import Ids
from decodekit_json.terminal import INFINITE
from decodekit_json.trie import VocabularyTrie

_KEPT = 4_000
_WIDEST = 64
"""Tokens of one thread's own, past which nothing is gained by looking for those that it shares."""


@dataclass(frozen=True, slots=True)
class Table:
    """Where the tokens after a thread lead, by what the document needs then.

    Attributes:
        needs: Tokens by how many further ones the document needs after them, ascending.
        undecided: Tokens for which it depends on the text that the thread is without.
    """

    needs: list[tuple[int, Ids]]
    undecided: list[int]


class Needs:
    """The needs after each token, for the threads of one constraint.

    Args:
        trie: The vocabulary.
        budget: Finds how many tokens a thread needs.
    """

    def __init__(self, trie: VocabularyTrie, budget: Budget) -> None:
        self.trie, self.budget = trie, budget
        self._tables: dict[Thread, Table] = {}

    def mask(self, threads: Iterable[Thread], remaining: int) -> PackedMask:
        """Give the tokens after which the document can end within `remaining` tokens, themselves included."""
        chosen = np.zeros(-(-self.trie.width // 32) * 32, np.bool_)
        for thread in threads:
            self._choose(thread, remaining - 1, chosen)
        packed = np.packbits(chosen, bitorder="little").view(np.int32)
        packed.setflags(write=False)
        return packed

    def _choose(self, thread: Thread, rest: int, chosen: np.ndarray) -> None:
        own = self._own_tokens(thread)
        table = self._table(thread if own is None else Thread(thread.place, thread.below))
        others = np.zeros_like(chosen) if own else chosen
        self._mark(table.needs, rest, others)
        if own:
            others[own] = False
            chosen |= others
        tokens = self.trie.tokens
        for token in [*(own or ()), *table.undecided]:
            if self._need(stepped((thread,), tokens[token] or b"")) <= rest:
                chosen[token] = True

    def _own_tokens(self, thread: Thread) -> list[int] | None:
        """Give the tokens of a recorded thread for which its text matters; None where it may for others too."""
        if thread.text is None:
            return None
        if not recorded.matters(thread):
            return []
        if not recorded.watched_as_string(thread.place):
            return None
        spelled = recorded.spelled(self.trie, thread, 0)
        own = [token for ids in (spelled.tokens | spelled.whole).values() for token in ids]
        return None if spelled.ends or len(own) > _WIDEST else own

    def _table(self, thread: Thread) -> Table:
        """Give the needs after a thread's tokens."""
        found = self._tables.get(thread)
        if found is None:
            found = self._worked_out(thread)
            if len(self._tables) >= _KEPT:
                self._tables.clear()
            self._tables[thread] = found  # only when it is final: other threads read it at any time
        return found

    def _worked_out(self, thread: Thread) -> Table:
        by_need: dict[int, list[Ids]] = {}
        walk = Walk(self.trie, (thread,), forgetful=True)
        undecided = walk.undecided
        for threads, ids in walk.targets():
            try:
                by_need.setdefault(self._need(threads), []).append(ids)
            except distinct.Undecided:
                undecided.extend(np.asarray(ids).tolist())
        by_need.pop(INFINITE, None)
        return Table([(need, ids) for need in sorted(by_need) for ids in by_need[need]], undecided)

    def _need(self, threads: Threads) -> int:
        return min((self.budget.need(thread) for thread in threads), default=INFINITE)

    @staticmethod
    def _mark(needs: list[tuple[int, Ids]], rest: int, chosen: np.ndarray) -> None:
        few: list[int] = []
        for need, ids in needs:
            if need > rest:
                break
            if len(ids) < 8:
                few.extend(ids)
            else:
                chosen[np.asarray(ids)] = True
        if few:
            chosen[few] = True


__all__ = ["Needs"]
