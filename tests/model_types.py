"""Every causal model type of transformers as a tiny random model: its default config, shrunk by the names of its sizes.

What a size is called differs from type to type, what it is does not; so one table of names serves most types, and
`OVERRIDES` holds, as data, what remains. Layers of every kind that the default config has are kept.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from transformers import CONFIG_MAPPING, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests.families import randomised

VOCAB = 64
HIDDEN = 32
CONTEXT = 128
WINDOW = 8
"""Windows, chunks and blocks: prompts of the tests are longer."""

SIZES: dict[str, Any] = {
    # tokens
    "vocab_size": VOCAB,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    # A model that gives back what it reads would repeat one token.
    "tie_word_embeddings": False,
    # widths
    "hidden_size": HIDDEN,
    "d_model": HIDDEN,
    "n_embd": HIDDEN,
    "emb_dim": HIDDEN,
    "embedding_dim": HIDDEN,
    "embedding_size": HIDDEN,
    "word_embed_proj_dim": HIDDEN,
    "hidden_size_per_layer_input": 8,
    "vocab_size_per_layer_input": VOCAB,
    "lru_width": HIDDEN,
    "intermediate_size": 48,
    "ffn_dim": 48,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "dff": 48,
    "dim_ff": 48,
    "d_inner": 48,
    "feed_forward_size": 48,
    "intermediate_size_mlp": 48,
    "dense_intermediate_size": 48,
    "moe_intermediate_size": 24,
    "expert_ffn_hidden_size": 24,
    "shared_intermediate_size": 24,
    "shared_expert_intermediate_size": 24,
    "moe_shared_expert_intermediate_size": 24,
    # heads
    "num_attention_heads": 4,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "num_encoder_attention_heads": 4,
    "num_decoder_attention_heads": 4,
    "attention_heads": 4,
    "n_head": 4,
    "n_heads": 4,
    "num_heads": 4,
    "num_key_value_heads": 2,
    "swa_num_attention_heads": 4,
    "swa_num_key_value_heads": 2,
    "head_dim": 8,
    "d_head": 8,
    "dim_head": 8,
    "global_head_dim": 8,
    "swa_head_dim": 8,
    "v_head_dim": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 4,
    "kv_lora_rank": 8,
    "q_lora_rank": 8,
    "shared_experts_intermediate_size": 24,
    "o_lora_rank": 8,
    "kv_channels": 8,
    "attention_head_size": 8,
    "rotary_dim": 4,
    "query_pre_attn_scalar": 8,
    # layers
    "num_hidden_layers": 2,
    "n_layer": 2,
    "n_layers": 2,
    "num_layers": 2,
    "num_blocks": 2,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "num_encoder_layers": 2,
    "num_decoder_layers": 2,
    # experts
    "num_experts": 4,
    "n_routed_experts": 4,
    "num_local_experts": 4,
    "moe_num_experts": 4,
    "num_experts_per_tok": 2,
    "num_experts_per_token": 2,
    "moe_topk": 2,
    "moe_k": 2,
    "n_group": 2,
    "num_expert_group": 2,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "zero_expert_num": 1,
    # recurrent layers
    "state_size": 8,
    "ssm_state_size": 8,
    "mamba_d_state": 8,
    "mamba_dt_rank": 4,
    "time_step_rank": 4,
    "n_groups": 1,
    "mamba_chunk_size": WINDOW,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_heads": 4,
    "linear_head_dim": 8,
    # positions
    "max_position_embeddings": CONTEXT,
    "n_positions": CONTEXT,
    "n_ctx": CONTEXT,
    "max_seq_len": CONTEXT,
    "context_length": CONTEXT,
    "model_max_length": CONTEXT,
    "max_target_positions": CONTEXT,
    "max_source_positions": CONTEXT,
    "sliding_window": WINDOW,
    "sliding_window_size": WINDOW,
    "window_size": WINDOW,
    "attention_window_size": WINDOW,
    "attention_chunk_size": WINDOW,
    "local_attention": WINDOW,
    "keep_window_size": 2 * WINDOW,
    "chunk_size": WINDOW,
    "block_size": WINDOW,
    "use_sliding_window": True,
    "max_window_layers": 1,
    "is_decoder": True,
    # an index of keys
    "index_head_dim": 8,
    # Of few heads, all are often negative at once: scores of 0 tie, and which keys are chosen is anybody's guess.
    "index_n_heads": 16,
    "index_topk": WINDOW,
}

FILLED = (
    "head_dim",
    "num_key_value_heads",
    "n_routed_experts",
    "num_experts_per_tok",
    "sliding_window",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
)
"""Sizes that are set even where the default config leaves them out."""

LAYER_COUNTS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_blocks")

DEFAULT_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
SLIDING_AND_FULL = {"layer_types": ["sliding_attention", "full_attention"]}
SHARED_KEYS: dict[str, Any] = {
    "num_hidden_layers": 4,
    "layer_types": 2 * SLIDING_AND_FULL["layer_types"],
    "num_kv_shared_layers": 2,
}
GEMMA4 = SHARED_KEYS | {"global_head_dim": 16}
DOTS3_NOTE = {
    "swa_num_attention_heads": 4,
    "swa_num_key_value_heads": 4,
    "swa_q_lora_rank": 8,
    "swa_kv_lora_rank": 8,
    "swa_head_dim": 8,
    "swa_qk_nope_head_dim": 4,
    "swa_v_head_dim": 8,
    "head_dim": 8,
    "shared_experts_intermediate_size": 24,
}
QWEN4_EXP = {
    "indexer_n_heads": 16,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 8,
    "indexer_budget": WINDOW,
    "indexer_compress_ratio": 2,
    "ple_layer_ids": [1],
    "ple_embed_dim": HIDDEN,
    "heads_per_ngram": 2,
    "ngram_vocab_size_base": VOCAB,
    "split_ngram_parts": 2,
}

OVERRIDES: dict[str, dict[str, Any]] = {
    "bamba": {"mamba_n_heads": 8, "mamba_d_head": 8, "attn_layer_indices": [1]},
    "blt": {
        "encoder_hash_byte_group_vocab": 512,
        "local_attention_window_len": WINDOW,
        "encoder_config": {"hidden_size_global": 2 * HIDDEN},
        "decoder_config": {"hidden_size_global": 2 * HIDDEN},
        "global_config": {"hidden_size": 2 * HIDDEN},
    },
    "cohere_compass_text": SLIDING_AND_FULL
    | {"rope_parameters": {"sliding_attention": DEFAULT_ROPE, "full_attention": DEFAULT_ROPE}},
    "dbrx": {
        "attn_config": {"rope_theta": 10000.0, "kv_n_heads": 2, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 48},
    },
    "dots1": {"n_shared_experts": 1},
    "dots3_note": DOTS3_NOTE,
    "dots3_note_text": DOTS3_NOTE,
    "falcon_h1": {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_ssm": 64},
    "gemma3n_text": SHARED_KEYS
    | {"intermediate_size": [48] * 4, "activation_sparsity_pattern": [0.5, 0.0, 0.0, 0.0], "laurel_rank": 8},
    "gemma4": {"text_config": GEMMA4},
    "gemma4_text": GEMMA4,
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": {"mamba_n_heads": 8, "mamba_d_head": 8, "layer_types": ["mamba", "attention"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "laguna": SLIDING_AND_FULL,
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "longcat_flash": {"ffn_hidden_size": 48},
    "mamba2": {"num_heads": 8},
    "mellum": SLIDING_AND_FULL,
    "minimax_m3_vl_text": {
        "layer_types": ["full_attention", "minimax_m3_sparse"],
        "mlp_layer_types": ["dense", "sparse"],
        "index_n_heads": 2,
        "index_block_size": 2,
        "index_topk_blocks": 4,
    },
    "ministral": SLIDING_AND_FULL,
    "musicgen": {"num_codebooks": 1},
    "musicgen_melody": {"num_codebooks": 1},
    "nemotron_h": {"mamba_num_heads": 8, "mamba_head_dim": 8},
    "qwen4_exp": QWEN4_EXP,
    "qwen4_exp_text": QWEN4_EXP,
    "recurrent_gemma": {"num_hidden_layers": 3},
    "reformer": {
        "attn_layers": ["local", "lsh"],
        "axial_pos_shape": [16, 8],
        "axial_pos_embds_dim": [16, 16],
        "local_attn_chunk_length": WINDOW,
        "lsh_attn_chunk_length": WINDOW,
        "num_buckets": 4,
        "hash_seed": 0,
    },
    "roc_bert": {
        "pronunciation_embed_dim": HIDDEN,
        "pronunciation_vocab_size": VOCAB,
        "shape_embed_dim": HIDDEN,
        "shape_vocab_size": VOCAB,
    },
    # The mask token that it predicts at must not be its padding, which it looks away from.
    "xlm": {"pad_token_id": 2, "mask_token_id": 0, "n_langs": 2, "lang_id": 1},
    # Its states are as wide as multiples of 64.
    "xlstm": {"hidden_size": 128, "embedding_dim": 128},
    "xmod": {"default_language": "en_XX"},
    "zamba": {
        "num_hidden_layers": 5,
        "layers_block_type": ["linear_attention", "linear_attention", "hybrid", "linear_attention", "hybrid"],
        "attention_head_dim": 16,
    },
    "zamba2": {
        "num_hidden_layers": 5,
        "layers_block_type": ["linear_attention", "linear_attention", "hybrid", "linear_attention", "hybrid"],
    },
    "zaya": {"num_experts_per_tok": 1},
}
"""What the table of names cannot know, by model type; dictionaries reach into the configs inside a config."""


EXCLUDED = {
    "gemma3n": "its image tower needs the packages timm and pillow; the language model alone is gemma3n_text",
    "gemma4_assistant": "no language model of its own: it drafts from the keys and hidden states of a gemma4 model",
    "gemma4_unified_assistant": "no language model of its own: it drafts from another model's keys and hidden states",
}
"""Types that are in transformers' mapping and cannot be built or asked for a next token here, and why."""


