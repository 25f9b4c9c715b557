"""Beams in the loop: exhaustive and greedy limits, constraints, stateful processors, mixed batches, stops, streams."""

from __future__ import annotations

import itertools
import math
import re

import pytest
import torch

from decodekit import Decoder, GenerationError, Law
from decodekit.techniques import GroupView
from decodekit.testing import ToyModel, byte_vocabulary, positions, tiny_llama
from decodekit_beam import BeamSearch, Score
from decodekit_beam.score import in_place
from decodekit_sampling import DRY, Mirostat

SEARCHES = ("beam_search", "diverse_beam", "stochastic_beam", "beam_sample")


def test_a_width_of_all_texts_is_exhaustive_search():
    model = ToyModel(vocab_size=4, seed=2, scale=2.0)
    found = Decoder(model, max_rows=256).generate([0], beam_search=256, n=256, max_new_tokens=4)
    totals = {}
    for text in itertools.product(range(4), repeat=4):
        laws = [model.law([0, *text[:i]]).logprobs()[0] for i in range(4)]
        totals[text] = sum(float(law[token]) for law, token in zip(laws, text, strict=True))
    expected = sorted(totals, key=lambda text: -totals[text])
    assert [tuple(sample.tokens) for sample in found.samples] == expected
    assert found.samples[0].score == pytest.approx(totals[expected[0]] / 4, abs=1e-12)


def test_a_beam_of_one_is_greedy():
    for seed in range(4):
        model = tiny_llama(32, seed=seed)
        model.generation_config.eos_token_id = [3, 7, 9]
        decoder = Decoder(model)
        greedy = decoder.generate([1, 2], max_new_tokens=12)
        for options in ({}, {"early_stopping": "never", "length_penalty": 2.0}, {"length_penalty": -1.0}):
            beam = decoder.generate([1, 2], beam_search={"width": 1, **options}, max_new_tokens=12)
            assert (beam.tokens, beam.finish_reason) == (greedy.tokens, greedy.finish_reason)


@pytest.mark.parametrize("name", SEARCHES)
def test_every_beam_stays_inside_of_the_constraint(name):
    decoder = Decoder(tiny_llama(257), byte_vocabulary())
    pattern = r"(ab|ba){1,3}c?[0-9]{2}"
    for width in (2, 6):
        found = decoder.generate([1, 2], **{name: width}, n=width, regex=pattern, max_new_tokens=9, seed=3)
        assert found.samples
        assert all(re.fullmatch(pattern, sample.text) for sample in found.samples)
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    found = decoder.generate([1, 2], **{name: 4}, n=4, json_schema=schema, max_new_tokens=16, seed=3)
    assert all(isinstance(sample.parsed["a"], int) for sample in found.samples)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_constraint_with_fewer_texts_than_rows_gives_fewer_texts(name):
    decoder = Decoder(tiny_llama(257), byte_vocabulary())
    found = decoder.generate([1, 2], **{name: 6}, n=6, choice=["yes", "no", "maybe"], max_new_tokens=8, seed=1)
    texts = [sample.text for sample in found.samples]
    assert set(texts) <= {"yes", "no", "maybe"}
    assert name in ("diverse_beam", "beam_sample") or sorted(texts) == ["maybe", "no", "yes"]


def naive_beam(model, prompt, width, limit, processors):
    """Beams of whole texts, everything anew at each step; processors are given as functions of all tokens."""
    beams = [((), 0.0, tuple(piece.start(prompt) for piece in processors))]
    for _ in range(limit):
        grown = []
        for text, total, states in beams:
            with torch.inference_mode():
                law = Law(model(torch.tensor([[*prompt, *text]]), use_cache=False).logits[:, -1])
            for piece, state in zip(processors, states, strict=True):
                law = piece(law, positions(histories=[[*prompt, *text]], prompt_lengths=[len(prompt)], states=[state]))
            wide = law.full(32)
            for token, logprob in enumerate(wide.logprobs()[0].tolist()):
                if logprob > -math.inf:
                    grown.append(((*text, token), total + logprob, states, law))
        grown = sorted(grown, key=lambda one: -one[1])[:width]
        beams = [
            (text, total, tuple(p.advance(s, text[-1], law) for p, s in zip(processors, states, strict=True)))
            for text, total, states, law in grown
        ]
    return [(list(text), total / limit) for text, total, _ in beams]


