"""The committed page is what the classes declare, the README names every technique, and its example runs."""

import importlib.util
import re
from pathlib import Path

import pytest

from decodekit.plugins import plugins

PLUGIN = Path(__file__).parents[1]
NAME = PLUGIN.name.removeprefix("decodekit-")
DOCS = PLUGIN.parents[1] / "docs"
README = (PLUGIN / "README.md").read_text()


@pytest.mark.skipif(not DOCS.is_dir(), reason="outside of the repository")
def test_the_table_of_techniques_is_the_generated_one():
    spec = importlib.util.spec_from_file_location("generate_tables", DOCS / "generate_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (DOCS / "techniques" / f"{NAME}.md").read_text()
    assert written == module.pages()[NAME], f"run `python docs/generate_tables.py {NAME}`"


def test_the_readme_names_every_technique():
    offered = {offer.name for offer in plugins().techniques.values() if offer.origin.plugin == NAME}
    assert offered
    assert {name for name in offered if f"`{name}`" not in README} == set()


def test_the_readmes_example_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, printed = re.findall(r"```(?:python|text)\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec", dont_inherit=True), {})
    assert capsys.readouterr().out == printed
