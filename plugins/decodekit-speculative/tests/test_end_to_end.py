"""Texts with drafts against texts without, and against the exact law of a toy model, enumerated."""

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch

from decodekit import Decoder, Vocabulary
from decodekit.errors import IncompatibleTechniquesError
from decodekit.law import concat
from decodekit.techniques import Draft, Drafter
from decodekit.testing import chi_square, enumerate_law, inverse_cdf, samples_needed
from decodekit.testing.oracle import Oracle
from decodekit.testing.toy_model import ToyModel
from decodekit.testing.toys import tiny_llama

WORDS = Vocabulary((*(bytes([c]) for c in b'{"nam:12}, xyz'), b'{"', b"na", b'":', None), (17,))
PROMPTS = [[1, 2, 3, 1, 2, 3, 1], [5] * 9, [7, 8], [4, 3, 2, 1, 0]]
SCHEMA = {"schema": {"properties": {"nam": {"enum": [1, 2, 12]}, "a": {"type": "integer"}}}, "whitespace": "compact"}
LOOKUP = {"prompt_lookup": {"tokens": 4, "min_ngram": 1}}
FORCED = {"forced_tokens": True}
CONSTRAINTS = [{}, {"regex": "(na|xy){3,9}m?"}, {"json_schema": SCHEMA}]
CHOICES = [
    {},
    {"repetition_penalty": 1.3, "min_new_tokens": 4},
    {"temperature": 1.1, "top_k": 6, "seed": 4},
    {"mirostat": 2.0, "seed": 5},
]


@pytest.fixture(scope="module")
def decoder():
    return Decoder(tiny_llama(18, seed=5, initializer_range=0.5), WORDS)


def drafters(constraint):
    return [LOOKUP] if not constraint else [LOOKUP, FORCED, FORCED | LOOKUP]


def everything(result):
    return [(s.tokens, s.text, s.finish_reason, s.parsed) for s in result.samples]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=str)
def test_a_ragged_batch_with_samples_gets_the_text_it_gets_without_drafts(decoder, constraint, choice):
    options = {"max_new_tokens": 20, "n": 2} | constraint | choice
    plain = decoder.generate(PROMPTS, **options)
    for drafter in drafters(constraint):
        drafted = decoder.generate(PROMPTS, **options, **drafter)
        assert [everything(r) for r in drafted] == [everything(r) for r in plain]
        for a, b in zip(drafted, plain, strict=True):
            assert a.samples[0].logprobs == pytest.approx(b.samples[0].logprobs, abs=1e-9)
        assert sum(r.stats.drafted_tokens for r in drafted) > 0


@pytest.mark.parametrize("verifier", ["token_rule", "block_rule"])
def test_greedy_text_stays_the_same_under_a_ratio_rule(decoder, verifier):
    plain = decoder.generate(PROMPTS, max_new_tokens=20)
    drafted = decoder.generate(PROMPTS, max_new_tokens=20, **LOOKUP, **{verifier: True})
    assert [everything(r) for r in drafted] == [everything(r) for r in plain]
    assert sum(r.stats.accepted_tokens for r in drafted) > 0


@pytest.mark.parametrize("stop", ["string", "callable", "token"])
def test_a_stop_inside_of_a_draft_cuts_where_it_cuts_without(decoder, stop):
    free = decoder.generate(PROMPTS[0], max_new_tokens=24, **LOOKUP)
    assert free.stats.accepted_tokens > 2
    for place in range(2, len(free.tokens) - 2, 3):
        options = {
            "string": {"stop": [free.text[place : place + 2]]},
            "callable": {"stop": [lambda row, place=place: len(row.tokens) == place]},
            "token": {"stop_tokens": [free.tokens[place]]},
        }[stop]
        plain = decoder.generate(PROMPTS, max_new_tokens=24, **options)
        drafted = decoder.generate(PROMPTS, max_new_tokens=24, **options, **LOOKUP)
        assert [everything(r) for r in drafted] == [everything(r) for r in plain]


