"""Wrong pieces, each with one fault that people really make, and the right pieces next to them.

The laws must fail for every mutant, at the law that it breaks, and pass for every right piece;
`tests/test_testing_mutants.py` holds them to that.
"""

from __future__ import annotations

from decodekit.testing.mutants.base import Mutant
from decodekit.testing.mutants.constraints import CONSTRAINTS
from decodekit.testing.mutants.drafters import DRAFTERS
from decodekit.testing.mutants.hooks import HOOKS
from decodekit.testing.mutants.memories import MEMORIES
from decodekit.testing.mutants.processors import PROCESSORS
from decodekit.testing.mutants.runners import RUNNERS
from decodekit.testing.mutants.searches import SEARCHES
from decodekit.testing.mutants.selectors import SELECTORS
from decodekit.testing.mutants.verifiers import VERIFIERS
from decodekit.testing.mutants.witnesses import WITNESSES

MUTANTS: tuple[Mutant, ...] = (
    *PROCESSORS,
    *SELECTORS,
    *SEARCHES,
    *CONSTRAINTS,
    *DRAFTERS,
    *VERIFIERS,
    *HOOKS,
    *MEMORIES,
    *RUNNERS,
    *WITNESSES,
)
"""All of them; where `breaks` is empty the piece is right."""

__all__ = [
    "CONSTRAINTS",
    "DRAFTERS",
    "HOOKS",
    "MEMORIES",
    "MUTANTS",
    "PROCESSORS",
    "RUNNERS",
    "SEARCHES",
    "SELECTORS",
    "VERIFIERS",
    "WITNESSES",
    "Mutant",
]
