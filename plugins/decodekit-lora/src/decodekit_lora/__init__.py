"""LoRA adapters per request: rows with different adapters and rows with none share a forward pass. Plugin `lora`."""

from __future__ import annotations

from decodekit import ModelHook, hookimpl
from decodekit_lora.lora import Lora

__all__ = ["Lora"]


@hookimpl
def decodekit_model_hooks() -> list[type[ModelHook]]:
    return [Lora]
