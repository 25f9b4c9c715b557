"""Adapters that were read, per model, so that the next request with the same one does not read it again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

from decodekit_lora.adapter import Adapter
from decodekit_lora.source import Source

LIMIT_BYTES = 1 << 30

_KEPT: WeakKeyDictionary[nn.Module, KeptAdapters] = WeakKeyDictionary()


class KeptAdapters:
    """Adapters by what they were read from; the least recently used go first. Running requests hold their own.

    Args:
        limit_bytes: Most memory; an adapter that is larger on its own is not kept.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._entries: OrderedDict[Hashable, tuple[Adapter, Any]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Memory of what is kept."""
        return sum(adapter.nbytes for adapter, _ in self._entries.values())

    def get(self, source: Source, read: Callable[[], Adapter]) -> Adapter:
        """Give the adapter of a source, read now if it is not kept."""
        with self._lock:
            if source.key in self._entries:
                self._entries.move_to_end(source.key)
                return self._entries[source.key][0]
        # Not under the lock: reading takes the model's turn, which may be with a thread that asks here.
        adapter = read()
        if source.key is not None and adapter.nbytes <= self.limit_bytes:
            with self._lock:
                self._entries[source.key] = (adapter, source.held)
                while self.nbytes > self.limit_bytes:
                    self._entries.popitem(last=False)
        return adapter


def kept_adapters(model: nn.Module) -> KeptAdapters:
    """Give what is kept for a model; it goes when the model does."""
    return _KEPT.setdefault(model, KeptAdapters())


__all__ = ["LIMIT_BYTES", "KeptAdapters", "kept_adapters"]
