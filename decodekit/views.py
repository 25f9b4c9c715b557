"""What model hooks see of the model: notes about tokens, the logits of companions, a look at tokens to come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from decodekit.memory.watch import cut, find
from decodekit.types import Float, Int64, Tensor

if TYPE_CHECKING:
    from decodekit.rows import Row

Peek = Callable[[str, Sequence[int], Tensor], list[list[Any]]]


@dataclass(slots=True, eq=False)
class Seen:
    """What a step knows of the model beyond its logits.

    Attributes:
        rows: Row of each position.
        depths: How many drafted tokens stand before each position.
        companions: Per hook: logits, and which of their rows belongs to which position.
        peek: Reads tokens that may follow, without taking them.
    """

    rows: Sequence[Row]
    depths: Sequence[int]
    peek: Peek
    companions: Mapping[str, tuple[Float[Tensor, "place vocab"], Mapping[int, int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ModelView:
    """What one model hook sees at some positions.

    Args:
        name: The hook.
        places: The positions, counted over the whole step.
        seen: What the step knows.
    """

    name: str
    places: Sequence[int]
    seen: Seen

    @property
    def companion(self) -> Float[Tensor, "position vocab"]:
        """Logits of the companion after the same new tokens, in at least float32."""
        if self.name not in self.seen.companions:
            raise LookupError(f"{self.name!r} has no companion: its companion() gives none")
        logits, index = self.seen.companions[self.name]
        wanted = [index[place] for place in self.places]
        if wanted == list(range(len(logits))):
            return logits
        return logits.index_select(0, torch.tensor(wanted, device=logits.device))

    @property
    def notes(self) -> list[Any]:
        """What the hook wrote down about the last token before each position."""
        return [find(self._blocks(place), self._length(place) - 1) for place in self.places]

    def history(self, position: int) -> list[Any]:
        """Give the notes about all tokens before one position; the values of neighbouring tokens come together.

        The parts have a leading axis of tokens, in order: `torch.cat(view.history(0))`. Needs `remembers`.
        """
        place = self.places[position]
        return [block.values[: block.count] for block in cut(self._blocks(place), self._length(place))]

    def peek(self, tokens: Int64[Tensor, "position choice"]) -> list[list[Any]]:
        """Let the model read each of some tokens that may follow, and give the notes about them; nothing is taken.

        *Cost:* one more forward pass, over positions times choices rows, and a copy of the rows' memory for each.
        """
        return self.seen.peek(self.name, self.places, tokens)

    def index_select(self, index: Sequence[int]) -> ModelView:
        """Give the view at these positions."""
        return ModelView(self.name, [self.places[i] for i in index], self.seen)

    def _length(self, place: int) -> int:
        return len(self.seen.rows[place].tokens) + self.seen.depths[place]

    def _blocks(self, place: int) -> Any:
        return self.seen.rows[place].notes.get(self.name, ())
