"""Free text up to a trigger or a tag, with everything that goes ahead of the model or goes back: texts stay the same.

The trigger falls inside of accepted drafts, on boundaries of tokens and inside of tokens.
"""

import json

import pytest

from decodekit import Decoder, Vocabulary
from decodekit.errors import IncompatibleTechniquesError, UnsatisfiableSchemaError
from decodekit.testing import tiny_llama
from decodekit_demo import draft_path, model_path
from decodekit_json import ToolCall

LETTERS = b'</t>{"a:1}xf= '
WORDS = Vocabulary(
    (*(bytes([c]) for c in LETTERS), b'{"', b">{", b'a":', b"<f=", b"\xc3", b"\xa9", b"1}</", None), (21,)
)
TARGET, OTHER = (tiny_llama(len(WORDS.tokens), seed=seed, initializer_range=0.5) for seed in (5, 9))
FLAG = {
    "type": "object",
    "properties": {"a": {"enum": [1, 11]}},
    "required": ["a"],
    "additionalProperties": False,
}
AFTER = {"json_schema": {"schema": FLAG, "whitespace": "compact", "after": "</t>"}}
TOOLS = {
    "tool_calls": {
        "tools": [{"name": "a", "parameters": FLAG}, {"name": "x", "parameters": {"const": {}}}],
        "begin": "<f={name}>",
        "end": "</f>",
        "min_calls": 1,
        "max_calls": 2,
        "whitespace": "compact",
    }
}
CHOICE = {"choice": {"choices": ["a", "1"], "after": "</t>"}}
TEXTS = ('x</t>{"a":11} x</t>{"a":1}', '<f=a>{"a":1}</f> <f=x>{}</f>', "ta</t>1")
PROMPTS = [WORDS.encode(text) for text in TEXTS]
DRAFTERS = {
    "prompt_lookup": {"prompt_lookup": 4},
    "forced_tokens": {"forced_tokens": True},
    "draft_model": {"draft_model": {"model": OTHER, "tokens": 3}},
    "itself": {"draft_model": {"model": TARGET, "tokens": 3}},
    "all": {"forced_tokens": True, "prompt_lookup": 3, "draft_model": {"model": OTHER, "tokens": 2}},
}
CHOSEN = {"greedy": {}, "sampled": {"temperature": 1.5, "seed": 3, "match": True}}


@pytest.fixture(scope="module")
def decoder():
    return Decoder(TARGET, WORDS)


def everything(results):
    return [[(s.tokens, s.text, s.finish_reason, s.parsed) for s in r.samples] for r in results]


def fits(sample, options):
    """Say whether a text is what was asked for, without the engine."""
    if options is TOOLS:
        calls = [call.arguments for call in sample.parsed]
        return 1 <= len(calls) <= 2 and all(call in ({"a": 1}, {"a": 11}, {}) for call in calls)
    _, trigger, document = sample.text.partition("</t>")
    if options is CHOICE:
        return bool(trigger) and document == sample.parsed and document in ("a", "1")
    return bool(trigger) and document in ('{"a":1}', '{"a":11}') and sample.parsed == {"a": int(document[5:-1])}


def batch(decoder, constraint, options, limits=(17, 20, 33)):
    """Make requests that end at different times."""
    pairs = zip(PROMPTS, limits, strict=True)
    return [decoder.request(prompt, max_new_tokens=limit, n=2, **constraint, **options) for prompt, limit in pairs]


@pytest.mark.parametrize("constraint", [AFTER, TOOLS, CHOICE], ids=["after", "tools", "choice"])
@pytest.mark.parametrize("chosen", CHOSEN.values(), ids=CHOSEN)
def test_drafts_change_no_text(decoder, constraint, chosen):
    plain = decoder.generate(batch(decoder, constraint, chosen))
    assert all(fits(sample, constraint) for result in plain for sample in result.samples)
    for name, drafter in DRAFTERS.items():
        drafted = decoder.generate(batch(decoder, constraint, {**chosen, **drafter}))
        assert everything(drafted) == everything(plain), name
        if name == "itself":
            assert sum(result.stats.accepted_tokens for result in drafted) > 0


@pytest.mark.parametrize("constraint", [AFTER, TOOLS], ids=["after", "tools"])
def test_triggers_inside_accepted_drafts_switch_to_the_document(decoder, constraint):
    """Four tokens a step, all drafts kept: a trigger's last token is drafted but at each fourth place."""
    drafter = {"draft_model": {"model": TARGET, "tokens": 3}}
    places = set()
    for limit in range(16, 26):
        result = decoder.generate(PROMPTS[0], max_new_tokens=limit, **constraint, **drafter)
        assert result.stats.accepted_tokens == result.stats.drafted_tokens
        assert fits(result.samples[0], constraint)
        trigger = "<f=" if constraint is TOOLS else "</t>"
        written = next(at for at in range(1, limit + 1) if trigger in WORDS.text(result.tokens[:at]))
        places.add((written - 1) % 4)
    assert places - {3}


@pytest.mark.parametrize("rule", ["token_rule", "block_rule"])
@pytest.mark.parametrize("constraint", [AFTER, TOOLS], ids=["after", "tools"])
def test_ratio_rules_keep_texts_inside(decoder, constraint, rule):
    options = {"temperature": 1.5, "n": 6, rule: True, "draft_model": {"model": OTHER, "tokens": 3}}
    results = [
        decoder.generate(PROMPTS[0], max_new_tokens=limit, seed=limit, **constraint, **options) for limit in (17, 24)
    ]
    assert all(fits(sample, constraint) for result in results for sample in result.samples)
    assert sum(result.stats.accepted_tokens for result in results) > 0


