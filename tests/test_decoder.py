"""The decoder: prompts in every form, scores, ranks, descriptions, and clear errors for bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

import decodekit
from decodekit import Decoder, Vocabulary
from decodekit.errors import (
    IncompatibleTechniquesError,
    ModelError,
    PluginError,
    PromptError,
    RequestError,
    UnknownTechniqueError,
    UnsatisfiableSchemaError,
)
from decodekit.plugins import Plugins
from decodekit.request import Request
from decodekit.techniques import Prompt, Technique
from decodekit.testing.toys import tiny_llama
from tests import reference
from tests.pieces import Alternate, Beam, Guess, Heat, Sample, registry_of_the_tests

VOCAB = 300


@pytest.fixture(scope="module")
def registry() -> Plugins:
    return registry_of_the_tests()


@pytest.fixture(scope="module")
def model():
    return tiny_llama(VOCAB, seed=5, max_position_embeddings=64)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>")
    made.chat_template = "{% for m in messages %}{{ m['role'] }}:{{ m['content'] }}\n{% endfor %}"
    return made


@pytest.fixture(scope="module")
def decoder(model, tokenizer, registry) -> Decoder:
    return Decoder(model, tokenizer, registry=registry)


@pytest.fixture(scope="module")
def bare(model, registry) -> Decoder:
    return Decoder(model, registry=registry)


def test_text_chat_and_ids_are_prompts(decoder, tokenizer):
    ids = tokenizer("user:héllo\n")["input_ids"]
    wanted = decoder.generate(ids, max_new_tokens=5)
    chat = [{"role": "user", "content": "héllo"}]
    for prompt in ("user:héllo\n", chat, tuple(ids), torch.tensor(ids), np.array(ids)):
        assert decoder.generate(prompt, max_new_tokens=5).tokens == wanted.tokens


def test_one_prompt_gives_a_result_and_a_batch_a_list(decoder):
    assert isinstance(decoder.generate("a", max_new_tokens=2), decodekit.Result)
    batch = decoder.generate(
        ["a", [1, 2], {"prompt": "b", "max_new_tokens": 1}, [{"role": "user", "content": "c"}]], max_new_tokens=2
    )
    assert [len(r.tokens) for r in batch] == [2, 2, 1, 2]


def test_the_text_is_the_bytes_of_the_tokens(decoder):
    result = decoder.generate("abc", max_new_tokens=20)
    assert decoder.vocabulary is not None
    assert result.text == decoder.vocabulary.text(result.tokens)


def test_without_a_tokenizer_there_is_no_text(bare, model):
    result = bare.generate([1, 2, 3], max_new_tokens=5)
    assert result.text == ""
    assert result.tokens == reference.decode(model, [1, 2, 3], 5)[0]


def test_a_vocabulary_may_stand_for_a_tokenizer(registry):
    model = tiny_llama(257, seed=2)
    decoder = Decoder(model, Vocabulary.from_bytes(), registry=registry)
    assert decoder.describe()["end_tokens"] == [256]
    assert decoder.generate("hi", max_new_tokens=3).prompt_tokens == [104, 105]


def test_score_is_the_models_logprob_of_every_token_but_the_first(decoder, model, tokenizer):
    ids = tokenizer("hello world")["input_ids"]
    wanted = [reference.log_softmax(reference.model_logits(model, ids[:i]))[ids[i]] for i in range(1, len(ids))]
    score, other = decoder.score(["hello world", [1, 2]])
    assert score.tokens == ids[1:]
    assert score.logprobs == pytest.approx(wanted, abs=1e-9)
    assert score.perplexity == pytest.approx(np.exp(-np.mean(wanted)))
    assert len(other.logprobs) == 1


def test_rank_orders_choices_by_how_likely_they_follow(decoder, model, tokenizer):
    ids = tokenizer("hello ")["input_ids"]
    choices = ["abc", "d", "ee"]
    totals = {}
    for choice in choices:
        whole, total = list(ids), 0.0
        for token in tokenizer(choice)["input_ids"]:
            total += reference.log_softmax(reference.model_logits(model, whole))[token]
            whole.append(token)
        totals[choice] = total
    ranked = decoder.rank("hello ", choices)
    assert [r.choice for r in ranked] == sorted(choices, key=lambda c: -totals[c])
    assert ranked[0].score.total == pytest.approx(max(totals.values()), abs=1e-9)
    by_mean = decoder.rank("hello ", choices, by="mean")
    assert by_mean[0].choice == max(choices, key=lambda c: totals[c] / len(c))


def test_describe_names_the_path(decoder):
    described = decoder.describe()
    assert described["path"] == "slots"
    json.dumps(described)


def test_a_request_is_written_and_read_back_as_json(decoder, registry):
    request = decoder.request("abc", Guess(tokens=2), heat=0.8, seed=3, n=2, stop=["x", "y"], max_new_tokens=7)
    again = Request.from_dict(json.loads(json.dumps(request.to_dict())), registry)
    assert again == request
    assert [s.tokens for s in decoder.generate(again).samples] == [s.tokens for s in decoder.generate(request).samples]


def test_what_cannot_be_written_as_json_says_so(decoder):
    with pytest.raises(RequestError, match=r"stop callable .* cannot be written"):
        decoder.request("abc", stop=lambda row: True).to_dict()


def test_results_become_plain_data(decoder):
    plain = decoder.generate("abc", max_new_tokens=3, n=2).to_dict()
    assert json.loads(json.dumps(plain))["samples"][1]["finish_reason"] == "length"


def test_new_tokens_are_cut_to_the_context(bare):
    assert len(bare.generate([1] * 60, max_new_tokens=50).tokens) == 4


@pytest.mark.parametrize(
    ("prompt", "options", "error", "message"),
    [
        ("", {}, PromptError, "the prompt is empty"),
        ([], {}, PromptError, "the batch is empty"),
        ([[]], {}, PromptError, "the prompt is empty"),
        ([1] * 64, {}, PromptError, "has 64 tokens, and the model's context of 64 leaves no room"),
        ([1, 2, VOCAB], {}, PromptError, f"token id {VOCAB} at position 2"),
        ([1, -1], {}, PromptError, "token id -1 at position 1"),
        (torch.ones(2, 2, 2), {}, PromptError, r"shape \(2, 2, 2\)"),
        (3.5, {}, PromptError, "got float"),
        ([{"content": "x"}], {}, PromptError, "has the key 'prompt', .* got .'content'."),
        ("a", {"max_new_tokens": 0}, RequestError, "max_new_tokens: .*greater than or equal to 1"),
        ("a", {"n": 0}, RequestError, "n: "),
        ("a", {"seed": -1}, RequestError, "seed: "),
        ("a", {"stop": ""}, RequestError, "empty stop string"),
        ("a", {"heat": "warm"}, RequestError, "heat: value: 'warm' is not a number"),
        ("a", {"heat": {"value": 1, "colour": 2}}, RequestError, "heat: "),
        (
            "a",
            {"sample": True, "argmax": True},
            IncompatibleTechniquesError,
            "at most one token selector, got 'sample' and 'argmax'",
        ),
        ("a", {"sample": True, "beam_test": 2}, IncompatibleTechniquesError, "'beam_test' .search. .* 'sample'"),
        ("a", {"guess": 2, "beam_test": 2}, IncompatibleTechniquesError, "a draft follows one path"),
        ("a", {"heat": True}, RequestError, "heat needs a value"),
        (b"abc", {}, PromptError, "a prompt is text, got bytes b'abc'"),
        ({"input_ids": [1]}, {}, PromptError, "a request as a dict has the key 'prompt', a chat message 'role'"),
        ([{"rol": "user"}], {}, PromptError, r"a chat message 'role' and 'content'; got \['rol'\]"),
        ("a", {"max_new_tokens": True}, RequestError, "max_new_tokens: True is not a whole number"),
        ("a", {"max_new_tokens": "6"}, RequestError, "max_new_tokens: '6' is not a whole number"),
        ("a", {"time_limit_s": "6"}, RequestError, "time_limit_s: '6' is not a number"),
        ("a", {"logprobs": "no"}, RequestError, "logprobs: 'no' is not true or false"),
        ("a", {"stop_tokens": True}, RequestError, "stop_tokens: .*True,?.* is not a whole number"),
        (
            "a",
            {"stop": [3]},
            RequestError,
            r"stop.0: 3 is not text and is not something to call",
        ),
        ("a", {"guess": "2"}, RequestError, "guess: .*'2' is not a whole number"),
        ("a", {"heat": [True]}, RequestError, "heat: "),
        ("a", {"haet": None}, UnknownTechniqueError, "unknown technique or option 'haet'"),
        ("a", {"xyzzy": False}, UnknownTechniqueError, "unknown technique or option 'xyzzy'"),
        ({"prompt": "a", "techniques": "x"}, {}, RequestError, "'x' is not a technique"),
        ("a", {"match": True, "beam_test": 2}, IncompatibleTechniquesError, "'beam_test' .search. decides itself"),
        ("a", {"stop_tokens": -1}, RequestError, "stop token -1"),
        ("a", {"beam_test": 2, "n": 3}, IncompatibleTechniquesError, "'beam_test' gives at most 2 texts, and n is 3"),
        ("a", {"beam_test": 100}, IncompatibleTechniquesError, "needs 100 rows, and this decoder runs 64"),
        ("a", {"slots": True}, IncompatibleTechniquesError, "'slots' is a kv cache"),
        ("a", {"alternate": 9, "max_new_tokens": 5}, UnsatisfiableSchemaError, "shortest text .* has 9 tokens"),
    ],
)
def test_bad_requests_are_refused_before_the_first_forward_pass(decoder, prompt, options, error, message, monkeypatch):
    monkeypatch.setattr(type(decoder.model), "forward", None)
    with pytest.raises(error, match=message):
        decoder.generate(prompt, **options)


def test_the_same_technique_twice_is_refused(decoder):
    with pytest.raises(IncompatibleTechniquesError, match=r"'heat' is asked for twice"):
        decoder.generate("a", Heat(0.5), heat=0.7)


class Nothing(Technique, name="nothing"):
    """Has no role, so that nobody would ask it for anything."""


@pytest.mark.parametrize("technique", [Technique(), Nothing()])
def test_a_technique_without_a_role_is_refused(decoder, technique):
    with pytest.raises(RequestError, match="is not a technique"):
        decoder.generate("a", technique)


def test_what_pydantic_writes_of_a_request_is_not_read_as_one_without_techniques(decoder):
    written = decoder.request("a", heat=0.5).model_dump_json()
    with pytest.raises(ValueError, match="is not a technique"):
        Request.model_validate_json(written)


def test_two_selectors_as_objects_are_refused(decoder):
    with pytest.raises(IncompatibleTechniquesError, match=r"cannot run with 'sample'"):
        decoder.generate("a", Sample(), Beam(2))


def test_constraints_that_do_not_intersect_are_refused(decoder):
    with pytest.raises(IncompatibleTechniquesError, match=r"cannot be combined: neither knows"):
        decoder.generate("a", Alternate(4), alternate=5)


def test_an_unknown_name_suggests_the_nearest_and_the_plugin_to_install(decoder):
    with pytest.raises(UnknownTechniqueError, match=r"unknown technique or option 'heet'") as caught:
        decoder.generate("a", heet=1)
    assert caught.value.hint == "did you mean 'heat'?"
    with pytest.raises(UnknownTechniqueError) as caught:
        decoder.generate("a", max_newtokens=1)
    assert caught.value.hint == "did you mean 'max_new_tokens'?"
    with pytest.raises(UnknownTechniqueError, match=r"no installed plugin offers it") as caught:
        decoder.generate("a", top_p=0.9)
    assert caught.value.hint == "pip install decodekit-sampling"


def test_an_option_of_the_decoder_says_whose_it_is(decoder):
    with pytest.raises(UnknownTechniqueError) as caught:
        decoder.generate("a", max_row=4)
    assert caught.value.hint == "did you mean 'max_rows', which belongs to the decoder: Decoder(…, max_rows=…)?"


def test_a_misspelt_field_suggests_the_nearest(decoder):
    with pytest.raises(RequestError, match=r"guess: there is no field 'tokenz'") as caught:
        decoder.generate("a", guess={"tokenz": 3, "vocab": 12})
    assert "did you mean 'tokens' for 'tokenz'? its fields are" in caught.value.hint
    with pytest.raises(RequestError, match=r"heat: there is no field 'valeu'"):
        decoder.generate("a", heat={"valeu": 3})


def test_a_missing_folder_is_no_name_on_the_hub(tmp_path):
    with pytest.raises(ModelError, match="there is no folder") as caught:
        Decoder.from_pretrained(tmp_path / "missing")
    assert "config.json" in caught.value.hint


def test_a_name_of_transformers_says_what_it_is_called_here(decoder):
    with pytest.raises(UnknownTechniqueError) as caught:
        decoder.generate("a", do_sample=True)
    assert "multinomial=True" in caught.value.hint


def test_what_cannot_be_loaded_says_so(tmp_path):
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        Decoder.from_pretrained(tmp_path)
    assert "config.json" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        (__file__, {}, "cannot be loaded: it is a file"),
        ("", {}, "a model is loaded by its name or path, got ''"),
        (None, {}, "a model is loaded by its name or path, got None"),
        (..., {"dtyp": "x"}, r"cannot be loaded with dtyp='x': .*unexpected keyword argument 'dtyp'"),
        (..., {"dtype": "float99"}, "cannot be loaded with dtype='float99'"),
    ],
)
def test_what_transformers_raises_while_loading_is_told_in_our_words(model, tmp_path, name, options, told):
    model.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=told) as caught:
        Decoder.from_pretrained(tmp_path if name is ... else name, **options)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("plain", "told"),
    [
        (["a"], r"a request as data is a dict with a prompt, got \['a'\]"),
        ({"techniques": []}, "a request as data is a dict with a prompt"),
        (
            {"prompt": "a", "techniques": [{"value": 2}]},
            r"a technique as data is a dict with its name, got \{'value': 2\}",
        ),
        ({"prompt": "a", "techniques": "heat"}, "a technique as data is a dict with its name, got 'heat'"),
    ],
)
def test_data_that_is_no_request_is_told(registry, plain, told):
    with pytest.raises(RequestError, match=told) as caught:
        Request.from_dict(plain, registry)
    assert "as `to_dict` writes it" in caught.value.hint


@pytest.mark.parametrize("prompt", ["ab\ud800", [{"role": "user", "content": "\udc00"}]])
def test_half_a_character_is_no_prompt(decoder, prompt):
    with pytest.raises(PromptError, match="half a character") as caught:
        decoder.generate(prompt)
    assert caught.value.hint == "decode its bytes with errors='replace'"


def test_a_text_is_no_list_of_choices(decoder):
    with pytest.raises(RequestError, match="choices are a list of texts, got 'abc'"):
        decoder.rank("a", "abc")


def test_what_is_not_a_tokenizer_is_refused(model, registry):
    with pytest.raises(RequestError, match="got 'gpt2'"):
        Decoder(model, "gpt2", registry=registry)


def test_an_error_in_a_batch_says_which_request(decoder):
    with pytest.raises(PromptError) as caught:
        decoder.generate(["a", "", "b"])
    assert "(in request 1 of 3)" in str(caught.value)


def test_text_without_a_tokenizer_is_refused(bare):
    with pytest.raises(PromptError, match=r"needs a tokenizer"):
        bare.generate("hello")


def test_a_constraint_without_a_tokenizer_is_refused(bare):
    with pytest.raises(IncompatibleTechniquesError, match=r"tokens' bytes"):
        bare.generate([1, 2], alternate=3)


def test_chat_without_a_template_is_refused(model, tokenizer, registry):
    plain = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    with pytest.raises(PromptError, match=r"chat template, and this one has none"):
        Decoder(model, plain, registry=registry).generate([{"role": "user", "content": "x"}])


def test_a_chat_template_that_refuses_is_quoted(model, tokenizer, registry):
    strict = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    strict.chat_template = "{{ raise_exception('only users here') }}"
    with pytest.raises(PromptError, match=r"only users here"):
        Decoder(model, strict, registry=registry).generate([{"role": "system", "content": "x"}])


def test_a_model_that_is_not_causal_is_refused(registry):
    config = BertConfig(vocab_size=30, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    with pytest.raises(ModelError):
        Decoder(BertModel(config), registry=registry)


def test_an_engine_option_must_be_one(model, registry):
    with pytest.raises(RequestError, match=r"'heat' is a logits processor, not an engine option"):
        Decoder(model, registry=registry, heat=0.5)
    assert Decoder(model, registry=registry, slots=True).describe()["path"] == "slots"


def test_streaming_checks_the_request_before_the_first_piece(decoder):
    with pytest.raises(PromptError):
        decoder.stream("")


def test_a_request_stands_for_itself(decoder):
    with pytest.raises(RequestError, match=r"options beside it would be lost"):
        decoder.generate(decoder.request("a"), max_new_tokens=3)


def test_a_tensor_of_two_dimensions_is_a_batch_of_any_length(bare):
    one, two = bare.generate(torch.tensor([[1, 2]]), max_new_tokens=1), bare.generate(np.ones((2, 2), int))
    assert [len(one), len(two)] == [1, 2]


def test_numbers_of_numpy_and_recipes_are_numbers(decoder, registry):
    request = decoder.request("a", heat=np.float32(0.5), max_new_tokens=np.int64(3), stop_tokens=[np.int64(4)])
    assert (request.max_new_tokens, request.stop_tokens) == (3, (4,))
    assert Request.from_dict(json.loads(json.dumps(request.to_dict())), registry) == request


def test_an_empty_mapping_stands_for_the_defaults(decoder):
    assert decoder.request("a", sample={}).techniques == (Sample(),)


def test_scores_take_no_techniques(decoder):
    with pytest.raises(RequestError, match=r"score tells the model's own law, .* got heat, lora"):
        decoder.score("a", lora="x", heat=2)
    with pytest.raises(RequestError, match=r"rank tells the model's own law, .* got n"):
        decoder.rank("a", ["b"], n=2)


@pytest.mark.parametrize("rows", ["3", 0, True, 2.0])
def test_max_rows_is_a_whole_number(model, rows):
    with pytest.raises(RequestError, match="max_rows is a whole number of at least 1"):
        Decoder(model, max_rows=rows)


@pytest.mark.parametrize("registry", [5, 0, "json", {}])
def test_a_registry_is_one(model, registry):
    with pytest.raises(RequestError, match=r"a registry is a decodekit\.plugins\.Plugins, got"):
        Decoder(model, registry=registry)


def test_an_unknown_option_of_the_decoder_is_refused_whatever_its_value(model):
    with pytest.raises(UnknownTechniqueError, match="'slotz'"):
        Decoder(model, slotz=None)


def test_what_peft_has_wrapped_is_refused_with_the_way_to_go(model):
    wrapper = type("PeftModel", (torch.nn.Module,), {"peft_config": {}, "get_base_model": None})()
    wrapper.config = model.config
    with pytest.raises(ModelError, match="PeftModel is a wrapper of PEFT's") as caught:
        Decoder(wrapper)
    assert "lora=" in caught.value.hint


@pytest.mark.parametrize("given", [None, 3, [5, 6, 7], ["a"], [{"content": "a"}]])
def test_a_prompt_technique_that_gives_no_prompt_is_named(decoder, given):
    class Lost(Prompt, name="lost"):
        def __call__(self, prompt, context):
            return given

    with pytest.raises(PluginError, match=f"lost gave a prompt of the type {type(given).__name__}"):
        decoder.generate("a", Lost())


def test_a_long_prompt_is_refused_by_decodekit_alone(decoder, tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizer, "model_max_length", 8)
    monkeypatch.setattr(transformers.logging.get_logger("transformers"), "warning", pytest.fail)
    with pytest.raises(PromptError, match="the prompt has 100 tokens"):
        decoder.generate("a" * 100)
