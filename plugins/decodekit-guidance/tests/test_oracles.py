"""Whole texts equal those of naive loops written from the papers: one row, full passes, no cache; in float64."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from decodekit import Decoder, Draft, Drafter, Positions, Vocabulary, rng
from decodekit.testing import tiny_llama
from decodekit_beam import BeamSearch
from decodekit_guidance import Contrastive, ContrastiveSearch, Dola, Guidance
from decodekit_json import Regex
from decodekit_sampling import Multinomial, Temperature

END, LIMIT, SEED = 256, 7, 11
PROMPTS = [[72, 105, 33], [65], list(b"The bear is not here")]
MODEL = tiny_llama(257, seed=4, eos_token_id=END, num_hidden_layers=4)
AMATEUR = tiny_llama(257, seed=8)
# Reading hidden states leaves transformers' own hooks in a model: the loops below have one of their own.
NAIVE, NAIVE_AMATEUR = copy.deepcopy(MODEL), copy.deepcopy(AMATEUR)
SHORT = "[a-m]{5}"
Scores = Callable[[list[int], list[int], np.ndarray], np.ndarray]


class Guess(Drafter, name="guess"):
    """Proposes what a naive loop found, every other token wrong."""

    text: tuple[int, ...]

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        return [
            Draft([(t + (i % 3 == 2)) % 250 for i, t in enumerate(self.text[new : new + min(limit, 4)], new)])
            for new, limit in zip(at.new_tokens.tolist(), limits, strict=True)
        ]


def passes(model: Any, tokens: Sequence[int]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Give the logits after some tokens, and the hidden states of all of them, layer by layer."""
    with torch.inference_mode():
        out = model(torch.tensor([list(tokens)]), use_cache=False, output_hidden_states=True)
    return out.logits[0, -1].numpy(), [states[0].numpy() for states in out.hidden_states]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    top = logits.max()
    return logits - top - np.log(np.exp(logits - top).sum())


def guidance(scale: float, negative: list[int] | None = None) -> Scores:
    def scores(prompt: list[int], tokens: list[int], allowed: np.ndarray) -> np.ndarray:
        own = log_softmax(passes(NAIVE, prompt + tokens)[0])
        other = log_softmax(passes(NAIVE, (negative or prompt[-1:]) + tokens)[0])
        return np.where(allowed, scale * (own - other) + other, -math.inf)

    return scores


def contrastive(alpha: float, beta: float, temperature: float = 1.0, last: bool = False) -> Scores:
    def scores(prompt: list[int], tokens: list[int], allowed: np.ndarray) -> np.ndarray:
        expert = np.where(allowed, log_softmax(passes(NAIVE, prompt + tokens)[0]), -math.inf)
        amateur = log_softmax(passes(NAIVE_AMATEUR, (prompt[-1:] if last else prompt) + tokens)[0] / temperature)
        return np.where(np.exp(expert) >= alpha * np.exp(expert.max()), expert - beta * amateur, -math.inf)

    return scores


def dola(layers: list[int], relative_top: float) -> Scores:
    def scores(prompt: list[int], tokens: list[int], allowed: np.ndarray) -> np.ndarray:
        logits, states = passes(NAIVE, prompt + tokens)
        head = NAIVE.lm_head.weight.detach().numpy()
        late = log_softmax(logits[allowed])
        found = []
        for layer in layers:
            early = log_softmax((head @ states[layer][-1])[allowed])
            mean = (np.exp(late) + np.exp(early)) / 2
            distance = (mean * (np.log(mean) - late)).sum() / 2 + (mean * (np.log(mean) - early)).sum() / 2
            found.append((distance, early))
        premature = max(found, key=lambda pair: pair[0])[1]
        contrast = np.full(len(logits), -math.inf)
        contrast[allowed] = np.where(np.exp(late) >= relative_top * np.exp(late.max()), late - premature, -math.inf)
        return contrast

    return scores


def search(k: int, alpha: float) -> Scores:
    def scores(prompt: list[int], tokens: list[int], allowed: np.ndarray) -> np.ndarray:
        logits, states = passes(NAIVE, prompt + tokens)
        shares = np.exp(log_softmax(np.where(allowed, logits, -math.inf)))
        before = states[-1]
        found = np.full(len(logits), -math.inf)
        for token in [t for t in np.argsort(-shares, kind="stable")[:k] if allowed[t]]:
            ahead = passes(NAIVE, [*prompt, *tokens, int(token)])[1][-1][-1]
            cosines = before @ ahead / np.linalg.norm(before, axis=1) / np.linalg.norm(ahead)
            found[token] = (1 - alpha) * shares[token] - alpha * cosines.max()
        return found

    return scores


