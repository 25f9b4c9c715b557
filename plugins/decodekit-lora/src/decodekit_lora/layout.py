"""How a module sees a batch: `[row, …, query, …, dim]` or flattened row by row. What mixes rows is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from decodekit import CausalModel
from decodekit.types import Tensor

_ROWS, _QUERY = 2, 3
_FINE: WeakKeyDictionary[nn.Module, set[str]] = WeakKeyDictionary()


def faults_of(model: CausalModel, names: Sequence[str]) -> list[str]:
    """Say which modules do not see the rows of a batch one after another.

    A module that the forward pass does not reach is none of them: nothing is added to it, and nothing computed by it.

    *Cost:* one forward pass of six tokens, for modules that are asked about for the first time.
    """
    fine = _FINE.setdefault(model.model, set())
    new = [name for name in names if name not in fine]
    if not new:
        return []
    seen: dict[str, tuple[int, ...]] = {}
    with model.caller.turn.taken():
        handles = [
            model.model.get_submodule(name).register_forward_pre_hook(_looking(seen, name), with_kwargs=True)
            for name in new
        ]
        try:
            devices = [model.device] if model.device.type == "cuda" else []
            with torch.inference_mode(), torch.random.fork_rng(devices=devices):
                tokens = torch.tensor([[0, 1, 0], [1, 0, 1]], device=model.device)
                model.caller(tokens, uncached=True)
        finally:
            for handle in handles:
                handle.remove()
    faults = [
        f"{name!r} sees {list(shape)} where the batch has {_ROWS} rows of {_QUERY} tokens, so that rows cannot be told"
        for name, shape in seen.items()
        if not (shape[0] == _ROWS and _QUERY in shape[1:-1]) and shape[:-1] != (_ROWS * _QUERY,)
    ]
    if not faults:
        fine.update(new)
    return faults


def by_row(values: Tensor, rows: int, query: int) -> Tensor | None:
    """Give what a module takes or gives with the rows as first of at least three axes; None where they are mixed."""
    if values.ndim >= 3 and values.shape[0] == rows:
        return values
    if values.ndim == 2 and values.shape[0] == rows * query:
        return values.reshape(rows, query, -1)
    return None


def argument(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Give the one thing that a linear layer is called with."""
    return args[0] if args else next(iter(kwargs.values()))


def _looking(seen: dict[str, tuple[int, ...]], name: str) -> Any:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen[name] = tuple(argument(args, kwargs).shape)

    return hook


__all__ = ["argument", "by_row", "faults_of"]
