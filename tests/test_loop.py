"""The one loop against a naive reference: every combination gives what the row would get alone."""

from __future__ import annotations

import itertools

import pytest
import torch

from decodekit import Decoder, Vocabulary
from decodekit.commit import in_place
from decodekit.errors import DeadEndError, GenerationError, GenerationInterrupted
from decodekit.law import Law
from decodekit.plugins import Plugins
from decodekit.techniques import Aggregator, LogitsProcessor, TokenSelector, Verdict, Verifier
from decodekit.testing.toys import tiny_llama
from tests import reference
from tests.pieces import AlternatingMachine, Fatigue, Heat, registry_of_the_tests

VOCAB = 12
PROMPTS = [[1, 2, 3], [5] * 9, [7, 8], [4, 3, 2, 1, 0]]


@pytest.fixture(scope="module")
def registry() -> Plugins:
    return registry_of_the_tests()


@pytest.fixture(scope="module")
def model():
    return tiny_llama(VOCAB, seed=3, initializer_range=0.6)


@pytest.fixture(scope="module")
def decoder(model, registry) -> Decoder:
    words = Vocabulary(tuple(bytes([97 + t]) for t in range(VOCAB)), ())
    return Decoder(model, words, registry=registry)


def settings(**names):
    """Give keyword arguments for the decoder and for the reference."""
    ours = {k: v for k, v in names.items() if k != "seed"}
    if "seed" in names:
        ours |= {"seed": names["seed"], "sample": True}
    return ours, names


MIXES = [
    {},
    {"fatigue": 1.5},
    {"heat": 0.7, "seed": 5},
    {"heat": 1.3, "best": 4, "seed": 6},
    {"fatigue": 0.8, "heat": 2.0, "seed": 7},
    {"alternate": 8},
    {"alternate": 7, "heat": 1.5, "seed": 8},
    {"surprise": True, "seed": 9},
    {"surprise": True, "fatigue": 0.5, "alternate": 9, "best": 3, "seed": 10},
]


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("draft", [None, "guess", "chain"])
def test_a_ragged_batch_equals_the_reference_with_and_without_drafts(decoder, model, mix, draft):
    ours, theirs = settings(**mix)
    drafters = {None: {}, "guess": {"guess": 4}, "chain": {"guess": 2, "oracle": (1, 2, 3, 4) * 5}}[draft]

    results = decoder.generate(PROMPTS, max_new_tokens=10, **ours, **drafters)

    for prompt, result in zip(PROMPTS, results, strict=True):
        tokens, models, targets = reference.decode(model, prompt, 10, **theirs)
        assert result.tokens == tokens
        assert result.logprobs == pytest.approx(models, abs=1e-9)
        assert result.target_logprobs == pytest.approx(targets, abs=1e-9)


@pytest.mark.parametrize("seed", [None, 8])
def test_a_draft_of_the_whole_text_ends_where_the_text_can_only_end(decoder, model, seed):
    ours, theirs = settings(alternate=5, **({} if seed is None else {"seed": seed, "heat": 1.5}))
    tokens = reference.decode(model, PROMPTS[0], 20, **theirs)[0]
    results = decoder.generate([PROMPTS[0]] * 2, max_new_tokens=20, oracle=tuple(tokens), **ours)
    assert [(r.tokens, r.finish_reason) for r in results] == [(tokens, "constraint")] * 2
    assert results[0].stats.accepted_tokens == results[0].stats.drafted_tokens == 3


def test_requests_that_differ_in_everything_share_a_batch(decoder, model):
    batch, wanted = [], []
    for mix, prompt, drafted in zip(MIXES, itertools.cycle(PROMPTS), itertools.cycle([False, True]), strict=False):
        ours, theirs = settings(**mix)
        batch.append({"prompt": prompt, "max_new_tokens": 6 + len(batch), **ours, **({"guess": 3} if drafted else {})})
        limit = 6 + len(wanted)
        if "alternate" in mix and mix["alternate"] > limit:
            batch[-1]["alternate"] = theirs["alternate"] = 5
        wanted.append(reference.decode(model, prompt, limit, **theirs)[0])

    assert [r.tokens for r in decoder.generate(batch)] == wanted


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_rows_that_wait_for_room_get_the_same_text(model, registry, rows):
    narrow = Decoder(model, registry=registry, max_rows=rows)
    wide = Decoder(model, registry=registry)
    options = {"max_new_tokens": 7, "heat": 1.2, "seed": 3, "n": 3}
    assert [[s.tokens for s in r.samples] for r in narrow.generate(PROMPTS, **options)] == [
        [s.tokens for s in r.samples] for r in wide.generate(PROMPTS, **options)
    ]


