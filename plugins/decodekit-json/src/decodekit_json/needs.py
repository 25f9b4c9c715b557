"""How many tokens a document still needs after each token: found once for a thread, for all budgets.

For large vocabularies. A thread whose recorded text can only become a value that may come, whichever token follows, has
the needs of the same thread without that text, so that they are found once for nearly all keys and items.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from decodekit.types import PackedMask
from decodekit_json import distinct, recorded
from decodekit_json.budget import Budget
from decodekit_json.caching import BoundedCache
from decodekit_json.inside import inside
from decodekit_json.machine import Reading, Thread, Threads
from decodekit_json.masks import Walk
from decodekit_json.recorded import Leaves
from decodekit_json.states import THREAD_BYTES, stepped
from decodekit_json.suffixes import Ids
from decodekit_json.terminal import INFINITE
from decodekit_json.trie import VocabularyTrie

TABLES_BYTES = 16 << 20
"""How much what is known of the tokens after threads may take together; the oldest goes first."""
_ID_BYTES, _ENTRY_BYTES = 8, 200
_WIDEST = 512
"""Tokens of one thread's own, past which nothing is gained by looking for those that it shares."""


@dataclass(frozen=True, slots=True)
class Table:
    """Where the tokens after a thread lead, by what the document needs then.

    Attributes:
        needs: Tokens by how many further ones the document needs after them, ascending.
        undecided: Tokens for which it depends on the text that the thread is without.
        written: Strings and numbers that the document needs still; the thread's text must not become one of them.
    """

    needs: list[tuple[int, Ids]]
    undecided: list[int]
    written: Leaves

    @property
    def nbytes(self) -> int:
        """About the memory of it."""
        ids = sum(_ID_BYTES * len(some) + _ENTRY_BYTES for _, some in self.needs)
        return 2 * THREAD_BYTES + ids + _ID_BYTES * len(self.undecided) + _ENTRY_BYTES * len(self.written)


class Needs:
    """The needs after each token, for the threads of one constraint.

    Args:
        trie: The vocabulary.
        budget: Finds how many tokens a thread needs.
    """

    def __init__(self, trie: VocabularyTrie, budget: Budget) -> None:
        self.trie, self.budget = trie, budget
        self._tables: BoundedCache[Table] = BoundedCache(TABLES_BYTES)
        self._others: Leaves = frozenset()

    def mask(self, threads: Iterable[Thread], remaining: int) -> PackedMask:
        """Give the tokens after which the document can end within `remaining` tokens, themselves included."""
        chosen = np.zeros(-(-self.trie.width // 32) * 32, np.bool_)
        for thread in threads:
            self._choose(thread, remaining - 1, chosen)
        packed = np.packbits(chosen, bitorder="little").view(np.int32)
        packed.setflags(write=False)
        return packed

    def _choose(self, thread: Thread, rest: int, chosen: np.ndarray) -> None:
        table, own = self._forgetful(thread)
        others = np.zeros_like(chosen) if own else chosen
        self._mark(table.needs, rest, others)
        if own:
            others[own] = False
            chosen |= others
        tokens = self.trie.tokens
        for token in [*own, *table.undecided]:
            if self._need(stepped((thread,), tokens[token] or b"")) <= rest:
                chosen[token] = True

    def _forgetful(self, thread: Thread) -> tuple[Table, list[int]]:
        """Give the needs of a thread, as far as can be without what is recorded, and the tokens with needs apart."""
        place = thread.place
        watched = thread.text is not None and recorded.watched(place)
        if thread.text is None or not (watched or not recorded.matters(thread)):
            return self._table(thread), []
        table = self._table(Thread(place, thread.below))
        if not recorded.matters(thread, table.written):
            return table, []
        if watched:
            assert isinstance(place, Reading)
            found = inside(self.trie, place.terminal, place.state)
            own = recorded.own_tokens(self.trie, thread, found, table.written)
            if len(own) <= _WIDEST:
                return table, own
        return self._table(thread), []

    def _table(self, thread: Thread) -> Table:
        """Give the needs after a thread's tokens."""
        return self._tables.get(thread, lambda: self._worked_out(thread))

    def _worked_out(self, thread: Thread) -> Table:
        others = self._others
        while True:
            walk = Walk(self.trie, (thread,), forgetful=True, others=others)
            targets = list(walk.targets())
            written = set[Any]()
            if walk.forgot or distinct.unknown(thread):
                needs = [self._need_writing(threads, written) for threads, _ in targets]
            else:
                needs = [self._need(threads) for threads, _ in targets]
            if not walk.forgot or written <= others:
                break
            others = self._others = others | written  # a text that was left out may be one of them
        by_need: dict[int, list[Ids]] = {}
        for need, (_, ids) in zip(needs, targets, strict=True):
            by_need.setdefault(need, []).append(ids)
        by_need.pop(INFINITE, None)
        return Table(
            [(need, ids) for need in sorted(by_need) for ids in by_need[need]], walk.undecided, frozenset(written)
        )

    def _need(self, threads: Threads) -> int:
        return min((self.budget.need(thread) for thread in threads), default=INFINITE)

    def _need_writing(self, threads: Threads, written: set[Any]) -> int:
        """Do as `_need`, and gather what is written from here on."""
        found = INFINITE
        for thread in threads:
            need, way = self.budget.need_and_way(thread)
            begun = (thread.text or b"") if distinct.differs_from_unknown(thread) else b""
            written |= recorded.leaves_in(begun + (way or b""))
            found = min(found, need)
        return found

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
