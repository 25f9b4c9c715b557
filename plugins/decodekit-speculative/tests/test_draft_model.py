"""A draft model changes no text that is chosen without randomness, whatever it is and whoever else is in the batch."""

import json
from pathlib import Path

import pytest
import torch
import transformers as hf

from decodekit import Decoder, PluginWarning, Request, RequestError, Vocabulary
from decodekit.assembly import assemble
from decodekit.errors import IncompatibleTechniquesError
from decodekit.testing import ModelHookLaws, tiny_llama
from decodekit_speculative import DraftModel

VOCAB, LIMIT = 18, 16
WORDS = Vocabulary((*(bytes([c]) for c in b'{"nam:12}, xyz'), b'{"', b"na", b'":', None), (17,))
PROMPTS = [[1, 2, 3, 1, 2, 3, 1], [5] * 9, [7, 8]]
TARGET, OTHER, THIRD = (tiny_llama(VOCAB, seed=seed, initializer_range=0.5) for seed in (5, 9, 11))
CARD = {"nam": {"enum": [1, 2, 12]}, "a": {"type": "integer"}}
SCHEMA = {
    "schema": {"type": "object", "properties": CARD, "required": ["nam"], "additionalProperties": False},
    "whitespace": "compact",
}


def rwkv():
    config = hf.RwkvConfig(
        vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2, attention_hidden_size=16, context_length=64
    )
    return made(hf.RwkvForCausalLM, config)


def mamba2():
    config = hf.Mamba2Config(
        vocab_size=VOCAB,
        hidden_size=16,
        num_hidden_layers=2,
        num_heads=4,
        head_dim=8,
        state_size=8,
        expand=2,
        n_groups=1,
        chunk_size=8,
        initializer_range=0.4,
        tie_word_embeddings=False,
        bos_token_id=None,
        pad_token_id=None,
        eos_token_id=None,
    )
    return made(hf.Mamba2ForCausalLM, config)


def made(kind, config):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return kind(config).double().eval()


@pytest.fixture(scope="module")
def decoder():
    return Decoder(TARGET, WORDS)


def everything(results):
    return [[(s.tokens, s.text, s.finish_reason, s.parsed) for s in r.samples] for r in results]


class Matched(DraftModel, default_verifier="match"):
    """Judged token for token, which is what the laws compare."""


@pytest.mark.slow
class TestDraftModel(ModelHookLaws):
    make = staticmethod(lambda: Matched(tiny_llama(12, seed=3), 1))
    paths = ("slots", "replay")


@pytest.mark.slow
class TestDraftModelOfAHybrid(ModelHookLaws):
    make = staticmethod(lambda: Matched(mamba2(), 2))
    paths = ("hybrid",)
    vocab_size = VOCAB
    make_model = staticmethod(mamba2)


@pytest.mark.parametrize("constraint", [{}, {"regex": "(na|xy){3,9}m?"}, {"json_schema": SCHEMA}], ids=str)
@pytest.mark.parametrize("choice", [{}, {"repetition_penalty": 1.3}, {"temperature": 1.2, "match": True}], ids=str)
def test_requests_with_and_without_share_a_batch(decoder, constraint, choice):
    options = {"max_new_tokens": LIMIT, "n": 2, "seed": 4} | constraint | choice
    drafts = [None, OTHER, {"model": THIRD, "tokens": 2}, TARGET, decoder, {"model": OTHER, "min_probability": 0.4}]
    plain, drafted = (
        [
            decoder.request(PROMPTS[i % 3], **options, **({"draft_model": source} if source and with_drafts else {}))
            for i, source in enumerate(drafts)
        ]
        for with_drafts in (False, True)
    )
    results = decoder.generate(drafted)
    assert everything(results) == everything(decoder.generate(plain))
    assert results[0].stats.drafted_tokens == 0 < results[1].stats.drafted_tokens
    if "match" not in options:
        for result in (results[3], results[4]):
            assert result.stats.accepted_tokens == result.stats.drafted_tokens > 0


