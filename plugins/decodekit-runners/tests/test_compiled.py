"""Compiled passes give the texts of eager ones, with few graphs, on an unchanged model, or are refused by name."""

import shutil

import pytest
import torch
from torch._dynamo import register_backend
from torch._dynamo.utils import counters
from transformers import (
    GPTNeoConfig,
    GPTNeoForCausalLM,
    Mamba2Config,
    Mamba2ForCausalLM,
    RwkvConfig,
    RwkvForCausalLM,
)

from decodekit import Decoder, ModelError, RequestError
from decodekit.testing import ModelRunnerLaws, ToyModel, byte_vocabulary, tiny_llama
from decodekit.testing.hooks import changed, state_of
from decodekit_runners import Compiled

PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 1, 2]]


def graphs():
    return counters["stats"]["unique_graphs"]


def argmax_loop(model, prompt, tokens):
    text = list(prompt)
    for _ in range(tokens):
        logits = model(input_ids=torch.tensor([text]), use_cache=False).logits
        text.append(int(logits[0, -1].argmax()))
    return text[len(prompt) :]


class TestCompiled(ModelRunnerLaws):
    make = staticmethod(lambda: Compiled("eager"))

    def make_model(self):
        return tiny_llama(32, num_hidden_layers=1)


@pytest.fixture(scope="module")
def model():
    return tiny_llama(257, num_hidden_layers=1)


@pytest.fixture(scope="module")
def eager(model):
    return Decoder(model, byte_vocabulary())


@pytest.fixture(scope="module")
def compiled(model):
    """The trace alone, which needs no compiler."""
    return Decoder(model, byte_vocabulary(), compiled="eager")


def test_fifty_tokens_of_a_ragged_batch_take_four_graphs_and_a_second_batch_none(compiled, model):
    # Three were made by the check. The fourth is a prompt that asks for its last columns only.
    before = graphs()
    texts = [result.tokens for result in compiled.generate(PROMPTS, max_new_tokens=50)]
    assert [list(text) for text in texts] == [argmax_loop(model, prompt, 50) for prompt in PROMPTS]
    assert graphs() - before <= 1
    again = graphs()
    compiled.generate([prompt * 3 for prompt in PROMPTS] * 2, max_new_tokens=50)
    assert graphs() == again


