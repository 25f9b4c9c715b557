"""Twenty-one families: what a memory gives is what the bare model gives for the row alone, without a cache."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
import torch

from decodekit.memory import Memory
from decodekit.model import CausalModel
from tests.families import FAMILIES, VOCAB, WINDOW, build

PROMPTS = [
    [3, 4, 5],
    [(7 * k + 5) % (VOCAB - 3) + 3 for k in range(2 * WINDOW + 5)],
    [(5 * k + 9) % (VOCAB - 3) + 3 for k in range(WINDOW + 1)],
    [(11 * k + 4) % (VOCAB - 3) + 3 for k in range(WINDOW + 6)],
]
SLACK = {"slots": 2e-6, "level": 5e-6, "hybrid": 1e-3, "replay": 1e-3}
"""In standard deviations of the logits: many families compute parts in float32, and scans over chunks most of it."""


@cache
def wrapped(name: str) -> CausalModel:
    return CausalModel.wrap(build(name))


def truth(model: Any, tokens: Sequence[int]) -> torch.Tensor:
    """The bare model on one row, no cache: logits [position, vocab]."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([list(tokens)]), use_cache=False).logits[0]


def greedy(model: Any, prompt: Sequence[int], count: int) -> list[int]:
    """The naive loop: the most likely token, everything computed anew each time."""
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(int(truth(model, tokens)[-1].argmax()))
    return tokens[len(prompt) :]


def padded(rows: Sequence[Sequence[int]]) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([list(row) + [0] * (width - len(row)) for row in rows])


def feed(memory: Memory, rows: Sequence[Sequence[int]], wanted: Sequence[int] | None = None) -> torch.Tensor:
    counts = [len(row) for row in rows]
    return memory.forward(padded(rows), counts, counts if wanted is None else wanted).logits


def assert_close(name: str, given: torch.Tensor, expected: torch.Tensor) -> None:
    assert given.shape == expected.shape
    off = float((given - expected).abs().max() / expected.std())
    assert off <= SLACK[wrapped(name).path], f"off by {off:.1e} standard deviations"


@pytest.mark.parametrize("name", FAMILIES)
def test_takes_the_fastest_path_that_is_right(name):
    model = wrapped(name)
    assert model.path == FAMILIES[name].path
    assert model.vocab_size == VOCAB
    assert "agrees with the uncached forward pass" in model.reason


@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_alone_equals_the_naive_loop(name):
    model = wrapped(name)
    prompt = PROMPTS[1]
    memory = model.memory()
    memory.join(1)
    token = int(feed(memory, [prompt], [1])[0].argmax())
    given = [token]
    for _ in range(5):
        token = int(feed(memory, [[token]])[0].argmax())
        given.append(token)
    assert given == greedy(model.model, prompt, 6)
    assert len(set(given)) > 1


@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_in_a_ragged_batch_which_rows_join_and_leave(name):
    model = wrapped(name)
    memory = model.memory()
    memory.join(3)
    texts = {row: list(PROMPTS[row]) for row in range(4)}
    alive = [0, 1, 2]
    tokens = feed(memory, [PROMPTS[row] for row in alive], [1] * 3).argmax(-1).tolist()
    for step in range(6):
        for row, token in zip(alive, tokens, strict=True):
            texts[row].append(token)
        pieces = [[token] for token in tokens]
        if step == 1:
            memory.join(1)
            alive, pieces = [*alive, 3], [*pieces, PROMPTS[3]]
        if step == 3:
            kept = [3, 0, 2]
            memory.gather(kept)
            alive, pieces = [alive[row] for row in kept], [pieces[row] for row in kept]
        tokens = feed(memory, pieces, [1] * len(pieces)).argmax(-1).tolist()
    for row, text in texts.items():
        prompt = PROMPTS[row]
        assert text[len(prompt) :] == greedy(model.model, prompt, len(text) - len(prompt))


@pytest.mark.parametrize("name", FAMILIES)
def test_drafts_rewinds_and_forks_give_the_logits_of_a_full_recompute(name):
    model = wrapped(name)
    memory = model.memory()
    memory.join(2)
    rows = [list(PROMPTS[1]), list(PROMPTS[0])]
    expected = torch.cat([truth(model.model, row) for row in rows])
    assert_close(name, feed(memory, rows), expected)

    drafts = [[7, 9, 11, 13], [21, 22, 23]]
    both = [row + draft for row, draft in zip(rows, drafts, strict=True)]
    expected = torch.cat([truth(model.model, both[0])[-4:], truth(model.model, both[1])[-2:]])
    assert_close(name, feed(memory, drafts, [4, 2]), expected)

    memory.rewind([len(rows[0]) + 1, len(rows[1])])
    rows = [both[0][: len(rows[0]) + 1], rows[1]]
    memory.gather([1, 0, 1])
    rows = [list(rows[1]), list(rows[0]), list(rows[1])]
    assert memory.lengths == [len(row) for row in rows]
    for pieces in ([[30], [31], [32]], [[8], [], [9, 10]], [[33], [34], [35]]):
        rows = [row + piece for row, piece in zip(rows, pieces, strict=True)]
        expected = torch.cat([truth(model.model, row)[-1:] for row, piece in zip(rows, pieces, strict=True) if piece])
        given = feed(memory, pieces, [min(len(piece), 1) for piece in pieces])
        assert_close(name, given, expected)


@pytest.mark.parametrize("path", ["slots", "level", "replay", "uncached"])
@pytest.mark.parametrize("name", ["llama", "gemma3", "opt"])
def test_every_path_gives_the_same_text(name, path):
    model = CausalModel.wrap(wrapped(name).model, path=path)
    memory = model.memory()
    memory.join(2)
    tokens = feed(memory, [PROMPTS[0], PROMPTS[1]], [1, 1]).argmax(-1).tolist()
    given = [[token] for token in tokens]
    for _ in range(3):
        tokens = feed(memory, [[token] for token in tokens]).argmax(-1).tolist()
        for text, token in zip(given, tokens, strict=True):
            text.append(token)
    assert given == [greedy(model.model, PROMPTS[0], 4), greedy(model.model, PROMPTS[1], 4)]


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma2", "mixtral", "mamba2"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision_takes_the_same_path(name, dtype):
    model = CausalModel.wrap(build(name, dtype=dtype))
    assert model.path == FAMILIES[name].path
    assert model.dtype == dtype
    assert model.notes == []
