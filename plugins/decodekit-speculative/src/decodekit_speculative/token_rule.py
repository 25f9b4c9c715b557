"""The token rule of speculative sampling (arXiv:2211.17192, arXiv:2302.01318)."""

from __future__ import annotations

from collections.abc import Sequence

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import Draft
from decodekit_speculative.rule import Cut, RatioRule, excess, token_probabilities


class TokenRule(RatioRule, name="token_rule", source="arXiv:2211.17192, arXiv:2302.01318"):
    """Keep a token x with probability min(1, Q(x) / P(x)), one after another; replace the first that is not kept.

    The replacement comes from the normalised max(Q - P, 0), the token after a whole draft from Q. Exact for every
    draft; a token is kept with probability sum min(P, Q). A draft without a law is taken as certain. Under a selector
    that does not declare `follows_law` it keeps tokens while they equal what the selector chooses.

    *Cost:* one pass over both laws for the drafted tokens, a few over the positions where a draft ends.
    """

    def cut(self, target: Law, at: Positions, drafts: Sequence[Draft], first: Sequence[int]) -> list[Cut]:
        targets, proposed = token_probabilities(target, drafts)
        coins = at.uniform("accept").tolist()
        kept = [
            accepted(q, p, coins[start : start + len(q)]) for q, p, start in zip(targets, proposed, first, strict=True)
        ]
        cuts = [Cut(count) for count in kept]
        rows = [row for row, draft in enumerate(drafts) if kept[row] < len(draft.tokens)]
        if rows:
            places, depths = [first[row] + kept[row] for row in rows], [kept[row] for row in rows]
            left = excess(target, places, [drafts[row] for row in rows], depths, [1.0] * len(rows))
            for row, law in zip(rows, left, strict=True):
                cuts[row] = Cut(kept[row], law)
        return cuts


def accepted(target: Sequence[float], proposed: Sequence[float], coins: Sequence[float]) -> int:
    """Count the tokens before the first that is not kept.

    Args:
        target: Q of each drafted token.
        proposed: P of each.
        coins: A uniform number in [0, 1) for each. The comparison is strict, so that 0 keeps nothing impossible.
    """
    for count, (q, p, coin) in enumerate(zip(target, proposed, coins, strict=True)):
        # A token that its own law calls impossible was not drawn from it and is not kept.
        if not (p > 0 and coin * p < q):
            return count
    return len(target)


__all__ = ["TokenRule", "accepted"]
