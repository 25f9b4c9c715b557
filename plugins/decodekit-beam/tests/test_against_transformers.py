"""Beam search and beam sampling against transformers' own `generate`."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
import torch

from decodekit import Decoder
from decodekit.testing import ToyModel, chi_square, tiny_llama

PENALTIES = (-1.0, 0.0, 0.6, 1.0, 2.0)
MODES = (False, True, "never")


def beams_of_transformers(model, prompt, width, limit, **options):
    with torch.inference_mode():
        found = model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
            num_beams=width,
            num_return_sequences=width,
            max_new_tokens=limit,
            do_sample=False,
            pad_token_id=1,
            return_dict_in_generate=True,
            output_scores=True,
            **options,
        )
    return found.sequences[:, len(prompt) :].tolist(), found.sequences_scores.tolist()


@pytest.mark.parametrize("ends", [(), (7,), (11, 3, 5)])
@pytest.mark.parametrize("seed", [0, 1])
def test_texts_and_scores_are_those_of_transformers(seed, ends):
    model = tiny_llama(32, seed=seed)
    model.generation_config.eos_token_id = list(ends) or None
    decoder = Decoder(model)
    lengths = set()
    for width, penalty, mode in itertools.product((2, 3), PENALTIES, MODES):
        rule = {"length_penalty": penalty, "early_stopping": mode}
        texts, scores = beams_of_transformers(model, [1, 2, 3 + seed], width, 9, **rule)
        ours = decoder.generate([1, 2, 3 + seed], beam_search={"width": width, **rule}, n=width, max_new_tokens=9)
        assert len(ours.samples) == width
        for text, score, sample in zip(texts, scores, ours.samples, strict=True):
            assert text[: len(sample.tokens)] == sample.tokens, (width, penalty, mode)
            assert len(sample.tokens) == 9 or sample.tokens[-1] in ends
            assert sample.score == pytest.approx(score, rel=1e-5)  # transformers adds up in float32
            total = sum(sample.target_logprobs)
            assert sample.score == pytest.approx(total / len(sample.tokens) ** penalty, rel=1e-9)
            lengths.add(len(sample.tokens))
    assert len(lengths) > 1 or not ends


def test_processors_are_followed_as_in_transformers():
    model = tiny_llama(16, seed=3)
    options = {"no_repeat_ngram_size": 1, "renormalize_logits": True}
    texts, scores = beams_of_transformers(model, [4, 5, 6], 4, 8, **options)
    ours = Decoder(model).generate([4, 5, 6], beam_search=4, n=4, max_new_tokens=8, no_repeat_ngram=1)
    plain = Decoder(model).generate([4, 5, 6], beam_search=4, n=4, max_new_tokens=8)
    assert [sample.tokens for sample in ours.samples] == texts
    assert [sample.score for sample in ours.samples] == pytest.approx(scores, rel=1e-5)
    assert [sample.tokens for sample in plain.samples] != texts


def draws(weights, count):
    """Every way of drawing without replacement, with its probability."""
    for order in itertools.permutations(range(len(weights)), min(count, len(weights))):
        chance, left = 1.0, sum(weights)
        for i in order:
            chance, left = chance * weights[i] / left, left - weights[i]
        yield order, chance


def beam_sample_law(model, prompt, width, limit):
    """The law of the best text, with width * 2 draws, no end token and a length penalty of 1."""
    law = Counter()
    open_beams = {(((), 0.0),): 1.0}
    for step in range(limit):
        grown = Counter()
        for beams, chance in open_beams.items():
            cells = [
                ((*text, token), score + logprob)
                for text, score in beams
                for token, logprob in enumerate(model.law([*prompt, *text]).logprobs()[0].tolist())
            ]
            for order, drawn in draws([math.exp(score) for _, score in cells], 2 * width):
                picked = [cells[i] for i in order]
                if step == limit - 1:  # all hit the greatest length, of which only the first `width` draws count
                    law[max(picked[:width], key=lambda cell: cell[1])[0]] += chance * drawn
                else:
                    grown[tuple(sorted(picked, key=lambda cell: -cell[1])[:width])] += chance * drawn
        open_beams = grown
    return dict(law)


def test_the_law_of_beam_sampling_is_that_of_transformers():
    model = ToyModel(vocab_size=4, seed=1, scale=0.7)
    law = beam_sample_law(model, [3], 2, 2)
    assert sum(law.values()) == pytest.approx(1)
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        found = model.generate(
            torch.full((1500, 1), 3),
            num_beams=2,
            do_sample=True,
            max_new_tokens=2,
            top_k=0,
            pad_token_id=0,
        )
    chi_square(Counter(map(tuple, found[:, 1:].tolist())), law)
    decoder = Decoder(model, max_rows=6000)
    requests = [{"prompt": [3], "seed": seed} for seed in range(1000)]
    ours = decoder.generate(requests, beam_sample=2, max_new_tokens=2, logprobs=False)
    chi_square(Counter(tuple(one.tokens) for one in ours), law)
