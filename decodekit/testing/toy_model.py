"""A causal language model whose next-token law is a table: every prefix has random logits, found by hashing it.

*Not* a neural network: no cache, no training; its exact law over texts can be enumerated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from decodekit import rng
from decodekit.law import Law
from decodekit.types import Float, Int64, Tensor

_PRIME = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1


class ToyConfig(PreTrainedConfig):
    """Configuration of a `ToyModel`.

    Args:
        vocab_size: Number of tokens.
        seed: Of the table.
        order: How many last tokens the law depends on; None is all of them.
        scale: Spread of the logits; large is a confident model.
    """

    model_type = "decodekit_toy"

    def __init__(
        self, vocab_size: int = 6, seed: int = 0, order: int | None = None, scale: float = 1.0, **fields: Any
    ) -> None:
        self.vocab_size = vocab_size
        self.seed = seed
        self.order = order
        self.scale = scale
        self.num_hidden_layers = 1
        self.hidden_size = 1
        self.num_attention_heads = 1
        named: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
        super().__init__(**(named | fields))


class ToyModel(PreTrainedModel, GenerationMixin):
    """A model of a few tokens, in float64, whose law is known exactly.

    Takes part in `generate` of transformers and in a `Decoder` like any other model. `law` gives what `enumerate_law`
    wants.
    """

    config_class = ToyConfig
    base_model_prefix = "toy"
    main_input_name = "input_ids"

    def __init__(self, config: ToyConfig | None = None, **fields: Any) -> None:
        super().__init__(config or ToyConfig(**fields))
        self.embedding = nn.Embedding(self.config.vocab_size, 1, dtype=torch.float64)
        self.post_init()
        self.eval()

    def get_input_embeddings(self) -> nn.Module:
        return self.embedding

    def forward(
        self,
        input_ids: Int64[Tensor, "row query"],
        attention_mask: Int64[Tensor, "row query"] | None = None,
        **ignored: Any,
    ) -> CausalLMOutput:
        rows: list[Tensor] = []
        for row, tokens in enumerate(input_ids.tolist()):
            real = [True] * len(tokens) if attention_mask is None else attention_mask[row].bool().tolist()
            rows.append(self.table(self._keys(tokens, real)))
        return CausalLMOutput(logits=torch.stack(rows).to(input_ids.device))  # pyright: ignore[reportArgumentType]

    def prepare_inputs_for_generation(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, input_ids: Tensor, **inputs: Any
    ) -> dict[str, Any]:
        return {"input_ids": input_ids, "attention_mask": inputs.get("attention_mask")}

    def law(self, tokens: Sequence[int]) -> Law:
        """Give the law after these tokens."""
        return Law(self.table(self._keys(list(tokens), [True] * len(tokens))[-1:]))

    def table(self, keys: Sequence[int]) -> Float[Tensor, "query vocab"]:
        """Give the logits that belong to hashed prefixes."""
        vocab = int(self.config.vocab_size)
        seeds = np.repeat(np.array(keys, dtype=np.uint64), vocab)
        tokens = np.tile(np.arange(vocab, dtype=np.uint64), len(keys))
        uniform = rng.uniform(seeds, tokens, np.zeros_like(tokens), "toy")
        uniform = (uniform + 2.0**-30) / (1 + 2.0**-29)
        logits = self.config.scale * np.log(uniform / (1 - uniform))
        return torch.from_numpy(logits.reshape(len(keys), vocab))

    def _keys(self, tokens: Sequence[int], real: Sequence[bool]) -> list[int]:
        keys: list[int] = []
        seen: list[int] = []
        for token, is_real in zip(tokens, real, strict=True):
            seen = [*seen, token] if is_real else seen
            keys.append(_hash(seen if self.config.order is None else seen[-self.config.order :], self.config.seed))
        return keys


def _hash(tokens: Sequence[int], seed: int) -> int:
    key = (seed + 1) * _PRIME & _WORD
    for token in tokens:
        key = ((key ^ (token + 1)) * _PRIME) & _WORD
        key ^= key >> 29
    return key
