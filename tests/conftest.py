"""Settings of the core's tests: one thread, and the fixtures of `decodekit.testing` where they are not installed."""

from __future__ import annotations

import pytest
import torch

torch.set_num_threads(1)


def pytest_configure(config: pytest.Config) -> None:
    name = "decodekit.testing.pytest_plugin"
    manager = config.pluginmanager
    if not any(getattr(plugin, "__name__", "") == name for plugin in manager.get_plugins()):
        manager.import_plugin(name)