@pytest.mark.parametrize("options", [{}, {"stop": ["xy"]}, {"json_schema": SCHEMA, "forced_tokens": True}], ids=str)
def test_a_stream_of_drafts_adds_up_to_the_text(decoder, options):
    options = {"max_new_tokens": 20} | options
    pieces = list(decoder.stream(PROMPTS[0], **options, **LOOKUP))
    plain = decoder.generate(PROMPTS[0], **{k: v for k, v in options.items() if k != "forced_tokens"})
    assert "".join(piece.text for piece in pieces) == plain.text
    assert [token for piece in pieces for token in piece.tokens] == plain.tokens
    assert "json_schema" in options or max(len(piece.tokens) for piece in pieces) > 1


class Dice(Drafter, name="dice", default_verifier="token_rule"):
    """Draws up to `tokens` tokens from a toy model of its own, or from one that always gives the same law."""

    tokens: int = 2
    seed: int = 9
    scale: float = 1.0

    def build(self, context):
        return Rolls(self, context)

    def __call__(self, at, limits):
        raise NotImplementedError("its piece drafts")


class Rolls:
    """The working piece; it masks what the row cannot take, so that no drawn token is taken out of a draft."""

    name = "dice"

    def __init__(self, dice, context):
        self.dice, self.context = dice, context
        self.model = ToyModel(vocab_size=context.vocab_size, seed=dice.seed, scale=dice.scale)
        self.law = cache(self.find)

    def start(self, prompt):
        return self.context.constraint.start() if self.context.constraint else None

    def advance(self, state, token):
        return self.context.constraint.advance(state, token) if self.context.constraint else None

    def __call__(self, at, limits):
        rows = [r for r, limit in enumerate(limits) if limit > 0]
        texts = [at.history_array[r, : at.lengths_array[r]].tolist() for r in range(len(at))]
        states, laws = list(at.states), [[] for _ in texts]
        for depth in range(self.dice.tokens):
            rows = [r for r in rows if depth < limits[r]]
            given = [self.law(tuple(texts[r]), states[r], limits[r] + 1 - depth) for r in rows]
            rows = [r for r, law in zip(rows, given, strict=True) if law is not None]
            given = [law for law in given if law is not None]
            if not rows:
                break
            tokens = inverse_cdf(concat(given, 9), at.index_select(rows).apart(f"draft {depth}")).tolist()
            for r, law, token in zip(rows, given, tokens, strict=True):
                states[r] = self.advance(states[r], token)
                texts[r].append(token)
                laws[r].append(law)
        return [
            Draft(text[int(length) :], concat(law, 9) if law else None)
            for text, length, law in zip(texts, at.lengths_array, laws, strict=True)
        ]

    def find(self, text, state, remaining):
        law = self.model.law(text)
        allowed = torch.ones_like(law.logits, dtype=torch.bool)
        if self.context.constraint:
            mask = self.context.constraint.mask(state, remaining).view(np.uint8)
            bits = np.unpackbits(mask, bitorder="little")[: allowed.shape[1]]
            allowed &= torch.from_numpy(bits).bool()
        allowed[:, list(self.context.end_tokens)] = False
        return law.keep(allowed) if bool(allowed.any()) else None


VOCAB, HORIZON, STARTS = 5, 3, ([0], [3, 1, 2, 2])
PIECES = Vocabulary((b"a", b"b", b"c", b"d", None), (4,))
PATTERN = rb"a?[bc]{1,2}d?"
FORMS = {
    "plain": {"multinomial": True},
    "temperature": {"temperature": 0.6, "top_k": 3},
    "mirostat": {"mirostat": 1.5},
    "constraint": {"multinomial": True, "regex": PATTERN.decode()},
    "constraint and temperature": {"temperature": 0.7, "regex": PATTERN.decode()},
}


def shaped(logits, form):
    """Give the target law of a position without the plugins' help."""
    if "temperature" in form:
        logits = logits / (0.6 if form == "temperature" else 0.7)
    if form == "temperature":
        logits = logits.masked_fill(logits < logits.topk(3).values[-1], -torch.inf)
    return logits


