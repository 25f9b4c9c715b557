"""Shortest ways to the end of a document, byte by byte: what is left of it is spelled, part by part.

A way that was spelled is kept for every place on it, so that its rest is found again from each of them. Not a search
over tokens: `budget.py` cuts what is spelled here into tokens.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import NamedTuple, TypeAlias

from decodekit_json import distinct, recorded
from decodekit_json.arrays import ArrayPlace
from decodekit_json.caching import Limited, Weighed
from decodekit_json.ceilings import stands_alone
from decodekit_json.machine import AFTER, Place, Reading, Thread, Threads, finished, grown
from decodekit_json.members import NamedKey, ObjectPlace
from decodekit_json.nearby import Nearby
from decodekit_json.possible_values import banned
from decodekit_json.states import THREAD_BYTES
from decodekit_json.summaries import BELOW, Hole, split
from decodekit_json.terminal import INFINITE, TerminalState
from decodekit_json.trie import VocabularyTrie

Spelled: TypeAlias = bytes | memoryview
KEPT_BYTES = 8 << 20
"""About the memory of what is known of threads, of each kind; past it all of it is forgotten."""
SPELLED_BYTES = 32 << 20
"""The same for places on spelled ways: each way has as many as bytes, and one that is forgotten is spelled anew."""
MAX_BYTES = 1 << 13
"""Longest way that is spelled; of a longer one it is known that a token for each byte is enough."""
_MAX_KEPT = 5_000
_MAX_TRIED = 1_000
_MAX_TAKEN = 300
"""Texts that are looked at for one that is not taken."""
_MAX_NEARBY = 200
_SEEN_BYTES = 60
_UNKNOWN = b"\xff"
_BLANKS = b" \n\r\t"
_ORDER = tuple(dict.fromkeys([*b'"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_ .:/@', *range(256)]))
"""Bytes by how likely they are to be on a shortest way; those come first of which tokens are long runs."""


class Way(NamedTuple):
    """A way to a part's end, or closer to it.

    Attributes:
        text: Its bytes.
        threads: The threads on it, with how many bytes lead to each.
        end: Where it leads.
    """

    text: bytes
    threads: list[tuple[Thread, int]]
    end: Thread


class Spelling(NamedTuple):
    """A way to the end of a thread.

    Attributes:
        text: Its bytes.
        values: What tells a value apart of which nothing is recorded, with where that value ends.
    """

    text: bytes
    values: list[tuple[distinct.Telling, int]]


class Speller:
    """Shortest ways to the end, for the threads of one constraint.

    Args:
        trie: The vocabulary: a way has bytes only that are tokens by themselves.
    """

    def __init__(self, trie: VocabularyTrie) -> None:
        self.trie = trie
        self._spelled: dict[Thread, Spelled | None] = Weighed(SPELLED_BYTES, weight)
        self._unknown: dict[Thread, Spelling | None] = Weighed(KEPT_BYTES, _weight_of_spelling)
        self._tried: dict[tuple[Reading, int], list[int]] = Limited(_MAX_KEPT)
        self._nearby: dict[Reading, Nearby] = Limited(_MAX_NEARBY)
        self._order = sorted(_ORDER, key=trie.longest_run, reverse=True)

    def way_on(self, thread: Thread) -> bytes | None:
        """Give a shortest way to the end; values that are not known are taken to differ from all that it writes."""
        try:
            return self.spell(thread)
        except distinct.Undecided:
            return self.spell(distinct.settled(thread))

    def spell(self, thread: Thread) -> bytes | None:
        """Give a shortest way to the end; None where it is too long or none is found."""
        apart = None if thread.text is None else self._spell_apart(thread)
        if apart is not None:
            return apart
        found = self._spell_each(thread)
        return None if found is None else found.text

    def _spell_apart(self, thread: Thread) -> bytes | None:
        """Do so whatever is recorded; None where what is recorded would be written again."""
        assert thread.text is not None
        unknown = Thread(thread.place, thread.below)
        if unknown not in self._unknown:
            self._unknown[unknown] = self._spell_each(unknown)
        found = self._unknown[unknown]
        if found is None:
            return None
        for place, end in found.values:
            value = thread.text[place.start :] + found.text[:end]
            if place.is_taken(value) or recorded.occurs(value, found.text[end:]):
                return None
            if not place.start:
                break
        return found.text

    def _spell_each(self, thread: Thread) -> Spelling | None:
        """Give a shortest way to the end, part by part; None where it is too long or none is found."""
        found, values = bytearray(), list[tuple[distinct.Telling, int]]()
        if thread.distance > MAX_BYTES:
            return None
        while not isinstance(thread.place, Hole):
            place, below = thread.place, thread.below
            if thread.text is None and place.curious and distinct.tells_apart(place):
                values.append((place, len(found)))
                after = place.unknown(thread, distinct.ANOTHER)
                if not after:
                    return None
                thread = after[0] if len(after) == 1 else min(after, key=self._length)
                continue
            if place.passing:
                thread = min(place.resume(thread, None), key=lambda one: one.distance)
                continue
            if below is None:
                break
            if thread.text is None and below.place.curious and distinct.tells_apart(below.place):
                part, thread = Thread(place, BELOW), below
            else:
                part, thread = split(thread, whole=True)
            text = self._spell_part(part)
            if text is None or len(found) > MAX_BYTES:
                return None
            found += text
        return Spelling(bytes(found), values)

    def _length(self, thread: Thread) -> int:
        text = self.spell(thread)
        return INFINITE if text is None else len(text)

    def _spell_part(self, part: Thread) -> Spelled | None:
        """Give a shortest way to a part's end, and keep it for every thread on it."""
        there = self._spelled.get(part, _UNKNOWN)  # another thread may forget all of them at any time
        if there is not _UNKNOWN:
            return there
        plainer = _nearest(part)
        if plainer is not part:
            return self._keep(part, self._spell_part(plainer))
        found = self._way(part) or self._search_way(part, whole=True)
        if found is None:
            return self._keep(part, None)
        text = memoryview(found.text)
        for thread, at in found.threads:  # the rest of the way is found again from each; the bytes are there once
            self._keep(thread, text[at:])
        return text

    def _way(self, part: Thread) -> Way | None:
        """Go on with bytes that lead closer to a part's end; search only where none does."""
        text, threads, thread = bytearray(), list[tuple[Thread, int]](), part
        while not isinstance(thread.place, Hole):
            known = self._spelled.get(_nearest(thread), _UNKNOWN)
            if known is None or len(text) > MAX_BYTES:
                return None
            threads.append((thread, len(text)))
            if known is not _UNKNOWN:
                return Way(bytes(text) + known, threads, thread)
            if _several(thread):
                upper, thread = split(thread)
                way = self._spell_part(upper)
                if way is None:
                    return None
                text += way
                continue
            key = self._key(thread)
            behind = _behind(thread)
            following = None if key or behind else self._closer(thread)
            if key:
                text += key[0]
                thread = min(key[1], key=lambda one: one.distance)
            elif behind:
                thread = min(behind, key=lambda one: one.distance)
            elif following is not None:
                text.append(following[0])
                thread = following[1]
            else:
                found = self._search_way(thread)
                if found is None:
                    self._keep(_nearest(thread), None)
                    return None
                threads += [(one, len(text) + at) for one, at in found.threads[1:]]
                text += found.text
                thread = found.end
        return Way(bytes(text), threads, thread)

    def _key(self, thread: Thread) -> tuple[bytes, Threads] | None:
        """Give what is left of a named key that has one writing, and what is behind it."""
        place, below = thread.place, thread.below
        if thread.text is not None or below is None or not isinstance(below.place, NamedKey) or not self.trie.spells:
            return None
        assert isinstance(place, Reading)
        return below.place.only_way(below, place)

    def _keep(self, part: Thread, text: Spelled | None) -> Spelled | None:
        self._spelled[part] = text
        return text

    def _closer(self, thread: Thread) -> tuple[int, Thread] | None:
        """Give a byte that leads closer to the end, and where it leads.

        A value that must differ from others is not begun with all of a taken one, where another byte will do.
        """
        singles, distance = self.trie.singles, thread.distance
        due = thread.place.due()
        if due in singles:
            return next(((due, after) for after in thread.step(due)), None)
        second: tuple[int, Thread] | None = None
        for byte in self._letters(thread):
            nearer = [after for after in thread.step(byte) if after.distance < distance]
            if nearer:  # where the part may end here, it does
                after = next((after for after in nearer if isinstance(after.place, Hole)), nearer[0])
                if after.text is None or self._goes_on(after):
                    return byte, after
                second = second or (byte, after)
        return second

    def _goes_on(self, thread: Thread) -> bool:
        """Say whether a byte leads closer to the end; False where only one that is seldom tried does."""
        if isinstance(thread.place, Hole) or _behind(thread):
            return True
        letters = self._few_letters(thread.place)
        return any(after.distance < thread.distance for byte in letters for after in thread.step(byte))

    def _letters(self, thread: Thread) -> Iterable[int]:
        """Give the bytes to try: few of those that lead to the same state of a terminal, more where these are taken."""
        place = thread.place
        if type(place) is not Reading:
            return self._few_letters(place)
        if thread.text is None:  # mostly the first will do
            return self._letters_apart(place, 1)
        return self._letters_as_needed(thread, place)

    def _letters_as_needed(self, thread: Thread, place: Reading) -> Iterator[int]:
        few, taken = self._few_letters(place), banned(thread)
        yield from few
        more = [byte for byte in self._letters_of(place, 2 + taken) if byte not in few] if taken > 1 else []
        if more:
            step, state = place.terminal.step, place.state
            alike = [byte for byte in few if step(state, byte) == step(state, more[0])]
            if not all(self._goes_on(after) for byte in alike for after in thread.step(byte)):
                yield from more

    def _few_letters(self, place: Place) -> list[int]:
        if type(place) is Reading:
            return self._letters_of(place, 2)
        return [byte for byte in place.bytes() if byte in self.trie.singles]

    def _letters_of(self, place: Reading, alike: int) -> list[int]:
        """Give the bytes of which at most so many lead to the same state, and keep them."""
        key = (place, min(alike, len(self._order)))
        found = self._tried.get(key)
        if found is None:
            found = self._tried[key] = list(self._letters_apart(*key))
        return found

    def _letters_apart(self, place: Reading, alike: int) -> Iterator[int]:
        """Do so for a terminal; where few values are left, each may be the one that is not taken."""
        terminal, led = place.terminal, dict[TerminalState, int]()
        allowed = terminal.allowed(place.state)
        for byte in self._order if not allowed else [byte for byte in self._order if byte in allowed]:
            state = terminal.step(place.state, byte) if byte in self.trie.singles else None
            if state is not None:
                led[state] = led.get(state, 0) + 1
                if led[state] <= alike or (alike > 1 and not distinct.many(Reading(terminal, state))):
                    yield byte

    def _search_way(self, start: Thread, *, whole: bool = False) -> Way | None:
        """Find a way where the distances know too little: a value must be avoided, or bytes are missing.

        Whitespace that has to be written costs nothing, as it does in the distances.

        Args:
            start: Where it begins.
            whole: Whether it has to lead to the part's end, not only closer to it.
        """
        if not whole and isinstance(start.place, Reading) and start.text is not None and stands_alone(start):
            return self._another(start, start.place)
        near = -1 if whole else start.distance
        order = count()
        queue: list[tuple[int, int, int, Thread, bytes, int]] = [(start.distance, 0, next(order), start, b"", 0)]
        came: dict[Thread, tuple[Thread, int, bytes] | None] = {start: None}
        tried = 0
        while queue and tried < _MAX_TRIED:
            _, _, _, thread, text, cost = heapq.heappop(queue)  # of equals the one that has come farthest
            if isinstance(thread.place, Hole) or thread.distance < near:
                return Way(text, _threads_on(came, thread), thread)
            tried += 1
            for piece, after in self._moves(thread):
                if after not in came:
                    came[after] = thread, len(text), piece
                    dearer = cost + len(piece.translate(None, thread.place.required))
                    longer = text + piece
                    heapq.heappush(queue, (dearer + after.distance, -len(longer), next(order), after, longer, dearer))
        return None

    def _another(self, start: Thread, place: Reading) -> Way | None:
        """End a recorded value by itself with the shortest text that is not taken."""
        if place not in self._nearby:
            letters = [byte for byte in self._order if byte in self.trie.singles]
            self._nearby[place] = Nearby(place.terminal, place.state, letters)
        assert start.text is not None
        for text, state in islice(self._nearby[place], _MAX_TAKEN):
            if len(text) > MAX_BYTES:
                break
            after = finished(start.below, start.text + text, Reading(place.terminal, state))
            if after:
                return Way(text, list(_along(start, place, text)), min(after, key=lambda one: one.distance))
        return None

    def _moves(self, thread: Thread) -> Iterator[tuple[bytes, Thread]]:
        """Give where single bytes lead, and where a value leads that is ended as soon as can be after one of them."""
        for after in _behind(thread):
            yield b"", after
        place = thread.place
        for byte in self._letters(thread):
            if byte in _BLANKS and not isinstance(place, Reading) and byte not in place.required:
                continue
            for after in thread.step(byte):
                yield bytes((byte,)), after
                if isinstance(place, Reading) and isinstance(after.place, Reading) and after.text is not None:
                    yield from self._ended(place, bytes((byte,)), after)

    def _ended(self, place: Reading, piece: bytes, thread: Thread) -> Iterator[tuple[bytes, Thread]]:
        """End a recorded value on a shortest way, whether or not it is taken until then."""
        at, text = thread.place, bytearray()
        assert thread.text is not None
        while isinstance(at, Reading) and at.terminal is place.terminal and not at.terminal.final(at.state):
            terminal, distance = at.terminal, at.terminal.distance(at.state)
            after = ((byte, terminal.step(at.state, byte)) for byte in self._letters_of(at, 1))
            found = next(((b, s) for b, s in after if s is not None and terminal.distance(s) < distance), None)
            if found is None or len(text) > MAX_BYTES:
                return
            text.append(found[0])
            at = Reading(terminal, found[1])
        if text:
            for after in finished(thread.below, thread.text + bytes(text), at):
                yield piece + bytes(text), after


