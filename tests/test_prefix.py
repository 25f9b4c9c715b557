"""Prefixes: what was read once spares later requests the reading, and changes no text."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch
from transformers import DynamicCache

from decodekit import Decoder, ModelHook, RequestError
from decodekit.model import CausalModel
from decodekit.testing import byte_vocabulary, tiny_llama
from tests.families import build
from tests.pieces import Beam, Guess, Heat, Sample, registry_of_the_tests
from tests.test_hooks import Against, Inner

VOCAB, LIMIT = 12, 7
SHARED = [3, 1, 4, 1, 5, 9]
PROMPTS = [[*SHARED, 2, 6], SHARED, [3, 1, 4], [*SHARED, 5], [7, 7]]


@pytest.fixture(scope="module", params=["slots", "replay", "uncached", "level"])
def decoder(request) -> Decoder:
    made = Decoder(tiny_llama(VOCAB, seed=3), byte_vocabulary(VOCAB), registry=registry_of_the_tests())
    made._plan.model = CausalModel.wrap(made.model, path=request.param)
    return made


TECHNIQUES = {
    "greedy": (),
    "sampled": (Heat(1.3), Sample()),
    "beams": (Beam(3),),
    "drafted": (Guess(vocab=VOCAB),),
    "second prompt": (Against(0.5, (1, 2)),),
    "notes": (Inner(),),
}


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_prefix_changes_no_text(decoder, name):
    prefix = decoder.prefix(SHARED)
    n = 3 if name in ("sampled", "beams") else 1
    options = {"max_new_tokens": LIMIT, "seed": 4, "n": n}
    plain = decoder.generate(PROMPTS, *TECHNIQUES[name], **options)
    for _ in range(2):
        given = decoder.generate(PROMPTS, *TECHNIQUES[name], prefix=prefix, **options)
        assert [[s.tokens for s in r.samples] for r in given] == [[s.tokens for s in r.samples] for r in plain]
        whole = {"replay": [6, 0, 0, 6, 0], "uncached": [0] * 5}
        spared = [0] * 5 if name == "notes" else whole.get(decoder.describe()["path"], [6, 5, 2, 6, 0])
        assert [r.stats.cached_tokens for r in given] == spared


@pytest.mark.parametrize("name", ["greedy", "drafted", "sampled", "beams"])
def test_a_second_turn_goes_on_from_the_first(decoder, name):
    first = decoder.generate(PROMPTS, *TECHNIQUES[name], max_new_tokens=LIMIT, seed=4, keep_prefix=True)
    turns = [[*prompt, *r.tokens, 8, 2] for prompt, r in zip(PROMPTS, first, strict=True)]
    plain = decoder.generate(turns, *TECHNIQUES[name], max_new_tokens=LIMIT, seed=5)
    requests = [
        decoder.request(turn, *TECHNIQUES[name], max_new_tokens=LIMIT, seed=5, prefix=r.samples[0].prefix)
        for turn, r in zip(turns, first, strict=True)
    ]
    second = decoder.generate(requests)
    assert [r.tokens for r in second] == [r.tokens for r in plain]
    if decoder.describe()["path"] != "uncached":
        assert all(r.stats.cached_tokens == len(turn) - 3 for r, turn in zip(second, turns, strict=True))


def dynamic(model, tokens, gradients=False):
    cache = DynamicCache(config=model.config)
    with torch.enable_grad() if gradients else torch.inference_mode():
        model(torch.tensor([tokens]), past_key_values=cache, use_cache=True)
    return cache


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_cache_of_transformers_is_taken_over_and_left_alone(decoder, name):
    cache = dynamic(decoder.model, SHARED)
    options = {"max_new_tokens": LIMIT, "seed": 4}
    for prompt in (PROMPTS[0], PROMPTS[3], SHARED):
        plain = decoder.generate(prompt, *TECHNIQUES[name], **options)
        given = decoder.generate(prompt, *TECHNIQUES[name], prefix=cache, **options)
        assert given.tokens == plain.tokens
        usable = min(6, len(prompt) - 1)
        lost = decoder.describe()["path"] == "uncached" or (decoder.describe()["path"] == "replay" and usable < 6)
        assert given.stats.cached_tokens == (0 if name == "notes" or lost else usable)
    assert cache.get_seq_length() == len(SHARED)


@pytest.mark.parametrize("name", ["greedy", "beams"])
def test_a_cache_of_transformers_that_was_computed_with_gradients_is_taken_over(decoder, name):
    cache = dynamic(decoder.model, SHARED, gradients=True)
    assert cache.layers[0].keys.requires_grad
    prompt, options = PROMPTS[0], {"max_new_tokens": LIMIT, "seed": 4}
    plain = decoder.generate(prompt, *TECHNIQUES[name], **options)
    given = decoder.generate(prompt, *TECHNIQUES[name], prefix=cache, **options)
    assert [s.tokens for s in given.samples] == [s.tokens for s in plain.samples]
    assert given.stats.cached_tokens == (0 if decoder.describe()["path"] == "uncached" else len(SHARED))
    assert cache.layers[0].keys.requires_grad


class Loud(ModelHook, name="loud", changes_model=True):
    """Makes the embeddings larger."""

    @contextmanager
    def around(self, run):
        factor = torch.tensor([1.0 if piece is None else 2.0 for piece in run.pieces])[:, None, None]
        embeddings = run.model.get_input_embeddings()
        handle = embeddings.register_forward_hook(lambda module, given, output: output * factor.to(output.dtype))
        try:
            yield
        finally:
            handle.remove()


def test_a_changed_model_neither_takes_nor_gives_a_prefix(decoder):
    prompt = PROMPTS[0]
    plain = decoder.generate(prompt, max_new_tokens=LIMIT)
    loud = decoder.generate(prompt, Loud(), max_new_tokens=LIMIT, prefix=decoder.prefix(prompt), keep_prefix=True)
    assert loud.tokens != plain.tokens
    assert loud.tokens == decoder.generate(prompt, Loud(), max_new_tokens=LIMIT).tokens
    assert loud.answer.prefix is None
    assert loud.stats.cached_tokens == 0


@pytest.mark.parametrize("family", ["phi3", "gemma2", "jamba", "mamba2", "rwkv", "gpt_neo"])
def test_every_kind_of_memory_starts_from_its_own_prefix(family):
    decoder = Decoder(build(family), registry=registry_of_the_tests())
    shared = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    prompts = [[*shared, 3, 4], [*shared[:7], 1, 1, 1], shared]
    prefix = decoder.prefix(shared)
    plain = decoder.generate(prompts, Guess(vocab=30), max_new_tokens=12)
    given = decoder.generate(prompts, Guess(vocab=30), max_new_tokens=12, prefix=prefix)
    assert [r.tokens for r in given] == [r.tokens for r in plain]
    # A state goes only forward: where the prompt leaves the prefix, all is read again.
    forward = decoder.describe()["path"] in ("hybrid", "replay")
    assert [r.stats.cached_tokens for r in given] == ([10, 0, 0] if forward else [10, 7, 9])
    taken = (
        decoder.generate(prompts[0], max_new_tokens=12, prefix=dynamic(decoder.model, shared))
        if family not in ("rwkv",)
        else None
    )
    assert taken is None or taken.tokens == decoder.generate(prompts[0], max_new_tokens=12).tokens


def test_what_cannot_be_a_prefix_is_refused():
    decoder = Decoder(tiny_llama(VOCAB, seed=3), registry=registry_of_the_tests())
    other = Decoder(tiny_llama(VOCAB, seed=3), registry=registry_of_the_tests())
    with pytest.raises(RequestError, match="read by another decoder"):
        decoder.generate(SHARED, prefix=other.prefix(SHARED))
    with pytest.raises(RequestError, match="a prefix is what"):
        decoder.generate(SHARED, prefix="abc")
    with pytest.raises(RequestError, match="holds 6 tokens, and the prompt has 3"):
        decoder.generate(SHARED[:3], prefix=dynamic(decoder.model, SHARED))
    with pytest.raises(RequestError, match="has 1 layers, the model has 2"):
        decoder.generate(SHARED, prefix=dynamic(tiny_llama(VOCAB, num_hidden_layers=1), SHARED))
    with pytest.raises(RequestError, match=r"heads and dims \(4, 4\), the model's have \(2, 4\)"):
        decoder.generate(SHARED, prefix=dynamic(tiny_llama(VOCAB, num_key_value_heads=4), SHARED))
    cache = DynamicCache(config=decoder.model.config)
    with torch.inference_mode():
        decoder.model(torch.tensor([SHARED, SHARED]), past_key_values=cache, use_cache=True)
    with pytest.raises(RequestError, match=r"the cache holds torch.float32, and the model computes in torch.float64"):
        decoder.generate(SHARED, prefix=dynamic(tiny_llama(VOCAB, dtype=torch.float32), SHARED))
    with pytest.raises(RequestError, match="the cache holds 2 rows"):
        decoder.generate(SHARED, prefix=cache)
    with pytest.raises(RequestError, match="cannot be written as JSON"):
        decoder.request(SHARED, prefix=decoder.prefix(SHARED)).to_dict()


def test_the_cache_of_transformers_is_an_engine_option():
    decoder = Decoder(tiny_llama(VOCAB, seed=3), dynamic_cache=True, registry=registry_of_the_tests())
    plain = Decoder(decoder.model, registry=registry_of_the_tests())
    assert decoder.describe()["path"] == "replay"
    options = {"max_new_tokens": LIMIT}
    assert [r.tokens for r in decoder.generate(PROMPTS, Guess(vocab=VOCAB), **options)] == [
        r.tokens for r in plain.generate(PROMPTS, **options)
    ]
