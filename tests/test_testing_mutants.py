"""The laws fail for every mutant at the law that it breaks, and pass for every right piece."""

from __future__ import annotations

import pytest

from decodekit.testing import violations
from decodekit.testing.mutants import MUTANTS, Mutant

RIGHT = [mutant for mutant in MUTANTS if not mutant.breaks]
WRONG = [mutant for mutant in MUTANTS if mutant.breaks]


def _name(mutant: Mutant) -> str:
    return f"{mutant.laws.__name__.strip('_')}-{mutant.name}-{'-'.join(mutant.breaks)}"


@pytest.mark.parametrize("mutant", RIGHT, ids=_name)
def test_a_right_piece_passes_every_law(mutant: Mutant) -> None:
    assert violations(mutant.laws, mutant.make, **mutant.attributes) == []


@pytest.mark.parametrize("mutant", WRONG, ids=_name)
def test_a_wrong_piece_fails_the_laws_that_it_breaks(mutant: Mutant) -> None:
    broken = violations(mutant.laws, mutant.make, only=mutant.breaks, **mutant.attributes)
    missed = [word for word in mutant.breaks if not any(word in name for name in broken)]
    assert not missed, f"not caught: {missed}; caught: {broken}"
