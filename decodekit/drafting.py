"""Drafts: the drafters of each row, chained; what they propose is checked and cut in `proposals`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from decodekit.companions import Companions, MakeWatch, Track
from decodekit.errors import GenerationError, blamed_on
from decodekit.law import Law, concat
from decodekit.pipeline import PositionStates
from decodekit.plan import Hook, name_of, piece_key
from decodekit.proposals import join, trim
from decodekit.rows import BROKEN, Row, Rows
from decodekit.scoring import Scorer
from decodekit.techniques import Draft
from decodekit.types import State, Tensor, TokenIds

EMPTY = Draft(())


class Drafting:
    """Asks the drafters of one step.

    Args:
        rows: The running rows; drafted tokens are noted in their histories.
        vocab_size: Width of the model's logits.
        companions: Second models that drafters may use.
        scorer: Runs the chains of the requests on a draft model's logits.
        watch: Makes the watch of a pass of the decoder's own model.
    """

    def __init__(self, rows: Rows, vocab_size: int, companions: Companions, scorer: Scorer, watch: MakeWatch) -> None:
        self.rows, self.vocab_size = rows, vocab_size
        self.companions, self.scorer, self.watch = companions, scorer, watch
        self.drafts = [EMPTY] * len(rows)

    def propose(self, eligible: Sequence[int]) -> list[Draft]:
        """Ask every eligible row's drafters, in the user's order; each sees what the ones before it proposed.

        A drafter that raises or proposes garbage is left out for the rest of the row, with a warning.

        Returns:
            One draft per row, empty for rows that are not eligible.
        """
        longest = max((len(self.rows.items[r].group.plan.drafters) for r in eligible), default=0)
        for link in range(longest):
            waves: dict[Any, list[int]] = {}
            for r in eligible:
                drafters = self.rows.items[r].group.plan.drafters
                if link < len(drafters) and self.rows.items[r].drafters[link] is not BROKEN:
                    waves.setdefault(piece_key(drafters[link]), []).append(r)
            for wave in waves.values():
                self._ask_in_turn(wave, link)
        self._level_searches()
        return self.drafts

    def _ask_in_turn(self, wave: list[int], link: int) -> None:
        """Ask one row of each searching group first: where it has no draft, no other row of its group can use one."""
        leaders: dict[int, int] = {}
        followers: list[int] = []
        for r in wave:
            group = self.rows.items[r].group
            if group.plan.search is not None and leaders.setdefault(group.index, r) != r:
                followers.append(r)
        if not followers:
            self._ask_safely(wave, link)
            return
        self._ask_safely([r for r in wave if r not in followers], link)
        rest = [r for r in followers if self.drafts[leaders[self.rows.items[r].group.index]].tokens]
        if rest:
            self._ask_safely(rest, link)

    def _level_searches(self) -> None:
        """Cut the drafts of a searching group to one length: its rows are expanded together."""
        shortest: dict[int, int] = {}
        for row, draft in zip(self.rows.items, self.drafts, strict=True):
            if row.group.plan.search is not None:
                number = row.group.index
                shortest[number] = min(shortest.get(number, len(draft.tokens)), len(draft.tokens))
        for r, row in enumerate(self.rows.items):
            length = shortest.get(row.group.index)
            if length is not None and len(self.drafts[r].tokens) > length:
                self.drafts[r] = Draft(self.drafts[r].tokens[:length])

    def _ask_safely(self, wave: list[int], link: int) -> None:
        """Ask for some rows; where that fails find out for which of them, so that the others keep their drafts."""
        try:
            self._ask(wave, link)
        except Exception as error:
            if len(wave) == 1:
                self._leave_out(wave[0], link, error)
                return
            # What went ahead before the failure is nobody's draft.
            self.companions.rewind(self.rows.items)
            for r in wave:
                self._ask_safely([r], link)

    def _ask(self, wave: list[int], link: int) -> None:
        plan = self.rows.items[wave[0]].group.plan
        drafter = plan.drafters[link]
        hook = next((h for h in plan.hooks if h.name == name_of(drafter) and h.companion is not None), None)
        limits = {r: self._room(r, hook) for r in wave}
        wave = [r for r in wave if limits[r] > 0]
        if not wave:
            return
        with blamed_on(name_of(drafter)):
            states = [self._state(drafter, r, link) for r in wave]
            depths = np.array([len(self.drafts[r].tokens) for r in wave], dtype=np.int64)
            at = self.rows.positions(np.array(wave, dtype=np.int64), depths).with_states(states)
            if hook is not None:
                at = at.with_view(self._view(wave, self.companions.track(hook)))
            proposals = list(drafter(at, [limits[r] for r in wave]))
            if len(proposals) != len(wave):
                raise GenerationError(f"{name_of(drafter)} gave {len(proposals)} drafts for {len(wave)} rows")
            trimmed = [
                trim(self.rows.items[r], self.drafts[r], proposal, limits[r], self.vocab_size, self.rows.device)
                for r, proposal in zip(wave, proposals, strict=True)
            ]
        for r, fresh in zip(wave, trimmed, strict=True):
            if fresh.tokens:
                self.drafts[r] = join(self.drafts[r], fresh, self.vocab_size)
                self.rows.write(r, len(self.rows.items[r].tokens), self.drafts[r].tokens)

    def _state(self, drafter: Any, r: int, link: int) -> State:
        state = self.rows.items[r].drafters[link]
        for token in self.drafts[r].tokens:
            state = drafter.advance(state, token)
        return state

    def _room(self, r: int, hook: Hook | None) -> int:
        """Say how many more tokens may be drafted: at least one is left for the model itself."""
        row, drafted = self.rows.items[r], len(self.drafts[r].tokens)
        if self.drafts[r].stuck:
            return 0
        room = row.remaining - 1 - drafted
        if hook is not None and hook.companion is not None and hook.companion.model is not None:
            context = hook.companion.model.max_length
            if context is not None:
                prompt = row.group.plan.prompt if hook.companion.prompt is None else hook.companion.prompt
                left = context - len(prompt) - row.new_tokens
                if left <= 0 < room:
                    row.group.warn(_too_long(hook.name, context))
                room = min(room, left - drafted)
        return room

    def _view(self, wave: Sequence[int], track: Track) -> DraftView:
        before = {r: list(self.drafts[r].tokens) for r in wave}
        return DraftView(self.rows, list(wave), before, track, self.scorer, self.watch)

    def _leave_out(self, r: int, link: int, error: Exception) -> None:
        row = self.rows.items[r]
        row.drafters = (*row.drafters[:link], BROKEN, *row.drafters[link + 1 :])
        row.group.leave_out(row.group.plan.drafters[link], str(error))


def _too_long(name: str, context: int) -> str:
    return (
        f"drafter {name!r} has nothing more to propose: its model's context is {context} tokens, the text is longer "
        "(the text is the same without it)"
    )


class DraftView:
    """What a drafter with a companion sees: a second model that goes ahead of the rows.

    Args:
        rows: All rows.
        wave: The rows of the call, in the order of its positions.
        before: What is drafted for each of them already.
        track: Their companions.
        scorer: Runs the requests' chains.
        watch: Makes the watch of a pass of the decoder's own model.
    """

    def __init__(
        self,
        rows: Rows,
        wave: list[int],
        before: dict[int, list[int]],
        track: Track,
        scorer: Scorer,
        watch: MakeWatch,
    ) -> None:
        self.rows, self.wave, self.track, self.scorer, self.watch = rows, wave, track, scorer, watch
        self.drafted = before
        self.steps = 0
        self._states: dict[int, tuple[tuple[State, ...], State]] = {}
        for r in wave:
            row = rows.items[r]
            processors, constraint = row.processors, row.constraint
            for token in before[r]:
                processors, constraint = self._advanced(row, processors, constraint, token, None)
            self._states[r] = processors, constraint

    @property
    def certain(self) -> list[bool]:
        """Whether each row's tokens are chosen without randomness: then its draft has no law."""
        plans = [self.rows.items[r].group.plan for r in self.wave]
        return [plan.sees_model(plan.selector) or plan.selector.deterministic for plan in plans]

    def goes_on(self, position: int) -> bool:
        """Say whether anything can follow what is drafted at a place in the call's positions."""
        r = self.wave[position]
        row, drafted = self.rows.items[r], self.drafted[r]
        ended = bool(drafted) and drafted[-1] in row.group.plan.end_tokens
        return not ended and not row.group.plan.only_ends(self._states[r][1], row.remaining - len(drafted))

    def step(self, positions: Sequence[int]) -> tuple[TokenIds, Law]:
        """Let some rows' companions go one token ahead.

        The token is chosen as the request chooses its own: by its processors, its constraint and its selector, with
        random numbers of their own.

        Args:
            positions: Places in the call's positions, where the text `goes_on`.

        Returns:
            The tokens, and the law of each that it was drawn from.
        """
        chosen = [self.wave[i] for i in positions]
        texts = {r: [*(self.track.tokens(self.rows.items[r]) or ()), *self.drafted[r]] for r in chosen}
        own = self.watch(True) if self.track.own else None
        logits = self.track.feed(texts, dict.fromkeys(chosen, 1), own)
        # Rows are read in their own order, whatever the order of `positions`.
        order = sorted(chosen)
        tokens, law = self._choose(logits, order)
        place = {r: i for i, r in enumerate(order)}
        index = [place[r] for r in chosen]
        self.steps += 1
        return [tokens[i] for i in index], law.index_select(torch.tensor(index, device=law.logits.device))

    def index_select(self, index: Sequence[int]) -> DraftView:
        """Give the view at these positions; what goes ahead is shared."""
        view = copy.copy(self)
        view.wave = [self.wave[i] for i in index]
        return view

    def _choose(self, logits: Tensor, order: list[int]) -> tuple[TokenIds, Law]:
        items = [self.rows.items[r] for r in order]
        depths = np.array([len(self.drafted[r]) for r in order], dtype=np.int64)
        at = self.rows.positions(np.array(order, dtype=np.int64), depths)
        states = PositionStates(
            [self._states[r][0] for r in order],
            [self._states[r][1] for r in order],
            [row.remaining - int(depth) for row, depth in zip(items, depths, strict=True)],
        )
        tokens: TokenIds = [0] * len(order)
        laws: list[Law] = []
        places: list[int] = []
        for index, part, target in self.scorer.laws([row.group.plan for row in items], logits, at, states):
            plan = part.plans[0]
            ahead = target.at.apart(f"draft {self.track.name} {self.steps}", depths[index])
            taken = target.law.argmax() if plan.sees_model(plan.selector) else part.selector(target.law, ahead)
            for i, token in zip(index, taken.tolist(), strict=True):
                tokens[i] = token
            laws.append(target.law)
            places += index
        back = sorted(range(len(places)), key=places.__getitem__)
        law = concat(laws, logits.shape[-1]).index_select(torch.tensor(back, device=logits.device))
        for i, (r, token) in enumerate(zip(order, tokens, strict=True)):
            self._go_on(r, token, law, i)
        return tokens, law

    def _go_on(self, r: int, token: int, law: Law, i: int) -> None:
        row = self.rows.items[r]
        if token not in row.group.plan.end_tokens:
            own = law.index_select(torch.tensor([i], device=law.logits.device)) if row.group.plan.reads_law else None
            self._states[r] = self._advanced(row, *self._states[r], token, own)
        self.drafted[r].append(token)
        self.rows.write(r, len(row.tokens), self.drafted[r])

    def _advanced(
        self, row: Row, processors: tuple[State, ...], constraint: State, token: int, law: Law | None
    ) -> tuple[tuple[State, ...], State]:
        plan = row.group.plan
        # Without a law there is no telling what a processor that reads laws would remember; a draft may be any.
        if law is not None or not plan.reads_law:
            processors = plan.advance(processors, token, law)
        return processors, plan.advance_constraint(constraint, token)
