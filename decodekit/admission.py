"""Admission: waiting requests join the running rows, one row each, as far as there is room."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from decodekit.companions import Companions, wide
from decodekit.errors import blamed_on
from decodekit.hooking import Hooking
from decodekit.law import Law
from decodekit.memory.base import Memory
from decodekit.plan import EnginePlan, name_of
from decodekit.row_views import RowView
from decodekit.rows import Group, Row, Rows

_PROMPT_CHUNK = 256
"""Prompt positions whose logits are held at once where log-probabilities of the prompt are asked for."""


class Admission:
    """Lets requests join.

    Args:
        engine: What all rows share.
        groups: All requests.
        rows: The running rows.
        memory: What the model remembers of them.
        companions: Second rows and models beside them.
        hooking: Watches passes of the model.
    """

    def __init__(
        self,
        engine: EnginePlan,
        groups: Sequence[Group],
        rows: Rows,
        memory: Memory,
        companions: Companions,
        hooking: Hooking,
    ) -> None:
        self.engine, self.groups = engine, groups
        self.rows, self.memory, self.companions, self.hooking = rows, memory, companions, hooking

    def admit(self) -> dict[int, list[int]]:
        """Let waiting requests join, one row each; give the samples that each joining row stands for."""
        free = self.engine.max_rows - self._reserved()
        forks: dict[int, list[int]] = {}
        joining: list[Row] = []
        for group in self._next(free):
            width = group.plan.search.rows if group.plan.search is not None else 1
            if free < width:
                break
            samples, group.waiting = group.waiting[:free], group.waiting[free:]
            free -= len(samples) * width
            forks[len(self.rows) + len(joining)] = samples
            joining.append(group.join(samples[0]))
        if joining:
            self._join(joining)
        return forks

    def _reserved(self) -> int:
        """Count the rows that run, and those that running searches may grow to."""
        searching = {row.group.index: row.group.plan.search.rows for row in self.rows.items if row.group.plan.search}
        return sum(searching.values()) + sum(row.group.plan.search is None for row in self.rows.items)

    def _next(self, free: int) -> list[Group]:
        """Give the waiting requests that may join, in order; those whose time is up wait no longer."""
        waiting = [group for group in self.groups if group.waiting]
        for group in waiting:
            if time.perf_counter() > group.deadline:
                group.waiting = []
                if all(row.group is not group for row in self.rows.items):
                    group.close()
        waiting = [group for group in waiting if group.waiting]
        scheduler = self.engine.scheduler
        if scheduler is None or not waiting or free <= 0:
            return waiting
        with blamed_on(name_of(scheduler)):
            chosen = list(scheduler([len(group.waiting) for group in waiting], free))
            if len(set(chosen)) < len(chosen) or not all(0 <= i < len(waiting) for i in chosen):
                raise ValueError(f"it chose {chosen} of {len(waiting)} waiting requests")
            if not chosen and not len(self.rows):
                raise ValueError(f"it chose none of {len(waiting)} waiting requests while nothing runs")
        return [waiting[i] for i in chosen]

    def _join(self, joining: Sequence[Row]) -> None:
        first = len(self.rows)
        self.memory.join(len(joining))
        self.companions.join(joining)
        self.rows.join(joining)
        for i, row in enumerate(joining, first):
            self._start_from_prefix(i, row)
            if row.group.plan.request.prompt_logprobs and not row.group.prompt_logprobs:
                self._score_prompt(i)
            for observer in row.group.plan.observers:
                with blamed_on(name_of(observer)):
                    observer.on_start([RowView.of(row)])

    def _start_from_prefix(self, i: int, row: Row) -> None:
        """Put what is remembered of the prompt's beginning into a row that has just joined."""
        prefix = row.group.plan.prefix
        if prefix is not None:
            self.memory.load(i, prefix.saved)
            common = prefix.common(row.tokens)
            self.memory.rewind([common if j == i else length for j, length in enumerate(self.memory.lengths)])
            row.group.stats.cached_tokens = self.memory.computed(i)

    def _score_prompt(self, i: int) -> None:
        """Prefill all of a prompt but its last token, in chunks, and keep the log-probabilities."""
        prompt, group = self.rows.items[i].tokens, self.rows.items[i].group
        for start in range(0, len(prompt) - 1, _PROMPT_CHUNK):
            chunk = prompt[start : min(start + _PROMPT_CHUNK, len(prompt) - 1)]
            counts = [0] * len(self.rows)
            counts[i] = len(chunk)
            tokens = torch.zeros((len(self.rows), len(chunk)), dtype=torch.int64, device=self.rows.device)
            tokens[i] = torch.tensor(chunk, device=self.rows.device)
            watch = self.hooking.watch()
            law = Law(wide(self.memory.forward(tokens, counts, counts, watch=watch).logits))
            self.hooking.take_notes(watch)
            following = torch.tensor(prompt[start + 1 : start + 1 + len(chunk)], device=self.rows.device)
            group.prompt_logprobs += law.logprob_of(following).tolist()
