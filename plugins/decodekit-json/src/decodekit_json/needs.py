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
from decodekit_json.members import FreeKey, NamedKey, ObjectPlace
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


class Target:
    """Where some tokens lead, and what the document needs then, as far as that is known.

    Attributes:
        threads: What goes on.
        ids: The tokens.
        distance: The fewest bytes to the end.
        need: The tokens that are enough; -1 before it was asked for.
    """

    __slots__ = ("distance", "ids", "need", "threads")

    def __init__(self, threads: Threads, ids: Ids) -> None:
        self.threads, self.ids, self.need = threads, ids, -1
        self.distance = min((thread.distance for thread in threads), default=INFINITE)


@dataclass(frozen=True, slots=True)
class Table:
    """Where the tokens after a thread lead, by what the document needs then.

    Attributes:
        needs: Tokens by how many further ones the document needs after them, ascending.
        undecided: Tokens for which it depends on the text that the thread is without.
        written: Strings and numbers that the document needs still; the thread's text must not become one of them.
        open: Tokens whose need is found when it is asked for.
    """

    needs: list[tuple[int, Ids]]
    undecided: list[int]
    written: Leaves = frozenset()
    open: tuple[Target, ...] = ()

    @property
    def nbytes(self) -> int:
        """About the memory of it."""
        ids = sum(_ID_BYTES * len(some) + _ENTRY_BYTES for _, some in self.needs)
        ids += sum(THREAD_BYTES * len(target.threads) + _ID_BYTES * len(target.ids) for target in self.open)
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
        rest, targets, single = remaining - 1, list[Target](), list[tuple[Thread, int]]()
        for thread in threads:
            table, own = self._forgetful(thread)
            self._choose(table.needs, own, rest, chosen)
            targets += table.open
            single += [(thread, token) for token in (*own, *table.undecided)]
        for target in sorted(targets, key=_distance):  # the nearest of several threads mostly decides
            if not chosen[np.asarray(target.ids)].all():
                if target.need < 0:
                    target.need = self._need(target.threads)
                self._mark([(target.need, target.ids)], rest, chosen)
        for thread, token in single:
            if not chosen[token]:
                chosen[token] = self._need(stepped((thread,), self.trie.tokens[token] or b"")) <= rest
        packed = np.packbits(chosen, bitorder="little").view(np.int32)
        packed.setflags(write=False)
        return packed

    def _choose(self, needs: list[tuple[int, Ids]], own: list[int], rest: int, chosen: np.ndarray) -> None:
        """Mark the tokens with small needs, but for some with needs of their own."""
        others = np.zeros_like(chosen) if own else chosen
        self._mark(needs, rest, others)
        if own:
            others[own] = False
            chosen |= others

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
        due, all_names = _names_below(thread)
        others = self._others | due
        while True:
            walk = Walk(self.trie, (thread,), forgetful=True, others=others)
            targets = list(walk.targets())
            written = set[Any]()
            if not (walk.forgot or distinct.unknown(thread)):
                return Table([], walk.undecided, open=tuple([Target(*target) for target in targets]))
            undecided, by_need = walk.undecided[:], dict[int, list[Ids]]()
            for threads, ids in targets:
                if any(map(distinct.differs_from_unknown, threads)):
                    undecided += np.asarray(ids).tolist()  # few, that write a value and begin another one
                else:
                    by_need.setdefault(self._need_writing(threads, written), []).append(ids)
            if not walk.forgot or written <= others:
                break
            others |= written  # a text that was left out may be one of them
        self._others |= written - all_names
        by_need.pop(INFINITE, None)
        return Table([(need, ids) for need in sorted(by_need) for ids in by_need[need]], undecided, frozenset(written))

    def _need(self, threads: Threads) -> int:
        return min((self.budget.need(thread) for thread in threads), default=INFINITE)

    def _need_writing(self, threads: Threads, written: set[Any]) -> int:
        """Do as `_need`, and gather what is written from here on."""
        found = INFINITE
        for thread in threads:
            need, way = self.budget.need_and_way(thread)
            written |= recorded.leaves_in(way or b"")
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


def _distance(target: Target) -> int:
    return target.distance


def _names_below(thread: Thread) -> tuple[Leaves, Leaves]:
    """Give the keys that the objects below a thread still need, and all that have a name."""
    due, every = set[Any](), set[Any]()
    at: Thread | None = thread
    while at is not None:
        place = at.place
        if isinstance(place, ObjectPlace | NamedKey | FreeKey):
            due.update(map(recorded.Key, place.plan.needed_names(place.progress)))
            every.update(map(recorded.Key, place.plan.names))
        at = at.below
    return frozenset(due), frozenset(every)


__all__ = ["Needs"]
