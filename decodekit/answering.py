"""Answering: from rows that ended, or were cut short, to the results of their requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import index

from decodekit.completing import complete
from decodekit.errors import GenerationError, blamed_on
from decodekit.plan import name_of
from decodekit.results import Completion, Result
from decodekit.rows import Group, Row


def rank_rows(group: Group, running: Sequence[Row]) -> list[Row]:
    """Put the rows that answer a request in the order of its result; those of a search get their places as numbers.

    Args:
        group: The request.
        running: The running rows of all requests.

    Raises:
        GenerationError: The search failed to rank them.
    """
    # When a step is cut short, rows that ended in it are still among the running ones.
    ended = {id(row) for row in group.finished}
    live = [row for row in running if row.group is group and id(row) not in ended]
    if group.plan.search is None:
        return sorted([*group.finished, *live], key=lambda row: row.sample)
    rows = group.finished or sorted(live, key=lambda row: row.rank)
    best = [rows[i] for i in _order_of(group, rows)]
    for place, row in enumerate(best):
        row.sample = place
    return best[: group.plan.request.n]


def _order_of(group: Group, rows: Sequence[Row]) -> list[int]:
    """Give the places of a search's rows, the best first."""
    if group.error is not None:
        return sorted(range(len(rows)), key=lambda i: -rows[i].score)
    with blamed_on(name_of(group.plan.search)):
        given = group.plan.search.rank([row.score for row in rows], [row.new_tokens for row in rows])
        order = [index(place) for place in given]
        if sorted(order) != list(range(len(rows))):
            raise ValueError(f"it ranked {len(rows)} texts as {order}, and each has one place")
    return order


def results_of(groups: Sequence[Group], running: Sequence[Row], unfinished: str) -> list[Result]:
    """Give every request's result.

    Args:
        groups: All requests.
        running: The running rows of all requests.
        unfinished: Finish reason of rows that still run.

    Raises:
        GenerationError: A search failed to rank its rows; carries all results.
    """
    for row in running:
        row.finish_reason = row.finish_reason or unfinished
    results: list[Result] = []
    fault: GenerationError | None = None
    for group in groups:
        try:
            rows = rank_rows(group, running)
        except GenerationError as error:
            fault, rows = error, group.finished
        results.append(_result(group, rows))
    if fault is not None:
        fault.results = results
        raise fault
    return results


def answered(groups: Sequence[Group], results: list[Result]) -> list[Result]:
    """Give the results, each with the answer that its request's aggregator makes of the samples.

    Raises:
        GenerationError: The first of what aggregators raised; carries all results, with the answers of the others.
    """
    results = list(results)
    fault: GenerationError | None = None
    for i, group in enumerate(groups):
        aggregator = group.plan.aggregator
        if aggregator is not None:
            try:
                with blamed_on(name_of(aggregator)):
                    answer = aggregator(results[i].samples)
                    if not isinstance(answer, Completion):
                        raise TypeError(f"it gave {type(answer).__name__}, not a Completion")
                results[i] = replace(results[i], answer=answer)
            except GenerationError as error:
                error.locate(f"request {group.index}")
                fault = fault or error
    if fault is not None:
        fault.results = results
        raise fault
    return results


def _result(group: Group, rows: Sequence[Row]) -> Result:
    samples = [complete(row) for row in rows]
    answer = samples[0] if samples else Completion("", [], [], [], [], "interrupted")
    return Result(answer, samples, group.plan.prompt, group.prompt_logprobs, group.plan.seed, group.stats)
