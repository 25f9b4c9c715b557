"""Model runners for decodekit: how the forward pass runs."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import ModelRunner
from decodekit_runners.compiled import Compiled


@hookimpl
def decodekit_model_runners() -> list[type[ModelRunner]]:
    """Offer `compiled`."""
    return [Compiled]


__all__ = ["Compiled", "decodekit_model_runners"]
