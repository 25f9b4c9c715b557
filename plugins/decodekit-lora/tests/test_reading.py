"""Adapters that do not fit are refused before the first forward pass; those that fit are read once."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

import decodekit_lora.lora as module
from decodekit import Decoder, IncompatibleTechniquesError, RequestError
from decodekit.testing import tiny_llama
from decodekit_lora import Lora
from decodekit_lora.adapter import Adapter
from decodekit_lora.kept import KeptAdapters
from decodekit_lora.layout import by_row
from decodekit_lora.source import Source

CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 4}
KEY = "base_model.model.model.layers.0.self_attn.q_proj"
PAIR = {f"{KEY}.lora_A.weight": torch.ones(2, 16), f"{KEY}.lora_B.weight": torch.ones(16, 2)}


def refuse(zoo, match, tensors=PAIR, error=RequestError, **config):
    decoder = Decoder(zoo().model)
    with pytest.raises(error, match=match):
        decoder.generate([1], Lora(tensors, {**CONFIG, **config}), max_new_tokens=1)


def test_other_kinds_of_adapters_are_refused(zoo):
    refuse(zoo, "of the type IA3", peft_type="IA3")
    refuse(zoo, "init_lora_weights='pissa'", init_lora_weights="pissa")
    refuse(zoo, "some_future_option=1", some_future_option=1)
    refuse(zoo, "no usable r and lora_alpha", lora_alpha=None)


def test_an_adapter_of_another_model_is_refused_with_names_and_shapes(zoo):
    def renamed(old, new):
        return {key.replace(old, new): value for key, value in PAIR.items()}

    misfit = {"error": IncompatibleTechniquesError}
    refuse(zoo, r"no module 'model.layers.7.self_attn.q_proj'", renamed("layers.0", "layers.7"), **misfit)
    refuse(zoo, "'model.norm' is a LlamaRMSNorm", renamed("layers.0.self_attn.q_proj", "norm"), **misfit)
    refuse(zoo, r"'model.layers.0.mlp.up_proj' maps 16 to 32.*B \[16, 2\]", renamed("self_attn.q", "mlp.up"), **misfit)
    refuse(zoo, r"of rank 8 there, has A \[2, 16\]", r=8, **misfit)
    many = {k: v for i in range(4, 9) for k, v in renamed("layers.0", f"layers.{i}").items()}
    refuse(zoo, "and 2 more", many, **misfit)


def test_a_config_that_contradicts_its_tensors_is_refused(zoo):
    where = r"'model.layers.0.self_attn.q_proj'"
    refuse(zoo, rf"contradicts its tensors: target_modules=\['v_proj'\] leaves out {where}", target_modules=["v_proj"])
    refuse(zoo, rf"target_modules='.\*up_proj' leaves out {where}", target_modules=".*up_proj")
    refuse(zoo, "is not a regular expression", target_modules="(")
    refuse(zoo, rf"layers_to_transform=\[1\] leaves out {where}", layers_to_transform=1)
    refuse(zoo, "lora_alpha=0, which makes nothing of it", lora_alpha=0)
    fits = Lora(PAIR, {**CONFIG, "target_modules": ["q_proj", "c_attn"], "layers_to_transform": [0]})
    assert Decoder(zoo().model).generate([1], fits, max_new_tokens=1).tokens


def test_an_adapter_that_names_another_base_warns_and_a_copy_elsewhere_does_not(zoo):
    decoder = Decoder(zoo().model)
    decoder.model.config._name_or_path = "/models/Llama-9B/"
    decoder.generate([1], Lora(PAIR, {**CONFIG, "base_model_name_or_path": "meta/llama-9b"}), max_new_tokens=1)
    with pytest.warns(UserWarning, match="says that it is for 'meta/other', and the model was loaded from"):
        decoder.generate([1], Lora(PAIR, {**CONFIG, "base_model_name_or_path": "meta/other"}), max_new_tokens=1)


def test_tensors_that_make_no_adapter_are_refused(zoo):
    refuse(zoo, "only lora_A of", {k: v for k, v in PAIR.items() if "lora_A" in k})
    refuse(zoo, "neither a lora_A nor a lora_B", {**PAIR, f"{KEY}.lora_magnitude_vector": torch.ones(16)})
    decoder = Decoder(zoo().model)
    for adapter, match in ((Lora(PAIR), "without their config"), (Lora(3), "got int"), (Lora({}), "got dict")):
        with pytest.raises(RequestError, match=match):
            decoder.generate([1], adapter)
    with pytest.raises(RequestError, match="config is a mapping"):
        decoder.generate([1], Lora(PAIR, 5))


def test_a_folder_without_an_adapter_is_refused(zoo, tmp_path):
    decoder = Decoder(zoo().model)
    with pytest.raises(RequestError, match=r"no adapter_config\.json and no adapter_model\.safetensors") as caught:
        decoder.generate([1], lora="nobody/nothing")
    assert "snapshot_download" in caught.value.hint
    (tmp_path / "adapter_config.json").write_text("{")
    (tmp_path / "adapter_model.bin").touch()
    with pytest.raises(RequestError, match="has no adapter_model") as caught:
        decoder.generate([1], lora=tmp_path)
    assert "safe_serialization" in caught.value.hint
    save_file(PAIR, tmp_path / "adapter_model.safetensors")
    with pytest.raises(RequestError, match="cannot be read"):
        decoder.generate([1], lora=tmp_path)
    with pytest.raises(RequestError, match="a folder has its own"):
        decoder.generate([1], Lora(tmp_path, CONFIG))


def test_a_module_that_mixes_rows_is_refused():
    model = tiny_llama(12)
    mlp = model.model.layers[0].mlp
    inner = mlp.forward
    mlp.forward = lambda x: inner(x.transpose(0, 1)).transpose(0, 1)
    tensors = {key.replace("self_attn.q", "mlp.gate"): value for key, value in PAIR.items()}
    tensors[f"{KEY}.lora_B.weight".replace("self_attn.q", "mlp.gate")] = torch.ones(32, 2)
    with pytest.raises(IncompatibleTechniquesError, match=r"gate_proj' sees \[3, 2, 16\].* 2 rows of 3 tokens") as told:
        Decoder(model).generate([1], Lora(tensors, CONFIG))
    assert "merge the adapter" in told.value.hint


def test_rows_are_told_from_two_shapes_only():
    assert by_row(torch.zeros(2, 3, 5), 2, 3).shape == (2, 3, 5)
    assert by_row(torch.zeros(2, 1, 3, 5), 2, 3).shape == (2, 1, 3, 5)
    assert by_row(torch.zeros(6, 5), 2, 3).shape == (2, 3, 5)
    assert by_row(torch.zeros(2, 5), 2, 3) is None
    assert by_row(torch.zeros(3, 2, 5), 2, 3) is None


def test_an_adapter_is_read_once_per_model_and_anew_when_it_has_changed(zoo, tmp_path, monkeypatch):
    count = []
    read = Adapter.read
    monkeypatch.setattr(module.Adapter, "read", lambda *args: count.append(1) or read(*args))
    save_file(PAIR, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps(CONFIG))
    decoder = Decoder(zoo().model)
    for _ in range(2):
        first = decoder.generate([[1], [2]], lora=tmp_path, max_new_tokens=2)
    assert len(count) == 1
    Decoder(tiny_llama(12)).generate([1], lora=tmp_path, max_new_tokens=1)
    assert len(count) == 2
    longer = {key.replace(old, "o_proj"): -4 * value for key, value in PAIR.items() for old in ("q_proj", "-")}
    save_file(longer, tmp_path / "adapter_model.safetensors")
    second = decoder.generate([[1], [2]], lora=tmp_path, max_new_tokens=2)
    assert len(count) == 3
    assert [r.logprobs for r in first] != [r.logprobs for r in second]

    tensors = {key: value.clone() for key, value in PAIR.items()}
    for _ in range(2):
        decoder.generate([1], Lora(tensors, CONFIG), max_new_tokens=1)
    assert len(count) == 4
    tensors[f"{KEY}.lora_B.weight"].mul_(2)
    decoder.generate([1], Lora(tensors, CONFIG), max_new_tokens=1)
    assert len(count) == 5


def test_the_least_recently_used_adapters_go_first(zoo):
    decoder = Decoder(zoo().model)
    size = Lora(PAIR, CONFIG).build(_context(decoder)).adapter.nbytes
    kept = KeptAdapters(2 * size)
    made = Lora(PAIR, CONFIG).build(_context(decoder)).adapter
    asked = []

    def get(key):
        kept.get(Source(key, key, dict), lambda: asked.append(key) or made)

    for key in "abacab":
        get(key)
    assert asked == ["a", "b", "c", "b"]
    assert kept.nbytes == 2 * size
    small = KeptAdapters(size - 1)
    small.get(Source("a", "a", dict), lambda: made)
    assert small.nbytes == 0


def _context(decoder):
    from decodekit import BuildContext

    return BuildContext(None, None, decoder._plan.model, 12, (), (1,), 4)
