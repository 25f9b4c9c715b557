"""Wrong verifiers: the token rule (arXiv:2211.17192) and the block rule (arXiv:2403.10444), wrong in one way each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch

from decodekit.builtin import Match
from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import Draft, Verdict, Verifier
from decodekit.testing.mutants.base import Mutant
from decodekit.testing.verifiers import VOCAB, VerifierLaws


class TokenRule(Verifier):
    """Right: keep x with probability min(1, Q/P), else draw from the positive part of Q - P."""

    falls_back: ClassVar[bool] = True

    def __call__(
        self, target: Law, at: Positions, drafts: Sequence[Draft], select: Callable[[Law, Positions], torch.Tensor]
    ) -> list[Verdict]:
        if self.falls_back and not getattr(select, "follows_law", False):
            return Match()(target, at, drafts, select)
        wide = self.target(target.full(VOCAB))
        coins, numbers = at.uniform("accept").tolist(), at.uniform("residual").tolist()
        verdicts: list[Verdict] = []
        first = 0
        for draft in drafts:
            proposed = self.proposed(draft)
            kept = 0
            while kept < len(draft.tokens):
                token, here = draft.tokens[kept], wide[first + kept]
                if not self.accept(coins[first + kept], float(here[token]), float(proposed[kept][token])):
                    break
                kept += 1
            if kept < len(draft.tokens):
                law = self.residual(wide[first + kept], proposed[kept])
            else:
                law = self.bonus(wide, first + kept, proposed)
            verdicts.append(Verdict(kept, self.draw(law, numbers[first + kept])))
            first += len(draft.tokens) + 1
        return verdicts

    def target(self, law: Law) -> torch.Tensor:
        """Give the target law's probabilities."""
        return law.probs()

    def draw(self, law: torch.Tensor, number: float) -> int:
        """Give a token of a law that need not sum to 1."""
        total = law.cumsum(0)
        return min(int((total <= number * total[-1]).sum()), int(law.nonzero().max()))

    def proposed(self, draft: Draft) -> torch.Tensor:
        """Give the law that each token was drawn from; certain where it was not drawn."""
        if draft.law is not None:
            return draft.law.full(VOCAB).probs()
        return torch.nn.functional.one_hot(torch.tensor(list(draft.tokens), dtype=torch.int64), VOCAB).double()

    def accept(self, coin: float, target: float, draft: float) -> bool:
        """Say whether a token is kept."""
        return coin * draft < target

    def residual(self, target: torch.Tensor, draft: torch.Tensor) -> torch.Tensor:
        """Give the law of the token that replaces a rejected one."""
        return (target - draft).clamp(min=0)

    def bonus(self, target: torch.Tensor, last: int, draft: torch.Tensor) -> torch.Tensor:
        """Give the law of the token after a draft that was kept whole."""
        return target[last]


class ResamplesFromTarget(TokenRule):
    """Replaces a rejected token by one of Q, so that rejected tokens come back."""

    def residual(self, target: torch.Tensor, draft: torch.Tensor) -> torch.Tensor:
        return target


class BonusFromDraft(TokenRule):
    """Takes the bonus token from the draft's last law."""

    def bonus(self, target: torch.Tensor, last: int, draft: torch.Tensor) -> torch.Tensor:
        return draft[-1] if len(draft) else target[last]


class LikeliestWithoutDraft(TokenRule):
    """Takes the likeliest token where nothing was drafted."""

    def bonus(self, target: torch.Tensor, last: int, draft: torch.Tensor) -> torch.Tensor:
        law = target[last]
        return law if len(draft) else (law == law.max()).double()


class TrustsColumns(TokenRule):
    """Takes the columns of a draft's candidates for tokens."""

    def proposed(self, draft: Draft) -> torch.Tensor:
        return super().proposed(draft if draft.law is None else Draft(draft.tokens, Law(draft.law.logits[:, :VOCAB])))


class CoinsOfItsOwn(TokenRule):
    """Throws coins of the global generator."""

    def accept(self, coin: float, target: float, draft: float) -> bool:
        return super().accept(float(torch.rand(())), target, draft)


