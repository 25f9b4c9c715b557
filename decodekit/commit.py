"""Commit: tokens join a row one by one, each with states, text and likelihood, and the question whether it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from decodekit.completing import complete, satisfies
from decodekit.errors import blamed_on
from decodekit.law import Law
from decodekit.likelihood import Likelihood
from decodekit.positions import Positions
from decodekit.results import Piece
from decodekit.row_views import RowView
from decodekit.rows import Row
from decodekit.scoring import Scored
from decodekit.techniques import Stage


@dataclass(slots=True)
class Move:
    """One row's next tokens.

    Attributes:
        parent: Row that is continued.
        tokens: What it is continued with; the law of each is at the positions of the row, from its first one on.
        score: Score of a search.
        ended: Whether a search ends the row with this move.
    """

    parent: int
    tokens: list[int]
    score: float = 0.0
    ended: bool = False


def commit(row: Row, move: Move, likelihoods: Sequence[Likelihood], scored: Scored) -> int:
    """Append a move's tokens until the row ends; give how many were appended.

    Args:
        row: The row, which nobody else uses.
        move: What follows it.
        likelihoods: Of each token.
        scored: The step.
    """
    request, first = row.group.plan.request, scored.first[move.parent]
    for done, (token, likelihood) in enumerate(zip(move.tokens, likelihoods, strict=True), 1):
        row.tokens.append(token)
        row.group.stats.new_tokens += 1
        if request.logprobs:
            row.logprobs.append(likelihood.model)
            row.target_logprobs.append(likelihood.target)
        if request.top_logprobs:
            row.top_logprobs.append(likelihood.top)
        row.finish_reason = _take(row, token, first + done - 1, scored)
        if row.finish_reason:
            return done
    return len(move.tokens)


def _take(row: Row, token: int, position: int, scored: Scored) -> str | None:
    """Move the row's states past a token and say why it ends there, if it does."""
    plan = row.group.plan
    if token in plan.end_tokens:
        row.constraint = scored.states.constraints[position]
        return "eos"
    if plan.stateful:
        law = _law_at(scored, position) if plan.reads_law else None
        row.processors = plan.advance(scored.states.processors[position], token, law)
    if plan.constraint is not None:
        row.constraint = plan.advance_constraint(scored.states.constraints[position], token)
    if plan.drafters:
        row.drafters = row.group.advance_drafters(row.drafters, token)
    if row.text is not None:
        _extend_text(row, token)
    if row.cut is not None or token in plan.request.stop_tokens:
        return "stop"
    for reason, condition in plan.stop_pieces:
        with blamed_on(reason if reason != "stop" else "the stop callable"):
            if condition(RowView.of(row)):
                return reason
    if plan.only_ends(row.constraint, row.remaining):
        row.group.stats.lifted_bans += _end_is_banned(row, scored.logits.shape[-1], scored.logits.device)
        return "constraint"
    return "length" if row.remaining <= 0 else None


def _end_is_banned(row: Row, vocab: int, device: torch.device) -> bool:
    """Say whether the row ends, because its constraint leaves nothing else, where a ban would not have let it."""
    plan = row.group.plan
    bans = [(j, link) for j, link in enumerate(plan.processors) if link.stage is Stage.BAN and not link.hooked]
    if not bans or not plan.end_tokens:
        return False
    at = Positions(
        np.array([row.tokens]),
        np.array([len(row.tokens)]),
        np.array([len(plan.prompt)]),
        np.array([plan.seed], dtype=np.uint64),
        np.array([row.sample], dtype=np.uint64),
        [None],
        device,
    )
    law = Law(torch.full((1, vocab), float("-inf"), device=device))
    law.logits[:, list(plan.end_tokens)] = 0
    for j, link in bans:
        with blamed_on(link.name):
            law = link.piece(law, at.with_states([row.processors[j]]))
    return not bool(law.allowed.any())


def _extend_text(row: Row, token: int) -> None:
    assert row.text is not None
    old = len(row.text.text)
    row.text = row.text.push(token)
    for stop in row.group.plan.stops:
        found = row.text.text.find(stop, max(0, old - len(stop) + 1))
        if found >= 0 and (row.cut is None or found < row.cut):
            row.cut = found


def _law_at(scored: Scored, position: int) -> Law:
    for index, _, target in scored.laws:
        if position in index:
            return target.law.index_select(torch.tensor([index.index(position)], device=scored.logits.device))
    raise KeyError(position)


def in_place(on: list[tuple[int, Row]], rows: int) -> list[tuple[int, Row]]:
    """Order rows, each with the place of the one that it continues, so that as many as can be are at that place again.

    What is kept by place is then copied for the others alone. Where there are more rows than before, most of them are
    copied anyway; then those that continue one row stand side by side, which makes their laws a view of the batch's.

    Args:
        on: The rows, those of a request one after another.
        rows: How many there were.
    """
    if len(on) > rows:
        return sorted(on, key=lambda pair: pair[0])  # by place, so that no rows change places in a circle
    stay: dict[int, int] = {}
    for number, (parent, _) in enumerate(on):
        # Of several the one that a search has put there.
        if parent < len(on) and (parent not in stay or parent == number):
            stay[parent] = number
    others = iter([pair for number, pair in enumerate(on) if stay.get(pair[0]) != number])
    return [on[stay[i]] if i in stay else next(others) for i in range(len(on))]


def next_piece(row: Row) -> Piece:
    """Hand out the row's new text, but hold back what may be the beginning of a stop string."""
    plan = row.group.plan
    text = row.visible_text()
    safe = len(text)
    if not row.finish_reason:
        text = "" if row.text is None else row.text.text
        safe = len(text) - max((_overlap(text, stop) for stop in plan.stops), default=0)
    start, first = min(row.streamed, safe), max(row.streamed_tokens, len(plan.prompt))
    row.streamed, row.streamed_tokens = safe, len(row.tokens)
    tokens, reason = row.tokens[first:], row.finish_reason
    partial = _read_on(row, text[start:safe])
    completion = complete(row) if reason else None
    return Piece(text[start:safe], tokens, row.group.index, row.sample, reason, partial, completion)


def _read_on(row: Row, text: str) -> Any:
    """Give what is complete of the row's text, `text` being the new part that is handed out."""
    plan = row.group.plan
    if row.partial is None or plan.constraint is None:
        return None
    with blamed_on(plan.constraint_name):
        row.partial = row.partial.push(text) if text else row.partial
        if row.finish_reason and satisfies(row):
            row.partial = row.partial.end()
        return row.partial.value


def _overlap(text: str, stop: str) -> int:
    """Count the characters at the end of `text` that begin `stop`."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
