"""Best of n: the sample that a score likes most."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field

from decodekit.errors import GenerationError
from decodekit.results import Completion
from decodekit.techniques import Aggregator
from decodekit_consensus.answers import NoAnswerError
from decodekit_consensus.likelihood import target_logprobs


class BestOf(Aggregator, name="best_of", source="length_normalised: arXiv:1609.08144 without coverage"):
    """Answer with the sample that has the highest score; among equals the one with the lowest sample index.

    Samples with a `parse_error` are no answers. `details` of the answer has `score`, and `scores` of all samples in the
    order of their indices.

    Args:
        by: "mean" or "total" log-probability under the target law; "length_normalised", the total divided by
            ((5 + tokens) / 6) ** `length_power`; or a callable that gives a number for a `Completion`, called once per
            sample (a reward model, a checker).
        length_power: For "length_normalised": 0 is the total, larger numbers favour longer texts.

    Raises:
        GenerationError: When a score is not a number, or the request has no log-probabilities to compare.
        NoAnswerError: When all samples have a `parse_error`.

    *Cost:* one call of the scorer per sample.
    """

    by: Literal["mean", "total", "length_normalised"] | Callable[[Completion], float] = "mean"
    length_power: float = Field(default=0.6, ge=0)

    @property
    def needs(self) -> frozenset[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Log-probabilities, where they are compared."""
        return frozenset({"logprobs"} if isinstance(self.by, str) else ())

    def __call__(self, samples: Sequence[Completion]) -> Completion:
        if not samples:
            raise NoAnswerError(f"{self.name}: no sample was begun")
        ordered = sorted(samples, key=lambda sample: sample.sample)
        scores = [self._score(sample) for sample in ordered]
        right = [i for i, sample in enumerate(ordered) if sample.parse_error is None]
        if not right:
            raise NoAnswerError(f"{self.name}: all {len(ordered)} samples are wrong, such as: {ordered[0].parse_error}")
        best = max(right, key=scores.__getitem__)
        return replace(ordered[best], details={"score": scores[best], "scores": scores})

    def _score(self, sample: Completion) -> float:
        if not isinstance(self.by, str):
            score = float(self.by(sample))
        else:
            logprobs = target_logprobs(sample, f"{self.name} by {self.by!r}")
            score = math.fsum(logprobs) / self._length(len(logprobs))
        if math.isnan(score):
            raise GenerationError(f"{self.name}: the score of sample {sample.sample} ({sample.text[:40]!r}) is NaN")
        return score

    def _length(self, tokens: int) -> float:
        if self.by == "mean":
            return max(tokens, 1)
        return 1.0 if self.by == "total" else ((5 + tokens) / 6) ** self.length_power


__all__ = ["BestOf"]
