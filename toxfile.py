"""What tox.ini cannot say: one environment per plugin, and one virtual environment for all of them.

tox keeps one virtual environment per name. Each would need its own torch (0.9 GB, most of a minute), although all of
them install the same requirements; the runner `shared` lets them use one.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from tox.config.loader.memory import MemoryLoader
from tox.config.sets import ConfigSet
from tox.config.types import Command, EnvList
from tox.plugin import impl
from tox.session.state import State
from tox.tox_env.info import Info
from tox.tox_env.python.virtual_env.runner import VirtualEnvRunner
from tox.tox_env.register import ToxEnvRegister

CORE = ["lint", "types", "docs", "tests"]
ROOT = Path(__file__).parent
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))


class SharedInfo(Info):
    """What tox remembers about a virtual environment, without the name of the one that made it."""

    @contextmanager
    def compare(self, value: Any, section: str, sub_section: str | None = None) -> Iterator[tuple[bool, Any | None]]:
        """Compare as tox does, and call every environment by one name."""
        if section == "ToxEnv":
            value = {**value, "name": "shared"}
        with super().compare(value, section, sub_section) as answer:
            yield answer


class SharedRunner(VirtualEnvRunner):
    """A virtual environment that several tox environments use, one after another."""

    cleaned: ClassVar[set[Path]] = set()

    @staticmethod
    def id() -> str:
        """Give the word for `runner =` in tox.ini."""
        return "shared"

    @property
    def cache(self) -> Info:
        """What is remembered about the directory."""
        return SharedInfo(self.env_dir)

    def python_cache(self) -> dict[str, Any]:
        """Say on what the directory depends: tox makes it anew when this changes."""
        return {**super().python_cache(), "projects": _fingerprint()}

    def _clean(self, transitive: bool = False) -> None:
        """Remove the directory once per run of tox, not once per environment (`tox -r`)."""
        if self.env_dir not in self.cleaned:
            self.cleaned.add(self.env_dir)
            super()._clean(transitive)


@impl
def tox_register_tox_env(register: ToxEnvRegister) -> None:
    """Offer the runner `shared`."""
    register.add_run_env(SharedRunner)


@impl
def tox_extend_envs() -> list[str]:
    """Name one environment per folder of plugins/."""
    return [_environment(name) for name in PLUGINS]


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    """Say what each plugin's environment runs, the rest comes from [testenv], and that `tox` runs them all."""
    core_conf.loaders.insert(0, MemoryLoader(env_list=EnvList([*CORE, *map(_environment, PLUGINS)])))
    for name in PLUGINS:
        command = Command(["pytest", f"plugins/{name}/tests", "-n", "2"])
        loader = MemoryLoader(description=f"the tests of {name}", commands=[command])
        state.conf.memory_seed_loaders[_environment(name)].append(loader)


def _fingerprint() -> str:
    """Sum up what the distributions declare and what the constraints say; tool settings do not count."""
    paths = [ROOT / "pyproject.toml", *(ROOT / "plugins" / name / "pyproject.toml" for name in PLUGINS)]
    declared = [tomllib.loads(path.read_text(encoding="utf-8"))["project"] for path in paths]
    constraints = (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8")
    return hashlib.sha256(json.dumps([declared, constraints]).encode()).hexdigest()[:16]


def _environment(name: str) -> str:
    return f"plugin-{name.removeprefix('decodekit-')}"
