"""Wrong searches."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from decodekit.law import Law
from decodekit.techniques import Expansion, GroupView, Search
from decodekit.testing.mutants.base import Mutant
from decodekit.testing.searches import SearchLaws


class Beam(Search):
    """Right: plain beam search by total log-probability."""

    width: int = 3

    def totals(self, law: Law, group: GroupView) -> torch.Tensor:
        """Give the log-probability of every continuation."""
        return law.logprobs() + torch.tensor(group.scores, dtype=law.logits.dtype)[:, None]

    def choose(self, law: Law, group: GroupView) -> list[tuple[int, int, float]]:
        """Give parent, token and score of the best continuations, the best first, equal ones by row and token."""
        totals = self.totals(law, group)
        found: list[tuple[float, int, int]] = []
        for parent, row in enumerate(totals.tolist()):
            ids = range(len(row)) if law.ids is None else law.ids[parent].tolist()
            found += [(-round(v, 9), parent, t) for t, v in zip(ids, row, strict=True) if v > -math.inf]
        return [(parent, token, -value) for value, parent, token in sorted(found)[: 3 * self.width]]

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        running: list[tuple[int, int, float]] = []
        finished: list[tuple[int, int, float]] = []
        for one in self.choose(law, group):
            (finished if one[1] in group.end_tokens or group.remaining[one[0]] == 1 else running).append(one)
        kept = running[: self.width]
        done = not kept or len(group.finished) + len(finished) >= self.width
        return Expansion(
            [p for p, _, _ in kept], [t for _, t, _ in kept], [s for _, _, s in kept], finished, done, None
        )


class Drawn(Beam):
    """Right: keeps tokens by noise from `at.uniform`, one number per token, the same for all rows."""

    def choose(self, law: Law, group: GroupView) -> list[tuple[int, int, float]]:
        noise = torch.stack([group.at.uniform(f"noise {token}") for token in range(9)], dim=1)
        found = Beam.choose(self.model_copy(update={"width": 10**6}), law, group)
        keys = [score - math.log(-math.log(max(float(noise[p, t]), 1e-12))) for p, t, score in found]
        order = sorted(range(len(found)), key=lambda i: -keys[i])
        return [found[i] for i in order[: 3 * self.width]]


class SwapsParents(Beam):
    """Takes the tokens of one row for those of another."""

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        given = super().__call__(law, group)
        return replace(given, parents=[len(group.scores) - 1 - parent for parent in given.parents])


class ForgetsTheScore(Beam):
    """Compares last tokens only."""

    def totals(self, law: Law, group: GroupView) -> torch.Tensor:
        return law.logprobs()


class RawLogits(Beam):
    """Adds logits that are not normalised."""

    def totals(self, law: Law, group: GroupView) -> torch.Tensor:
        return law.logits + torch.tensor(group.scores, dtype=law.logits.dtype)[:, None]


class LosesEnds(Beam):
    """Leaves texts that end out."""

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        return replace(super().__call__(law, group), finished=[])


class PassesTheEnd(Beam):
    """Goes on after an end token."""

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        return super().__call__(law, replace(group, end_tokens=()))


class TooWide(Beam):
    """Keeps one row more than it says."""

    @property
    def rows(self) -> int:
        return self.width - 1


class Repeats(Beam):
    """Continues the best row twice with one token."""

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        given = super().__call__(law, group)
        again = [[*each[:1], *each[: self.width - 1]] for each in (given.parents, given.tokens, given.scores)]
        return replace(given, parents=again[0], tokens=again[1], scores=again[2])


class TakesColumns(Beam):
    """Takes a candidate's column for its token."""

    def choose(self, law: Law, group: GroupView) -> list[tuple[int, int, float]]:
        return super().choose(Law(law.logits), group)


class GoesOnWithImpossible(Beam):
    """Takes impossible tokens for possible ones."""

    def choose(self, law: Law, group: GroupView) -> list[tuple[int, int, float]]:
        return super().choose(Law(law.logits.masked_fill(law.logits == -math.inf, 0.0), law.ids), group)


class OwnGenerator(Beam):
    """Draws from the global generator."""

    def choose(self, law: Law, group: GroupView) -> list[tuple[int, int, float]]:
        found = super().choose(law, group)
        return [found[i] for i in torch.randperm(len(found)).tolist()]


