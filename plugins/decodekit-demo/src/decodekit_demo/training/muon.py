"""Muon (https://kellerjordan.github.io/posts/muon): momentum whose matrices are made orthogonal before each update."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def orthogonal(matrices: Tensor, rounds: int = 5) -> Tensor:
    """Push all singular values of a stack of matrices towards 1, by the quintic Newton-Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = matrices.size(-2) <= matrices.size(-1)
    x = matrices if wide else matrices.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(rounds):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonal updates of the size that AdamW's have, decoupled weight decay; matrices only."""

    def __init__(
        self, params: list[dict[str, Any]], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Update all matrices; those of one shape go through the iteration together."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = {}
            for matrix in group["params"]:
                alike.setdefault(matrix.shape, []).append(matrix)
            for shape, matrices in alike.items():
                grads = torch.stack([m.grad if m.grad is not None else torch.zeros_like(m) for m in matrices])
                state = self.state[matrices[0]]
                moment = state.setdefault("moment", torch.zeros_like(grads))
                moment.lerp_(grads, 1 - group["momentum"])
                update = orthogonal(grads.lerp(moment, group["momentum"])) * (0.2 * max(shape) ** 0.5)
                for matrix, change in zip(matrices, update.unbind(), strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).sub_(change, alpha=group["lr"])
