"""The machine: a document is read byte by byte by threads, each a stack of places, the innermost on top.

A thread is a value. Where a schema leaves a choice that the bytes so far do not decide, several threads go on side by
side; a document is accepted where one of them has reached the end. Every thread that exists can be completed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

from decodekit_json.caching import Limited
from decodekit_json.terminal import Terminal, TerminalState
from decodekit_json.whitespace import Whitespace

if TYPE_CHECKING:
    from abc import ABC
else:
    ABC = object  # `isinstance` takes five times as long with classes that ABCMeta made, and it is asked all the time

Threads: TypeAlias = "Sequence[Thread]"

_PLACES = 64


class Outlook(NamedTuple):
    """What tokens can tell of a place.

    Attributes:
        key: Equal for places that tokens cannot tell apart.
        everywhere: Whether places of other schemas may have the same.
        foresees: Whether it leaves out how far it is to the end (see `Place.reach`), and what comes inside of a string
            behind a comma or an opening brace.
    """

    key: Hashable
    everywhere: bool
    foresees: bool

    def within(self, *around: Hashable) -> Outlook:
        """Give the same from a place around it, told apart by `around`."""
        return Outlook((self.key, *around), self.everywhere, self.foresees)


class Place(ABC):
    """Where a thread stands in one part of a document. A value: compared by `key`.

    Attributes:
        mark: What `chains` noted here; no part of the value.
    """

    __slots__ = ("_hash", "key", "mark")
    curious: ClassVar[bool] = False
    """Whether `resume` asks what stands above."""
    passing: ClassVar[bool] = False
    """Whether `resume` must be asked before a further byte is read: the part may be complete already, or is several."""
    converges: ClassVar[bool] = False
    """Whether few different threads come of it, however many bytes are read."""
    telling: ClassVar[bool] = False
    """Whether the value above must differ from others: it is an item, or a key that the schema does not name."""

    def __init__(self, *key: Hashable) -> None:
        self.key = key
        self.mark: tuple[int, int] | None = None
        self._hash = hash((type(self), key))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (type(self) is type(other) and self.key == other.key)  # type: ignore[attr-defined]

    @abstractmethod
    def step(self, thread: Thread, byte: int) -> Threads:
        """Give the threads after one byte."""

    @abstractmethod
    def bytes(self) -> Iterable[int]:
        """Give the bytes that may follow; more than those is fine."""

    def readings(self, thread: Thread) -> Threads:
        """Give the terminals that may begin here, before their first byte; `marks` leaves those bytes out."""
        return ()

    def marks(self) -> Iterable[int]:
        """Give the bytes that may follow and do not begin one of `readings`."""
        return self.bytes()

    @abstractmethod
    def distance(self) -> int:
        """Give the fewest bytes to the end of this part, or fewer."""

    def distance_below(self, inner: Place) -> int:
        """Give the fewest bytes to the end of this part and of the one above, or fewer; for curious places."""
        return inner.distance() + self.distance()

    def outcomes(self, thread: Thread) -> Threads:
        """Give the threads that one may go on with after the part above, whatever it was; for curious places.

        None where it is not known which.
        """
        return ()

    def due(self) -> int:
        """Give the byte of whitespace that leads on to the end where one has to be written, -1 elsewhere."""
        return -1

    @property
    def required(self) -> bytes:
        """Whitespace that is not left to the model; distances do not count it."""
        return b""

    def ceiling(self) -> int:
        """Give a number of bytes that is enough to end this part."""
        return self.distance()

    def falling(self) -> int:
        """Give a number of bytes that is enough to end this part, and falls with each byte of some way on."""
        return self.ceiling()

    def falling_below(self, inner: Place) -> int:
        """Give such a number for this part and the one above; for curious places."""
        return inner.falling() + self.falling()

    def outlook(self, quoted: Collection[str]) -> Outlook | None:
        """Say what tokens can tell of this place; None where they may tell it from all others.

        Args:
            quoted: The strings that a token can write whole, with both quotes.
        """
        return None

    def reach(self) -> int:
        """Give a number of bytes that is enough to end this part from any place in it that `outlook` speaks of.

        Parts above it, such as values, are not counted.
        """
        raise NotImplementedError(f"{type(self).__name__} has no outlook")

    def resume(self, thread: Thread, inner: Place | None) -> Threads:
        """Give the threads that go on once the part above is finished.

        Args:
            thread: The thread of this place, with the text that was recorded so far.
            inner: Where the part above ended, for keys.
        """
        return (thread,)

    def unknown(self, thread: Thread, value: str) -> Threads:
        """Give the threads that go on once a value above is finished that is not taken, whichever it is.

        Args:
            thread: The thread of this place.
            value: What stands for it: `distinct.UNKNOWN` or `distinct.ANOTHER`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not tell values apart")

    def settled(self) -> Place:
        """Give the same place with values that are not known counting as different from all others."""
        return self

    def taken_texts(self) -> frozenset[bytes] | None:
        """Give the strings that may not come above, as JSON texts without escapes; None where that is not known."""
        return None

    def is_taken(self, text: bytes) -> bool:
        """Say whether a JSON text is a value that may not come above."""
        return False

    def endless(self) -> bool:
        """Say whether more values can still come of this part than any text has; False where that is not known."""
        return False

    def covers(self, other: Place) -> bool:
        """Say whether what comes above another place may come above this one, but for texts that may not."""
        return False


