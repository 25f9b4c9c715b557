"""Adapters for decodekit: models whose forward pass is not that of an ordinary causal language model."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import ModelAdapter
from decodekit_adapters.prefixes import MODEL_TYPES, Prefixes, PrefixModel

__all__ = ["MODEL_TYPES", "PrefixModel", "Prefixes"]


@hookimpl
def decodekit_model_adapters() -> list[type[ModelAdapter]]:
    return [Prefixes]
