"""`quantized_cache` against the model itself, whose keys and values a plain loop rounds, without any cache of ours."""

import json
import re

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache, Mamba2Config, MambaConfig, RwkvConfig

import decodekit_json
from decodekit import Decoder, ModelError, RequestError, Vocabulary
from decodekit.model import CausalModel
from decodekit.testing import CacheLaws, tiny_llama
from decodekit.testing.caches import Bench
from decodekit_kv_caches import QuantizedCache, QuantizedSlots
from decodekit_kv_caches.quantized import dequantize, quantize


def rounded(numbers, bits, group):
    """Round numbers as the class says, one group after another."""
    flat = numbers.double().numpy().copy().reshape(-1, numbers.shape[-1])
    for row in flat:
        for first in range(0, len(row), group):
            part = row[first : first + group]
            scale = np.abs(part).max() / (2 ** (bits - 1) - 1)
            part[:] = np.round(part / scale) * scale if scale else 0.0
    return torch.from_numpy(flat.reshape(numbers.shape)).to(numbers.dtype)


class RoundingCache(DynamicCache):
    """transformers' cache, but that it gives rounded keys and values. Used once per forward pass of a whole text."""

    def __init__(self, bits, group):
        super().__init__()
        self.bits, self.group = bits, group

    def update(self, key_states, value_states, layer_idx, *args, **kwargs):
        keys, values = (rounded(part, self.bits, self.group) for part in (key_states, value_states))
        return super().update(keys, values, layer_idx, *args, **kwargs)