@pytest.mark.parametrize("rule", ["token_rule", "block_rule"])
def test_samples_of_the_target_as_its_own_draft_are_kept_whole(decoder, rule):
    options = {"temperature": 0.8, "top_k": 6, "regex": "[namxyz]{9,}", "seed": 3, "n": 3, "max_new_tokens": 12}
    result = decoder.generate(PROMPTS[0], draft_model={"model": TARGET, "tokens": 3}, **options, **{rule: True})
    assert result.stats.accepted_tokens == result.stats.drafted_tokens > 0
    assert result.stats.steps == 4


def test_rows_of_several_requests_go_ahead_together(decoder):
    draft = tiny_llama(VOCAB, seed=5, initializer_range=0.5)
    decoder.generate(PROMPTS[0], draft_model=draft, max_new_tokens=2)
    wishes = [{"model": draft, "tokens": 4}, {"model": Decoder(draft, WORDS), "tokens": 2}, draft]
    calls = []
    handle = draft.register_forward_hook(lambda *_: calls.append(1))
    requests = [decoder.request(p, max_new_tokens=11, draft_model=wishes[0]) for p in PROMPTS]
    decoder.generate(requests)
    handle.remove()
    # The first step has no draft; then twice four drafted tokens and one of the target's.
    assert len(calls) == 8
    pieces = [assemble(decoder.request(PROMPTS[0], draft_model=wish), decoder._plan).drafters[0] for wish in wishes]
    assert pieces[0] == pieces[2]
    assert hash(pieces[0]) == hash(pieces[2])
    assert pieces[0].start(()).tokens == 4
    assert pieces[0] != pieces[1]


@pytest.mark.parametrize("stop", ["string", "callable", "token"])
def test_a_stop_inside_of_a_draft_cuts_where_it_cuts_without(decoder, stop):
    free = decoder.generate(PROMPTS[0], max_new_tokens=12)
    for place in (3, 6):
        options = {
            "string": {"stop": [free.text[place : place + 2]]},
            "callable": {"stop": [lambda row, place=place: len(row.tokens) == place]},
            "token": {"stop_tokens": [free.tokens[place]]},
        }[stop]
        plain = decoder.generate(PROMPTS, max_new_tokens=12, **options)
        drafted = decoder.generate(PROMPTS, max_new_tokens=12, **options, draft_model=TARGET)
        assert everything(drafted) == everything(plain)
        assert drafted[0].stats.steps < plain[0].stats.steps


def test_a_stream_adds_up_to_the_text(decoder):
    plain = decoder.generate(PROMPTS[0], max_new_tokens=LIMIT)
    pieces = list(decoder.stream(PROMPTS[0], max_new_tokens=LIMIT, draft_model=TARGET))
    assert "".join(piece.text for piece in pieces) == plain.text
    assert max(len(piece.tokens) for piece in pieces) == 6


def test_nothing_is_drafted_behind_an_end_token():
    target = tiny_llama(VOCAB, seed=5, initializer_range=0.5)
    free = Decoder(target).generate(PROMPTS[0], max_new_tokens=LIMIT)
    end = next(token for i, token in enumerate(free.tokens) if i > 2 and token not in free.tokens[:i])
    target.generation_config.eos_token_id = end
    result = Decoder(target).generate(PROMPTS[0], max_new_tokens=60, draft_model={"model": target, "tokens": 30})
    assert result.tokens == free.tokens[: free.tokens.index(end) + 1]
    assert result.finish_reason == "eos"
    # An end token that was chosen without randomness is left to the target.
    assert result.stats.drafted_tokens == free.tokens.index(end) - 1


@pytest.mark.parametrize("choice", [{}, {"temperature": 1.0, "seed": 2, "token_rule": True}], ids=str)
@pytest.mark.parametrize("constraint", [{"regex": "[nam]{6}"}, {"json_schema": SCHEMA}], ids=["regex", "json"])
def test_nothing_is_drafted_behind_a_text_that_can_only_end(constraint, choice):
    endless = Decoder(TARGET, Vocabulary(WORDS.tokens, ()))
    options = {"max_new_tokens": 40, **constraint, **choice}
    drafted = endless.generate(PROMPTS, **options, draft_model={"model": TARGET, "tokens": 30})
    assert [r.finish_reason for r in drafted] == ["constraint"] * len(PROMPTS)
    assert [r.stats.failed_drafters for r in drafted] == [0] * len(PROMPTS)
    assert all(r.stats.accepted_tokens == r.stats.drafted_tokens > 0 for r in drafted)
    # The first step has no draft; one more judges all the rest.
    assert [r.stats.steps for r in drafted] == [2] * len(PROMPTS)


