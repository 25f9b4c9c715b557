"""Free text around documents, as places of the machine: before one document, or between tagged ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from decodekit_json.fixed import fixed_texts
from decodekit_json.machine import End, Place, Reading, Stop, Thread, Threads, finished
from decodekit_json.terminal import Terminal, TerminalState
from decodekit_json.triggers import Until, until


def behind(trigger: bytes, threads: Iterable[Thread]) -> Threads:
    """Give the threads of free text up to the first `trigger`, and of what `threads` read behind it."""
    free = until((trigger,), (trigger,))
    return (Thread(Reading(free, free.start()), Thread(Then(threads), None)),)


class Passing(Place):
    """A place that reads nothing itself: what `resume` gives goes on."""

    __slots__ = ()
    passing = True

    def step(self, thread: Thread, byte: int) -> Threads:
        return [after for one in self.resume(thread, None) for after in one.step(byte)]

    def bytes(self) -> Iterable[int]:
        return range(256)


class Then(Passing):
    """Before a document that has threads of its own; it stands on nothing."""

    __slots__ = ("threads",)

    def __init__(self, threads: Iterable[Thread]) -> None:
        self.threads = frozenset(threads)
        super().__init__(self.threads)

    def resume(self, thread: Thread, inner: Place | None) -> Threads:
        return tuple(self.threads)

    def distance(self) -> int:
        return min(thread.distance for thread in self.threads)

    def ceiling(self) -> int:
        return min(thread.ceiling for thread in self.threads)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A document between two texts.

    Attributes:
        begin: What stands before it.
        document: The thread before its first byte; of what it stands on, nothing is used.
        end: What stands behind it.
    """

    begin: bytes
    document: Thread
    end: bytes


class Calls:
    """Free text with tagged documents in it. Immutable, compared by identity.

    Args:
        tags: The documents.
        triggers: Where the free text ends; see `Until`.
        least: Fewest documents.
        most: Most documents, behind which the text ends; None without end.
    """

    def __init__(self, tags: Sequence[Tagged], triggers: Sequence[bytes], least: int, most: int | None) -> None:
        self.tags, self.least, self.most = tuple(tags), least, most
        self.free = until(tuple(tag.begin for tag in tags), tuple(triggers))
        documents = [tag.document for tag in tags]
        self._costs = self.free.costs([one.distance + len(tag.end) for one, tag in zip(documents, tags, strict=True)])
        self._ceilings = [one.ceiling + len(tag.end) for one, tag in zip(documents, tags, strict=True)]
        self._whole = self.free.nearest(self.free.start(), self._costs)
        self._longest = max(len(tag.begin) for tag in tags) + max(self._ceilings)
        self.ends: tuple[Terminal, ...] = tuple(fixed_texts([tag.end]) for tag in tags)

    def start(self) -> Threads:
        """Give the threads before the first byte."""
        return self.threads(0, Thread(End(), None))

    def threads(self, done: int, below: Thread) -> Threads:
        """Give the threads in free text after so many documents."""
        found = list(finished(below, None)) if done >= self.least else []
        if self.most is None or done < self.most:
            reading = Pausing if done >= self.least else Reading
            found.append(Thread(reading(self.free, self.free.start()), Thread(Opening(self, done), below)))
        return found

    def after(self, done: int) -> int:
        """Count one more document, as far as it matters how many there are."""
        return min(done + 1, self.least) if self.most is None else done + 1

    def distance(self, done: int) -> int:
        """Give the fewest bytes after so many documents."""
        return max(self.least - done, 0) * self._whole

    def ceiling(self, done: int) -> int:
        """Give a number of bytes that is enough after so many documents."""
        return max(self.least - done, 0) * self._longest

    def distance_from(self, state: TerminalState, done: int) -> int:
        """Give the fewest bytes from a place in free text."""
        return self.free.nearest(state, self._costs) + self.distance(done + 1)

    def ceiling_behind(self, done: int) -> int:
        """Give a number of bytes that is enough once any document has begun."""
        return max(self._ceilings) + self.ceiling(done + 1)


class Pausing(Reading):
    """In free text that may be the end of it all; the terminal is an `Until`."""

    __slots__ = ()

    def reached(self, state: TerminalState, below: Thread | None, text: bytes | None) -> Threads:
        free = self.terminal
        assert isinstance(free, Until)
        place = Pausing(free, state)
        on = () if free.closed(state) else (Thread(place, below, text),)
        return (*finished(below, text, place), *on) if free.pauses(state) or free.final(state) else on

    def distance(self) -> int:
        free = self.terminal
        assert isinstance(free, Until)
        return free.distance(self.state) if free.locked[self.state[0]] else free.rest(self.state)


class Opening(Stop):
    """Below free text: its last bytes say which document comes, or none where it may end."""

    __slots__ = ("calls", "done")
    curious = True

    def __init__(self, calls: Calls, done: int) -> None:
        super().__init__(calls, done)
        self.calls, self.done = calls, done

    def resume(self, thread: Thread, inner: Place | None) -> Threads:
        assert isinstance(inner, Reading)
        number = self.calls.free.which(inner.state)
        if number < 0:
            return finished(thread.below, thread.text)
        document = self.calls.tags[number].document
        return (Thread(document.place, Thread(Closing(self.calls, self.done, number), thread.below), thread.text),)

    def distance_below(self, inner: Place) -> int:
        assert isinstance(inner, Reading)
        call = self.calls.distance_from(inner.state, self.done)
        free = isinstance(inner, Pausing) and not self.calls.free.locked[inner.state[0]]
        return min(call, inner.distance()) if free else call

    def ceiling(self) -> int:
        return self.calls.ceiling_behind(self.done)


class Closing(Passing):
    """Below a document: behind it comes its end."""

    __slots__ = ("calls", "done", "number")

    def __init__(self, calls: Calls, done: int, number: int) -> None:
        super().__init__(calls, done, number)
        self.calls, self.done, self.number = calls, done, number

    def resume(self, thread: Thread, inner: Place | None) -> Threads:
        again = Thread(Again(self.calls, self.calls.after(self.done)), thread.below)
        end = self.calls.ends[self.number]
        return Reading(end, end.start()).arrived(again, thread.text)

    def distance(self) -> int:
        return len(self.calls.tags[self.number].end) + self.calls.distance(self.done + 1)

    def ceiling(self) -> int:
        return len(self.calls.tags[self.number].end) + self.calls.ceiling(self.done + 1)


class Again(Passing):
    """Behind the end of a document."""

    __slots__ = ("calls", "done")

    def __init__(self, calls: Calls, done: int) -> None:
        super().__init__(calls, done)
        self.calls, self.done = calls, done

    def resume(self, thread: Thread, inner: Place | None) -> Threads:
        assert thread.below is not None
        return self.calls.threads(self.done, thread.below)

    def distance(self) -> int:
        return self.calls.distance(self.done)

    def ceiling(self) -> int:
        return self.calls.ceiling(self.done)


__all__ = ["Calls", "Tagged", "Then", "behind"]