def weight(thread: Thread, value: object) -> int:
    """Give about the memory of a thread, as far as others do not stand on the same ones."""
    place = thread.place
    seen = len(place.counts.seen) if isinstance(place, ArrayPlace) and place.stage == AFTER else 0
    return THREAD_BYTES + len(thread.text or b"") + _SEEN_BYTES * seen


def _weight_of_spelling(thread: Thread, spelling: Spelling | None) -> int:
    return weight(thread, None) + (0 if spelling is None else len(spelling.text) + 100 * len(spelling.values))


def _threads_on(came: dict[Thread, tuple[Thread, int, bytes] | None], end: Thread) -> list[tuple[Thread, int]]:
    """Give the threads on a way that was found, those inside of terminals too, with how many bytes lead to each."""
    found: list[tuple[Thread, int]] = []
    back = came[end]
    while back is not None:
        thread, at, piece = back
        place, between = thread.place, [(thread, at)]
        if isinstance(place, Reading):
            state, text = place.state, thread.text
            for i, byte in enumerate(piece[:-1], 1):
                state, text = place.terminal.step(state, byte), grown(text, byte)
                between.append((Thread(Reading(place.terminal, state), thread.below, text), at + i))
        found += reversed(between)
        back = came[thread]
    return found[::-1]


def _along(start: Thread, place: Reading, text: bytes) -> Iterator[tuple[Thread, int]]:
    """Give the threads on a way through a terminal, up to its end, with how many bytes lead to each."""
    state, written = place.state, start.text
    for at, byte in enumerate(text):
        yield Thread(Reading(place.terminal, state), start.below, written), at
        state, written = place.terminal.step(state, byte), grown(written, byte)
    yield Thread(Reading(place.terminal, state), start.below, written), len(text)


def _nearest(thread: Thread) -> Thread:
    """Leave out which keys an object has, as far as a shortest way has no further ones but those that are needed."""
    place = thread.place
    if not isinstance(place, ObjectPlace) or place.stage != AFTER or thread.text is not None:
        return thread
    progress = place.plan.nearest(place.progress)
    if progress == place.progress:
        return thread
    return Thread(ObjectPlace(place.plan, place.whitespace, place.depth, AFTER, progress, place.gap), thread.below)


def _several(thread: Thread) -> bool:
    """Say whether a thread stands on a part that goes on whatever is written above."""
    below = thread.below
    return thread.text is None and below is not None and below is not BELOW and not below.place.curious


def _behind(thread: Thread) -> Threads:
    """Give the threads behind a terminal that may end here."""
    place = thread.place
    if isinstance(place, Reading) and place.terminal.final(place.state):
        return finished(thread.below, thread.text, place)
    return ()


__all__ = ["KEPT_BYTES", "MAX_BYTES", "SPELLED_BYTES", "Speller", "Spelling", "Way", "weight"]
