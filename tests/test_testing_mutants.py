"""The laws fail for every mutant at the law that it breaks, and pass for every right piece."""

from __future__ import annotations

import pytest

from decodekit import testing
from decodekit.testing import violations
from decodekit.testing.mutants import MUTANTS, Mutant

RIGHT = [mutant for mutant in MUTANTS if not mutant.breaks]
WRONG = [mutant for mutant in MUTANTS if mutant.breaks]

LAWS = [getattr(testing, name) for name in testing.__all__ if name.endswith("Laws")]


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


@pytest.mark.parametrize("laws", LAWS, ids=lambda laws: laws.__name__)
def test_every_law_has_a_mutant_that_breaks_it(laws: type) -> None:
    names = [name for name in dir(laws) if name.startswith("test_")]
    words = {word for mutant in WRONG if issubclass(mutant.laws, laws) for word in mutant.breaks}
    meant = {word: [name for name in names if word in name] for word in words}
    assert [word for word, found in meant.items() if len(found) != 1] == [], "a word must name one law"
    assert sorted({name for found in meant.values() for name in found}) == names
