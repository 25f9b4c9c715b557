"""The statistics of the test suite see what they should and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
import torch

from decodekit.model import CausalModel
from decodekit.testing import (
    CacheLaws,
    ToyModel,
    chi_square,
    enumerate_law,
    inverse_cdf,
    positions,
    samples_needed,
    total_variation,
    violations,
)


@pytest.mark.parametrize(
    ("cells", "tv", "samples"), [(64, 0.05, 14_159), (64, 0.02, 88_493), (27, 0.05, 10_964), (27, 0.01, 274_098)]
)
def test_sample_sizes_are_those_of_the_verification_page(cells, tv, samples):
    assert abs(samples_needed(cells, tv) - samples) <= 1


def test_an_impossible_outcome_fails_even_once():
    with pytest.raises(AssertionError, match="impossible outcome 2 came 1 times"):
        chi_square({0: 500, 1: 499, 2: 1}, {0: 0.5, 1: 0.5})


def test_rare_outcomes_are_pooled():
    law = {0: 0.5, 1: 0.4998} | dict.fromkeys(range(2, 4), 1e-4)
    assert chi_square({0: 500, 1: 499, 2: 1}, law) > 0.5


def test_a_distance_that_was_planned_for_is_seen():
    n = samples_needed(4, 0.05)
    counts = {0: round(n * 0.30), 1: round(n * 0.20), 2: round(n * 0.25), 3: round(n * 0.25)}
    with pytest.raises(AssertionError, match="chi-square"):
        chi_square(counts, dict.fromkeys(range(4), 0.25))


def test_enumeration_is_a_law_and_ends_at_end_tokens(toy_model):
    law = enumerate_law(toy_model.law, 3, prompt=(1, 2), end_tokens=(5,))
    assert sum(law.values()) == pytest.approx(1, abs=1e-12)
    assert {text for text in law if 5 in text[:-1]} == set()
    assert {len(text) for text in law if text[-1] != 5} == {3}


def test_the_toy_model_follows_its_enumerated_law(toy_model):
    n = samples_needed(36, 0.15)
    texts = [[1] for _ in range(n)]
    for _ in range(2):
        logits = toy_model(torch.tensor(texts)).logits[:, -1]
        law = inverse_cdf(type(toy_model.law([1]))(logits), positions(histories=texts, prompt_lengths=[1] * n))
        texts = [[*text, token] for text, token in zip(texts, law.tolist(), strict=True)]
    chi_square(Counter(tuple(text[1:]) for text in texts), enumerate_law(toy_model.law, 2, prompt=(1,)))


def test_the_toy_model_generates_with_transformers_and_ignores_padding(toy_model):
    out = toy_model.generate(torch.tensor([[3, 4]]), max_new_tokens=4, do_sample=False)[0].tolist()
    for length in range(2, 6):
        assert out[length] == int(toy_model.law(out[:length]).argmax())
    padded = toy_model(torch.tensor([[0, 0, 3, 4]]), attention_mask=torch.tensor([[0, 0, 1, 1]])).logits
    assert torch.equal(padded[0, -1:], toy_model.law([3, 4]).logits)


def test_a_toy_model_of_low_order_forgets():
    model = ToyModel(vocab_size=4, order=1)
    assert total_variation(enumerate_law(model.law, 2, prompt=(1, 3)), enumerate_law(model.law, 2, prompt=(2, 3))) == 0


def test_a_wrapped_toy_model_keeps_the_cache_laws(toy_model):
    laws = type("Toy", (CacheLaws,), {"make_model": lambda self: CausalModel.wrap(toy_model), "programs": 1})
    assert violations(laws) == []


def test_the_pytest_plugin_does_not_import_torch():
    code = "import sys, decodekit.testing.pytest_plugin; print('torch' in sys.modules, 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_every_public_name_is_there():
    import decodekit.testing

    missing = [name for name in decodekit.testing.__all__ if not hasattr(decodekit.testing, name)]
    assert missing == []
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = decodekit.testing.nothing


def test_fixtures_are_there(byte_vocabulary, positions, plugins_with):
    assert byte_vocabulary.bytes_of([104, 105]) == b"hi"
    assert len(positions(2)) == 2
    assert "argmax" in plugins_with().techniques
