"""A wrapped model (first slice: slots only)."""

from __future__ import annotations

from typing import Any

import torch

from decodekit.cache import CacheFactory, Slots
from decodekit.memory import Memory, masks
from decodekit.memory.caller import Caller
from decodekit.memory.slots import SlotMemory


class CausalModel:
    def __init__(self, model: Any, caller: Caller, factory: CacheFactory) -> None:
        self.model = model
        self.caller = caller
        self.factory = factory
        self.device = caller.device
        self.dtype: torch.dtype = model.dtype
        config = model.config.get_text_config(decoder=True)
        self.vocab_size: int = config.vocab_size
        self.max_length: int | None = getattr(config, "max_position_embeddings", None)
        self.path = "slots"
        self.reason = ""
        self.exact = factory.exact

    @classmethod
    def wrap(cls, model: Any, *, cache: CacheFactory | None = None, runner: Any = None, path: str | None = None) -> CausalModel:
        masks.register()
        model.eval()
        return cls(model, Caller.of(model, model.device, runner), cache or Slots())

    def memory(self) -> Memory:
        return SlotMemory(self.caller, self.factory)

    def describe(self) -> dict[str, Any]:
        return {"path": self.path}
