"""The parts of a memory, the check at wrap time, models that are refused, and encodings that change with the length."""

from __future__ import annotations

import copy
import inspect
import re
from typing import Any

import pytest
import torch
import transformers as hf

from decodekit.cache import LayerCache, Placement, SlotLayer, Slots
from decodekit.errors import ModelError
from decodekit.memory import Memory
from decodekit.memory.groups import by_key, by_width
from decodekit.memory.moves import rounds
from decodekit.model import CausalModel
from tests.families import BASE, build, randomised
from tests.test_models import feed, truth


def llama(**options: Any) -> Any:
    return randomised(hf.LlamaForCausalLM(hf.LlamaConfig(**(BASE | options)))).double()


def test_only_rows_that_change_places_are_copied():
    assert list(rounds([0, 1, 2], 3)) == []
    assert list(rounds([0, 3, 2], 4)) == [[(3, 1)]]
    assert list(rounds([0, 0, 1, 1], 4)) == [[(1, 2), (1, 3)], [(0, 1)]]
    assert list(rounds([1, 0, 2], 3)) == [[(0, 3)], [(1, 0)], [(3, 1)]]


def test_a_round_of_copies_never_reads_a_slot_that_it_overwrites():
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        rows, size = torch.randint(1, 8, (2,), generator=generator).tolist()
        index = torch.randint(rows, (size,), generator=generator).tolist()
        content = {row: row for row in range(rows)}
        for moves in rounds(index, max(rows, size)):
            assert not {source for source, _ in moves} & {target for _, target in moves}
            content |= {target: content[source] for source, target in moves}
        assert [content[i] for i in range(size)] == index


def test_rows_that_would_be_mostly_padding_get_a_pass_of_their_own():
    assert by_width([1, 200, 1, 2], [False] * 4) == [[0, 2, 3], [1]]
    assert by_width([1, 4, 0, 3], [False] * 4) == [[0, 3, 1]]
    assert by_width([5, 6, 1], [True, True, False]) == [[2], [0, 1]]


def test_rows_are_grouped_by_count_and_key():
    assert by_key([2, 0, 2, 1], ["a", "a", "a", "a"]) == [[0, 2], [3]]
    assert by_key([1, 1], [5, 6]) == [[0], [1]]


def test_memory_is_bounded_by_the_rows_that_live_at_once():
    model = CausalModel.wrap(llama())
    memory = model.memory()
    memory.join(4)
    feed(memory, [[3] * 20] * 4)
    before = memory.bytes()
    for _ in range(20):
        memory.gather([0, 3])
        memory.join(2)
        feed(memory, [[], [], [5] * 9, [6] * 7])
        feed(memory, [[7]] * 4)
        memory.rewind([20] * 2 + [8, 7])
    assert memory.bytes() == before
    assert memory.lengths == [20, 20, 8, 7]


def test_a_forward_pass_of_rows_that_sit_out_gives_nothing():
    model = CausalModel.wrap(llama())
    memory = model.memory()
    memory.join(2)
    assert feed(memory, [[3, 4], [5]], [0, 0]).shape == (0, model.vocab_size)
    assert memory.forward(torch.zeros(2, 0, dtype=torch.int64), [0, 0], [0, 0]).logits.shape == (0, model.vocab_size)
    assert memory.lengths == [2, 1]


class Recording(SlotLayer):
    """A backend of somebody else's, which stores half as precisely."""

    def write(self, keys: torch.Tensor, values: torch.Tensor, place: Placement) -> None:
        super().write(keys.half().to(keys.dtype), values.half().to(values.dtype), place)


class Half(Slots):
    exact = False

    def __call__(self, layer: int) -> LayerCache:
        return Recording()


def test_a_backend_decides_how_a_layer_is_stored_and_says_whether_it_is_exact():
    model = CausalModel.wrap(llama(), cache=Half())
    assert model.exact is False
    assert model.describe()["cache"] == "Half"
    memory = model.memory()
    memory.join(2)
    rows = [[3, 4, 5], [6, 7]]
    feed(memory, rows)
    given = feed(memory, [[8], [9]])
    expected = torch.cat([truth(model.model, [*row, last])[-1:] for row, last in zip(rows, (8, 9), strict=True)])
    assert 0 < float((given - expected).abs().max()) < 0.05


class CoarseLayer(SlotLayer):
    exact = False

    def write(self, keys, values, place):
        super().write((keys * 8).round() / 8, values, place)


class CoarseSlots:
    exact = False

    def __call__(self, layer):
        return CoarseLayer()


def test_an_approximate_backend_does_not_decide_the_path_and_its_deviation_is_told():
    model = CausalModel.wrap(llama(), cache=CoarseSlots())
    assert model.path == "slots"
    (note,) = model.notes
    assert re.fullmatch(r"CoarseSlots keeps approximately .*: logits off by \d\.\de[-+]\d+ of their spread", note)


