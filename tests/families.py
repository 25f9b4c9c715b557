"""Tiny random models of twenty-one families: two layers or the smallest pattern, windows of 8, seeded, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers as hf

VOCAB = 48
CONTEXT = 128
WINDOW = 8

BASE: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": CONTEXT,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
}
TOKENS: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False}


@dataclass(frozen=True)
class Family:
    """How to build a tiny model, and what is known about it.

    Args:
        build: Config and model class.
        path: The path it should take.
        dtype: Float64 unless the family computes in float32 whatever its weights are.
        experts: A mixture of experts, whose grouped product knows no float64.
    """

    build: Callable[[], tuple[Any, type]]
    path: str = "slots"
    dtype: torch.dtype = torch.float64
    experts: bool = False


def _config(cls: type, **options: Any) -> Any:
    return cls(**(BASE | options))


FAMILIES: dict[str, Family] = {
    "llama": Family(lambda: (_config(hf.LlamaConfig), hf.LlamaForCausalLM)),
    "qwen2": Family(
        lambda: (
            _config(hf.Qwen2Config, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1),
            hf.Qwen2ForCausalLM,
        )
    ),
    "qwen3": Family(lambda: (_config(hf.Qwen3Config, head_dim=8), hf.Qwen3ForCausalLM)),
    "gemma2": Family(
        lambda: (
            _config(hf.Gemma2Config, head_dim=8, sliding_window=WINDOW, query_pre_attn_scalar=8),
            hf.Gemma2ForCausalLM,
        )
    ),
    "gemma3": Family(
        lambda: (
            _config(
                hf.Gemma3TextConfig,
                head_dim=8,
                sliding_window=WINDOW,
                query_pre_attn_scalar=8,
                layer_types=["sliding_attention", "full_attention"],
            ),
            hf.Gemma3ForCausalLM,
        )
    ),
    "gpt2": Family(
        lambda: (
            hf.GPT2Config(vocab_size=VOCAB, n_embd=16, n_layer=2, n_head=2, n_positions=CONTEXT, **TOKENS),
            hf.GPT2LMHeadModel,
        )
    ),
    "opt": Family(
        lambda: (
            hf.OPTConfig(
                vocab_size=VOCAB,
                hidden_size=16,
                ffn_dim=24,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=CONTEXT,
                word_embed_proj_dim=16,
                **TOKENS,
            ),
            hf.OPTForCausalLM,
        )
    ),
    "bloom": Family(
        lambda: (hf.BloomConfig(vocab_size=VOCAB, hidden_size=16, n_layer=2, n_head=2, **TOKENS), hf.BloomForCausalLM)
    ),
    "falcon": Family(
        lambda: (
            hf.FalconConfig(
                vocab_size=VOCAB,
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=CONTEXT,
                **TOKENS,
            ),
            hf.FalconForCausalLM,
        )
    ),
    "mpt": Family(
        lambda: (
            hf.MptConfig(
                vocab_size=VOCAB, d_model=16, n_layers=2, n_heads=2, expansion_ratio=2, max_seq_len=CONTEXT, **TOKENS
            ),
            hf.MptForCausalLM,
        )
    ),
    "gpt_neox": Family(lambda: (_config(hf.GPTNeoXConfig), hf.GPTNeoXForCausalLM)),
    "phi3": Family(lambda: (_config(hf.Phi3Config), hf.Phi3ForCausalLM)),
    "mixtral": Family(
        lambda: (_config(hf.MixtralConfig, num_local_experts=4, num_experts_per_tok=2), hf.MixtralForCausalLM),
        experts=True,
    ),
    "deepseek_v3": Family(
        lambda: (
            _config(
                hf.DeepseekV3Config,
                num_key_value_heads=2,
                moe_intermediate_size=12,
                n_routed_experts=4,
                num_experts_per_tok=2,
                n_shared_experts=1,
                n_group=2,
                topk_group=1,
                first_k_dense_replace=1,
                kv_lora_rank=8,
                q_lora_rank=8,
                qk_rope_head_dim=4,
                qk_nope_head_dim=4,
                v_head_dim=8,
            ),
            hf.DeepseekV3ForCausalLM,
        ),
        experts=True,
    ),
    "gpt_oss": Family(
        lambda: (
            _config(
                hf.GptOssConfig,
                head_dim=8,
                num_local_experts=4,
                num_experts_per_tok=2,
                sliding_window=WINDOW,
                layer_types=["sliding_attention", "full_attention"],
                rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            ),
            hf.GptOssForCausalLM,
        ),
        experts=True,
    ),
    "roberta": Family(
        lambda: (_config(hf.RobertaConfig, is_decoder=True, pad_token_id=1, bos_token_id=0), hf.RobertaForCausalLM)
    ),
    "mamba2": Family(
        lambda: (
            hf.Mamba2Config(
                vocab_size=VOCAB,
                hidden_size=16,
                num_hidden_layers=2,
                num_heads=4,
                head_dim=8,
                state_size=8,
                expand=2,
                n_groups=1,
                chunk_size=8,
                **TOKENS,
            ),
            hf.Mamba2ForCausalLM,
        ),
        path="hybrid",
    ),
    "jamba": Family(
        lambda: (
            _config(
                hf.JambaConfig,
                attn_layer_period=2,
                attn_layer_offset=1,
                expert_layer_period=2,
                expert_layer_offset=1,
                num_experts=2,
                mamba_d_state=4,
                mamba_d_conv=4,
                mamba_expand=2,
                mamba_dt_rank=4,
                use_mamba_kernels=False,
            ),
            hf.JambaForCausalLM,
        ),
        path="hybrid",
        experts=True,
    ),
    "qwen3_next": Family(
        lambda: (
            _config(
                hf.Qwen3NextConfig,
                head_dim=8,
                layer_types=["linear_attention", "full_attention"],
                linear_num_value_heads=2,
                linear_num_key_heads=1,
                linear_key_head_dim=8,
                linear_value_head_dim=8,
                num_experts=4,
                num_experts_per_tok=2,
                moe_intermediate_size=12,
                shared_expert_intermediate_size=12,
            ),
            hf.Qwen3NextForCausalLM,
        ),
        path="hybrid",
        experts=True,
    ),
    "gpt_neo": Family(
        lambda: (
            hf.GPTNeoConfig(
                vocab_size=VOCAB,
                hidden_size=16,
                num_layers=2,
                num_heads=2,
                intermediate_size=24,
                attention_types=[[["global", "local"], 1]],
                window_size=WINDOW,
                max_position_embeddings=CONTEXT,
                **TOKENS,
            ),
            hf.GPTNeoForCausalLM,
        ),
        path="level",
    ),
    "rwkv": Family(
        lambda: (
            hf.RwkvConfig(
                vocab_size=VOCAB,
                hidden_size=16,
                attention_hidden_size=16,
                intermediate_size=24,
                num_hidden_layers=2,
                context_length=CONTEXT,
                **TOKENS,
            ),
            hf.RwkvForCausalLM,
        ),
        path="replay",
    ),
}


def build(name: str, seed: int = 0, dtype: torch.dtype | None = None) -> Any:
    """Build a family's tiny model; the same seed gives the same weights.

    Fresh weights are so small that all positions would get nearly the same logits; they are scaled until the most
    likely token changes along a text.
    """
    family = FAMILIES[name]
    config, model_class = family.build()
    return randomised(model_class(config), seed).to(dtype or family.dtype)


def randomised(model: Any, seed: int = 0) -> Any:
    """Give every matrix of a model weights of a size at which texts vary."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                spread = 1.5 / parameter.shape[-1] ** 0.5
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
    return model.eval()
