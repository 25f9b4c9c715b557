"""Diverse beams against a naive reading of the paper, without cache or candidate lists."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from decodekit import Decoder, RequestError
from decodekit.testing import ToyModel, tiny_llama
from decodekit_beam import DiverseBeam


def naive(logprobs, vocab, limit, groups, beams, strength):
    """Algorithm 1 of arXiv:1610.02424 for texts of one length: every group looks at all continuations."""
    held = [[((), 0.0)] for _ in range(groups)]
    for _ in range(limit):
        chosen = Counter()
        for g in range(groups):
            grown = []
            for text, value in held[g]:
                law = logprobs(text)
                for token in range(vocab):
                    dissimilarity = -chosen[token]
                    grown.append(((*text, token), value + law[token] + strength * dissimilarity))
            held[g] = sorted(grown, key=lambda pair: -pair[1])[:beams]
            chosen.update(text[-1] for text, _ in held[g])
    return held


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0, 5.0])
@pytest.mark.parametrize(("groups", "beams"), [(2, 1), (3, 1), (2, 2), (3, 2)])
def test_texts_and_scores_are_those_of_the_paper(groups, beams, strength):
    model = ToyModel(vocab_size=6, seed=3, scale=1.2)
    width = groups * beams
    found = Decoder(model).generate(
        [1, 2],
        diverse_beam={"width": width, "groups": groups, "diversity": strength, "length_penalty": 0.0},
        n=width,
        max_new_tokens=4,
    )
    expected = naive(lambda text: model.law([1, 2, *text]).logprobs()[0].tolist(), 6, 4, groups, beams, strength)
    ours = [
        sorted((float(s.score), tuple(s.tokens)) for s in found.samples if s.score.group == g) for g in range(groups)
    ]
    wanted = [sorted((value, text) for text, value in group) for group in expected]
    for mine, theirs in zip(ours, wanted, strict=True):
        assert [text for _, text in mine] == [text for _, text in theirs]
        assert [value for value, _ in mine] == pytest.approx([value for value, _ in theirs], abs=1e-9)


@pytest.mark.parametrize("options", [{}, {"length_penalty": 0.3, "early_stopping": True}, {"early_stopping": "never"}])
def test_without_diversity_each_group_is_a_beam_search_of_its_own(options):
    model = tiny_llama(32, seed=0)
    model.generation_config.eos_token_id = [7]
    decoder = Decoder(model)
    alone = decoder.generate([1, 2, 3], beam_search={"width": 2, **options}, n=2, max_new_tokens=9)
    diverse = {"width": 6, "groups": 3, "diversity": 0.0, **options}
    found = decoder.generate([1, 2, 3], diverse_beam=diverse, n=6, max_new_tokens=9)
    for group in range(3):
        mine = [(s.tokens, float(s.score)) for s in found.samples if s.score.group == group]
        assert mine == [(s.tokens, pytest.approx(float(s.score), abs=1e-9)) for s in alone.samples]


def test_a_strong_penalty_gives_each_group_another_first_token():
    found = Decoder(tiny_llama(32, seed=2)).generate(
        [1, 2], diverse_beam={"width": 4, "groups": 4, "diversity": 100.0}, n=4, max_new_tokens=5
    )
    assert len({sample.tokens[0] for sample in found.samples}) == 4
    greedy = Decoder(tiny_llama(32, seed=2)).generate([1, 2], max_new_tokens=5)
    assert next(s.tokens for s in found.samples if s.score.group == 0) == greedy.tokens


def test_groups_that_do_not_share_the_width_evenly_are_refused():
    with pytest.raises(RequestError, match="3 groups cannot share a width of 4 evenly"):
        DiverseBeam(4, groups=3)


def test_the_best_of_each_group_come_before_what_else_a_group_ended():
    from decodekit_beam import Score

    scores = [Score(-1, -1, 0, 0), Score(-2, -2, 0, 0), Score(-3, -3, 0, 0), Score(-9, -9, 0, 1)]
    assert DiverseBeam(4, groups=2).rank(scores, [1, 1, 1, 1]) == [0, 1, 3, 2]
    assert torch.tensor(scores).tolist() == [-1, -2, -3, -9]
