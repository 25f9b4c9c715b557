"""What the vocabulary's tokens do in one part of a document, whatever the part stands in: worked out once for all.

A token is read by the topmost part of a thread; where that part ends before the token does, the rest of the token is
read by the part below. So a mask is put together from summaries of parts, and a part seen before, in another object or
array, costs a look-up. Most parts share a summary with all that tokens cannot tell from them (`Outlook`): a value with
all that begin in the same ways, a comma with all behind which any key may come.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TypeAlias

import numpy as np

from decodekit_json import distinct, recorded
from decodekit_json.caching import BoundedCache, Limited, Numbers
from decodekit_json.ceilings import enough_within, extra
from decodekit_json.chains import Chains
from decodekit_json.closers import quoted
from decodekit_json.gathering import Gathered, Mask, Merger, Summary, Tokens
from decodekit_json.inside import Inside, inside, inside_from
from decodekit_json.levels import Levels
from decodekit_json.machine import BELOW, Between, Hole, Outlook, Place, Reading, Thread, Threads, finished
from decodekit_json.states import stepped
from decodekit_json.suffixes import SuffixNode
from decodekit_json.terminal import TerminalState
from decodekit_json.trie import VocabularyTrie

Root: TypeAlias = "int | SuffixNode"
"""Where the rest of the tokens begins: a node of the vocabulary's trie, or several together."""

Ends: TypeAlias = "tuple[bytes, ...]"
"""Beginnings of tokens that write a taken key up to the quote that ends it."""

_KEPT_BYTES = 3 << 19
_LOOKS = 1_000
_UNASKED = Outlook(None, False, False)
_FEW = 24
_FEW_NODES = 2


