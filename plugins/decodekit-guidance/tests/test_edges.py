"""Where a technique becomes a simpler one, what transformers gives, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM, GPT2Config, GPT2LMHeadModel, OPTConfig, OPTForCausalLM

from decodekit import (
    Decoder,
    GenerationError,
    IncompatibleTechniquesError,
    Law,
    ModelError,
    PromptError,
    RequestError,
    Vocabulary,
)
from decodekit.model import CausalModel
from decodekit.testing import as_candidates, byte_vocabulary, difference, positions, random_law, tiny_llama
from decodekit_guidance import Contrastive, ContrastiveSearch, Dola, Guidance
from decodekit_guidance.contrastive_search import likeliest
from decodekit_guidance.dola import candidates
from decodekit_guidance.layers import layers_of, listening, trunk_of

VOCAB, LIMIT = 24, 10
PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 1, 2]]
MODEL = tiny_llama(VOCAB, seed=3, num_hidden_layers=3)
AMATEUR = tiny_llama(VOCAB, seed=9)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(MODEL, byte_vocabulary(VOCAB))


def texts(decoder: Decoder, *techniques: Any) -> list[list[int]]:
    return [result.tokens for result in decoder.generate(PROMPTS, *techniques, max_new_tokens=LIMIT)]


def after(technique: Any, law: Law, companion: torch.Tensor) -> Law:
    return technique(law, positions(len(law.logits)).with_view(SimpleNamespace(companion=companion)))


def test_a_scale_of_one_is_the_plain_text_and_zero_the_other_prompts(decoder):
    plain = texts(decoder)
    assert texts(decoder, Guidance(1)) == plain
    assert texts(decoder, Guidance(1), Contrastive(AMATEUR, beta=0)) == plain
    other = decoder.generate([7, 7, 2], max_new_tokens=LIMIT).tokens
    assert texts(decoder, Guidance(0, [7, 7, 2])) == [other] * 3
    assert texts(decoder, Guidance(0)) == [decoder.generate(p[-1:], max_new_tokens=LIMIT).tokens for p in PROMPTS]


@pytest.mark.parametrize("scale", [0.0, 0.5, 3.0, -1.0])
def test_guidance_equals_transformers(decoder, scale):
    for negative in (None, [9, 8, 7]):
        ids = None if negative is None else torch.tensor([negative])
        for prompt in PROMPTS:
            given = MODEL.generate(
                torch.tensor([prompt]),
                guidance_scale=scale,
                negative_prompt_ids=ids,
                max_new_tokens=LIMIT,
                do_sample=False,
                pad_token_id=0,
                eos_token_id=VOCAB - 1,
            )
            found = decoder.generate(prompt, Guidance(scale, negative), max_new_tokens=LIMIT).tokens
            assert found == given[0, len(prompt) :].tolist()


def test_no_strength_leaves_the_plausible_part_of_the_law():
    law, other = random_law(8, VOCAB, seed=1), random_law(8, VOCAB, seed=2, first=8).logits
    cut = after(Contrastive("x", alpha=0.2, beta=0), law, torch.randn(8, VOCAB, dtype=torch.float64))
    probs = law.probs()
    wanted = Law(law.logits.masked_fill(probs < 0.2 * probs.amax(dim=-1, keepdim=True), -torch.inf))
    assert difference(Law(cut.logprobs()), Law(wanted.logprobs()), VOCAB, 1e-12) is None
    only_best = after(Contrastive("x", alpha=1), law, other)
    assert (only_best.allowed.sum(dim=-1) >= 1).all()


@pytest.mark.parametrize(
    "technique", [Guidance(2.0), Guidance(0), Guidance(-3), Contrastive("x"), Contrastive("x", 0, 2)]
)
def test_laws_stay_laws_at_full_width_and_as_candidates(technique):
    law, other = random_law(16, VOCAB, seed=3), random_law(16, VOCAB, seed=4, first=3).logits
    before = law.logits.clone()
    full = after(technique, law, other)
    assert torch.equal(law.logits, before)
    assert not full.logits.isnan().any()
    assert not (full.allowed & ~law.allowed).any()
    assert full.allowed.any(dim=-1).all()
    assert (full.logits < torch.inf).all()
    narrow = after(technique, as_candidates(law), other)
    assert difference(Law(full.logprobs()), Law(narrow.full(VOCAB).logprobs()), VOCAB, 1e-10) is None
    for dtype in (torch.float32,):
        assert after(technique, Law(law.logits.to(dtype)), other.to(dtype)).logits.dtype == dtype


def test_numbers_that_differ_share_a_call(decoder):
    requests = [
        decoder.request(p, Guidance(s), max_new_tokens=LIMIT) for p, s in zip(PROMPTS, (1, 1.5, 3), strict=True)
    ]
    requests += [
        decoder.request(p, Contrastive(AMATEUR, a, b), max_new_tokens=LIMIT)
        for p in PROMPTS
        for a, b in ((0.0, 1.0), (0.3, 0.2))
    ]
    assert [r.tokens for r in decoder.generate(requests)] == [decoder.generate(r).tokens for r in requests]


def test_the_last_layer_is_no_candidate(decoder):
    assert texts(decoder, Dola([3, 1])) == texts(decoder, Dola([1]))


def test_one_candidate_or_no_weight_is_greedy(decoder):
    plain = texts(decoder)
    assert texts(decoder, ContrastiveSearch(1, 0.9)) == plain
    assert texts(decoder, ContrastiveSearch(5, 0)) == plain


def test_ties_go_to_the_lower_id_in_both_forms():
    law = Law(torch.tensor([[0.0, 2.0, 2.0, 2.0, -torch.inf]]))
    for form in (law, Law(torch.tensor([[2.0, -torch.inf, 2.0, 0.0, 2.0]]), torch.tensor([[3, 4, 1, 0, 2]]))):
        tokens, shares = likeliest(form, 3)
        assert tokens.tolist() == [[1, 2, 3]]
        torch.testing.assert_close(shares, law.probs()[:, 1:4])


@pytest.mark.parametrize(
    ("layers", "count", "tied", "wanted"),
    [
        ("low", 4, False, (0,)),
        ("low", 12, False, (0, 2, 4)),
        ("low", 12, True, (2, 4)),
        ("low", 2, True, (1,)),
        ("low", 1, True, (0,)),
        ("low", 48, True, tuple(range(2, 20, 2))),
        ("high", 5, False, (2, 4)),
        ("high", 48, False, tuple(range(28, 48, 2))),
        ((0, 5, 9), 9, False, (0, 5)),
    ],
)
def test_layers_are_those_of_the_reference(layers, count, tied, wanted):
    assert candidates(layers, count, tied=tied) == wanted


TINY = {"vocab_size": 24, "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
OTHERS = {
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=3, n_head=2, n_positions=64, **TINY)),
    "bloom": lambda: BloomForCausalLM(BloomConfig(hidden_size=16, n_layer=2, n_head=2, **TINY)),
    "opt": lambda: OPTForCausalLM(
        OPTConfig(
            hidden_size=16,
            ffn_dim=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=64,
            word_embed_proj_dim=16,
            **TINY,
        )
    ),
    "llama": lambda: tiny_llama(24, num_hidden_layers=3),
}


@pytest.mark.parametrize("family", OTHERS)
def test_hidden_states_are_found_whatever_their_modules_are_called(family):
    torch.manual_seed(0)
    model = OTHERS[family]().double().eval()
    wrapped, tokens = CausalModel.wrap(model), torch.tensor([[3, 1, 4, 1, 5]])
    layers, trunk = layers_of(wrapped, "x"), trunk_of(wrapped, "x")
    with listening(list(layers), [trunk]) as (entering, leaving):
        model(tokens)
    reported = model(tokens, output_hidden_states=True).hidden_states
    assert len(reported) == len(layers) + 1
    assert all(torch.equal(entering[k], reported[k]) for k in range(len(layers)))
    assert torch.equal(leaving[0], reported[-1])
    decoder = Decoder(model)
    for technique in (Dola("high"), ContrastiveSearch()):
        results = decoder.generate([[1, 2, 3], [4]], technique, max_new_tokens=4)
        assert [r.tokens for r in results] == [
            decoder.generate(p, technique, max_new_tokens=4).tokens for p in ([1, 2, 3], [4])
        ]


def test_a_model_without_such_layers_is_refused_by_name():
    model = tiny_llama(VOCAB)
    wrapped = Decoder(model)
    model.config.num_hidden_layers = 7
    with pytest.raises(IncompatibleTechniquesError, match=r"'dola' needs the hidden states.*LlamaForCausalLM"):
        wrapped.generate([1], dola=True)
    with pytest.raises(IncompatibleTechniquesError, match="'contrastive_search' needs the last hidden states"):
        Decoder(headless()).generate([1], contrastive_search=True)


def headless() -> Any:
    model = tiny_llama(VOCAB)
    model.get_output_embeddings = lambda: None
    return model


def test_a_negative_prompt_is_encoded_like_a_prompt(decoder):
    bytes_ = Decoder(tiny_llama(257, seed=4), Vocabulary.from_bytes())
    same = [bytes_.generate("ab", Guidance(2, p), max_new_tokens=5).tokens for p in ("no", [110, 111], b"no"[:0], None)]
    assert same[0] == same[1]
    assert same[2] == same[3] == bytes_.generate("ab", Guidance(2, ""), max_new_tokens=5).tokens
    assert same[2] == bytes_.generate("ab", Guidance(2, "b"), max_new_tokens=5).tokens
    chat = FakeTokenizer("{{ messages }}")
    found = Decoder(MODEL, chat).generate([1, 2], Guidance(2, [{"role": "user", "content": "x"}]), max_new_tokens=5)
    assert found.tokens == decoder.generate([1, 2], Guidance(2, [5, 6]), max_new_tokens=5).tokens


class FakeTokenizer:
    """Writes every chat as the tokens 5 and 6."""

    def __init__(self, chat_template: str | None = None) -> None:
        self.chat_template, self.eos_token_id = chat_template, None

    def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
        return {"input_ids": [5, 6]}

    def apply_chat_template(self, messages: Any, **options: Any) -> str:
        if messages[0]["content"] == "bad":
            raise ValueError("roles must alternate")
        return "chat"

    def get_vocab(self) -> dict[str, int]:
        return {str(i): i for i in range(VOCAB)}

    def decode(self, tokens: Any, **options: Any) -> str:
        return " ".join(map(str, tokens))


REFUSED = [
    ({"guidance": {"scale": 2, "negative_prompt": [3] * 250}}, "'guidance' reads a prompt of 250 tokens.*room for 6"),
    ({"guidance": {"scale": 2, "negative_prompt": [1, 99]}}, "token id 99 at position 1"),
    ({"guidance": {"scale": 2, "negative_prompt": [{"role": "user", "content": "x"}]}}, "chat messages, which need"),
    ({"guidance": {"scale": 2, "negative_prompt": 3.5}}, "a prompt is text, chat messages"),
    ({"guidance": float("nan")}, "finite number"),
    ({"guidance": True}, "needs a value|Field required"),
    ({"contrastive": 3}, "a model, a decoder, a path or a name, not int"),
    ({"contrastive": {"amateur": AMATEUR, "alpha": 1.5}}, "less than or equal to 1"),
    ({"contrastive": {"amateur": AMATEUR, "beta": -1}}, "greater than or equal to 0"),
    ({"contrastive": {"amateur": AMATEUR, "temperature": 0}}, "greater than 0"),
    (
        {"contrastive": tiny_llama(30)},
        "'contrastive': LlamaForCausalLM has another vocabulary: 30 tokens, the decoder's 24",
    ),
    (
        {"contrastive": tiny_llama(VOCAB, max_position_embeddings=8)},
        "'contrastive' reads a prompt of 3 tokens.*room for 5",
    ),
    ({"dola": "middle"}, "low"),
    ({"dola": []}, "at least one layer"),
    ({"dola": [-1]}, "counted from 0"),
    ({"dola": [4]}, "no layer 4 in a model of 3 layers"),
    ({"dola": [3]}, "layer 3 is the last one of 3"),
    ({"dola": {"relative_top": 2}}, "less than or equal to 1"),
    ({"contrastive_search": {"k": 0}}, "greater than or equal to 1"),
    ({"contrastive_search": {"alpha": 1.1}}, "less than or equal to 1"),
    ({"contrastive_search": True, "multinomial": True}, "at most one token selector"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_what_cannot_be_right_is_refused(decoder, options, message):
    with pytest.raises(RequestError, match=message):
        decoder.generate(PROMPTS[0], max_new_tokens=LIMIT, **options)


def test_layers_that_a_model_has_not_are_refused_before_it_is_run(decoder, monkeypatch):
    fresh = Decoder(tiny_llama(VOCAB))
    monkeypatch.setattr(fresh.model, "forward", None)
    with pytest.raises(RequestError, match="there is no layer 99"):
        fresh.generate([1], dola=[99])


def test_text_without_a_tokenizer_and_chats_that_a_template_refuses():
    with pytest.raises(PromptError, match="the negative prompt of 'guidance' is text, which needs a tokenizer"):
        Decoder(MODEL).generate([1], Guidance(2, "no"))
    with pytest.raises(PromptError, match="refuses the negative prompt of 'guidance': roles must alternate"):
        Decoder(MODEL, FakeTokenizer("x")).generate([1], Guidance(2, [{"role": "user", "content": "bad"}]))


def test_an_amateur_is_wrapped_once_and_may_be_a_decoder_or_a_path(decoder, tmp_path):
    wanted = texts(decoder, Contrastive(AMATEUR))
    wrapped = decoder._plan.model.seconds[id(AMATEUR)][1]
    assert texts(decoder, Contrastive(AMATEUR, 0.1)) == wanted
    assert decoder._plan.model.seconds[id(AMATEUR)][1] is wrapped
    assert texts(decoder, Contrastive(wrapped)) == wanted
    assert texts(decoder, Contrastive(Decoder(AMATEUR, byte_vocabulary(VOCAB)))) == wanted
    AMATEUR.save_pretrained(tmp_path)
    by_path = Contrastive(tmp_path)
    assert texts(decoder, by_path) == texts(decoder, Contrastive(str(tmp_path))) == wanted
    assert decoder.request([1], by_path).to_dict()["techniques"] == [{"name": "contrastive", "amateur": str(tmp_path)}]
    loaded = decoder._plan.model.seconds[str(tmp_path)][1]
    assert loaded.dtype == torch.float64


def test_vocabularies_are_compared_where_they_are_known(decoder):
    wide = tiny_llama(32, seed=9)
    padded = Decoder(wide, Vocabulary((*byte_vocabulary(VOCAB).tokens, *[None] * 8)))
    found = decoder.generate(PROMPTS, Contrastive(padded), max_new_tokens=LIMIT)
    assert all(token < VOCAB for result in found for token in result.tokens)
    narrow = Decoder(wide, padded.tokenizer).generate(PROMPTS, Contrastive(decoder, alpha=0), max_new_tokens=LIMIT)
    assert all(token < VOCAB for result in narrow for token in result.tokens)
    shifted = Decoder(tiny_llama(VOCAB), Vocabulary((b"x", *byte_vocabulary(VOCAB).tokens[1:])))
    with pytest.raises(
        IncompatibleTechniquesError, match="another vocabulary: 24 tokens, the decoder's 24, and not the"
    ):
        texts(decoder, Contrastive(shifted))


def test_an_amateur_that_is_not_there_or_is_an_object_to_be_written(decoder, tmp_path):
    with pytest.raises(ModelError, match=r"'contrastive': .*nowhere' cannot be loaded"):
        texts(decoder, Contrastive(tmp_path / "nowhere"))
    loaded = tiny_llama(VOCAB, seed=9)
    loaded.config._name_or_path = "some/name"
    for amateur in (AMATEUR, loaded, decoder):
        with pytest.raises(RequestError, match=r"'contrastive' cannot be written as JSON: a .* by its name or path"):
            decoder.request([1], Contrastive(amateur)).to_dict()
    with pytest.raises(RequestError, match="not list"):
        Contrastive([AMATEUR])


def test_requests_are_written_and_read_again(decoder):
    from decodekit import Request

    techniques = (Guidance(2, "no"), Dola([2, 0]), ContrastiveSearch(3), Contrastive(Path("some/name")))
    request = decoder.request([1], *techniques)
    assert Request.from_dict(request.to_dict(), decoder.registry).techniques == techniques


@pytest.mark.parametrize(
    "technique", [Guidance(2), Contrastive(AMATEUR), Dola(), ContrastiveSearch()], ids=lambda one: one.name
)
def test_a_prefix_and_the_prompts_log_probabilities_change_no_text(decoder, technique):
    prompt = [*PROMPTS[2], 3]
    plain = decoder.generate(prompt, technique, max_new_tokens=LIMIT).tokens
    known = decoder.prefix(PROMPTS[2])
    assert decoder.generate(prompt, technique, prefix=known, max_new_tokens=LIMIT).tokens == plain
    assert decoder.generate(prompt, technique, prompt_logprobs=True, max_new_tokens=LIMIT).tokens == plain


def test_an_amateur_that_fails_in_a_step_is_named_with_its_rows(decoder):
    amateur, passes = tiny_llama(VOCAB, seed=9), 0

    def lost(*given):
        nonlocal passes
        passes += 1
        if passes > 3:
            raise RuntimeError("gpu lost")

    batch = [{"prompt": PROMPTS[0]}, {"prompt": PROMPTS[2], "contrastive": amateur}]
    plain = texts(decoder)[0]
    decoder.generate(batch, max_new_tokens=1)
    amateur.lm_head.register_forward_pre_hook(lost)
    where = r"^contrastive raised RuntimeError: gpu lost \(request 1, sample 0, step 4\)$"
    with pytest.raises(GenerationError, match=where) as caught:
        decoder.generate(batch, max_new_tokens=8)
    assert caught.value.results[0].tokens == plain[:3]