@pytest.mark.parametrize(
    "search", [{"beam_search": 3}, {"diverse_beam": {"width": 4, "groups": 2}}, {"beam_sample": 3}]
)
@pytest.mark.parametrize("constraint", [AFTER, TOOLS], ids=["after", "tools"])
def test_beams_stay_inside_and_take_forced_drafts(decoder, constraint, search):
    options = {"max_new_tokens": 19, "n": 2, "seed": 1, **constraint, **search}
    plain = decoder.generate(PROMPTS, **options)
    assert all(fits(sample, constraint) for result in plain for sample in result.samples)
    assert everything(decoder.generate(PROMPTS, forced_tokens=True, **options)) == everything(plain)


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 1.2, "match": True}, {"temperature": 1.2, "token_rule": True}], ids=str
)
def test_the_demo_models_draft_across_triggers(options):
    decoder = Decoder.from_pretrained(model_path())
    card = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}}, "required": ["name"]}
    asked = [
        {"json_schema": {"schema": card, "after": "</think>"}},
        {"tool_calls": {"tools": [{"name": "note", "parameters": card}], "min_calls": 1, "max_calls": 1}},
    ]
    for constraint in asked:
        shared = {"max_new_tokens": 40, "n": 2, "seed": 2, **constraint, **options}
        prompts = ["Once upon a time", "Describe my 33-year-old teddy bear who likes reading\n"]
        drafted = decoder.generate(prompts, draft_model=draft_path(), prompt_lookup=4, forced_tokens=True, **shared)
        assert all(sample.parsed and sample.parse_error is None for result in drafted for sample in result.samples)
        assert all(result.stats.accepted_tokens > 0 for result in drafted)
        if "token_rule" not in options:
            assert everything(drafted) == everything(decoder.generate(prompts, **shared))


def test_streams_give_the_whole_text_and_end_with_the_document(decoder):
    options = {"max_new_tokens": 18, **AFTER}
    result = decoder.generate(PROMPTS[0], **options)
    for drafter in ({}, DRAFTERS["itself"]):
        pieces = list(decoder.stream(PROMPTS[0], **options, **drafter))
        assert "".join(piece.text for piece in pieces) == result.text
        assert pieces[-1].finish_reason == result.finish_reason == "constraint"
        assert pieces[-1].partial == result.parsed
        assert all(piece.partial is None for piece in pieces[:3])


@pytest.mark.parametrize("drafter", [{}, *DRAFTERS.values()])
def test_a_stop_string_cuts_where_it_would_without_a_draft(decoder, drafter):
    free = decoder.generate(PROMPTS[0], max_new_tokens=18, **AFTER)
    stop = free.text[2:4]
    stopped = decoder.generate(PROMPTS[0], max_new_tokens=18, stop=[stop], **AFTER, **drafter)
    assert (stopped.text, stopped.finish_reason) == (free.text[: free.text.index(stop)], "stop")
    assert stopped.parsed is None


def test_a_stop_string_behind_calls_leaves_them_to_be_read(decoder):
    options = {"max_new_tokens": 30, "tool_calls": {**TOOLS["tool_calls"], "max_calls": None, "min_calls": 1}}
    found = [decoder.generate(PROMPTS[1], temperature=2.0, seed=seed, stop=["</f>"], **options) for seed in range(4)]
    assert {(result.finish_reason, result.parsed is None) for result in found} == {("stop", True)}
    found = [decoder.generate(PROMPTS[1], temperature=2.0, seed=seed, **options) for seed in range(4)]
    assert all(isinstance(call, ToolCall) for result in found for call in result.parsed)


def test_calls_are_plain_data_in_a_results_dict(decoder):
    plain = decoder.generate(PROMPTS[1], max_new_tokens=20, **TOOLS).to_dict()
    assert plain["answer"]["parsed"][0].keys() == {"name", "arguments"}
    assert json.loads(json.dumps(plain["answer"]["parsed"])) == plain["answer"]["parsed"]


def test_too_small_a_budget_is_refused_with_the_minimum(decoder):
    """The shortest text in tokens is not the shortest one: 1}</ t >{ " a": 1 }."""
    with pytest.raises(UnsatisfiableSchemaError, match=r"has 7 tokens.* 6"):
        decoder.generate(PROMPTS[0], max_new_tokens=6, **AFTER)
    result = decoder.generate(PROMPTS[0], max_new_tokens=7, **AFTER)
    assert (result.text, result.parsed) == ('1}</t>{"a":1}', {"a": 1})


def test_two_constraints_meet_behind_one_trigger_only(decoder):
    both = {**AFTER, "choice": {"choices": ["a"], "after": "</t>"}}
    with pytest.raises(IncompatibleTechniquesError, match="cannot be combined"):
        decoder.generate(PROMPTS[0], max_new_tokens=20, **both)
    met = {"regex": {"pattern": "[a1]+", "after": "</t>"}, "choice": {"choices": ["1a", "x"], "after": "</t>"}}
    assert decoder.generate(PROMPTS[2], max_new_tokens=20, **met).parsed == "1a"


def test_constraints_of_two_engines_are_refused_with_what_to_do(decoder):
    reason = "'choice' and 'outlines_regex' cannot be combined: neither knows"
    with pytest.raises(IncompatibleTechniquesError, match=reason) as refused:
        decoder.generate(PROMPTS[0], choice=["a"], outlines_regex="a")
    assert "of one plugin" in refused.value.hint
