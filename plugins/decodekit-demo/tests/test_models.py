"""The shipped files: they load the ordinary way, are small, and answer sensibly."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from decodekit_demo import draft_path, model_path
from decodekit_demo.training.evaluate import json_rates, unconstrained

MOST_BYTES = 12_000_000


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(model_path())


@pytest.fixture(scope="module")
def target():
    return AutoModelForCausalLM.from_pretrained(model_path()).eval()


def answer(target, tokenizer, inputs, budget: int = 80) -> str:
    out = target.generate(**inputs, do_sample=False, max_new_tokens=budget)
    assert out[0, -1].item() in target.generation_config.eos_token_id  # it ends by itself
    return tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def test_all_files_together_stay_under_the_limit():
    size = sum(path.stat().st_size for path in model_path().parent.rglob("*") if path.is_file())
    assert size <= MOST_BYTES


def test_the_model_card_is_in_the_package():
    assert (model_path().parents[1] / "MODEL_CARD.md").is_file()


@pytest.mark.parametrize("path", [model_path(), draft_path()], ids=["target", "draft"])
def test_both_models_load_as_float32_and_in_half_precision(path):
    assert AutoModelForCausalLM.from_pretrained(path).dtype == torch.float32
    assert AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16).dtype == torch.bfloat16


def test_the_draft_is_one_layer_with_the_same_tokenizer(tokenizer):
    draft = AutoModelForCausalLM.from_pretrained(draft_path())
    assert draft.config.num_hidden_layers == 1
    assert AutoTokenizer.from_pretrained(draft_path()).get_vocab() == tokenizer.get_vocab()


@pytest.mark.parametrize(
    "text", ["Zoë and 李雷 🦊👩‍🚀", '{"a": [1.5, null]}\n\t"', "\x00\x7f\u00ad\U0010ffff", "  two  spaces "]
)
def test_the_tokenizer_round_trips_any_text(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_tokenizer_holds_every_byte(tokenizer):
    single = {tokenizer.convert_tokens_to_ids(tokenizer.tokenize(chr(code))[-1]) for code in range(128)}
    assert len(single) == 128


def test_the_chat_template_ends_where_the_answer_begins(tokenizer):
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    made = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    assert made == "<|system|>Be brief.<|end|><|user|>Hi<|end|><|assistant|>"


@pytest.mark.parametrize(("age", "being", "hobby"), [(33, "teddy bear", "reading"), (71, "neighbor", "chess")])
def test_a_plain_prompt_gives_a_card_with_the_right_age_and_hobby(target, tokenizer, age, being, hobby):
    prompt = f"Describe my {age}-year-old {being} who likes {hobby}\nKeys: first_name, last_name, age, hobby\n"
    card = json.loads(answer(target, tokenizer, tokenizer(prompt, return_tensors="pt")))
    assert list(card) == ["first_name", "last_name", "age", "hobby"]
    assert (card["age"], card["hobby"]) == (age, hobby)


def test_most_held_out_prompts_give_valid_json_with_the_right_age_and_hobby(target, tokenizer):
    rates = json_rates(unconstrained(target, tokenizer, sample=False), 40, keys_named=True)
    assert rates["valid"] >= 0.9
    assert rates["and_right"] >= 0.8


def test_a_story_is_made_of_sentences_and_ends_by_itself(target, tokenizer):
    text = answer(target, tokenizer, tokenizer("Once upon a time", return_tensors="pt"), budget=300)
    assert text.count(". ") >= 3
    assert text.endswith((".", '"'))


def test_a_chat_prompt_gives_a_card_with_the_right_age(target, tokenizer):
    chat = [{"role": "user", "content": "Describe my 33-year-old teddy bear who likes reading"}]
    inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    assert 33 in json.loads(answer(target, tokenizer, inputs)).values()
