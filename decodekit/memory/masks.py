"""The model's own attention masks, evaluated at per-row positions.

A hand-made mask is silently wrong for many models (eager attention *adds* it; layers have their own windows, chunks
and biases). transformers describes each mask as a function of (batch, head, query position, key position), so here
that very function is asked about the positions that the rows really stand at: `BridgeCache` gives them where a cache is
asked for the offset of its queries. What is registered for "sdpa" and "eager" stays what it is for other caches, whose
offset is one number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from transformers import masking_utils
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

from decodekit.types import Tensor

SUPPORTED = ("sdpa", "eager")
"""Attention implementations with four-dimensional masks; the others (FlashAttention) cannot express ragged rows."""


def _at_positions(mask_function: Callable[..., Tensor], positions: Tensor) -> Callable[..., Tensor]:
    def moved(batch: Any, head: Any, query: Any, key: Any) -> Tensor:
        return mask_function(batch, head, positions[batch, query], key)

    return moved


def _ragged(original: Callable[..., Tensor | None], additive: bool) -> Callable[..., Tensor | None]:
    @wraps(original)
    def mask(*args: Any, **kwargs: Any) -> Tensor | None:
        positions = kwargs.get("q_offset")
        if not isinstance(positions, torch.Tensor) or positions.ndim != 2:
            return original(*args, **kwargs)
        device = torch.device(kwargs.get("device", "cpu"))
        if positions.device != device:
            positions = positions.to(device)
        function = kwargs.get("mask_function", masking_utils.causal_mask_function)
        if function is masking_utils.causal_mask_function and not additive:
            # The commonest function by far, in one operation instead of ten: masks are made anew at every step.
            return torch.arange(kwargs["kv_length"], device=device) <= positions[:, None, :, None]
        # No row is padded on the left and none holds a gap, so a 2-D mask that the model made up itself says nothing.
        kwargs |= {"attention_mask": None, "q_offset": 0, "kv_offset": 0, "allow_is_causal_skip": False}
        kwargs["mask_function"] = _at_positions(function, positions)
        return original(*args, **kwargs)

    mask.decodekit_original = original  # type: ignore[attr-defined]
    return mask


def register() -> None:
    """Put the wrappers in place; once per process, a second call does nothing."""
    for name in SUPPORTED:
        current = ALL_MASK_ATTENTION_FUNCTIONS[name]
        if not hasattr(current, "decodekit_original"):
            AttentionMaskInterface.register(name, _ragged(current, additive=name == "eager"))