@pytest.mark.parametrize(
    "made",
    [
        (Mirostat(0.8, eta=0.5),),
        (DRY(5.0, allowed_length=1, breaker_tokens=()),),
        (DRY(1.5, breaker_tokens=()), Mirostat(1.0)),
    ],
)
def test_what_processors_remember_follows_its_beam(made):
    model = tiny_llama(32, seed=5)
    decoder = Decoder(model)
    plan = decoder.generate([4, 5, 4, 5], *made, beam_search=4, n=4, max_new_tokens=8)
    expected = naive_beam(model, [4, 5, 4, 5], 4, 8, [_built(decoder, one) for one in made])
    assert [sample.tokens for sample in plan.samples] == [text for text, _ in expected]
    assert [float(s.score) for s in plan.samples] == pytest.approx([score for _, score in expected], abs=1e-9)
    plain = decoder.generate([4, 5, 4, 5], beam_search=4, n=4, max_new_tokens=8)
    assert [sample.tokens for sample in plain.samples] != [text for text, _ in expected]


def _built(decoder, technique):
    from decodekit.testing import toy_context

    return technique.build(toy_context(32, max_new_tokens=8, prompt=(4, 5, 4, 5)))


def test_requests_of_all_kinds_share_a_batch():
    model = tiny_llama(64, seed=6)
    model.generation_config.eos_token_id = [9]
    decoder = Decoder(model)
    requests = [
        {"prompt": [1, 2, 3], "beam_search": 4, "n": 3, "max_new_tokens": 7},
        {"prompt": [5] * 9, "beam_search": 2, "max_new_tokens": 12},
        {"prompt": [8], "temperature": 1.5, "n": 2, "seed": 4, "max_new_tokens": 9},
        {"prompt": [8, 9], "max_new_tokens": 5},
        {"prompt": [2, 3], "diverse_beam": {"width": 4, "groups": 2}, "n": 4, "max_new_tokens": 6},
        {"prompt": [2, 3], "stochastic_beam": 3, "n": 3, "seed": 8, "max_new_tokens": 6},
        {"prompt": [7, 7, 7], "beam_sample": 3, "n": 3, "seed": 9, "max_new_tokens": 10},
    ]
    together = decoder.generate(requests)
    for request, found in zip(requests, together, strict=True):
        alone = decoder.generate([request])[0]
        assert [sample.tokens for sample in found.samples] == [sample.tokens for sample in alone.samples]
        assert [sample.score for sample in found.samples] == pytest.approx([sample.score for sample in alone.samples])


@pytest.mark.parametrize("name", SEARCHES)
def test_texts_end_at_stop_strings_and_the_search_goes_on_with_the_others(name):
    decoder = Decoder(tiny_llama(48, seed=3, initializer_range=0.6), byte_vocabulary(48))
    plain = decoder.generate([1, 2], **{name: 4}, n=4, max_new_tokens=10, seed=2)
    stops = sorted({letter for sample in plain.samples for letter in sample.text[1:3]})
    found = decoder.generate([1, 2], **{name: 4}, n=4, max_new_tokens=10, seed=2, stop=stops)
    assert any(sample.finish_reason == "stop" for sample in found.samples)
    for sample in found.samples:
        assert not set(stops) & set(sample.text)
        assert sample.finish_reason == "stop" or len(sample.tokens) == 10


def beams_with_stops(model, width, limit, end, stops, penalty, early):
    """Search over whole texts: one with a stop token goes on as any other, and has ended when its step is over."""
    live, done = [((), 0.0)], []

    def decided(text, total):
        reach = limit if early == "never" and penalty > 0 else len(text)
        best = sorted((score for _, score in done), reverse=True)
        return len(best) >= width and (early is True or total / reach**penalty <= best[width - 1])

    while live and not (live[0][0] and decided(*live[0])):
        grown = []
        for text, total in live:
            for token, logprob in enumerate(model.law([0, *text]).logprobs()[0].tolist()):
                grown.append(((*text, token), total + logprob))
        grown = sorted(grown, key=lambda one: -one[1])[: 2 * width]
        ends = [text[-1] == end or len(text) == limit for text, _ in grown]
        running = [one for one, ended in zip(grown, ends, strict=True) if not ended][:width]
        for (text, total), ended in zip(grown[:width], ends, strict=False):
            if ended:
                done.append((text, total / len(text) ** penalty))
        if not running or decided(*running[0]):
            break
        done += [(text, total / len(text) ** penalty) for text, total in running if text[-1] in stops]
        live = [one for one in running if one[0][-1] not in stops]
    return sorted(done, key=lambda one: -one[1])[:width]


