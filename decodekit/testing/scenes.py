"""A scene: rows with prompts and drafts, and at each of their positions a law and the state of the piece under test."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import LogitsProcessor
from decodekit.testing.factories import altered, positions, random_law
from decodekit.testing.values import POSITION_ARRAYS, Snapshot
from decodekit.types import State, TokenIds

PROMPT_LENGTHS = (1, 7, 3, 4)
STEPS = 6


def is_stateful(piece: Any) -> bool:
    """Say whether the piece has a memory, as the loop decides it."""
    return getattr(type(piece), "advance", LogitsProcessor.advance) is not LogitsProcessor.advance


def start(piece: Any, prompt: TokenIds) -> State:
    """Give the state before the first new token."""
    return piece.start(tuple(prompt)) if hasattr(piece, "start") else None


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Positions along a few rows, `STEPS` + 1 each, one row after another.

    Attributes:
        piece: What is under test.
        vocab_size: Width of the law.
        law: Laws before the piece, at full width.
        at: Positions, with the states along each row.
        after: Laws that the piece gave when it was asked one position at a time.
        tokens: Token taken at each position, possible in `after`.
        changed: What `advance` edited on the way, though it must not.
    """

    piece: Any
    vocab_size: int
    law: Law
    at: Positions
    after: list[Law]
    tokens: TokenIds
    changed: list[str]

    @classmethod
    def play(cls, make_piece: Callable[[], Any], vocab_size: int, seed: int) -> Scene:
        """Let rows grow alone, one token at a time, each with its own freshly made piece."""
        random = np.random.default_rng(seed)
        hot = random.choice(vocab_size, size=min(4, vocab_size), replace=False)
        count = len(PROMPT_LENGTHS) * (STEPS + 1)
        law = random_law(count, vocab_size, seed)
        histories: list[TokenIds] = []
        states: list[State] = []
        after: list[Law] = []
        tokens: TokenIds = []
        changed: list[str] = []
        for row, prompt_length in enumerate(PROMPT_LENGTHS):
            alone = make_piece()
            text = random.choice(hot, size=prompt_length).tolist()
            state = start(alone, text)
            for step in range(STEPS + 1):
                i = row * (STEPS + 1) + step
                histories.append(list(text))
                states.append(state)
                here = law.index_select(torch.tensor([i]))
                where = positions(histories=[text], prompt_lengths=[prompt_length], states=[state], seeds=[row])
                given = alone(here, where)
                after.append(given)
                token = _choose(given.full(vocab_size), hot, random)
                tokens.append(token)
                text.append(token)
                if is_stateful(alone):
                    watch = Snapshot(state=state, law=given)
                    state = alone.advance(state, token, given if getattr(alone, "reads_law", False) else None)
                    changed += watch.changed()
        padding = random.integers(vocab_size, size=(count, max(map(len, histories)) + 3))
        prompts = [length for length in PROMPT_LENGTHS for _ in range(STEPS + 1)]
        rows = [row for row in range(len(PROMPT_LENGTHS)) for _ in range(STEPS + 1)]
        at = positions(
            histories=histories,
            prompt_lengths=prompts,
            states=states,
            seeds=rows,
            width=padding.shape[1],
            padding=padding,
        )
        return cls(make_piece(), vocab_size, law, at, after, tokens, changed)

    def copy(self, piece: Any) -> Scene:
        """Give the same scene with a fresh piece and inputs of its own, which a faulty piece may spoil."""
        arrays = {name: getattr(self.at, name).copy() for name in POSITION_ARRAYS}
        at = altered(self.at, states=copy.deepcopy(self.at.states), **arrays)
        return replace(self, piece=piece, law=Law(self.law.logits.clone()), at=at)

    @property
    def count(self) -> int:
        """How many positions there are."""
        return len(self.at)


def _choose(law: Law, hot: np.ndarray[Any, Any], random: np.random.Generator) -> int:
    allowed = law.allowed[0].nonzero().flatten().tolist()
    liked = [token for token in allowed if token in hot]
    pool = liked if liked and random.random() < 0.75 else allowed
    return int(random.choice(pool)) if pool else int(random.choice(hot))
