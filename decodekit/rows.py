"""Rows: the sequences that are growing, and the requests that they belong to.

Whatever belongs to a row supports `gather(index)`: these rows, in this order, repeats allowed. States and text are
values, so a copy of a row copies references.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from decodekit.errors import GenerationError, PluginWarning, blamed_on
from decodekit.memory.watch import Block
from decodekit.plan import RequestPlan, name_of
from decodekit.positions import Positions
from decodekit.prefix import Prefix
from decodekit.results import Stats
from decodekit.rng import Draws
from decodekit.techniques import PartialParser
from decodekit.types import Int64, State, Tensor
from decodekit.vocabulary import TextState, Vocabulary

_GROWTH = 256

BROKEN = object()
"""State of a drafter that failed: the row goes on without it."""


@dataclass(slots=True, eq=False)
class Group:
    """One request while it runs: its plan, its finished rows, what it cost.

    Attributes:
        index: Place of the request in the batch.
        plan: Its plan.
        vocabulary: Turns tokens into text; None without a tokenizer.
        waiting: Samples that have not joined yet.
        finished: Rows that ended.
        search_state: State of the search, if there is one.
        prompt_logprobs: Log-probabilities of the prompt, where asked for.
        stats: Counts so far.
        started: `time.perf_counter()` when the first row joined; 0 before.
        done: Whether nothing of the request runs or waits.
        error: Why the request failed, while the others go on.
        warned: What was warned about already, in this request or in another of the batch.
    """

    index: int
    plan: RequestPlan
    vocabulary: Vocabulary | None
    waiting: list[int]
    finished: list[Row] = field(default_factory=list)
    search_state: State = None
    prompt_logprobs: list[float] = field(default_factory=list)
    stats: Stats = field(default_factory=Stats)
    started: float = 0.0
    done: bool = False
    error: GenerationError | None = None
    warned: set[str] = field(default_factory=set)

    @classmethod
    def begin(cls, index: int, plan: RequestPlan, vocabulary: Vocabulary | None, warned: set[str]) -> Group:
        """Give a request's group before any of its rows has joined."""
        state = None
        if plan.search is not None:
            with blamed_on(name_of(plan.search)):
                state = plan.search.start()
        samples = 1 if plan.search is not None else plan.request.n
        return cls(index, plan, vocabulary, list(range(samples)), search_state=state, warned=warned)

    def join(self, sample: int) -> Row:
        """Give the row of a sample before its first new token; the first one starts the clock."""
        self.started = self.started or time.perf_counter()
        self.stats.prompt_tokens = len(self.plan.prompt)
        plan = self.plan
        drafters = tuple(self._or_broken(drafter, lambda d=drafter: d.start(plan.prompt)) for drafter in plan.drafters)
        return Row(
            self,
            sample,
            list(plan.prompt),
            plan.start(),
            plan.start_constraint(),
            drafters,
            self.vocabulary.start_text() if self.vocabulary else None,
            plan.constraint.partial if plan.constraint else None,
        )

    def advance_drafters(self, states: tuple[State, ...], token: int) -> tuple[State, ...]:
        """Give the drafters' states after a token."""
        return tuple(
            state if state is BROKEN else self._or_broken(drafter, lambda d=drafter, s=state: d.advance(s, token))
            for drafter, state in zip(self.plan.drafters, states, strict=True)
        )

    def _or_broken(self, drafter: Any, make: Callable[[], State]) -> State:
        """Make a drafter's state; one that raises is left out, since the text is the same without it."""
        try:
            return make()
        except Exception as error:
            self.leave_out(drafter, f"{type(error).__name__}: {error}")
            return BROKEN

    def leave_out(self, drafter: Any, what: str) -> None:
        """Count a drafter that failed in a row, and warn where no other row has done so in the same words."""
        self.stats.failed_drafters += 1
        self.warn(f"drafter {name_of(drafter)!r} is left out from here on, the text is the same without it ({what})")

    def warn(self, message: str) -> None:
        """Warn where nothing in the run was warned about in the same words."""
        if message not in self.warned:
            self.warned.add(message)
            warnings.warn(message, PluginWarning, stacklevel=4)

    @property
    def deadline(self) -> float:
        """When the request's time is up, on `time.perf_counter()`'s clock."""
        limit = self.plan.request.time_limit_s
        return float("inf") if limit is None or not self.started else self.started + limit

    def close(self) -> None:
        """Mark the request as done and take its time."""
        self.done = True
        self.stats.time_s = time.perf_counter() - self.started if self.started else 0.0


