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
    written = (DOCS / "techniques" / "sampling.md").read_text()
    assert written == module.pages()["sampling"], "run `python docs/generate_tables.py sampling`"


def test_the_readme_names_every_technique():
    from decodekit.plugins import plugins

    text = (PLUGIN / "README.md").read_text()
    offered = {o.name for o in plugins().techniques.values() if o.origin.plugin == "sampling"}
    assert {name for name in offered if f"`{name}" not in text} == set()


def test_the_readmes_pipeline_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]):
    code, printed = re.findall(r"```(?:python|text)\n(.*?)```", (PLUGIN / "README.md").read_text(), re.DOTALL)[-2:]
    exec(code, {})
    assert capsys.readouterr().out == printed
