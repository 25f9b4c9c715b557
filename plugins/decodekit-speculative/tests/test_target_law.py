"""Sampled texts with drafts drawn at random against the target's law, enumerated over every text."""

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch

from decodekit import Decoder, Draft, Drafter, Law, Vocabulary
from decodekit.testing import chi_square, enumerate_law, inverse_cdf, samples_needed, tiny_llama
from decodekit.testing.oracle import Oracle

# After a first step without one, a draft has two tokens.
VOCAB, HORIZON, STARTS = 5, 4, ([0], [3, 1, 2, 2], [1, 1])
PIECES = Vocabulary((b"a", b"b", b"c", b"d", None), (4,))
PATTERN = rb"a?[bc]{1,2}d?"
TARGET, SMALL = (tiny_llama(VOCAB, seed=seed, num_hidden_layers=1, initializer_range=0.45) for seed in (2, 9))
REGEX = {"regex": PATTERN.decode()}
FORMS = {
    "plain": {"multinomial": True},
    "temperature": {"temperature": 0.6, "top_k": 3},
    "mirostat": {"mirostat": 2.0},
    "end, doubt": {"multinomial": True, "draft_model": {"min_probability": 0.3}},
    "constraint": {"multinomial": True, **REGEX},
    "constraint, temperature": {"temperature": 0.7, "top_k": 3, **REGEX},
}
SLOW = (
    "plain",
    "temperature",
    "mirostat",
    "constraint",
    ("block_rule", "end, doubt"),
    ("token_rule", "constraint, temperature"),
)


class Loose(Drafter, name="loose", default_verifier="token_rule"):
    """Draws from one law, whatever the row may take."""

    chances: tuple[float, ...]
    tokens: int = 2

    def __call__(self, at, limits):
        law = Law(torch.tensor([self.chances], dtype=torch.float64).log().repeat(len(at), 1))
        drawn = [inverse_cdf(law, at.apart(f"draft {i}")).tolist() for i in range(self.tokens)]
        drafts = [[tokens[row] for tokens in drawn][: max(limit, 0)] for row, limit in enumerate(limits)]
        return [Draft(tokens, law.index_select(torch.zeros(len(tokens), dtype=torch.int64))) for tokens in drafts]


@cache
def logits(*text):
    with torch.inference_mode():
        return TARGET(torch.tensor([text])).logits[0, -1]


def shaped(scores, form):
    """Give the target law of a position without the plugins' help."""
    if "temperature" in form:
        scores = scores / (0.6 if form == "temperature" else 0.7)
        scores = scores.masked_fill(scores < scores.topk(3).values[-1], -torch.inf)
    return scores.softmax(-1)


def target_law(form, oracle):
    """Give the next-token law as a function of the whole text, for enumeration."""

    def next_law(prompt, text):
        scores = logits(*prompt, *text)
        if oracle is not None:
            raw = b"".join(PIECES.tokens[t] for t in text)
            allowed = oracle.allowed(raw, HORIZON - len(text)) | ({4} if oracle.accepts(raw) else set())
            kept = [x if t in allowed else -torch.inf for t, x in enumerate(scores.tolist())]
            scores = torch.tensor(kept, dtype=torch.float64)
        return shaped(scores, form)

    return next_law


def mirostat_law(tau=2.0, rate=0.1):
    """Give mirostat's law (algorithm 2) by replaying the text."""

    @cache
    def replay(prompt, text):
        if not text:
            mu = 2 * tau
        else:
            before, mu = replay(prompt, text[:-1])
            mu = mu - rate * (-np.log2(before[text[-1]]) - tau)
        law = logits(*prompt, *text).softmax(-1).numpy()
        keep = -np.log2(law) <= mu
        keep[law.argmax()] = True
        law = np.where(keep, law, 0)
        return law / law.sum(), mu

    return lambda prompt, text: torch.from_numpy(replay(prompt, text)[0])