SEEDS = {"camembert": 2, "musicgen_melody": 4, "xlm-roberta": 2}
"""Types whose text with the usual weights tells nothing.

In the RoBERTa family it has the padding token in it, which gets no position; in musicgen_melody it is one token.
"""

IN_FLOAT32 = {"xlnet": "the stream of its target positions mixes dtypes"}
"""Types whose plain forward pass runs in float64, but not the one that generates."""


def model_types() -> list[str]:
    """Name every model type that transformers loads as a causal language model, but those of `EXCLUDED`."""
    return sorted(set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - set(EXCLUDED))


def config_of(model_type: str, **more: Any) -> Any:
    """Give the shrunk config of a model type; `more` wins over the type's own overrides."""
    default = CONFIG_MAPPING[model_type]()
    takes = MODEL_FOR_CAUSAL_LM_MAPPING[type(default)].config_class
    if takes is not None and not isinstance(default, takes):
        # The mapping names the language model alone for some configs that also hold towers for images or sound.
        default = default.get_text_config(decoder=True)
    return shrunk(type(default), OVERRIDES.get(model_type, {}) | more, default)


def shrunk(kind: type, overrides: dict[str, Any], default: Any) -> Any:
    """Make a config of this class with every known size small; `overrides` win.

    Args:
        kind: Class of the config.
        overrides: Values by name; a dictionary for a field that is itself a config.
        default: The config whose layers and sizes are shrunk.
    """
    values = {name: _value(default, name) for name in inspect.signature(kind.__init__).parameters if name != "self"}
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, PreTrainedConfig):
            inner = overrides.get(name, {})
            found[name] = shrunk(type(value), inner, value) if isinstance(inner, dict) else inner
        elif name in SIZES and (value is not None or name in FILLED):
            found[name] = SIZES[name]
    found |= _layers(values)
    if "kv_lora_rank" in values:
        # Latent attention has as many keys as queries, and rotates only a part of each.
        found |= {"num_key_value_heads": SIZES["num_attention_heads"], "head_dim": SIZES["qk_rope_head_dim"]}
    own = {name: value for name, value in overrides.items() if not isinstance(values.get(name), PreTrainedConfig)}
    return kind(**{name: value for name, value in (found | own).items() if name in values or name in own})


