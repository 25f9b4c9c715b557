"""Which of the many equal tests run by default: a fixed sample, the others with `-m slow`."""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")

_SAMPLED = {"test_inside.py": 12, "test_numbers.py": 2}
"""One test in so many."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for name, step in _SAMPLED.items():
        found = [item for item in items if item.path.name == name]
        for number, item in enumerate(found):
            if number % step:
                item.add_marker(pytest.mark.slow)