def test_samples_of_a_request_equal_the_reference_and_prefill_once(decoder, model):
    result = decoder.generate(PROMPTS[0], heat=1.1, seed=11, n=4, max_new_tokens=6)
    for k, sample in enumerate(result.samples):
        assert sample.tokens == reference.decode(model, PROMPTS[0], 6, heat=1.1, seed=11, sample=k)[0]
    assert result.stats.steps == 6
    assert len({tuple(s.tokens) for s in result.samples}) > 1


def test_greedy_samples_are_alike_and_are_not_refused(decoder):
    result = decoder.generate(PROMPTS[0], n=3, max_new_tokens=4)
    assert [s.tokens for s in result.samples] == [result.tokens] * 3


def test_techniques_with_different_numbers_run_together(decoder, model, monkeypatch):
    calls: list[int] = []
    original = Heat.__call__
    monkeypatch.setattr(Heat, "__call__", lambda self, law, at: (calls.append(len(at)), original(self, law, at))[1])
    batch = [
        {"prompt": p, "heat": h, "fatigue": f}
        for p, h, f in zip(PROMPTS, (0.5, 1.0, 1.5, 2.0), (0, 1, 0.5, 2), strict=True)
    ]

    results = decoder.generate(batch, seed=4, max_new_tokens=5)

    assert calls == [4] * 5
    for spec, result in zip(batch, results, strict=True):
        theirs = {"heat": spec["heat"], "fatigue": spec["fatigue"], "seed": 4}
        assert result.tokens == reference.decode(model, spec["prompt"], 5, **theirs)[0]


def test_an_accepted_draft_saves_forward_passes(decoder):
    plain = decoder.generate(PROMPTS[0], max_new_tokens=10)
    drafted = decoder.generate(PROMPTS[0], max_new_tokens=10, oracle=plain.tokens)
    assert drafted.tokens == plain.tokens
    assert drafted.stats.steps == 3  # the prompt gives 1 token, then 4 + 1, then 3 + 1
    assert drafted.stats.accepted_tokens == 7


def test_drafts_are_cut_where_the_row_ends(decoder, model, registry):
    text = reference.decode(model, PROMPTS[0], 12)[0]
    end = text[5]
    stopped = decoder.generate(PROMPTS[0], max_new_tokens=12, oracle=text, stop_tokens=end)
    assert stopped.tokens == text[: text.index(end) + 1]
    assert stopped.finish_reason == "stop"
    letters = "".join(chr(97 + t) for t in text)
    cut = decoder.generate(PROMPTS[0], max_new_tokens=12, oracle=text, stop=letters[4:6])
    assert cut.text == letters[: letters.index(letters[4:6])]
    short = decoder.generate(PROMPTS[0], max_new_tokens=3, oracle=text)
    assert short.tokens == text[:3]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_beam_as_wide_as_the_space_finds_the_best_sequences(registry, length):
    model = tiny_llama(4, seed=1, initializer_range=0.6)
    decoder = Decoder(model, registry=registry)
    result = decoder.generate([1, 2], beam_test=4**length, max_new_tokens=length, n=min(5, 4**length))
    wanted = reference.best_sequences(model, [1, 2], length, 4)[:5]
    assert [tuple(s.tokens) for s in result.samples] == [tokens for _, tokens in wanted[: len(result.samples)]]
    assert [s.score for s in result.samples] == pytest.approx([score for score, _ in wanted[: len(result.samples)]])