@pytest.mark.parametrize(
    "options",
    [
        {"multinomial": True, "seed": 3},
        {"temperature": 0.7, "top_p": 0.9, "seed": 4, "n": 2},
        {"prompt_lookup": True},
        {"beam_search": 3},
        {"json_schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}},
        {"json_schema": {"enum": [12345, 12789, True]}, "forced_tokens": True, "multinomial": True, "seed": 5},
    ],
    ids="-".join,
)
def test_texts_are_those_of_the_eager_runner(compiled, eager, options):
    found = [
        [
            [sample.tokens for sample in result.samples]
            for result in decoder.generate(PROMPTS, max_new_tokens=24, **options)
        ]
        for decoder in (compiled, eager)
    ]
    assert found[0] == found[1]


def test_rows_that_join_late_share_passes_with_running_ones(compiled, eager):
    requests = [{"prompt": prompt, "max_new_tokens": 4 + 3 * i} for i, prompt in enumerate([*PROMPTS, [7, 7], [8]])]
    narrow = Decoder(compiled.model, byte_vocabulary(), max_rows=2)
    narrow._plan.model = compiled._plan.model
    texts = [[result.tokens for result in decoder.generate(requests)] for decoder in (narrow, eager)]
    assert texts[0] == texts[1]


def test_the_model_stays_as_it_is_and_other_decoders_of_it_stay_eager(compiled, model, eager):
    before = state_of(model)
    compiled.generate(PROMPTS, max_new_tokens=3)
    assert changed(before, model) is None
    assert (compiled.describe()["runner"], eager.describe()["runner"]) == ("compiled", "eager")
    made = graphs()
    assert Decoder(model, byte_vocabulary()).generate([1] * 50, max_new_tokens=2).tokens
    assert graphs() == made


def test_weights_that_change_later_are_seen(compiled, eager):
    weight, before = eager.model.lm_head.weight, eager.generate([1, 2, 3], max_new_tokens=8).tokens
    kept = weight.data.clone()
    weight.data.copy_(kept.flip(0))
    texts = [decoder.generate([1, 2, 3], max_new_tokens=8).tokens for decoder in (compiled, eager)]
    weight.data.copy_(kept)
    assert texts[0] == texts[1] != before


def test_beyond_the_limit_of_graphs_passes_run_eagerly(model, eager):
    decoder = Decoder(model, byte_vocabulary(), compiled=Compiled("eager", recompile_limit=1))
    before = graphs()
    texts = [[r.tokens for r in d.generate(PROMPTS, max_new_tokens=8)] for d in (decoder, eager)]
    assert texts[0] == texts[1]
    assert graphs() == before


def test_inductor_without_a_cpp_compiler_is_refused_at_assembly(model, monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    with pytest.raises(ModelError, match=r"no C\+\+ compiler is found") as error:
        Decoder(model, compiled=True)
    assert "aot_eager" in str(error.value.hint)


@pytest.mark.parametrize("options", [{"backend": "nothing"}, {"mode": "fastest"}])
def test_options_that_torch_does_not_know_are_refused(model, options):
    with pytest.raises(RequestError, match=r"'compiled' \(model runner\)"):
        Decoder(model, compiled=options)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_model_that_cannot_be_traced_is_refused_at_assembly():
    with pytest.raises(ModelError, match=r"'compiled' \(model runner\) cannot run ToyModel"):
        Decoder(ToyModel(vocab_size=12), compiled={"backend": "eager", "fullgraph": True})


def test_a_backend_that_is_wrong_is_refused_at_assembly(model):
    @register_backend(name="decodekit_off_by_one")
    def off_by_one(graph, inputs):
        return lambda *given: [v + 1 if v.is_floating_point() and v.ndim == 3 else v for v in graph.forward(*given)]

    with pytest.raises(
        ModelError, match=r"'compiled' \(model runner\) cannot run LlamaForCausalLM on the path 'slots'"
    ):
        Decoder(model, compiled="decodekit_off_by_one")


SIZES = {"vocab_size": 48, "hidden_size": 16, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
MAMBA = {"num_heads": 4, "head_dim": 8, "state_size": 8, "expand": 2, "n_groups": 1, "chunk_size": 8}
OTHERS = {
    "hybrid": lambda: Mamba2ForCausalLM(Mamba2Config(**SIZES, **MAMBA, num_hidden_layers=1)),
    "level": lambda: GPTNeoForCausalLM(
        GPTNeoConfig(**SIZES, num_layers=2, num_heads=2, attention_types=[[["global", "local"], 1]], window_size=8)
    ),
    "replay": lambda: RwkvForCausalLM(RwkvConfig(**SIZES, num_hidden_layers=1, context_length=128)),
}


@pytest.mark.slow
@pytest.mark.parametrize("path", OTHERS)
def test_texts_on_other_paths_than_slots(path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        other = OTHERS[path]().double()
    decoders = (Decoder(other, compiled="eager"), Decoder(other))
    assert [decoder.describe()["path"] for decoder in decoders] == [path, path]
    texts = [[r.tokens for r in decoder.generate(PROMPTS, max_new_tokens=30)] for decoder in decoders]
    assert texts[0] == texts[1]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_texts_of_backends_that_make_code(model, eager, backend):
    if backend == "inductor" and not shutil.which("g++"):
        pytest.skip("no C++ compiler, which inductor needs")
    decoder = Decoder(model, byte_vocabulary(), compiled=backend)
    texts = [[r.tokens for r in d.generate(PROMPTS, max_new_tokens=20)] for d in (decoder, eager)]
    assert texts[0] == texts[1]
