"""Whose turn it is: the forward passes of one model run one at a time, each with all that it puts onto the model.

Model hooks, adapters' updates and the frequencies of some rotary encodings are on the model's modules while a pass
runs, where a pass of another thread would meet them. Threads take turns from pass to pass, not from text to text.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

from decodekit.errors import GenerationError

INSIDE_WAIT_S = 60.0
"""How long a pass waits for its model inside a pass of another one: two threads may have what the other wants."""


class ModelTurn:
    """`with turn.taken():` keeps a model's passes in other threads waiting; a thread may take it again.

    *Cost:* less than a microsecond while no other thread wants the model.

    Args:
        name: Of the model, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[type[ModelTurn], tuple[str]]:
        return ModelTurn, (self.name,)  # a copy is the turn of a copied model

    @property
    def mine(self) -> bool:
        """Whether this thread has it."""
        return self._lock._is_owned()  # type: ignore[attr-defined]

    def taken(self) -> AbstractContextManager[Any]:
        """Give the lock itself, which `with` takes and gives back without a gap in which Ctrl-C could leave it locked.

        Raises:
            GenerationError: Another thread has the model and may wait for one whose pass is running here.
        """
        others = [turn for turn in list(_TURNS.values()) if turn is not self and turn.mine]
        if others and not self.mine:
            if not self._lock.acquire(timeout=INSIDE_WAIT_S):
                raise GenerationError(
                    f"a pass of {self.name} inside a pass of {others[-1].name} waits for another thread, which may "
                    f"wait for this one",
                    hint="run the second model before or after the pass, not in a hook's around()",
                )
            self._lock.release()
        return self._lock


_TURNS: WeakKeyDictionary[nn.Module, ModelTurn] = WeakKeyDictionary()
_MAKING = threading.Lock()


def turn_of(model: Any) -> ModelTurn:
    """Give a model's turn, the same to all who wrap the model; it goes by the embeddings, which wrappers share."""
    embeddings = model.get_input_embeddings()
    key = embeddings if isinstance(embeddings, nn.Module) else model
    with _MAKING:
        return _TURNS.setdefault(key, ModelTurn(type(model).__name__))
