"""Models of known shapes with random weights: what they say means nothing, what they cost is what a real one costs."""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM


def llama(dtype: torch.dtype = torch.float32, **shape: Any) -> LlamaForCausalLM:
    """A Llama with random weights that never ends a text by itself."""
    torch.manual_seed(0)
    config = LlamaConfig(eos_token_id=None, bos_token_id=None, pad_token_id=0, max_position_embeddings=1024, **shape)
    return LlamaForCausalLM(config).to(dtype).eval()


def tiny() -> LlamaForCausalLM:
    """2 layers, 64 wide, vocabulary 32000, float32."""
    return llama(
        vocab_size=32000,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )


def smollm2() -> LlamaForCausalLM:
    """The shape of SmolLM2-135M: 30 layers, 576 wide, 9 heads over 3, vocabulary 49152, tied, bfloat16."""
    return llama(
        torch.bfloat16,
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    )


def wide() -> LlamaForCausalLM:
    """One layer, 16 wide, vocabulary 131072, float32; logits as uneven as those of a trained model."""
    model = llama(
        vocab_size=131072,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    with torch.no_grad():
        model.lm_head.weight.normal_(std=0.75)
    return model


def ragged(batch: int) -> tuple[list[list[int]], dict[str, torch.Tensor]]:
    """Give prompts of different lengths, and the same padded on the left as transformers wants them."""
    prompts = [list(range(1, 6 + 4 * i)) for i in range(batch)]
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    return prompts, {"input_ids": ids, "attention_mask": mask}
