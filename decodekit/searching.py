"""Searches: each request's group expanded by its own search; one that fails takes nobody else with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import index

from decodekit.commit import Move
from decodekit.errors import GenerationError, blamed_on
from decodekit.law import Law
from decodekit.pipeline import TargetLaw
from decodekit.plan import name_of
from decodekit.positions import Positions
from decodekit.rows import Group, Row, place_of
from decodekit.scoring import Scored
from decodekit.techniques import Expansion, GroupView


def expand(group: Group, scored: Scored, places: Mapping[int, int], target: TargetLaw) -> list[Move]:
    """Expand one group, as often as all its rows go on with what was drafted for them, and once more.

    The search is shown its rows in the order in which it gave them, wherever they are in the batch.

    Args:
        group: The request.
        scored: The step.
        places: Where the law of each position of the group is in `target`.
        target: Laws of all groups of this chain.

    Raises:
        GenerationError: The search raised, or gave what cannot be followed.
    """
    rows = sorted({scored.owner(p) for p in places}, key=lambda r: scored.rows[r].rank)
    paths = [Move(r, [], scored.rows[r].score) for r in rows]
    # All rows of a group bring equally many drafted tokens.
    depth, deepest = 0, len(scored.drafts[rows[0]].tokens)
    while True:
        here = [places[scored.first[path.parent] + depth] for path in paths]
        found = _expand(group, scored, paths, here, target)
        if depth == deepest or not found or any(path.ended for path in found):
            return found
        if any(path.tokens[depth] != scored.drafts[path.parent].tokens[depth] for path in found):
            return found
        paths, depth = found, depth + 1


def _expand(
    group: Group, scored: Scored, paths: Sequence[Move], places: Sequence[int], target: TargetLaw
) -> list[Move]:
    name = name_of(group.plan.search)
    law, at = target.law.at(places), target.at.index_select(places)
    with blamed_on(name):
        positions = [scored.first[path.parent] + len(path.tokens) for path in paths]
        view = _view(group, scored, paths, scored.shown(group.plan, group.plan.search, positions, at))
        found = _whole(group.plan.search(law, view))
        _check(name, found, law, group)
    group.search_state = found.state
    expanded = [] if found.done else list(zip(found.parents, found.tokens, found.scores, strict=True))
    return [
        Move(paths[parent].parent, [*paths[parent].tokens, token], score, ended)
        for ended, choices in ((True, found.finished), (False, expanded))
        for parent, token, score in choices
    ]


def fail(group: Group, rows: Sequence[Row], error: GenerationError) -> None:
    """End a request whose search failed; its rows keep what they have."""
    group.error, group.waiting = error, []
    error.locate(place_of(rows))
    for row in rows:
        row.finish_reason = "error"
    group.finished += rows


def _whole(found: Expansion) -> Expansion:
    """Give the rows and tokens of an expansion as plain numbers, where they are whole."""
    return replace(
        found,
        parents=[index(parent) for parent in found.parents],
        tokens=[index(token) for token in found.tokens],
        finished=[(index(parent), index(token), score) for parent, token, score in found.finished],
    )


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
    if not (found.finished or group.finished or (found.parents and not found.done)):
        raise GenerationError(f"{name} continued no row, and none had ended")
    taken = [*zip(found.parents, found.tokens, found.scores, strict=True), *found.finished]
    for parent, token, score in taken:
        if not 0 <= parent < rows or token < 0 or (law.ids is None and token >= vocab):
            raise GenerationError(f"{name} continued row {parent} of {rows} with token {token}")
        if math.isnan(score):
            raise GenerationError(f"{name} gave a score that is not a number")
    if not taken:
        return
    weights = law.logits_at([choice[0] for choice in taken], [choice[1] for choice in taken])
    if not all(weight > -math.inf for weight in weights):
        raise GenerationError(f"{name} continued a row with a token that is impossible there")


def _view(group: Group, scored: Scored, paths: Sequence[Move], at: Positions) -> GroupView:
    rows = [scored.rows[path.parent] for path in paths]
    return GroupView(
        [path.score for path in paths],
        [row.new_tokens + len(path.tokens) for row, path in zip(rows, paths, strict=True)],
        [row.remaining - len(path.tokens) for row, path in zip(rows, paths, strict=True)],
        group.plan.end_tokens,
        [(row.score, row.new_tokens) for row in group.finished],
        group.search_state,
        at,
    )
