"""Parameters as columns, so that one formula serves one request and many.

The loop hands numeric fields over as plain numbers, or as `[position, 1]` tensors where requests differ. Both go
through the law's dtype here and then through the same kernels, so that a row's text does not depend on whom it is
stacked with. *Not* validation: that happened when the technique was made.
"""

from __future__ import annotations

from functools import lru_cache

import torch

from decodekit.types import Float, Int64, Tensor


def column(value: float | Tensor, like: Tensor) -> Float[Tensor, "position 1"]:
    """Give a parameter in the dtype and on the device of `like`, shape [position, 1] or [1, 1]."""
    if isinstance(value, Tensor):
        return value.to(like)
    return _number(float(value), like.dtype, like.device)


def count_column(value: int | Tensor, like: Tensor) -> Int64[Tensor, "position 1"]:
    """Give a whole-number parameter on the device of `like`, shape [position, 1] or [1, 1]."""
    if isinstance(value, Tensor):
        return value.to(like.device, torch.int64)
    return _number(int(value), torch.int64, like.device)


@lru_cache(maxsize=256)
def _number(value: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Make a number once: the same one is asked for at every step, and nobody writes into it."""
    # Laws may want gradients, which a tensor made in inference mode could not be part of.
    with torch.inference_mode(False):
        return torch.full((1, 1), value, dtype=dtype, device=device)
