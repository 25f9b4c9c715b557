"""Searches: each request's group expanded by its own search; one that fails takes nobody else with it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from decodekit.errors import GenerationError, blamed_on
from decodekit.law import Law
from decodekit.pipeline import TargetLaw
from decodekit.plan import name_of
from decodekit.positions import Positions
from decodekit.rows import Group, Row
from decodekit.scoring import Scored
from decodekit.techniques import Expansion, GroupView

Choice = tuple[int, int, float, bool]
"""Row of the step, token, score, whether the row ends with it."""


def expand(
    group: Group, scored: Scored, members: Sequence[int], places: Sequence[int], target: TargetLaw
) -> list[Choice]:
    """Expand one group.

    Args:
        group: The request.
        scored: The step.
        members: Its rows.
        places: Where their laws are in `target`.
        target: Laws of all groups of this chain.

    Raises:
        GenerationError: The search raised, or gave what cannot be followed.
    """
    name = name_of(group.plan.search)
    law = target.law.index_select(torch.tensor(places, device=scored.logits.device))
    with blamed_on(name):
        view = _view(group, [scored.rows[r] for r in members], target.at.index_select(places))
        found = group.plan.search(law, view)
        _check(name, found, law, group)
    group.search_state = found.state
    expanded = [] if found.done else list(zip(found.parents, found.tokens, found.scores, strict=True))
    return [
        (members[parent], token, score, ended)
        for ended, choices in ((True, found.finished), (False, expanded))
        for parent, token, score in choices
    ]


def fail(group: Group, rows: Sequence[Row], error: GenerationError) -> None:
    """End a request whose search failed; its rows keep what they have."""
    group.error, group.waiting = error, []
    error.add_note(f"request {group.index}")
    for row in rows:
        row.finish_reason = "error"
    group.finished += rows


def _check(name: str, found: Expansion, law: Law, group: Group) -> None:
    rows, vocab = len(law.logits), law.logits.shape[-1]
    if not len(found.parents) == len(found.tokens) == len(found.scores):
        raise GenerationError(
            f"{name} gave {len(found.parents)} parents, {len(found.tokens)} tokens and {len(found.scores)} scores"
        )
    if len(found.parents) > group.plan.search.rows:
        raise GenerationError(
            f"{name} goes on with {len(found.parents)} rows, and said at most {group.plan.search.rows}"
        )
    if not (found.done or found.parents or found.finished or group.finished):
        raise GenerationError(f"{name} continued no row, and none had ended")
    taken = [*zip(found.parents, found.tokens, found.scores, strict=True), *found.finished]
    for parent, token, score in taken:
        if not 0 <= parent < rows or token < 0 or (law.ids is None and token >= vocab):
            raise GenerationError(f"{name} continued row {parent} of {rows} with token {token}")
        if math.isnan(score):
            raise GenerationError(f"{name} gave a score that is not a number")
    if taken and not bool((_logits_of(law, taken) > -math.inf).all()):
        raise GenerationError(f"{name} continued a row with a token that is impossible there")


def _logits_of(law: Law, taken: Sequence[tuple[int, int, float]]) -> torch.Tensor:
    parents = torch.tensor([parent for parent, _, _ in taken], device=law.logits.device)
    tokens = torch.tensor([token for _, token, _ in taken], device=law.logits.device)
    if law.ids is None:
        return law.logits[parents, tokens]
    return law.logits[parents].masked_fill(law.ids[parents] != tokens[:, None], -math.inf).amax(dim=-1)


def _view(group: Group, rows: Sequence[Row], at: Positions) -> GroupView:
    return GroupView(
        [row.score for row in rows],
        [row.new_tokens for row in rows],
        [row.remaining for row in rows],
        group.plan.end_tokens,
        [(row.score, row.new_tokens) for row in group.finished],
        group.search_state,
        at,
    )
