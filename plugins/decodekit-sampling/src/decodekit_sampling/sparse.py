"""Changing a few tokens of a law, at full width or in a candidate set, without editing it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from decodekit.law import Law


def add(law: Law, rows: Sequence[int], tokens: Sequence[int], amounts: Sequence[float]) -> Law:
    """Add `amounts[i]` to token `tokens[i]` of position `rows[i]`; -inf makes it impossible. Repeats add up.

    Tokens that the law does not reach are passed over. Cost: one copy of the law.
    """
    if not rows:
        return law
    device = law.logits.device
    row, token = torch.tensor(rows, device=device), torch.tensor(tokens, device=device)
    amount = torch.tensor(amounts, dtype=law.logits.dtype, device=device)
    if law.ids is None:
        inside = token < law.logits.shape[-1]
        return Law(law.logits.index_put((row[inside], token[inside]), amount[inside], accumulate=True))
    hits = torch.where(law.ids[row] == token[:, None], amount[:, None], torch.zeros_like(amount)[:, None])
    return law.with_logits(law.logits.index_add(0, row, hits))


def ban(law: Law, rows: Sequence[int], tokens: Sequence[int]) -> Law:
    """Make token `tokens[i]` of position `rows[i]` impossible."""
    return add(law, rows, tokens, [float("-inf")] * len(rows))
