"""Scoring: from a step's logits to the target law of every position, drafted ones included."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from decodekit.errors import DeadEndError, GenerationError
from decodekit.law import concat, pick
from decodekit.pipeline import Part, PositionStates, TargetLaw, blame, split, target_law
from decodekit.plan import RequestPlan, name_of
from decodekit.positions import Positions
from decodekit.rows import Row, Rows, place_of
from decodekit.techniques import Draft
from decodekit.types import Float, Tensor
from decodekit.views import ModelView, Seen

_NO_DRAFT = Draft(())

ChainLaw = tuple[list[int], Part, TargetLaw]
"""Positions, ascending, that share a chain of pieces; the chain; and the target law of those positions."""


@dataclass(slots=True, eq=False)
class Scored:
    """What a step knows once the model and the chains have run.

    Attributes:
        rows: The rows, in the order of the memory.
        logits: The model's logits: k + 1 positions for a row with k drafted tokens, rows one after another.
        first: First position of each row, and the number of positions at the end.
        drafts: Draft of each row.
        plans: Plan of each position.
        states: States at each position.
        laws: One for each chain.
    """

    rows: list[Row]
    logits: Float[Tensor, "position vocab"]
    first: list[int]
    drafts: list[Draft]
    plans: list[RequestPlan]
    states: PositionStates
    laws: list[ChainLaw] = field(default_factory=list)

    @property
    def drafted(self) -> bool:
        """Whether any row has a draft."""
        return len(self.plans) > len(self.rows)

    def owner(self, position: int) -> int:
        """Give the row that a position belongs to."""
        return position if not self.drafted else bisect_right(self.first, position) - 1

    def shown(self, plan: RequestPlan, piece: Any, positions: Sequence[int], at: Positions) -> Positions:
        """Give `at` for a piece of a plan: with a view of the model where the piece is a model hook too."""
        if self.states.seen is None or not plan.sees_model(piece):
            return at
        return at.with_view(ModelView(name_of(piece), positions, self.states.seen))

    def count_lifted(self, positions: Collection[int]) -> None:
        """Count the bans that were lifted at positions whose token a row has taken."""
        for index, _, target in self.laws:
            if target.lifted is not None:
                for p, lifted in zip(index, target.lifted.tolist(), strict=True):
                    if lifted and p in positions:
                        self.rows[self.owner(p)].group.stats.lifted_bans += 1

    def explain(self, position: int, token: int) -> DeadEndError:
        """Say which row, which step and which piece gave a law that its own token is impossible under."""
        row = self.rows[self.owner(position)]
        where = place_of([row])
        logits = self.logits[position]
        if bool(logits.isnan().any()):
            return DeadEndError(f"the model gave NaN logits ({where})", hint="check the weights and the dtype")
        if not bool((logits > float("-inf")).any()):
            return DeadEndError(f"the model gave no possible token: all logits are -inf ({where})")
        guilty = next(
            blame(part, logits[None], target.at.index_select([index.index(position)]), self.states.at(position))
            for index, part, target in self.laws
            if position in index
        )
        return DeadEndError(f"{guilty} left no usable law: token {token} was taken, which is impossible ({where})")


class Scorer:
    """Runs the chains of a batch; keeps how positions are split while the rows stay the same."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._split: tuple[list[RequestPlan], list[Part]] = ([], [])

    def score(
        self,
        rows: Rows,
        logits: Float[Tensor, "position vocab"],
        drafts: Sequence[Draft],
        see: Callable[[Sequence[Row], Sequence[int]], Seen | None],
    ) -> Scored:
        """Give the target laws of one position per row, or of k + 1 where a row has k drafted tokens.

        Args:
            rows: The running rows, drafted tokens noted in their histories.
            logits: In a dtype of at least 32 bits.
            drafts: One per row; empty where nobody drafted anything.
            see: Gives what model hooks see, for the row and the number of drafted tokens of each position.
        """
        items = rows.items
        if drafts:
            return self._score_drafted(rows, logits, list(drafts), see)
        plans = [row.group.plan for row in items]
        states = PositionStates(
            [row.processors for row in items],
            [row.constraint for row in items],
            [row.remaining for row in items],
            range(len(items)),
            see(items, [0] * len(items)),
        )
        scored = Scored(list(items), logits, list(range(len(items) + 1)), [_NO_DRAFT] * len(items), plans, states)
        scored.laws = self._laws(scored, rows.positions(None, None), range(len(items)))
        return scored

    def _score_drafted(
        self,
        rows: Rows,
        logits: Tensor,
        drafts: list[Draft],
        see: Callable[[Sequence[Row], Sequence[int]], Seen | None],
    ) -> Scored:
        sizes = [len(draft.tokens) + 1 for draft in drafts]
        first = [0, *np.cumsum(sizes).tolist()]
        owners = np.repeat(np.arange(len(sizes)), sizes)
        depths = np.arange(len(owners)) - np.repeat(first[:-1], sizes)
        items = [rows.items[i] for i in owners]
        states = PositionStates(
            [row.processors for row in items],
            [row.constraint for row in items],
            [row.remaining - int(depth) for row, depth in zip(items, depths, strict=True)],
            range(len(items)),
            see(items, depths.tolist()),
        )
        scored = Scored(list(rows.items), logits, first, drafts, [row.group.plan for row in items], states)
        at = rows.positions(owners, depths)
        levels = self._advance_without_laws(scored, depths.tolist())
        entries: list[ChainLaw] = []
        for level, following in pairwise([*levels, []]):
            fresh = self._laws(scored, at, level)
            later = set(following)
            entries += fresh
            for index, _, target in fresh:
                for i, p in enumerate(index):
                    if p + 1 in later and depths[p + 1]:
                        draft = drafts[owners[p]]
                        if draft.stuck and depths[p + 1] == len(draft.tokens):
                            states.processors[p + 1] = states.processors[p]
                            continue
                        token = draft.tokens[depths[p]]
                        states.processors[p + 1] = scored.plans[p].advance(
                            states.processors[p], token, target.law.at([i])
                        )
        scored.laws = entries if len(levels) == 1 else self._merge(scored, entries)
        return scored

    def _advance_without_laws(self, scored: Scored, depths: list[int]) -> list[list[int]]:
        """Set what is known before any law: states along each draft. Give the levels in which positions can be scored.

        Where a processor's state depends on the laws along the draft, depth d waits for depth d - 1.
        """
        levels: dict[int, list[int]] = {}
        states = scored.states
        for p, (plan, depth) in enumerate(zip(scored.plans, depths, strict=True)):
            levels.setdefault(depth if plan.reads_law else 0, []).append(p)
            if depth:
                draft = scored.drafts[scored.owner(p)]
                token = draft.tokens[depth - 1]
                if draft.stuck and depth == len(draft.tokens):
                    # Nothing is ever taken here; it only has to be a law.
                    states.constraints[p], states.remaining[p] = states.constraints[p - 1], states.remaining[p - 1]
                    states.processors[p] = states.processors[p - 1]
                    continue
                states.constraints[p] = plan.advance_constraint(states.constraints[p - 1], token)
                if not plan.reads_law:
                    states.processors[p] = plan.advance(states.processors[p - 1], token, None)
        return [levels[depth] for depth in sorted(levels)]

    def laws(
        self, plans: list[RequestPlan], logits: Float[Tensor, "position vocab"], at: Positions, states: PositionStates
    ) -> list[ChainLaw]:
        """Give the laws of some positions, chain by chain; each with the positions that it is for."""
        entries: list[ChainLaw] = []
        for part in split(plans, logits.dtype, self.device):
            index = list(range(len(plans))) if part.index is None else part.index
            entries.append(
                (index, part, target_law(part, pick(logits, index), at.index_select(index), states.select(index)))
            )
        return entries

    def _laws(self, scored: Scored, at: Positions, chosen: Sequence[int]) -> list[ChainLaw]:
        plans = scored.plans if len(chosen) == len(scored.plans) else [scored.plans[p] for p in chosen]
        entries: list[ChainLaw] = []
        for part in self._parts(plans, scored.logits.dtype):
            index = list(chosen) if part.index is None else [chosen[i] for i in part.index]
            try:
                entries.append((index, part, self._law(scored, part, index, at)))
            except GenerationError as error:
                error.locate(place_of([scored.rows[r] for r in sorted({scored.owner(p) for p in index})]))
                raise
        return entries

    def _law(self, scored: Scored, part: Part, index: list[int], at: Positions) -> TargetLaw:
        if len(index) == len(scored.plans):
            return target_law(part, scored.logits, at, scored.states)
        return target_law(part, pick(scored.logits, index), at.index_select(index), scored.states.select(index))

    def _parts(self, plans: list[RequestPlan], dtype: torch.dtype) -> list[Part]:
        if self._split[0] != plans:
            self._split = plans, split(plans, dtype, self.device)
        return self._split[1]

    def _merge(self, scored: Scored, entries: list[ChainLaw]) -> list[ChainLaw]:
        """Put the positions of one chain that were scored level by level back into one law, rows one after another."""
        chains: dict[object, list[ChainLaw]] = {}
        for entry in entries:
            chains.setdefault(entry[1].plans[0].signature, []).append(entry)
        merged: list[ChainLaw] = []
        for same in chains.values():
            index = [p for positions, _, _ in same for p in positions]
            order = sorted(range(len(index)), key=index.__getitem__)
            law = concat([target.law for _, _, target in same], scored.logits.shape[-1]).at(order)
            lifts = [target.lifted for _, _, target in same if target.lifted is not None]
            lifted = torch.cat(lifts)[torch.tensor(order, device=scored.logits.device)] if lifts else None
            at = Positions.concat([target.at for _, _, target in same]).index_select(order)
            positions = [index[i] for i in order]
            part = split([scored.plans[p] for p in positions], scored.logits.dtype, self.device)[0]
            merged.append((positions, part, TargetLaw(law, at, lifted)))
        return merged
