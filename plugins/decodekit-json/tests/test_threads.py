"""One compiled schema, used from several threads at once, gives the masks that it gives to one thread."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest

from decodekit_json import Compiled, compile, levels

from .test_recorded import SCHEMAS, VOCABULARY

_THREADS = 4
_NAMES = ["anything", "objects", "closed arrays"]


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def _ways(constraint: Compiled, seed: int, budget: int) -> list[tuple[int, ...]]:
    """Walk at random until the document or the budget ends; give the masks as tokens."""
    rng, state, found = random.Random(seed), constraint.start(), list[tuple[int, ...]]()
    for remaining in range(budget, 0, -1):
        bits = np.unpackbits(constraint.mask(state, remaining).view(np.uint8), bitorder="little")
        allowed = [token for token in np.flatnonzero(bits).tolist() if VOCABULARY.tokens[token]]
        found.append(tuple(allowed))
        if not allowed:
            break
        state = constraint.advance(state, rng.choice(allowed))
    return found


@pytest.mark.parametrize("name", _NAMES)
def test_masks_are_those_of_a_single_thread(name: str):
    schema: Any = SCHEMAS[name]
    alone, shared = (compile(schema, VOCABULARY, parse=lambda text: text) for _ in range(2))
    assert alone is not shared
    budget = alone.min_tokens(alone.start()) + 6
    together = Barrier(_THREADS)

    def work(seed: int) -> list[tuple[int, ...]]:
        together.wait()
        return _ways(shared, seed % 2, budget)

    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(work, range(_THREADS)))
    assert found == [_ways(alone, seed % 2, budget) for seed in range(_THREADS)]


def test_states_are_numbered_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(levels, "_MANY_STATES", 0)  # each reading begins by forgetting what others have numbered
    constraint = compile(True, VOCABULARY)
    waiting: list[Thread] = []

    class Reader(tuple[int, ...]):
        """Reads bytes up to a number; lets another thread in before the first one."""

        __slots__ = ()

        def step(self, byte: int) -> tuple[Any, ...]:
            if waiting:
                other = waiting.pop()
                other.start()
                other.join(0.1)
                others.append(other)
            return (Reader((self[0], len(self))),) if byte < self[0] else ()

    others: list[Thread] = []
    nobody: Any = Reader((0,))
    first, second = Reader((100,)), Reader((40, 1))
    right = levels.Levels(constraint.trie, nobody).read(first, [0]).ids.tolist()  # pyright: ignore[reportArgumentType]
    shared = levels.Levels(constraint.trie, nobody)
    waiting.append(Thread(target=shared.read, args=(second, [0])))
    assert shared.read(first, [0]).ids.tolist() == right  # pyright: ignore[reportArgumentType]
    others[0].join()