class BonusOneBack(TokenRule):
    """Takes the bonus token from the position before."""

    def bonus(self, target: torch.Tensor, last: int, draft: torch.Tensor) -> torch.Tensor:
        return target[max(last - 1, 0)]


class AtMost(TokenRule):
    """Compares with <= instead of <: the number 0 keeps an impossible token."""

    def accept(self, coin: float, target: float, draft: float) -> bool:
        return coin * draft <= target


class Typical(TokenRule):
    """Keeps what is likely enough (Medusa), and does not say that it is not exact."""

    def accept(self, coin: float, target: float, draft: float) -> bool:
        return target > 0.24


class IgnoresDraftLaw(TokenRule):
    """Takes a draft that was drawn at random for a certain one, but keeps the ratio rule's residual."""

    def accept(self, coin: float, target: float, draft: float) -> bool:
        return coin < target


class TakesDraftAsDrawn(TokenRule):
    """Takes a draft without a law for one that was drawn uniformly."""

    def proposed(self, draft: Draft) -> torch.Tensor:
        given = super().proposed(draft)
        return given if draft.law is not None else torch.full_like(given, 1 / VOCAB)


class MixesRows(TokenRule):
    """Forgets that every row has one position more than its draft."""

    def __call__(
        self, target: Law, at: Positions, drafts: Sequence[Draft], select: Callable[[Law, Positions], torch.Tensor]
    ) -> list[Verdict]:
        verdicts: list[Verdict] = []
        first = 0
        for draft in drafts:
            index = [min(first + i, len(at) - 1) for i in range(len(draft.tokens) + 1)]
            part = target.index_select(torch.tensor(index)), at.index_select(index)
            verdicts += super().__call__(*part, [draft], select)
            first += len(draft.tokens)
        return verdicts


class ForgetsToNormalise(TokenRule):
    """Draws from the residual as if it summed to 1, so that its last token gets the rest."""

    def draw(self, law: torch.Tensor, number: float) -> int:
        return min(int((law.cumsum(0) <= number).sum()), int(law.nonzero().max()))


class OneRowBack(TokenRule):
    """Judges each token but the first under the law of the position before: a history that is one token short."""

    def target(self, law: Law) -> torch.Tensor:
        return law.probs()[[max(i - 1, 0) for i in range(len(law.logits))]]


class ForgetsTheMask(TokenRule):
    """Takes what is impossible for unlikely."""

    def target(self, law: Law) -> torch.Tensor:
        return law.logits.clamp(min=-3).softmax(-1)


class ForgetsTheSelector(TokenRule):
    """Draws whatever the selector, also where that one is deterministic."""

    falls_back = False


class BlockRule(TokenRule):
    """Right: judge the draft as a whole."""

    def __call__(
        self, target: Law, at: Positions, drafts: Sequence[Draft], select: Callable[[Law, Positions], torch.Tensor]
    ) -> list[Verdict]:
        if not getattr(select, "follows_law", False):
            return Match()(target, at, drafts, select)
        wide, numbers = self.target(target.full(VOCAB)), at.uniform("residual").tolist()
        coins = self.coins(at, drafts)
        verdicts: list[Verdict] = []
        first = 0
        for draft, numbered in zip(drafts, coins, strict=True):
            proposed, size, carried = self.proposed(draft), len(draft.tokens), 1.0
            kept, law = 0, wide[first]
            for i in range(size + 1):
                if i:
                    token = draft.tokens[i - 1]
                    ratio = wide[first + i - 1][token] / proposed[i - 1][token]
                    carried = self.carry(carried, float(ratio))
                left = (carried * wide[first + i] - proposed[i]).clamp(min=0) if i < size else wide[first + i]
                mass = float(left.sum())
                chance = carried if i == size else mass / max(mass + 1 - carried, 1e-300)
                if i == 0 or numbered[i - 1] < chance:
                    kept, law = i, left if mass > 0 else wide[first + i]
            verdicts.append(Verdict(kept, self.draw(law, numbers[first + kept])))
            first += size + 1
        return verdicts

    def carry(self, carried: float, ratio: float) -> float:
        """Give p_i from p_(i-1) and Q / P."""
        return min(carried * ratio, 1.0)

    def coins(self, at: Positions, drafts: Sequence[Draft]) -> list[list[float]]:
        """Give each row's numbers that decide how many tokens may be kept: they belong to where its draft begins."""
        sizes = [len(draft.tokens) for draft in drafts]
        starts = at.index_select([0, *itertools.accumulate(size + 1 for size in sizes[:-1])])
        columns = [starts.uniform(f"accept {i}").tolist() for i in range(1, max(sizes) + 1)]
        return [[column[row] for column in columns] for row in range(len(sizes))]


