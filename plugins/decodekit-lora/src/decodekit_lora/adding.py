"""Adding adapters' updates to the outputs of modules while one forward pass runs, each to its own rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from decodekit import GenerationError, Pass
from decodekit.types import Int64, Tensor
from decodekit_lora.adapter import Adapter, Update
from decodekit_lora.layout import argument, by_row

Part = tuple[Update, Int64[Tensor, "row"]]
"""An update, and the rows of the batch that get it."""


@dataclass(frozen=True, slots=True, eq=False)
class Adapted:
    """The working piece of a request with an adapter.

    Attributes:
        name: Flat name of the technique.
        adapter: What its rows get.
    """

    name: str
    adapter: Adapter

    def companion(self) -> None:
        """Need no second row."""

    def around(self, run: Pass) -> AbstractContextManager[Any]:
        """Stand around a forward pass for all rows with an adapter."""
        return adding(run)


@contextmanager
def adding(run: Pass) -> Iterator[None]:
    """Let every row of a pass compute with the adapter of its piece; rows without one are left alone."""
    rows, query = run.tokens.shape
    parts: dict[nn.Module, list[Part]] = {}
    for adapter, members in _members(run.pieces).values():
        at: dict[torch.device, Tensor] = {}
        for update in adapter.updates:
            device = update.down.device
            if device not in at:
                at[device] = torch.tensor(members, device=device)
            parts.setdefault(update.module, []).append((update, at[device]))
    with ExitStack() as stack:
        for module, theirs in parts.items():
            handle = module.register_forward_hook(_hook(theirs, rows, query), with_kwargs=True)
            stack.callback(handle.remove)
        yield


def _members(pieces: Sequence[Adapted | None]) -> dict[int, tuple[Adapter, list[int]]]:
    """Group the rows of the batch by adapter."""
    found: dict[int, tuple[Adapter, list[int]]] = {}
    for row, piece in enumerate(pieces):
        if piece is not None:
            found.setdefault(id(piece.adapter), (piece.adapter, []))[1].append(row)
    return found


def _hook(parts: Sequence[Part], rows: int, query: int) -> Callable[..., Tensor]:
    def add(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Tensor:
        given = argument(args, kwargs)
        x, total = by_row(given, rows, query), by_row(output, rows, query)
        if x is None or total is None:
            raise GenerationError(
                f"lora: {parts[0][0].name!r} was given {list(given.shape)} in a batch of {rows} rows of {query} "
                f"tokens, so that rows cannot be told"
            )
        for update, members in parts:
            own = x if len(members) == rows else x.index_select(0, members)
            more = own.to(update.down.dtype) @ update.down.T @ update.up.T
            if len(members) == rows:
                total = (total + more).to(output.dtype)
            else:
                summed = (total.index_select(0, members) + more).to(output.dtype)
                total = total.index_copy(0, members, summed)
        return total.reshape(output.shape)

    return add


__all__ = ["Adapted", "adding"]
