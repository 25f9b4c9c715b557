"""What a memory that can only go forward must offer so that rewinding can be built on top."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from decodekit.memory.base import Memory
from decodekit.memory.caller import Caller


class AdvancingMemory(Memory):
    """A memory that cannot forget single tokens, but can go back to a state that it gave away before."""

    caller: Caller

    @abstractmethod
    def snapshot(self, row: int) -> Any:
        """Give the row's state as a value, which later forward passes do not change."""

    @abstractmethod
    def restore(self, row: int, state: Any, length: int) -> None:
        """Put a row back to a state it had at this length; None empties it."""

    def rewind(self, lengths: Sequence[int]) -> None:
        raise NotImplementedError("this memory only goes forward; RewindingMemory adds the way back")