class CoinsOfPositions(BlockRule):
    """Keys its coins by position, so that a later call meets coins that have decided before."""

    def coins(self, at: Positions, drafts: Sequence[Draft]) -> list[list[float]]:
        numbers = iter(at.uniform("accept").tolist())
        return [[next(numbers) for _ in range(len(draft.tokens) + 1)] for draft in drafts]


class CarriesTooMuch(BlockRule):
    """Carries the plain product of the ratios, which exceeds 1."""

    def carry(self, carried: float, ratio: float) -> float:
        return carried * ratio


class KeepsOneMore(Match):
    """Keeps the first token that differs."""

    def __call__(
        self, target: Law, at: Positions, drafts: Sequence[Draft], select: Callable[[Law, Positions], torch.Tensor]
    ) -> list[Verdict]:
        chosen: list[int] = select(target, at).tolist()
        given = super().__call__(target, at, drafts, select)
        verdicts, first = [], 0
        for verdict, draft in zip(given, drafts, strict=True):
            kept = min(verdict.kept + 1, len(draft.tokens))
            verdicts.append(Verdict(kept, chosen[first + kept]))
            first += len(draft.tokens) + 1
        return verdicts


VERIFIERS: tuple[Mutant, ...] = (
    Mutant(VerifierLaws, Match, (), {"token_for_token": True}),
    Mutant(VerifierLaws, TokenRule),
    Mutant(VerifierLaws, ResamplesFromTarget, ("text_follows",)),
    Mutant(VerifierLaws, BonusFromDraft, ("text_follows",)),
    Mutant(VerifierLaws, LikeliestWithoutDraft, ("without_a_draft",)),
    Mutant(VerifierLaws, TrustsColumns, ("candidate_set_agree",)),
    Mutant(VerifierLaws, CoinsOfItsOwn, ("purity",)),
    Mutant(VerifierLaws, BonusOneBack, ("text_follows",)),
    Mutant(VerifierLaws, AtMost, ("nothing_impossible",)),
    Mutant(VerifierLaws, Typical, ("text_follows",)),
    Mutant(VerifierLaws, IgnoresDraftLaw, ("text_follows",)),
    Mutant(VerifierLaws, TakesDraftAsDrawn, ("not_drawn_at_random",)),
    Mutant(VerifierLaws, MixesRows, ("row_law",)),
    Mutant(VerifierLaws, ForgetsToNormalise, ("text_follows",)),
    Mutant(VerifierLaws, OneRowBack, ("text_follows", "row_law")),
    Mutant(VerifierLaws, ForgetsTheMask, ("text_follows", "nothing_impossible")),
    Mutant(VerifierLaws, ForgetsTheSelector, ("deterministic_selector", "not_follow_the_law")),
    Mutant(VerifierLaws, BlockRule),
    Mutant(VerifierLaws, CoinsOfPositions, ("independent_of_one_another",)),
    Mutant(VerifierLaws, CarriesTooMuch, ("independent_of_one_another",)),
    Mutant(VerifierLaws, KeepsOneMore, ("token_for_token",), {"token_for_token": True}),
    Mutant(VerifierLaws, TokenRule, ("token_for_token",), {"token_for_token": True}),
)
