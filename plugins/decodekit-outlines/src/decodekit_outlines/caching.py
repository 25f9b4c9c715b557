"""A cache bounded in bytes, safe between threads. It is not a lock: two threads may make the same value at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class BoundedCache:
    """Keep what was used last, as long as all values together have at most `limit_bytes`.

    Args:
        limit_bytes: Bound on the sum of the values' `nbytes`; a value that alone exceeds it is not kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Give the value of `key`; `make` it, outside of the lock, where it is not kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            if key in self._values:  # another thread was faster: share one value
                return self._values[key]
            if value.nbytes <= self.limit_bytes:
                self._values[key] = value
                self.used_bytes += value.nbytes
            while self.used_bytes > self.limit_bytes:
                _, dropped = self._values.popitem(last=False)
                self.used_bytes -= dropped.nbytes
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self.used_bytes = 0

    def __len__(self) -> int:
        return len(self._values)


__all__ = ["BoundedCache"]