def logits_of(model, text, bits, group):
    """Give the logits of a text under rounded keys and values."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([text]), past_key_values=RoundingCache(bits, group)).logits[0]


def greedy(model, prompt, count, bits=8, group=64, allowed=lambda text: slice(None)):
    text = list(prompt)
    for _ in range(count):
        logits = logits_of(model, text, bits, group)[-1]
        law = torch.full_like(logits, -torch.inf)
        law[allowed(text)] = logits[allowed(text)]
        text.append(int(law.argmax()))
    return text[len(prompt) :]


class RoundedBench(Bench):
    bits, group = 8, 64

    def recompute(self, text):
        return logits_of(self.model.model, text, self.bits, self.group)


class RoundedLaws(CacheLaws):
    """Every law of a memory, with the model under rounded keys and values as the truth."""

    bits, group = 8, 64
    tolerance = 1e-9

    def make_model(self):
        return CausalModel.wrap(tiny_llama(32, head_dim=8), cache=QuantizedSlots(self.bits, self.group))

    def bench(self, model=None, seed=0):
        bench = RoundedBench(model or self.make_model(), self.tolerance, seed)
        bench.bits, bench.group = self.bits, self.group
        return bench


class TestEightBits(RoundedLaws): ...


class TestFourBits(RoundedLaws):
    bits = 4


class TestGroupsThatDoNotDivideTheHead(RoundedLaws):
    group = 5


class TestFourBitsInOddGroups(RoundedLaws):
    bits, group = 4, 3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("dim", "group"), [(64, 64), (64, 32), (7, 64), (7, 3), (576, 64), (1, 2)])
def test_no_number_is_off_by_more_than_half_a_scale(dtype, bits, dim, group):
    numbers = (torch.randn(3, 2, 5, dim, generator=torch.manual_seed(0)) * 4).to(dtype)
    numbers[0, 0, 0] = 0
    codes, scales = quantize(numbers, bits, group)
    assert codes.dtype == torch.int8
    assert codes.shape[-1] <= -(-dim * bits // 8) + group
    back = dequantize(codes, scales, bits, dim)
    assert back.shape == numbers.shape
    each = scales.repeat_interleave(min(group, dim), dim=-1)[..., :dim]
    assert bool(((back - numbers.to(back.dtype)).abs() <= each / 2 * (1 + 1e-5)).all())
    again = dequantize(*quantize(back, bits, group), bits, dim)
    torch.testing.assert_close(again, back, rtol=1e-6, atol=0)


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("bits", [4, 8])
def test_what_is_not_finite_is_not_read_back_as_a_number(wrong, bits):
    numbers = torch.ones(1, 1, 1, 8)
    numbers[..., 3] = wrong
    assert not bool(dequantize(*quantize(numbers, bits, 8), bits, 8).isfinite().all())


@pytest.mark.parametrize(("options", "most"), [({}, 0.27), ({"bits": 4}, 0.15), ({"bits": 4, "group": 16}, 0.19)])
def test_bytes_are_a_fraction_of_what_the_model_writes(options, most):
    model = tiny_llama(32, head_dim=64).float()
    full, small = (CausalModel.wrap(model, cache=c).bytes_per_token for c in (None, QuantizedCache(**options).build()))
    assert full == 2 * 2 * 2 * 64 * 4
    assert small / full < most


MODEL = tiny_llama(257, head_dim=8)
VOCABULARY = Vocabulary.from_bytes()
PROMPTS = [[1, 2, 3, 4, 2, 3], [9, 8], [65, 66, 67, 68, 65, 66, 67]]
OPTIONS = [{"bits": 8}, {"bits": 4, "group": 4}]


@pytest.fixture(params=OPTIONS, ids=str)
def rounding(request):
    return {"bits": 8, "group": 64, **request.param}


@pytest.fixture
def decoder(rounding):
    return Decoder(MODEL, VOCABULARY, quantized_cache=rounding)


@pytest.mark.parametrize(
    "technique", [{}, {"prompt_lookup": 3}, {"draft_model": tiny_llama(257, 5)}, {"beam_search": 1}], ids=str
)
def test_texts_of_a_ragged_batch_are_those_of_the_rounded_model(decoder, rounding, technique):
    found = decoder.generate(PROMPTS, max_new_tokens=20, stop_tokens=[], **technique)
    assert [list(r.tokens) for r in found] == [greedy(MODEL, p, 20, **rounding) for p in PROMPTS]
    plain = Decoder(MODEL, VOCABULARY).generate(PROMPTS, max_new_tokens=20)
    assert rounding["bits"] == 8 or [list(r.tokens) for r in found] != [list(r.tokens) for r in plain]


def test_json_beside_free_text_is_what_the_rounded_model_would_write(decoder, rounding):
    schema = {"type": "object", "properties": {"a": {"enum": [True, "xy", 12]}}, "required": ["a"]}
    constraint = decodekit_json.compile(schema, VOCABULARY)

    def allowed(text):
        state, written = constraint.start(), text[len(PROMPTS[0]) :]
        for token in written:
            state = constraint.advance(state, token)
        bits = np.unpackbits(constraint.mask(state, 40 - len(written)).view(np.uint8), bitorder="little")
        return torch.from_numpy(np.flatnonzero(bits[:257]))

    free, guided = decoder.generate([PROMPTS[1], {"prompt": PROMPTS[0], "json_schema": schema}], max_new_tokens=40)
    assert list(free.tokens) == greedy(MODEL, PROMPTS[1], len(free.tokens), **rounding)
    assert json.loads(guided.text)["a"] in (True, "xy", 12)
    count = len(guided.tokens)
    assert list(guided.tokens) == greedy(MODEL, PROMPTS[0], count, **rounding, allowed=allowed)


def test_a_second_turn_reads_the_prefix_as_if_it_had_been_written_at_once(decoder, rounding):
    one = decoder.generate(PROMPTS[0], max_new_tokens=6, keep_prefix=True)
    turn = [*PROMPTS[0], *one.tokens, 7, 7]
    two = decoder.generate(turn, prefix=one.prefix, max_new_tokens=12)
    assert list(two.tokens) == greedy(MODEL, turn, 12, **rounding)


def test_a_cache_of_transformers_is_refused_where_the_decoder_s_own_prefix_is_right(decoder, rounding):
    turn = [*PROMPTS[0], 7, 7]
    cache = DynamicCache(config=MODEL.config)
    with torch.no_grad():
        MODEL(torch.tensor([PROMPTS[0]]), past_key_values=cache)
    with pytest.raises(RequestError, match="QuantizedSlots keeps approximate ones") as refused:
        decoder.generate(turn, prefix=cache, max_new_tokens=12)
    assert "decoder.prefix" in str(refused.value.hint)
    given = decoder.generate(turn, prefix=decoder.prefix(PROMPTS[0]), max_new_tokens=12)
    assert given.stats.cached_tokens == len(PROMPTS[0])
    assert list(given.tokens) == greedy(MODEL, turn, 12, **rounding)


def test_samples_and_beams_do_not_depend_on_the_batch(decoder):
    asked = [
        {"prompt": PROMPTS[0], "multinomial": True, "n": 3, "seed": 5},
        {"prompt": PROMPTS[1], "beam_search": 4},
        {"prompt": PROMPTS[2], "multinomial": True, "prompt_lookup": 2, "seed": 5},
    ]
    together = decoder.generate(asked, max_new_tokens=12)
    alone = [decoder.generate([one], max_new_tokens=12)[0] for one in asked]
    for a, b in zip(together, alone, strict=True):
        assert [s.tokens for s in a.samples] == [s.tokens for s in b.samples]


def test_scores_are_those_of_the_rounded_model(decoder, rounding):
    text = PROMPTS[0] + PROMPTS[2]
    (score,) = decoder.score([text])
    law = logits_of(MODEL, text, rounding["bits"], rounding["group"]).log_softmax(-1)
    truth = [float(law[i, token]) for i, token in enumerate(text[1:])]
    assert score.logprobs == pytest.approx(truth, abs=1e-9)


def test_the_deviation_is_told_and_fewer_bits_are_further_off():
    off = []
    for bits in (8, 4):
        told = Decoder(MODEL, quantized_cache={"bits": bits}).describe()
        assert (told["path"], told["exact"], told["cache"]) == ("slots", False, "QuantizedSlots")
        (note,) = (note for note in told["notes"] if "QuantizedSlots" in note)
        off.append(float(re.search(r"off by (\S+) of", note)[1]))
    assert 0 < off[0] < 0.1
    assert 4 * off[0] < off[1] < 2
    assert not Decoder(MODEL).describe()["notes"]


def test_fewer_bits_than_the_check_tolerates_do_not_push_the_model_off_its_path():
    for dtype in (torch.float32, torch.bfloat16):
        decoder = Decoder(tiny_llama(32, head_dim=8, dtype=dtype), quantized_cache={"bits": 4})
        assert decoder.describe()["path"] == "slots"
        assert len(decoder.generate([1, 2, 3], max_new_tokens=4).tokens) == 4


@pytest.mark.parametrize("config", [MambaConfig, Mamba2Config, RwkvConfig])
def test_a_model_without_attention_is_refused_by_name(config):
    fields = {"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 2}
    if config is Mamba2Config:
        fields |= {"num_heads": 4, "head_dim": 8, "n_groups": 1, "state_size": 8}
    model = AutoModelForCausalLM.from_config(config(**fields))
    path = Decoder(model).describe()["path"]
    told = f"'{path}', no attention layers" if path == "hybrid" else f"'{path}'"
    with pytest.raises(ModelError, match=rf"^QuantizedSlots cannot hold .* {type(model).__name__} .*\(path {told}\)"):
        Decoder(model, quantized_cache=True)


@pytest.mark.parametrize("wrong", [{"bits": 3}, {"group": 1}, {"bits": "8"}, {"size": 4}])
def test_wrong_options_are_refused(wrong):
    with pytest.raises(RequestError, match="quantized_cache"):
        Decoder(MODEL, quantized_cache=wrong)
