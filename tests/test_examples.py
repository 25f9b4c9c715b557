"""Every numbered example is short, says what it shows, and runs."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("[0-9]*.py"))


def test_examples_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:2]) for path in EXAMPLES] == list(range(1, len(EXAMPLES) + 1))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_prints(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = runpy.run_path(str(path), run_name="__main__")
    assert len(path.read_text().splitlines()) <= 40
    assert "Prints" in names["__doc__"]
    printed = capsys.readouterr().out
    assert printed.strip()
    assert "False" not in printed  # what an example compares is equal
