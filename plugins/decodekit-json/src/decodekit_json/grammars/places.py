"""The places of a grammar's threads in the machine, and how threads that read alike are kept few.

Threads of which no two can read the same byte go on side by side. Where the text is ambiguous all threads are put into
one place, `Several`, with one thread for each place and its ways back together (`Back`), as in a graph-structured stack
(M. Tomita, 1985): there are never more of them than the grammar has places, however many ways to read a text there are.
a text.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from decodekit_json.grammars.points import Grammar, Point, Pushes
from decodekit_json.machine import End, Place, Reading, Thread, Threads
from decodekit_json.plain_texts import PlainTerminal
from decodekit_json.terminal import TerminalState

_WIDE = 4
"""A terminal that begins with more bytes is looked up in the vocabulary as a whole."""


class Scan(Reading):
    """Inside a terminal of a grammar."""

    __slots__ = ("grammar",)
    converges = True

    def __init__(self, grammar: Grammar, terminal: PlainTerminal, state: TerminalState) -> None:
        super().__init__(terminal, state)
        self.grammar = grammar

    def __deepcopy__(self, memo: object) -> Scan:
        return self

    @property
    def letters(self) -> int:
        return self.grammar.letters(self.terminal, self.state)  # type: ignore[arg-type]

    def reached(self, state: TerminalState, below: Thread | None, text: bytes | None) -> Threads:
        return settled(self.grammar, scanned(self.grammar, self.terminal, state, below))  # type: ignore[arg-type]

    def bytes(self) -> Iterable[int]:
        return Grammar.bytes_of(self.letters)


class Goal(Place):
    """At a point of a grammar, before a terminal.

    Args:
        point: Where.
        fresh: Whether something that is ignored may still come first.
    """

    __slots__ = ("fresh", "point")
    converges = True

    def __init__(self, point: Point, fresh: bool) -> None:
        super().__init__(point, fresh)
        self.point = point
        self.fresh = fresh and point.grammar.network.ignored is not None and not point.only_ignored

    def __deepcopy__(self, memo: object) -> Goal:
        return self

    @property
    def letters(self) -> int:
        return self.point.letters | self.gap

    @property
    def gap(self) -> int:
        """The bytes that begin what is ignored."""
        ignored = self.point.grammar.network.ignored
        return self.point.grammar.begins(ignored) if self.fresh and ignored is not None else 0

    def step(self, thread: Thread, byte: int) -> Threads:
        grammar, found = self.point.grammar, list[Thread]()
        for terminal, pushes in self.point.by_byte.get(byte, ()):
            state = terminal.step(terminal.start(), byte)  # type: ignore[arg-type]
            for pushed in pushes:
                found += scanned(grammar, terminal, state, stacked(grammar, pushed, thread.below))
        if self.gap >> byte & 1:
            ignored = grammar.network.ignored
            assert ignored is not None
            state = ignored.step(ignored.start(), byte)  # type: ignore[arg-type]
            found += scanned(grammar, ignored, state, self._after_gap(thread))
        return settled(grammar, found)

    def _after_gap(self, thread: Thread) -> Thread:
        return self.point.grammar.thread(Goal(self.point, False), thread.below)

    def bytes(self) -> Iterable[int]:
        return Grammar.bytes_of(self.letters)

    def readings(self, thread: Thread) -> Threads:
        grammar, found = self.point.grammar, list[Thread]()
        for terminal, pushes in self.point.moves.items():
            if _wide(grammar, terminal):
                scan = Scan(grammar, terminal, terminal.start())
                found += [grammar.thread(scan, stacked(grammar, pushed, thread.below)) for pushed in pushes]
        ignored = grammar.network.ignored
        if self.gap and ignored is not None and _wide(grammar, ignored):
            found.append(grammar.thread(Scan(grammar, ignored, ignored.start()), self._after_gap(thread)))
        return found

    def marks(self) -> Iterable[int]:
        grammar, ignored = self.point.grammar, self.point.grammar.network.ignored
        letters = 0 if ignored is None or _wide(grammar, ignored) else self.gap
        for terminal in self.point.moves:
            if not _wide(grammar, terminal):
                letters |= grammar.begins(terminal)
        return Grammar.bytes_of(letters)

    def distance(self) -> int:
        return self.point.distance


class Return(Place):
    """Where a goal goes on when what it has called is complete; it may be complete itself."""

    __slots__ = ("point",)
    passing = converges = True

    def __init__(self, point: Point) -> None:
        super().__init__(point)
        self.point = point

    def __deepcopy__(self, memo: object) -> Return:
        return self

    def resume(self, thread: Thread, inner: Place | None) -> Threads:
        return settled(self.point.grammar, opened((thread,)))

    def step(self, thread: Thread, byte: int) -> Threads:
        return [after for opening in self.resume(thread, None) for after in opening.step(byte)]

    def bytes(self) -> Iterable[int]:
        return range(256)

    def distance(self) -> int:
        return 0 if self.point.pops else self.point.distance


class _Together(Place):
    """Several threads in one place; it stands on nothing, as each of them has what it stands on."""

    __slots__ = ("__dict__", "grammar", "threads")
    passing = converges = True

    def __init__(self, grammar: Grammar, threads: Iterable[Thread]) -> None:
        self.grammar, self.threads = grammar, frozenset(threads)
        super().__init__(self.threads)
        self._after: dict[int, Threads] = {}

    def __deepcopy__(self, memo: object) -> _Together:
        return self

    @cached_property
    def letters(self) -> int:
        """The bytes that may follow, one bit each."""
        found = 0
        for thread in self.threads:
            found |= letters_of(thread.place)
        return found

    def step(self, thread: Thread, byte: int) -> Threads:
        after = self._after.get(byte)
        if after is None:
            found: list[Thread] = []
            for one in self.threads:
                if letters_of(one.place) >> byte & 1:
                    found += one.step(byte)
            after = self._after[byte] = settled(self.grammar, found)
        return after

    def bytes(self) -> Iterable[int]:
        return Grammar.bytes_of(self.letters)

    def distance(self) -> int:
        return min(thread.distance for thread in self.threads)

    def ceiling(self) -> int:
        return min(thread.ceiling for thread in self.threads)


class Several(_Together):
    """Several ways to read the text so far."""

    __slots__ = ()

    def resume(self, thread: Thread, inner: Place | None) -> Threads:
        return tuple(self.threads)

    def readings(self, thread: Thread) -> Threads:
        found: list[Thread] = []
        for one in self.threads:
            if isinstance(one.place, Scan):
                found.append(one)
            else:
                found += one.place.readings(one)
        return found

    def marks(self) -> Iterable[int]:
        return {byte for one in self.threads if not isinstance(one.place, Scan) for byte in one.place.marks()}


class Back(_Together):
    """Several ways back from one call."""

    __slots__ = ()

    def resume(self, thread: Thread, inner: Place | None) -> Threads:
        return settled(self.grammar, opened((thread,)))

    def step(self, thread: Thread, byte: int) -> Threads:
        return [after for opening in self.resume(thread, None) for after in opening.step(byte)]

    def bytes(self) -> Iterable[int]:
        return range(256)


def begun(grammar: Grammar) -> Threads:
    """Give the threads before the first byte."""
    return settled(grammar, opened((Thread(Return(grammar.first), Thread(End(), None)),)))


def scanned(grammar: Grammar, terminal: PlainTerminal, state: TerminalState, below: Thread | None) -> Threads:
    """Give the threads after a terminal has come to a state."""
    found: list[Thread] = []
    if grammar.letters(terminal, state):
        found.append(grammar.thread(Scan(grammar, terminal, state), below))
    if terminal.final(state):
        assert below is not None
        found += opened((below,))
    return found


def stacked(grammar: Grammar, pushed: Pushes, below: Thread | None) -> Thread | None:
    """Put points on a stack."""
    for point in pushed:
        below = grammar.thread(Return(point), below)
    return below


def opened(ways: Iterable[Thread]) -> list[Thread]:
    """Give the threads that go on, past goals that are complete; not those that only read nothing."""
    stack, seen, found = list(ways), set[Thread](), list[Thread]()
    while stack:
        thread = stack.pop()
        if thread in seen:
            continue
        seen.add(thread)
        place = thread.place
        if isinstance(place, Back):
            stack += place.threads
        elif isinstance(place, Return):
            point = place.point
            if point.states:
                found.append(point.grammar.thread(Goal(point, True), thread.below))
            if point.pops:
                assert thread.below is not None
                stack.append(thread.below)
        else:
            found.append(thread)
    return found


def letters_of(place: Place) -> int:
    """Give the bytes that a place of a grammar reads, one bit each; none for others."""
    return place.letters if isinstance(place, Scan | Goal | _Together) else 0


def _wide(grammar: Grammar, terminal: PlainTerminal) -> bool:
    return grammar.begins(terminal).bit_count() > _WIDE


def settled(grammar: Grammar, threads: Threads) -> Threads:
    """Give the threads once each, as one where two of them can read the same byte."""
    if len(threads) < 2:
        return threads
    unique = tuple(dict.fromkeys(threads))
    seen = 0
    for thread in unique:
        letters = letters_of(thread.place)
        if seen & letters:
            return _merged(grammar, unique)
        seen |= letters
    return unique


def _merged(grammar: Grammar, threads: Threads) -> Threads:
    others: list[Thread] = []
    mine: dict[Place, list[Thread]] = {}
    for thread in threads:
        place = thread.place
        if isinstance(place, Several):
            for one in place.threads:
                mine.setdefault(one.place, []).append(one)
        elif isinstance(place, Scan | Goal):
            mine.setdefault(place, []).append(thread)
        else:
            others.append(thread)
    ways = [_joined(grammar, place, some) for place, some in mine.items()]
    if len(ways) == 1:
        return (*ways, *others)
    return (grammar.thread(Several(grammar, ways), None), *others)


def _joined(grammar: Grammar, place: Place, threads: list[Thread]) -> Thread:
    """Give one thread for several in the same place."""
    if len(threads) == 1:
        return threads[0]
    found: dict[Thread, None] = {}
    for thread in threads:
        below = thread.below
        assert below is not None
        for way in below.place.threads if isinstance(below.place, Back) else (below,):
            found[way] = None
    if isinstance(place, Scan):  # what was called at the same time is the same call
        calls: dict[Place, list[Thread]] = {}
        for way in found:
            calls.setdefault(way.place, []).append(way)
        ways = [
            _joined(grammar, call, some) if isinstance(call, Return | Goal) else some[0] for call, some in calls.items()
        ]
    else:
        ways = [*found]
    below = ways[0] if len(ways) == 1 else grammar.thread(Back(grammar, ways), None)
    return grammar.thread(place, below)


__all__ = ["Back", "Goal", "Return", "Scan", "Several", "begun"]
