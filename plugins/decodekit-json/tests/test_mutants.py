"""Small faults put into the engine's source are caught by the laws of the schemas that they concern.

A mutant is the whole package, read anew under a name of its own with one line changed. Where the line is gone the test
says so: give the mutant the line that took its place.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import decodekit_json
from decodekit.testing import violations

from . import test_laws as laws

ROOT = Path(decodekit_json.__file__).parent
NAME = "mutated_decodekit_json"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault.

    Attributes:
        module: Where, without `.py`.
        right: The line, or a part of it that occurs once.
        wrong: What stands in its place.
        laws: The laws that must fail.
    """

    module: str
    right: str
    wrong: str
    laws: type[laws.SchemaLaws]


MUTANTS = [
    Mutant("arrays", "self.group.low <= counts.items:", "self.group.low <= counts.items + 1:", laws.TestHowManyItems),
    Mutant("arrays", "c.high is None or got < c.high", "c.high is None or got <= c.high", laws.TestContains),
    Mutant("objects", "if not needed & self.before[i])", "if True)", laws.TestKeysInTheOrderOfTheSchema),
    Mutant("objects", "needed |= others & ~there", "pass", laws.TestKeysThatNeedOthers),
    Mutant("objects", "found = self._possible & ~progress.seen", "found = self._possible", laws.TestNoKeyTwice),
    Mutant("objects", "min(progress.members + 1, (", "min(progress.members + 2, (", laws.TestAtMostSoManyNamedKeys),
    Mutant("objects", "return self.costs.remaining(progress) == 0", "return True", laws.TestAtLeastSoManyNamedKeys),
    Mutant("characters", "need, room = need - 1 if need else 0,", "need, room = need,", laws.TestLengths),
    Mutant("characters", "else 0, room - 1 if room < INFINITE else room", "else 0, room", laws.TestLengths),
    Mutant(
        "budget",
        "return self._search.fewest(state, remaining) is not None",
        "return False",
        laws.TestLongerTextsOfFewerTokens,
    ),
    Mutant("states", "for thread in current for after", "for thread in current[:1] for after", laws.TestNot),
    Mutant("states", "isinstance(thread.place, End) for", "isinstance(thread.place, str) for", laws.TestBounds),
]


class Source(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Reads the engine's modules under another name, one of them with a fault."""

    def __init__(self, mutant: Mutant | None) -> None:
        self.mutant = mutant

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        package, *parts = fullname.split(".")
        if package != NAME:
            return None
        place = ROOT.joinpath(*parts)
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        return importlib.util.spec_from_file_location(
            fullname, file, loader=self, submodule_search_locations=[str(place)] if place.is_dir() else None
        )

    def exec_module(self, module: ModuleType) -> None:
        text = Path(str(module.__file__)).read_text()
        if self.mutant is not None and module.__name__ == f"{NAME}.{self.mutant.module}":
            text = text.replace(self.mutant.right, self.mutant.wrong)
        exec(compile(text.replace("decodekit_json", NAME), str(module.__file__), "exec"), module.__dict__)


@contextmanager
def mutated(mutant: Mutant | None) -> Iterator[ModuleType]:
    """Give the package with a fault."""
    if mutant is not None:  # asked here, as a law that fails later hides why
        found = ROOT.joinpath(f"{mutant.module}.py").read_text().count(mutant.right)
        assert found == 1, f"{mutant.right!r} is {found} times in {mutant.module}.py"
    source = Source(mutant)
    sys.meta_path.insert(0, source)
    try:
        yield importlib.import_module(NAME)
    finally:
        sys.meta_path.remove(source)
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{NAME}.")]:
            del sys.modules[name]


def broken(package: ModuleType, about: type[laws.SchemaLaws]) -> list[str]:
    """Name the laws that fail for a package's engine."""

    def compiled(self: laws.SchemaLaws) -> Any:
        return package.compile(self.schema, self.words(), **self.options)

    return violations(type("Mutated", (about,), {"compiled": compiled}), about.make)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.module}: {mutant.wrong}")
def test_a_fault_in_the_engine_breaks_a_law(mutant: Mutant) -> None:
    with mutated(mutant) as package:
        assert broken(package, mutant.laws), "no law fails"


def test_without_a_fault_no_law_is_broken() -> None:
    with mutated(None) as package:
        assert broken(package, laws.TestLengths) == []
