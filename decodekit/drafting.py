"""Drafts: the drafters of each row, chained, and trimmed to what the row could take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from decodekit.errors import GenerationError, blamed_on
from decodekit.law import Law, concat
from decodekit.pipeline import with_end_tokens
from decodekit.plan import name_of, piece_key
from decodekit.rows import Row, Rows
from decodekit.techniques import Draft

EMPTY = Draft(())


def propose(rows: Rows, eligible: Sequence[int], vocab_size: int) -> list[Draft]:
    """Ask every eligible row's drafters, in the user's order; each sees what the ones before it proposed.

    Args:
        rows: The running rows; drafted tokens are noted in their histories.
        eligible: Rows that may draft in this step.
        vocab_size: Width of the model's logits.

    Returns:
        One draft per row, empty for rows that are not eligible.
    """
    drafts = [EMPTY] * len(rows)
    longest = max((len(rows.items[r].group.plan.drafters) for r in eligible), default=0)
    for link in range(longest):
        waves: dict[Any, list[int]] = {}
        for r in eligible:
            row = rows.items[r]
            if link < len(row.group.plan.drafters) and room(row, drafts[r]) > 0:
                waves.setdefault(piece_key(row.group.plan.drafters[link]), []).append(r)
        for wave in waves.values():
            _ask(rows, wave, link, drafts, vocab_size)
    return drafts


def room(row: Row, draft: Draft) -> int:
    """Say how many more tokens may be drafted: at least one is left for the model itself."""
    return row.remaining - 1 - len(draft.tokens)


def _ask(rows: Rows, wave: Sequence[int], link: int, drafts: list[Draft], vocab_size: int) -> None:
    drafter = rows.items[wave[0]].group.plan.drafters[link]
    depths = np.array([len(drafts[r].tokens) for r in wave], dtype=np.int64)
    states: list[Any] = []
    for r in wave:
        state = rows.items[r].drafters[link]
        for token in drafts[r].tokens:
            with blamed_on(name_of(drafter)):
                state = drafter.advance(state, token)
        states.append(state)
    at = rows.positions(np.array(wave, dtype=np.int64), depths).with_states(states)
    limits = [room(rows.items[r], drafts[r]) for r in wave]
    with blamed_on(name_of(drafter)):
        proposals = list(drafter(at, limits))
    if len(proposals) != len(wave):
        raise GenerationError(f"{name_of(drafter)} gave {len(proposals)} drafts for {len(wave)} rows")
    for r, limit, proposal in zip(wave, limits, proposals, strict=True):
        row = rows.items[r]
        fresh = _trim(row, drafts[r], proposal, limit, vocab_size)
        if fresh.tokens:
            drafts[r] = _join(drafts[r], fresh, vocab_size)
            rows.write(r, len(row.tokens), drafts[r].tokens)


def _trim(row: Row, before: Draft, proposal: Draft, limit: int, vocab_size: int) -> Draft:
    """Cut a proposal before the first token that the row cannot take: an end token, or what the constraint forbids."""
    plan = row.group.plan
    state = row.constraint
    for token in before.tokens:
        state = plan.advance_constraint(state, token)
    kept: list[int] = []
    for token in map(int, list(proposal.tokens)[:limit]):
        if not 0 <= token < vocab_size or token in plan.end_tokens:
            break
        if plan.constraint is not None:
            mask = with_end_tokens(plan, state, row.remaining - len(before.tokens) - len(kept))
            if not int(mask[token >> 5]) >> (token & 31) & 1:
                break
            state = plan.advance_constraint(state, token)
        kept.append(token)
    law = proposal.law
    if law is not None and kept:
        law = law.index_select(torch.arange(len(kept), device=law.logits.device))
    return Draft(kept, law if kept else None)


def _join(first: Draft, second: Draft, vocab_size: int) -> Draft:
    tokens = [*first.tokens, *second.tokens]
    if not first.tokens or (first.law is None and second.law is None):
        return Draft(tokens, second.law)
    known = first.law or second.law
    assert known is not None
    laws = [
        draft.law or Law.certain(torch.tensor(draft.tokens, device=known.logits.device), known.logits.dtype)
        for draft in (first, second)
    ]
    return Draft(tokens, concat(laws, vocab_size))