def test_a_draft_model_with_a_shorter_context_helps_as_far_as_it_goes(decoder):
    short = tiny_llama(VOCAB, seed=5, initializer_range=0.5, max_position_embeddings=12)
    plain = decoder.generate(PROMPTS, max_new_tokens=LIMIT)
    told = "^drafter 'draft_model' has nothing more to propose: its model's context is 12 tokens"
    with pytest.warns(PluginWarning, match=told) as given:
        drafted = decoder.generate(PROMPTS, max_new_tokens=LIMIT, draft_model=short)
    assert len(given) == 1
    assert everything(drafted) == everything(plain)
    drafts = [result.stats.drafted_tokens for result in drafted]
    assert drafts[2] > drafts[0] > drafts[1] > 0
    with pytest.warns(PluginWarning, match=told):
        beyond = decoder.generate([1] * 13, max_new_tokens=4, draft_model=short)
    assert beyond.tokens == decoder.generate([1] * 13, max_new_tokens=4).tokens
    assert beyond.stats.drafted_tokens == 0


@pytest.mark.parametrize("draft", [rwkv, mamba2])
def test_a_draft_model_may_keep_its_memory_in_another_way(decoder, draft):
    plain = decoder.generate(PROMPTS, max_new_tokens=LIMIT)
    model = draft()
    drafted = decoder.generate(PROMPTS, max_new_tokens=LIMIT, draft_model=model)
    assert everything(drafted) == everything(plain)
    itself = Decoder(model, WORDS)
    drafted = itself.generate(PROMPTS, max_new_tokens=LIMIT, draft_model={"model": model, "tokens": 3})
    assert everything(drafted) == everything(itself.generate(PROMPTS, max_new_tokens=LIMIT))
    assert all(r.stats.accepted_tokens == r.stats.drafted_tokens > 0 for r in drafted)


def test_a_draft_ends_behind_a_doubtful_token(decoder):
    doubtful = decoder.generate(PROMPTS[0], max_new_tokens=9, draft_model={"model": TARGET, "min_probability": 1.0})
    assert doubtful.stats.drafted_tokens == doubtful.stats.steps - 1
    sure = decoder.generate(PROMPTS[0], max_new_tokens=9, draft_model={"model": TARGET, "min_probability": 0.0})
    assert sure.stats.steps < doubtful.stats.steps


def test_another_vocabulary_is_refused_with_both_sizes(decoder):
    with pytest.raises(IncompatibleTechniquesError, match=r"'draft_model': .* another vocabulary: 20 .* decoder's 18"):
        decoder.generate(PROMPTS[0], draft_model=tiny_llama(20))


def test_what_is_no_model_is_refused_when_it_is_said():
    with pytest.raises(RequestError, match="a model, a decoder, a path or a name, not int"):
        DraftModel(3)


def test_a_draft_model_is_written_down_by_name_and_an_object_is_refused(decoder):
    assert DraftModel("some/name", 4).model_dump() == {"model": "some/name", "tokens": 4, "min_probability": 0.0}
    request = decoder.request([1], DraftModel(Path("some") / "name"))
    assert Request.from_dict(json.loads(json.dumps(request.to_dict())), decoder.registry) == request
    loaded = tiny_llama(OTHER.config.vocab_size)
    loaded.config._name_or_path = "some/name"
    with pytest.raises(
        RequestError, match=r"'draft_model' cannot be written as JSON: a Llama.* by its name or path"
    ) as no:
        decoder.request([1], DraftModel(loaded)).to_dict()
    assert "_as_name" not in str(no.value)
