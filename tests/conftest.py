"""Settings of the core's tests: one thread, no limits of time; fixtures of `decodekit.testing` where not installed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


def pytest_configure(config: pytest.Config) -> None:
    name = "decodekit.testing.pytest_plugin"
    manager = config.pluginmanager
    if not any(getattr(plugin, "__name__", "") == name for plugin in manager.get_plugins()):
        manager.import_plugin(name)
