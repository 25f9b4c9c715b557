"""Wrong verifiers: the token rule (arXiv:2211.17192), made wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from decodekit.builtin import Match
from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import Draft, Verdict, Verifier
from decodekit.testing.mutants.base import Mutant
from decodekit.testing.verifiers import VOCAB, VerifierLaws


class TokenRule(Verifier):
    """Right: keep x with probability min(1, Q/P), else draw from the positive part of Q - P."""

    def __call__(
        self, target: Law, at: Positions, drafts: Sequence[Draft], select: Callable[[Law, Positions], torch.Tensor]
    ) -> list[Verdict]:
        wide = target.full(VOCAB).probs()
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
            total = law.cumsum(0)
            place = min(int((total <= numbers[first + kept] * total[-1]).sum()), int(law.nonzero().max()))
            verdicts.append(Verdict(kept, place))
            first += len(draft.tokens) + 1
        return verdicts

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
    Mutant(VerifierLaws, BonusOneBack, ("text_follows",)),
    Mutant(VerifierLaws, AtMost, ("nothing_impossible",)),
    Mutant(VerifierLaws, Typical, ("text_follows",)),
    Mutant(VerifierLaws, IgnoresDraftLaw, ("text_follows",)),
    Mutant(VerifierLaws, TakesDraftAsDrawn, ("not_drawn_at_random",)),
    Mutant(VerifierLaws, MixesRows, ("row_law",)),
    Mutant(VerifierLaws, KeepsOneMore, ("token_for_token",), {"token_for_token": True}),
    Mutant(VerifierLaws, TokenRule, ("token_for_token",), {"token_for_token": True}),
)
