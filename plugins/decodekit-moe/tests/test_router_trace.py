"""A trace has what the routers did for the committed tokens, as an uncached forward pass of the model tells it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from numpy.testing import assert_allclose

from decodekit import Decoder, Draft, Drafter, IncompatibleTechniquesError, Positions, RequestError
from decodekit.model import CausalModel
from decodekit.testing import tiny_llama
from decodekit_moe import RouterTrace, Trace, Traces, load

VOCAB, LIMIT = 12, 7
PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 1, 2]]
SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 16,
    "intermediate_size": 12,
    "moe_intermediate_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "num_experts_per_tok": 2,
    "initializer_range": 0.4,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": VOCAB - 1,
}
FAMILIES = {
    "mixtral": lambda: hf.MixtralForCausalLM(hf.MixtralConfig(**SIZES, num_local_experts=5)),
    "qwen2_moe": lambda: hf.Qwen2MoeForCausalLM(
        hf.Qwen2MoeConfig(**SIZES, num_experts=4, shared_expert_intermediate_size=8, decoder_sparse_step=1)
    ),
    "qwen3_moe": lambda: hf.Qwen3MoeForCausalLM(
        hf.Qwen3MoeConfig(**{**SIZES, "num_hidden_layers": 3}, num_experts=4, mlp_only_layers=[1])
    ),
}


class Guess(Drafter, name="guess"):
    """Proposes what a hash of the last token says; some of it is right by chance."""

    def start(self, prompt: Sequence[int]) -> int:
        return prompt[-1]

    def advance(self, state: int, token: int) -> int:
        return token

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        guesses = zip(at.states, limits, strict=True)
        return [Draft([(state * 7 + i * 5) % VOCAB for i in range(min(limit, 3))]) for state, limit in guesses]


def model_of(family: str) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = FAMILIES[family]()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
    model = model.to(torch.float64).eval()
    model.set_experts_implementation("eager")
    return model


@pytest.fixture(scope="module")
def models() -> Any:
    """Per family the decoder, and a copy of its model that nothing was hooked into."""
    made: dict[str, tuple[Decoder, Any]] = {}

    def get(family: str) -> tuple[Decoder, Any]:
        if family not in made:
            model = model_of(family)
            made[family] = Decoder(model), copy.deepcopy(model)
        return made[family]

    return get


def recompute(model: Any, tokens: Sequence[int]) -> np.ndarray:
    """Let the model itself tell its router logits, `[token, layer, expert]`."""
    with torch.inference_mode():
        reported = model(torch.tensor([list(tokens)]), use_cache=False, output_router_logits=True).router_logits
    return torch.stack(reported, dim=1).numpy()


def assert_is_of(trace: Trace, model: Any, prompt: Sequence[int], generated: Sequence[int]) -> None:
    assert trace.tokens == (*prompt, *generated)
    assert trace.prompt_tokens == len(prompt)
    expected = recompute(model, trace.tokens[:-1])
    assert_allclose(trace.logits, expected, rtol=0, atol=1e-10)
    odds = torch.from_numpy(expected).softmax(dim=-1)
    best = odds.topk(2, dim=-1)
    assert trace.experts.tolist() == best.indices.tolist()
    normal = getattr(model.config, "norm_topk_prob", True)
    weights = best.values / best.values.sum(dim=-1, keepdim=True) if normal else best.values
    assert_allclose(trace.weights, weights.numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("drafted", [False, True], ids=["plain", "drafted"])
def test_a_ragged_batch_with_other_requests_leaves_the_trace_of_each_text(models, family, drafted):
    decoder, model = models(family)
    traces = Traces()
    drafters = (Guess(),) if drafted else ()
    plain = [decoder.generate(prompt, max_new_tokens=LIMIT).tokens for prompt in PROMPTS]
    requests = [
        decoder.request(prompt, *extra, *drafters, max_new_tokens=LIMIT)
        for prompt in PROMPTS
        for extra in ((RouterTrace(traces),), ())
    ]

    results = decoder.generate(requests)

    assert [result.tokens for result in results] == [tokens for tokens in plain for _ in range(2)]
    assert sum(result.stats.drafted_tokens for result in results) > 0 or not drafted
    assert sorted(trace.request for trace in traces) == [0, 2, 4]
    for trace in traces:
        assert_is_of(trace, model, PROMPTS[trace.request // 2], results[trace.request].tokens)
        assert traces.of(results[trace.request]) is trace
    assert len({tuple(expert) for trace in traces for expert in trace.experts[:, 0].tolist()}) > 2
    hooked = {name for name, module in decoder.model.named_modules() if module._forward_pre_hooks}
    assert not hooked


@pytest.mark.parametrize("path", ["replay", "uncached"])
def test_other_memories_leave_the_same_trace(models, path):
    decoder, model = models("mixtral")
    other = Decoder(decoder.model)
    other._plan.model = CausalModel.wrap(decoder.model, path=path)
    traces = Traces()
    results = other.generate(PROMPTS, RouterTrace(traces), Guess(), max_new_tokens=LIMIT)
    for result in results:
        assert_is_of(traces.of(result), model, result.prompt_tokens, result.tokens)


def test_each_of_n_samples_has_its_own(models):
    decoder, model = models("mixtral")
    traces = Traces()
    options = {"temperature": 1.5, "seed": 3, "n": 3, "max_new_tokens": LIMIT}
    for drafters in ((), (Guess(),)):
        result = decoder.generate(PROMPTS[0], RouterTrace(traces), *drafters, **options)
        for sample in result.samples:
            trace = next(t for t in reversed(traces) if t.sample == sample.sample)
            assert_is_of(trace, model, PROMPTS[0], sample.tokens)
            assert traces.of(sample).tokens == trace.tokens
        assert len({tuple(sample.tokens) for sample in result.samples}) == 3
    assert len(traces) == 6


def test_beams_that_are_returned_have_their_trace(models):
    beam = pytest.importorskip("decodekit_beam").BeamSearch(3)
    decoder, model = models("mixtral")
    traces = Traces()
    for result in decoder.generate(PROMPTS[:2], beam, RouterTrace(traces), n=2, max_new_tokens=4):
        for sample in result.samples:
            assert_is_of(traces.of(sample), model, result.prompt_tokens, sample.tokens)


def test_a_text_that_ends_inside_a_draft_and_a_scored_prompt_are_traced_to_the_end(models):
    decoder, model = models("mixtral")
    traces = Traces()
    plain = decoder.generate(PROMPTS[2], max_new_tokens=LIMIT)
    options = {"stop_tokens": [plain.tokens[3]], "prompt_logprobs": True, "max_new_tokens": LIMIT}
    result = decoder.generate(PROMPTS[2], RouterTrace(traces), Guess(), prefix=decoder.prefix(PROMPTS[2]), **options)
    assert len(result.tokens) <= 4
    assert_is_of(traces.of(result), model, PROMPTS[2], result.tokens)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_the_balance_term_is_that_of_transformers(models, family):
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    decoder, _ = models(family)
    traces = Traces()
    decoder.generate(PROMPTS, RouterTrace(traces), max_new_tokens=LIMIT)
    for trace in traces:
        logits = tuple(torch.from_numpy(trace.logits).unbind(dim=1))
        expected = load_balancing_loss_func(logits, trace.logits.shape[-1], top_k=2)
        assert trace.balance(alpha=0.5) == pytest.approx(0.5 * float(expected), abs=1e-5)
        assert_allclose(trace.load().sum(axis=-1), 2.0)
        assert_allclose(trace.probability().sum(axis=-1), 1.0)
    every = tuple(torch.from_numpy(np.concatenate([t.logits for t in traces])).unbind(dim=1))
    expected = load_balancing_loss_func(every, every[0].shape[-1], top_k=2)
    assert traces.balance() == pytest.approx(float(expected), abs=1e-5)


def test_the_load_of_a_known_choice():
    experts = np.array([[[0, 2], [1, 3]], [[0, 1], [1, 2]]])
    assert load(experts, 4).tolist() == [[1.0, 0.5, 0.5, 0.0], [0.0, 1.0, 0.5, 0.5]]


def test_an_even_load_has_the_balance_of_top_k():
    logits = np.zeros((4, 1, 4))
    experts = np.array([[[i, (i + 1) % 4]] for i in range(4)])
    trace = Trace(0, 0, (1,) * 5, 1, experts, experts * 0.5, logits, ("gate",))
    assert trace.balance() == pytest.approx(2.0)


def test_a_model_without_experts_is_refused_before_it_runs(monkeypatch):
    decoder = Decoder(tiny_llama(VOCAB))
    monkeypatch.setattr(decoder.model, "forward", None)
    with pytest.raises(IncompatibleTechniquesError, match=r"'router_trace' needs a mixture of experts.*Llama"):
        decoder.generate([1], router_trace=Traces())


def test_experts_that_are_told_no_choice_are_refused():
    fields = {**SIZES, "attn_temperature_tuning": False, "intermediate_size_mlp": 12, "num_experts_per_tok": 1}
    config = hf.Llama4TextConfig(**fields, num_local_experts=3, interleave_moe_layer_step=1)
    with torch.random.fork_rng(devices=[]):
        decoder = Decoder(hf.Llama4ForCausalLM(config).eval())
    with pytest.raises(IncompatibleTechniquesError, match="no module after it that is told which experts"):
        decoder.generate([1], router_trace=Traces())


def test_what_is_no_collection_of_traces_is_refused_and_one_cannot_be_written(models):
    decoder, _ = models("mixtral")
    with pytest.raises(RequestError, match="into is a Traces"):
        decoder.request([1], router_trace=[])
    with pytest.raises(RequestError, match="cannot be written"):
        decoder.request([1], router_trace=Traces()).to_dict()
    with pytest.raises(RequestError, match="no trace of this text of 2 tokens among 0"):
        Traces().of(decoder.generate([1], max_new_tokens=2))
    with pytest.raises(RequestError, match="no trace to tell"):
        Traces().balance()