@pytest.mark.parametrize("path", ["replay", "uncached"])
def test_a_backend_that_the_path_leaves_unused_is_refused(path):
    with pytest.raises(ModelError, match=rf"CoarseSlots cannot hold what Llama\w+ remembers \(path '{path}'\)"):
        CausalModel.wrap(llama(), cache=CoarseSlots(), path=path)


def test_a_backend_that_does_not_run_is_refused():
    class Broken(CoarseSlots):
        def __call__(self, layer):
            raise RuntimeError("no room")

    with pytest.raises(ModelError, match=r"Broken does not run with LlamaForCausalLM: RuntimeError: no room"):
        CausalModel.wrap(llama(), cache=Broken())


def test_a_runner_runs_every_forward_pass():
    calls = []

    def runner(model: Any, **inputs: Any) -> Any:
        calls.append(tuple(inputs["input_ids"].shape))
        return model(**inputs)

    model = CausalModel.wrap(llama(), runner=runner)
    calls.clear()
    memory = model.memory()
    memory.join(2)
    feed(memory, [[3, 4, 5], [6]])
    assert sorted(calls) == [(1, 1), (1, 3)]


def test_the_check_leaves_the_model_and_the_random_state_alone():
    model = llama()
    weights = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    first = CausalModel.wrap(model)
    second = CausalModel.wrap(model)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert first.describe() == second.describe()


def test_a_description_names_what_was_found():
    described = CausalModel.wrap(llama()).describe()
    assert described["path"] == "slots"
    assert described["layers"] == {"total": 2, "attention": 2, "recurrent": 0}
    assert described["dtype"] == "float64"
    assert described["context"] == 128
    assert described["bytes_per_token"] == 2 * 2 * 8 * 8
    assert described["attention"] == "sdpa"


def test_a_model_in_training_mode_is_put_into_eval_mode_and_that_is_said():
    model = CausalModel.wrap(llama(attention_dropout=0.5).train())
    assert not model.model.training
    assert model.notes == ["was in training mode, is in eval mode now"]


def test_eager_attention_adds_its_mask_and_is_right_too():
    eager = hf.LlamaForCausalLM._from_config(hf.LlamaConfig(**BASE), attn_implementation="eager")
    model = CausalModel.wrap(randomised(eager))
    assert model.describe()["attention"] == "eager"
    assert model.path == "slots"


class NoPositions(hf.LlamaForCausalLM):
    """Broken on purpose: counts its positions from the cache alone."""

    def forward(self, position_ids: Any = None, **inputs: Any) -> Any:
        return super().forward(**inputs)


class WrongCache(hf.LlamaForCausalLM):
    """Broken on purpose: with a cache it reads other tokens."""

    def forward(self, **inputs: Any) -> Any:
        if inputs.get("past_key_values") is not None:
            inputs["input_ids"] = inputs["input_ids"] // 2
        return super().forward(**inputs)


class WrongContinuation(hf.LlamaForCausalLM):
    """Broken on purpose: right with a cache only if it gets one token at a time."""

    def forward(self, **inputs: Any) -> Any:
        if inputs.get("past_key_values") is not None and inputs["input_ids"].shape[1] > 1:
            inputs["input_ids"] = inputs["input_ids"].flip(1)
        return super().forward(**inputs)


for broken in (NoPositions, WrongCache, WrongContinuation):
    broken.forward.__signature__ = inspect.signature(hf.LlamaForCausalLM.forward)


def test_a_model_that_ignores_position_ids_goes_by_rows_at_equal_positions():
    model = CausalModel.wrap(randomised(NoPositions(hf.LlamaConfig(**BASE))).double())
    assert model.path == "level"
    assert "not slots: off by" in model.reason


def test_a_model_whose_cache_is_wrong_goes_without():
    model = CausalModel.wrap(randomised(WrongCache(hf.LlamaConfig(**BASE))).double())
    assert model.path == "uncached"
    memory = model.memory()
    memory.join(1)
    feed(memory, [[3, 4, 5, 6]])
    torch.testing.assert_close(feed(memory, [[7]]), truth(model.model, [3, 4, 5, 6, 7])[-1:])


def test_a_model_that_cannot_continue_with_several_tokens_gets_them_one_by_one():
    model = CausalModel.wrap(randomised(WrongContinuation(hf.LlamaConfig(**BASE))).double())
    assert model.path == "replay"
    assert "token by token" in model.reason
    memory = model.memory()
    memory.join(2)
    rows = [[3, 4, 5], [6]]
    feed(memory, rows)
    given = feed(memory, [[7, 8, 9], [10, 11]], [2, 2])
    expected = [truth(model.model, [3, 4, 5, 7, 8, 9])[-2:], truth(model.model, [6, 10, 11])[-2:]]
    torch.testing.assert_close(given, torch.cat(expected))