def test_a_beam_of_width_one_is_greedy_beside_other_requests(decoder, model):
    results = decoder.generate(
        [{"prompt": PROMPTS[0], "beam_test": 1}, {"prompt": PROMPTS[1]}, {"prompt": PROMPTS[2], "beam_test": 3}],
        max_new_tokens=6,
    )
    assert results[0].tokens == reference.decode(model, PROMPTS[0], 6)[0]
    assert results[1].tokens == reference.decode(model, PROMPTS[1], 6)[0]
    alone = decoder.generate(PROMPTS[2], beam_test=3, max_new_tokens=6)
    assert results[2].tokens == alone.tokens
    assert results[2].answer.score >= reference_score(model, PROMPTS[2], 6)


def reference_score(model, prompt, limit) -> float:
    return sum(reference.decode(model, prompt, limit)[1]) - 1e-9


def test_beams_stay_inside_a_constraint(decoder):
    result = decoder.generate(PROMPTS[0], beam_test=3, alternate=6, max_new_tokens=8, n=3)
    for sample in result.samples:
        assert [t % 2 for t in sample.tokens] == [0, 1] * 3
        assert sample.finish_reason == "constraint"


def test_rows_in_the_same_state_share_one_mask(decoder, monkeypatch):
    asked: list[tuple[AlternatingMachine, int]] = []
    original = AlternatingMachine.mask
    monkeypatch.setattr(
        AlternatingMachine,
        "mask",
        lambda self, state, left: (asked.append((self, state)), original(self, state, left))[1],
    )
    results = decoder.generate(PROMPTS[:2], beam_test=3, alternate=4, max_new_tokens=8, n=3)
    inside = [(machine, state) for machine, state in asked if state < 4]
    assert len(inside) == len(set(inside)) == 8
    assert all(len(sample.tokens) == 4 for result in results for sample in result.samples)


def test_the_end_token_ends_a_row_and_leaves_the_others_alone(registry):
    model = tiny_llama(VOCAB, seed=3, initializer_range=0.6)
    texts = [reference.decode(model, p, 9)[0] for p in PROMPTS]
    model.generation_config.eos_token_id = texts[0][2]
    decoder = Decoder(model, registry=registry)
    for prompt, result in zip(PROMPTS, decoder.generate(PROMPTS, max_new_tokens=9), strict=True):
        wanted = reference.decode(model, prompt, 9, ends=[texts[0][2]])[0]
        assert result.tokens == wanted
        assert result.finish_reason == ("eos" if wanted[-1] == texts[0][2] else "length")


def test_a_constraint_may_end_with_the_end_token_or_without_one(registry):
    model = tiny_llama(VOCAB, seed=3, initializer_range=0.6)
    words = Vocabulary(tuple(bytes([97 + t]) for t in range(VOCAB)), ())
    free = Decoder(model, words, registry=registry).generate(PROMPTS[0], alternate=4, max_new_tokens=9)
    assert (len(free.tokens), free.finish_reason, free.parsed) == (4, "constraint", "parsed:4")


def test_bans_lift_where_the_constraint_leaves_nothing_else(decoder):
    banned = tuple(t for t in range(VOCAB) if t % 2 == 0)
    result = decoder.generate(PROMPTS[0], alternate=4, forbid=banned, max_new_tokens=9)
    assert [t % 2 for t in result.tokens] == [0, 1, 0, 1]
    assert result.stats.lifted_bans == 2
    everything = decoder.generate(PROMPTS[0], forbid=range(VOCAB), max_new_tokens=3)
    assert everything.stats.lifted_bans == 3
    assert everything.tokens == decoder.generate(PROMPTS[0], max_new_tokens=3).tokens


def test_bans_lifted_at_drafted_places_count_where_the_draft_is_kept(decoder):
    banned = tuple(t for t in range(VOCAB) if t % 2 == 0)
    options = {"alternate": 8, "forbid": banned, "max_new_tokens": 8}
    plain = decoder.generate(PROMPTS[0], **options)
    assert plain.stats.lifted_bans == 4
    for text in (plain.tokens, [*plain.tokens[:3], *(t for t in banned if t != plain.tokens[4])]):
        drafted = decoder.generate(PROMPTS[0], oracle=text, **options)
        assert drafted.stats.drafted_tokens > 0
        assert (drafted.tokens, drafted.stats.lifted_bans) == (plain.tokens, 4)


