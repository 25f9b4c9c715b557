"""How likely a sample is under the law that it was drawn from."""

from __future__ import annotations

import math

from decodekit.errors import GenerationError
from decodekit.results import Completion


def target_logprobs(sample: Completion, asker: str) -> list[float]:
    """Give the log-probabilities of a sample's tokens under the target law.

    Args:
        sample: The sample.
        asker: Name of the technique, for the message.

    Raises:
        GenerationError: Where the request did not ask for log-probabilities.
    """
    if len(sample.target_logprobs) != len(sample.tokens):
        raise GenerationError(
            f"{asker} compares log-probabilities, and sample {sample.sample} has none",
            hint="leave out logprobs=False, or choose another way to compare",
        )
    return sample.target_logprobs


def mean_logprob(sample: Completion) -> float:
    """Give the mean log-probability per token under the target law; -inf where there is none."""
    found = sample.target_logprobs
    mean = math.fsum(found) / len(found) if found else -math.inf
    return -math.inf if math.isnan(mean) else mean


__all__ = ["mean_logprob", "target_logprobs"]
