"""Every causal model type of transformers: greedy text equals the naive loop over the bare model, on whatever path.

A sample runs by default, all of them with `-m slow`; `python -m tests.models_page` writes them into `docs/models.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
import torch

import decodekit_adapters
from decodekit.decoder import Decoder
from decodekit.memory import Memory
from decodekit.plugins import Origin
from tests.model_types import VARIANTS, VOCAB, WINDOW, build, model_types
from tests.pieces import Beam, Oracle, registry_of_the_tests

PROMPTS = [
    [3, 4, 5],
    [(7 * k + 5) % (VOCAB - 3) + 3 for k in range(2 * WINDOW + 5)],
    [(5 * k + 9) % (VOCAB - 3) + 3 for k in range(WINDOW + 3)],
]
NEW_TOKENS = 10

ROUNDING = {torch.float64: 1e-4, torch.float32: 1e-3}
"""Gap between the two likeliest tokens, in standard deviations of the logits, below which either may be taken: models
whose weights are in float64 compute parts in float32."""

SAMPLE = (
    *("llama", "bloom", "mpt", "gemma4_text", "gpt_oss", "llama4_text", "minicpm3", "roberta", "whisper", "mllama"),
    *("bart", "gpt_neo", "inkling_text", "mamba", "lfm3", "nemotron_h", "minimax", "axk2", "rwkv", "xlstm"),
    *("openai-gpt", "xlm", "xlnet", *VARIANTS),
)
"""Types that between them take every path, for every reason there is to take it."""

OWN_INPUTS = {"cpmant", "prophetnet", "reformer", "xlm", "xlnet"}
"""Types whose plain forward pass is not the one that generates."""

EVERYTHING = [*model_types(), *VARIANTS]
CASES = [*SAMPLE, *(pytest.param(name, marks=pytest.mark.slow) for name in EVERYTHING if name not in SAMPLE)]


@cache
def decoder(name: str) -> Decoder:
    """Wrap a fresh model, its end token without a meaning so that all texts are long."""
    registry = registry_of_the_tests()
    registry.register(decodekit_adapters, Origin("adapters", "decodekit-adapters", "0"))
    model = build(name)
    model.generation_config.eos_token_id = []
    return Decoder(model, registry=registry)


@cache
def bare(name: str) -> Any:
    """The same model once more, which no part of decodekit has touched."""
    return build(name)


def after(name: str, tokens: Sequence[int]) -> torch.Tensor:
    """The bare model's logits for the token after a text, from that text alone."""
    with torch.inference_mode():
        if name in VARIANTS:
            # Dynamic RoPE keeps the encoding of the longest text so far, until it meets a short one.
            bare(name)(input_ids=torch.tensor([[0]]), use_cache=False)
        return bare(name)(input_ids=torch.tensor([list(tokens)]), use_cache=False).logits[0, -1].double()


@cache
def oracle(name: str, row: int) -> list[int]:
    """The naive loop, or transformers' own one where the forward pass needs inputs that only it knows how to make."""
    prompt = PROMPTS[row]
    if name in OWN_INPUTS:
        options = {"use_mems": False} if name == "xlnet" else {}
        model, given = bare(name), torch.tensor([prompt])
        model.generation_config.eos_token_id = model.generation_config.pad_token_id = None
        # A mask of the model's dtype: ProphetNet makes NaN of one of integers in float64.
        mask = torch.ones(1, len(prompt), dtype=model.dtype)
        with torch.inference_mode():
            text = model.generate(
                given, attention_mask=mask, use_cache=False, do_sample=False, max_new_tokens=NEW_TOKENS, **options
            )
        return text[0, len(prompt) :].tolist()
    tokens = list(prompt)
    for _ in range(NEW_TOKENS):
        tokens.append(int(after(name, tokens).argmax()))
    return tokens[len(prompt) :]


def is_right(name: str, row: int, text: Sequence[int]) -> bool:
    """Whether a text is the oracle's, or takes the other way only where two tokens are equally likely."""
    if list(text) == oracle(name, row):
        return True
    if name in OWN_INPUTS or len(text) != NEW_TOKENS:
        return False
    tokens, slack = list(PROMPTS[row]), ROUNDING[bare(name).dtype]
    for token in text:
        logits = after(name, tokens)
        if not logits.max() - logits[token] <= slack * logits.std():
            return False
        tokens.append(token)
    return True


