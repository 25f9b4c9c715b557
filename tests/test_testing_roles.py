"""The laws of drafters, searches, stop conditions, observers and aggregators: right pieces pass, wrong ones do not."""

from __future__ import annotations

import pytest
import torch

from decodekit.law import Law
from decodekit.techniques import Aggregator, Draft, Drafter, Expansion, Observer, Search, StopCondition
from decodekit.testing import (
    AggregatorLaws,
    DrafterLaws,
    ObserverLaws,
    SearchLaws,
    StopLaws,
    inverse_cdf,
    violations,
)

FIXED = Law(torch.tensor([[0.1, 0.2, 0.0, 0.3, 0.4, 0.0]], dtype=torch.float64).log())
CALLS: list[int] = []


class Repeat(Drafter):
    """Right: propose the last token again."""

    def __call__(self, at, limits):
        last = at.history.gather(-1, at.lengths[:, None] - 1).flatten().tolist()
        return [Draft([token] * limit) for token, limit in zip(last, limits, strict=True)]


class Drawn(Drafter):
    """Right: draw one token from a fixed law."""

    def chosen(self, law, at):
        return inverse_cdf(law, at.apart("draft"))

    def __call__(self, at, limits):
        tokens = self.chosen(FIXED.index_select(torch.zeros(len(at), dtype=torch.int64)), at).tolist()
        return [Draft([t], FIXED) if limit else Draft([]) for t, limit in zip(tokens, limits, strict=True)]


class ReadsPadding(Repeat):
    def __call__(self, at, limits):
        return [Draft([token] * limit) for token, limit in zip(at.history[:, -1].tolist(), limits, strict=True)]


class OneTooMany(Repeat):
    def __call__(self, at, limits):
        return super().__call__(at, [limit + 1 for limit in limits])


class ArgmaxSaidDrawn(Drawn):
    def chosen(self, law, at):
        return law.argmax()


class Remembers(Repeat):
    def start(self, prompt):
        return list(prompt)

    def advance(self, state, token):
        state.append(token)
        return state


class Beam(Search):
    """Right: the two best continuations by summed log-probability."""

    width: int = 2

    def __call__(self, law, group):
        wide = law.full(9).logprobs() + torch.tensor(group.scores, dtype=law.logits.dtype)[:, None]
        order = wide.flatten().sort(descending=True, stable=True)
        pairs = [(i // 9, i % 9, s) for i, s in zip(order.indices.tolist(), order.values.tolist(), strict=True)]
        return self.pick([pair for pair in pairs if pair[2] > -torch.inf], group)

    def pick(self, pairs, group):
        ends = [pair for pair in pairs[: 2 * self.width] if pair[1] in group.end_tokens]
        alive = [pair for pair in pairs if pair[1] not in group.end_tokens][: self.width]
        parents, tokens, scores = ([pair[i] for pair in alive] for i in range(3))
        return Expansion(parents, tokens, scores, ends, not alive, None)


class ParentsOutOfRange(Beam):
    def pick(self, pairs, group):
        given = super().pick(pairs, group)
        return Expansion([p + 1 for p in given.parents], given.tokens, given.scores, given.finished, given.done, None)


class GoesOnAfterTheEnd(Beam):
    def pick(self, pairs, group):
        parents, tokens, scores = ([pair[i] for pair in pairs[:2]] for i in range(3))
        return Expansion(parents, tokens, scores, [], False, None)


class RawScores(Beam):
    def __call__(self, law, group):
        wide = law.full(9).logits + torch.tensor(group.scores, dtype=law.logits.dtype)[:, None]
        order = wide.flatten().sort(descending=True, stable=True)
        pairs = [(i // 9, i % 9, s) for i, s in zip(order.indices.tolist(), order.values.tolist(), strict=True)]
        return self.pick([pair for pair in pairs if pair[2] > -torch.inf], group)


class FullStop(StopCondition):
    """Right."""

    def __call__(self, row):
        return row.text.endswith(".")


class EveryThird(StopCondition):
    def __call__(self, row):
        CALLS.append(1)
        return len(CALLS) % 3 == 0


class Counter(Observer):
    """Right."""


class Meddles(Observer):
    def on_step(self, step):
        step.rows.clear()


class First(Aggregator):
    """Right."""

    def __call__(self, samples):
        return samples[0]


class Sorts(Aggregator):
    def __call__(self, samples):
        samples.sort(key=lambda sample: sample.text)
        return samples[0]


@pytest.mark.parametrize(
    ("laws", "make"),
    [
        (DrafterLaws, Repeat),
        (DrafterLaws, Drawn),
        (SearchLaws, Beam),
        (StopLaws, FullStop),
        (ObserverLaws, Counter),
        (AggregatorLaws, First),
    ],
)
def test_a_right_piece_passes_every_law(laws, make):
    assert violations(laws, make) == []


@pytest.mark.parametrize(
    ("laws", "make", "word"),
    [
        (DrafterLaws, ReadsPadding, "row_law"),
        (DrafterLaws, OneTooMany, "limits"),
        (DrafterLaws, ArgmaxSaidDrawn, "follow_their_law"),
        (DrafterLaws, Remembers, "purity"),
        (SearchLaws, ParentsOutOfRange, "possible"),
        (SearchLaws, GoesOnAfterTheEnd, "end_tokens"),
        (SearchLaws, RawScores, "constant_added"),
        (StopLaws, EveryThird, "row_law"),
        (ObserverLaws, Meddles, "without_touching"),
        (AggregatorLaws, Sorts, "same_each_time"),
    ],
)
def test_a_wrong_piece_fails_the_law_that_it_breaks(laws, make, word):
    assert any(word in name for name in violations(laws, make))
