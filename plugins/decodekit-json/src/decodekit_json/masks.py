"""Where tokens lead from a state: the vocabulary's trie is walked together with the machine.

Inside a terminal the tokens come from `inside`, which is shared between schemas; what runs past its end, and
everything between terminals, is walked byte by byte, only as far as both go on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

import numpy as np

from decodekit_json import distinct, recorded
from decodekit_json.inside import Exits, Inside, inside, inside_from
from decodekit_json.machine import Reading, Thread, Threads, finished
from decodekit_json.recorded import Leaves
from decodekit_json.states import stepped
from decodekit_json.strings import StringTerminal
from decodekit_json.suffixes import SuffixNode
from decodekit_json.trie import VocabularyTrie

Ids: TypeAlias = Any


class Walk:
    """One walk of the vocabulary from a state.

    Args:
        trie: The vocabulary.
        threads: The state.
        forgetful: Whether texts of such values that cannot be a taken one are left out of the threads.
        others: Strings and numbers of which values are made that count as taken, where texts are left out.

    Attributes:
        within: Tokens that stay inside a terminal: how they were found, and the thread that they continue.
        ends: Tokens that end elsewhere, with the threads that they lead to.
        undecided: Tokens for which it matters which a value is whose text was left out.
        forgot: Whether a text was left out.
    """

    def __init__(
        self, trie: VocabularyTrie, threads: Iterable[Thread], *, forgetful: bool = False, others: Leaves = frozenset()
    ) -> None:
        self.trie, self.forgetful, self.others = trie, forgetful, others
        self.forgot = False
        self.within: list[tuple[Inside, Thread]] = []
        self.ends: list[tuple[Threads, Ids]] = []
        self.undecided: list[int] = []
        for thread in threads:
            self._below(0, (thread,), 0)

    def _below(self, node: int, threads: Threads, depth: int) -> None:
        """Take the tokens below a node of the trie, `threads` having read up to it."""
        children = self.trie.children(node)
        if not children:
            return
        outside = list[Thread]()
        for thread in threads:
            place = thread.place
            if isinstance(place, Reading) and (thread.text is None or distinct.many(place) or recorded.watched(place)):
                self._inside(node, depth, thread, place)
            else:
                outside.append(thread)
        between, unclear = _stepped_each(outside, children)
        for byte in unclear:
            self.undecided += self.trie.below(children[byte])
        for byte, after in between.items():
            child = children[byte]
            ids = self.trie.tokens_at(child)
            if len(ids):
                self.ends.append((after, ids))
            self._below(child, after, depth + 1)

    def _inside(self, node: int, depth: int, thread: Thread, place: Reading) -> None:
        if node == 0:
            found = inside(self.trie, place.terminal, place.state)
        else:
            found = inside_from(self.trie, place.terminal, place.state, node, depth)
        self.within.append((found, thread))
        assert thread.below is not None
        if thread.text is None and not thread.below.place.curious:  # it does not matter how the terminal ended
            if found.end is not None:
                self._past(found.end, finished(thread.below, None))
            return
        try:
            if thread.text is None:
                for state, root in found.ends:
                    self._past(root, finished(thread.below, None, Reading(place.terminal, state)))
            elif not self.forgetful or not self._unknown_end(found, thread, place):
                self._each_end(found.exits, thread, place)
        except distinct.Undecided:  # it is the second such value that a token writes
            self.undecided += [
                token for _, root in found.ends for node in root.nodes for token in self.trie.below(int(node))
            ]

    def _unknown_end(self, found: Inside, thread: Thread, place: Reading) -> bool:
        """Take what follows a value that must differ from others, without telling which value it is.

        False where that cannot be done.
        """
        assert thread.below is not None
        assert thread.text is not None
        below, text = thread.below, thread.text
        taken = below.place.taken_texts()
        if taken is None or b"\\" in text or not isinstance(place.terminal, StringTerminal):
            return False
        leaves = recorded.keys_of(self.others)
        if isinstance(below.place, distinct.Item):
            leaves |= recorded.strings_of(self.others)
        others = {b'"%b"' % leaf.encode("utf-8", "replace") for leaf in leaves}
        left, single = list[SuffixNode](), list[tuple[bytes, SuffixNode]]()
        for content, root in found.exits:
            if b"\\" in content or text + content in others:
                single.append((content, root))
            elif text + content not in taken:
                left.append(root)
        if left:
            root = found.end if len(left) == len(found.exits) else SuffixNode.together(left)
            assert root is not None
            self.forgot = True
            self._past(root, below.place.unknown(below, distinct.UNKNOWN))
        self._each_end(tuple(single), thread, place)
        return True

    def _each_end(self, exits: Exits, thread: Thread, place: Reading) -> None:
        for content, root in exits:
            after = stepped((thread,), content)
            behind = [t for t in after if not (isinstance(t.place, Reading) and t.place.terminal is place.terminal)]
            if behind:
                self._past(root, behind)

    def _past(self, root: SuffixNode, threads: Threads) -> None:
        """Take the tokens that go on past the end of a terminal."""
        between, unclear = _stepped_each(threads, root.letters)
        for byte in unclear:
            child = root.child(byte)
            assert child is not None
            self.undecided += [token for node in child.nodes for token in self.trie.below(node)]
        for byte, after in between.items():
            child = root.child(byte)
            assert child is not None
            if len(child.tokens):
                self.ends.append((after, child.tokens))
            if child.letters:
                self._past(child, after)

    def targets(self) -> Iterable[tuple[Threads, Ids]]:
        """Give where each token leads, tokens that lead to the same place together."""
        yield from self.ends
        for found, thread in self.within:
            try:
                led = list(self._targets_within(found, thread))
            except distinct.Undecided:
                self.undecided += [token for _, ids in found.targets() for token in np.asarray(ids).tolist()]
            else:
                yield from led

    def _targets_within(self, found: Inside, thread: Thread) -> Iterable[tuple[Threads, Ids]]:
        place = thread.place
        assert isinstance(place, Reading)
        if thread.text is not None:
            yield from self._recorded_targets(found, thread, place)
            return
        for state, ids in found.targets():
            yield place.reached(state, thread.below, None), ids

    def _recorded_targets(self, found: Inside, thread: Thread, place: Reading) -> Iterable[tuple[Threads, Ids]]:
        """Give where tokens lead that grow a recorded text; it is left out where no taken value can come of it."""
        assert thread.below is not None
        assert thread.text is not None
        if distinct.differs_from_unknown(thread):
            raise distinct.Undecided
        own = (
            recorded.own_tokens(self.trie, thread, found, self.others)
            if self.forgetful and recorded.watched(place)
            else None
        )
        for state, ids in found.targets():
            if own is None:
                single = ids
            else:
                some = np.asarray(ids)
                single, rest = some[np.isin(some, own)], some[~np.isin(some, own)]
                if len(rest):
                    self.forgot = True
                    yield place.reached(state, thread.below, None), rest
            for token in np.asarray(single).tolist():
                yield stepped((thread,), (self.trie.tokens[token] or b"")[found.depth :]), (token,)


def _stepped_each(threads: Threads, letters: Collection[int]) -> tuple[dict[int, list[Thread]], set[int]]:
    """Give the threads after each byte, and the bytes for which it matters which a value is that is not known."""
    between: dict[int, list[Thread]] = {}
    unclear = set[int]()
    for thread in threads:
        place = thread.place
        for byte in letters if isinstance(place, Reading) else place.bytes():
            if byte in letters:
                try:
                    after = thread.step(byte)
                except distinct.Undecided:
                    unclear.add(byte)
                    continue
                if after:
                    between.setdefault(byte, []).extend(after)
    for byte in unclear:
        between.pop(byte, None)
    return between, unclear


__all__ = ["Walk"]
