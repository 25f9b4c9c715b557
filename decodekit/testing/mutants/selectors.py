"""Wrong token selectors."""

from __future__ import annotations

import numpy as np
import torch

from decodekit.builtin import Argmax
from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import TokenSelector
from decodekit.testing.mutants.base import Mutant
from decodekit.testing.selectors import SelectorLaws
from decodekit.testing.toys import inverse_cdf


class Sample(TokenSelector):
    """Right: inverse CDF in the order of token ids."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        return inverse_cdf(law, at)


class GlobalMultinomial(TokenSelector):
    """Draws with `torch.multinomial` from the global generator."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        return law.tokens(torch.multinomial(law.probs(), 1)).squeeze(-1)


class LessThan(TokenSelector):
    """Compares with < instead of <=: the number 0 gives the first token, possible or not."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        wide = law if law.ids is None else law.full(int(law.ids.max()) + 1)
        total = wide.logits.double().softmax(-1).cumsum(-1)
        return (total < at.uniform("select")[:, None]).sum(-1).clamp(max=total.shape[-1] - 1)


class Overruns(TokenSelector):
    """Forgets that a rounded sum of probabilities may stay below 1."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        wide = law if law.ids is None else law.full(int(law.ids.max()) + 1)
        total = wide.logits.float().softmax(-1).cumsum(-1) * (1 - 2.0**-20)
        return (total <= at.uniform("select")[:, None]).sum(-1)


class TrustsTheLaw(TokenSelector):
    """Looks for the first sum that is above its number, which there is none of where the law is NaN."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        wide = law if law.ids is None else law.full(int(law.ids.max()) + 1)
        total = wide.logits.double().softmax(-1).cumsum(-1)
        return (~(total > at.uniform("select")[:, None] * total[:, -1:])).sum(-1)


class ColumnOrder(TokenSelector):
    """Sums over the columns in the order in which they happen to be."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        return law.tokens(inverse_cdf(Law(law.logits), at)[:, None]).squeeze(-1)


class OneNumberPerCall(TokenSelector):
    """Uses the first position's number for all."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        return inverse_cdf(law, at.index_select([0] * len(at)))


class TooCold(TokenSelector):
    """Sharpens the law a little."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        return inverse_cdf(law.with_logits(law.logits * 1.1), at)


class ForgetsPosition(TokenSelector):
    """Draws one number per text, whatever the position."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        from decodekit.testing.factories import altered

        return inverse_cdf(law, altered(at, lengths_array=at.prompt_lengths_array))


class CoolsDown(TokenSelector):
    """Sharpens the law as the text grows."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        return inverse_cdf(law.with_logits(law.logits * (1 + at.new_tokens[:, None] / 50)), at)


class ForgetsSample(TokenSelector):
    """Draws the same numbers for all samples of a request."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        from decodekit.testing.factories import altered

        return inverse_cdf(law, altered(at, samples=np.zeros_like(at.samples)))


class SortsBySeed(Sample):
    """Takes the positions in the order of their seeds, and does not put the tokens back."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        order = np.argsort(at.seeds, kind="stable")
        return super().__call__(law.index_select(torch.from_numpy(order)), at.index_select(order.tolist()))


class OneOfTwo(Sample):
    """Throws a coin between the two likeliest columns, of which one may be impossible."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        two = law.candidates(2)
        return super().__call__(two.with_logits(torch.zeros_like(two.logits)), at)


class GivesColumns(Sample):
    """Gives a column of tokens, as `torch.multinomial` does."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        return super().__call__(law, at)[:, None]


class ThirtyTwoBits(Sample):
    """Gives tokens of 32 bits."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        return super().__call__(law, at).int()


class SaysDeterministic(Sample, deterministic=True):
    """Draws at random, but says that it does not."""


class LastOfEquals(TokenSelector, deterministic=True):
    """Takes the last column among equally likely ones."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        column = law.logits.shape[-1] - 1 - law.logits.flip(-1).argmax(-1, keepdim=True)
        return law.tokens(column).squeeze(-1)


SELECTORS: tuple[Mutant, ...] = (
    Mutant(SelectorLaws, Argmax),
    Mutant(SelectorLaws, Sample),
    Mutant(SelectorLaws, GlobalMultinomial, ("same_call_twice", "inputs_are_not_edited")),
    Mutant(SelectorLaws, LessThan, ("edges",)),
    Mutant(SelectorLaws, Overruns, ("edges",)),
    Mutant(SelectorLaws, TrustsTheLaw, ("unusable",)),
    Mutant(SelectorLaws, ColumnOrder, ("candidate_set_agree",)),
    Mutant(SelectorLaws, OneNumberPerCall, ("row_law", "over_seeds")),
    Mutant(SelectorLaws, TooCold, ("over_seeds",)),
    Mutant(SelectorLaws, ForgetsPosition, ("independent",)),
    Mutant(SelectorLaws, CoolsDown, ("over_positions",)),
    Mutant(SelectorLaws, ForgetsSample, ("over_samples",)),
    Mutant(SelectorLaws, SortsBySeed, ("gather_law",)),
    Mutant(SelectorLaws, OneOfTwo, ("always_possible",)),
    Mutant(SelectorLaws, GivesColumns, ("one_int64",)),
    Mutant(SelectorLaws, ThirtyTwoBits, ("one_int64",)),
    Mutant(SelectorLaws, SaysDeterministic, ("deterministic",)),
    Mutant(SelectorLaws, LastOfEquals, ("candidate_set_agree",)),
)