def test_a_path_that_is_wrong_is_refused_with_the_figures():
    with pytest.raises(ModelError, match=r"no way to decode with NoPositions .*slots: off by"):
        CausalModel.wrap(randomised(NoPositions(hf.LlamaConfig(**BASE))).double(), path="slots")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_whose_logits_are_not_finite_is_refused(value):
    model = llama()
    with torch.no_grad():
        model.lm_head.weight[4] = value
    with pytest.raises(ModelError, match="LlamaForCausalLM gives logits that are not finite"):
        CausalModel.wrap(model)


def test_an_unknown_path_is_refused():
    with pytest.raises(ModelError, match="there is no path 'paged'"):
        CausalModel.wrap(llama(), path="paged")


SMALL = {"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hf.BertModel(hf.BertConfig(**SMALL)), "BertModel gives no logits for each token"),
        (lambda: hf.BertForMaskedLM(hf.BertConfig(**SMALL)), "BertForMaskedLM is not causal"),
        (lambda: hf.LlamaModel(hf.LlamaConfig(**BASE)), "LlamaModel gives no logits for each token"),
        (
            lambda: hf.T5ForConditionalGeneration(
                hf.T5Config(vocab_size=32, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
            ),
            "T5ForConditionalGeneration is an encoder-decoder model",
        ),
        (lambda: "gpt2", "str is not a transformers model"),
        (lambda: torch.nn.Linear(2, 2), "Linear is not a transformers model"),
    ],
    ids=["encoder", "masked", "headless", "seq2seq", "name", "layer"],
)
def test_what_cannot_be_decoded_with_is_refused(make, message):
    model = make()
    if isinstance(model, hf.PreTrainedModel):
        randomised(model)
    with pytest.raises(ModelError, match=message):
        CausalModel.wrap(model)


def test_float64_experts_are_switched_to_what_runs():
    model = CausalModel.wrap(build("mixtral"))
    assert "experts switched to the eager implementation" in model.notes[0]


def by_prefix(make: Any, tokens: list[int]) -> torch.Tensor:
    """Logits of each position from its own prefix, each in a model that never saw a longer one."""
    with torch.inference_mode():
        prefixes = [torch.tensor([tokens[: end + 1]]) for end in range(len(tokens))]
        return torch.stack([make()(input_ids=prefix, use_cache=False).logits[0, -1] for prefix in prefixes])


ROPE = {
    "dynamic": {
        "max_position_embeddings": 16,
        "rope_parameters": {"rope_type": "dynamic", "rope_theta": 50.0, "factor": 4.0},
    },
    "longrope": {
        "max_position_embeddings": 64,
        "rope_parameters": {
            "rope_type": "longrope",
            "rope_theta": 50.0,
            "short_factor": [1.0] * 4,
            "long_factor": [2.0, 3.0, 4.0, 5.0],
            "original_max_position_embeddings": 16,
            "factor": 4.0,
        },
    },
}


@pytest.mark.parametrize("kind", ROPE)
def test_rows_on_two_sides_of_a_rope_boundary_are_kept_apart(kind):
    pristine = llama(**ROPE[kind])

    def unused() -> Any:
        return copy.deepcopy(pristine) if kind == "dynamic" else pristine

    model = CausalModel.wrap(copy.deepcopy(pristine))
    assert model.path == "slots"
    assert model.max_length == 64
    assert "two sides of 16 tokens are kept apart" in model.reason
    memory: Memory = model.memory()
    memory.join(3)
    rows = [[3, 4, 5], [(7 * k) % 40 + 3 for k in range(15)], [(5 * k) % 40 + 3 for k in range(22)]]
    expected = [by_prefix(unused, row) for row in rows]
    torch.testing.assert_close(feed(memory, rows), torch.cat(expected))
    # One row crosses with a draft, the others stay on their sides; then it goes back and crosses again.
    for draft in ([20, 21, 22], [30, 31]):
        pieces = [[10], draft, [11]]
        longer = [row + piece for row, piece in zip(rows, pieces, strict=True)]
        expected = [by_prefix(unused, row)[-len(piece) :] for row, piece in zip(longer, pieces, strict=True)]
        torch.testing.assert_close(feed(memory, pieces), torch.cat(expected))
        memory.rewind([len(row) for row in rows])
    memory.gather([2, 1, 2])
    rows = [rows[2], rows[1], rows[2]]
    expected = [by_prefix(unused, [*row, 9])[-1:] for row in rows]
    torch.testing.assert_close(feed(memory, [[9]] * 3), torch.cat(expected))


def test_a_recurrent_row_that_goes_back_again_and_again_stays_right():
    model = CausalModel.wrap(build("mamba2"))
    memory = model.memory()
    memory.join(1)
    text = [3, 4, 5, 6, 7]
    feed(memory, [text])
    for turn in range(6):
        # A draft model's row: several single steps, of which some are taken back.
        for step in range(4):
            feed(memory, [[10 + turn + step]])
        text = [*text, 10 + turn, 11 + turn]
        memory.rewind([len(text)])
    given = feed(memory, [[20]])
    torch.testing.assert_close(given, truth(model.model, [*text, 20])[-1:], rtol=1e-4, atol=1e-5)
