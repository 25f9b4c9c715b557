"""Adapters written by hand in PEFT's format, and the models that they would be merged into."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from decodekit.testing import tiny_llama

VOCAB = 12


def tiny_gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64, "initializer_range": 0.3}
        config = GPT2Config(vocab_size=VOCAB, bos_token_id=None, eos_token_id=VOCAB - 1, **sizes)
        return GPT2LMHeadModel(config).to(torch.float64).eval()


MODELS: dict[str, Callable[[], Any]] = {
    "llama": lambda: tiny_llama(VOCAB, seed=3, eos_token_id=VOCAB - 1),
    "gpt2": tiny_gpt2,
}


def tensors_for(model: Any, modules: str, rank: Callable[[str], int], seed: int) -> dict[str, torch.Tensor]:
    """Random A and B for the modules whose names match."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, module in model.named_modules():
        if re.search(modules, name) and hasattr(module, "weight"):
            out, into = module.weight.shape if isinstance(module, nn.Linear) else module.weight.shape[::-1]
            for side, shape in (("A", (rank(name), into)), ("B", (out, rank(name)))):
                values = 0.4 * torch.randn(shape, generator=generator, dtype=torch.float64)
                tensors[f"base_model.model.{name}.lora_{side}.weight"] = values
    return tensors


def write(folder: Path, tensors: dict[str, torch.Tensor], **config: Any) -> str:
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "bias": "none", **config}))
    return str(folder)


def merged(model: Any, tensors: dict[str, torch.Tensor], scale: Callable[[str], float]) -> Any:
    """A copy of the model with W + scaling · B A, the oracle of all equality tests."""
    made = copy.deepcopy(model)
    for key, a in tensors.items():
        if ".lora_A." not in key:
            continue
        name = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
        module, b = made.get_submodule(name), tensors[key.replace("lora_A", "lora_B")]
        update = scale(name) * b @ a
        with torch.no_grad():
            module.weight += update if isinstance(module, nn.Linear) else update.T
    return made


class Zoo:
    """A model, two adapters on disk, and the models merged with them; None is the model as it is."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.model = MODELS[kind]()
        wide = r"(q_proj|v_proj|down_proj|lm_head)$" if kind == "llama" else r"(c_attn|c_proj|c_fc)$"
        narrow = r"layers\.1\.self_attn\.(q|o)_proj$" if kind == "llama" else r"h\.1\.attn\.c_attn$"
        one = tensors_for(self.model, wide, lambda name: 4 if "1." in name else 2, seed=1)
        two = tensors_for(self.model, narrow, lambda name: 3, seed=2)
        self.tensors = {"one": one, "two": two}
        patterns = {"rank_pattern": {r".*\.1\..*": 4}, "alpha_pattern": {r"down_proj|c_fc": 6}}
        options = {"use_rslora": True, "fan_in_fan_out": kind == "gpt2"}
        self.paths = {
            "one": write(folder / f"{kind}-one", one, r=2, lora_alpha=3, **patterns),
            "two": write(folder / f"{kind}-two", two, r=3, lora_alpha=2, **options),
        }

        def scale(name: str) -> float:
            return (6 if re.search("(down_proj|c_fc)$", name) else 3) / (4 if ".1." in name else 2)

        self.merged = {
            "one": merged(self.model, one, scale),
            "two": merged(self.model, two, lambda name: 2 / math.sqrt(3)),
            None: self.model,
        }


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Zoo]:
    made: dict[str, Zoo] = {}
    folder = tmp_path_factory.mktemp("adapters")

    def get(kind: str = "llama") -> Zoo:
        if kind not in made:
            made[kind] = Zoo(kind, folder)
        return made[kind]

    return get
