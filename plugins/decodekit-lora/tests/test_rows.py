"""Every row of a mixed batch gets what the model merged with its adapter would give it alone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from decodekit import (
    Companion,
    Decoder,
    Draft,
    Drafter,
    Law,
    LogitsProcessor,
    ModelHook,
    Positions,
    RequestError,
    Stage,
)
from decodekit.model import CausalModel
from decodekit.testing import byte_vocabulary
from decodekit_lora import Lora

VOCAB, LIMIT = 12, 8
MIX = [([1, 2, 3], "one"), ([4], "two"), ([5, 6, 7, 8, 9, 1, 2], None), ([2, 9], "one"), ([4, 4, 4, 1], None)]


class Guess(Drafter, name="guess"):
    """Proposes what a hash of the last token says; some of it is right by chance."""

    def start(self, prompt: Sequence[int]) -> int:
        return prompt[-1]

    def advance(self, state: int, token: int) -> int:
        return token

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        guesses = zip(at.states, limits, strict=True)
        return [Draft([(state * 7 + i * 5) % VOCAB for i in range(min(limit, 3))]) for state, limit in guesses]


class Against(ModelHook, LogitsProcessor, name="against", stage=Stage.GUIDANCE):
    """Subtracts half of what the same model says after another prompt."""

    def companion(self) -> Companion:
        return Companion((2, 7))

    def __call__(self, law: Law, at: Positions) -> Law:
        return law.with_logits(law.logits - 0.5 * at.view.companion)


def decoder_of(model: Any, path: str | None = None) -> Decoder:
    made = Decoder(model, byte_vocabulary(VOCAB))
    if path is not None:
        made._plan.model = CausalModel.wrap(model, path=path)
    return made


def naive(model: Any, prompt: list[int]) -> tuple[list[int], list[float]]:
    """Decode greedily without a cache and without decodekit."""
    tokens: list[int] = []
    logprobs: list[float] = []
    while len(tokens) < LIMIT and tokens[-1:] != [VOCAB - 1]:
        with torch.inference_mode():
            law = model(torch.tensor([[*prompt, *tokens]]), use_cache=False).logits[0, -1].log_softmax(dim=-1)
        tokens.append(int(law.argmax()))
        logprobs.append(float(law.max()))
    return tokens, logprobs


def mixed(zoo: Any, decoder: Decoder, *techniques: Any, **options: Any) -> list[Any]:
    """Run the mix in one batch."""
    options = {"max_new_tokens": LIMIT, **options}
    hooks = [() if name is None else (Lora(zoo.paths[name]),) for _, name in MIX]
    requests = [
        decoder.request(prompt, *hook, *techniques, **options) for (prompt, _), hook in zip(MIX, hooks, strict=True)
    ]
    return decoder.generate(requests)


def alone(zoo: Any, *techniques: Any, **options: Any) -> list[Any]:
    """Run every request of the mix alone, on its merged model."""
    options = {"max_new_tokens": LIMIT, **options}
    return [decoder_of(zoo.merged[name]).generate(prompt, *techniques, **options) for prompt, name in MIX]


def float64(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def assert_same(actual: list[Any], expected: list[Any]) -> None:
    for a, b in zip(actual, expected, strict=True):
        assert [s.tokens for s in a.samples] == [s.tokens for s in b.samples]
        for x, y in zip(a.samples, b.samples, strict=True):
            assert_close(float64(x.logprobs), float64(y.logprobs), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("kind", "path"), [("llama", "slots"), ("llama", "replay"), ("llama", "uncached"), ("gpt2", "slots")]
)
@pytest.mark.parametrize("drafted", [False, True], ids=["plain", "drafted"])
def test_a_mixed_ragged_batch_equals_the_merged_models_alone(zoo, kind, path, drafted):
    zoo = zoo(kind)
    before = {name: value.clone() for name, value in zoo.model.state_dict().items()}

    results = mixed(zoo, decoder_of(zoo.model, path), *((Guess(),) if drafted else ()))

    expected = [naive(zoo.merged[name], prompt) for prompt, name in MIX]
    assert [result.tokens for result in results] == [tokens for tokens, _ in expected]
    for result, (_, logprobs) in zip(results, expected, strict=True):
        assert_close(float64(result.logprobs), float64(logprobs), rtol=0, atol=1e-10)
    assert len({naive(merged, MIX[0][0])[1][0] for merged in zoo.merged.values()}) == 3
    assert all(torch.equal(value, before[name]) for name, value in zoo.model.state_dict().items())
    assert not [hook for module in zoo.model.modules() for hook in module._forward_hooks]


def test_samples_drawn_with_a_seed_are_those_of_the_merged_models(zoo):
    zoo, options = zoo(), {"temperature": 1.4, "seed": 11, "n": 3}
    expected = alone(zoo, **options)
    assert_same(mixed(zoo, decoder_of(zoo.model), **options), expected)
    assert_same(mixed(zoo, decoder_of(zoo.model), Guess(), **options), expected)


def test_beams_are_those_of_the_merged_models(zoo):
    beam = pytest.importorskip("decodekit_beam").BeamSearch(3)
    zoo = zoo()
    assert_same(mixed(zoo, decoder_of(zoo.model), beam, max_new_tokens=4, n=2), alone(zoo, beam, max_new_tokens=4, n=2))


def test_a_constraint_holds_with_and_without_drafts(zoo):
    regex = pytest.importorskip("decodekit_json").Regex("[\x01-\x05]{2}[\x06-\x0a]{3}")
    zoo = zoo()
    expected = alone(zoo, regex)
    assert_same(mixed(zoo, decoder_of(zoo.model), regex), expected)
    assert_same(mixed(zoo, decoder_of(zoo.model), regex, Guess()), expected)


def test_a_companion_of_the_row_has_its_adapter_too(zoo):
    zoo = zoo()
    assert_same(mixed(zoo, decoder_of(zoo.model), Against()), alone(zoo, Against()))


def test_the_prompt_is_scored_with_the_adapter_and_no_prefix_of_the_base_model_is_used(zoo):
    zoo = zoo()
    decoder = decoder_of(zoo.model)
    prompt = [5, 6, 7, 8, 9]
    result = decoder.generate(
        prompt, Lora(zoo.paths["one"]), prefix=decoder.prefix(prompt), prompt_logprobs=True, max_new_tokens=LIMIT
    )
    expected = decoder_of(zoo.merged["one"]).generate(prompt, prompt_logprobs=True, max_new_tokens=LIMIT)
    assert_same([result], [expected])
    assert_close(float64(result.prompt_logprobs), float64(expected.prompt_logprobs), rtol=0, atol=1e-10)


def test_a_dict_asks_for_an_adapter_by_its_flat_name(zoo):
    zoo = zoo()
    requests = [{"prompt": p, "lora": zoo.paths[name]} if name else p for p, name in MIX]
    results = decoder_of(zoo.model).generate(requests, max_new_tokens=LIMIT)
    assert [r.tokens for r in results] == [naive(zoo.merged[name], p)[0] for p, name in MIX]


def test_a_request_with_a_folder_can_be_written_and_read(zoo):
    zoo = zoo()
    decoder = decoder_of(zoo.model)
    for path in (str(zoo.paths["one"]), Path(zoo.paths["one"])):
        request = decoder.request([1, 2], lora=path)
        again = type(request).from_dict(request.to_dict(), decoder.registry)
        assert again == request
        assert again.techniques == (Lora(zoo.paths["one"]),)
    with pytest.raises(RequestError, match=r"'lora' cannot be written as JSON: a dict cannot .* by its path"):
        decoder.request([1, 2], Lora({"x": torch.zeros(1)}, {})).to_dict()


def test_threads_get_their_own_adapters_and_none(zoo):
    zoo = zoo()
    several = MIX * 2
    with ThreadPoolExecutor(len(several)) as pool:
        decoder = decoder_of(zoo.model)
        found = pool.map(
            lambda one: decoder.generate(one[0], lora=zoo.paths.get(one[1]), max_new_tokens=LIMIT), several
        )
        tokens = [list(result.tokens) for result in found]
    assert tokens == [naive(zoo.merged[name], prompt)[0] for prompt, name in several]