class Summaries:
    """The summaries of one constraint's parts.

    Args:
        trie: The vocabulary.
        ceiling: Gives the bytes that are enough to end a thread.
    """

    def __init__(self, trie: VocabularyTrie, ceiling: Callable[[Thread], int]) -> None:
        self.trie, self._ceiling = trie, ceiling
        self._kept: BoundedCache[Summary] = BoundedCache(_KEPT_BYTES)
        self._numbers = Numbers(_LOOKS)
        self._looks: dict[Place, Outlook | None] = Limited(_LOOKS)
        self._chains = Chains()
        self._last_ends: tuple[Thread | None, Ends | None] = (None, None)
        self._quoted = quoted(trie)
        self._merged = Merger(trie)
        self._levels = Levels(trie, BELOW)

    def mask(self, threads: Collection[Thread]) -> Mask:
        """Give the tokens that may follow a state."""
        only = self._only(threads)
        if only is None:
            return self._gathered(threads)[0]
        chain = self._chains.look_up(only, self._look_of)
        if chain is None:
            mask, found = self._gathered(threads)
            assert isinstance(mask.held, Tokens)
            chain = self._chains.keep(only, found, mask.held, self._look_of)
            if chain is None:
                return mask
        return Mask(chain, only)

    def _only(self, threads: Collection[Thread]) -> Thread | None:
        """Give the thread that has all tokens where what is recorded does not matter; None where it takes several."""
        if not 0 < len(threads) <= 2:
            return None
        one, *others = threads if len(threads) == 1 else sorted(threads, key=_has_no_text)
        if one.text is None:
            return None if others else one
        if self._ends(one, 0) != () or (others and not _covers(one, others[0])):
            return None
        return Thread(one.place, one.below)

    def _gathered(self, threads: Collection[Thread]) -> tuple[Mask, Gathered]:
        found = Gathered()
        self._walk_all(tuple(threads), 0, found)
        tokens = self._merged(found) or Tokens(np.zeros(-(-self.trie.width // 32), np.int32))
        found.ends.clear()
        mask = Mask(tokens, found)
        if len(found.reached) > _FEW:  # they take more memory than the number
            self.most(mask)
        return mask, found

    def most(self, mask: Mask) -> int:
        """Give bytes that are enough to end the document after any token of a mask."""
        return mask.most if mask.most >= 0 else mask.settle(self._ceiling, self._staying)

    def _staying(self, part: Thread, node: int) -> int:
        assert isinstance(part.place, Reading)
        near = part.text is not None and any(recorded.spelled(self.trie, part, node))
        return enough_within(self._within(part.place, node), part, near)

    def _walk_all(self, threads: Threads, root: Root, found: Gathered) -> None:
        """Read by several threads, but for those all of whose tokens others have."""
        if len(threads) == 1:
            self._walk(threads[0], root, found)
            return
        covering = list[Thread]()
        for thread in sorted(threads, key=_has_no_text):
            if thread.text is not None:
                ends = self._ends(thread, root)
                self._walk_recorded(thread, root, ends, found)
                if ends == ():
                    covering.append(thread)
            elif not any(_covers(one, thread) for one in covering):
                self._read_on(thread, root, found)

    def _walk(self, thread: Thread, root: Root, found: Gathered) -> None:
        """Read the tokens below `root`: by the topmost part, what is left of them by the part below, and so on."""
        if thread.text is None:
            self._read_on(thread, root, found)
        else:
            self._walk_recorded(thread, root, self._ends(thread, root), found)

    def _walk_recorded(self, thread: Thread, root: Root, ends: Ends | None, found: Gathered) -> None:
        """Do so without what is recorded, where it matters only for the ends of some tokens, or not at all."""
        plain = Thread(thread.place, thread.below)
        if ends is not None and (not ends or self._look(plain) is not None) and self._tried(plain, root, found, ends):
            return
        if not self._tried(thread, root, found):
            self._read_on(thread, root, found, whole=True)

    def _tried(self, thread: Thread, root: Root, found: Gathered, but: Ends = ()) -> bool:
        """Do so with values that are not known, where it does not come to matter which they are."""
        trial = Gathered()
        try:
            self._read_on(thread, root, trial, but)
        except distinct.Undecided:  # one token writes two such values
            return False
        found.add(trial)
        return True

    def _read_on(self, thread: Thread, root: Root, found: Gathered, but: Ends = (), *, whole: bool = False) -> None:
        """Read part by part.

        Args:
            thread: What reads.
            root: Where the tokens begin, or what is left of them.
            found: Takes what is found.
            but: Beginnings of tokens that are left out; only for parts that are shared.
            whole: Whether recorded items are read entirely.
        """
        end: Root | None = root
        while end is not None:
            place, below = thread.place, thread.below or BELOW
            look = self._look(thread) if thread.text is None else None
            if look is not None:
                if below.place.curious:
                    place, below = below.place, below.below or BELOW
                summary = self._shared_summary(look, thread, end, but)
                but = ()
            elif end and self._size(end) <= _FEW:
                self._directly(thread, SuffixNode.at(self.trie, end), found)
                return
            elif thread.text is None and isinstance(place, Reading) and isinstance(end, int) and below.place.curious:
                self._read(thread, place, end, found)  # what is below differs mostly, the terminal's part is shared
                return
            else:
                part, below = split(thread, whole)
                summary = self._summary(part, end)
            found.take(summary, place, below)
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

    def _size(self, root: Root) -> int:
        return self.trie.count(root) if isinstance(root, int) else root.size

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
                found.reached.append((extra(reached), reached))
                if child.letters:
                    if isinstance(reached.place, Hole):
                        found.ends.append(child)
                    else:
                        self._directly(reached, child, found)

    def _ends(self, thread: Thread, root: Root) -> Ends | None:
        """Give the beginnings of tokens below `root` that write a taken key; None where more of the text may matter."""
        known, ends = self._last_ends
        if known is not thread or root != 0:
            ends = self._find_ends(thread, root)
            if root == 0:
                self._last_ends = thread, ends  # it is asked for again at once
        return ends

    def _find_ends(self, thread: Thread, root: Root) -> Ends | None:
        if not isinstance(root, int) or not recorded.watched(thread.place):
            return None if recorded.matters(thread) else ()
        return recorded.ends_of_taken(self.trie, thread, root)

    def _look(self, thread: Thread) -> Outlook | None:
        """Say what tokens can tell of the topmost part of a thread; None where its summary is only its own."""
        place, below = thread.place, thread.below
        if below is not None and below.place.curious:
            under = self._look_of(below.place)
            return None if under is None else under.within(place)
        return self._look_of(place)

    def _look_of(self, place: Place) -> Outlook | None:
        if isinstance(place, Reading):
            return None
        found = self._looks.get(place, _UNASKED)
        if found is _UNASKED:
            found = place.outlook(self._quoted.texts)
            if found is not None:
                numbers = self.trie.outlooks if found.everywhere else self._numbers
                key, everywhere, foresees = found
                found = None if foresees and self._quoted.crosses else Outlook(numbers(key), everywhere, foresees)
            self._looks[place] = found
        return found

    def _shared_summary(self, look: Outlook, thread: Thread, root: Root, but: Ends) -> Summary:
        key, kept = (look.key, root, but), self.trie.kept_inside if look.everywhere else self._kept
        found = kept.look_up(key)
        if found is None:
            part = split(thread)[0]
            found = kept.get(key, lambda: self._summarise(part, root, look.foresees, but))
        return found

    def _summary(self, part: Thread, root: Root) -> Summary:
        key = (part, root)
        return self._kept.look_up(key) or self._kept.get(key, lambda: self._summarise(part, root))

    def _within(self, place: Reading, node: int) -> Inside:
        if node == 0:
            return inside(self.trie, place.terminal, place.state)
        return inside_from(self.trie, place.terminal, place.state, node, self.trie.depth(node))

    def _summarise(self, part: Thread, root: Root, reaches: bool = False, but: Ends = ()) -> Summary:
        found = Gathered()
        place = part.place
        if not isinstance(root, int) and place.converges:
            self._read_together(part, root, found)
        elif not isinstance(root, int):
            self._step(part, root, None if isinstance(place, Reading) else place.bytes(), found)
        elif not isinstance(place, Reading):
            self._step(part, root, place.marks(), found)
            self._walk_all(place.readings(part), root, found)
        elif part.text is None or recorded.watched(place):
            self._read(part, place, root, found, but)
        else:
            self._step(part, root, place.terminal.allowed(place.state), found)
        end = SuffixNode.together(found.ends) if found.ends else None
        if end is not None and not end.letters:
            end = None
        ids = tuple(found.ids)
        bits = found.bits[0] if found.bits else None
        if sum(map(len, ids)) > _FEW or len(found.bits) > 1:
            tokens, ids = self._merged(found), ()
            assert tokens is not None
            bits = tokens.bits
        ceiling, own = (_above, BELOW) if reaches else (self._ceiling, None)
        return Summary(bits, ids, found.most(ceiling, self._staying, own), end, reaches)

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
                found.reached.append((extra(thread), thread))
                if leaf:
                    continue
                if isinstance(thread.place, Hole):
                    found.ends.append(SuffixNode.of(trie, (child,)) if isinstance(child, int) else child)
                else:
                    self._walk(thread, child, found)

    def _read(self, part: Thread, place: Reading, node: int, found: Gathered, but: Ends = ()) -> None:
        """Read by a terminal: what stays inside is known; what comes after its end is read by what is below."""
        within = self._within(place, node)
        assert part.below is not None
        spelled = None if part.text is None else recorded.spelled(self.trie, part, node)
        banned = self._banned(part, spelled) if spelled is not None else self._whole(node, but)
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
        found.within.append((part, node))
        if isinstance(part.below.place, Hole):
            if within.end is not None:
                found.ends.append(within.end)
        elif but:
            left = within.without(but)
            if left is not None:
                self._past(part, place, [(within.ends[0][0], left)], found)
        elif spelled is None:
            self._past(part, place, within.ends, found)
        else:
            self._past_recorded(part, place, within, spelled, found)

    def _banned(self, part: Thread, spelled: recorded.Spelled) -> list[int]:
        """Give the tokens that write a value which may not come, or from which only such values come."""
        return [token for content, ids in spelled.tokens.items() if not stepped((part,), content) for token in ids]

    def _whole(self, node: int, contents: Ends) -> list[int]:
        """Give the tokens whose bytes below a node are just these."""
        places = [SuffixNode.at(self.trie, node).along(content) for content in contents]
        return [token for place in places if place is not None for token in place.tokens]

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


def _has_no_text(thread: Thread) -> bool:
    return thread.text is None


def _covers(one: Thread, other: Thread) -> bool:
    """Say whether all keys of another thread may come of this one, which stands below a key, too."""
    under, below = one.below, other.below
    if under is None or below is None or other.text is not None or not under.place.covers(below.place):
        return False
    return under.below == below.below


def _above(thread: Thread) -> int:
    """Give bytes that are enough to come to the object or array that stands above the hole, or to its key."""
    found, last = 0, 0
    while not isinstance(thread.place, Hole):
        below = thread.below or BELOW
        ends = isinstance(below.place, Hole)
        if ends and thread.place.curious:
            return found - last
        last = 0 if ends and isinstance(thread.place, Between) else thread.place.ceiling()
        found += last
        thread = below
    return found


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
