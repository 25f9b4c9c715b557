"""What the model remembers of the rows of one running batch: the interface that the loop sees, whatever the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from decodekit.memory.watch import Watch
from decodekit.types import Float, Int64, Tensor

_ALREADY = nullcontext()


def inferring() -> AbstractContextManager[Any]:
    """Enter inference mode, unless in it: entering it again costs fifteen microseconds."""
    return _ALREADY if torch.is_inference_mode_enabled() else torch.inference_mode()


@dataclass(frozen=True, slots=True, eq=False)
class ForwardOutput:
    """What a forward pass gives at the positions asked for.

    Args:
        logits: Positions row by row, inside a row in the order of time.
    """

    logits: Float[Tensor, "position vocab"]


class Memory(ABC):
    """Rows of different lengths, each of which grows, forgets, is copied and dropped on its own.

    *Exact:* what a row gives does not depend on the other rows, nor on how its tokens were split over forward passes,
    beyond what kernels round differently.

    Attributes:
        lengths: Tokens held, per row. To be read, not written.
    """

    lengths: list[int]

    @abstractmethod
    def join(self, rows: int) -> None:
        """Append that many empty rows."""

    @abstractmethod
    def forward(
        self,
        tokens: Int64[Tensor, "row query"],
        counts: Sequence[int],
        wanted: Sequence[int],
        *,
        watch: Watch | None = None,
    ) -> ForwardOutput:
        """Append tokens to rows and give the logits of the last ones.

        Args:
            tokens: Right-padded with any token of the vocabulary.
            counts: Valid tokens of each row; a row with 0 sits out.
            wanted: Positions of each row, counted from its last valid one, whose logits are asked for.
            watch: The model hooks of the rows, which stand around the model's forward passes.
        """

    @abstractmethod
    def gather(self, index: Sequence[int]) -> None:
        """Go on with these rows in this order; repeats are copies, rows left out are dropped."""

    @abstractmethod
    def rewind(self, lengths: Sequence[int]) -> None:
        """Forget what each row holds beyond its new length (at most the current one)."""

    def computed(self, row: int) -> int:
        """Count the tokens of a row that need not be read again; by default all that it holds."""
        return self.lengths[row]

    @abstractmethod
    def save(self, row: int) -> Any:
        """Give what a row holds as a value, which later forward passes do not change."""

    @abstractmethod
    def load(self, row: int, saved: Any) -> None:
        """Put what was saved, by this or another memory of the same model and kind, into an empty row."""

    def adopt(self, cache: Any, tokens: Sequence[int]) -> Any:
        """Turn a transformers cache of one row, which holds these tokens, into what `load` takes.

        None where it lacks something: a layer with a window has let go of keys, say. By default always None.
        """
        return None

    @abstractmethod
    def bytes(self) -> int:
        """Count the bytes held, free slots included."""
