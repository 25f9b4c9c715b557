"""Block verification (arXiv:2403.10444, algorithm 2): a draft is judged as a whole and never keeps less on average."""

from __future__ import annotations

from collections.abc import Sequence

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import Draft, Drafter, Technique
from decodekit_speculative.rule import Cut, RatioRule, excess, token_probabilities


class BlockRule(RatioRule, name="block_rule", source="arXiv:2403.10444, algorithm 2"):
    """Keep the longest beginning of the draft that its own coin allows.

    With p_0 = 1 and p_i = min(p_(i-1) Q(x_i) / P(x_i), 1), i tokens may be kept with probability
    h_i = S_i / (S_i + 1 - p_i), S_i the mass of max(p_i Q - P, 0) after them, and the whole draft with p_G. The token
    after i tokens comes from that excess, normalised, after a whole draft from Q. Exact for every draft; keeps as many
    tokens as the token rule or more. A draft without a law is taken as certain. Under a selector that does not declare
    `follows_law` it keeps tokens while they equal what the selector chooses.

    All of a draft is looked at, so what is judged again at a later step needs random numbers of its own: coins belong
    to the place where the draft begins. Drafters draw in the same way, which two in one chain could not keep up: a
    request has one drafter.

    *Cost:* as the token rule where whole drafts are kept; else a few passes over both laws per token that is given up.
    """

    def conflict(self, others: Sequence[Technique]) -> str | None:
        drafters = [other.name for other in others if isinstance(other, Drafter)]
        if len(drafters) > 1:
            return f"it judges the draft of one drafter, and {' and '.join(drafters)} are asked for; use token_rule"
        return None

    def cut(self, target: Law, at: Positions, drafts: Sequence[Draft], first: Sequence[int]) -> list[Cut]:
        targets, proposed = token_probabilities(target, drafts)
        weights = [carried(q, p) for q, p in zip(targets, proposed, strict=True)]
        longest = max((len(draft.tokens) for draft in drafts), default=0)
        starts = at.index_select(first)
        coins = [[0.0] * len(drafts), *(starts.uniform(f"accept {i}").tolist() for i in range(1, longest + 1))]
        cuts: list[Cut | None] = [
            Cut(len(draft.tokens)) if not draft.tokens or coins[len(draft.tokens)][row] < weights[row][-1] else None
            for row, draft in enumerate(drafts)
        ]
        for kept in reversed(range(longest)):
            rows = [row for row, draft in enumerate(drafts) if cuts[row] is None and len(draft.tokens) > kept]
            # Nothing is kept up to a token that is impossible under Q, so nothing need be worked out there.
            rows = [row for row in rows if weights[row][kept] > 0]
            if not rows:
                continue
            scales = [weights[row][kept] for row in rows]
            left = excess(
                target, [first[row] + kept for row in rows], [drafts[row] for row in rows], [kept] * len(rows), scales
            )
            masses = left.double().sum(dim=-1).tolist()
            for row, scale, mass, law in zip(rows, scales, masses, left, strict=True):
                if kept == 0 or coins[kept][row] < kept_chance(mass, scale):
                    cuts[row] = Cut(kept, law)
        return [cut for cut in cuts if cut is not None]


def carried(target: Sequence[float], proposed: Sequence[float]) -> list[float]:
    """Give p_0 … p_G from Q and P of the drafted tokens."""
    weights = [1.0]
    for q, p in zip(target, proposed, strict=True):
        # A token that its own law calls impossible was not drawn from it and is not kept.
        weights.append(min(weights[-1] * q / p, 1.0) if p > 0 else 0.0)
    return weights


def kept_chance(mass: float, weight: float) -> float:
    """Give h_i from S_i and p_i; where both laws agree to the last digit it is 0 / 0, and any value is right."""
    rest = mass + 1 - weight
    return mass / rest if rest > 0 else 1.0


__all__ = ["BlockRule", "carried", "kept_chance"]
