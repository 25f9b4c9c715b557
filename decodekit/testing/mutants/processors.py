"""Wrong logits processors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import PrivateAttr

from decodekit.law import Law, on_host
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor
from decodekit.testing.mutants.base import Mutant
from decodekit.testing.processors import ProcessorLaws


def _column(law: Law, token: torch.Tensor | int) -> torch.Tensor:
    ids = torch.arange(law.logits.shape[-1]) if law.ids is None else law.ids
    return ids == (token[:, None] if isinstance(token, torch.Tensor) else token)


class Floor(LogitsProcessor, argmax_invariant=True, stackable=True):
    """Right: keep what is at most `depth` below the best."""

    depth: float = 3.0

    def __call__(self, law: Law, at: Positions) -> Law:
        return law.keep(law.logits >= law.logits.amax(dim=-1, keepdim=True) - self.depth)


class LastTokenPenalty(LogitsProcessor, needs_history=True, stackable=True):
    """Right: lower the token that came last."""

    penalty: float = 1.5

    def __call__(self, law: Law, at: Positions) -> Law:
        last = at.history.gather(-1, at.lengths[:, None] - 1).squeeze(-1)
        return law.with_logits(torch.where(_column(law, last), law.logits - self.penalty, law.logits))


class Surprise(LogitsProcessor, reads_law=True):
    """Right, with a memory: the more surprising the text, the lower its last token."""

    def start(self, prompt: Sequence[int]) -> tuple[float, int]:
        return 0.0, -1

    def advance(self, state: tuple[float, int], token: int, law: Law | None) -> tuple[float, int]:
        assert law is not None
        return 0.5 * state[0] - float(law.logprob_of(torch.tensor([token]))), token

    def __call__(self, law: Law, at: Positions) -> Law:
        amounts = torch.tensor([state[0] for state in at.states], dtype=law.logits.dtype)[:, None]
        tokens = torch.tensor([state[1] for state in at.states])
        return law.with_logits(law.logits - amounts * _column(law, tokens))


class Counts(LogitsProcessor):
    """Right, with a memory: lower each token by how often it came."""

    def start(self, prompt: Sequence[int]) -> Any:
        return ()

    def advance(self, state: Any, token: int, law: Law | None) -> Any:
        return (*state, token)

    def __call__(self, law: Law, at: Positions) -> Law:
        logits = law.logits.clone()
        for i, state in enumerate(at.states):
            for token in state:
                logits[i] -= (_column(law, token)[i] if law.ids is not None else _column(law, token)) * 1.0
        return law.with_logits(logits)


class MutableState(Counts):
    """Remembers in a list that `advance` appends to: after a rejected draft it is not rolled back."""

    def start(self, prompt: Sequence[int]) -> Any:
        return []

    def advance(self, state: Any, token: int, law: Law | None) -> Any:
        state.append(token)
        return state


class SharedState(Counts):
    """Copies the state, but keeps the newest one in itself and hands that out."""

    _newest: list[int] = PrivateAttr(default_factory=list)

    def advance(self, state: Any, token: int, law: Law | None) -> Any:
        self._newest.append(token)
        return tuple(self._newest)


class OneTooFar(LastTokenPenalty):
    """Takes the history's entry at `lengths` for the last token."""

    def __call__(self, law: Law, at: Positions) -> Law:
        index = at.lengths[:, None].clamp(max=at.history.shape[1] - 1)
        return law.with_logits(law.logits - _column(law, at.history.gather(-1, index).squeeze(-1)) * 1.0)


class LastColumn(LastTokenPenalty):
    """Takes the last column of the padded history for the last token."""

    def __call__(self, law: Law, at: Positions) -> Law:
        return law.with_logits(law.logits - _column(law, at.history[:, -1]) * 1.0)


class ReadsPadding(LogitsProcessor, needs_history=True):
    """Lowers every token of the history, padding included."""

    def __call__(self, law: Law, at: Positions) -> Law:
        seen = torch.stack([torch.isin(torch.arange(400), row) for row in at.history])
        ids = torch.arange(law.logits.shape[-1]).expand_as(law.logits) if law.ids is None else law.ids
        return law.with_logits(law.logits - seen.gather(-1, ids) * 1.0)


class ForgetsLastPosition(Floor):
    """Leaves the bonus position of a draft as it was."""

    def __call__(self, law: Law, at: Positions) -> Law:
        keep = law.logits >= law.logits.amax(dim=-1, keepdim=True) - self.depth
        keep[-1] = True
        return law.keep(keep)


class MixesRows(Counts):
    """Takes the states in another order than the positions."""

    def __call__(self, law: Law, at: Positions) -> Law:
        return super().__call__(law, at.with_states(list(reversed(at.states))))


class BatchMean(LogitsProcessor):
    """Compares with a mean over all positions of the call."""

    def __call__(self, law: Law, at: Positions) -> Law:
        level = law.logits[law.allowed].mean()
        return law.keep((law.logits >= level) | (law.logits == law.logits.amax(dim=-1, keepdim=True)))


class EditsInPlace(Floor):
    """Writes into the logits that it was given."""

    def __call__(self, law: Law, at: Positions) -> Law:
        floor = law.logits.amax(dim=-1, keepdim=True) - self.depth
        law.logits.masked_fill_(law.logits < floor, -torch.inf)
        return law


class EditsHistory(LastTokenPenalty):
    """Writes into the history array."""

    def __call__(self, law: Law, at: Positions) -> Law:
        given = super().__call__(law, at)
        at.history_array[:, 0] = 0
        return given