def half_right(name: str, row: int) -> Oracle:
    """Draft the text that will come, with every fourth token spoiled, so that drafts are kept and rejected."""
    spoiled = [(token + 1) % VOCAB if place % 4 == 2 else token for place, token in enumerate(oracle(name, row))]
    return Oracle(text=tuple(spoiled))


def texts(name: str, way: str) -> list[list[int]]:
    """Generate for every prompt, in one of four ways."""
    one = decoder(name)
    options: dict[str, Any] = {"max_new_tokens": NEW_TOKENS, "logprobs": False}
    prompts: list[Any] = [{"prompt": prompt} for prompt in PROMPTS]
    if way == "alone":
        return [one.generate(prompt, **options).tokens for prompt in PROMPTS]
    if way == "beam":
        prompts = [prompt | {"techniques": [Beam(width=1)]} for prompt in prompts]
    elif way == "drafts":
        prompts = [prompt | {"techniques": [half_right(name, row)]} for row, prompt in enumerate(prompts)]
    return [result.tokens for result in one.generate(prompts, **options)]


WAYS = ("alone", "ragged batch", "beam", "drafts")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_greedy_text_is_the_naive_loops(name, way):
    for row, text in enumerate(texts(name, way)):
        assert is_right(name, row, text), f"row {row}: {list(text)} instead of {oracle(name, row)}"


@pytest.mark.parametrize("name", CASES)
def test_the_oracle_is_no_constant(name):
    assert len({tuple(oracle(name, row)) for row in range(len(PROMPTS))}) > 1
    assert any(len(set(oracle(name, row))) > 1 for row in range(len(PROMPTS)))


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_a_full_recompute(name):
    assert deviation(name) <= ROUNDING[bare(name).dtype]


def deviation(name: str) -> float:
    """Largest deviation of any logit in prompts past the window, drafts, rewinds and forks, in standard deviations."""
    model = decoder(name)._plan.model
    memory = model.memory()
    memory.join(3)
    rows, worst = [list(prompt) for prompt in PROMPTS], 0.0

    def feed(pieces: Sequence[Sequence[int]], wanted: Sequence[int]) -> None:
        nonlocal worst
        given = _forward(memory, pieces, wanted)
        truth = []
        for row, (piece, last) in enumerate(zip(pieces, wanted, strict=True)):
            rows[row] = rows[row] + list(piece)
            truth += [_truth(name, rows[row][: len(rows[row]) - k]) for k in reversed(range(last))]
        expected = torch.stack(truth)
        worst = max(worst, float(((given - expected).abs() / expected.std()).max()))

    rows, prompts = [[], [], []], rows
    feed(prompts, [2, 1, 3])
    feed([[7], [9], [11]], [1, 1, 1])
    feed([[13, 15, 17], [19, 21], [23, 25, 27, 29]], [3, 2, 4])
    lengths = [len(rows[0]) - 2, len(rows[1]), len(rows[2]) - 1]
    memory.rewind(lengths)
    rows = [row[:length] for row, length in zip(rows, lengths, strict=True)]
    memory.gather([2, 0, 2, 1])
    rows = [rows[2], rows[0], rows[2], rows[1]]
    feed([[31], [33], [35], [37]], [1, 1, 1, 1])
    feed([[8, 10], [], [12], [14, 16, 18]], [2, 0, 1, 3])
    feed([[20], [22], [24], [26]], [1, 1, 1, 1])
    return worst


def _forward(memory: Memory, pieces: Sequence[Sequence[int]], wanted: Sequence[int]) -> torch.Tensor:
    width = max(map(len, pieces))
    padded = torch.tensor([[*piece, *[0] * (width - len(piece))] for piece in pieces])
    return memory.forward(padded, [len(piece) for piece in pieces], wanted).logits.double()


def _truth(name: str, tokens: Sequence[int]) -> torch.Tensor:
    if name not in OWN_INPUTS:
        return after(name, tokens)
    inputs = bare(name).prepare_inputs_for_generation(torch.tensor([tokens]), use_cache=False, is_first_iteration=True)
    with torch.inference_mode():
        return bare(name)(**inputs).logits[0, -1].double()