def toy_law(model, form, oracle):
    """Give the next-token law as a function of the whole text, for enumeration."""

    def next_law(prompt, text):
        logits = model.law([*prompt, *text]).logits[0]
        if oracle is not None:
            raw = b"".join(PIECES.tokens[t] for t in text)
            allowed = oracle.allowed(raw, HORIZON - len(text)) | ({4} if oracle.accepts(raw) else set())
            logits = torch.tensor([x if t in allowed else -torch.inf for t, x in enumerate(logits.tolist())])
        return shaped(logits.double(), form).softmax(-1)

    return next_law


def mirostat_law(model, tau=1.5, rate=0.1):
    """Give mirostat's law (algorithm 2) by replaying the text."""

    @cache
    def replay(prompt, text):
        if not text:
            mu = 2 * tau
        else:
            before, mu = replay(prompt, text[:-1])
            mu = mu - rate * (-np.log2(before[text[-1]]) - tau)
        law = model.law([*prompt, *text]).logits[0].softmax(-1).numpy()
        keep = -np.log2(law) <= mu
        keep[law.argmax()] = True
        law = np.where(keep, law, 0)
        return law / law.sum(), mu

    return lambda prompt, text: torch.from_numpy(replay(prompt, text)[0])


@pytest.mark.parametrize("rule", ["token_rule", "block_rule"])
@pytest.mark.parametrize("form", FORMS)
def test_sampled_texts_follow_the_exact_law_of_the_target(form, rule):
    model = ToyModel(vocab_size=VOCAB, seed=2, scale=1.2)
    constrained = "constraint" in form
    oracle = (
        Oracle(PIECES, lambda raw: re.fullmatch(PATTERN, raw) is not None, lambda raw: True) if constrained else None
    )
    law = mirostat_law(model) if form == "mirostat" else toy_law(model, form, oracle)
    decoder = Decoder(model, PIECES if constrained else None, max_rows=4096)
    count = samples_needed(VOCAB**HORIZON, 0.13)
    options = {"n": count, "max_new_tokens": HORIZON, "seed": 1, **FORMS[form], rule: True}
    results = decoder.generate([list(start) for start in STARTS], Dice(), **options)
    for start, result in zip(STARTS, results, strict=True):
        expected = enumerate_law(
            lambda text, start=start: law(tuple(start), text), HORIZON, end_tokens=(4,) if constrained else ()
        )
        if constrained:
            # The loop does not fetch an end token that nothing could be written instead of.
            expected = {t: p for t, p in merged(expected, oracle).items() if p > 0}
        chi_square(Counter(tuple(sample.tokens) for sample in result.samples), expected)
        assert 0 < result.stats.accepted_tokens < result.stats.drafted_tokens


def merged(law, oracle):
    """Leave out end tokens that were the only choice."""
    found = {}
    for text, mass in law.items():
        raw = b"".join(PIECES.tokens[t] for t in text if t != 4)
        only = text[-1] == 4 and not oracle.allowed(raw, HORIZON - len(text) + 1)
        key = text[:-1] if only else text
        found[key] = found.get(key, 0.0) + mass
    return found


def test_the_block_rule_refuses_two_drafters(decoder):
    with pytest.raises(IncompatibleTechniquesError, match="'block_rule': it judges the draft of one drafter"):
        decoder.generate(PROMPTS[0], regex="na+", **LOOKUP, **FORCED, block_rule=True)


def test_a_draft_drawn_from_the_target_itself_is_kept_whole():
    model = ToyModel(vocab_size=VOCAB, seed=2, scale=1.2)
    for rule in ("token_rule", "block_rule"):
        result = Decoder(model).generate(
            [0], Dice(tokens=3, seed=2, scale=1.2), n=50, max_new_tokens=9, multinomial=True, seed=1, **{rule: True}
        )
        assert result.stats.accepted_tokens == result.stats.drafted_tokens > 0
        assert result.stats.steps == 3
