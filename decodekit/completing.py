"""Completing: from a row that ended to what its user gets, its text read by its constraint."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from decodekit.errors import PromptError
from decodekit.faults import explain
from decodekit.results import Completion
from decodekit.rows import Row


def complete(row: Row) -> Completion:
    """Give a row as a completion."""
    plan, text = row.group.plan, row.visible_text()
    parsed, parse_error = _read(row, text)
    return Completion(
        text,
        row.tokens[len(plan.prompt) :],
        row.logprobs,
        row.target_logprobs,
        row.top_logprobs,
        row.finish_reason or "interrupted",
        parsed,
        parse_error,
        row.score if plan.search is not None else None,
        row.sample,
        prefix=row.kept,
    )


def satisfies(row: Row) -> bool:
    """Say whether a row's text, without what a stop string cut off, satisfies its constraint."""
    constraint = row.group.plan.constraint
    if constraint is None:
        return False
    return constraint.is_complete(row.constraint) if row.cut is None else _satisfies_cut(row)


def _read(row: Row, text: str) -> tuple[Any, str | None]:
    """Give the typed result, or why there is none."""
    plan = row.group.plan
    if plan.constraint is None:
        return None, None
    try:
        if not satisfies(row):
            return None, f"the text ended before {plan.constraint_name} was complete: {_why_it_ended(row)}"
        return plan.constraint.parse(text), None
    except ValidationError as error:
        return None, explain(error, plan.constraint_name)
    except Exception as error:  # a validator in Python may want more than the schema says, a constraint may fail
        return None, f"{type(error).__name__}: {error}"


def _why_it_ended(row: Row) -> str:
    if row.cut is None or row.text is None:
        return f"finish reason {row.finish_reason!r}"
    stop = next(stop for stop in row.group.plan.stops if row.text.text.startswith(stop, row.cut))
    return f"the stop string {stop!r} cut it"


def _satisfies_cut(row: Row) -> bool:
    """Say whether what was left of a text satisfies the constraint, whose state is that behind the stop string.

    It is read again: by the row's tokens as far as they go, and single bytes of the one that the cut is in. Where the
    vocabulary has no such bytes, nobody can tell, and the text counts as incomplete.
    """
    plan, vocabulary = row.group.plan, row.group.vocabulary
    assert plan.constraint is not None
    assert vocabulary is not None
    text, read, state = row.visible_text().encode(), 0, plan.start_constraint()
    for token in row.tokens[len(plan.prompt) :]:
        piece = vocabulary.piece(token) or b""
        if read == len(text) or not text.startswith(piece, read):
            break
        state, read = plan.advance_constraint(state, token), read + len(piece)
    try:
        rest = vocabulary.encode(text[read:])
    except PromptError:
        return False
    for token in rest:
        if not plan.allows(state, plan.limit + len(rest), token):
            return False
        state = plan.advance_constraint(state, token)
    return plan.constraint.is_complete(state)
