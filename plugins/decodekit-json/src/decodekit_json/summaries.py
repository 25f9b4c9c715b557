"""What the vocabulary's tokens do in one part of a document, whatever the part stands in: worked out once for all.

A token is read by the topmost part of a thread; where that part ends before the token does, the rest of the token is
read by the part below. So a mask is put together from summaries of parts, and a part seen before, in another object or
array, costs a look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from decodekit.types import PackedMask
from decodekit_json import distinct, recorded
from decodekit_json.inside import Inside, inside, inside_from
from decodekit_json.levels import Levels
from decodekit_json.machine import Reading, Stop, Thread, finished
from decodekit_json.states import stepped
from decodekit_json.suffixes import Ids, SuffixNode
from decodekit_json.terminal import TerminalState
from decodekit_json.trie import Array, VocabularyTrie

Root: TypeAlias = "int | SuffixNode"
"""Where the rest of the tokens begins: a node of the vocabulary's trie, or several together."""

_KEPT = 20_000
_FEW = 24
_FEW_NODES = 2
_FEW_ONES = 48
_NO_IDS = np.zeros(0, np.int32)
_AVOIDING = 64
"""Bytes that are enough to get around a value that is taken."""


class Hole(Stop):
    """Stands for whatever is below a part."""

    __slots__ = ()


