"""Whose turn it is: the forward passes of one model run one at a time, each with all that it puts onto the model.

Model hooks, adapters' updates and the frequencies of some rotary encodings are on the model's modules while a pass
runs, where a pass of another thread would meet them. Threads take turns from pass to pass, not from text to text.
"""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

from decodekit.errors import GenerationError

INSIDE_WAIT_S = 60.0
"""How long a pass waits for its model inside a pass of another one: two threads may have what the other wants."""


class _Thread(threading.local):
    """The turns that this thread has, outermost first."""

    def __init__(self) -> None:
        self.mine: list[ModelTurn] = []


_THREAD = _Thread()
_TURNS: WeakKeyDictionary[nn.Module, ModelTurn] = WeakKeyDictionary()
_MAKING = threading.Lock()


class ModelTurn:
    """`with turn:` keeps a model's passes in other threads waiting; a thread may enter it again.

    *Cost:* about a microsecond while no other thread wants the model.

    Args:
        name: Of the model, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        mine = _THREAD.mine
        if not mine or self in mine:
            self._lock.acquire()
        elif not self._lock.acquire(timeout=INSIDE_WAIT_S):
            raise GenerationError(
                f"a pass of {self.name} inside a pass of {mine[-1].name} waits for another thread, which may wait for "
                f"this one",
                hint="run the second model before or after the pass, not in a hook's around()",
            )
        mine.append(self)

    def __exit__(self, *_: Any) -> None:
        _THREAD.mine.pop()
        self._lock.release()


def turn_of(model: Any) -> ModelTurn:
    """Give a model's turn, the same to all who wrap the model; it goes by the embeddings, which wrappers share."""
    embeddings = model.get_input_embeddings()
    key = embeddings if isinstance(embeddings, nn.Module) else model
    with _MAKING:
        return _TURNS.setdefault(key, ModelTurn(type(model).__name__))
