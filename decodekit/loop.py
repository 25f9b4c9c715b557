"""The one loop: draft, forward, target laws, select or search, commit. Everything that decodes goes through it.

A step is one forward pass of the target model over all running rows. What is decided for a row is a move: which row it
continues and with which tokens. Applying moves is one gather of rows, states and memory, whether they come from plain
decoding, a verified draft, a beam search, samples that fork off a prompt, or rows that ended.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch

from decodekit.admission import Admission
from decodekit.answering import answered, rank_rows, results_of
from decodekit.commit import Move, commit, in_place, next_piece
from decodekit.companions import Companions, wide
from decodekit.completing import complete
from decodekit.deciding import decide
from decodekit.drafting import Drafting
from decodekit.errors import GenerationError, blamed_on
from decodekit.hooking import CompanionLogits, Hooking
from decodekit.likelihood import likelihoods
from decodekit.plan import EnginePlan, RequestPlan, name_of
from decodekit.prefix import Prefix
from decodekit.results import Piece, Result
from decodekit.row_views import RowView, StepView
from decodekit.rows import Group, Row, Rows, place_of
from decodekit.scoring import Scored, Scorer
from decodekit.techniques import Draft
from decodekit.types import Tensor


class Loop:
    """Runs request plans to their ends.

    Args:
        engine: What all rows share.
        plans: One per request.
        streaming: Whether to collect `Piece`s.
        companions: Second rows and models beside the batch; its own by default.
    """

    def __init__(
        self,
        engine: EnginePlan,
        plans: Sequence[RequestPlan],
        *,
        streaming: bool = False,
        companions: Companions | None = None,
    ) -> None:
        self.engine = engine
        self.memory = engine.model.memory()
        self.rows = Rows(engine.model.device)
        self.companions = companions or Companions(engine.model)
        self.hooking = Hooking(self.rows, self.memory, self.companions)
        self.scorer = Scorer(engine.model.device)
        warned: set[str] = set()
        self.groups = [Group.begin(i, plan, engine.vocabulary, warned) for i, plan in enumerate(plans)]
        self.admission = Admission(engine, self.groups, self.rows, self.memory, self.companions, self.hooking)
        self.timed = any(plan.request.time_limit_s is not None for plan in plans)
        self.streaming = streaming
        self.pieces: list[Piece] = []

    def run(self) -> Iterator[Piece]:
        """Step until every request is done; give pieces as they come.

        Raises:
            GenerationError: When a plugin or the model fails; carries what all requests have so far.
        """
        try:
            running = True
            while running:
                with torch.inference_mode():
                    while running and not self.pieces:
                        running = self._step()
                pieces, self.pieces = self.pieces, []
                yield from pieces
            failed = next((group.error for group in self.groups if group.error is not None), None)
            if failed is not None:
                raise failed
        except GenerationError as error:
            error.results = self.results("error")
            raise
        except Exception as error:
            raise GenerationError(
                f"{type(error).__name__} in a step: {error}", results=self.results("error")
            ) from error

    def results(self, unfinished: str = "interrupted") -> list[Result]:
        """Give every request's result; rows that still run get `unfinished` as their finish reason."""
        return results_of(self.groups, self.rows.items, unfinished)

    def answers(self) -> list[Result]:
        """Give every request's result, each with the answer that its aggregator makes of the samples."""
        return answered(self.groups, self.results())

    @torch.inference_mode()
    def step(self) -> bool:
        """Run one forward pass and commit its tokens; False when there is nothing left to run."""
        return self._step()

    def _step(self) -> bool:
        forks = self.admission.admit() if any(group.waiting for group in self.groups) else {}
        if not len(self.rows):
            return False
        drafts = self._draft(forks)
        logits = self._forward(drafts)
        companions = self.hooking.follow(drafts)
        logits, drafts, companions = self._fork(forks, logits, drafts, companions)
        scored = self.scorer.score(self.rows, logits, drafts, partial(self.hooking.see, companions))
        touched = self._commit(scored, decide(scored, self.groups))
        self._report(scored, touched)
        return True

    def _draft(self, forks: dict[int, list[int]]) -> list[Draft]:
        """Give the drafts of rows that have their prompt behind them; an empty list where nobody drafts anything."""
        eligible = [i for i, row in enumerate(self.rows.items) if row.group.plan.drafts and i not in forks]
        if not eligible:
            return []
        drafting = Drafting(self.rows, self.engine.model.vocab_size, self.companions, self.scorer, self.hooking.watch)
        drafts = drafting.propose(eligible)
        return drafts if any(draft.tokens for draft in drafts) else []

    def _forward(self, drafts: Sequence[Draft]) -> Tensor:
        """Feed every row what its memory does not hold yet, then its draft; give the logits that decide."""
        rows = self.rows.items
        drafted = [len(draft.tokens) for draft in drafts] or [0] * len(rows)
        held = self.memory.lengths
        counts = [len(row.tokens) - have + more for row, have, more in zip(rows, held, drafted, strict=True)]
        wanted = [more + 1 for more in drafted]
        tokens = self.rows.tokens(held, counts)
        watch = self.hooking.watch()
        logits = wide(self.memory.forward(tokens, counts, wanted, watch=watch).logits)
        self.hooking.take_notes(watch)
        return logits

    def _fork(
        self, forks: dict[int, list[int]], logits: Tensor, drafts: list[Draft], companions: CompanionLogits
    ) -> tuple[Tensor, list[Draft], CompanionLogits]:
        """Let every sample of the rows that have just joined be a row of its own."""
        if all(len(samples) == 1 for samples in forks.values()):
            return logits, drafts, companions
        on: list[tuple[int, Row]] = []
        for i, row in enumerate(self.rows.items):
            on += [(i, row), *((i, row.fork(sample)) for sample in forks.get(i, [row.sample])[1:])]
        index = [i for i, _ in on]
        sizes = [len(draft.tokens) + 1 for draft in drafts] or [1] * len(self.rows)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        positions = [p for i in index for p in range(starts[i], starts[i + 1])]
        self._gather(on)
        seen = {
            name: (values, {new: places[old] for new, old in enumerate(positions) if old in places})
            for name, (values, places) in companions.items()
        }
        logits = logits.index_select(0, torch.tensor(positions, device=logits.device))
        return logits, [drafts[i] for i in index if drafts], seen

    def _commit(self, scored: Scored, moves: list[Move]) -> list[Row]:
        """Apply the moves and let go of rows that ended; give all rows that moved."""
        touched = self._take(scored, moves)
        if scored.drafted:
            self._rewind(moves, touched)
        for move, row in zip(moves, touched, strict=True):
            self._keep(move.parent, row)
        on = [(move.parent, row) for move, row in zip(moves, touched, strict=True) if not row.finish_reason]
        on = in_place(on, len(self.rows))
        if self.companions.tracks:
            rows = dict(on)
            self.companions.rewind([rows.get(i) for i in range(len(self.rows))])
        self._gather(on)
        for i, (parent, row) in enumerate(on):
            start = max(0, len(row.tokens) - len(scored.drafts[parent].tokens) - 1)
            self.rows.write(i, start, row.tokens[start:])
        return touched

    def _take(self, scored: Scored, moves: list[Move]) -> list[Row]:
        """Append each move's tokens to its row, or to a copy where others continue the row too."""
        positions = [scored.first[move.parent] + i for move in moves for i in range(len(move.tokens))]
        numbers = iter(likelihoods(scored, positions, [token for move in moves for token in move.tokens]))
        uses = [0] * len(scored.rows)
        for move in moves:
            uses[move.parent] += 1
        taken_at: set[int] = set()
        touched: list[Row] = []
        for rank, move in enumerate(moves):
            uses[move.parent] -= 1
            row = scored.rows[move.parent].fork() if uses[move.parent] else scored.rows[move.parent]
            row.score, row.rank = move.score, rank
            try:
                taken = commit(row, move, [next(numbers) for _ in move.tokens], scored)
            except GenerationError as error:
                error.locate(place_of([row]))
                raise
            first = scored.first[move.parent]
            taken_at.update(range(first, first + taken))
            row.drafted = len(scored.drafts[move.parent].tokens)
            row.accepted = min(taken, len(move.tokens) - 1)
            if row.drafted:
                row.group.stats.drafted_tokens += row.drafted
                row.group.stats.accepted_tokens += row.accepted
            if move.ended and not row.finish_reason:
                row.finish_reason = "search"
            if row.finish_reason:
                row.group.finished.append(row)
            touched.append(row)
        scored.count_lifted(taken_at)
        return touched

    def _rewind(self, moves: list[Move], touched: list[Row]) -> None:
        """Forget what was read of drafts beyond what was kept."""
        lengths = list(self.memory.lengths)
        for move, row in zip(moves, touched, strict=True):
            if not row.finish_reason or row.group.plan.keeps_prefix:
                lengths[move.parent] = min(lengths[move.parent], len(row.tokens) - 1)
        self.memory.rewind(lengths)

    def _keep(self, i: int, row: Row) -> None:
        """Keep what the model remembers of a row that has ended, where its request asks for it."""
        if row.finish_reason and row.group.plan.keeps_prefix:
            held = tuple(row.tokens[: self.memory.lengths[i]])
            row.kept = Prefix(held, self.engine.model, self.memory.save(i))

    def _gather(self, on: list[tuple[int, Row]]) -> None:
        index, rows = [i for i, _ in on], [row for _, row in on]
        if index != list(range(len(self.rows))):
            self.memory.gather(index)
            self.companions.gather(index)
            self.rows.gather(index, rows)
        else:
            # The same places, but a search may go on with a copy of a row whose original has just ended.
            self.rows.items = rows

    def _report(self, scored: Scored, touched: list[Row]) -> None:
        """Close requests that are done or out of time; tell observers and the stream."""
        self._stop_late()
        running = {row.group.index for row in self.rows.items}
        moved: dict[int, list[Row]] = {number: [] for number in sorted({row.group.index for row in scored.rows})}
        for row in touched:
            moved[row.group.index].append(row)
        for number, rows in moved.items():
            group = self.groups[number]
            group.stats.steps += 1
            if number not in running and not group.waiting:
                group.close()
            if group.plan.observers:
                self._observe(group, rows if group.error is None else rank_rows(group, self.rows.items))
            if self.streaming and group.plan.search is None:
                self.pieces += [next_piece(row) for row in rows]
            elif self.streaming and group.done:
                self.pieces += [next_piece(row) for row in rank_rows(group, self.rows.items)]

    def _stop_late(self) -> None:
        if not self.timed:
            return
        now = time.perf_counter()
        late = {i for i, row in enumerate(self.rows.items) if now > row.group.deadline}
        for i in late:
            row = self.rows.items[i]
            row.finish_reason = "time"
            self._keep(i, row)
            row.group.finished.append(row)
            row.group.waiting = []
        if late:
            on = [(i, row) for i, row in enumerate(self.rows.items) if i not in late]
            self._gather(in_place(on, len(self.rows)))

    def _observe(self, group: Group, rows: list[Row]) -> None:
        step = StepView(group.stats.steps, [RowView.of(row) for row in rows])
        for observer in group.plan.observers:
            with blamed_on(name_of(observer), f"request {group.index}, step {step.number}"):
                observer.on_step(step)
                for row in rows:
                    if row.finish_reason:
                        observer.on_finish(complete(row))