def _value(config: Any, name: str) -> Any:
    """Read a field; one that differs between layers cannot be read, but is still a size."""
    try:
        return getattr(config, name, None)
    except AttributeError:
        raise
    except Exception:
        return ...


def _layers(values: dict[str, Any]) -> dict[str, Any]:
    """Keep the first layer of each kind, at least two layers: every list with one entry a layer, and their number."""
    name = next((name for name in LAYER_COUNTS if isinstance(values.get(name), int)), None)
    if name is None:
        return {}
    count = values[name]
    lists = {key: value for key, value in values.items() if isinstance(value, list | tuple) and len(value) == count}
    # A list of the layers' own numbers names all of them; nothing is chosen by it.
    numbers = {key for key, value in lists.items() if list(value) == list(range(count))}
    if values.get("use_sliding_window") is not None:
        # Then the config itself makes the kinds, for the window that it did not have.
        numbers |= {"layer_types"} & lists.keys()
    lists = {key: value for key, value in lists.items() if key not in numbers}
    kinds: dict[str, int] = {}
    for layer, entries in enumerate(zip(*lists.values(), strict=True)):
        kinds.setdefault(repr(entries), layer)
    kept = sorted(kinds.values()) if len(kinds) > 1 else [0, 1]
    return {key: [value[layer] for layer in kept] for key, value in lists.items()} | {name: len(kept)}


VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama, dynamic RoPE": (
        "llama",
        {
            "max_position_embeddings": 16,
            "rope_parameters": DEFAULT_ROPE | {"rope_type": "dynamic", "factor": 4.0},
        },
    ),
    "phi3, long RoPE": (
        "phi3",
        {
            "original_max_position_embeddings": 16,
            "rope_parameters": DEFAULT_ROPE
            | {
                "rope_type": "longrope",
                "short_factor": [1.0, 1.1, 1.2, 1.3],
                "long_factor": [3.0, 4.0, 5.0, 6.0],
                "original_max_position_embeddings": 16,
            },
        },
    ),
}
"""Encodings that change at 16 tokens, which the longer prompts of the tests cross."""


def build(name: str, seed: int | None = None, dtype: torch.dtype | None = None) -> Any:
    """Build the tiny model of a type, or of one of `VARIANTS`; the same seed gives the same weights.

    Args:
        name: Model type.
        seed: Of the weights; by default 0, but for the types of `SEEDS`.
        dtype: By default float64, or float32 where the model does not run in float64.
    """
    model = _in_float32(name, seed)
    if dtype is not None:
        return model.to(dtype)
    # The grouped product of a mixture of experts knows no float64.
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")
    try:
        with torch.inference_mode():
            finite = model.double()(input_ids=torch.tensor([[3, 4, 5]]), use_cache=False).logits.isfinite().all()
    except (RuntimeError, TypeError):
        finite = False
    if finite and name not in IN_FLOAT32:
        return model
    return _in_float32(name, seed)


def _in_float32(name: str, seed: int | None) -> Any:
    model_type, more = VARIANTS.get(name, (name, {}))
    seed = SEEDS.get(name, 0) if seed is None else seed
    config = config_of(model_type, **more)
    kind = MODEL_FOR_CAUSAL_LM_MAPPING[CONFIG_MAPPING[model_type]]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(config)
    return randomised(model, seed)