BELOW = Thread(Hole(), None)


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What tokens do in a part.

    Attributes:
        bits: Tokens that end in the part or just behind it, as a mask; None for none.
        ids: Further ones.
        most: Bytes that are enough to end the part after any of them, but those of `within`.
        within: Tokens that stay inside a terminal, with the bytes that are enough to end the part behind it.
        end: What is left of tokens that run past the part's end; None where none does.
    """

    bits: PackedMask | None
    ids: tuple[Ids, ...]
    most: int
    within: tuple[tuple[Inside, int], ...]
    end: SuffixNode | None


class Mask:
    """The tokens that may follow.

    Attributes:
        bits: One bit a token.
    """

    __slots__ = ("_most", "_within", "bits")

    def __init__(self, bits: PackedMask, most: int = 0, within: tuple[tuple[Inside, int], ...] = ()) -> None:
        self.bits, self._most, self._within = bits, most, within

    @property
    def most(self) -> int:
        """Bytes that are enough to end the document after any of the tokens; found out when it is first asked for."""
        within = self._within
        if within:  # forgotten only once `_most` counts them: another thread may ask meanwhile
            self._most = max(self._most, *(inside.most + more for inside, more in within))
            self._within = ()
        return self._most

    @property
    def nbytes(self) -> int:
        """Memory of the mask, and about that of its state."""
        return self.bits.nbytes + 1500


class _Found:
    """What is being collected for a summary."""

    __slots__ = ("bits", "ends", "ids", "most", "within")

    def __init__(self) -> None:
        self.bits: list[PackedMask] = []
        self.ids: list[Ids] = []
        self.ends: list[SuffixNode] = []
        self.within: list[tuple[Inside, int]] = []
        self.most = 0

    def add(self, other: _Found) -> None:
        """Take over what was collected elsewhere."""
        self.bits += other.bits
        self.ids += other.ids
        self.ends += other.ends
        self.within += other.within
        self.most = max(self.most, other.most)


class Summaries:
    """The summaries of one constraint's parts.

    Args:
        trie: The vocabulary.
        ceiling: Gives the bytes that are enough to end a thread.
    """

    def __init__(self, trie: VocabularyTrie, ceiling: Callable[[Thread], int]) -> None:
        self.trie, self._ceiling = trie, ceiling
        self._kept: dict[tuple[Thread, Root], Summary] = {}
        self._levels = Levels(trie, BELOW)

    def mask(self, threads: Iterable[Thread]) -> Mask:
        """Give the tokens that may follow a state."""
        found = _Found()
        for thread in threads:
            self._walk(thread, 0, found)
        bits = self._merged(found)
        if bits is None:
            bits = np.zeros(-(-self.trie.width // 32), np.int32)
        return Mask(bits, found.most, tuple(found.within))

    def _merged(self, found: _Found) -> PackedMask | None:
        """Give all tokens as one mask, None for no tokens."""
        bits, ids = found.bits, found.ids
        if not ids and len(bits) < 2:
            return bits[0] if bits else None
        merged = bits[0].copy() if bits else np.zeros(-(-self.trie.width // 32), np.int32)
        for other in bits[1:]:
            merged |= other
        if ids:
            every = np.concatenate([some for some in ids if not isinstance(some, tuple)] or [_NO_IDS])
            few = [token for some in ids if isinstance(some, tuple) for token in some]
            if len(every):
                _set(merged, every)
            if len(few) > _FEW_ONES:
                _set(merged, np.array(few, np.int32))
            else:
                words = merged.view(np.uint32).data  # several times faster than the array, one by one
                for token in few:
                    words[token >> 5] |= 1 << (token & 31)
        merged.setflags(write=False)
        return merged

    def _walk(self, thread: Thread, root: Root, found: _Found) -> None:
        """Read the tokens below `root`: by the topmost part, what is left of them by the part below, and so on."""
        if thread.text is None:
            self._read_on(thread, root, found)
            return
        if self._forgettable(thread, root) and self._tried(Thread(thread.place, thread.below), root, found):
            return
        if not self._tried(thread, root, found):
            self._read_on(thread, root, found, whole=True)

    def _tried(self, thread: Thread, root: Root, found: _Found) -> bool:
        """Do so with values that are not known, where it does not come to matter which they are."""
        trial = _Found()
        try:
            self._read_on(thread, root, trial)
        except distinct.Undecided:  # one token writes two such values
            return False
        found.add(trial)
        return True

    def _read_on(self, thread: Thread, root: Root, found: _Found, *, whole: bool = False) -> None:
        end: Root | None = root
        while end is not None:
            if not isinstance(end, int):
                if end.size <= _FEW:
                    self._directly(thread, end, found)
                    return
            elif end and self.trie.count(end) <= _FEW:
                self._directly(thread, SuffixNode.of(self.trie, (end,)), found)
                return
            part, below = split(thread, whole)
            summary = self._summary(part, end)
            if summary.bits is not None:
                found.bits.append(summary.bits)
            found.ids += summary.ids
            more = self._ceiling(below)
            found.most = max(found.most, summary.most + more)
            found.within += [(inside, most + more) for inside, most in summary.within]
            end, thread = summary.end, below
            if end is not None and isinstance(below.place, Hole):
                found.ends.append(end)
                return
            if end is not None and below.place.passing:
                for after in below.place.resume(below, None):
                    if isinstance(after.place, Hole):
                        found.ends.append(end)
                    else:
                        self._walk(after, end, found)
                return

    def _directly(self, thread: Thread, root: SuffixNode, found: _Found) -> None:
        """Read few tokens byte by byte."""
        place = thread.place
        for byte in root.letters if isinstance(place, Reading) else place.bytes():
            child = root.child(byte)
            after = () if child is None else thread.step(byte)
            if not after:
                continue
            assert child is not None
            if len(child.tokens):
                found.ids.append(child.tokens)
            for reached in after:
                found.most = max(found.most, self._ceiling(reached) + (0 if reached.text is None else _AVOIDING))
                if child.letters:
                    if isinstance(reached.place, Hole):
                        found.ends.append(child)
                    else:
                        self._directly(reached, child, found)

    def _forgettable(self, thread: Thread, root: Root) -> bool:
        """Say whether no token below `root` writes a value that may not come, so that the record does not matter."""
        place = thread.place
        if not recorded.matters(thread):
            return True
        if not isinstance(root, int) or not recorded.watched_as_string(place):
            return False
        spelled = recorded.spelled(self.trie, thread, root)
        return not (spelled.tokens or spelled.ends)

    def _summary(self, part: Thread, root: Root) -> Summary:
        key = (part, root)
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            found = self._kept[key] = self._summarise(part, root)
        return found

    def _within(self, place: Reading, node: int) -> Inside:
        if node == 0:
            return inside(self.trie, place.terminal, place.state)
        return inside_from(self.trie, place.terminal, place.state, node, self.trie.depth(node))

    def _summarise(self, part: Thread, root: Root) -> Summary:
        found = _Found()
        place = part.place
        if not isinstance(root, int) and place.converges:
            self._read_together(part, root, found)
        elif not isinstance(root, int):
            self._step(part, root, None if isinstance(place, Reading) else place.bytes(), found)
        elif not isinstance(place, Reading):
            self._step(part, root, place.marks(), found)
            for reading in place.readings(part):
                self._walk(reading, root, found)
        elif part.text is None or recorded.watched_as_string(place):
            self._read(part, place, root, found)
        else:
            self._step(part, root, None, found)
        end = SuffixNode.together(found.ends) if found.ends else None
        if end is not None and not end.letters:
            end = None
        few = sum(len(some) for some in found.ids) <= _FEW and len(found.bits) < 2
        if few:
            bits, ids = found.bits[0] if found.bits else None, tuple(found.ids)
        else:
            bits, ids = self._merged(found), ()
        return Summary(bits, ids, found.most, tuple(found.within), end)

    def _read_together(self, part: Thread, root: SuffixNode, found: _Found) -> None:
        """Read the tokens below few nodes as those of each node, which others may know; those below many at once."""
        if len(root.nodes) <= _FEW_NODES:
            for node in root.nodes:
                self._walk(part, int(node), found)
            return
        crowd = self._levels.read(part, root.nodes)
        found.ids.append(crowd.ids)
        found.most = max([found.most, *map(self._ceiling, crowd.reached)])
        if crowd.passed:
            found.ends.append(SuffixNode.of(self.trie, crowd.passed))

    def _step(self, part: Thread, root: Root, letters: Iterable[int] | None, found: _Found) -> None:
        trie = self.trie
        if letters is None:
            letters = trie.children(root) if isinstance(root, int) else root.letters
        for byte in letters:
            child: Root | None = trie.children(root).get(byte) if isinstance(root, int) else root.child(byte)
            if child is None:
                continue
            after = part.step(byte)
            if not after:
                continue
            tokens = trie.tokens_at(child) if isinstance(child, int) else child.tokens
            if len(tokens):
                found.ids.append(tokens)
            leaf = not (trie.children(child) if isinstance(child, int) else child.letters)
            for thread in after:
                found.most = max(found.most, self._ceiling(thread) + (0 if thread.text is None else _AVOIDING))
                if leaf:
                    continue
                if isinstance(thread.place, Hole):
                    found.ends.append(SuffixNode.of(trie, (child,)) if isinstance(child, int) else child)
                else:
                    self._walk(thread, child, found)

    def _read(self, part: Thread, place: Reading, node: int, found: _Found) -> None:
        """Read by a terminal: what stays inside is known; what comes after its end is read by what is below."""
        within = self._within(place, node)
        assert part.below is not None
        spelled = None if part.text is None else recorded.spelled(self.trie, part, node)
        banned = [] if spelled is None else self._banned(part, spelled)
        if banned:
            bits = within.mask.copy()
            words = bits.view(np.uint32).data
            for token in banned:
                words[token >> 5] &= ~(1 << (token & 31))
            found.bits.append(bits)
        elif within.bits is None:
            found.ids.append(within.ids)
        else:
            found.bits.append(within.bits)
        found.within.append((within, self._ceiling(part.below) + (0 if part.text is None else _AVOIDING)))
        if isinstance(part.below.place, Hole):
            if within.end is not None:
                found.ends.append(within.end)
        elif spelled is None:
            self._past(part, place, within.ends, found)
        else:
            self._past_recorded(part, place, within, spelled, found)

    def _banned(self, part: Thread, spelled: recorded.Spelled) -> list[int]:
        """Give the tokens that write a value which may not come, or from which only such values come."""
        return [token for content, ids in spelled.tokens.items() if not stepped((part,), content) for token in ids]

    def _past(
        self, part: Thread, place: Reading, ends: Iterable[tuple[TerminalState, SuffixNode]], found: _Found
    ) -> None:
        for state, root in ends:
            for thread in finished(part.below, None, Reading(place.terminal, state)):
                self._walk(thread, root, found)

    def _past_recorded(
        self, part: Thread, place: Reading, within: Inside, spelled: recorded.Spelled, found: _Found
    ) -> None:
        """Read past a string: ends that spell a taken one for themselves, all others without telling them apart."""
        hits = [content for content in spelled.ends if content in within.contents]
        trial = _Found()
        try:
            if hits:
                left = within.without(hits)
                if left is not None:
                    self._past(part, place, [(within.ends[0][0], left)], trial)
            else:
                self._past(part, place, within.ends, trial)
        except distinct.Undecided:
            for content, root in within.exits:
                self._behind(part, place, content, root, found)
            return
        found.add(trial)
        for content in hits:
            self._behind(part, place, content, within.contents[content], found)

    def _behind(self, part: Thread, place: Reading, content: bytes, root: SuffixNode, found: _Found) -> None:
        for thread in stepped((part,), content):
            if isinstance(thread.place, Hole):
                found.ends.append(root)
            elif not (isinstance(thread.place, Reading) and thread.place.terminal is place.terminal):
                self._walk(thread, root, found)


def _set(bits: PackedMask, ids: Array) -> None:
    np.bitwise_or.at(bits.view(np.uint32), ids >> 5, np.left_shift(np.uint32(1), (ids & 31).astype(np.uint32)))


def split(thread: Thread, whole: bool = False) -> tuple[Thread, Thread]:
    """Give the topmost part of a thread, with a hole below it, and the rest; with `whole`, recorded items entirely."""
    below = thread.below
    if below is None:
        return thread, BELOW
    if thread.text is not None and (bottom := distinct.watched(thread, whole)) is not None:
        assert bottom.below is not None
        return distinct.cut(thread, bottom, Thread(bottom.place, BELOW)), bottom.below
    if below.place.curious:
        assert below.below is not None
        return Thread(thread.place, Thread(below.place, BELOW), thread.text), below.below
    return Thread(thread.place, BELOW, thread.text), below


__all__ = ["BELOW", "Hole", "Mask", "Summaries", "Summary", "split"]
