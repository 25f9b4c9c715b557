"""Deciding: from the target laws of a step to one move a row, by its selector, its verifier or its search."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from decodekit.commit import Move
from decodekit.errors import GenerationError, blamed_on
from decodekit.pipeline import Part, TargetLaw
from decodekit.plan import name_of
from decodekit.rows import Group, place_of
from decodekit.scoring import Scored
from decodekit.searching import expand, fail


def decide(scored: Scored, groups: Sequence[Group]) -> list[Move]:
    """Give the moves of a step by request and sample, a search's as it gives them: none for a row whose search failed.

    Args:
        scored: The step.
        groups: All requests.

    Raises:
        GenerationError: A selector or a verifier raised, or gave what cannot be taken.
    """
    moves: list[Move] = []
    for index, part, target in scored.laws:
        if part.plans[0].search is not None:
            moves += _search(scored, groups, index, target)
            continue
        try:
            choose = _verify if scored.drafted else _select
            moves += choose(scored, index, part, target)
        except GenerationError as error:
            error.locate(place_of([scored.rows[r] for r in sorted({scored.owner(p) for p in index})]))
            raise
    return sorted(moves, key=lambda move: (scored.rows[move.parent].group.index, scored.rows[move.parent].sample))


def _select(scored: Scored, index: list[int], part: Part, target: TargetLaw) -> list[Move]:
    name, at = name_of(part.selector), scored.shown(part.plans[0], part.selector, index, target.at)
    with blamed_on(name):
        tokens = part.selector(target.law, at).tolist()
    _check_tokens(name, tokens, len(index), scored.logits.shape[-1])
    return [Move(row, [token]) for row, token in zip(index, tokens, strict=True)]


def _verify(scored: Scored, index: list[int], part: Part, target: TargetLaw) -> list[Move]:
    owners = list(dict.fromkeys(scored.owner(p) for p in index))
    drafts = [scored.drafts[r] for r in owners]
    verifier = part.plans[0].verifier
    with blamed_on(name_of(verifier)):
        at = scored.shown(part.plans[0], part.selector, index, target.at)
        verdicts = verifier(target.law, at, drafts, part.selector)
        chosen = [verdict.token for verdict in verdicts]
        counts = [operator.index(verdict.kept) for verdict in verdicts]
    named = f"{name_of(verifier)}, asking {name_of(part.selector)},"
    _check_tokens(named, chosen, len(drafts), scored.logits.shape[-1])
    moves: list[Move] = []
    for r, draft, kept, token in zip(owners, drafts, counts, chosen, strict=True):
        if not 0 <= kept <= len(draft.tokens):
            raise GenerationError(f"{name_of(verifier)} keeps {kept} of {len(draft.tokens)} drafted tokens")
        moves.append(Move(r, [*draft.tokens[:kept], token]))
    return moves


def _search(scored: Scored, groups: Sequence[Group], index: list[int], target: TargetLaw) -> list[Move]:
    moves: list[Move] = []
    by_group: dict[int, dict[int, int]] = {}
    for place, p in enumerate(index):
        by_group.setdefault(scored.rows[scored.owner(p)].group.index, {})[p] = place
    for number, places in by_group.items():
        group = groups[number]
        try:
            moves += expand(group, scored, places, target)
        except GenerationError as error:
            fail(group, [row for row in scored.rows if row.group is group], error)
    return moves


def _check_tokens(name: str, tokens: Any, count: int, vocab: int) -> None:
    """Refuse what a selector or a verifier chose, unless it is `count` tokens of the vocabulary."""
    if type(tokens) is not list or len(tokens) != count:
        given = f"{len(tokens)} tokens" if type(tokens) is list else f"{tokens!r:.40}"
        raise GenerationError(f"{name} gave {given} for {count} positions", hint="give one token id per position")
    if set(map(type, tokens)) == {int} and min(tokens) >= 0 and max(tokens) < vocab:
        return
    wrong = next(token for token in tokens if type(token) is not int or not 0 <= token < vocab)
    raise GenerationError(
        f"{name} gave the token {wrong!r:.40}, and tokens are whole numbers from 0 to {vocab - 1}",
        hint="give an int64 tensor of shape [position]",
    )