def test_an_end_that_the_constraint_leaves_alone_lifts_its_ban(model, registry):
    words = Vocabulary(tuple(bytes([97 + t]) for t in range(VOCAB)), (VOCAB - 1,))
    decoder = Decoder(model, words, registry=registry)
    free = decoder.generate(PROMPTS[0], alternate=4, max_new_tokens=9)
    ended = decoder.generate(PROMPTS[0], alternate=4, forbid=(VOCAB - 1,), max_new_tokens=9)
    assert (free.tokens, free.finish_reason) == (ended.tokens, ended.finish_reason)
    assert (free.stats.lifted_bans, ended.stats.lifted_bans) == (0, 1)


def test_streamed_pieces_join_to_the_texts(decoder):
    options = {"max_new_tokens": 12, "heat": 1.5, "seed": 2, "n": 2, "guess": 3}
    pieces = list(decoder.stream(PROMPTS, **options))
    for i, result in enumerate(decoder.generate(PROMPTS, **options)):
        for k, sample in enumerate(result.samples):
            mine = [p for p in pieces if (p.request, p.sample) == (i, k)]
            assert "".join(p.text for p in mine) == sample.text
            assert [t for p in mine for t in p.tokens] == sample.tokens
            assert [p.finish_reason for p in mine if p.finish_reason] == [sample.finish_reason]


def test_a_stop_string_is_never_streamed_not_even_its_beginning(decoder):
    text = decoder.generate(PROMPTS[1], max_new_tokens=12).text
    stop = text[5:8]
    shown = ""
    for piece in decoder.stream(PROMPTS[1], max_new_tokens=12, stop=[stop, "zzz"]):
        shown += piece.text
        assert text.startswith(shown)
        assert len(shown) <= text.index(stop)
    assert shown == text[: text.index(stop)]


def test_a_search_streams_its_answer_when_it_is_decided(decoder):
    pieces = list(decoder.stream(PROMPTS[0], beam_test=3, max_new_tokens=5, n=2))
    result = decoder.generate(PROMPTS[0], beam_test=3, max_new_tokens=5, n=2)
    assert [p.tokens for p in pieces] == [s.tokens for s in result.samples]


def test_stop_callables_and_conditions_see_each_committed_token(decoder):
    result = decoder.generate(PROMPTS[0], stop=lambda row: len(row.text) == 3, guess=3, max_new_tokens=9)
    assert (len(result.tokens), result.finish_reason) == (3, "stop")
    assert decoder.generate(PROMPTS[0], after_two=True, guess=3, max_new_tokens=9).finish_reason == "after_two"


def test_observers_see_starts_steps_and_ends(decoder):
    seen: list = []
    decoder.generate(PROMPTS[0], record=seen, max_new_tokens=3, n=2)
    assert seen == [
        ("start", 1),
        ("step", 1, [1, 1]),
        ("step", 2, [2, 2]),
        ("step", 3, [3, 3]),
        ("finish", "length"),
        ("finish", "length"),
    ]


def test_an_aggregator_makes_the_answer(decoder):
    result = decoder.generate(PROMPTS[0], heat=2.0, seed=1, n=5, longest=True, max_new_tokens=4)
    assert sum(result.tokens) == max(sum(s.tokens) for s in result.samples)


def test_top_and_prompt_logprobs_are_the_models(decoder, model):
    result = decoder.generate(PROMPTS[1], top_logprobs=3, prompt_logprobs=True, heat=0.5, seed=1, max_new_tokens=4)
    whole = [*PROMPTS[1], *result.tokens]
    for i, top in enumerate(result.top_logprobs):
        law = reference.log_softmax(reference.model_logits(model, whole[: len(PROMPTS[1]) + i]))
        assert list(top) == law.argsort()[::-1][:3].tolist()
        assert list(top.values()) == pytest.approx(sorted(law)[::-1][:3], abs=1e-9)
    wanted = [
        reference.log_softmax(reference.model_logits(model, PROMPTS[1][:i]))[PROMPTS[1][i]]
        for i in range(1, len(PROMPTS[1]))
    ]
    assert result.prompt_logprobs == pytest.approx(wanted, abs=1e-9)


