"""DoLa: what the last layer says more than an earlier one, chosen token by token (arXiv:2309.03883)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import Field, PrivateAttr, field_validator
from torch import nn

from decodekit import (
    BuildContext,
    IncompatibleTechniquesError,
    Law,
    LogitsProcessor,
    ModelHook,
    Pass,
    Positions,
    Stage,
)
from decodekit.types import Float, Tensor
from decodekit_guidance.layers import layers_of, listening
from decodekit_guidance.pieces import piece_of


class Dola(
    ModelHook,
    LogitsProcessor,
    name="dola",
    stage=Stage.GUIDANCE,
    source="arXiv:2309.03883; transformers-community/dola",
):
    """Subtract from the log-probabilities those that an earlier, premature layer would give.

    Of the candidate layers, each position takes the one whose law is furthest from the last layer's; the distance is
    the reference's `(KL(m || p) + KL(m || q)) / 2` with m the mean of both laws. Only tokens that are at least
    `relative_top` times as likely as the best one stay possible. Under a constraint all of this is about the allowed
    tokens. As in the reference, early hidden states enter the output embeddings without the final norm, and without
    what some models do to logits afterwards (scales, soft caps).

    *Cost:* for each candidate layer, the output embeddings once more at each position. *Exact.*

    Args:
        layers: "low" or "high", every second layer of that half of the model (of the first or last 20, in models of
            more than 40); or indices, where k is the output of k layers and 0 the embeddings. The last layer is no
            candidate; where nothing else is listed, that is refused.
        relative_top: In [0, 1]; 0 keeps every token.
    """

    layers: Literal["low", "high"] | tuple[int, ...] = "low"
    relative_top: float = Field(default=0.1, ge=0, le=1)
    _modules: tuple[nn.Module, ...] = PrivateAttr(default=())
    _head: nn.Module | None = PrivateAttr(default=None)

    @field_validator("layers")
    @classmethod
    def _indices(cls, value: Any) -> Any:
        if not isinstance(value, str) and (not value or min(value) < 0):
            raise ValueError("at least one layer, counted from 0")
        return value if isinstance(value, str) else tuple(sorted(set(value)))

    def build(self, context: BuildContext) -> Dola:
        model = context.model
        if model is None:
            raise IncompatibleTechniquesError(f"{self.name!r} needs a decoder with a model")
        tied = bool(getattr(model.config, "tie_word_embeddings", False))
        # Refused, where it has to be, before the layers are looked for, which takes a forward pass.
        count = getattr(model.config, "num_hidden_layers", 0) or len(layers_of(model, self.name))
        layers = candidates(self.layers, count, tied=tied)
        modules = layers_of(model, self.name)
        head = model.model.get_output_embeddings()
        if head is None:
            raise IncompatibleTechniquesError(f"{self.name!r}: {type(model.model).__name__} has no output embeddings")
        return piece_of(self, {"layers": layers}, modules=tuple(modules[k] for k in layers), head=head)

    def around(self, run: Pass) -> AbstractContextManager[Any]:
        return _early(run)

    def __call__(self, law: Law, at: Positions) -> Law:
        if not self._modules or self._head is None:
            return law
        early = self._head(torch.stack(list(at.view.notes))).to(law.logits)
        if law.ids is not None:
            early = early.gather(-1, law.ids[:, None].expand(-1, early.shape[1], -1))
        early = early.masked_fill(~law.allowed[:, None], -math.inf)
        late = law.logprobs()
        early = torch.log_softmax(early, dim=-1)
        furthest = distances(late, early).argmax(dim=-1)
        premature = early[torch.arange(len(early), device=early.device), furthest]
        if self.relative_top:
            law = law.keep(late >= late.amax(dim=-1, keepdim=True) + math.log(self.relative_top))
        return law.with_logits(late - premature.masked_fill(~law.allowed, 0)).keep(law.allowed)


def candidates(layers: str | tuple[int, ...], count: int, *, tied: bool) -> tuple[int, ...]:
    """Give the candidate layers as the reference chooses them.

    Args:
        layers: What the user wants.
        count: Layers of the model.
        tied: Whether input and output embeddings are the same: then layer 0 would give the token back.

    Raises:
        IncompatibleTechniquesError: The model has no such layers.
    """
    if not isinstance(layers, str):
        if layers[-1] > count:
            raise IncompatibleTechniquesError(f"'dola': there is no layer {layers[-1]} in a model of {count} layers")
        if layers == (count,):
            raise IncompatibleTechniquesError(
                f"'dola': layer {count} is the last one of {count}, and is contrasted with earlier ones",
                hint=f"list layers from 0 (the embeddings) to {count - 1}",
            )
        return tuple(k for k in layers if k < count)
    half = range(0, count // 2, 2) if count <= 40 else range(0, 20, 2)
    start = 0 if not tied else min(2, count - 1)
    if layers == "high":
        found = range(count // 2, count, 2) if count <= 40 else range(count - 20, count, 2)
    else:
        found = (start,) if start == count // 2 else range(start, half.stop, 2)
    if not found:
        raise IncompatibleTechniquesError(
            f"'dola': a model of {count} layers with tied embeddings has no low layers", hint="dola='high'"
        )
    return tuple(found)


def distances(
    late: Float[Tensor, "position candidate"], early: Float[Tensor, "position layer candidate"]
) -> Float[Tensor, "position layer"]:
    """Give the reference's distance of each layer's log-probabilities from the last layer's."""
    late = late[:, None]
    mean = torch.logaddexp(late, early) - math.log(2)
    share = mean.exp()

    def divergence(other: Tensor) -> Tensor:
        return torch.where(share > 0, share * (mean - other), 0).sum(dim=-1)

    return (divergence(late) + divergence(early)) / 2


@contextmanager
def _early(run: Pass) -> Iterator[None]:
    """Write down what enters each piece's candidate layers, token by token."""
    modules = list({module: None for piece in run.pieces if piece is not None for module in piece._modules})
    with listening(modules) as (seen, _):
        yield
    place = {module: seen[k] for k, module in enumerate(modules)}
    run.note(
        [
            None
            if piece is None or not piece._modules
            else _Early([place[m][row] for m in piece._modules], piece._head)
            for row, piece in enumerate(run.pieces)
        ]
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Early:
    """One row's early hidden states; those of a token are put together when asked for.

    Attributes:
        states: Per candidate layer, shape [query, dim].
        head: The output embeddings.
    """

    states: list[Float[Tensor, "query dim"]]
    head: nn.Module

    def __getitem__(self, column: int) -> Float[Tensor, "layer dim"]:
        device = next(self.head.parameters()).device
        return torch.stack([states[column].to(device) for states in self.states])
