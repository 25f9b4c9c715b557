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
from decodekit_json.gathering import Gathered, Mask, Merger, Tokens
from decodekit_json.inside import Inside, inside, inside_from
from decodekit_json.levels import Levels
from decodekit_json.machine import Reading, Stop, Thread, finished
from decodekit_json.states import stepped
from decodekit_json.suffixes import Ids, SuffixNode
from decodekit_json.terminal import TerminalState
from decodekit_json.trie import VocabularyTrie

Root: TypeAlias = "int | SuffixNode"
"""Where the rest of the tokens begins: a node of the vocabulary's trie, or several together."""

_KEPT = 20_000
_FEW = 24
_FEW_NODES = 2


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
        most: Bytes that are enough to end the part after any of them, but those of `within`; None where the place
            says it (`Place.reach`), because other places share the summary.
        within: Tokens that stay inside a terminal, with the bytes that are enough to end the part behind it.
        end: What is left of tokens that run past the part's end; None where none does.
    """

    bits: PackedMask | None
    ids: tuple[Ids, ...]
    most: int | None
    within: tuple[tuple[Inside, int], ...]
    end: SuffixNode | None

    @property
    def nbytes(self) -> int:
        """Memory of the mask, and about that of the rest."""
        return (0 if self.bits is None else self.bits.nbytes) + 8 * sum(map(len, self.ids)) + 800


class Summaries:
    """The summaries of one constraint's parts.

    Args:
        trie: The vocabulary.
        ceiling: Gives the bytes that are enough to end a thread.
    """

    def __init__(self, trie: VocabularyTrie, ceiling: Callable[[Thread], int]) -> None:
        self.trie, self._ceiling = trie, ceiling
        self._kept: dict[tuple[Thread, Root], Summary] = {}
        self._merged = Merger(trie)
        self._levels = Levels(trie, BELOW)

    def mask(self, threads: Iterable[Thread]) -> Mask:
        """Give the tokens that may follow a state."""
        found = Gathered()
        for thread in threads:
            self._walk(thread, 0, found)
        tokens = self._merged(found) or Tokens(np.zeros(-(-self.trie.width // 32), np.int32))
        return Mask(tokens, found, self._ceiling)

    def _walk(self, thread: Thread, root: Root, found: Gathered) -> None:
        """Read the tokens below `root`: by the topmost part, what is left of them by the part below, and so on."""
        if thread.text is None:
            self._read_on(thread, root, found)
            return
        if self._forgettable(thread, root) and self._tried(Thread(thread.place, thread.below), root, found):
            return
        if not self._tried(thread, root, found):
            self._read_on(thread, root, found, whole=True)

    def _tried(self, thread: Thread, root: Root, found: Gathered) -> bool:
        """Do so with values that are not known, where it does not come to matter which they are."""
        trial = Gathered()
        try:
            self._read_on(thread, root, trial)
        except distinct.Undecided:  # one token writes two such values
            return False
        found.add(trial)
        return True

    def _read_on(self, thread: Thread, root: Root, found: Gathered, *, whole: bool = False) -> None:
        end: Root | None = root
        while end is not None:
            if not isinstance(end, int):
                if end.size <= _FEW:
                    self._directly(thread, end, found)
                    return
            elif end and self.trie.count(end) <= _FEW:
                self._directly(thread, SuffixNode.of(self.trie, (end,)), found)
                return
            place, below = thread.place, thread.below
            if thread.text is None and isinstance(place, Reading) and isinstance(end, int):
                assert below is not None
                if below.place.curious:
                    self._read(thread, place, end, found)  # what is below differs mostly, the terminal's part is shared
                    return
            part, below = split(thread, whole)
            summary = self._summary(part, end)
            if summary.bits is not None:
                found.bits.append(summary.bits)
            found.ids += summary.ids
            if summary.most is None:
                found.looked.append((part.place, below))
            else:
                found.reached.append((summary.most, below))
            found.within += [(inside, more, below) for inside, more in summary.within]
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

    def _directly(self, thread: Thread, root: SuffixNode, found: Gathered) -> None:
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
                found.reached.append((0 if reached.text is None else distinct.AVOIDING, reached))
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
        if not isinstance(root, int) or not recorded.watched(place):
            return False
        spelled = recorded.spelled(self.trie, thread, root)
        return not (spelled.tokens or spelled.ends)

    def _summary(self, part: Thread, root: Root) -> Summary:
        place = part.place
        outlook = place.outlook() if part.text is None and part.below is BELOW else None
        if outlook is not None and not (place.foresees and SuffixNode.at(self.trie, root).crosses):
            return self.trie.kept_inside.get((outlook, root), lambda: self._summarise(part, root, place.foresees))
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

    def _summarise(self, part: Thread, root: Root, foreseen: bool = False) -> Summary:
        found = Gathered()
        place = part.place
        if not isinstance(root, int) and place.converges:
            self._read_together(part, root, found)
        elif not isinstance(root, int):
            self._step(part, root, None if isinstance(place, Reading) else place.bytes(), found)
        elif not isinstance(place, Reading):
            self._step(part, root, place.marks(), found)
            for reading in place.readings(part):
                self._walk(reading, root, found)
        elif part.text is None or recorded.watched(place):
            self._read(part, place, root, found)
        else:
            self._step(part, root, None, found)
        end = SuffixNode.together(found.ends) if found.ends else None
        if end is not None and not end.letters:
            end = None
        ids = tuple(found.ids)
        bits = found.bits[0] if found.bits else None
        if sum(map(len, ids)) > _FEW or len(found.bits) > 1:
            tokens, ids = self._merged(found), ()
            assert tokens is not None
            bits = tokens.bits
        within = tuple([(inside, more + self._ceiling(thread)) for inside, more, thread in found.within])
        return Summary(bits, ids, None if foreseen else found.most(self._ceiling), within, end)

    def _read_together(self, part: Thread, root: SuffixNode, found: Gathered) -> None:
        """Read the tokens below few nodes as those of each node, which others may know; those below many at once."""
        if len(root.nodes) <= _FEW_NODES:
            for node in root.nodes:
                self._walk(part, int(node), found)
            return
        crowd = self._levels.read(part, root.nodes)
        found.ids.append(crowd.ids)
        found.reached += [(0, thread) for thread in crowd.reached]
        if crowd.passed:
            found.ends.append(SuffixNode.of(self.trie, crowd.passed))

    def _step(self, part: Thread, root: Root, letters: Iterable[int] | None, found: Gathered) -> None:
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
                found.reached.append((0 if thread.text is None else distinct.AVOIDING, thread))
                if leaf:
                    continue
                if isinstance(thread.place, Hole):
                    found.ends.append(SuffixNode.of(trie, (child,)) if isinstance(child, int) else child)
                else:
                    self._walk(thread, child, found)

    def _read(self, part: Thread, place: Reading, node: int, found: Gathered) -> None:
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
        found.within.append((within, 0 if part.text is None else distinct.AVOIDING, part.below))
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
        self, part: Thread, place: Reading, ends: Iterable[tuple[TerminalState, SuffixNode]], found: Gathered
    ) -> None:
        for state, root in ends:
            for thread in finished(part.below, None, Reading(place.terminal, state)):
                self._walk(thread, root, found)

    def _past_recorded(
        self, part: Thread, place: Reading, within: Inside, spelled: recorded.Spelled, found: Gathered
    ) -> None:
        """Read past a value: ends that spell a taken one for themselves, all others without telling them apart."""
        hits = [content for content in spelled.ends if content in within.contents]
        trial = Gathered()
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

    def _behind(self, part: Thread, place: Reading, content: bytes, root: SuffixNode, found: Gathered) -> None:
        for thread in stepped((part,), content):
            if isinstance(thread.place, Hole):
                found.ends.append(root)
            elif not (isinstance(thread.place, Reading) and thread.place.terminal is place.terminal):
                self._walk(thread, root, found)


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


__all__ = ["BELOW", "Hole", "Summaries", "Summary", "split"]