def test_a_time_limit_ends_a_request_and_only_that(decoder):
    late, other = decoder.generate(
        [{"prompt": PROMPTS[0], "time_limit_s": 1e-9}, {"prompt": PROMPTS[1]}], max_new_tokens=5
    )
    assert (len(late.tokens), late.finish_reason) == (1, "time")
    assert (len(other.tokens), other.finish_reason) == (5, "length")


def test_a_plugin_that_raises_leaves_everybodys_text_in_the_exception(decoder, model):
    batch = [{"prompt": PROMPTS[0]}, {"prompt": PROMPTS[1], "poison": 3}]
    where = r"poison raised ZeroDivisionError: poisoned \(request 1, sample 0, step 4\)"
    with pytest.raises(GenerationError, match=where) as caught:
        decoder.generate(batch, max_new_tokens=8)
    assert [r.tokens for r in caught.value.results] == [reference.decode(model, p, 3)[0] for p in PROMPTS[:2]]


def test_an_aggregator_that_raises_loses_no_sample(decoder):
    with pytest.raises(GenerationError, match=r"clumsy raised ZeroDivisionError: no votes \(request 0\)$") as caught:
        decoder.generate(PROMPTS[:2], n=2, clumsy=True, max_new_tokens=3)
    assert [[len(s.tokens) for s in r.samples] for r in caught.value.results] == [[3, 3], [3, 3]]


def test_an_aggregator_that_raises_costs_others_no_answer(decoder):
    batch = [{"prompt": p, "longest": True} for p in PROMPTS[:2]] + [{"prompt": PROMPTS[0], "clumsy": True}]
    with pytest.raises(GenerationError, match=r"clumsy raised ZeroDivisionError: no votes \(request 2\)$") as caught:
        decoder.generate(batch, heat=2.0, seed=1, n=5, max_new_tokens=4)
    for result in caught.value.results[:2]:
        best = max(sum(s.tokens) for s in result.samples)
        assert sum(result.tokens) == best > sum(result.samples[0].tokens)


def test_a_stop_callable_that_raises_is_named(decoder):
    where = r"the stop callable raised ZeroDivisionError: .* \(request 0, sample 0, step 3\)"
    with pytest.raises(GenerationError, match=where) as caught:
        decoder.generate(PROMPTS[:2], stop=lambda row: len(row.tokens) == 3 and 1 / 0, max_new_tokens=8)
    assert len(caught.value.results[0].tokens) == 3


def test_a_request_that_has_ended_is_not_told_twice_when_another_fails_in_the_same_step(decoder):
    batch = [{"prompt": PROMPTS[0], "max_new_tokens": 3}, {"prompt": PROMPTS[1], "stop": _third_token_fails, "n": 3}]
    with pytest.raises(GenerationError, match="the stop callable raised ZeroDivisionError") as caught:
        decoder.generate(batch, max_new_tokens=8)
    assert [len(result.samples) for result in caught.value.results] == [1, 3]
    assert caught.value.results[0].finish_reason == "length"


def _third_token_fails(row) -> bool:
    return len(row.tokens) == 3 and row.sample == 1 and bool(1 / 0)


def test_many_rows_that_draft_beside_rows_that_do_not(decoder, model):
    prompts = [[(3 * i + j) % VOCAB for j in range(3)] for i in range(20)]
    batch = [{"prompt": p, **({"guess": {"tokens": 7}} if i % 2 else {})} for i, p in enumerate(prompts)]
    wanted = [reference.decode(model, p, 8)[0] for p in prompts]
    assert [result.tokens for result in decoder.generate(batch, max_new_tokens=8)] == wanted


def test_waiting_samples_do_not_outlive_their_time(model, registry):
    decoder = Decoder(model, registry=registry, max_rows=1)
    result = decoder.generate(PROMPTS[0], n=5, max_new_tokens=2, time_limit_s=1e-9)
    assert [sample.finish_reason for sample in result.samples] == ["time"]


