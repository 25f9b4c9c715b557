"""The generator is Philox4x32-10, uniform, and blind to its batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from decodekit import rng
from decodekit.testing import chi_square

SEED = st.integers(0, 2**64 - 1)
WORD = st.integers(0, 2**32 - 1)


def draw(seeds, samples, positions, purpose="select"):
    return rng.uniform(*(np.array(each, dtype=np.uint64) for each in (seeds, samples, positions)), purpose)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_known_answers_of_random123(counter, key, expected):
    words = rng.philox4x32(np.array(counter, dtype=np.uint64)[:, None], np.array(key, dtype=np.uint64)[:, None])
    assert " ".join(f"{int(word):08x}" for word in words[:, 0]) == expected


@given(seed=SEED, sample=WORD, position=WORD)
def test_a_number_lies_in_the_half_open_unit_interval(seed, sample, position):
    assert 0 <= draw([seed], [sample], [position])[0] < 1


@given(st.lists(st.tuples(SEED, WORD, WORD), min_size=1, max_size=20))
def test_a_draw_does_not_depend_on_its_batch(keys):
    together = draw(*zip(*keys, strict=True))
    alone = [draw(*([value] for value in key))[0] for key in keys]
    assert together.tolist() == alone


@pytest.mark.parametrize("axis", ["seeds", "samples", "positions"])
def test_numbers_are_uniform_along_every_key(axis):
    n = 20_000
    keys = {name: np.arange(n) if name == axis else np.full(n, 3) for name in ("seeds", "samples", "positions")}
    assert kstest(draw(**keys), "uniform").pvalue > 1e-6


def test_neighbouring_positions_and_purposes_are_independent():
    n = 20_000
    cells = {(i, j): 1 / 16 for i in range(4) for j in range(4)}
    for second in (draw([1] * n, [0] * n, range(1, n + 1)), draw([1] * n, [0] * n, range(n), "xtc")):
        first = draw([1] * n, [0] * n, range(n))
        pairs = list(zip((first * 4).astype(int).tolist(), (second * 4).astype(int).tolist(), strict=True))
        chi_square({cell: pairs.count(cell) for cell in cells}, cells)


def test_the_high_half_of_a_seed_counts():
    assert draw([5], [0], [0]) != draw([5 + 2**32], [0], [0])


def test_a_purpose_has_the_same_key_on_every_machine():
    assert rng.purpose_key("select") == 0x4BF2EAC0


def test_numbers_computed_ahead_are_the_same_numbers():
    seeds, samples = np.array([3, 4], dtype=np.uint64), np.array([0, 1], dtype=np.uint64)
    ahead = rng.Draws(seeds, samples)
    rows = np.array([0, 0, 1])
    for start in (0, 1, 40, 70, 5, 1000):
        places = np.array([start, start + 2, 2 * start])
        numbers = rng.uniform(seeds[rows], samples[rows], places.astype(np.uint64), "select")
        assert ahead(rows, places, "select").tolist() == numbers.tolist()
