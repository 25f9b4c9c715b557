"""Caches with a bound; the one in bytes is shared between threads. A look-up of what is there takes no lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from itertools import count
from typing import Any, Generic, Protocol, TypeVar


class Sized(Protocol):
    """What a cache can hold."""

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        ...


Key = TypeVar("Key", bound=Hashable)
Entry = TypeVar("Entry")
Value = TypeVar("Value", bound=Sized)

_KEPT_EIGHTHS = 7
"""What stays when the bound is passed; dropping a few at once saves looking for the oldest each time."""


class Limited(dict[Key, Entry]):
    """A dict for what can be worked out again: it forgets everything where it gets more than `limit` entries.

    Args:
        limit: Most entries.
    """

    __slots__ = ("limit",)

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def __setitem__(self, key: Key, value: Entry) -> None:
        if len(self) >= self.limit:
            self.clear()
        super().__setitem__(key, value)


class Weighed(dict[Key, Entry]):
    """The same with a bound on what all entries weigh together.

    Args:
        limit_bytes: Most bytes.
        weight: Gives the bytes of an entry.
    """

    def __init__(self, limit_bytes: int, weight: Callable[[Key, Entry], int]) -> None:
        super().__init__()
        self.limit_bytes, self.held_bytes, self._weight = limit_bytes, 0, weight

    def __setitem__(self, key: Key, value: Entry) -> None:
        self.held_bytes += self._weight(key, value)
        if self.held_bytes > self.limit_bytes:
            self.clear()
            self.held_bytes = self._weight(key, value)
        super().__setitem__(key, value)


class Numbers:
    """Give numbers to keys, which are then quick to look things up by; a key that was forgotten gets another one.

    Args:
        limit: Most keys.
    """

    def __init__(self, limit: int) -> None:
        self._known: Limited[Hashable, int] = Limited(limit)
        self._next = count()

    def __call__(self, key: Hashable) -> int:
        """Give a key's number."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = next(self._next)
        return found


class BoundedCache(Generic[Value]):
    """Keep what was used last, as long as all values together have at most `limit_bytes`.

    A value's size is taken once, when it comes in. No key is made by two threads at the same time: the others wait.
    *Cost:* 0.2 us for a value that is there.

    Args:
        limit_bytes: Bound on the sum of the values' `nbytes`; a value that alone exceeds it is given, not kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        # [value, time of last use, bytes]. Hits only read the dict and write an item of a list, both atomic in CPython.
        self._entries: dict[Hashable, list[Any]] = {}
        self._clock = count()
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Event | None] = {}  # an event where a thread waits for it

    def look_up(self, key: Hashable) -> Value | None:
        """Give the value of `key` if it is there."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry[1] = next(self._clock)
        return entry[0]

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Give the value of `key`; `make` it where it is not there.

        `make` must not ask for the same key. What it raises is raised here, and the next thread tries again.
        """
        while True:
            entry = self._entries.get(key)
            if entry is not None:
                entry[1] = next(self._clock)
                return entry[0]
            with self._lock:
                if key in self._entries:
                    continue
                if key not in self._making:
                    self._making[key] = None
                    break
                busy = self._making[key] = self._making[key] or threading.Event()
            busy.wait()
        try:
            value = make()
            self._keep(key, value)
        finally:
            with self._lock:
                awaited = self._making.pop(key)
            if awaited is not None:
                awaited.set()
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self.used_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def _keep(self, key: Hashable, value: Value) -> None:
        size = value.nbytes
        if size > self.limit_bytes:
            return
        with self._lock:
            self.used_bytes += size
            if self.used_bytes > self.limit_bytes:
                self._drop(min(self.limit_bytes - size, self.limit_bytes * _KEPT_EIGHTHS // 8) + size)
            self._entries[key] = [value, next(self._clock), size]

    def _drop(self, target: int) -> None:
        for key, entry in sorted(self._entries.items(), key=lambda item: item[1][1]):
            if self.used_bytes <= target:
                return
            del self._entries[key]
            self.used_bytes -= entry[2]


__all__ = ["BoundedCache", "Limited", "Numbers", "Sized", "Weighed"]
