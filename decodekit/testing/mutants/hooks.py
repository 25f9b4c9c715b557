"""Wrong model hooks, and companions that do not follow their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from decodekit.companions import Companions
from decodekit.law import Law
from decodekit.memory.watch import Pass
from decodekit.positions import Positions
from decodekit.rows import Row
from decodekit.techniques import Companion, LogitsProcessor, ModelHook, Stage
from decodekit.testing.hooks import ModelHookLaws
from decodekit.testing.mutants.base import Mutant
from decodekit.types import Tensor


class Against(ModelHook, LogitsProcessor, name="against", stage=Stage.GUIDANCE):
    """Right: away from what another prompt leads to."""

    def companion(self) -> Companion:
        return Companion((2, 7))

    def __call__(self, law: Law, at: Positions) -> Law:
        other = torch.log_softmax(at.view.companion, dim=-1)
        return law.with_logits(law.logits - 0.7 * (other if law.ids is None else other.gather(-1, law.ids)))


class Inner(ModelHook, LogitsProcessor, name="inner", stage=Stage.GUIDANCE, remembers=True):
    """Right: scales the logits by what the last hidden states of all tokens add up to."""

    def around(self, run: Pass) -> AbstractContextManager[Any]:
        return self.listening(run)

    @contextmanager
    def listening(self, run: Pass) -> Iterator[None]:
        """Write down the last hidden states."""
        seen: list[Tensor] = []
        handle = run.model.model.norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
        try:
            yield
        finally:
            handle.remove()
        run.note(self.values(seen[-1]))

    def values(self, states: Tensor) -> Tensor:
        """Give what is noted, [row, query, dim]."""
        return states

    def __call__(self, law: Law, at: Positions) -> Law:
        sums = torch.stack([torch.cat(at.view.history(i)).sum() for i in range(len(at))])
        last = torch.stack([note.sum() for note in at.view.notes])
        return law.with_logits(law.logits * (1.5 + torch.sin(sums + 2 * last))[:, None])


class NotesOfTheWrongRow(Inner):
    """Notes about one row what belongs to another."""

    def values(self, states: Tensor) -> Tensor:
        return states.flip(0)


class NotesOffByOne(Inner):
    """Notes about each token what belongs to the one before."""

    def values(self, states: Tensor) -> Tensor:
        return states.roll(1, dims=1)


class CountsInThePass(Inner):
    """Notes by a token's place in the pass, which is its place in the text only without a cache."""

    def values(self, states: Tensor) -> Tensor:
        return states * (1 + torch.arange(states.shape[1]))[None, :, None]


class LeavesItsHook(Inner):
    """Removes its hook only where the pass went well."""

    @contextmanager
    def listening(self, run: Pass) -> Iterator[None]:
        seen: list[Tensor] = []
        handle = run.model.model.norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
        yield
        handle.remove()
        run.note(seen[-1])


class ChangesWeights(Inner):
    """Scales a weight up, and down again not quite."""

    @contextmanager
    def listening(self, run: Pass) -> Iterator[None]:
        weight = run.model.model.norm.weight
        with torch.inference_mode():
            weight.mul_(3.0)
            weight.div_(3.0 + 1e-9)
        with super().listening(run):
            yield


class NotRewound(Companions):
    """Keeps what companions read of rejected drafts."""

    def rewind(self, rows: Sequence[Row | None]) -> None:
        for track in self.tracks.values():
            lengths = [len(track.tokens(row) or ()) if row is not None else 0 for row in rows]
            track.memory.rewind([min(*pair) for pair in zip(track.memory.lengths, lengths, strict=True)])


class NotGathered(Companions):
    """Lets the first companions go on, whichever rows go on."""

    def gather(self, index: Sequence[int]) -> None:
        super().gather([i % self.rows for i in range(len(index))])


def _mutant(make: type[ModelHook], *breaks: str, **attributes: Any) -> Mutant:
    return Mutant(
        ModelHookLaws, make, breaks, {"paths": ("slots", "uncached") if not breaks else ("slots",), **attributes}
    )


HOOKS: tuple[Mutant, ...] = (
    _mutant(Against),
    _mutant(Inner),
    _mutant(Against, "drafted", companions=NotRewound),
    _mutant(Against, "samples", companions=NotGathered),
    _mutant(NotesOfTheWrongRow, "ragged", "sees"),
    _mutant(NotesOffByOne, "sees"),
    _mutant(CountsInThePass, "every_kind_of_memory", paths=("slots", "uncached"), prompts=((1, 2, 3),)),
    _mutant(LeavesItsHook, "left_as"),
    _mutant(ChangesWeights, "left_as"),
)