@pytest.mark.parametrize("early", [True, False, "never"])
@pytest.mark.parametrize("penalty", [1.0, 0.0, 2.0, -1.0])
def test_texts_that_the_loop_ends_decide_the_search_before_another_step(early, penalty):
    for seed, stops in itertools.product(range(6), ([2], [2, 3])):
        model = ToyModel(vocab_size=6, seed=seed, scale=1.5)
        model.generation_config.eos_token_id = 5
        options = {"width": 3, "length_penalty": penalty, "early_stopping": early}
        found = Decoder(model).generate([0], beam_search=options, n=3, max_new_tokens=7, stop_tokens=stops)
        expected = beams_with_stops(model, 3, 7, 5, stops, penalty, early)
        assert [tuple(sample.tokens) for sample in found.samples] == [text for text, _ in expected]
        assert [float(s.score) for s in found.samples] == pytest.approx([score for _, score in expected], abs=1e-9)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_stream_gives_the_best_text(name):
    decoder = Decoder(tiny_llama(48, seed=3), byte_vocabulary(48))
    options = {name: 4, "max_new_tokens": 8, "seed": 5}
    pieces = list(decoder.stream([1, 2], **options))
    assert "".join(piece.text for piece in pieces) == decoder.generate([1, 2], **options).text
    assert pieces[-1].finish_reason == "length"


@pytest.mark.parametrize("name", SEARCHES)
def test_more_rows_than_the_vocabulary_allows_is_fewer_rows(name):
    found = Decoder(ToyModel(vocab_size=3, seed=1)).generate([0], **{name: 8}, n=8, max_new_tokens=2, seed=1)
    texts = {tuple(sample.tokens) for sample in found.samples}
    assert 1 < len(texts) <= 9
    assert name != "stochastic_beam" or len(texts) == 8


@pytest.mark.parametrize("name", SEARCHES)
def test_one_new_token_and_more_end_tokens_than_anything_else(name):
    model = ToyModel(vocab_size=5, seed=1)
    model.generation_config.eos_token_id = [1, 2, 3, 4]
    decoder = Decoder(model)
    assert len(decoder.generate([0], **{name: 2}, max_new_tokens=1, seed=1).tokens) == 1
    found = decoder.generate([0], **{name: 2}, n=2, max_new_tokens=6, seed=1)
    assert all(s.tokens[-1] in (1, 2, 3, 4) or len(s.tokens) == 6 for s in found.samples)


def test_equal_continuations_are_taken_in_the_order_of_token_ids():
    logits = torch.zeros(1, 2000)
    logits[0, 500:1500] = 1.0
    columns = torch.randperm(2000, generator=torch.Generator().manual_seed(0))
    group = GroupView([0.0], [0], [5], (), [], None, positions(1))
    for law in (Law(logits), Law(logits[:, columns], columns[None])):
        assert BeamSearch(3)(law, group).tokens == [500, 501, 502]


@pytest.mark.parametrize("name", SEARCHES)
def test_logits_that_are_not_numbers_are_an_error(name):
    model = tiny_llama(16)
    decoder = Decoder(model)
    with torch.no_grad():
        model.lm_head.weight[3] = math.nan
    with pytest.raises(GenerationError, match="the law of row 0 of 1 has NaN"):
        decoder.generate([1, 2], **{name: 4}, max_new_tokens=3)


def test_more_texts_than_rows_are_refused():
    with pytest.raises(Exception, match="'beam_search' gives at most 2 texts, and n is 3"):
        Decoder(tiny_llama(16)).generate([1], beam_search=2, n=3)


def test_a_row_that_goes_on_stays_where_it_was_and_its_rank_is_noted():
    rows = [(parent, token, Score(-token, -token)) for token, parent in enumerate([2, 2, 0, 7])]
    placed = in_place(rows)
    assert [parent for parent, _, _ in placed] == [0, 2, 2, 7]
    assert [score.rank for _, _, score in placed] == [2, 1, 0, 3]


@pytest.mark.parametrize("search", SEARCHES)
def test_a_search_in_a_batch_whose_rows_end_at_different_times_is_the_search_alone(search):
    decoder = Decoder(tiny_llama(16, seed=3))
    requests = [
        {"prompt": [1, 2], search: 4, "n": 4, "max_new_tokens": 4, "seed": 1},
        {"prompt": [3], "n": 4, "temperature": 1.0, "max_new_tokens": 6, "seed": 2},
        {"prompt": [4, 5, 6], search: 4, "n": 4, "max_new_tokens": 12, "seed": 3},
    ]
    together = decoder.generate(requests)
    for request, found in zip(requests, together, strict=True):
        alone = decoder.generate([request])[0]
        assert [sample.tokens for sample in found.samples] == [sample.tokens for sample in alone.samples]