@pytest.mark.parametrize("kind", ["nan", "inf"])
def test_an_unusable_law_names_plugin_row_and_step(decoder, kind):
    with pytest.raises(DeadEndError, match=r"poison left no usable law.*request 1, sample 0, step 3") as caught:
        decoder.generate([PROMPTS[0], {"prompt": PROMPTS[1], "poison": {"step": 2, "kind": kind}}], max_new_tokens=8)
    assert [len(r.tokens) for r in caught.value.results] == [2, 2]


def test_nan_weights_are_the_models_fault(registry):
    model = tiny_llama(VOCAB, seed=3)
    decoder = Decoder(model, registry=registry)
    with torch.no_grad():
        model.lm_head.weight[4] = float("nan")
    with pytest.raises(DeadEndError, match="the model gave NaN logits"):
        decoder.generate(PROMPTS[0], max_new_tokens=3)
    with pytest.raises(DeadEndError, match="the model gave NaN logits"):
        decoder.generate(PROMPTS[0], max_new_tokens=3, sample=True, seed=1)
    with pytest.raises(DeadEndError, match="the model gave NaN logits"):
        decoder.generate(PROMPTS[0], max_new_tokens=3, logprobs=False)


def test_ctrl_c_gives_back_what_was_generated(decoder, model):
    with pytest.raises(GenerationInterrupted) as caught:
        decoder.generate(
            [PROMPTS[0], {"prompt": PROMPTS[1], "poison": {"step": 4, "kind": "interrupt"}}], max_new_tokens=8
        )
    assert [r.tokens for r in caught.value.results] == [reference.decode(model, p, 4)[0] for p in PROMPTS[:2]]
    assert {r.finish_reason for r in caught.value.results} == {"interrupted"}


def test_the_same_seed_gives_the_same_text_alone_and_in_any_batch(decoder):
    options = {"heat": 1.4, "seed": 12, "max_new_tokens": 8, "guess": 2}
    alone = decoder.generate(PROMPTS[2], **options)
    for order in itertools.permutations(PROMPTS, 3):
        if PROMPTS[2] in order:
            batch = decoder.generate(list(order), **options)
            assert batch[order.index(PROMPTS[2])].tokens == alone.tokens


def test_a_drawn_seed_is_told_and_repeats_the_text(decoder):
    first = decoder.generate(PROMPTS[0], heat=2.0, max_new_tokens=8)
    assert decoder.generate(PROMPTS[0], heat=2.0, max_new_tokens=8, seed=first.seed).tokens == first.tokens


def test_technique_objects_and_flat_names_are_the_same(decoder):
    flat = decoder.generate(PROMPTS[0], heat=0.9, fatigue=0.3, seed=1, max_new_tokens=6)
    objects = decoder.generate(PROMPTS[0], Heat(0.9), Fatigue(penalty=0.3), seed=1, max_new_tokens=6)
    assert flat.tokens == objects.tokens


CHOICES = [
    (lambda law: torch.full((len(law.logits),), -1), "the token -1, and tokens are whole numbers from 0 to 11"),
    (lambda law: torch.full((len(law.logits),), 12), "the token 12, "),
    (lambda law: law.argmax().float(), r"the token \d+.0, "),
    (lambda law: law.argmax()[:, None], r"the token \[\d+\], "),
    (lambda law: law.argmax()[:0], "0 tokens for 2 positions"),
    (lambda law: law.argmax()[0], r"\d+ for 2 positions"),
]


@pytest.mark.parametrize(("choose", "message"), CHOICES)
def test_a_selector_whose_answer_is_no_tokens_is_named(decoder, choose, message):
    class Wild(TokenSelector, name="wild"):
        def __call__(self, law, at):
            return choose(law)

    with pytest.raises(GenerationError, match=f"^wild gave {message}.*step 1"):
        decoder.generate([[1, 2, 3], [4]], Wild(), max_new_tokens=3)


def test_a_verifier_whose_token_is_none_is_named(decoder):
    class Wild(Verifier, name="wild"):
        def __call__(self, target, at, drafts, select):
            return [Verdict(0, -1) for _ in drafts]

    with pytest.raises(GenerationError, match=r"^wild, asking argmax, gave the token -1"):
        decoder.generate([1, 2, 3], Wild(), guess=2, max_new_tokens=3)