def merged(law, oracle):
    """Leave out end tokens that were the only choice: the loop does not fetch them."""
    found = {}
    for text, mass in law.items():
        raw = b"".join(PIECES.tokens[t] for t in text if t != 4)
        only = text[-1] == 4 and not oracle.allowed(raw, HORIZON - len(text) + 1)
        key = text[:-1] if only else text
        found[key] = found.get(key, 0.0) + mass
    return {text: mass for text, mass in found.items() if mass > 0}


def check(decoder, law, oracle, tv, *techniques, **options):
    """Assert that samples follow the law; one large request amid small ones of other lengths."""
    ends = (4,) if decoder.tokenizer is not None else ()
    expected = [
        enumerate_law(lambda text, start=start: law(tuple(start), text), HORIZON, end_tokens=ends) for start in STARTS
    ]
    expected = expected if oracle is None else [merged(given, oracle) for given in expected]
    sizes = (samples_needed(len(expected[0]), tv), 60, 60)
    options |= {"max_new_tokens": HORIZON, "seed": 1}
    requests = [decoder.request(p, *techniques, n=n, **options) for p, n in zip(STARTS, sizes, strict=True)]
    results = decoder.generate(requests)
    for given, result in zip(expected, results, strict=True):
        chi_square(Counter(tuple(sample.tokens) for sample in result.samples), given)
    assert 0 < results[0].stats.accepted_tokens < results[0].stats.drafted_tokens
    return results


def brute_force(constrained):
    return Oracle(PIECES, lambda raw: re.fullmatch(PATTERN, raw) is not None, lambda raw: True) if constrained else None


def cases(slow, names):
    """Give every rule every name; the slow ones marked."""
    return [
        pytest.param(rule, name, marks=pytest.mark.slow if (rule, name) in slow or name in slow else ())
        for name in names
        for rule in ("token_rule", "block_rule")
    ]


@pytest.mark.parametrize(("rule", "form"), cases(SLOW, FORMS))
def test_texts_with_a_draft_model_follow_the_exact_law_of_the_target(form, rule):
    oracle = brute_force("constraint" in form)
    law = mirostat_law() if form == "mirostat" else target_law(form, oracle)
    # Few rows at a time: the loop costs more per row where there are thousands.
    decoder = Decoder(TARGET, PIECES if "constraint" in form or "end" in form else None, max_rows=512)
    options = FORMS[form] | {"draft_model": {"model": SMALL, "tokens": 2, **FORMS[form].get("draft_model", {})}}
    check(decoder, law, oracle, 0.14, **options, **{rule: True})


@pytest.mark.parametrize(
    ("rule", "case"), cases(("end", ("block_rule", "forbidden and end")), ("end", "forbidden and end"))
)
def test_a_drawn_token_that_ends_the_text_or_is_forbidden_is_judged_and_not_left_out(rule, case):
    oracle = brute_force(case != "end")
    decoder = Decoder(TARGET, PIECES, max_rows=512)
    options = {"multinomial": True, rule: True} | ({} if oracle is None else REGEX)
    results = check(decoder, target_law("plain", oracle), oracle, 0.12, Loose((0.1, 0.3, 0.1, 0.2, 0.3)), **options)
    assert "eos" in {sample.finish_reason for sample in results[0].samples}


@pytest.mark.parametrize("rule", ["token_rule", "block_rule"])
def test_what_a_forbidden_token_leaves_goes_to_what_the_draft_gave_too_little(rule):
    # Q = (a .5, c .5), P = (a .6, b .2, c .2): with b left out, a would come with .6.
    model = tiny_llama(3, num_hidden_layers=1)
    torch.nn.init.zeros_(model.lm_head.weight)
    decoder = Decoder(model, Vocabulary((b"a", b"b", b"c"), ()), max_rows=512)
    loose = Loose((0.6, 0.2, 0.2), tokens=1)
    options = {"regex": "[ac][ac]", "multinomial": True, "max_new_tokens": 2, "seed": 1}
    result = decoder.generate([0], loose, n=samples_needed(4, 0.08), **options, **{rule: True})
    chi_square(
        Counter(tuple(sample.tokens) for sample in result.samples),
        {(a, b): 0.25 for a in (0, 2) for b in (0, 2)},
    )
