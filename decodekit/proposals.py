"""Proposals: what a drafter proposes for one row, checked, cut to what the row could take, and joined to others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index

import torch

from decodekit.errors import GenerationError
from decodekit.law import Law, concat
from decodekit.rows import Row
from decodekit.techniques import Draft


def trim(row: Row, before: Draft, proposal: Draft, limit: int, vocab_size: int, device: torch.device) -> Draft:
    """Cut a proposal at the first token that the row cannot go on from.

    Such are end tokens, what the constraint forbids and what it lets nothing follow. That token is left out, and the
    model writes it or another, unless it was drawn: then it stays, to be judged like any other, because leaving it out
    would change the law of what takes its place.

    Raises:
        TypeError: A token is no whole number.
        GenerationError: The law of the tokens cannot be one.
    """
    tokens = [index(token) for token in list(proposal.tokens)[:limit]]
    if proposal.law is not None and tokens:
        _check(proposal.law, len(proposal.tokens), tokens, device)
    plan = row.group.plan
    state = row.constraint
    for token in before.tokens:
        state = plan.advance_constraint(state, token)
    kept: list[int] = []
    stuck = False
    for token in tokens:
        if not 0 <= token < vocab_size:
            break
        remaining = row.remaining - len(before.tokens) - len(kept)
        barred = token in plan.end_tokens or not plan.allows(state, remaining, token)
        after = state if barred else plan.advance_constraint(state, token)
        stuck = barred or plan.only_ends(after, remaining - 1)
        if stuck and (proposal.law is None or plan.search is not None):
            stuck = False
            break
        kept.append(token)
        if stuck:
            break
        state = after
    law = proposal.law if kept else None
    if law is not None and len(law.logits) != len(kept):
        law = law.index_select(torch.arange(len(kept), device=law.logits.device))
    return Draft(kept, law, stuck)


def _check(law: Law, count: int, tokens: Sequence[int], device: torch.device) -> None:
    """Refuse a law that its tokens cannot have been drawn from: a verifier would fail for the whole batch.

    Values are looked at where they are in the memory of the CPU; elsewhere that would wait for the accelerator.
    """
    logits, ids = law.logits, law.ids
    if logits.ndim != 2 or len(logits) != count or not logits.shape[1] or not logits.is_floating_point():
        raise GenerationError(f"a draft of {count} tokens has a law of shape {list(logits.shape)} and {logits.dtype}")
    if logits.device.type != device.type:
        raise GenerationError(f"the law of a draft is on {logits.device}, the model on {device}")
    if ids is None:
        outside = [token for token in tokens if not 0 <= token < logits.shape[1]]
        if outside:
            raise GenerationError(f"drafted tokens {outside} are outside of their law, which has {logits.shape[1]}")
    elif ids.shape != logits.shape or ids.dtype != torch.int64 or ids.device != logits.device:
        raise GenerationError(
            f"the law of a draft has ids of shape {list(ids.shape)} and {ids.dtype} for logits of {list(logits.shape)}"
        )
    if logits.device.type != "cpu":
        return
    if ids is not None and int(ids.min()) < 0:
        raise GenerationError(f"the law of a draft names token {int(ids.min())}")
    weights = law.logits_at(range(len(tokens)), tokens)
    if not all(-math.inf < weight < math.inf for weight in weights):
        raise GenerationError(f"drafted {list(tokens)}, whose weights in their own law are {weights}")


def join(first: Draft, second: Draft, vocab_size: int) -> Draft:
    """Put two drafts one after another; beside a drawn one, tokens that were not drawn have a law of certainty."""
    tokens = [*first.tokens, *second.tokens]
    if not first.tokens or (first.law is None and second.law is None):
        return Draft(tokens, second.law, second.stuck)
    known = first.law or second.law
    assert known is not None
    laws = [
        draft.law or Law.certain(torch.tensor(draft.tokens, device=known.logits.device), known.logits.dtype)
        for draft in (first, second)
    ]
    return Draft(tokens, concat(laws, vocab_size), second.stuck)
