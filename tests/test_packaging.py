"""What is shipped: wheels with the right contents, one version, extras and commands that exist."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from decodekit.catalogue import FIRST_PARTY

ROOT = Path(__file__).parent.parent
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
DISTRIBUTIONS = [ROOT, *PLUGINS]
TEST_COMMAND = "pip install tox && tox"
SETUP_COMMAND = "pip install -r requirements/dev.txt && decodekit demo"


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, zipfile.ZipFile]:
    """Every distribution's wheel, built in this environment: hatchling is there, nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheels")
    for source in DISTRIBUTIONS:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
        subprocess.run(command, cwd=source, check=True, capture_output=True)
    return {path.name.split("-")[0]: zipfile.ZipFile(path) for path in folder.glob("*.whl")}


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda folder: project(folder)["name"])
def test_a_wheel_has_its_package_typed_and_nothing_else(folder: Path, wheels: dict[str, zipfile.ZipFile]) -> None:
    name = project(folder)["name"].replace("-", "_")
    files = wheels[name].namelist()
    source = folder / name if folder == ROOT else folder / "src" / name
    expected = {f"{name}/{path.relative_to(source)}" for path in source.rglob("*.py")}
    assert expected <= set(files)
    assert f"{name}/py.typed" in files
    assert {file.split("/")[0] for file in files} == {name, f"{name}-{project(folder)['version']}.dist-info"}
    assert not [file for file in files if "__pycache__" in file or "/tests/" in file]


def test_the_demo_wheel_has_both_models(wheels: dict[str, zipfile.ZipFile]) -> None:
    files = wheels["decodekit_demo"].namelist()
    for model in ("target", "draft"):
        assert f"decodekit_demo/data/{model}/model.safetensors" in files
        assert f"decodekit_demo/data/{model}/tokenizer.json" in files


def test_the_core_wheel_has_its_licence_and_script(wheels: dict[str, zipfile.ZipFile]) -> None:
    core = wheels["decodekit"]
    (entry_points,) = [name for name in core.namelist() if name.endswith("entry_points.txt")]
    assert "decodekit = decodekit.cli:main" in core.read(entry_points).decode()
    assert [name for name in core.namelist() if name.endswith("licenses/LICENSE")]


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda folder: project(folder)["name"])
def test_all_distributions_have_one_version_licence_and_python(folder: Path) -> None:
    core, own = project(ROOT), project(folder)
    assert [own["version"], own["license"], own["requires-python"]] == [
        core["version"],
        core["license"],
        core["requires-python"],
    ]


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugin_is_named_for_its_folder_and_asks_for_this_core(folder: Path) -> None:
    own = project(folder)
    assert own["name"] == folder.name
    assert "decodekit>=0.1,<0.2" in own["dependencies"]
    assert list(own["entry-points"]["decodekit"].values()) == [folder.name.replace("-", "_")]
    assert (folder / "README.md").read_text().startswith(f"# {folder.name}\n")


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_every_plugin_is_set_up_for_development_and_listed(folder: Path) -> None:
    assert f"-e plugins/{folder.name}" in (ROOT / "requirements/dev.txt").read_text().splitlines()
    assert f"(plugins/{folder.name})" in (ROOT / "README.md").read_text()


def test_extras_name_distributions_of_this_repository() -> None:
    extras = project(ROOT)["optional-dependencies"]
    single = [name for name in extras if name not in ("all", "testing")]
    named = {re.split(r"[\[><=]", item)[0] for name in single for item in extras[name]}
    assert named == {folder.name for folder in PLUGINS}
    assert set(FIRST_PARTY.values()) <= {"decodekit", *named}
    assert extras["all"] == [f"decodekit[{','.join(single)}]"]


def test_torch_is_pinned_and_dev_uses_the_constraints() -> None:
    lines = (ROOT / "requirements/constraints.txt").read_text().splitlines()
    assert [line for line in lines if line.startswith("torch==")]
    assert "-c constraints.txt" in (ROOT / "requirements/dev.txt").read_text().splitlines()


def test_the_readme_has_the_two_commands_and_continuous_integration_runs_the_second() -> None:
    readme = (ROOT / "README.md").read_text()
    assert f"$ {SETUP_COMMAND}\n" in readme
    assert f"$ {TEST_COMMAND}\n" in readme
    script = (ROOT / ".ci/run").read_text()
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', TEST_COMMAND]
    assert script.startswith("#!/usr/bin/env bash\n")
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def test_importing_the_package_is_free_of_torch() -> None:
    code = "import decodekit, decodekit.hookspecs, sys; print('torch' in sys.modules, 'typer' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]
