"""Adapted models decode as transformers' own `generate` without a cache does, position by position."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from decodekit import Decoder
from decodekit.errors import ModelError
from decodekit.model import CausalModel
from decodekit_adapters import MODEL_TYPES, Prefixes, PrefixModel

PLUGIN = Path(__file__).parents[1]
DOCS = PLUGIN.parents[1] / "docs"
PROMPTS = [[3, 4, 5], [7, 21, 12, 9, 30, 11, 5, 17, 8, 26, 14], [10, 20, 30, 13, 23]]
TOKENS: dict[str, Any] = {"vocab_size": 32, "tie_word_embeddings": False}

CONFIGS: dict[str, Any] = {
    "cpmant": lambda: (
        hf.CpmAntConfig(
            **TOKENS,
            hidden_size=16,
            num_attention_heads=2,
            dim_head=8,
            dim_ff=24,
            num_hidden_layers=2,
            prompt_types=4,
            prompt_length=3,
        ),
        hf.CpmAntForCausalLM,
    ),
    "prophetnet": lambda: (
        hf.ProphetNetConfig(
            **TOKENS,
            hidden_size=16,
            num_decoder_layers=2,
            num_decoder_attention_heads=2,
            decoder_ffn_dim=24,
            max_position_embeddings=64,
        ),
        hf.ProphetNetForCausalLM,
    ),
    "reformer": lambda: (
        hf.ReformerConfig(
            **TOKENS,
            is_decoder=True,
            hidden_size=16,
            attention_head_size=8,
            num_attention_heads=2,
            feed_forward_size=24,
            attn_layers=["local", "lsh"],
            axial_pos_shape=[8, 8],
            axial_pos_embds_dim=[8, 8],
            local_attn_chunk_length=4,
            lsh_attn_chunk_length=4,
            num_buckets=4,
            hash_seed=0,
            max_position_embeddings=64,
        ),
        hf.ReformerModelWithLMHead,
    ),
    "xlm": lambda: (
        hf.XLMConfig(
            **TOKENS,
            emb_dim=16,
            n_layers=2,
            n_heads=2,
            n_langs=2,
            lang_id=1,
            max_position_embeddings=64,
            mask_token_id=1,
        ),
        hf.XLMWithLMHeadModel,
    ),
    "xlnet": lambda: (hf.XLNetConfig(**TOKENS, d_model=16, n_layer=2, n_head=2, d_inner=24), hf.XLNetLMHeadModel),
}


@cache
def model(name: str) -> Any:
    config, kind = CONFIGS[name]()
    made = kind(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim >= 2:
                spread = 1.5 / parameter.shape[-1] ** 0.5
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
    made.generation_config.eos_token_id = []
    # XLNet's stream of target positions runs in float32 only.
    return made if name == "xlnet" else made.double()


@cache
def theirs(name: str, row: int) -> list[int]:
    """What transformers generates; a mask of the model's dtype, since ProphetNet makes NaN of integers in float64."""
    options = {"use_mems": False} if name == "xlnet" else {}
    mask = torch.ones(1, len(PROMPTS[row]), dtype=model(name).dtype)
    text = model(name).generate(
        torch.tensor([PROMPTS[row]]),
        attention_mask=mask,
        use_cache=False,
        do_sample=False,
        max_new_tokens=8,
        eos_token_id=None,
        **options,
    )
    return text[0, len(PROMPTS[row]) :].tolist()


@pytest.mark.parametrize("name", MODEL_TYPES)
def test_greedy_text_is_that_of_generate_without_a_cache(name):
    results = Decoder(model(name)).generate([{"prompt": prompt} for prompt in PROMPTS], max_new_tokens=8)
    assert [list(result.tokens) for result in results] == [theirs(name, row) for row in range(len(PROMPTS))]
    assert len({tuple(theirs(name, row)) for row in range(len(PROMPTS))}) > 1


@pytest.mark.parametrize("name", MODEL_TYPES)
def test_each_position_has_the_logits_that_generate_sees_there(name):
    prompt = PROMPTS[1]
    options = {"use_mems": False} if name == "xlnet" else {}
    given = Prefixes().adapt(model(name))(torch.tensor([prompt])).logits[0]
    for length in (1, 4, len(prompt)):
        seen = model(name).generate(
            torch.tensor([prompt[:length]]),
            attention_mask=torch.ones(1, length, dtype=model(name).dtype),
            use_cache=False,
            do_sample=False,
            max_new_tokens=1,
            eos_token_id=None,
            output_logits=True,
            return_dict_in_generate=True,
            **options,
        )
        torch.testing.assert_close(given[length - 1], seen.logits[0][0].to(given.dtype), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", MODEL_TYPES)
def test_chosen_positions_are_those_of_all(name):
    adapted, rows = Prefixes().adapt(model(name)), torch.tensor([PROMPTS[1], PROMPTS[1][::-1]])
    every = adapted(rows).logits
    torch.testing.assert_close(adapted(rows, logits_to_keep=2).logits, every[:, -2:])
    torch.testing.assert_close(adapted(rows, logits_to_keep=torch.tensor([0, 6])).logits, every[:, [0, 6]])


@pytest.mark.parametrize("name", MODEL_TYPES)
def test_the_adapted_model_is_causal_and_shows_the_models_attributes(name):
    adapted = Prefixes().adapt(model(name))
    assert CausalModel.wrap(adapted).path == "uncached"
    assert adapted.config is model(name).config
    assert adapted.get_input_embeddings() is model(name).get_input_embeddings()
    assert not adapted.eval().wrapped.training


@pytest.mark.parametrize("name", ["cpmant", "prophetnet", "xlm", "xlnet"])
def test_without_the_adapter_the_model_is_refused(name):
    with pytest.raises(ModelError, match="is not causal"):
        CausalModel.wrap(model(name))


def test_other_models_are_left_alone():
    config = hf.GPT2Config(vocab_size=32, n_embd=16, n_layer=1, n_head=2)
    assert not Prefixes().matches(hf.GPT2LMHeadModel(config))
    assert not Prefixes().matches(object())


def test_an_adapted_model_is_not_adapted_again():
    adapted = Prefixes().adapt(model("xlm"))
    assert isinstance(adapted, PrefixModel)
    assert Prefixes().adapt(adapted) is adapted


def test_the_readme_names_every_model_type():
    text = (PLUGIN / "README.md").read_text()
    assert all(
        f"| `{name}` | {reason}" in text.replace("`perm_mask`, `target_mapping`", "perm_mask, target_mapping")
        for name, reason in MODEL_TYPES.items()
    )


def test_the_readmes_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]):
    code, printed = re.findall(r"```(?:python|text)\n(.*?)```", (PLUGIN / "README.md").read_text(), re.DOTALL)[-2:]
    exec(code, {})
    assert capsys.readouterr().out == printed


@pytest.mark.skipif(not DOCS.is_dir(), reason="outside of the repository")
def test_the_table_of_techniques_is_the_generated_one():
    spec = importlib.util.spec_from_file_location("generate_tables", DOCS / "generate_tables.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (DOCS / "techniques" / "adapters.md").read_text()
    assert written == module.pages()["adapters"], "run `python docs/generate_tables.py adapters`"
