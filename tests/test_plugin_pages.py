"""Each plugin's committed page is what its classes declare, its README names every technique, and its example runs."""

import importlib.util
import re
from pathlib import Path

import pytest

from decodekit.plugins import plugins

ROOT = Path(__file__).parents[1]
NAMES = sorted(page.stem for page in (ROOT / "docs" / "techniques").glob("*.md"))
# Plugins whose README is one example with its output; the others check theirs beside their own tests.
PRINTED = ("consensus", "lora", "moe", "observers", "prompts", "runners", "schedulers", "stopping")


def readme(name: str) -> str:
    return (ROOT / "plugins" / f"decodekit-{name}" / "README.md").read_text()


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate_tables", ROOT / "docs" / "generate_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.mark.parametrize("name", NAMES)
def test_the_table_of_techniques_is_the_generated_one(pages, name):
    written = (ROOT / "docs" / "techniques" / f"{name}.md").read_text()
    assert written == pages[name], f"run `python docs/generate_tables.py {name}`"


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_names_every_technique(name):
    offered = {offer.name for offer in plugins().techniques.values() if offer.origin.plugin == name}
    assert offered
    assert {technique for technique in offered if f"`{technique}`" not in readme(name)} == set()


@pytest.mark.parametrize("name", PRINTED)
def test_the_readmes_example_prints_what_it_says(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, printed = re.findall(r"```(?:python|text)\n(.*?)```", readme(name), re.DOTALL)
    exec(compile(code, "README.md", "exec", dont_inherit=True), {})
    assert capsys.readouterr().out == printed
