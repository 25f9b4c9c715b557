"""Fixtures for plugin authors, found by pytest on its own. Nothing heavy is imported before a fixture is asked for."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from decodekit.plugins import Plugins
    from decodekit.testing.toy_model import ToyModel
    from decodekit.vocabulary import Vocabulary

LAW_MODULES = [
    "caches",
    "constraints",
    "drafters",
    "factories",
    "processors",
    "scenes",
    "searches",
    "selectors",
    "statistics",
    "verifiers",
    "witnesses",
]

pytest.register_assert_rewrite(*(f"decodekit.testing.{name}" for name in LAW_MODULES))


@pytest.fixture
def toy_model() -> ToyModel:
    """Give a model of six tokens in float64 whose law is a table that can be enumerated."""
    from decodekit.testing.toy_model import ToyModel

    return ToyModel(vocab_size=6)


@pytest.fixture
def byte_vocabulary() -> Vocabulary:
    """Give 256 bytes and an end token, id 256."""
    from decodekit.testing.toys import byte_vocabulary

    return byte_vocabulary()


@pytest.fixture
def positions() -> Callable[..., Any]:
    """Give the factory `decodekit.testing.positions`."""
    from decodekit.testing.factories import positions

    return positions


@pytest.fixture
def plugins_with() -> Callable[..., Plugins]:
    """Give a function that makes a plugin registry of its own: the built-ins and the modules or objects it is given.

    No installed plugin is loaded and the process's registry stays as it is.
    """

    def make(*modules: ModuleType | object, disabled: tuple[str, ...] = ()) -> Plugins:
        from decodekit import builtin
        from decodekit.plugins import Origin, Plugins

        found = Plugins(disabled=disabled)
        found.register(builtin, Origin("builtin", "decodekit", ""))
        for module in modules:
            name = getattr(module, "__name__", type(module).__name__)
            found.register(module, Origin(name, name, ""))
        return found

    return make