class DrawsByPlace(Drawn):
    """Uses a row's place for its numbers, but does not say so."""

    def choose(self, law: Law, group: GroupView) -> list[tuple[int, int, float]]:
        found = super().choose(law, group)
        place = group.at.uniform("place")[0]
        return [one for one in found if (one[0] + float(place)) % 2 < 1] or found


class RemembersByPlace(Beam):
    """Keeps totals in its state by row, which is wrong once the loop has ended a row."""

    def start(self) -> tuple[float, ...]:
        return (0.0,)

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        held = list(group.state)[: len(group.scores)]
        given = super().__call__(law, replace(group, scores=held))
        return replace(given, state=tuple(given.scores))


class Edits(Beam):
    """Writes into the law."""

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        law.logits.sub_(1.0)
        return super().__call__(law, group)


class ReadsPadding(Beam):
    """Looks at what stands beyond a history."""

    def totals(self, law: Law, group: GroupView) -> torch.Tensor:
        last = torch.from_numpy(np.ascontiguousarray(group.at.history_array[:, -1:]))
        return super().totals(law, group) - 1e-3 * last


class WorstFirst(Beam):
    """Ranks the worst text first."""

    def rank(self, scores: list[float], lengths: list[int]) -> list[int]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().rank([-score for score in scores], lengths)


class NeverDone(Beam):
    """Does not say that nothing is left."""

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        given = super().__call__(law, group)
        return given if len(group.scores) == 1 else Expansion([], [], [], [], done=False, state=None)


class BetterThanTheBest(Beam):
    """Scores texts against the best one that has ended, which is -inf as long as none has."""

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        given = super().__call__(law, group)
        best = max((score for score, _ in group.finished), default=-math.inf)
        return replace(given, scores=[score - best for score in given.scores])


class AlwaysThree(Beam):
    """Asks each row for its best three, also where there are fewer."""

    def choose(self, law: Law, group: GroupView) -> list[tuple[int, int, float]]:
        columns = law.logits.topk(3).indices
        return super().choose(Law(law.logits.gather(-1, columns), law.tokens(columns)), group)


class Doubles(Beam):
    """Works in float64 only."""

    def totals(self, law: Law, group: GroupView) -> torch.Tensor:
        totals = super().totals(law, group)
        return totals if totals.dtype == torch.float64 else torch.full_like(totals, -math.inf)

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        return replace(super().__call__(law, group), done=False)


SEARCHES: tuple[Mutant, ...] = (
    Mutant(SearchLaws, Beam),
    Mutant(SearchLaws, Drawn, attributes={"seeds": (0,)}),
    Mutant(SearchLaws, SwapsParents, ("add_up",)),
    Mutant(SearchLaws, ForgetsTheScore, ("add_up",)),
    Mutant(SearchLaws, RawLogits, ("add_up", "constant_added")),
    Mutant(SearchLaws, LosesEnds, ("end_is_not_lost", "greatest_length")),
    Mutant(SearchLaws, PassesTheEnd, ("end_tokens",)),
    Mutant(SearchLaws, TooWide, ("declared_rows",)),
    Mutant(SearchLaws, Repeats, ("comes_twice",)),
    Mutant(SearchLaws, TakesColumns, ("candidate_set_agree",)),
    Mutant(SearchLaws, GoesOnWithImpossible, ("possible",)),
    Mutant(SearchLaws, OwnGenerator, ("same_call",)),
    Mutant(SearchLaws, DrawsByPlace, ("gather_law",), {"seeds": (0,)}),
    Mutant(SearchLaws, RemembersByPlace, ("add_up",)),
    Mutant(SearchLaws, Edits, ("not_edited",)),
    Mutant(SearchLaws, ReadsPadding, ("beyond_the_histories",)),
    Mutant(SearchLaws, WorstFirst, ("rank",)),
    Mutant(SearchLaws, NeverDone, ("has_rows_left",)),
    Mutant(SearchLaws, BetterThanTheBest, ("scores_are_numbers",)),
    Mutant(SearchLaws, AlwaysThree, ("few_columns",)),
    Mutant(SearchLaws, Doubles, ("32_bits",)),
)
