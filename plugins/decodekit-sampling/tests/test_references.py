"""Techniques that transformers has not, or that it decides by rounding: against the paper's formula in plain Python."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decodekit.law import Law
from decodekit.testing import positions, random_law, toy_context
from decodekit_sampling import (
    XTC,
    FrequencyPenalty,
    Mirostat,
    MirostatV1,
    Multinomial,
    PresencePenalty,
    Temperature,
    TopNSigma,
    TopP,
    Typical,
)

WIDTHS = (23, 4099)
LOGITS = st.lists(
    st.one_of(st.just(-math.inf), st.integers(-6, 6).map(float), st.floats(-8, 8)), min_size=2, max_size=30
)


def softmax(logits: list[float]) -> list[float]:
    best = max(logits)
    weights = [math.exp(x - best) for x in logits]
    total = math.fsum(weights)
    return [w / total for w in weights]


def kept(law: Law, width: int) -> list[list[int]]:
    return [row.nonzero().flatten().tolist() for row in law.full(width).allowed]


def possible(logits: list[float]) -> list[float]:
    return logits if max(logits) > -math.inf else [*logits, 0.0]


# temperature


def test_temperature_zero_takes_the_lowest_id_among_equals():
    law = Law(torch.tensor([[1.0, 3.0, 3.0, 0.0]]))
    assert Temperature(0)(law, positions(1)).probs().tolist() == [[0.0, 1.0, 0.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_tiny_temperature_overflows_nowhere(dtype: torch.dtype):
    law = Law(torch.tensor([[100.0, -100.0, -math.inf, 99.0]], dtype=dtype))
    assert Temperature(1e-300)(law, positions(1)).probs().tolist() == [[1.0, 0.0, 0.0, 0.0]]


# top-p


def smallest_prefix(logits: list[float], p: float) -> list[int]:
    probs = softmax(logits)
    taken, mass = [], 0.0
    for token in sorted(range(len(logits)), key=lambda t: (-logits[t], t)):
        if mass >= p - 1e-12:
            break
        taken.append(token)
        mass += probs[token]
    return sorted(t for t in taken if probs[t] > 0)


@given(LOGITS.map(possible), st.floats(0.01, 0.99))
@settings(max_examples=150, deadline=None)
def test_top_p_is_the_smallest_prefix_that_has_the_mass(logits: list[float], p: float):
    law = Law(torch.tensor([logits], dtype=torch.float64))
    assert kept(TopP(p)(law, positions(1)), len(logits)) == [smallest_prefix(logits, p)]


@pytest.mark.parametrize("p", [0.3, 0.9, 0.99, 0.9999])
def test_top_p_on_wide_laws_is_the_smallest_prefix(p: float):
    law = random_law(8, 4099, seed=1)
    expected = [smallest_prefix(row, p) for row in law.logits.tolist()]
    assert kept(TopP(p)(law, positions(8)), 4099) == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("probs", "p", "expected"), [
    ([0.5, 0.25, 0.25], 0.75, [0, 1]),
    ([0.1] * 10, 0.9, list(range(9))),
    ([0.1] * 10, 0.1, [0]),
    ([0.7, 0.2, 0.1], 0.9, [0, 1]),
])  # fmt: skip
def test_a_mass_of_exactly_p_is_enough(probs: list[float], p: float, expected: list[int], dtype: torch.dtype):
    law = Law(torch.tensor([probs], dtype=dtype).log())
    assert kept(TopP(p)(law, positions(1)), len(probs)) == [expected]


def test_top_p_of_one_keeps_what_rounding_would_lose():
    law = Law(torch.tensor([[0.0, -80.0, -200.0, -math.inf]]))
    stacked = TopP.model_construct(p=torch.tensor([[1.0]]))
    assert kept(TopP(1.0)(law, positions(1)), 4) == kept(stacked(law, positions(1)), 4) == [[0, 1, 2]]


# typical


@given(LOGITS.map(possible), st.floats(0.05, 0.95))
@settings(max_examples=100, deadline=None)
def test_typical_takes_the_closest_surprises_until_the_mass_is_reached(logits: list[float], mass: float):
    probs = softmax(logits)
    entropy = -math.fsum(p * math.log(p) for p in probs if p > 0)
    gaps = [abs(-math.log(p) - entropy) if p > 0 else math.inf for p in probs]
    order = sorted(range(len(probs)), key=lambda t: gaps[t])
    total, last = 0.0, 0.0
    for t in order:
        last, total = gaps[t], total + probs[t]
        if total >= mass - 1e-12:
            break
    found = kept(Typical(mass)(Law(torch.tensor([logits], dtype=torch.float64)), positions(1)), len(logits))[0]
    # Gaps of equal tokens are equal only up to rounding.
    assert {t for t in range(len(probs)) if gaps[t] < last - 1e-9} <= set(found)
    assert set(found) <= {t for t in range(len(probs)) if gaps[t] <= last + 1e-9 and probs[t] > 0}


# top-nσ


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("n", [0.0, 0.5, 1.0, 2.5])
def test_top_n_sigma_measures_the_deviation_of_possible_logits(n: float, width: int):
    law = random_law(8, width, seed=4)
    expected = []
    for row in law.logits.tolist():
        finite = [x for x in row if x > -math.inf]
        mean = math.fsum(finite) / len(finite)
        deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in finite) / max(len(finite) - 1, 1))
        floor = max(finite) - n * deviation
        expected.append([t for t, x in enumerate(row) if x > -math.inf and x >= floor])
    assert kept(TopNSigma(n)(law, positions(8)), width) == expected


@pytest.mark.parametrize("temperature", [0.2, 0.7, 3.0])
def test_top_n_sigma_does_not_depend_on_temperature(temperature: float):
    law, at = random_law(8, 4099, seed=6), positions(8)
    hot = TopNSigma(1.0)(Temperature(temperature)(law, at), at)
    assert kept(hot, 4099) == kept(TopNSigma(1.0)(law, at), 4099)


# XTC


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("threshold", [0.02, 0.1, 0.3])
def test_xtc_removes_all_top_choices_but_the_least_likely(threshold: float, width: int):
    law = random_law(16, width, seed=8)
    law = Law(law.logits * 2)
    at = positions(16, draw=lambda seeds, samples, new, purpose: seeds % 2 * 0.5 if purpose == "xtc" else None)
    found = kept(XTC(0.5, threshold, protected=(0, 3))(law, at), width)
    for row, logits in enumerate(law.logits.tolist()):
        probs = softmax(logits)
        top = [t for t, p in enumerate(probs) if p >= threshold]
        least = min((probs[t] for t in top), default=0.0)
        gone = {t for t in top if probs[t] > least and t not in (0, 3)} if row % 2 == 0 else set()
        assert found[row] == [t for t, x in enumerate(logits) if x > -math.inf and t not in gone], row


def test_xtc_flips_its_coin_with_its_probability():
    law = Law(torch.tensor([[0.5, 0.3, 0.2]]).log().expand(4000, 3))
    removed = (~XTC(0.3, 0.1)(law, positions(4000)).allowed[:, 0]).sum().item()
    assert abs(removed - 1200) < 5 * math.sqrt(4000 * 0.3 * 0.7)


def test_xtc_protects_end_tokens_and_the_newline():
    class Tokenizer:
        def encode(self, text: str, add_special_tokens: bool) -> list[int]:
            return {"\n": [9, 1]}[text]

    import dataclasses

    context = dataclasses.replace(toy_context(4), tokenizer=Tokenizer())
    piece = XTC(1.0, 0.1).build(context)
    assert piece.protected == (3, 1)
    law = Law(torch.tensor([[0.3, 0.25, 0.2, 0.25]]).log())
    assert kept(piece(law, positions(1)), 4) == [[1, 2, 3]]


# frequency and presence


def test_frequency_counts_and_presence_does_not():
    law = Law(torch.zeros(2, 6, dtype=torch.float64))
    at = positions(histories=[[5, 1, 1, 2, 1], [1, 2]], prompt_lengths=[2, 2], width=7, padding=4)
    assert FrequencyPenalty(0.5)(law, at).logits.tolist() == [[0, -1.0, -0.5, 0, 0, 0], [0] * 6]
    assert PresencePenalty(0.5)(law, at).logits.tolist() == [[0, -0.5, -0.5, 0, 0, 0], [0] * 6]
    assert FrequencyPenalty(0.5, include_prompt=True)(law, at).logits.tolist()[0] == [0, -1.5, -0.5, 0, 0, -0.5]


# mirostat


@pytest.mark.parametrize("width", WIDTHS)
def test_mirostat_keeps_surprises_up_to_mu(width: int):
    law = random_law(8, width, seed=9)
    mus = [0.5, 3.0, 6.0, 2.0, 12.0, 1.0, 0.0, 4.0]
    found = kept(Mirostat(3.0)(law, positions(states=mus)), width)
    for row, logits in enumerate(law.logits.tolist()):
        surprises = [-math.log2(p) if p > 0 else math.inf for p in softmax(logits)]
        limit = max(mus[row], min(surprises))
        assert found[row] == [t for t, s in enumerate(surprises) if s <= limit + 1e-12]


@pytest.mark.parametrize("width", WIDTHS)
def test_mirostat_v1_takes_k_from_the_zipf_exponent(width: int):
    law = random_law(8, width, seed=10)
    mus = [0.5, 3.0, 6.0, 2.0, 12.0, 1.0, 0.0, 4.0]
    found = kept(MirostatV1(3.0, vocab_size=width)(law, positions(states=mus)), width)
    for row, logits in enumerate(law.logits.tolist()):
        order = sorted(logits, reverse=True)
        pairs = [(a, b) for a, b in pairwise(order[:100]) if b > -math.inf]
        t = [math.log((i + 2) / (i + 1)) for i in range(len(pairs))]
        s = math.fsum(x * (a - b) for x, (a, b) in zip(t, pairs, strict=True)) / (math.fsum(x * x for x in t) or 1)
        s = max(s, 1e-6)
        eps = s - 1
        k = math.exp(min(math.log(eps * 2 ** mus[row] / (1 - width**-eps)) / s, 50))
        floor = order[min(max(int(k), 1), width) - 1]
        assert found[row] == [t for t, x in enumerate(logits) if x > -math.inf and x >= floor], row


def test_a_zipf_exponent_of_one_is_no_division_by_zero():
    law = Law(-torch.arange(1, 200, dtype=torch.float64).log()[None])
    assert len(kept(MirostatV1(vocab_size=199)(law, positions(states=[5.0])), 199)[0]) == int(2**5 / math.log(199))


@pytest.mark.parametrize("technique", [Mirostat(3.0), MirostatV1(3.0, vocab_size=500)], ids=["v2", "v1"])
def test_mirostat_brings_the_mean_surprise_to_tau(technique: Mirostat | MirostatV1):
    ranks = torch.arange(1, 501, dtype=torch.float64).log()
    state = technique.start([])
    surprises = []
    draw = Multinomial()
    for step in range(2100):
        # The law changes from token to token, as a model's does.
        law = Law((-(0.9 + 0.4 * math.sin(step / 7) ** 2) * ranks)[None])
        at = positions(1, histories=[[0] * (step + 1)], prompt_lengths=[1], states=[state], seeds=[5])
        target = technique(law, at)
        token = int(draw(target, at))
        surprises.append(-float(target.logprob_of(torch.tensor([token]))) / math.log(2))
        state = technique.advance(state, token, target)
    mean = math.fsum(surprises[100:]) / 2000
    assert abs(mean - 3.0) < 0.05


def test_mirostat_ignores_a_token_from_outside_of_the_law():
    law = Law(torch.tensor([[0.0, -math.inf]]))
    assert Mirostat(3.0).advance(6.0, 1, law) == 6.0
