"""Narrow laws are the same laws: selection through blocks, cuts inside of ties, one number one token."""

from __future__ import annotations

import copy
import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decodekit.law import Law
from decodekit.testing import as_candidates, chi_square, positions, random_law, samples_needed
from decodekit_sampling import MinP, Multinomial, Temperature, TopK, TopP
from decodekit_sampling.candidates import above, log_total, ranked, top
from decodekit_sampling.lazy import Divided


def logits_of(width: int, levels: int, seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Give logits on few levels, so that there are many ties, some impossible."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(levels, (3, width), generator=generator).to(dtype)
    return values.masked_fill(torch.rand(3, width, generator=generator) < 0.1, -math.inf)


@given(st.integers(1, 9000), st.integers(1, 400), st.sampled_from([2, 50, 10**6]), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_top_gives_the_largest_values(width: int, k: int, levels: int, seed: int):
    logits = logits_of(width, levels, seed)
    likely = top(Law(logits), k)
    values, columns = likely.logits, likely.ids
    assert columns is not None
    assert torch.equal(values, logits.sort(dim=-1, descending=True).values[:, :k])
    assert torch.equal(logits.gather(-1, columns), values)
    assert all(len(set(row)) == len(row) for row in columns.tolist())


@given(st.integers(1, 9000), st.sampled_from([2, 50, 10**6]), st.floats(-0.5, 1.0), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_above_keeps_what_a_full_width_comparison_keeps(width: int, levels: int, share: float, seed: int):
    logits = logits_of(width, levels, seed)
    logits[:, 0] = 0.0
    floor = torch.full((3, 1), share * levels)
    best = logits.amax(dim=-1, keepdim=True)
    expected = logits.masked_fill(logits < torch.minimum(floor, best), -math.inf)
    assert torch.equal(above(Law(logits), lambda _: floor).full(width).logits, expected)


@given(st.integers(1, 9000), st.integers(1, 300), st.sampled_from([2, 50, 10**6]), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_top_k_keeps_ties_with_the_last(width: int, k: int, levels: int, seed: int):
    logits = logits_of(width, levels, seed)
    logits[:, 0] = 0.0
    floor = logits.sort(dim=-1, descending=True).values[:, min(k, width) - 1, None]
    expected = logits.masked_fill(logits < floor, -math.inf)
    assert torch.equal(TopK(k)(Law(logits), positions(3)).full(width).logits, expected)


@given(st.integers(2, 6000), st.floats(0.01, 0.999), st.sampled_from([2, 20, 10**6]), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_top_p_cuts_ties_by_token_id(width: int, p: float, levels: int, seed: int):
    logits = logits_of(width, levels, seed, torch.float64) / (levels / 8)
    logits[:, 0] = 0.0
    order = ranked(Law(logits))
    before = order.probs().cumsum(dim=-1) - order.probs()
    assert order.ids is not None
    expected = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order.ids, before < p - 1e-12)
    given_law = TopP(p)(Law(logits), positions(3)).full(width)
    clear = ((order.probs().cumsum(dim=-1) - p).abs() > 1e-9).all()
    assert not clear or torch.equal(given_law.allowed, expected & (logits > -math.inf))


@given(st.integers(1024, 9000), st.sampled_from([3, 10**6]), st.sampled_from([0.3, 1.7]), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_law_divided_later_is_the_law_divided_now(width: int, levels: int, heat: float, seed: int):
    logits, at = logits_of(width, levels, seed), positions(3)
    logits[:, 0] = 0.0
    divisor = torch.full((1, 1), heat)
    for piece in (TopK(9), MinP(0.5), TopP(0.9)):
        later, now = piece(Divided(logits, divisor), at), piece(Law(logits / divisor), at)
        assert torch.equal(later.full(width).logits, now.full(width).logits)


@pytest.mark.parametrize("heat", [0.7, 1.3, 3.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_neighbouring_numbers_with_equal_quotients_are_equal(heat: float, dtype: torch.dtype):
    upper = torch.linspace(1, 2, 400, dtype=dtype)
    lower = torch.nextafter(upper, torch.zeros_like(upper))
    alike = upper / heat == lower / heat
    assert bool(alike.any())
    logits = torch.full((int(alike.sum()), 2048), -9.0, dtype=dtype)
    logits[:, 1999], logits[:, 7] = upper[alike], lower[alike]
    divided = Divided(logits, torch.full((1, 1), heat, dtype=dtype))
    for kept in (TopK(1)(divided, positions(len(logits))), above(divided, lambda best: best)):
        found = kept.full(2048).logits
        assert torch.equal(found, divided.logits.masked_fill(logits == -9.0, -math.inf))


def test_a_divided_law_is_an_ordinary_law():
    logits = torch.tensor([[1.0, 2.0, -math.inf], [0.0, 4.0, 4.0]])
    law = Temperature(2.0)(Law(logits.repeat(1, 500)), positions(2))
    assert isinstance(law, Divided)
    assert torch.equal(law.logits, logits.repeat(1, 500) / 2)
    assert law.index_select(torch.tensor([1])).logits.shape == (1, 1500)
    assert law.argmax().tolist() == [1, 1]
    assert law.keep(law.allowed).ids is None
    assert torch.equal(copy.deepcopy(law).logits, law.logits)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_chain_keeps_dtype_and_becomes_narrow(dtype: torch.dtype):
    law = Law(random_law(3, 50_000, seed=1, first=0).logits.to(dtype))
    at = positions(3)
    for piece in (Temperature(0.7), TopK(40), TopP(0.9)):
        law = piece(law, at)
    assert law.ids is not None
    assert law.logits.dtype == dtype
    assert law.logits.shape[-1] < 400
    assert bool(law.full(50_000).allowed.gather(-1, Multinomial()(law, at)[:, None]).all())


def test_a_flat_wide_law_is_cut_at_full_width():
    law = Law(torch.zeros(2, 8192))
    law.logits[1, 5] = 40.0
    found = TopP(0.5)(law, positions(2)).full(8192).allowed
    assert found[0].nonzero().flatten().tolist() == list(range(4096))
    assert found[1].nonzero().flatten().tolist() == [5]


def test_log_total_of_an_impossible_law_is_no_nan():
    assert log_total(torch.full((1, 3), -math.inf)).tolist() == [[-math.inf]]


@pytest.mark.parametrize("width", [5, 127, 128, 129, 1000, 4099])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_full_width_and_candidates_give_the_same_token(width: int, dtype: torch.dtype):
    law = random_law(200, width, seed=2, dtype=dtype)
    at = positions(200)
    expected = Multinomial()(law, at)
    assert torch.equal(Multinomial()(as_candidates(law), at), expected)
    # Independently: the first token in the order of ids whose distribution function exceeds the number.
    ends = law.logits.double().softmax(dim=-1).cumsum(dim=-1)
    naive = (ends > at.uniform("select")[:, None]).to(torch.uint8).argmax(dim=-1)
    assert (naive != expected).sum() == 0


@pytest.mark.parametrize("edge", [0.0, 0.5, 1 - 2**-53])
def test_edges_of_the_uniform_numbers_give_possible_tokens(edge: float):
    logits = torch.full((4, 1000), -math.inf)
    logits[0, 999] = logits[1, 0] = logits[2, 500] = logits[3, 128] = logits[3, 127] = 3.0
    at = positions(4, draw=lambda seeds, *_: seeds * 0.0 + edge)
    tokens = Multinomial()(Law(logits), at).tolist()
    assert tokens[:3] == [999, 0, 500]
    assert tokens[3] == (127 if edge < 0.5 else 128)


def test_wide_laws_are_followed():
    law = random_law(1, 1500, seed=0)
    expected = dict(enumerate(law.probs()[0].tolist()))
    n = min(samples_needed(200, 0.05), 60_000)
    counts: Counter[int] = Counter()
    for first in range(0, n, 2000):
        at = positions(2000, seeds=list(range(first, first + 2000)))
        counts.update(Multinomial()(law.index_select(torch.zeros(2000, dtype=torch.int64)), at).tolist())
    chi_square(counts, expected)
