"""What PEFT writes is read, and computed with as PEFT computes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from torch.testing import assert_close
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

from decodekit import Decoder
from decodekit_lora import Lora

pytestmark = [
    # Of PEFT's own making:
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:peft"),
]

PROMPT = [1, 2, 3, 4]


def made_by_peft(model: Any, config: LoraConfig) -> Any:
    wrapped = get_peft_model(copy.deepcopy(model), config)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))
    # PEFT computes in the adapter's dtype, float32 by default.
    return wrapped.to(torch.float64).eval()


CONFIGS = {
    "llama": {
        "target_modules": ["q_proj", "k_proj", "up_proj"],
        "rank_pattern": {"layers.1.self_attn.q_proj": 5},
        "alpha_pattern": {"up_proj": 9},
    },
    "gpt2": {"target_modules": ["c_attn", "c_proj"], "use_rslora": True, "fan_in_fan_out": True},
}


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_an_adapter_by_path_by_model_and_by_tensors_is_what_peft_computes(zoo, tmp_path, kind):
    model = zoo(kind).model
    config = LoraConfig(r=3, lora_alpha=5, lora_dropout=0.1, **CONFIGS[kind])
    theirs = made_by_peft(model, config)
    theirs.save_pretrained(tmp_path)
    with torch.inference_mode():
        expected = theirs(torch.tensor([PROMPT]), use_cache=False).logits[0].log_softmax(dim=-1)
        plain = model(torch.tensor([PROMPT]), use_cache=False).logits[0].log_softmax(dim=-1)
    assert not torch.allclose(expected, plain, atol=1e-2)
    scored = expected[:-1].gather(-1, torch.tensor(PROMPT[1:])[:, None]).squeeze(-1)

    decoder = Decoder(model)
    tensors = get_peft_model_state_dict(theirs)
    for adapter in (Lora(tmp_path), Lora(theirs), Lora(tensors, config), Lora(tensors, config.to_dict())):
        result = decoder.generate(PROMPT, adapter, max_new_tokens=1, prompt_logprobs=True)
        assert_close(torch.tensor(result.prompt_logprobs, dtype=torch.float64), scored, rtol=0, atol=1e-10)
        assert result.tokens == [int(expected[-1].argmax())]
        assert_close(result.logprobs[0], float(expected[-1].max()), rtol=0, atol=1e-10)


def tiny_deepseek() -> Any:
    """Its up-projection of keys and values sees `[row, 1, query, dim]`. Without experts, whose router is in float32."""
    sizes = {"hidden_size": 16, "intermediate_size": 24, "moe_intermediate_size": 12, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "v_head_dim": 8, "qk_nope_head_dim": 8}
    ranks = {"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 8, "initializer_range": 0.3}
    ends = {"bos_token_id": None, "eos_token_id": 11, "first_k_dense_replace": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        config = DeepseekV3Config(vocab_size=12, **sizes, **heads, **ranks, **ends)
        return DeepseekV3ForCausalLM(config).to(torch.float64).eval()


def test_a_module_that_sees_the_tokens_behind_another_axis_is_adapted_row_by_row(tmp_path):
    model = tiny_deepseek()
    modules = ["q_a_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"]
    theirs = {r: made_by_peft(model, LoraConfig(r=r, lora_alpha=5, target_modules=modules)) for r in (2, 3)}
    for rank, made in theirs.items():
        made.save_pretrained(tmp_path / str(rank))
    mix = [([1, 2, 3], 2), ([4], 3), ([5, 6, 7, 8, 9, 1, 2], None), ([2, 9], 2), ([3], None)]
    batch = [{"prompt": prompt, **({"lora": tmp_path / str(rank)} if rank else {})} for prompt, rank in mix]
    results = Decoder(model).generate(batch, max_new_tokens=6, prompt_logprobs=True)
    merged = {rank: made.merge_and_unload() for rank, made in theirs.items()} | {None: model}
    for (prompt, rank), result in zip(mix, results, strict=True):
        text = torch.tensor([[*prompt, *result.tokens]])
        with torch.inference_mode():
            laws = merged[rank](text, use_cache=False).logits[0, :-1].log_softmax(dim=-1)
        told = torch.tensor([*result.prompt_logprobs, *result.logprobs], dtype=torch.float64)
        assert_close(told, laws.gather(-1, text[0, 1:, None]).squeeze(-1), rtol=0, atol=1e-10)
        assert result.tokens == laws[len(prompt) - 1 :].argmax(dim=-1).tolist()
    alone = Decoder(model).generate(mix[0][0], max_new_tokens=6)
    assert not torch.allclose(torch.tensor(alone.logprobs[:1]), torch.tensor(results[0].logprobs[:1]), atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"use_dora": True}, "use_dora=True"),
        ({"bias": "all"}, "bias='all'"),
        ({"modules_to_save": ["lm_head"]}, r"modules_to_save=\['lm_head'\]"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices="),
        ({"lora_bias": True}, "lora_bias=True"),
        ({"target_modules": ["embed_tokens"]}, "neither a lora_A nor a lora_B"),
    ],
)
def test_what_peft_can_do_and_this_cannot_is_refused_by_name(zoo, tmp_path, options, message):
    model = zoo().model
    made_by_peft(model, LoraConfig(**{"r": 2, "target_modules": ["q_proj"], **options})).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message):
        Decoder(model).generate(PROMPT, lora=tmp_path)


def test_a_model_with_the_adapter_inside_of_it_is_not_adapted_twice(zoo, tmp_path):
    theirs = made_by_peft(zoo().model, LoraConfig(r=2, target_modules=["q_proj"]))
    theirs.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="does not fit"):
        Decoder(theirs.get_base_model()).generate(PROMPT, lora=tmp_path)
