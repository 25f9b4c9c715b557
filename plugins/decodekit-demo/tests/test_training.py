"""The generator is deterministic and its JSON parses; a few steps of training reduce the loss."""

from __future__ import annotations

import json
from itertools import islice
from random import Random

import pytest
import torch
from transformers import AutoTokenizer

from decodekit_demo import model_path
from decodekit_demo.training.batches import batches
from decodekit_demo.training.cards import KINDS, card, edit, string_list, to_card, to_sentence
from decodekit_demo.training.copying import copies
from decodekit_demo.training.documents import END_OF_TEXT, documents
from decodekit_demo.training.evaluate import acceptance, fits, held_out, json_rates, losses
from decodekit_demo.training.figures import table, write
from decodekit_demo.training.loop import Options, logits, train
from decodekit_demo.training.models import new_draft, new_target
from decodekit_demo.training.muon import Muon, orthogonal
from decodekit_demo.training.stories import repeat, story


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(model_path())


def test_the_same_seed_makes_the_same_documents():
    assert list(islice(documents(5), 50)) == list(islice(documents(5), 50))
    assert list(islice(documents(5), 50)) != list(islice(documents(6), 50))


def test_every_document_ends_with_an_answer_and_the_end_of_text():
    last = [pieces[-1] for pieces in islice(documents(1), 300)]
    assert all(piece.answer and piece.text.endswith(END_OF_TEXT) for piece in last)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_cards_of_one_kind_differ_in_their_fields(kind):
    rng = Random(0)
    assert len({tuple(card(rng, kind(rng))) for _ in range(200)}) > 5


@pytest.mark.parametrize("make", [to_card, edit, string_list], ids=lambda make: make.__name__)
def test_answers_that_should_be_json_parse(make):
    rng = Random(1)
    parsed = [json.loads(make(rng).answer) for _ in range(300)]
    assert all(isinstance(value, dict | list) for value in parsed)


def test_the_cards_to_be_put_into_words_parse():
    rng = Random(2)
    prompts = [to_sentence(rng).prompt for _ in range(200)]
    assert all(isinstance(json.loads(prompt[prompt.index("{") :]), dict) for prompt in prompts)


def test_stories_and_copies_are_text():
    rng = Random(3)
    assert len({story(rng) for _ in range(100)}) == 100
    assert all(repeat(rng).answer for _ in range(100))


def test_all_that_the_warm_up_answers_stands_in_its_prompts():
    for prompt, answer in islice(copies(4), 300):
        text = answer.text.removesuffix(END_OF_TEXT)
        try:
            card = json.loads(text)
        except json.JSONDecodeError:
            card = None
        said = [str(value) for value in card.values()] if isinstance(card, dict) else [text]
        assert all(value in prompt.text for value in said)


def test_the_same_seed_makes_the_same_warm_up():
    assert list(islice(copies(5), 50)) == list(islice(copies(5), 50))
    assert list(islice(copies(5), 50)) != list(islice(copies(6), 50))


@pytest.mark.parametrize("shape", [(2, 16, 48), (1, 48, 16), (3, 32, 32)], ids=str)
def test_orthogonal_updates_have_singular_values_near_one(shape):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert values.min() > 0.2  # the smallest ones of a square matrix are slow to grow
    assert values.max() < 1.3


def test_muon_finds_the_matrix_of_a_linear_problem():
    torch.manual_seed(0)
    goal, weight = torch.randn(8, 8), torch.nn.Parameter(torch.zeros(8, 8))
    optimizer = Muon([{"params": [weight]}], lr=0.2)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.2 * (1 - step / 200)
        (weight - goal).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert (weight - goal).abs().mean() < 0.1


def test_documents_packed_into_one_row_do_not_see_each_other(tokenizer):
    batch = next(batches(tokenizer, documents(0), rows=2, length=128, prompt_weight=0.1))
    starts = (batch.positions[0] == 0).nonzero().flatten().tolist()
    second = starts[1]
    assert not batch.mask[0, 0, second:, :second].any()
    assert batch.weights[0, starts[:2]].tolist() == [0, 0]


def test_a_few_steps_reduce_the_loss_of_target_and_draft(tokenizer):
    torch.manual_seed(0)
    options = Options(steps=12, minutes=1, learning_rate=1e-2, warmup_steps=2, label_smoothing=0.1)
    target = new_target(len(tokenizer), seed=0, layers=2, width=128)
    found = train(target, batches(tokenizer, documents(0), rows=2, length=128, prompt_weight=0.2), options)
    assert found[-1] < found[0] - 0.5
    draft = new_draft(target, seed=0)
    taught = Options(steps=12, minutes=1, learning_rate=1e-2, warmup_steps=2, distill_weight=0.9, temperature=2.0)
    stream = batches(tokenizer, documents(1), rows=2, length=128, prompt_weight=0.2)
    found = train(draft, stream, taught, teacher=target)
    assert found[-1] < found[0]


def test_training_stops_when_its_time_is_up(tokenizer):
    target = new_target(len(tokenizer), seed=0, layers=1, width=128)
    stream = batches(tokenizer, documents(0), rows=1, length=64, prompt_weight=0.2)
    assert train(target, stream, Options(steps=5, minutes=1e-9)) == []


def test_a_model_accepts_all_of_its_own_tokens(tokenizer):
    target = new_target(len(tokenizer), seed=0, layers=1, width=128)
    held = held_out(tokenizer, 1)
    assert acceptance(target, target, held) == (1.0, pytest.approx(1.0, abs=1e-5))
    assert losses(target, held).perplexity == pytest.approx(len(tokenizer), rel=0.2)
    assert logits(target, held[0]).shape == (*held[0].ids.shape, len(tokenizer))


def test_rates_count_json_and_the_schema_and_the_facts():
    right = '{"first_name": "A", "last_name": "B", "age": 1, "hobby": "chess"}'
    rates = json_rates(lambda prompts, schemas: [right, '{"age": 1}', "{", *["no"] * (len(prompts) - 3)], 10, False)
    assert (rates["valid"], rates["fits_schema"]) == (0.2, 0.1)
    assert not fits({"first_name": "A", "last_name": "B", "age": "1", "hobby": "chess"})


def test_the_figures_replace_the_old_ones_in_the_card(tmp_path):
    card = tmp_path / "card.md"
    card.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n", encoding="utf-8")
    model = {"parameters": 1000, "loss": 1.0, "perplexity": 2.7, "answer_loss": 0.5}
    rates = {
        "decoding": "greedy",
        "constraint": "no",
        "keys_named": True,
        "valid": 0.75,
        "fits_schema": 0.5,
        "and_right": 0.25,
    }
    figures = {"target": model, "draft": model, "held_out_tokens": 9, "greedy_match": 0.5, "alpha": 0.6, "prompts": 4}
    write(card, table({**figures, "json": [rates]}, {"Hi": "ho"}))
    assert "old" not in card.read_text()
    assert "| greedy | no | yes | 75.0% | 50.0% | 25.0% |" in card.read_text()
    assert card.read_text().startswith("before\n")
    assert card.read_text().endswith("after\n")