class Thread:
    """A place, what it stands on, and the text since something began that has to be remembered (None where nothing)."""

    __slots__ = ("_ceiling", "_distance", "_hash", "below", "place", "text")

    def __init__(self, place: Place, below: Thread | None, text: bytes | None = None) -> None:
        self.place, self.below, self.text = place, below, text
        self._hash = hash((place, below, text))
        self._distance = self._ceiling = -1

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Thread)
            and self._hash == other._hash
            and self.place == other.place
            and self.text == other.text
            and self.below == other.below
        )

    @property
    def distance(self) -> int:
        """Give the fewest bytes to the end of the document, or fewer."""
        if self._distance < 0:
            below = self.below
            if below is None:
                self._distance = self.place.distance()
            elif below.place.curious:
                assert below.below is not None
                self._distance = below.place.distance_below(self.place) + below.below.distance
            else:
                self._distance = self.place.distance() + below.distance
        return self._distance

    @property
    def ceiling(self) -> int:
        """Give a number of bytes that is enough to end the document, but where a recorded text must be avoided."""
        if self._ceiling < 0:
            self._ceiling = self.place.ceiling() + (self.below.ceiling if self.below is not None else 0)
        return self._ceiling

    @property
    def falling(self) -> int:
        """Give such a number that falls with each byte of some way on, which the ceiling need not do."""
        found, at = 0, self
        while at.below is not None and at.below.place.curious:
            found += at.below.place.falling_below(at.place)
            assert at.below.below is not None
            at = at.below.below
        return found + at.place.falling() + (at.below.falling if at.below is not None else 0)

    def step(self, byte: int) -> Threads:
        """Give the threads after one byte."""
        if self.text is None:
            return self.place.step(self, byte)
        return _kept(self.place.step(self, byte))


class Stop(Place):
    """Where nothing further is read."""

    __slots__ = ()

    def step(self, thread: Thread, byte: int) -> Threads:
        return ()

    def bytes(self) -> Iterable[int]:
        return ()

    def distance(self) -> int:
        return 0


class Hole(Stop):
    """Stands for whatever is below a part."""

    __slots__ = ()


class End(Stop):
    """Behind the document."""

    __slots__ = ()


BELOW = Thread(Hole(), None)


class Reading(Place):
    """Inside a terminal, which may go on. Where it may also end, another thread stands behind it."""

    __slots__ = ("state", "terminal")

    def __init__(self, terminal: Terminal, state: TerminalState) -> None:
        super().__init__(terminal, state)
        self.terminal, self.state = terminal, state

    def step(self, thread: Thread, byte: int) -> Threads:
        state = self.terminal.step(self.state, byte)
        return () if state is None else self.reached(state, thread.below, grown(thread.text, byte))

    def reached(self, state: TerminalState, below: Thread | None, text: bytes | None) -> Threads:
        """Give the threads after the terminal has come to `state`."""
        return reading(self.terminal, state).arrived(below, text)

    def arrived(self, below: Thread | None, text: bytes | None) -> Threads:
        """Give the threads after the terminal has come here."""
        terminal, state = self.terminal, self.state
        if not terminal.final(state):
            return (Thread(self, below, text),)
        behind = finished(below, text, self)
        return behind if terminal.closed(state) else (Thread(self, below, text), *behind)

    def bytes(self) -> Iterable[int]:
        return range(256)

    def distance(self) -> int:
        return self.terminal.distance(self.state)


def reading(terminal: Terminal, state: TerminalState) -> Reading:
    """Give the place inside a terminal; of late ones the same each time, so that what is noted there is found again."""
    places = terminal.kept_places
    if places is None:
        places = terminal.kept_places = Limited(_PLACES)
    found = places.get(state)
    if found is None:
        found = places[state] = Reading(terminal, state)
    return found


OPEN, COMMA, AFTER = 0, 1, 2
"""Behind the opening bracket, behind a comma, behind a part."""


class Between(Place):
    """Inside an object or array, between its parts."""

    __slots__ = ("depth", "gap", "stage", "whitespace")
    depth: int
    gap: int
    stage: int
    whitespace: Whitespace

    @property
    def _level(self) -> int:
        return self.whitespace.level(self.depth, self.stage == AFTER)

    @property
    def _unfinished(self) -> bool:
        """Whether whitespace has to be written before anything else."""
        return self.whitespace.due(self.gap, self._level, True) >= 0

    @property
    def _closes(self) -> bool:
        """Whether the whitespace is such that the bracket may come."""
        return self.whitespace.indent is None or (not self.gap if self.stage == OPEN else not self._unfinished)


def begin_terminal(terminal: Terminal, byte: int, below: Thread | None, text: bytes | None) -> Threads:
    """Give the threads that begin a terminal; `text` has the byte already."""
    state = terminal.step(terminal.start(), byte)
    return () if state is None else reading(terminal, state).arrived(below, text)


def finished(below: Thread | None, text: bytes | None, inner: Place | None = None) -> Threads:
    """Give the threads that go on after a part is finished."""
    assert below is not None
    if text is None:
        return below.place.resume(below, inner)
    return below.place.resume(Thread(below.place, below.below, text), inner)


def grown(text: bytes | None, byte: int) -> bytes | None:
    """Add a byte to a recorded text."""
    return None if text is None else text + bytes((byte,))


def _kept(threads: Threads) -> Threads:
    """Leave out threads that something below them rules out; only recorded texts can be ruled out."""
    if not threads or all(thread.text is None for thread in threads):
        return threads
    from decodekit_json.possible_values import possible

    return tuple(thread for thread in threads if possible(thread))


__all__ = [
    "AFTER",
    "BELOW",
    "COMMA",
    "OPEN",
    "Between",
    "End",
    "Hole",
    "Outlook",
    "Place",
    "Reading",
    "Stop",
    "Thread",
    "Threads",
    "begin_terminal",
    "finished",
    "grown",
    "reading",
]