@pytest.mark.parametrize(
    ("kept", "message"), [(0.5, "raised TypeError"), ("all", "raised TypeError"), (9, "keeps 9 of 2 drafted")]
)
def test_a_verifier_whose_count_is_none_is_named(decoder, kept, message):
    class Wild(Verifier, name="wild"):
        def __call__(self, target, at, drafts, select):
            return [Verdict(kept, 1) for _ in drafts]

    with pytest.raises(GenerationError, match=f"^wild {message}.*step 2"):
        decoder.generate([1, 2, 3], Wild(), guess=2, max_new_tokens=4)


LAWS = [
    (lambda law: law.with_logits(law.logits[:, 1:9]), r"shape \[1, 8\], and the law of 1 positions has 12 tokens"),
    (lambda law: Law(law.logits.repeat(2, 1)), r"shape \[2, 12\], "),
    (lambda law: Law(law.logits[:, :3], law.argmax()[:, None]), r"shape \[1, 3\] with ids \[1, 1\], "),
]


@pytest.mark.parametrize(("change", "message"), LAWS, ids=["narrower", "longer", "other ids"])
def test_a_processor_that_changes_the_shape_of_the_law_is_named(decoder, change, message):
    class Wild(LogitsProcessor, name="wild"):
        def __call__(self, law, at):
            return change(law)

    with pytest.raises(GenerationError, match=f"^wild gave a law of {message}.*step 1"):
        decoder.generate([1, 2, 3], Wild(), max_new_tokens=3)


NUMBERS = [
    (lambda law: law.with_logits(law.logits.long()), "logits of the dtype int64, and log-probabilities are"),
    (lambda law: law.with_logits(law.logits.numpy()), "raised AttributeError: "),
    (lambda law: Law(law.logits[:, :2], torch.tensor([[5, 5000]] * len(law.logits))), "the token 5000, and .* to 11"),
    (lambda law: Law(law.logits[:, :2], torch.tensor([[5, -1]] * len(law.logits))), "the token -1, and .* to 11"),
    (lambda law: Law(law.logits[:, :1], torch.zeros(len(law.logits), 1, dtype=torch.int32)), "ids of the dtype int32"),
    (lambda law: Law(law.logits[:, :3], torch.tensor([5000, 6000, 7000])), r"a law of .* with ids \[3\]"),
]


@pytest.mark.parametrize(("change", "message"), NUMBERS, ids=["whole", "array", "beyond", "negative", "int32", "flat"])
@pytest.mark.parametrize("others", [{}, {"heat": 2.0}])
def test_a_processor_whose_law_is_no_law_of_tokens_is_named(decoder, change, message, others):
    class Wild(LogitsProcessor, name="wild"):
        def __call__(self, law, at):
            return change(law)

    batch = [{"prompt": [4]}, {"prompt": [1, 2, 3], "techniques": [Wild()], **others}]
    with pytest.raises(GenerationError, match=rf"^wild (gave )?{message}.*\(request 1, sample 0, step 1\)"):
        decoder.generate(batch, max_new_tokens=3)


@pytest.mark.parametrize("answer", [None, [], "text"])
def test_an_aggregator_that_gives_no_completion_is_named_and_loses_no_sample(decoder, answer):
    class Wild(Aggregator, name="wild"):
        def __call__(self, samples):
            return answer

    kind = type(answer).__name__
    with pytest.raises(GenerationError, match=f"wild raised TypeError: it gave {kind}, not a Completion") as caught:
        decoder.generate([1, 2, 3], Wild(), max_new_tokens=3, n=2)
    assert len(caught.value.results[0].samples) == 2


def test_rows_stay_at_the_place_of_the_one_that_they_continue():
    def places(parents, rows):
        return [parent for parent, _ in in_place([(parent, None) for parent in parents], rows)]

    assert places([0, 2, 3], 4) == [0, 3, 2]
    assert places([0, 2, 2, 3], 4) == [0, 2, 2, 3]
    assert in_place([(1, "first"), (1, "second")], 2) == [(1, "first"), (1, "second")]
    # A batch that grows is in the order of its requests.
    assert places([0, 0, 1, 1], 2) == [0, 0, 1, 1]