CASES: dict[str, tuple[Any, Scores]] = {
    "guidance": (Guidance(1.7), guidance(1.7)),
    "guidance away from a text": (Guidance(2.5, "no bears"), guidance(2.5, list(b"no bears"))),
    "guidance towards token ids": (Guidance(-0.4, [7, 8]), guidance(-0.4, [7, 8])),
    "contrastive": (Contrastive(AMATEUR), contrastive(0.1, 1.0)),
    "contrastive, mild": (Contrastive(AMATEUR, 0.01, 0.5, 0.5, True), contrastive(0.01, 0.5, 0.5, True)),
    "dola low": (Dola(), dola([0], 0.1)),
    "dola high": (Dola("high"), dola([2], 0.1)),
    "dola of a list": (Dola([3, 0, 1, 2], 0.02), dola([0, 1, 2, 3], 0.02)),
    "search": (ContrastiveSearch(4, 0.6), search(4, 0.6)),
    "search by unlikeness": (ContrastiveSearch(9, 1.0), search(9, 1.0)),
}


def naive(scores: Scores, prompt: list[int], *, drawn: bool = False, sample: int = 0, short: bool = False) -> list[int]:
    tokens: list[int] = []
    while len(tokens) < LIMIT and not (short and re.fullmatch(SHORT, bytes(tokens).decode("latin-1"))):
        allowed = np.ones(257, dtype=bool)
        if short:
            allowed[:] = False
            allowed[97:110] = True
        found = scores(prompt, tokens, allowed)
        token = int(found.argmax())
        if drawn:
            shares = np.cumsum(np.exp(log_softmax(found / 1.3)))
            u = rng.uniform(*(np.array([x], dtype=np.uint64) for x in (SEED, sample, len(tokens))), "select")[0]
            token = int(np.searchsorted(shares, u * shares[-1], side="right"))
        tokens.append(token)
        if token == END:
            break
    return tokens


def modes(case: str) -> list[str]:
    return ["greedy", "regex", "drafted", "drafted regex"] + (
        [] if "search" in case else ["drawn", "drawn regex", "beam"]
    )


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(MODEL, Vocabulary.from_bytes())


@pytest.mark.parametrize(("case", "mode"), [(case, mode) for case in CASES for mode in modes(case)])
def test_a_ragged_batch_equals_the_naive_loop(decoder, case, mode):
    technique, scores = CASES[case]
    drawn, short = "drawn" in mode, "regex" in mode
    n = 3 if drawn else 1
    others = [*([Regex(SHORT)] if short else []), *([Temperature(1.3), Multinomial()] if drawn else [])]
    wanted = [[naive(scores, prompt, drawn=drawn, sample=k, short=short) for k in range(n)] for prompt in PROMPTS]
    others += [BeamSearch(1)] if mode == "beam" else []

    requests = [
        decoder.request(
            prompt,
            technique,
            *others,
            *([Guess(texts[0])] if "drafted" in mode else []),
            max_new_tokens=LIMIT,
            seed=SEED,
            n=n,
        )
        for prompt, texts in zip(PROMPTS, wanted, strict=True)
    ]
    results = decoder.generate([*requests, decoder.request(PROMPTS[1], max_new_tokens=LIMIT)])[:-1]

    found = [[sample.tokens for sample in result.samples] for result in results]
    if mode == "beam":  # the end token is no part of a beam's text where it is cut
        assert [texts[0][: len(wanted[i][0])] for i, texts in enumerate(found)] == [texts[0] for texts in wanted]
        return
    assert [[t[:5] if short else t for t in texts] for texts in found] == wanted
    if "drafted" in mode:
        assert sum(r.stats.accepted_tokens for r in results) > 0
    if short:
        assert all(re.fullmatch(SHORT, sample.text) for result in results for sample in result.samples)


@pytest.mark.parametrize("case", CASES)
def test_streams_and_batches_of_drafted_samples_give_the_same_texts(decoder, case):
    technique, scores = CASES[case]
    own = () if "search" in case else (Temperature(1.3), Multinomial())
    wanted = [naive(scores, PROMPTS[2], drawn=bool(own), sample=k) for k in range(3)]
    options = {"max_new_tokens": LIMIT, "seed": SEED, "n": 3}
    drafted = decoder.generate(PROMPTS[2], technique, *own, Guess(wanted[1]), **options)
    assert [sample.tokens for sample in drafted.samples] == wanted
    streamed: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for piece in decoder.stream(PROMPTS[2], technique, *own, **options):
        streamed[piece.sample] += piece.tokens
    assert list(streamed.values()) == wanted


def test_all_of_them_at_once_in_one_batch_and_in_one_request(decoder):
    requests = [
        decoder.request(PROMPTS[i % 3], technique, max_new_tokens=LIMIT)
        for i, (technique, _) in enumerate(CASES.values())
    ]
    wanted = [naive(scores, PROMPTS[i % 3]) for i, (_, scores) in enumerate(CASES.values())]
    assert [result.tokens for result in decoder.generate(requests)] == wanted

    def both(prompt: list[int], tokens: list[int], allowed: np.ndarray) -> np.ndarray:
        own = log_softmax(guidance(1.7)(prompt, tokens, allowed))
        amateur = log_softmax(passes(NAIVE_AMATEUR, prompt + tokens)[0])
        return np.where(np.exp(own) >= 0.1 * np.exp(own.max()), own - amateur, -math.inf)

    results = decoder.generate(PROMPTS, Guidance(1.7), Contrastive(AMATEUR), max_new_tokens=LIMIT)
    assert [result.tokens for result in results] == [naive(both, prompt) for prompt in PROMPTS]
