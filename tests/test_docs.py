"""What the documents say is true: every hook is there, every example runs, every link leads somewhere."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import decodekit
from decodekit import errors, hookspecs, testing
from decodekit.plugins import HOOK_ROLES, Origin, Plugins

ROOT = Path(__file__).parent.parent
HOOKS_PAGE = (ROOT / "docs/plugins/hooks.md").read_text()
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]
HOOKS = [name for name in vars(hookspecs) if name.startswith("decodekit_")]


def blocks(text: str) -> list[str]:
    """Give the Python examples, without those after a comment `<!-- not run -->`."""
    found = re.findall(r"(<!-- not run[^\n]*-->\s*)?^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [code for skipped, code in found if not skipped]


def signature(name: str) -> str:
    """Give a hook's signature as it stands in hookspecs.py, without the module's short name."""
    hook = inspect.signature(getattr(hookspecs, name))
    return f"{name}{hook}".replace("'", "").replace("t.", "")


def section(hook: str) -> str:
    """Give the part of the page that is about one hook."""
    return HOOKS_PAGE.split(f"### `{signature(hook)}`")[1].split("\n### ")[0]


def execute(code: str, names: dict[str, Any], where: str) -> None:
    """Run an example as its own module would: without this one's `from __future__`."""
    exec(compile(code, where, "exec", dont_inherit=True), names)


@pytest.fixture(scope="module")
def preamble() -> dict[str, Any]:
    """What the page's first block defines."""
    names: dict[str, Any] = {}
    execute(blocks(HOOKS_PAGE)[0], names, "hooks.md")
    return names


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_exact_signature(hook: str) -> None:
    assert f"### `{signature(hook)}`" in HOOKS_PAGE


def test_the_page_documents_no_hook_that_does_not_exist() -> None:
    assert re.findall(r"^### `(decodekit_\w+)", HOOKS_PAGE, flags=re.MULTILINE) == HOOKS


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_when_it_is_called_and_since_when(hook: str) -> None:
    text = " ".join((inspect.getdoc(getattr(hookspecs, hook)) or "").split())
    assert "Called once per process" in text
    assert re.search(r"Since: \d+\.\d+\.$", text)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_of_every_hook_runs_and_registers(hook: str, preamble: dict[str, Any]) -> None:
    (example,) = blocks(section(hook))
    module = ModuleType("documented")
    vars(module).update(preamble)
    execute(example, vars(module), hook)
    registry = Plugins()
    registry.register(module, Origin("documented", "documented", "1"))
    offered = [*registry.techniques.values(), *registry.commands.values()]
    assert offered
    if hook in HOOK_ROLES:
        assert all(issubclass(offer.item, HOOK_ROLES[hook]) for offer in offered)


LAWS = {
    "logits_processors": ("Sharpen", testing.ProcessorLaws),
    "token_selectors": ("RunnerUp", testing.SelectorLaws),
    "searches": ("Beams", testing.SearchLaws),
    "drafters": ("Echo", testing.DrafterLaws),
    "verifiers": ("Refuse", testing.VerifierLaws),
    "aggregators": ("Shortest", testing.AggregatorLaws),
    "schedulers": ("SmallFirst", testing.SchedulerLaws),
    "stopping": ("Sentences", testing.StopLaws),
}


@pytest.mark.parametrize("hook", LAWS)
def test_the_example_keeps_the_laws_of_its_role(hook: str, preamble: dict[str, Any]) -> None:
    names = {**preamble}
    execute(blocks(section(f"decodekit_{hook}"))[0], names, hook)
    name, laws = LAWS[hook]
    assert testing.violations(laws, names[name]) == []


def test_the_example_of_a_search_runs_under_laws_of_few_tokens(preamble: dict[str, Any]) -> None:
    names = {**preamble}
    execute(blocks(section("decodekit_searches"))[0], names, "searches")
    result = names["decoder"].generate("Once", names["Beams"](), choice=["one", "two"], top_k=2, n=2)
    assert len(result.samples) == 2
    assert {sample.text for sample in result.samples} <= {"one", "two"}


@pytest.mark.parametrize("hook", ["kv_caches", "model_runners", "schedulers"])
def test_the_examples_of_engine_options_decode(hook: str, preamble: dict[str, Any]) -> None:
    module = ModuleType("documented")
    vars(module).update(preamble)
    execute(blocks(section(f"decodekit_{hook}"))[0], vars(module), hook)
    registry = Plugins()
    from decodekit import builtin

    registry.register(builtin, Origin("builtin", "decodekit", "1"))
    before = set(registry.techniques)
    registry.register(module, Origin("documented", "documented", "1"))
    (name,) = set(registry.techniques) - before
    plain = preamble["decoder"]
    decoder = decodekit.Decoder(plain.model, plain.tokenizer, registry=registry, **{name: True})
    assert len(decoder.generate("Once upon a time", max_new_tokens=3).tokens) == 3


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "hooks.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_examples_of_every_page_run_in_order(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = ModuleType("documented")
    for number, code in enumerate(blocks(page.read_text())):
        execute(code, vars(module), f"{page.name} block {number}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_every_error_is_explained() -> None:
    page = (ROOT / "docs/errors.md").read_text()
    public = {name: item for name, item in vars(errors).items() if isinstance(item, type) and not name.startswith("_")}
    names = [name for name, item in public.items() if item.__module__ == "decodekit"]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_class_of_laws_is_listed() -> None:
    page = (ROOT / "docs/laws.md").read_text()
    assert [name for name in testing.__all__ if name.endswith("Laws") and f"| `{name}` |" not in page] == []
