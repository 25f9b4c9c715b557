"""Small techniques for tests of the core: one per role, as plain as can be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from decodekit import builtin, hookimpl
from decodekit.law import Law
from decodekit.plugins import Origin, Plugins
from decodekit.positions import Positions
from decodekit.techniques import (
    Aggregator,
    BuildContext,
    CompiledConstraint,
    Constraint,
    Draft,
    Drafter,
    Expansion,
    GroupView,
    LogitsProcessor,
    Observer,
    Search,
    Stage,
    StopCondition,
    TokenSelector,
)


class Sample(TokenSelector, name="sample", follows_law=True):
    """Inverse CDF over token ids in order."""

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        chosen = [
            int(np.searchsorted(np.cumsum(row / row.sum()), u, side="right"))
            for row, u in zip(law.full(512).probs().double().numpy(), at.uniform("select").numpy(), strict=True)
        ]
        return torch.tensor(chosen)


class Heat(LogitsProcessor, name="heat", stage=Stage.TEMPERATURE, stackable=True, default_selector="sample"):
    """Temperature."""

    value: float

    def __call__(self, law: Law, at: Positions) -> Law:
        return law.with_logits(law.logits / self.value)


class Best(LogitsProcessor, name="best", stage=Stage.TRUNCATION):
    """Top-k as a candidate set."""

    k: int

    def __call__(self, law: Law, at: Positions) -> Law:
        return law.candidates(self.k)


class Fatigue(LogitsProcessor, name="fatigue", stage=Stage.PENALTY, stackable=True, needs_history=True):
    """Presence penalty over the whole history."""

    penalty: float

    def __call__(self, law: Law, at: Positions) -> Law:
        seen = torch.zeros_like(law.logits)
        for i, (history, real) in enumerate(zip(at.history, at.in_history, strict=True)):
            seen[i, history[real]] = 1
        return law.with_logits(law.logits - self.penalty * seen)


class Surprise(LogitsProcessor, name="surprise", stage=Stage.BIAS, reads_law=True):
    """Scales the logits by a running mean of surprises: every law along a draft depends on the laws before it."""

    def start(self, prompt: Sequence[int]) -> float:
        return 1.0

    def advance(self, state: float, token: int, law: Law | None) -> float:
        assert law is not None
        return 0.5 * state + 0.5 * min(3.0, -float(law.logprob_of(torch.tensor([token]))[0]))

    def __call__(self, law: Law, at: Positions) -> Law:
        return law.with_logits(law.logits / torch.tensor([1 + s for s in at.states], dtype=law.logits.dtype)[:, None])


class Forbid(LogitsProcessor, name="forbid", stage=Stage.BAN):
    """Bans tokens."""

    tokens: tuple[int, ...]

    def __call__(self, law: Law, at: Positions) -> Law:
        mask = torch.ones_like(law.logits, dtype=torch.bool)
        mask[:, list(self.tokens)] = False
        return law.keep(mask)


class Poison(LogitsProcessor, name="poison", stage=Stage.TRUNCATION):
    """Does something wrong at the given number of new tokens."""

    step: int
    kind: str = "raise"

    def __call__(self, law: Law, at: Positions) -> Law:
        if int(at.new_tokens[0]) != self.step:
            return law
        if self.kind == "raise":
            raise ZeroDivisionError("poisoned")
        if self.kind == "interrupt":
            raise KeyboardInterrupt
        return law.with_logits(law.logits * (math.nan if self.kind == "nan" else -math.inf))


class AlternatingMachine(CompiledConstraint):
    """Even and odd token ids take turns, `length` tokens in all; the state is how many there are."""

    def __init__(self, length: int, vocab_size: int, ends: tuple[int, ...]) -> None:
        self.length, self.vocab_size, self.ends = length, vocab_size, ends

    def start(self) -> int:
        return 0

    def advance(self, state: int, token: int) -> int:
        assert token % 2 == state % 2
        return state + 1

    def mask(self, state: int, remaining: int) -> np.ndarray:
        bits = np.zeros(-(-self.vocab_size // 32) * 32, dtype=np.uint8)
        if state < self.length <= state + remaining:
            bits[state % 2 : self.vocab_size : 2] = 1
            bits[list(self.ends)] = 0
        return np.packbits(bits, bitorder="little").view(np.int32)

    def is_complete(self, state: int) -> bool:
        return state == self.length

    def min_tokens(self, state: int) -> int:
        return self.length - state

    def parse(self, text: str) -> str:
        return f"parsed:{self.length}"


class Alternate(Constraint, name="alternate"):
    """See `AlternatingMachine`."""

    length: int

    def build(self, context: BuildContext) -> CompiledConstraint:
        return AlternatingMachine(self.length, context.vocab_size, context.end_tokens)


class Guess(Drafter, name="guess"):
    """Proposes what a hash of the last token says; some of it is right by chance."""

    tokens: int = 3
    vocab: int = 12

    def start(self, prompt: Sequence[int]) -> tuple[int, ...]:
        return tuple(prompt)

    def advance(self, state: tuple[int, ...], token: int) -> tuple[int, ...]:
        return (*state, token)

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        drafts: list[Draft] = []
        for history, length, state, limit in zip(at.history, at.lengths.tolist(), at.states, limits, strict=True):
            assert history[:length].tolist() == list(state)
            drafts.append(Draft([(state[-1] * 7 + i * 5) % self.vocab for i in range(min(limit, self.tokens))]))
        return drafts


class Oracle(Drafter, name="oracle"):
    """Proposes a text that is known beforehand."""

    text: tuple[int, ...]

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        return [
            Draft(self.text[new : new + min(4, limit)])
            for new, limit in zip(at.new_tokens.tolist(), limits, strict=True)
        ]


class Beam(Search, name="beam_test"):
    """Plain beam search by total log-probability."""

    width: int

    def __call__(self, law: Law, group: GroupView) -> Expansion:
        scores = (
            torch.tensor(group.scores, dtype=law.logits.dtype)[:, None] + law.full(int(law.logits.shape[-1])).logprobs()
        )
        values, flat = scores.flatten().topk(min(2 * self.width, scores.numel()))
        finished, live = [], []
        for value, place in zip(values.tolist(), flat.tolist(), strict=True):
            parent, token = divmod(place, scores.shape[1])
            if value == -math.inf:
                continue
            (finished if token in group.end_tokens else live).append((parent, token, value))
        live = live[: self.width]
        return Expansion(
            [p for p, _, _ in live], [t for _, t, _ in live], [s for _, _, s in live], finished, False, None
        )


class AfterTwo(StopCondition, name="after_two"):
    """Ends after two tokens."""

    def __call__(self, row) -> bool:
        return len(row.tokens) == 2


class Record(Observer, name="record"):
    """Writes down what it sees into a list that the test owns."""

    seen: Any

    def on_start(self, rows) -> None:
        self.seen.append(("start", len(rows)))

    def on_step(self, step) -> None:
        self.seen.append(("step", step.number, [len(row.tokens) for row in step.rows]))

    def on_finish(self, completion) -> None:
        self.seen.append(("finish", completion.finish_reason))


class Clumsy(Aggregator, name="clumsy"):
    """Raises."""

    def __call__(self, samples):
        raise ZeroDivisionError("no votes")


class Longest(Aggregator, name="longest"):
    """Takes the sample with the largest token sum."""

    def __call__(self, samples):
        return max(samples, key=lambda c: sum(c.tokens))


class TestPlugin:
    """Offers all of the above."""

    __test__ = False

    @hookimpl
    def decodekit_logits_processors(self):
        return [Heat, Best, Fatigue, Surprise, Forbid, Poison]

    @hookimpl
    def decodekit_token_selectors(self):
        return [Sample]

    @hookimpl
    def decodekit_constraints(self):
        return [Alternate]

    @hookimpl
    def decodekit_drafters(self):
        return [Guess, Oracle]

    @hookimpl
    def decodekit_searches(self):
        return [Beam]

    @hookimpl
    def decodekit_stopping(self):
        return [AfterTwo]

    @hookimpl
    def decodekit_observers(self):
        return [Record]

    @hookimpl
    def decodekit_aggregators(self):
        return [Longest, Clumsy]


def registry_of_the_tests() -> Plugins:
    """Give the built-ins and the pieces of this file, and nothing that is installed."""
    found = Plugins()
    found.register(builtin, Origin("builtin", "decodekit", "0"))
    found.register(TestPlugin(), Origin("test", "test", "0"))
    return found
