"""An independent reference of the loop: one row, no cache, no batch, written as naively as possible."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from decodekit import rng


def model_logits(model: Any, tokens: Sequence[int]) -> np.ndarray:
    """Logits after `tokens`, by a full forward pass."""
    with torch.inference_mode():
        return model(torch.tensor([list(tokens)]), use_cache=False).logits[0, -1].double().numpy()


def log_softmax(logits: np.ndarray) -> np.ndarray:
    top = logits.max()
    return logits - top - math.log(np.exp(logits - top).sum())


def decode(
    model: Any,
    prompt: Sequence[int],
    limit: int,
    *,
    ends: Sequence[int] = (),
    heat: float | None = None,
    best: int | None = None,
    fatigue: float | None = None,
    surprise: bool = False,
    alternate: int | None = None,
    seed: int | None = None,
    sample: int = 0,
) -> tuple[list[int], list[float], list[float]]:
    """Decode greedily, or by inverse CDF where a seed is given; give tokens and both laws' log-probabilities."""
    tokens: list[int] = []
    models: list[float] = []
    targets: list[float] = []
    running = 1.0
    while len(tokens) < limit:
        raw = model_logits(model, [*prompt, *tokens])
        logits = raw.copy()
        if surprise:
            logits = logits / (1 + running)
        if fatigue is not None:
            for token in {*prompt, *tokens}:
                logits[token] -= fatigue
        if alternate is not None:
            for token in range(len(logits)):
                allowed = len(tokens) < alternate and token % 2 == len(tokens) % 2 and token not in ends
                if not allowed and not (len(tokens) == alternate and token in ends):
                    logits[token] = -math.inf
        if heat is not None:
            logits = logits / heat
        if best is not None:
            floor = np.sort(logits)[-best]
            logits[logits < floor] = -math.inf
        law = log_softmax(logits)
        if seed is None:
            token = int(law.argmax())
        else:
            arrays = (np.array([seed], dtype=np.uint64), np.array([sample], dtype=np.uint64))
            u = rng.uniform(*arrays, np.array([len(tokens)], dtype=np.uint64), "select")[0]
            token = int(np.searchsorted(np.cumsum(np.exp(law) / np.exp(law).sum()), u, side="right"))
        tokens.append(token)
        models.append(float(log_softmax(raw)[token]))
        targets.append(float(law[token]))
        running = 0.5 * running + 0.5 * min(3.0, -float(law[token]))
        if token in ends or (alternate is not None and len(tokens) == alternate):
            break
    return tokens, models, targets


def best_sequences(model: Any, prompt: Sequence[int], length: int, vocab: int) -> list[tuple[float, tuple[int, ...]]]:
    """Every sequence of that length with its log-probability, the likeliest first."""
    scored: list[tuple[float, tuple[int, ...]]] = []
    for tokens in itertools.product(range(vocab), repeat=length):
        total = 0.0
        for i, token in enumerate(tokens):
            total += float(log_softmax(model_logits(model, [*prompt, *tokens[:i]]))[token])
        scored.append((total, tokens))
    return sorted(scored, reverse=True)
