"""Wrong drafters: a lookup and a draft from a law, made wrong in one way each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from decodekit.law import Law, concat
from decodekit.positions import Positions
from decodekit.techniques import Draft, Drafter
from decodekit.testing.drafters import DrafterLaws
from decodekit.testing.mutants.base import Mutant
from decodekit.testing.toys import inverse_cdf
from decodekit.types import Int64, Tensor

FIXED = Law(torch.tensor([[0.1, 0.2, 0.0, 0.3, 0.4, 0.0], [0.3, 0.0, 0.4, 0.1, 0.1, 0.1]], dtype=torch.float64).log())


class RepeatsLast(Drafter):
    """Right: propose the last token again, whatever it is."""

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        return [Draft([token] * limit) for token, limit in zip(self.last(at), limits, strict=True)]

    def last(self, at: Positions) -> list[int]:
        """Give each text's last token."""
        return at.history.gather(-1, at.lengths[:, None] - 1).flatten().tolist()


class RepeatsPadding(RepeatsLast):
    """Takes the last column for the last token."""

    def last(self, at: Positions) -> list[int]:
        return at.history[:, -1].tolist()


class IgnoresLimit(RepeatsLast):
    """Proposes one token too many."""

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        return super().__call__(at, [limit + 1 for limit in limits])


class SortsByLength(RepeatsLast):
    """Takes the rows in the order of their lengths, and does not put the drafts back."""

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        order: list[int] = at.lengths_array.argsort(kind="stable").tolist()
        return super().__call__(at.index_select(order), [limits[i] for i in order])


class KeepsNotes(RepeatsLast):
    """Remembers in a list that it changes."""

    def start(self, prompt: Sequence[int]) -> Any:
        return list(prompt)

    def advance(self, state: Any, token: int) -> Any:
        state.append(token)
        return state


class DrawsTwo(Drafter):
    """Right: draw two tokens, the law of the second depending on whether the first is even."""

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        first = FIXED.index_select(torch.zeros(len(at), dtype=torch.int64))
        tokens = [self.draw(first, at, 0)]
        second = FIXED.index_select(tokens[0] % 2)
        tokens.append(self.draw(second, at, 1))
        drafts: list[Draft] = []
        for row, (text, limit) in enumerate(zip(torch.stack(tokens, dim=1).tolist(), limits, strict=True)):
            laws = [law.index_select(torch.tensor([row])) for law in (first, second)][:limit]
            drafts.append(Draft(text[:limit], concat(laws, 6) if laws else None))
        return drafts

    def draw(self, law: Law, at: Positions, depth: int) -> Int64[Tensor, "position"]:
        """Draw token `depth` of every draft with a number of its own, which belongs to where the draft begins."""
        return inverse_cdf(law, at.apart(f"draft {depth}"))


class ArgmaxSaidDrawn(DrawsTwo):
    """Takes the likeliest token and says that it was drawn."""

    def draw(self, law: Law, at: Positions, depth: int) -> Int64[Tensor, "position"]:
        return law.argmax()


class LawsTurnedRound(DrawsTwo):
    """Gives the laws of its tokens the last one first."""

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        return [
            Draft(draft.tokens, draft.law and Law(draft.law.logits.flip(0))) for draft in super().__call__(at, limits)
        ]


class OneNumberForAll(DrawsTwo):
    """Draws all tokens of a draft with one number."""

    def draw(self, law: Law, at: Positions, depth: int) -> Int64[Tensor, "position"]:
        return inverse_cdf(law, at.apart("draft"))


class NumbersOfPositions(DrawsTwo):
    """Draws with the number of the position, which the next draft uses again when this one is cut short."""

    def draw(self, law: Law, at: Positions, depth: int) -> Int64[Tensor, "position"]:
        from decodekit.testing.factories import altered

        return inverse_cdf(law, altered(at, lengths_array=at.lengths_array + depth).apart("draft"))


class NumbersOfTheSelector(DrawsTwo):
    """Draws with the numbers that replacements are drawn with."""

    def draw(self, law: Law, at: Positions, depth: int) -> Int64[Tensor, "position"]:
        return inverse_cdf(law, at if depth == 0 else at.apart(f"draft {depth}"))


DRAFTERS: tuple[Mutant, ...] = (
    Mutant(DrafterLaws, RepeatsLast),
    Mutant(DrafterLaws, RepeatsPadding, ("row_law",)),
    Mutant(DrafterLaws, IgnoresLimit, ("limits",)),
    Mutant(DrafterLaws, SortsByLength, ("gather_law",)),
    Mutant(DrafterLaws, KeepsNotes, ("purity",)),
    Mutant(DrafterLaws, DrawsTwo),
    Mutant(DrafterLaws, ArgmaxSaidDrawn, ("drafted_tokens_follow", "two_tokens")),
    Mutant(DrafterLaws, LawsTurnedRound, ("tokens_possible",)),
    Mutant(DrafterLaws, OneNumberForAll, ("two_tokens",)),
    Mutant(DrafterLaws, NumbersOfPositions, ("independent_of_the_drafts_before",)),
    Mutant(DrafterLaws, NumbersOfTheSelector, ("leaves_the_numbers",)),
)