class CoinPerCall(LogitsProcessor):
    """Throws one coin for all positions of a call, with the first position's number."""

    def __call__(self, law: Law, at: Positions) -> Law:
        return law.with_logits(law.logits * (2.0 if bool(at.uniform("coin")[0] < 0.5) else 1.0))


class GlobalRandom(LogitsProcessor):
    """Draws from the global generator."""

    def __call__(self, law: Law, at: Positions) -> Law:
        return law.with_logits(law.logits + torch.rand(len(at), 1, dtype=law.logits.dtype))


class CountsCalls(LogitsProcessor):
    """Counts its calls in an attribute and takes that for the step."""

    _calls: int = PrivateAttr(default=0)

    def __call__(self, law: Law, at: Positions) -> Law:
        self._calls += 1  # pyright: ignore[reportAttributeAccessIssue]
        return law.with_logits(law.logits * (1 + self._calls))


class Unmasks(LogitsProcessor, argmax_invariant=True):
    """Lifts -inf to a very small number."""

    def __call__(self, law: Law, at: Positions) -> Law:
        return law.with_logits(law.logits.clamp(min=-1e4))


class DropsTheBest(LogitsProcessor, argmax_invariant=True):
    """Is not argmax invariant, but says so."""

    def __call__(self, law: Law, at: Positions) -> Law:
        best = law.logits == law.logits.amax(dim=-1, keepdim=True)
        return law.with_logits(law.logits - 5.0 * best)


class StacksWrongly(Floor):
    """Reads one number where it was given one per position."""

    def __call__(self, law: Law, at: Positions) -> Law:
        depth = float(torch.as_tensor(self.depth).flatten()[0])
        return law.keep(law.logits >= law.logits.amax(dim=-1, keepdim=True) - depth)


class HidesHistory(LastTokenPenalty, needs_history=False):
    """Reads the history without a declaration."""


class HidesLaw(Surprise, reads_law=False):
    """Looks at the law in `advance` where there is one, without a declaration."""

    def advance(self, state: tuple[float, int], token: int, law: Law | None) -> tuple[float, int]:
        return (state[0] - float(law.logprob_of(torch.tensor([token]))) if law else state[0] + 1), token


class Empties(LogitsProcessor):
    """Keeps what is above a fixed level, even where nothing is."""

    def __call__(self, law: Law, at: Positions) -> Law:
        return law.keep(law.logits > 1.0)


class DividesByZero(LogitsProcessor):
    """Standardises the logits, also where there is one token only."""

    def __call__(self, law: Law, at: Positions) -> Law:
        return law.with_logits(
            (law.logits - law.logits.amax(-1, keepdim=True)) / law.allowed.sum(-1, keepdim=True).log()
        )


class Rounds(Floor):
    """Works in 32 bits and stays there."""

    def __call__(self, law: Law, at: Positions) -> Law:
        return super().__call__(law.with_logits(law.logits.float()), at)


class TrustsColumns(LogitsProcessor):
    """Takes the number of a column for the token's id."""

    def __call__(self, law: Law, at: Positions) -> Law:
        even = torch.arange(law.logits.shape[-1]) % 2 == 0
        return law.with_logits(law.logits - 1.0 * even)


class PaddingOverwrites(Floor):
    """Spreads a candidate set by plain assignment, so that padding may overwrite the token whose id it bears."""

    def __call__(self, law: Law, at: Positions) -> Law:
        if law.ids is None:
            return super().__call__(law, at)
        wide = law.logits.new_full((len(law.logits), 400), -torch.inf).scatter(-1, law.ids, law.logits)
        return Law(wide.gather(-1, law.ids), law.ids)


class RepeatsTheBest(LogitsProcessor):
    """Puts the best token beside the likeliest ones, among which it is already."""

    def __call__(self, law: Law, at: Positions) -> Law:
        best, rest = law.candidates(1), law.candidates(4)
        assert best.ids is not None
        assert rest.ids is not None
        return Law(torch.cat([best.logits, rest.logits], dim=-1), torch.cat([best.ids, rest.ids], dim=-1))


class ArraysOnly(Floor):
    """Leaves logits as they are where numpy cannot read them."""

    def __call__(self, law: Law, at: Positions) -> Law:
        return law if on_host(law.logits) is None else super().__call__(law, at)


PROCESSORS: tuple[Mutant, ...] = tuple(
    Mutant(ProcessorLaws, make, breaks)
    for make, *breaks in (
        (Floor,),
        (LastTokenPenalty,),
        (Surprise,),
        (Counts,),
        (MutableState, "states_are_values"),
        (SharedState, "forks_of_a_row"),
        (OneTooFar, "row_law"),
        (LastColumn, "row_law"),
        (ReadsPadding, "row_law"),
        (ForgetsLastPosition, "position_law"),
        (MixesRows, "gather_law"),
        (BatchMean, "row_law"),
        (EditsInPlace, "inputs_are_not_edited"),
        (EditsHistory, "inputs_are_not_edited"),
        (CoinPerCall, "row_law", "gather_law"),
        (GlobalRandom, "same_call_twice", "inputs_are_not_edited"),
        (CountsCalls, "same_call_twice"),
        (Unmasks, "masked_token_stays_masked"),
        (DropsTheBest, "argmax_invariant"),
        (StacksWrongly, "stackable"),
        (HidesHistory, "needs_history"),
        (HidesLaw, "reads_law"),
        (Empties, "never_empty"),
        (DividesByZero, "never_empty"),
        (Rounds, "dtype"),
        (TrustsColumns, "candidate_set_agree"),
        (PaddingOverwrites, "candidate_set_agree"),
        (RepeatsTheBest, "never_repeat"),
        (ArraysOnly, "numpy_cannot_read"),
    )
    for breaks in [tuple(breaks)]
)
