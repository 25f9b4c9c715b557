"""Model hooks: companions, notes and looks ahead belong to rows, whatever happens to them."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch

from decodekit import (
    Companion,
    Decoder,
    Draft,
    Drafter,
    Expansion,
    GenerationError,
    IncompatibleTechniquesError,
    Law,
    LogitsProcessor,
    ModelHook,
    Pass,
    PluginWarning,
    Positions,
    Search,
    Stage,
    TokenSelector,
)
from decodekit.model import CausalModel
from decodekit.testing import byte_vocabulary, tiny_llama
from tests.pieces import Alternate, Beam, Guess, Heat, Oracle, Sample, Surprise, registry_of_the_tests
from tests.reference import log_softmax, model_logits

VOCAB, LIMIT = 12, 9
PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 1, 2]]
OTHER = tiny_llama(VOCAB, seed=9)


class Against(ModelHook, LogitsProcessor, name="against", stage=Stage.GUIDANCE, stackable=True):
    """Adds a multiple of what a companion says."""

    weight: float
    start_with: tuple[int, ...] | None = None
    model: Any = None

    def companion(self) -> Companion:
        return Companion(self.start_with, self.model)

    def __call__(self, law: Law, at: Positions) -> Law:
        assert law.ids is None
        return law.with_logits(law.logits - self.weight * torch.log_softmax(at.view.companion, dim=-1))


@contextmanager
def last_hidden(run: Pass) -> Iterator[None]:
    seen = []
    handle = run.model.model.norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        yield
        run.note(seen[-1])
    finally:
        handle.remove()


class Inner(ModelHook, LogitsProcessor, name="inner", stage=Stage.GUIDANCE, remembers=True):
    """Scales the logits by what the last hidden states of all tokens add up to."""

    def around(self, run: Pass) -> Any:
        return last_hidden(run)

    def __call__(self, law: Law, at: Positions) -> Law:
        sums = [torch.cat(at.view.history(i)).sum() for i in range(len(at))]
        last = [note.sum() for note in at.view.notes]
        factors = [1.5 + torch.sin(a + 2 * b) for a, b in zip(sums, last, strict=True)]
        return law.with_logits(law.logits * torch.stack(factors)[:, None])


class Foresight(ModelHook, TokenSelector, name="foresight", deterministic=True):
    """Of the two likeliest tokens, takes the one whose hidden state has the larger first component."""

    def around(self, run: Pass) -> Any:
        return last_hidden(run)

    def __call__(self, law: Law, at: Positions) -> torch.Tensor:
        best = law.candidates(2)
        assert best.ids is not None
        notes = at.view.peek(best.ids)
        chosen = [0 if not ok[1] or a[0] >= b[0] else 1 for (a, b), ok in zip(notes, best.allowed, strict=True)]
        return best.ids.gather(-1, torch.tensor(chosen)[:, None]).squeeze(-1)


class Ahead(ModelHook, Drafter, name="ahead"):
    """Drafts with a second model."""

    model: Any
    tokens: int = 3

    def companion(self) -> Companion:
        return Companion(None, self.model)

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        drafted: list[list[int]] = [[] for _ in limits]
        for depth in range(self.tokens):
            active = [i for i, limit in enumerate(limits) if depth < limit][::-1]
            if active:
                tokens, law = at.view.step(active)
                assert bool((law.logprob_of(torch.tensor(tokens)) > -torch.inf).all())
                for i, token in zip(active, tokens, strict=True):
                    drafted[i].append(token)
        return [Draft(tokens) for tokens in drafted]


WRONG_LAWS = {
    "one dimension": Law(torch.zeros(VOCAB)),
    "three dimensions": Law(torch.zeros(1, 1, VOCAB)),
    "more positions": Law(torch.zeros(2, VOCAB)),
    "no positions": Law(torch.zeros(0, VOCAB)),
    "too narrow": Law(torch.zeros(1, 1)),
    "no width": Law(torch.zeros(1, 0)),
    "whole numbers": Law(torch.zeros(1, VOCAB, dtype=torch.int64)),
    "another device": Law(torch.zeros(1, VOCAB, device="meta")),
    "ids of another shape": Law(torch.zeros(1, 3), torch.tensor([[0, 1]])),
    "ids of 32 bits": Law(torch.zeros(1, 2), torch.tensor([[0, 1]], dtype=torch.int32)),
    "negative ids": Law(torch.zeros(1, 2), torch.tensor([[1, -1]])),
    "impossible": Law(torch.zeros(1, VOCAB).index_fill(1, torch.tensor([1]), -torch.inf)),
    "no candidate": Law(torch.zeros(1, 2), torch.tensor([[0, 2]])),
    "NaN": Law(torch.full((1, VOCAB), torch.nan)),
    "infinite": Law(torch.full((1, VOCAB), torch.inf)),
}


class Faulty(Drafter, name="faulty"):
    """Fails in one of several ways after some tokens."""

    how: str

    def start(self, prompt: Sequence[int]) -> Any:
        if self.how == "start":
            raise ZeroDivisionError("no more")
        return None

    def advance(self, state: Any, token: int) -> Any:
        if self.how == "advance" and (state or 0) >= 3:
            raise ZeroDivisionError("no more")
        return (state or 0) + 1

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Any]:
        if self.how == "raise":
            raise ZeroDivisionError("no more")
        if self.how == "fewer":
            return []
        if self.how == "words":
            return [Draft(["a"]) for _ in limits]
        if self.how == "fraction":
            return [Draft([3.7]) for _ in limits]
        if self.how in WRONG_LAWS:
            return [Draft([1], WRONG_LAWS[self.how]) for _ in limits]
        return [Draft([1])] * len(limits)


class Lost(Search, name="lost"):
    """A beam that fails at some step."""

    width: int = 2
    how: str

    def __call__(self, law: Law, group: Any) -> Any:
        found = Beam(self.width)(law, group)
        if group.new_tokens[0] < 3:
            return found
        if self.how == "raise":
            raise ZeroDivisionError("no more")
        if self.how == "parents":
            found.parents[0] = 7
        if self.how == "short":
            found.tokens.pop()
        if self.how == "fraction":
            found.tokens[0] += 0.5
        if self.how == "done":
            return Expansion([], [], [], [], True, None)
        return found


class Tensors(Beam, name="tensors"):
    """A beam that gives rows and tokens as tensors."""

    def __call__(self, law: Law, group: Any) -> Any:
        found = super().__call__(law, group)
        return replace(found, parents=torch.tensor(found.parents), tokens=torch.tensor(found.tokens))


class Quits(Beam, name="quits"):
    """A beam that ends texts at a token of its own choice, which is no end token."""

    token: int

    def __call__(self, law: Law, group: Any) -> Any:
        found = super().__call__(law, group)
        live = list(zip(found.parents, found.tokens, found.scores, strict=True))
        on = [one for one in live if one[1] != self.token]
        ended = [one for one in live if one[1] == self.token]
        parents, tokens, scores = ([one[i] for one in on] for i in range(3))
        return replace(found, parents=parents, tokens=tokens, scores=scores, finished=[*found.finished, *ended])


class Known(Oracle, name="known", for_searches=True):
    """Proposes a known text in a search, as if it were drawn or not."""

    drawn: bool = False

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        given = super().__call__(at, limits)
        laws = [Law.certain(torch.tensor(draft.tokens), torch.float64) if self.drawn else None for draft in given]
        return [Draft(draft.tokens, law) for draft, law in zip(given, laws, strict=True)]


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    model = tiny_llama(VOCAB, seed=3, eos_token_id=VOCAB - 1)
    return Decoder(model, byte_vocabulary(VOCAB), registry=registry_of_the_tests())


def hidden(model: Any, tokens: Sequence[int]) -> torch.Tensor:
    with torch.inference_mode():
        return model.model(torch.tensor([list(tokens)]), use_cache=False).last_hidden_state[0]


def naive(model: Any, prompt: list[int], hook: str, *, start: Sequence[int] = (), other: Any = None) -> list[int]:
    """Decode greedily with one of the hooks, without any cache."""
    tokens: list[int] = []
    while len(tokens) < LIMIT:
        logits = torch.tensor(model_logits(model, [*prompt, *tokens]))
        if hook == "against":
            logits = logits - 0.7 * torch.tensor(log_softmax(model_logits(other, [*start, *tokens])))
        if hook == "inner":
            states = hidden(model, [*prompt, *tokens])
            logits = logits * (1.5 + torch.sin(states.sum() + 2 * states[-1].sum()))
        token = int(logits.argmax())
        if hook == "foresight":
            a, b = logits.topk(2).indices.tolist()
            first, second = (float(hidden(model, [*prompt, *tokens, t])[-1][0]) for t in (a, b))
            token = a if first >= second else b
        tokens.append(token)
        if token == VOCAB - 1:
            break
    return tokens


def cases(model: Any) -> dict[str, tuple[Any, Any]]:
    other = CausalModel.wrap(OTHER)
    return {
        "second prompt": (
            Against(0.7, (2, 7)),
            lambda prompt: naive(model, prompt, "against", start=(2, 7), other=model),
        ),
        "second model": (
            Against(0.7, None, other),
            lambda prompt: naive(model, prompt, "against", start=prompt, other=OTHER),
        ),
        "notes": (Inner(), lambda prompt: naive(model, prompt, "inner")),
        "look ahead": (Foresight(), lambda prompt: naive(model, prompt, "foresight")),
    }


@pytest.mark.parametrize("case", ["second prompt", "second model", "notes", "look ahead"])
@pytest.mark.parametrize("path", ["slots", "replay", "uncached"])
@pytest.mark.parametrize("drafted", [False, True], ids=["plain", "drafted"])
def test_a_ragged_batch_with_and_without_the_hook_equals_the_naive_loop(decoder, case, path, drafted):
    technique, expected = cases(decoder.model)[case]
    other = Decoder(decoder.model, registry=decoder.registry)
    other._plan.model = CausalModel.wrap(decoder.model, path=path)
    drafters = (Guess(tokens=3, vocab=VOCAB),) if drafted else ()
    requests = [
        other.request(prompt, *extra, *drafters, max_new_tokens=LIMIT)
        for prompt in PROMPTS
        for extra in ((technique,), ())
    ]

    results = other.generate(requests)

    for i, prompt in enumerate(PROMPTS):
        assert results[2 * i].tokens == expected(prompt)
        assert results[2 * i + 1].tokens == naive(decoder.model, prompt, "none")
    assert not [hook for module in decoder.model.modules() for hook in module._forward_hooks]


@pytest.mark.parametrize("case", ["second prompt", "second model", "notes"])
def test_beams_and_samples_carry_what_hooks_know(decoder, case):
    technique, expected = cases(decoder.model)[case]
    assert decoder.generate(PROMPTS[0], technique, Beam(1), max_new_tokens=LIMIT).tokens == expected(PROMPTS[0])

    wide = decoder.generate(PROMPTS, technique, Beam(3), max_new_tokens=4)
    alone = [decoder.generate(prompt, technique, Beam(3), max_new_tokens=4) for prompt in PROMPTS]
    assert [result.tokens for result in wide] == [result.tokens for result in alone]

    techniques = (technique, Heat(1.3), Sample())
    many = decoder.generate(PROMPTS[:2], *techniques, n=3, seed=5, max_new_tokens=LIMIT)
    drafted = decoder.generate(PROMPTS[0], *techniques, Guess(vocab=VOCAB), n=3, seed=5, max_new_tokens=LIMIT)
    assert [s.tokens for s in drafted.samples] == [s.tokens for s in many[0].samples]


def test_requests_with_different_companions_share_a_batch(decoder):
    other = CausalModel.wrap(OTHER)
    mixed = [
        Against(0.7, (2, 7)),
        Against(0.7, None, other),
        Against(0.7, (3, 3, 3, 3)),
        Against(0.2, (2, 7)),
        Against(0.7, (1,), other),
    ]
    requests = [decoder.request(PROMPTS[i % 3], technique, max_new_tokens=LIMIT) for i, technique in enumerate(mixed)]
    assert [r.tokens for r in decoder.generate(requests)] == [decoder.generate(r).tokens for r in requests]


@pytest.mark.parametrize("extra", [(), (Surprise(),), (Alternate(6),), (Heat(1.4), Sample()), (Inner(),)], ids=repr)
def test_a_second_model_drafts_and_changes_no_text(decoder, extra):
    plain = decoder.generate(PROMPTS, *extra, seed=3, max_new_tokens=LIMIT)
    for model in (OTHER, decoder.model):
        ahead = Ahead(CausalModel.wrap(model))
        drafted = decoder.generate(PROMPTS, *extra, ahead, seed=3, max_new_tokens=LIMIT)
        assert [r.tokens for r in drafted] == [r.tokens for r in plain]
        assert sum(r.stats.drafted_tokens for r in drafted) > 0
    if not extra:
        assert drafted[0].stats.accepted_tokens == drafted[0].stats.drafted_tokens
        assert drafted[0].stats.steps < len(drafted[0].tokens)


@pytest.mark.parametrize("how", ["raise", "fewer", "words", "fraction", "start", "advance", *WRONG_LAWS])
def test_a_drafter_that_fails_is_left_out_and_the_text_is_the_same(decoder, how):
    plain = [decoder.generate(prompt, max_new_tokens=LIMIT).tokens for prompt in PROMPTS]
    requests = [decoder.request(prompt, Guess(vocab=VOCAB), max_new_tokens=LIMIT) for prompt in PROMPTS]
    requests[1] = decoder.request(PROMPTS[1], Faulty(how=how), Guess(vocab=VOCAB), max_new_tokens=LIMIT)
    with pytest.warns(PluginWarning, match="drafter 'faulty' is left out"):
        results = decoder.generate(requests)
    assert [result.tokens for result in results] == plain
    assert [result.stats.failed_drafters for result in results] == [0, 1, 0]


class Allergic(Drafter, name="allergic"):
    """Fails at texts that begin with 4."""

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        if 4 in at.history_array[:, 0]:
            raise ZeroDivisionError("4")
        return [Draft([7, 7][:limit]) for limit in limits]


def test_a_row_at_which_a_drafter_fails_does_not_cost_others_their_drafts(decoder):
    with pytest.warns(PluginWarning, match="drafter 'allergic' is left out"):
        results = decoder.generate(PROMPTS, Allergic(), max_new_tokens=LIMIT)
    assert [result.stats.failed_drafters for result in results] == [0, 1, 0]
    assert [result.stats.drafted_tokens > 0 for result in results] == [True, False, True]


@pytest.mark.parametrize("how", ["raise", "start", "advance"])
def test_what_fails_in_many_requests_is_warned_about_once_a_run(decoder, how):
    for _ in range(2):
        with pytest.warns(PluginWarning) as given:
            results = decoder.generate(PROMPTS, Faulty(how=how), max_new_tokens=LIMIT)
        assert len({str(each.message) for each in given}) == len(given) == 1
        assert [result.stats.failed_drafters for result in results] == [1, 1, 1]


class Heads(ModelHook, Drafter, name="heads"):
    """Drafts from notes."""

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        return [Draft(()) for _ in limits]


class Clumsy(ModelHook, name="clumsy_hook"):
    """Fails after the pass."""

    @contextmanager
    def around(self, run: Pass) -> Iterator[None]:
        yield
        raise ZeroDivisionError("boom")


def test_hooks_that_cannot_be_served_are_refused_and_faults_are_named(decoder):
    with pytest.raises(IncompatibleTechniquesError, match="'heads' is a drafter without a companion"):
        decoder.generate(PROMPTS[0], Heads())
    with pytest.raises(GenerationError, match="clumsy_hook raised ZeroDivisionError: boom"):
        decoder.generate(PROMPTS[0], Clumsy())


@pytest.mark.parametrize("drawn", [False, True])
def test_a_draft_in_a_search_stops_where_the_text_can_only_end(decoder, drawn):
    search = Alternate(length=4), Beam(1)
    plain = decoder.generate(PROMPTS[0], *search, max_new_tokens=LIMIT)
    given = decoder.generate(PROMPTS[0], *search, Known(text=tuple(plain.tokens), drawn=drawn), max_new_tokens=LIMIT)
    assert (given.tokens, given.finish_reason) == (plain.tokens, plain.finish_reason)
    assert given.samples[0].score == pytest.approx(plain.samples[0].score, abs=1e-9)
    assert (len(plain.tokens), given.stats.drafted_tokens, given.stats.steps) == (4, 2, 2)


def test_a_text_that_a_search_ends_does_not_go_on_with_its_draft(decoder):
    text = decoder.generate(PROMPTS[0], Beam(1), max_new_tokens=LIMIT).tokens
    search = Quits(width=1, token=text[2])
    plain = decoder.generate(PROMPTS[0], search, max_new_tokens=LIMIT)
    given = decoder.generate(PROMPTS[0], search, Known(text=tuple(text)), max_new_tokens=LIMIT)
    assert given.tokens == plain.tokens == text[: text.index(text[2]) + 1]
    assert given.stats.steps < plain.stats.steps


def test_a_search_may_give_tensors(decoder):
    plain, given = (decoder.generate(PROMPTS[0], search(2), max_new_tokens=4) for search in (Beam, Tensors))
    assert given.tokens == plain.tokens
    assert {type(token) for token in given.tokens} == {int}


LOSSES = {
    "raise": "ZeroDivision",
    "parents": "row 7 of 2",
    "short": "tokens",
    "fraction": "TypeError",
    "done": "none had ended",
}


@pytest.mark.parametrize(("how", "what"), LOSSES.items())
def test_a_search_that_fails_fails_alone(decoder, how, what):
    plain = [decoder.generate(prompt, max_new_tokens=LIMIT).tokens for prompt in PROMPTS]
    requests = [decoder.request(prompt, max_new_tokens=LIMIT) for prompt in PROMPTS]
    requests[1] = decoder.request(PROMPTS[1], Lost(how=how), max_new_tokens=LIMIT)
    with pytest.raises(GenerationError, match=what) as caught:
        decoder.generate(requests)
    results = caught.value.results
    assert [results[i].tokens for i in (0, 2)] == [plain[0], plain[2]]
    assert results[1].finish_reason == "error"
    assert len(results[1].samples) == 1
    assert len(results[1].tokens) == 3


@pytest.mark.parametrize("order", [[0, 0], [0], [0, 5], [0.5, 1], None])
def test_a_search_that_does_not_rank_its_texts_is_named_and_loses_none(decoder, order):
    class Unsure(Beam, name="unsure"):
        def rank(self, scores, lengths):
            return order

    plain = decoder.generate(PROMPTS[0], Beam(2), n=2, max_new_tokens=3)
    with pytest.raises(GenerationError, match=r"^unsure raised (ValueError: it ranked 2 texts|TypeError)") as caught:
        decoder.generate(PROMPTS[0], Unsure(2), n=2, max_new_tokens=3)
    found = sorted(sample.tokens for sample in caught.value.results[0].samples)
    assert found == sorted(sample.tokens for sample in plain.samples)


def test_a_companion_without_room_is_refused(decoder):
    with pytest.raises(IncompatibleTechniquesError, match=r"reads a prompt of 250 tokens.* room for 6"):
        decoder.generate(PROMPTS[0], Against(0.7, (1,) * 250), max_new_tokens=LIMIT)
    with pytest.raises(IncompatibleTechniquesError, match="at least one token"):
        decoder.generate(PROMPTS[0], Against(0.7, ()), max_new_tokens=LIMIT)


def test_nothing_of_a_batch_stays_behind(decoder):
    decoder.generate(PROMPTS, Inner(), max_new_tokens=2)
    gc.collect()
    assert not [o for o in gc.get_objects() if type(o).__name__ == "Watch"]
