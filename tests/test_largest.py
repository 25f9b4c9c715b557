"""Selection through blocks finds what a sort finds: ties, impossible entries, NaN and widths that no block divides."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decodekit.largest import Blocks, largest


def rows(width: int, levels: int, seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(levels, (3, width), generator=generator).to(dtype)
    return values.masked_fill(torch.rand(3, width, generator=generator) < 0.3, -math.inf)


@given(
    st.integers(1, 9000),
    st.integers(1, 400),
    st.sampled_from([2, 50, 10**6]),
    st.integers(0, 99),
    st.sampled_from([torch.float32, torch.float64]),
)
@settings(max_examples=80, deadline=None)
def test_the_largest_are_found_with_their_columns(width: int, k: int, levels: int, seed: int, dtype: torch.dtype):
    logits = rows(width, levels, seed, dtype)
    found = largest(logits, k, width)
    assert found is not None
    values, columns = found
    assert values.dtype == logits.numpy().dtype
    for row, mine, places in zip(logits.numpy(), values, columns, strict=True):
        real = mine > -math.inf
        assert np.array_equal(row[places[real]], mine[real])
        assert (np.diff(places[real]) > 0).all()
        possible = np.sort(row[row > -math.inf])[::-1]
        expected = possible[possible >= possible[min(k, len(possible)) - 1]] if len(possible) else possible
        assert np.array_equal(np.sort(mine[real])[::-1][: len(expected)], expected)


@given(st.integers(1, 4000), st.integers(0, 99), st.floats(-1, 60))
@settings(max_examples=40, deadline=None)
def test_what_is_not_below_a_floor_is_exactly_that(width: int, seed: int, floor: float):
    logits = rows(width, 50, seed)
    found = Blocks(logits).not_below(np.full((3, 1), floor, np.float32), width)
    assert found is not None
    wide = np.full(logits.shape, -math.inf, np.float32)
    np.maximum.at(wide, (np.arange(3)[:, None], found[1]), found[0])
    assert np.array_equal(wide, np.where(logits.numpy() >= np.float32(floor), logits.numpy(), -math.inf))


def test_more_than_was_asked_for_is_not_gathered():
    assert largest(torch.zeros(2, 5000), 10, 4999) is None
    assert largest(torch.zeros(2, 5000), 10, 5000) is not None


@pytest.mark.parametrize("place", [0, 4999, 5119, 5120, 5150])
def test_nan_is_not_overlooked(place: int):
    logits = torch.zeros(2, 5151)
    logits[0, :100] = torch.arange(100.0)
    logits[1, place] = math.nan
    found = largest(logits, 5, 5151)
    assert found is not None
    assert np.isnan(found[0][1]).any()
    assert found[0][0].max() == 99.0
    assert np.isnan(Blocks(logits).best()[1, 0])


@given(st.integers(1, 3000), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_best_is_the_best(width: int, seed: int):
    logits = rows(width, 1000, seed)
    assert np.array_equal(Blocks(logits).best(), logits.amax(dim=-1, keepdim=True).numpy())
