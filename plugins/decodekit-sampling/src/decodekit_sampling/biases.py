"""Biases and bans of tokens and phrases: `logit_bias`, `bad_words`, `suppress`.

As transformers' `SequenceBiasLogitsProcessor`, `NoBadWordsLogitsProcessor` and `SuppressTokensLogitsProcessor`: of a
phrase of several tokens the last one is biased, where the text ends with the others. Text is tokenised as it usually
stands in a text (see `phrases`). *Not* a filter of strings: a model can spell a banned word with other pieces.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Field, field_validator

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import BuildContext, LogitsProcessor, Stage
from decodekit_sampling.phrases import Phrase, TokenSequence, sequences
from decodekit_sampling.sparse import add

Bias = tuple[TokenSequence, float]


def _pairs(value: Any) -> Any:
    """Take a mapping as its items; JSON has no other keys than text."""
    return tuple(value.items()) if isinstance(value, Mapping) else value


def _several(value: Any) -> Any:
    """Take a single word as a list of one."""
    return (value,) if isinstance(value, str | int) else value


class LogitBias(
    LogitsProcessor,
    name="logit_bias",
    stage=Stage.BIAS,
    needs_history=True,
    source="OpenAI API; transformers",
):
    """Add a number to the logits of tokens and phrases; what is biased twice gets the sum.

    Cost: one copy of the law.

    Args:
        bias: From token id, tuple of token ids or text to a finite number; `suppress` and `bad_words` ban. A mapping or
            a sequence of pairs.
    """

    bias: Annotated[tuple[tuple[Phrase, float], ...], BeforeValidator(_pairs)] = Field(min_length=1)

    @field_validator("bias")
    @classmethod
    def _finite(cls, value: tuple[tuple[Phrase, float], ...]) -> tuple[tuple[Phrase, float], ...]:
        for phrase, amount in value:
            if not math.isfinite(amount):
                # A ban must lift where a constraint leaves nothing else, which only the stage BAN does.
                raise ValueError(f"the bias of {phrase!r} is {amount}; it must be finite (suppress and bad_words ban)")
        return value

    def build(self, context: BuildContext) -> _SequenceBias:
        found = [
            (sequence, amount) for phrase, amount in self.bias for sequence in sequences(phrase, context, self.name)
        ]
        return _SequenceBias(biases=tuple(found))

    def __call__(self, law: Law, at: Positions) -> Law:
        return _unbuilt(self.bias)(law, at)


class BadWords(
    LogitsProcessor,
    name="bad_words",
    stage=Stage.BAN,
    needs_history=True,
    source="transformers",
):
    """Never complete these phrases. End tokens on their own are left out, as in transformers; `suppress` bans them.

    Cost: one copy of the law.

    Args:
        words: Texts, token ids or tuples of token ids.
    """

    words: Annotated[tuple[Phrase, ...], BeforeValidator(_several)] = Field(min_length=1)

    def build(self, context: BuildContext) -> _SequenceBan:
        ends = {(token,) for token in context.end_tokens}
        found = [sequence for word in self.words for sequence in sequences(word, context, self.name)]
        return _SequenceBan(biases=tuple((s, -math.inf) for s in dict.fromkeys(found) if s not in ends))

    def __call__(self, law: Law, at: Positions) -> Law:
        return _unbuilt((word, -math.inf) for word in self.words)(law, at)


class Suppress(
    LogitsProcessor,
    name="suppress",
    stage=Stage.BAN,
    source="transformers",
):
    """Ban tokens at every position, end tokens too.

    Cost: one copy of the law.

    Args:
        tokens: Token ids.
    """

    tokens: Annotated[tuple[int, ...], BeforeValidator(_several)] = Field(min_length=1)

    def build(self, context: BuildContext) -> Self:
        for token in self.tokens:
            sequences(token, context, self.name)
        return self

    def __call__(self, law: Law, at: Positions) -> Law:
        rows = [row for row in range(len(law.logits)) for _ in self.tokens]
        return add(law, rows, list(self.tokens) * len(law.logits), [-math.inf] * len(rows))


class _SequenceBias(LogitsProcessor, stage=Stage.BIAS, needs_history=True):
    """The working piece: every phrase as token ids."""

    biases: tuple[Bias, ...]

    @cached_property
    def _by_length(self) -> dict[int, tuple[np.ndarray[Any, Any], list[int], list[float]]]:
        groups: dict[int, list[Bias]] = {}
        for sequence, amount in self.biases:
            groups.setdefault(len(sequence) - 1, []).append((sequence, amount))
        return {
            length: (
                np.array([sequence[:-1] for sequence, _ in group], dtype=np.int64),
                [sequence[-1] for sequence, _ in group],
                [amount for _, amount in group],
            )
            for length, group in groups.items()
        }

    def __call__(self, law: Law, at: Positions) -> Law:
        rows: list[int] = []
        tokens: list[int] = []
        amounts: list[float] = []
        for row in range(len(at)):
            length = int(at.lengths_array[row])
            for before, (prefixes, last, amount) in self._by_length.items():
                if before > length:
                    continue
                end = at.history_array[row, length - before : length]
                hits = (prefixes == end).all(axis=1).nonzero()[0].tolist()
                rows += [row] * len(hits)
                tokens += [last[hit] for hit in hits]
                amounts += [amount[hit] for hit in hits]
        return add(law, rows, tokens, amounts)


class _SequenceBan(_SequenceBias, stage=Stage.BAN):
    """The same, in the stage whose bans the loop can lift."""


def _unbuilt(pairs: Any) -> _SequenceBias:
    """Make the piece without a context, which works for token ids only."""
    biases = [((phrase,) if isinstance(phrase, int) else phrase, amount) for phrase, amount in pairs]
    if any(isinstance(sequence, str) for sequence, _ in biases):
        raise TypeError("a phrase given as text needs build(context)")
    return _SequenceBias(biases=tuple(biases))
