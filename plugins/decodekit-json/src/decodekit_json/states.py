"""The constraint's states: sets of threads, as values, with the masks that were worked out for them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from decodekit_json.machine import End, Thread, Threads

if TYPE_CHECKING:
    from decodekit_json.gathering import Mask

MASKS_BYTES = 64 << 20
"""How much the masks of all states may take together; the oldest go first."""
_NEW = 32
_STATE_BYTES, THREAD_BYTES = 600, 700
"""As measured with tracemalloc."""
STATES_BYTES = 4 << 20
"""How much the states of one language may take together; past that all are forgotten, and made anew when needed."""


class State:
    """Where a text stands: every way to read it. Immutable as a value; what is kept with it is only looked up."""

    __slots__ = ("_hash", "following", "mask", "threads")

    def __init__(self, threads: Iterable[Thread]) -> None:
        found = frozenset(threads)
        self.threads: Collection[Thread] = found if len(found) > 1 else tuple(found)  # a set of one takes 200 bytes
        self._hash = hash(self.threads)
        self.following: dict[int, State] = {}
        self.mask: Mask | None = None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, State) and self.threads == other.threads)

    def __deepcopy__(self, memo: dict[int, Any]) -> State:
        return State(self.threads)  # threads are values; what stands in them is compared by identity

    @property
    def nbytes(self) -> int:
        """About the memory of the state and of its threads, as far as others do not stand on the same ones."""
        return _STATE_BYTES + sum([THREAD_BYTES + len(thread.text or b"") for thread in self.threads])

    @property
    def complete(self) -> bool:
        """Say whether the document is whole."""
        return any(isinstance(thread.place, End) for thread in self.threads)


class States:
    """The states of one language, which all its requests and threads share: equal ones are one.

    Args:
        first: Threads at the start of a text.

    Attributes:
        start: The state there.
        nbytes: About the memory of the states that are kept.
    """

    def __init__(self, first: Iterable[Thread]) -> None:
        self._first = tuple(first)
        self._lock = threading.Lock()
        self._kept: dict[State, State] = {}
        self.nbytes = 0
        self.start = self.kept(State(self._first))

    def __len__(self) -> int:
        return len(self._kept)

    def __deepcopy__(self, memo: dict[int, Any]) -> States:
        return States(self._first)

    def kept(self, state: State) -> State:
        """Give the state that is kept and equal to this one: this one, where there was none."""
        found = self._kept.get(state)
        if found is not None:
            return found
        with self._lock:
            if self.nbytes > STATES_BYTES:
                self._forget()
            found = self._kept.setdefault(state, state)
            self.nbytes += state.nbytes if found is state else 0
            return found

    def _forget(self) -> None:
        """Forget all states; those that somebody still has lead to new ones."""
        old, self._kept, self.nbytes = self._kept, {}, 0
        self.start = State(self._first)
        for state in old:
            state.following.clear()  # they lead to one another in circles


def stepped(threads: Iterable[Thread], raw: bytes) -> Threads:
    """Read bytes; no threads once there is no way on."""
    current: Threads = tuple(threads)
    for byte in raw:
        if len(current) == 1:
            current = current[0].step(byte)
        else:
            current = tuple(dict.fromkeys(after for thread in current for after in thread.step(byte)))
        if not current:
            break
    return current


class MaskPool:
    """Keeps masks with their states, all of a process together within `limit_bytes` and a few masks more.

    Attributes:
        held_bytes: The memory of the masks that were counted; a few new ones are counted together, under one lock.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes, self.held_bytes = limit_bytes, 0
        self._new: deque[tuple[State, int]] = deque()
        self._kept: deque[tuple[State, int]] = deque()
        self._lock = threading.Lock()

    def keep(self, state: State, mask: Mask) -> None:
        """Keep a mask; the oldest are dropped where it gets too much."""
        state.mask = mask
        self._new.append((state, mask.nbytes))
        if len(self._new) > _NEW:
            self._count(self.limit_bytes)

    def clear(self) -> None:
        """Forget all masks."""
        self._count(0)

    def _count(self, limit_bytes: int) -> None:
        with self._lock:
            while self._new:
                self._kept.append(self._new.popleft())
                self.held_bytes += self._kept[-1][1]
            while self.held_bytes > limit_bytes:
                oldest, size = self._kept.popleft()
                self.held_bytes -= size
                oldest.mask = None


POOL = MaskPool(MASKS_BYTES)

__all__ = ["POOL", "THREAD_BYTES", "MaskPool", "State", "stepped"]
