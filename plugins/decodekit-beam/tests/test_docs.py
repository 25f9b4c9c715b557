"""The committed page is what the classes declare, and the README's example runs."""

from __future__ import annotations

import importlib.util
import pickle
import re
from pathlib import Path

import pytest

from decodekit_beam import Score

PLUGIN = Path(__file__).parents[1]
DOCS = PLUGIN.parents[1] / "docs"


@pytest.mark.skipif(not DOCS.is_dir(), reason="outside of the repository")
def test_the_table_of_techniques_is_the_generated_one():
    spec = importlib.util.spec_from_file_location("generate_tables", DOCS / "generate_tables.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (DOCS / "techniques" / "beam.md").read_text()
    assert written == module.pages()["beam"], "run `python docs/generate_tables.py beam`"


def test_the_readmes_example_runs(capsys: pytest.CaptureFixture[str]):
    (code,) = re.findall(r"```python\n(.*?)```", (PLUGIN / "README.md").read_text(), re.DOTALL)
    exec(code, {})
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3
    assert printed[-1] == "3 True"


def test_a_score_is_a_number_that_survives_being_pickled():
    score = Score(-1.5, -3.0, 0.25, 2)
    again = pickle.loads(pickle.dumps(score))
    assert (again, again.logprob, again.penalty, again.group) == (-1.5, -3.0, 0.25, 2)
    assert score + 1 == -0.5
