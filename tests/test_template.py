"""The template makes a plugin that builds, loads and passes its own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest

from decodekit.plugins import Origin, Plugins

TEMPLATE = Path(__file__).parent.parent / "template/plugin"
ANSWERS = {"name": "few", "technique": "Few", "description": "Keep few tokens"}


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin made as copier makes it: names and `.jinja` files are rendered, the rest is copied."""
    made = tmp_path_factory.mktemp("plugin")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    for source in (path for path in TEMPLATE.rglob("*") if path.is_file()):
        name = str(source.relative_to(TEMPLATE)).removesuffix(".jinja")
        target = made / environment.from_string(name).render(ANSWERS)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text()
        target.write_text(environment.from_string(text).render(ANSWERS) if source.suffix == ".jinja" else text)
    return made


def test_the_plugin_passes_its_own_tests(plugin: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pyproject.toml", "tests"]
    environment = {**os.environ, "PYTHONPATH": str(plugin / "src")}
    done = subprocess.run(command, cwd=plugin, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_plugin_builds_a_wheel(plugin: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(command, cwd=plugin, check=True, capture_output=True)
    assert [path.name for path in (plugin / "dist").iterdir()] == ["decodekit_few-0.1.0-py3-none-any.whl"]


def test_the_plugin_offers_its_technique(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(plugin / "src"))
    import decodekit_few  # pyright: ignore[reportMissingImports]

    registry = Plugins()
    registry.register(decodekit_few, Origin("few", "decodekit-few", "0.1.0"))
    assert list(registry.techniques) == ["few"]


def test_the_plugin_keeps_to_this_repository_s_style(plugin: Path) -> None:
    settings = ["--line-length", "120", "--select", "E,F,I,UP,D,ANN", "--config", 'lint.pydocstyle.convention="google"']
    command = [sys.executable, "-m", "ruff", "check", "--isolated", *settings, "src"]
    done = subprocess.run(command, cwd=plugin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
