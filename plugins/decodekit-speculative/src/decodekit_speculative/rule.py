"""What the ratio rules share: both probabilities of each drafted token, what the target has beyond the draft, the draw.

A rule says how many tokens of a draft are kept; the token that follows them comes from the request's own selector,
under the target law where all were kept, else under the normalised max(p Q - P, 0). P is the draft law, Q the target's.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch

from decodekit.builtin import Match
from decodekit.law import Law, concat
from decodekit.positions import Positions
from decodekit.techniques import Draft, TokenSelector, Verdict, Verifier
from decodekit.types import Float, Int64, Tensor


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a draft ends.

    Attributes:
        kept: How many of its tokens are kept.
        excess: What the target law has beyond the draft there, in the target law's columns; None where the next token
            comes from the target law itself.
    """

    kept: int
    excess: Float[Tensor, "candidate"] | None = None


class RatioRule(Verifier):
    """A rule that compares both laws. Under a selector that does not declare `follows_law` it is the rule of `match`.

    A selector that is deterministic, or that draws in a way of its own (a watermark), has another law than the one it
    is given; to keep drafted tokens while they equal its choice is exact for all of them.
    """

    @abstractmethod
    def cut(self, target: Law, at: Positions, drafts: Sequence[Draft], first: Sequence[int]) -> list[Cut]:
        """Say where each draft ends.

        Args:
            target: Target law of all positions.
            at: The positions.
            drafts: One per row.
            first: Each row's first position.
        """

    def __call__(
        self, target: Law, at: Positions, drafts: Sequence[Draft], select: Callable[[Law, Positions], Tensor]
    ) -> list[Verdict]:
        if not getattr(select, "follows_law", False):
            return Match()(target, at, drafts, select)
        first = [0, *accumulate(len(draft.tokens) + 1 for draft in drafts[:-1])]
        cuts = self.cut(target, at, drafts, first)
        places = [start + cut.kept for start, cut in zip(first, cuts, strict=True)]
        law = _replaced(target.index_select(_index(places, target)), cuts)
        tokens = _narrowed(select, places)(law, at.index_select(places)).tolist()
        return [Verdict(cut.kept, token) for cut, token in zip(cuts, tokens, strict=True)]


def token_probabilities(target: Law, drafts: Sequence[Draft]) -> tuple[list[list[float]], list[list[float]]]:
    """Give each drafted token's probability under the target law and under the law that it was drawn from.

    *Cost:* one pass over the target law of all positions and one over each draft law.
    """
    padded = [int(token) for draft in drafts for token in (*draft.tokens, 0)]
    flat = _chances(target, padded)
    targets: list[list[float]] = []
    proposed: list[list[float]] = []
    first = 0
    for draft in drafts:
        count = len(draft.tokens)
        targets.append(flat[first : first + count])
        first += count + 1
        if draft.law is None or not count:
            proposed.append([1.0] * count)
        else:
            proposed.append(_chances(draft.law, [int(token) for token in draft.tokens]))
    return targets, proposed


def _chances(law: Law, tokens: Sequence[int]) -> list[float]:
    """Give the probability of one token per position."""
    law, chosen = _wide(law), _index(tokens, law)
    if law.ids is not None:
        return law.logprob_of(chosen).double().exp().tolist()
    # One pass; the normaliser by itself is three.
    found = law.logprobs().gather(-1, chosen[:, None]).squeeze(-1)
    return found.double().exp().tolist()


def excess(
    target: Law, places: Sequence[int], drafts: Sequence[Draft], depths: Sequence[int], scales: Sequence[float]
) -> Float[Tensor, "place candidate"]:
    """Give max(p Q - P, 0) in the columns of the target law; everything else has none.

    Args:
        target: Target law of all positions.
        places: Positions that are asked for.
        drafts: The draft at each of them.
        depths: Which of its tokens is drawn there; P is its law.
        scales: p at each of them.

    Cost: a few passes over both laws at these positions.
    """
    law = _wide(target.index_select(_index(places, target)))
    proposed = _proposed(drafts, depths, law)
    left = law.probs()
    if any(scale != 1 for scale in scales):
        left *= torch.tensor(scales, dtype=left.dtype, device=left.device)[:, None]
    draft = proposed.probs()
    left = left.to(torch.promote_types(left.dtype, draft.dtype))
    # A draft model's vocabulary may be padded to another width; what lies outside has no probability on the other side.
    if proposed.ids is None and law.ids is None:
        both = min(left.shape[-1], draft.shape[-1])
        left[:, :both] -= draft[:, :both]
    elif law.ids is None and proposed.ids is not None:
        inside = proposed.ids < left.shape[-1]
        left.scatter_add_(-1, proposed.ids * inside, -(draft * inside).to(left.dtype))
    else:
        left -= _at(proposed, law.ids)
    return left.clamp_(min=0)


def _at(law: Law, ids: Any) -> Float[Tensor, "place candidate"]:
    """Give the probabilities of these tokens."""
    width = int(ids.max()) + 1 if law.ids is None else int(torch.maximum(ids.max(), law.ids.max())) + 1
    probabilities = law.full(width).probs()
    inside = ids < probabilities.shape[-1]
    return probabilities.gather(-1, ids * inside) * inside


def _proposed(drafts: Sequence[Draft], depths: Sequence[int], like: Law) -> Law:
    """Put the laws that tokens were drawn from into one; a token that was not drawn has a law of certainty."""
    device, dtype = like.logits.device, like.logits.dtype
    laws = [
        Law.certain(torch.tensor([int(draft.tokens[depth])], device=device), dtype)
        if draft.law is None
        else _wide(draft.law.index_select(torch.tensor([depth], device=device)))
        for draft, depth in zip(drafts, depths, strict=True)
    ]
    width = max((law.logits.shape[-1] if law.ids is None else int(law.ids.max()) + 1) for law in laws)
    return concat(laws, width)


def _replaced(law: Law, cuts: Sequence[Cut]) -> Law:
    """Put the laws of replacements in; where rounding left nothing of one, the target law is as good."""
    chosen = [(row, cut.excess) for row, cut in enumerate(cuts) if cut.excess is not None]
    if not chosen:
        return law
    logits = _wide(law).logits.clone()
    rows = _index([row for row, _ in chosen], law)
    given = torch.stack([left for _, left in chosen])
    left = _log(given).to(logits.dtype)
    logits[rows] = torch.where(left.amax(dim=-1, keepdim=True) > -torch.inf, left, logits[rows])
    return Law(logits, law.ids)


def _log(values: Tensor) -> Tensor:
    """Give logarithms; -inf of 0, which by itself costs ten times as much on CPU as that of any other number."""
    least = torch.finfo(values.dtype).tiny
    return values.clamp(min=least).log_().masked_fill_(values < least, -torch.inf)


def _narrowed(select: Callable[[Law, Positions], Tensor], places: Sequence[int]) -> Callable[[Law, Positions], Tensor]:
    """Give a selector for some of its positions; numbers in which requests differ are tensors with one per position."""
    if not isinstance(select, TokenSelector):
        return select
    stacked = {name: value[list(places)] for name, value in select if isinstance(value, Tensor)}
    return select.model_copy(update=stacked) if stacked else select


def _index(values: Sequence[int], law: Law) -> Int64[Tensor, "chosen"]:
    return torch.tensor(values, dtype=torch.int64, device=law.logits.device)


def _wide(law: Law) -> Law:
    """Give at least float32."""
    return law if law.logits.dtype in (torch.float32, torch.float64) else law.with_logits(law.logits.float())


__all__ = ["Cut", "RatioRule", "excess", "token_probabilities"]
