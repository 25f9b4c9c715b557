"""The one loop: draft, forward, target laws, select or search, commit. Everything that decodes goes through it.

A step is one forward pass of the target model over all running rows. What is decided for a row is a move: which row it
continues and with which tokens. Applying moves is one gather of rows, states and memory, whether they come from plain
decoding, a verified draft, a beam search, samples that fork off a prompt, or rows that ended.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from decodekit.commit import commit, next_piece
from decodekit.companions import Companions, wide
from decodekit.drafting import Drafting
from decodekit.errors import GenerationError, blamed_on
from decodekit.hooking import CompanionLogits, Hooking
from decodekit.law import Law
from decodekit.likelihood import likelihoods
from decodekit.pipeline import Part, TargetLaw
from decodekit.plan import EnginePlan, RequestPlan, name_of
from decodekit.positions import Positions
from decodekit.prefix import Prefix
from decodekit.results import Completion, Piece, Result
from decodekit.rows import Group, Row, Rows, RowView, StepView, place_of
from decodekit.scoring import Scored, Scorer
from decodekit.searching import expand, fail
from decodekit.techniques import Draft
from decodekit.types import Tensor
from decodekit.views import ModelView

_PROMPT_CHUNK = 256
"""Prompt positions whose logits are held at once where log-probabilities of the prompt are asked for."""


@dataclass(slots=True)
class Move:
    """One row's next tokens.

    Attributes:
        parent: Row that is continued.
        tokens: What it is continued with.
        positions: Where each token's law is.
        score: Score of a search.
        ended: Whether a search ends the row with this move.
        place: Where in the batch it belongs: rows of a search stay together, in the order in which it gives them.
    """

    parent: int
    tokens: list[int]
    positions: list[int]
    score: float = 0.0
    ended: bool = False
    place: int = 0


class Loop:
    """Runs request plans to their ends.

    Args:
        engine: What all rows share.
        plans: One per request.
        streaming: Whether to collect `Piece`s.
    """

    def __init__(self, engine: EnginePlan, plans: Sequence[RequestPlan], *, streaming: bool = False) -> None:
        self.engine = engine
        self.memory = engine.model.memory()
        self.rows = Rows(engine.model.device)
        self.companions = Companions(engine.model)
        self.hooking = Hooking(self.rows, self.memory, self.companions)
        self.scorer = Scorer(engine.model.device)
        warned: set[str] = set()
        self.groups = [Group.begin(i, plan, engine.vocabulary, warned) for i, plan in enumerate(plans)]
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
        for row in self.rows.items:
            row.finish_reason = row.finish_reason or unfinished
        results: list[Result] = []
        fault: GenerationError | None = None
        for group in self.groups:
            try:
                rows = self._ranked(group)
            except GenerationError as error:
                fault, rows = error, group.finished
            results.append(_result(group, rows))
        if fault is not None:
            fault.results = results
            raise fault
        return results

    def answers(self) -> list[Result]:
        """Give every request's result, each with the answer that its aggregator makes of the samples.

        Raises:
            GenerationError: The first of what aggregators raised; carries all results, with the answers of the others.
        """
        results = self.results()
        fault: GenerationError | None = None
        for i, group in enumerate(self.groups):
            aggregator = group.plan.aggregator
            if aggregator is not None:
                try:
                    with blamed_on(name_of(aggregator)):
                        answer = aggregator(results[i].samples)
                        if not isinstance(answer, Completion):
                            raise TypeError(f"it gave {type(answer).__name__}, not a Completion")
                    results[i] = replace(results[i], answer=answer)
                except GenerationError as error:
                    fault = fault or error
        if fault is not None:
            fault.results = results
            raise fault
        return results

    @torch.inference_mode()
    def step(self) -> bool:
        """Run one forward pass and commit its tokens; False when there is nothing left to run."""
        return self._step()

    def _step(self) -> bool:
        forks = self._admit() if any(group.waiting for group in self.groups) else {}
        if not len(self.rows):
            return False
        drafts = self._draft(forks)
        logits = self._forward(drafts)
        companions = self.hooking.follow(drafts)
        logits, drafts, companions = self._fork(forks, logits, drafts, companions)
        scored = self.scorer.score(self.rows, logits, drafts, partial(self.hooking.see, companions))
        touched = self._commit(scored, self._moves(scored))
        self._report(scored, touched)
        return True

    # Joining

    def _admit(self) -> dict[int, list[int]]:
        """Let waiting requests join, one row each; give the samples that each joining row stands for."""
        free = self.engine.max_rows - self._reserved()
        waiting = self._next(free)
        forks: dict[int, list[int]] = {}
        joining: list[Row] = []
        for group in waiting:
            width = group.plan.search.rows if group.plan.search is not None else 1
            if free < width:
                break
            samples, group.waiting = group.waiting[:free], group.waiting[free:]
            free -= len(samples) * width
            forks[len(self.rows) + len(joining)] = samples
            joining.append(group.join(samples[0]))
        if not joining:
            return {}
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
        return forks

    def _start_from_prefix(self, i: int, row: Row) -> None:
        """Put what is remembered of the prompt's beginning into a row that has just joined."""
        prefix = row.group.plan.prefix
        if prefix is not None:
            self.memory.load(i, prefix.saved)
            common = prefix.common(row.tokens)
            self.memory.rewind([common if j == i else length for j, length in enumerate(self.memory.lengths)])
            row.group.stats.cached_tokens = self.memory.computed(i)

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
        index = [i for i in range(len(self.rows)) for _ in forks.get(i, [0])]
        rows: list[Row] = []
        for i, row in enumerate(self.rows.items):
            samples = forks.get(i, [row.sample])
            rows += [row, *(row.fork(sample) for sample in samples[1:])]
        sizes = [len(draft.tokens) + 1 for draft in drafts] or [1] * len(self.rows)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        positions = [p for i in index for p in range(starts[i], starts[i + 1])]
        self._gather(index, rows)
        seen = {
            name: (values, {new: places[old] for new, old in enumerate(positions) if old in places})
            for name, (values, places) in companions.items()
        }
        logits = logits.index_select(0, torch.tensor(positions, device=logits.device))
        return logits, [drafts[i] for i in index if drafts], seen

    # Deciding

    def _moves(self, scored: Scored) -> list[Move]:
        moves: list[Move] = []
        for index, part, target in scored.laws:
            if part.plans[0].search is not None:
                moves += self._search(scored, index, target)
                continue
            try:
                choose = self._verify if scored.drafted else self._select
                moves += choose(scored, index, part, target)
            except GenerationError as error:
                error.locate(place_of([scored.rows[r] for r in sorted({scored.owner(p) for p in index})]))
                raise
        return sorted(moves, key=lambda move: move.place)

    def _select(self, scored: Scored, index: list[int], part: Part, target: TargetLaw) -> list[Move]:
        name, at = name_of(part.selector), _seen_by(part, index, target.at, scored)
        with blamed_on(name):
            tokens = part.selector(target.law, at).tolist()
        check_tokens(name, tokens, len(index), scored.logits.shape[-1])
        return [Move(p, [token], [p], place=p) for p, token in zip(index, tokens, strict=True)]

    def _verify(self, scored: Scored, index: list[int], part: Part, target: TargetLaw) -> list[Move]:
        owners = list(dict.fromkeys(scored.owner(p) for p in index))
        drafts = [scored.drafts[r] for r in owners]
        verifier = part.plans[0].verifier
        with blamed_on(name_of(verifier)):
            at = _seen_by(part, index, target.at, scored)
            verdicts = verifier(target.law, at, drafts, part.selector)
            chosen = [verdict.token for verdict in verdicts]
        named = f"{name_of(verifier)}, asking {name_of(part.selector)},"
        check_tokens(named, chosen, len(drafts), scored.logits.shape[-1])
        moves: list[Move] = []
        for r, draft, verdict in zip(owners, drafts, verdicts, strict=True):
            if not 0 <= verdict.kept <= len(draft.tokens):
                raise GenerationError(f"{name_of(verifier)} keeps {verdict.kept} of {len(draft.tokens)} drafted tokens")
            tokens = [*draft.tokens[: verdict.kept], verdict.token]
            moves.append(Move(r, tokens, list(range(scored.first[r], scored.first[r] + len(tokens))), place=r))
        return moves

    def _search(self, scored: Scored, index: list[int], target: TargetLaw) -> list[Move]:
        moves: list[Move] = []
        groups: dict[int, dict[int, int]] = {}
        for place, p in enumerate(index):
            groups.setdefault(scored.rows[scored.owner(p)].group.index, {})[p] = place
        for number, places in groups.items():
            group, first = self.groups[number], scored.owner(min(places))
            try:
                paths = expand(group, scored, places, target)
            except GenerationError as error:
                fail(group, [row for row in scored.rows if row.group is group], error)
                continue
            for path in paths:
                positions = list(range(scored.first[path.row], scored.first[path.row] + len(path.tokens)))
                moves.append(Move(path.row, path.tokens, positions, path.score, path.ended, first))
        return moves

    # Committing

    def _commit(self, scored: Scored, moves: list[Move]) -> list[Row]:
        """Apply the moves and let go of rows that ended; give all rows that moved."""
        pairs = [(p, token) for move in moves for p, token in zip(move.positions, move.tokens, strict=True)]
        numbers = iter(likelihoods(scored, [p for p, _ in pairs], [token for _, token in pairs]))
        uses = [0] * len(scored.rows)
        for move in moves:
            uses[move.parent] += 1
        taken_at: set[int] = set()
        parents: list[int] = []
        rows: list[Row] = []
        touched: list[Row] = []
        for move in moves:
            uses[move.parent] -= 1
            row = scored.rows[move.parent].fork() if uses[move.parent] else scored.rows[move.parent]
            row.score = move.score
            try:
                taken = commit(row, move.tokens, move.positions, [next(numbers) for _ in move.tokens], scored)
            except GenerationError as error:
                error.locate(place_of([row]))
                raise
            taken_at.update(move.positions[:taken])
            row.drafted = len(scored.drafts[move.parent].tokens)
            row.accepted = min(taken, len(move.tokens) - 1)
            if row.drafted:
                row.group.stats.drafted_tokens += row.drafted
                row.group.stats.accepted_tokens += row.accepted
            if move.ended and not row.finish_reason:
                row.finish_reason = "search"
            touched.append(row)
            if row.finish_reason:
                row.group.finished.append(row)
            else:
                parents.append(move.parent)
                rows.append(row)
        scored.count_lifted(taken_at)
        if scored.drafted:
            lengths = list(self.memory.lengths)
            for move, row in zip(moves, touched, strict=True):
                if not row.finish_reason or row.group.plan.keeps_prefix:
                    lengths[move.parent] = min(lengths[move.parent], len(row.tokens) - 1)
            self.memory.rewind(lengths)
        for move, row in zip(moves, touched, strict=True):
            self._keep(move.parent, row)
        if self.companions.tracks:
            going_on = dict(zip(parents, rows, strict=True))
            self.companions.rewind([going_on.get(i) for i in range(len(self.rows))])
        self._gather(parents, rows)
        for i, (parent, row) in enumerate(zip(parents, rows, strict=True)):
            start = max(0, len(row.tokens) - len(scored.drafts[parent].tokens) - 1)
            self.rows.write(i, start, row.tokens[start:])
        return touched

    def _keep(self, i: int, row: Row) -> None:
        """Keep what the model remembers of a row that has ended, where its request asks for it."""
        if row.finish_reason and row.group.plan.keeps_prefix:
            held = tuple(row.tokens[: self.memory.lengths[i]])
            row.kept = Prefix(held, self.engine.model, self.memory.save(i))

    def _gather(self, index: list[int], rows: list[Row]) -> None:
        if index != list(range(len(self.rows))):
            self.memory.gather(index)
            self.companions.gather(index)
            self.rows.gather(index, rows)
        else:
            # The same places, but a search may go on with a copy of a row whose original has just ended.
            self.rows.items = list(rows)

    def _report(self, scored: Scored, touched: list[Row]) -> None:
        """Close requests that are done or out of time; tell observers and the stream."""
        self._stop_late()
        running = {row.group.index for row in self.rows.items}
        moved: dict[int, list[Row]] = {row.group.index: [] for row in scored.rows}
        for row in touched:
            moved[row.group.index].append(row)
        for number, rows in moved.items():
            group = self.groups[number]
            group.stats.steps += 1
            if number not in running and not group.waiting:
                group.close()
            if group.plan.observers:
                self._observe(group, rows if group.error is None else self._ranked(group))
            if self.streaming and group.plan.search is None:
                self.pieces += [next_piece(row) for row in rows]
            elif self.streaming and group.done:
                self.pieces += [next_piece(row) for row in self._ranked(group)]

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
            on = [i for i in range(len(self.rows)) if i not in late]
            self._gather(on, [self.rows.items[i] for i in on])

    def _observe(self, group: Group, rows: list[Row]) -> None:
        step = StepView(group.stats.steps, [RowView.of(row) for row in rows])
        for observer in group.plan.observers:
            with blamed_on(name_of(observer), f"request {group.index}, step {step.number}"):
                observer.on_step(step)
                for row in rows:
                    if row.finish_reason:
                        observer.on_finish(row.completion())

    # Results

    def _ranked(self, group: Group) -> list[Row]:
        """Give the rows that answer a request, in the order of its result."""
        # When a step is cut short, rows that ended in it are still among the running ones.
        ended = {id(row) for row in group.finished}
        live = [row for row in self.rows.items if row.group is group and id(row) not in ended]
        if group.plan.search is None:
            return sorted([*group.finished, *live], key=lambda row: row.sample)
        rows = group.finished or live
        if group.error is not None:
            order = sorted(range(len(rows)), key=lambda i: -rows[i].score)
        else:
            with blamed_on(name_of(group.plan.search)):
                order = group.plan.search.rank([row.score for row in rows], [row.new_tokens for row in rows])
        ranked = [rows[i] for i in order]
        for place, row in enumerate(ranked):
            row.sample = place
        return ranked[: group.plan.request.n]


def check_tokens(name: str, tokens: Any, count: int, vocab: int) -> None:
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


def _result(group: Group, rows: Sequence[Row]) -> Result:
    samples = [row.completion() for row in rows]
    answer = samples[0] if samples else Completion("", [], [], [], [], "interrupted")
    return Result(answer, samples, group.plan.prompt, group.prompt_logprobs, group.plan.seed, group.stats)


def _seen_by(part: Part, index: list[int], at: Positions, scored: Scored) -> Positions:
    """Show a selector that is a model hook too what it may see."""
    if scored.states.seen is None or not part.plans[0].sees_model(part.selector):
        return at
    return at.with_view(ModelView(name_of(part.selector), index, scored.states.seen))
