"""The committed page is what the classes declare, and the README's example runs."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[1]
DOCS = PLUGIN.parents[1] / "docs"


@pytest.mark.skipif(not DOCS.is_dir(), reason="outside of the repository")
def test_the_table_of_techniques_is_the_generated_one():
    spec = importlib.util.spec_from_file_location("generate_tables", DOCS / "generate_tables.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (DOCS / "techniques" / "guidance.md").read_text()
    assert written == module.pages()["guidance"], "run `python docs/generate_tables.py guidance`"


def test_the_readmes_example_runs(capsys: pytest.CaptureFixture[str]):
    (code,) = re.findall(r"```python\n(.*?)```", (PLUGIN / "README.md").read_text(), re.DOTALL)
    exec(code, {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed] == ["guidance", "contrastive", "dola", "contrastive_search"]
    assert len(set(printed)) == 4
