"""Self-consistency: the samples of one prompt vote on the answer (arXiv:2203.11171)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

from pydantic import field_validator, model_validator

from decodekit.results import Completion
from decodekit.techniques import Aggregator
from decodekit_consensus.answers import MISSING, NoAnswerError, from_field, from_pattern, key_of, path_steps
from decodekit_consensus.likelihood import mean_logprob, target_logprobs


class SelfConsistency(Aggregator, name="self_consistency", source="arXiv:2203.11171"):
    """Answer with a sample whose answer most samples share.

    The answer of a sample is what a pattern or a path finds in it, by default its whole text. Samples without one,
    and those with a `parse_error`, do not vote. Ties go to the answer with the likelier sample (mean log-
    probability per token under the target law), then to the one with the lower sample index; the same order chooses
    the sample that stands for its answer. Which samples there are decides, not their order. `details` of the answer
    has `answer`, `votes` and `samples` by answer (the most votes first), and `unanswered`, the indices of samples
    without an answer.

    Args:
        pattern: Regular expression (`re`); group 1 or else the whole match is the answer.
        field: JSON pointer (`/steps/0`) or dotted path (`steps.0`) into `.parsed`, or into the text as JSON where
            nothing was parsed; the empty path is the whole value.
        take: Which match of the pattern counts where there are several.
        casefold: Whether upper and lower case are the same.
        numbers: Whether texts that are numbers are compared as numbers.
        weighted: Whether a vote counts exp(mean log-probability) instead of 1, the paper's normalised weighted sum
            under the target law.

    Raises:
        NoAnswerError: When no sample has an answer.

    *Cost:* one pass over the texts.
    """

    pattern: str | None = None
    field: str | None = None
    take: Literal["first", "last"] = "last"
    casefold: bool = False
    numbers: bool = True
    weighted: bool = False

    @property
    def needs(self) -> frozenset[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The text, and log-probabilities where they are compared."""
        return frozenset({"vocabulary", "logprobs"} if self.weighted else {"vocabulary"})

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                empty = re.fullmatch(value, "")
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
            if empty is not None:
                raise ValueError("it matches the empty text, which would be every sample's answer")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> SelfConsistency:
        if self.pattern is not None and self.field is not None:
            raise ValueError("the answer is found by a pattern or by a field, not by both")
        return self

    def __call__(self, samples: Sequence[Completion]) -> Completion:
        groups: dict[str, list[Completion]] = {}
        unanswered: list[int] = []
        for sample in sorted(samples, key=lambda s: s.sample):
            answer = self._answer(sample)
            if answer is MISSING:
                unanswered.append(sample.sample)
            else:
                groups.setdefault(key_of(answer, casefold=self.casefold, numbers=self.numbers), []).append(sample)
        if not groups:
            raise NoAnswerError(self._nothing(samples), hint="look at .results[…].samples, and loosen the pattern")
        votes = {key: self._votes(group) for key, group in groups.items()}
        best = {key: max(group, key=mean_logprob) for key, group in groups.items()}
        order = sorted(groups, key=lambda key: (-votes[key], -mean_logprob(best[key]), best[key].sample))
        details = {
            "answer": order[0],
            "votes": {key: votes[key] for key in order},
            "samples": {key: [sample.sample for sample in groups[key]] for key in order},
            "unanswered": unanswered,
        }
        return replace(best[order[0]], details=details)

    def _answer(self, sample: Completion) -> Any:
        if sample.parse_error is not None:  # a document that is known to be wrong
            return MISSING
        if self.pattern is not None:
            return from_pattern(sample.text, _compiled(self.pattern), self.take == "last")
        return sample.text if self.field is None else from_field(sample, path_steps(self.field))

    def _votes(self, group: Sequence[Completion]) -> float:
        if not self.weighted:
            return len(group)
        for sample in group:
            target_logprobs(sample, self.name)
        # An exact sum does not depend on the order of the samples.
        return math.fsum(math.exp(mean_logprob(sample)) for sample in group)

    def _nothing(self, samples: Sequence[Completion]) -> str:
        if not samples:
            return f"{self.name}: no sample was begun"
        place = f"field {self.field!r} is" if self.pattern is None else f"pattern {self.pattern!r} matches"
        return f"{self.name}: {place} in none of {len(samples)} samples, such as {samples[0].text[-60:]!r}"


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


__all__ = ["SelfConsistency"]