_OWN = frozenset(("tokens", "logprobs", "target_logprobs", "top_logprobs", "notes"))
"""What grows in place in a row, so that a copy needs its own."""


@dataclass(slots=True, eq=False)
class Row:
    """One growing sequence.

    Attributes:
        group: Its request.
        sample: Index of the sample in the request.
        tokens: Prompt and generated token ids.
        processors: State of each processor.
        constraint: State of the constraint.
        drafters: State of each drafter.
        text: Text so far, as a value that knows the bytes of an unfinished character.
        partial: What was read of the text that was handed out while streaming, where the constraint reads it.
        logprobs: Model's log-probability per generated token.
        target_logprobs: Target law's.
        top_logprobs: Likeliest tokens per generated token.
        score: Score of the search.
        rank: Grows in the order in which the search gave its rows.
        streamed: Characters of the text that were handed out while streaming.
        streamed_tokens: Place in `tokens` up to which they were handed out.
        kept: What the model remembers of the row, once it has ended, where the request keeps it.
        notes: What each model hook wrote down about tokens of the row.
        finish_reason: Set when the row has ended.
        drafted: Tokens drafted for it in the last step.
        accepted: How many of them it kept.
        cut: Where the text was cut at a stop string, or None.
    """

    group: Group
    sample: int
    tokens: list[int]
    processors: tuple[State, ...]
    constraint: State
    drafters: tuple[State, ...]
    text: TextState | None
    partial: PartialParser | None = None
    logprobs: list[float] = field(default_factory=list)
    target_logprobs: list[float] = field(default_factory=list)
    top_logprobs: list[dict[int, float]] = field(default_factory=list)
    score: float = 0.0
    rank: int = 0
    streamed: int = 0
    streamed_tokens: int = 0
    kept: Prefix | None = None
    notes: dict[str, list[Block]] = field(default_factory=dict)
    finish_reason: str | None = None
    drafted: int = 0
    accepted: int = 0
    cut: int | None = None

    @property
    def new_tokens(self) -> int:
        """How many tokens were generated."""
        return len(self.tokens) - len(self.group.plan.prompt)

    @property
    def remaining(self) -> int:
        """How many tokens may still be generated."""
        plan = self.group.plan
        return plan.limit + len(plan.prompt) - len(self.tokens)

    def fork(self, sample: int | None = None) -> Row:
        """Copy the row; states are shared, being values."""
        # A search forks rows at every step, and `dataclasses.replace` takes three times as long.
        twin = object.__new__(Row)
        for name in Row.__slots__:
            value = getattr(self, name)
            setattr(twin, name, value.copy() if name in _OWN else value)
        twin.sample = self.sample if sample is None else sample
        return twin

    def visible_text(self) -> str:
        """Give the text without what a stop string cut off."""
        if self.text is None:
            return ""
        return self.text.text[: self.cut] if self.cut is not None else self.text.flush().text


def place_of(rows: Sequence[Row]) -> str:
    """Say which rows of which requests these are, and at which step, for messages."""
    requests = sorted({row.group.index for row in rows})
    steps = sorted({row.group.stats.steps + 1 for row in rows})
    where = f"request{'s' if requests[1:] else ''} {', '.join(map(str, requests))}"
    if len(rows) == 1:
        where += f", sample {rows[0].sample}"
    return f"{where}, step {steps[0]}" + (f" to {steps[-1]}" if steps[1:] else "")


