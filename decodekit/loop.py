"""The one loop: draft, forward, target laws, select or search, commit. Everything that decodes goes through it.

A step is one forward pass of the target model over all running rows. What is decided for a row is a move: which row it
continues and with which tokens. Applying moves is one gather of rows, states and memory, whether they come from plain
decoding, a verified draft, a beam search, samples that fork off a prompt, or rows that ended.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from decodekit.drafting import EMPTY, propose
from decodekit.errors import DeadEndError, GenerationError
from decodekit.law import Law, concat
from decodekit.pipeline import Part, PositionStates, TargetLaw, blame, is_stateful, split, target_law
from decodekit.plan import EnginePlan, RequestPlan
from decodekit.positions import Positions
from decodekit.results import Completion, Piece, Result
from decodekit.rows import Group, Row, Rows, RowView, StepView
from decodekit.techniques import Draft, GroupView
from decodekit.types import Float, State, Tensor

_SCORE_CHUNK = 256


@dataclass(slots=True)
class Move:
    """One row's next tokens.

    Attributes:
        parent: Row that is continued.
        tokens: What it is continued with.
        positions: Where each token's law is.
        score: Score of a search.
        ended: Whether a search has finished the row with this move.
    """

    parent: int
    tokens: list[int]
    positions: list[int]
    score: float = 0.0
    ended: bool = False


@dataclass(slots=True)
class Scored:
    """What the forward pass and the chains gave in one step.

    Attributes:
        logits: The model's logits, all positions.
        first: First position of each row.
        drafts: Draft of each row.
        plans: Plan of each position.
        states: States at each position.
        laws: Per part: its positions and their target law.
    """

    logits: Float[Tensor, "position vocab"]
    first: list[int]
    drafts: list[Draft]
    plans: list[RequestPlan]
    states: PositionStates
    laws: list[tuple[list[int], Part, TargetLaw]] = field(default_factory=list)


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
        self.groups = [
            Group(i, plan, engine.vocabulary, list(range(plan.rows)), search_state=plan.search and plan.search.start())
            for i, plan in enumerate(plans)
        ]
        self.streaming = streaming
        self.pieces: list[Piece] = []
        self._parts: tuple[list[RequestPlan], list[Part]] | None = None

    def run(self) -> Iterator[Piece]:
        """Step until every request is done; give pieces as they come.

        Raises:
            GenerationError: When a plugin or the model fails; carries what all requests have so far.
        """
        try:
            while self.step():
                yield from self._drain()
            yield from self._drain()
        except GenerationError as error:
            error.results = self.results("error")
            raise
        except Exception as error:
            raise GenerationError(f"{type(error).__name__} in a step: {error}", results=self.results("error")) from error

    def results(self, unfinished: str = "interrupted") -> list[Result]:
        """Give every request's result; rows that still run get `unfinished` as their finish reason."""
        for row in self.rows.items:
            row.finish_reason = row.finish_reason or unfinished
        return [self._result(group) for group in self.groups]

    def step(self) -> bool:
        """Run one forward pass and commit its tokens; False when there is nothing left to run."""
        with torch.inference_mode():
            forks = self._admit()
            if not len(self.rows):
                return False
            scored = self._score(forks)
            moves = self._moves(scored)
            self._commit(scored, moves)
        return True

    def _drain(self) -> list[Piece]:
        pieces, self.pieces = self.pieces, []
        return pieces

    # Joining

    def _admit(self) -> dict[int, list[int]]:
        """Let waiting requests join; give the samples that each joining row stands for."""
        free = self.engine.max_rows - len(self.rows)
        waiting = [group for group in self.groups if group.waiting]
        if not waiting or free <= 0:
            return {}
        if self.engine.scheduler is not None:
            waiting = [waiting[i] for i in self.engine.scheduler([len(g.waiting) for g in waiting], free)]
        forks: dict[int, list[int]] = {}
        joining: list[Row] = []
        for group in waiting:
            if free <= 0:
                break
            samples, group.waiting = group.waiting[:free], group.waiting[free:]
            free -= len(samples)
            forks[len(self.rows) + len(joining)] = samples
            joining.append(Row.begin(group, samples[0]))
            group.started = group.started or time.perf_counter()
            group.stats.prompt_tokens = len(group.plan.prompt)
        before = len(self.rows)
        self.memory.join(len(joining))
        self.rows.join(joining)
        for i, row in enumerate(joining, before):
            if row.group.plan.request.prompt_logprobs and not row.group.prompt_logprobs:
                self._score_prompt(i)
            for observer in row.group.plan.observers:
                observer.on_start([RowView.of(row)])
        return forks

    def _score_prompt(self, row: int) -> None:
        """Prefill all of a prompt but its last token, in chunks, and keep the log-probabilities."""
        prompt = self.rows.items[row].tokens
        for start in range(0, len(prompt) - 1, _SCORE_CHUNK):
            chunk = prompt[start : min(start + _SCORE_CHUNK, len(prompt) - 1)]
            counts = [0] * len(self.rows)
            counts[row] = len(chunk)
            tokens = torch.zeros((len(self.rows), len(chunk)), dtype=torch.int64, device=self.rows.device)
            tokens[row] = torch.tensor(chunk, device=self.rows.device)
            law = Law(_wide(self.memory.forward(tokens, counts, counts).logits))
            following = torch.tensor(prompt[start + 1 : start + 1 + len(chunk)], device=self.rows.device)
            self.rows.items[row].group.prompt_logprobs += law.logprob_of(following).tolist()

    # Scoring

    def _score(self, forks: dict[int, list[int]]) -> Scored:
        drafts = self._draft(forks)
        tokens, counts = self._inputs(drafts)
        wanted = [len(draft.tokens) + 1 for draft in drafts] if drafts else [1] * len(self.rows)
        logits = _wide(self.memory.forward(tokens, counts, wanted).logits)
        if any(len(samples) > 1 for samples in forks.values()):
            logits, drafts = self._fork(forks, wanted, logits, drafts)
        rows = self.rows.items
        if not drafts:
            first = list(range(len(rows)))
            at = self.rows.positions(None, None)
            plans = [row.group.plan for row in rows]
            states = PositionStates(
                [row.processors for row in rows], [row.constraint for row in rows], [row.remaining for row in rows]
            )
            scored = Scored(logits, first, [EMPTY] * len(rows), plans, states)
            self._laws(scored, at, None)
            return scored
        return self._score_drafted(logits, drafts)

    def _draft(self, forks: dict[int, list[int]]) -> list[Draft]:
        """Give the drafts, or an empty list where nobody drafted anything."""
        eligible = [i for i, row in enumerate(self.rows.items) if row.group.plan.drafters and i not in forks]
        if not eligible:
            return []
        drafts = propose(self.rows, eligible, self.engine.model.vocab_size)
        return drafts if any(draft.tokens for draft in drafts) else []

    def _inputs(self, drafts: Sequence[Draft]) -> tuple[Tensor, list[int]]:
        """Give what the memory does not hold yet, then the draft; right-padded."""
        rows = self.rows.items
        pending = [row.tokens[held:] for row, held in zip(rows, self.memory.lengths, strict=True)]
        for new, draft in zip(pending, drafts, strict=False):
            new.extend(draft.tokens)
        counts = [len(new) for new in pending]
        longest = max(counts)
        padded = [new + [0] * (longest - len(new)) for new in pending]
        return torch.tensor(padded, dtype=torch.int64, device=self.rows.device), counts

    def _fork(
        self, forks: dict[int, list[int]], wanted: Sequence[int], logits: Tensor, drafts: list[Draft]
    ) -> tuple[Tensor, list[Draft]]:
        """Let every sample of the rows that just joined be a row of its own."""
        index: list[int] = []
        rows: list[Row] = []
        positions: list[int] = []
        starts = np.concatenate([[0], np.cumsum(wanted)])
        for i, row in enumerate(self.rows.items):
            for copy, sample in enumerate(forks.get(i, [row.sample])):
                index.append(i)
                rows.append(row.fork(sample) if copy else row)
                positions.extend(range(starts[i], starts[i + 1]))
        self._gather(index, rows)
        chosen = torch.tensor(positions, device=logits.device)
        return logits.index_select(0, chosen), [drafts[i] for i in index] if drafts else []

    def _score_drafted(self, logits: Tensor, drafts: list[Draft]) -> Scored:
        rows = self.rows.items
        sizes = [len(draft.tokens) + 1 for draft in drafts]
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).tolist()
        owners = np.repeat(np.arange(len(rows)), sizes)
        depths = np.arange(len(owners)) - np.repeat(first, sizes)
        at = self.rows.positions(owners, depths)
        plans = [rows[i].group.plan for i in owners]
        processors: list[tuple[State, ...]] = [rows[i].processors for i in owners]
        constraints: list[State] = [rows[i].constraint for i in owners]
        remaining = [rows[i].remaining - int(d) for i, d in zip(owners, depths, strict=True)]
        scored = Scored(logits, first, drafts, plans, PositionStates(processors, constraints, remaining))
        waves: dict[int, list[int]] = {}
        for p, (owner, depth) in enumerate(zip(owners.tolist(), depths.tolist(), strict=True)):
            plan = plans[p]
            sequential = any(is_stateful(piece) and piece.reads_law for piece in plan.processors)
            waves.setdefault(depth if sequential else 0, []).append(p)
            if depth and plan.constraint is not None:
                constraints[p] = plan.constraint.advance(constraints[p - 1], drafts[owner].tokens[depth - 1])
            if depth and not sequential:
                processors[p] = advance(plan, processors[p - 1], drafts[owner].tokens[depth - 1], None)
        for depth in sorted(waves):
            self._laws(scored, at, waves[depth])
            for index, _, target in list(scored.laws):
                for place, p in enumerate(index):
                    if p + 1 in waves.get(depth + 1, ()) and depths[p] == depth:
                        token = drafts[owners[p]].tokens[depth]
                        law = target.law.index_select(torch.tensor([place], device=logits.device))
                        processors[p + 1] = advance(plans[p], processors[p], token, law)
        return scored

    def _laws(self, scored: Scored, at: Positions, subset: list[int] | None) -> None:
        """Run the chains of these positions, all of them for None."""
        everything = subset is None
        chosen = list(range(len(scored.plans))) if subset is None else subset
        plans = scored.plans if everything else [scored.plans[p] for p in chosen]
        for part in self._split(plans, scored.logits.dtype):
            index = chosen if part.index is None else [chosen[i] for i in part.index]
            states = scored.states
            logits, where, owners = scored.logits, at, scored.plans
            if len(index) != len(scored.plans):
                logits = logits.index_select(0, torch.tensor(index, device=logits.device))
                where = at.index_select(index)
                owners = [scored.plans[p] for p in index]
                states = PositionStates(
                    [states.processors[p] for p in index],
                    [states.constraints[p] for p in index],
                    [states.remaining[p] for p in index],
                )
            scored.laws.append((index, part, target_law(part, logits, where, states, owners)))

    def _split(self, plans: list[RequestPlan], dtype: torch.dtype) -> list[Part]:
        if self._parts is None or self._parts[0] != plans:
            self._parts = plans, split(plans, dtype, self.rows.device)
        return self._parts[1]

    # Deciding

    def _moves(self, scored: Scored) -> list[Move]:
        moves: list[Move] = []
        self._merge_waves(scored)
        for index, part, target in scored.laws:
            if target.lifted is not None:
                for p, lifted in zip(index, target.lifted.tolist(), strict=True):
                    self.rows.items[self._owner(scored, p)].group.stats.lifted_bans += lifted
            if part.plan.search is not None:
                moves += self._search(scored, index, target)
            elif any(draft.tokens for draft in scored.drafts):
                moves += self._verify(scored, index, part, target)
            else:
                tokens = part.selector(target.law, target.at).tolist()
                moves += [Move(p, [token], [p]) for p, token in zip(index, tokens, strict=True)]
        return sorted(moves, key=lambda move: move.parent)

    def _owner(self, scored: Scored, position: int) -> int:
        return int(np.searchsorted(scored.first, position, side="right")) - 1

    def _merge_waves(self, scored: Scored) -> None:
        """Put positions of one chain that were scored depth by depth back into one law, rows one after another."""
        merged: dict[object, list[tuple[list[int], Part, TargetLaw]]] = {}
        for entry in scored.laws:
            merged.setdefault(entry[1].plan.signature, []).append(entry)
        if len(merged) == len(scored.laws):
            return
        vocab = scored.logits.shape[-1]
        scored.laws = []
        for entries in merged.values():
            index = [p for positions, _, _ in entries for p in positions]
            order = sorted(range(len(index)), key=index.__getitem__)
            moved = torch.tensor(order, device=scored.logits.device)
            law = concat([target.law for _, _, target in entries], vocab).index_select(moved)
            lifts = [target.lifted for _, _, target in entries]
            lifted = torch.cat([x for x in lifts if x is not None])[moved] if lifts[0] is not None else None
            positions = [index[i] for i in order]
            part = split([scored.plans[p] for p in positions], scored.logits.dtype, self.rows.device)[0]
            at = _concat_positions([target.at for _, _, target in entries]).index_select(order)
            scored.laws.append((positions, part, TargetLaw(law, at, lifted)))

    def _verify(self, scored: Scored, index: list[int], part: Part, target: TargetLaw) -> list[Move]:
        owners = sorted({self._owner(scored, p) for p in index})
        drafts = [scored.drafts[r] for r in owners]
        verdicts = part.plan.verifier(target.law, target.at, drafts, part.selector)
        moves: list[Move] = []
        for r, draft, verdict in zip(owners, drafts, verdicts, strict=True):
            stats = self.rows.items[r].group.stats
            stats.drafted_tokens += len(draft.tokens)
            stats.accepted_tokens += verdict.kept
            tokens = [*draft.tokens[: verdict.kept], verdict.token]
            moves.append(Move(r, tokens, list(range(scored.first[r], scored.first[r] + len(tokens)))))
        return moves

    def _search(self, scored: Scored, index: list[int], target: TargetLaw) -> list[Move]:
        moves: list[Move] = []
        groups: dict[int, list[int]] = {}
        for place, p in enumerate(index):
            groups.setdefault(self.rows.items[self._owner(scored, p)].group.index, []).append(place)
        for number, places in groups.items():
            group = self.groups[number]
            members = [self._owner(scored, index[place]) for place in places]
            rows = [self.rows.items[r] for r in members]
            law = target.law.index_select(torch.tensor(places, device=scored.logits.device))
            view = GroupView(
                [row.score for row in rows],
                [row.new_tokens for row in rows],
                [row.remaining for row in rows],
                group.plan.end_tokens,
                [(row.score, row.new_tokens) for row in group.finished],
                group.search_state,
            )
            found = group.plan.search(law, view)
            group.search_state = found.state
            for parent, token, score in found.finished:
                moves.append(Move(members[parent], [token], [scored.first[members[parent]]], score, ended=True))
            if not found.done:
                for parent, token, score in zip(found.parents, found.tokens, found.scores, strict=True):
                    moves.append(Move(members[parent], [token], [scored.first[members[parent]]], score))
        return moves

    # Committing

    def _commit(self, scored: Scored, moves: list[Move]) -> None:
        before = list(self.rows.items)
        values = self._logprobs(scored, moves)
        laws = self._laws_read(scored)
        uses: dict[int, int] = {}
        for move in moves:
            uses[move.parent] = uses.get(move.parent, 0) + 1
        survivors: list[int] = []
        kept: list[Row] = []
        touched: list[Row] = []
        for move, numbers in zip(moves, values, strict=True):
            uses[move.parent] -= 1
            row = before[move.parent].fork() if uses[move.parent] else before[move.parent]
            row.score = move.score
            for token, p, (logprob, target_logprob, top) in zip(move.tokens, move.positions, numbers, strict=True):
                self._append(row, token, p, scored, laws.get(p))
                if row.group.plan.request.logprobs:
                    row.logprobs.append(logprob)
                    row.target_logprobs.append(target_logprob)
                if row.group.plan.request.top_logprobs:
                    row.top_logprobs.append(top)
                if row.finish_reason:
                    break
            if move.ended and not row.finish_reason:
                row.finish_reason = "search"
            touched.append(row)
            if row.finish_reason:
                row.group.finished.append(row)
            else:
                survivors.append(move.parent)
                kept.append(row)
        self._move_on(scored, before, survivors, kept)
        self._after_step(scored, before, touched)

    def _append(self, row: Row, token: int, position: int, scored: Scored, law: Law | None) -> None:
        """Commit one token: text, states, and whether the row ends with it."""
        plan = row.group.plan
        row.tokens.append(token)
        row.group.stats.new_tokens += 1
        if token in plan.end_tokens:
            row.constraint = scored.states.constraints[position]
            row.finish_reason = "eos"
            return
        row.processors = advance(plan, scored.states.processors[position], token, law)
        if plan.constraint is not None:
            row.constraint = plan.constraint.advance(scored.states.constraints[position], token)
        if plan.drafters:
            row.drafters = tuple(d.advance(s, token) for d, s in zip(plan.drafters, row.drafters, strict=True))
        row.finish_reason = self._ending(row, token)

    def _ending(self, row: Row, token: int) -> str | None:
        plan = row.group.plan
        if row.text is not None:
            old = len(row.text.text)
            row.text = row.text.push(token)
            for stop in plan.stops:
                found = row.text.text.find(stop, max(0, old - len(stop) + 1))
                if found >= 0 and (row.cut is None or found < row.cut):
                    row.cut = found
        if token in plan.request.stop_tokens or row.cut is not None:
            return "stop"
        for reason, condition in plan.stop_pieces:
            if condition(RowView.of(row)):
                return reason
        if plan.constraint is not None and plan.constraint.is_complete(row.constraint):
            if not plan.constraint.mask(row.constraint, max(row.remaining, 1)).any():
                return "constraint"
        return "length" if row.remaining <= 0 else None

    def _logprobs(self, scored: Scored, moves: Sequence[Move]) -> list[list[tuple[float, float, dict[int, float]]]]:
        """Give model's and target law's log-probability of every moved token, and the likeliest tokens where asked for.

        Raises:
            DeadEndError: For a token that its law does not have, which is how NaN and empty laws show.
        """
        pairs = [(p, token) for move in moves for p, token in zip(move.positions, move.tokens, strict=True)]
        positions = torch.tensor([p for p, _ in pairs], device=scored.logits.device)
        tokens = torch.tensor([token for _, token in pairs], device=scored.logits.device)
        target = self._target_logprobs(scored, [p for p, _ in pairs], tokens)
        for (p, token), value in zip(pairs, target, strict=True):
            if not math.isfinite(value):
                self._explain(scored, p, token)
        wanted = any(plan.request.logprobs for plan in scored.plans)
        same = len(scored.laws) == 1 and scored.laws[0][2].law.logits is scored.logits
        model = target
        tops: list[dict[int, float]] = [{} for _ in pairs]
        most = max(plan.request.top_logprobs for plan in scored.plans)
        if (wanted and not same) or most:
            law = Law(scored.logits if len(pairs) == len(scored.logits) else scored.logits.index_select(0, positions))
            if wanted and not same:
                model = law.logprob_of(tokens).tolist()
            if most:
                total = torch.logsumexp(law.logits, dim=-1, keepdim=True)
                best = law.candidates(most)
                assert best.ids is not None
                ids, logprobs = best.ids.tolist(), (best.logits - total).tolist()
                for i, (p, _) in enumerate(pairs):
                    k = scored.plans[p].request.top_logprobs
                    tops[i] = dict(zip(ids[i][:k], logprobs[i][:k], strict=True))
        flat = iter(zip(model, target, tops, strict=True))
        return [[next(flat) for _ in move.tokens] for move in moves]

    def _target_logprobs(self, scored: Scored, positions: list[int], tokens: Tensor) -> list[float]:
        if len(scored.laws) == 1 and positions == scored.laws[0][0]:
            return scored.laws[0][2].law.logprob_of(tokens).tolist()
        values = [math.nan] * len(positions)
        for index, _, target in scored.laws:
            place = {p: i for i, p in enumerate(index)}
            mine = [i for i, p in enumerate(positions) if p in place]
            if mine:
                rows = torch.tensor([place[positions[i]] for i in mine], device=tokens.device)
                chosen = tokens[torch.tensor(mine, device=tokens.device)]
                for i, value in zip(mine, target.law.index_select(rows).logprob_of(chosen).tolist(), strict=True):
                    values[i] = value
        return values

    def _laws_read(self, scored: Scored) -> dict[int, Law]:
        """Give the one-position laws that some processor's `advance` wants to see."""
        laws: dict[int, Law] = {}
        for index, part, target in scored.laws:
            if any(is_stateful(piece) and piece.reads_law for piece in part.pieces):
                for i, p in enumerate(index):
                    laws[p] = target.law.index_select(torch.tensor([i], device=scored.logits.device))
        return laws

    def _move_on(self, scored: Scored, before: list[Row], survivors: list[int], kept: list[Row]) -> None:
        if any(draft.tokens for draft in scored.drafts):
            # A draft's rejected tokens, and the last committed one, are not (or no longer) part of the memory.
            lengths = list(self.memory.lengths)
            for parent, row in zip(survivors, kept, strict=True):
                lengths[parent] = len(row.tokens) - 1
            self.memory.rewind(lengths)
        if survivors != list(range(len(before))):
            self._gather(survivors, kept)
        for i, (parent, row) in enumerate(zip(survivors, kept, strict=True)):
            fresh = len(scored.drafts[parent].tokens) + 1
            start = max(len(row.tokens) - fresh, 0)
            self.rows.write(i, start, row.tokens[start:])

    def _gather(self, index: list[int], rows: list[Row]) -> None:
        self.memory.gather(index)
        self.rows.gather(index, rows)
        self._parts = None

    def _after_step(self, scored: Scored, before: list[Row], touched: list[Row]) -> None:
        now = time.perf_counter()
        late = [i for i, row in enumerate(self.rows.items) if now > row.group.deadline]
        if late:
            for i in late:
                self.rows.items[i].finish_reason = "time"
                self.rows.items[i].group.finished.append(self.rows.items[i])
            on = [i for i in range(len(self.rows)) if i not in set(late)]
            self._gather(on, [self.rows.items[i] for i in on])
        running = {row.group.index for row in self.rows.items}
        for number in dict.fromkeys(row.group.index for row in before):
            group = self.groups[number]
            group.stats.steps += 1
            mine = [row for row in touched if row.group is group]
            if group.plan.observers:
                self._observe(group, mine, scored, before)
            if self.streaming and group.plan.search is None:
                for row in mine:
                    self._stream(row)
            if number not in running and (not group.waiting or now > group.deadline):
                group.waiting = []
                group.close()
                if self.streaming and group.plan.search is not None:
                    for place, row in enumerate(self._ranked(group)[: group.plan.request.n]):
                        tokens = row.tokens[len(group.plan.prompt) :]
                        self.pieces.append(Piece(row.visible_text(), tokens, number, place, row.finish_reason))

    def _observe(self, group: Group, mine: list[Row], scored: Scored, before: list[Row]) -> None:
        owned = [i for i, row in enumerate(before) if row.group is group]
        drafted = sum(len(scored.drafts[i].tokens) for i in owned)
        step = StepView(group.stats.steps, [RowView.of(row) for row in mine], drafted, group.stats.accepted_tokens)
        for observer in group.plan.observers:
            observer.on_step(step)
            for row in mine:
                if row.finish_reason:
                    observer.on_finish(row.completion())

    def _stream(self, row: Row) -> None:
        """Hand out new text, but hold back what may be the beginning of a stop string."""
        plan = row.group.plan
        text = row.visible_text() if row.finish_reason else (row.text.text if row.text is not None else "")
        safe = len(text)
        if not row.finish_reason:
            for stop in plan.stops:
                for size in range(min(len(stop) - 1, len(text)), 0, -1):
                    if text.endswith(stop[:size]):
                        safe = min(safe, len(text) - size)
                        break
        start = min(row.streamed, safe)
        tokens = row.tokens[len(plan.prompt) if row.streamed_tokens is None else row.streamed_tokens :]
        self.pieces.append(Piece(text[start:safe], tokens, row.group.index, row.sample, row.finish_reason))
        row.streamed, row.streamed_tokens = safe, len(row.tokens)

    # Results

    def _ranked(self, group: Group) -> list[Row]:
        live = [row for row in self.rows.items if row.group is group]
        if group.plan.search is None:
            return sorted([*group.finished, *live], key=lambda row: row.sample)
        rows = group.finished or live
        order = group.plan.search.rank([row.score for row in rows], [row.new_tokens for row in rows])
        return [rows[i] for i in order]

    def _result(self, group: Group) -> Result:
        request = group.plan.request
        rows = self._ranked(group)[: request.n]
        samples: list[Completion] = [
            row.completion(place if group.plan.search is not None else None) for place, row in enumerate(rows)
        ]
        if not samples:
            samples = [Completion("", [], [], [], [], "interrupted")]
        answer = samples[0]
        if group.plan.aggregator is not None and group.done:
            answer = group.plan.aggregator(samples)
        return Result(answer, samples, group.plan.prompt, group.prompt_logprobs, group.plan.seed, group.stats)

    def _explain(self, scored: Scored, position: int, token: int) -> None:
        """Say which row, which step and which piece gave a law without the token that was taken from it."""
        row = self.rows.items[self._owner(scored, position)]
        where = f"request {row.group.index}, sample {row.sample}, step {row.group.stats.steps + 1}"
        logits = scored.logits[position]
        if bool(logits.isnan().any()):
            raise DeadEndError(f"the model gave NaN logits ({where})", hint="check the weights and the dtype")
        if not bool((logits > float("-inf")).any()):
            raise DeadEndError(f"the model gave no possible token: all logits are -inf ({where})")
        for index, part, target in scored.laws:
            if position in index:
                i = index.index(position)
                guilty = blame(part, logits[None], target.at.index_select([i]), scored.states.at(position), scored.plans[position])
                raise DeadEndError(f"{guilty} left no usable law ({where}), token {token} was taken from it")


def advance(plan: RequestPlan, states: tuple[State, ...], token: int, law: Law | None) -> tuple[State, ...]:
    """Give the processors' states after a token."""
    if not any(is_stateful(piece) for piece in plan.processors):
        return states
    return tuple(
        piece.advance(state, token, law if piece.reads_law else None) if is_stateful(piece) else state
        for piece, state in zip(plan.processors, states, strict=True)
    )


def _wide(logits: Tensor) -> Tensor:
    """Give at least float32: laws of 16 bits lose the order of likely tokens."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _concat_positions(parts: Sequence[Positions]) -> Positions:
    width = max(part.history_array.shape[1] for part in parts)
    return Positions(
        np.concatenate([np.pad(part.history_array, ((0, 0), (0, width - part.history_array.shape[1]))) for part in parts]),
        np.concatenate([part.lengths_array for part in parts]),
        np.concatenate([part.prompt_lengths_array for part in parts]),
        np.concatenate([part.seeds for part in parts]),
        np.concatenate([part.samples for part in parts]),
        [state for part in parts for state in part.states],
        parts[0].device,
    )
