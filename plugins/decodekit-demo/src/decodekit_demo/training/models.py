"""The two architectures: a small Llama as target, one Llama layer of the same width as draft."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .documents import END


def config(vocab_size: int, layers: int, width: int = 192, inner: int = 512) -> LlamaConfig:
    """A Llama configuration with heads of 32."""
    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        intermediate_size=inner,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        initializer_range=0.05,  # near 1 / sqrt(width); the usual 0.02 starts slowly at this width
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )


def new_target(vocab_size: int, seed: int, layers: int = 4, width: int = 192) -> LlamaForCausalLM:
    """A freshly initialised target; the same for the same seed."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(config(vocab_size, layers, width, inner=8 * width // 3))


def new_draft(target: LlamaForCausalLM, seed: int) -> LlamaForCausalLM:
    """A one-layer draft that starts from the target's embeddings."""
    torch.manual_seed(seed)
    width = target.config.hidden_size
    draft = LlamaForCausalLM(config(target.config.vocab_size, layers=1, width=width, inner=4 * width))
    draft.model.embed_tokens.load_state_dict(target.model.embed_tokens.state_dict())
    return draft


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: str) -> None:
    """Write float16 weights, with a configuration that makes `from_pretrained` load them as float32."""
    half = LlamaForCausalLM(model.config)
    half.load_state_dict(model.state_dict())
    half = half.half()
    ends = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(END)]
    half.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=tokenizer.pad_token_id)
    half.save_pretrained(folder)
    half.config.dtype = torch.float32  # after the weights, because saving them writes their own dtype
    half.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for path in Path(folder).iterdir():
        path.chmod(0o644)