class Rows:
    """The rows of one running batch, in the order of the memory, with their histories as arrays."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.items: list[Row] = []
        self.history = np.zeros((0, _GROWTH), dtype=np.int64)
        self._known: list[Row] = []
        self._key: list[tuple[Group, int]] = []
        self._fixed: tuple[np.ndarray, np.ndarray, np.ndarray, Draws] | None = None
        self._draws = Draws(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.uint64))
        self._order = np.arange(0)

    def __len__(self) -> int:
        return len(self.items)

    def join(self, rows: Sequence[Row]) -> None:
        """Append rows with the tokens that they have."""
        self.items.extend(rows)
        self._rebuild()

    def gather(self, index: Sequence[int], rows: Sequence[Row]) -> None:
        """Go on with `rows`, which are copies of, or the same as, the rows at `index`."""
        self.items = list(rows)
        self.history = self.history[np.asarray(index, dtype=np.int64)]

    def write(self, row: int, start: int, tokens: Sequence[int]) -> None:
        """Note tokens of a row from a place on; a draft beyond the row's end is overwritten later."""
        end = start + len(tokens)
        if end > self.history.shape[1]:
            self._widen(end)
        self.history[row, start:end] = tokens

    def tokens(self, starts: Sequence[int], counts: Sequence[int]) -> Int64[Tensor, "row query"]:
        """Give `counts[i]` tokens of each row from place `starts[i]` on, drafted ones included; right-padded."""
        first, count = starts[0], counts[0]
        # The common steps, without a table of places.
        if all(other == first for other in starts) and all(other == count for other in counts):
            return torch.from_numpy(self.history[:, first : first + count].copy()).to(self.device)
        if max(counts) == 1 == min(counts):
            return torch.from_numpy(self.history[np.arange(len(starts)), starts][:, None]).to(self.device)
        columns = np.array(starts, dtype=np.int64)[:, None] + np.arange(max(counts))
        columns = np.minimum(columns, self.history.shape[1] - 1)
        return torch.from_numpy(self.history[np.arange(len(starts))[:, None], columns]).to(self.device)

    def positions(self, owners: np.ndarray | None, depths: np.ndarray | None) -> Positions:
        """Give positions: per row one, after its last token; or, for drafts, row `owners[i]` after `depths[i]` more."""
        held = [len(row.tokens) for row in self.items]
        longest = max(held)
        lengths = np.array(held, dtype=np.int64)
        prompts, seeds, samples, draws = self._constants()
        history, rows = self.history, self._order
        if owners is not None and depths is not None:
            lengths, prompts, seeds, samples = lengths[owners] + depths, prompts[owners], seeds[owners], samples[owners]
            history, rows = history[owners], owners
            longest = int(lengths.max())
        states = [None] * len(lengths)
        return Positions(history[:, :longest], lengths, prompts, seeds, samples, states, self.device, (draws, rows))

    def _constants(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, Draws]:
        if self._fixed is not None and self.items == self._known:
            return self._fixed
        self._known = list(self.items)
        # Searches copy and drop rows at every step, and mostly end up with the same requests and samples.
        key = [(row.group, row.sample) for row in self.items]
        if self._fixed is None or key != self._key:
            self._key = key
            plans = [row.group.plan for row in self.items]
            seeds = np.array([plan.seed for plan in plans], dtype=np.uint64)
            samples = np.array([row.sample for row in self.items], dtype=np.uint64)
            prompts = np.array([len(plan.prompt) for plan in plans], dtype=np.int64)
            if not (np.array_equal(seeds, self._draws.seeds) and np.array_equal(samples, self._draws.samples)):
                self._draws = Draws(seeds, samples)
            self._fixed = prompts, seeds, samples, self._draws
            self._order = np.arange(len(plans))
        return self._fixed

    def _rebuild(self) -> None:
        longest = max((len(row.tokens) for row in self.items), default=0)
        old = len(self.history)
        grown = np.zeros((len(self.items), max(self.history.shape[1], longest + _GROWTH)), dtype=np.int64)
        grown[:old, : self.history.shape[1]] = self.history
        for i in range(old, len(self.items)):
            grown[i, : len(self.items[i].tokens)] = self.items[i].tokens
        self.history = grown

    def _widen(self, length: int) -> None:
        wide = np.zeros((len(self.history), max(length, 2 * self.history.shape[1])), dtype=np.int64)
        wide[:, : self.history.shape[1]] = self.history
        self.history = wide
