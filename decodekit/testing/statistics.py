"""Exact laws by enumeration, and the test that a sample follows one.

The level of the test is 1e-6 with a fixed seed, so that a red test is a fault and not bad luck; sample sizes give a
power of 0.999.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from math import ceil
from typing import Any, TypeVar

import torch
from scipy.optimize import brentq
from scipy.stats import chi2, ncx2

from decodekit.law import Law

ALPHA = 1e-6
POWER = 0.999
Outcome = TypeVar("Outcome", bound=Hashable)
NextLaw = Callable[[tuple[int, ...]], "Law | torch.Tensor | Sequence[float]"]


@lru_cache(maxsize=64)
def samples_needed(cells: int, tv: float, alpha: float = ALPHA, power: float = POWER) -> int:
    """Count the samples with which a chi-square test sees a total variation distance `tv` over that many cells.

    The worst case for a given distance is a relative error that is the same everywhere: noncentrality 4 n tv².
    """
    freedom = max(cells - 1, 1)
    critical = float(chi2.isf(alpha, freedom))
    found: Any = brentq(lambda shift: float(ncx2.sf(critical, freedom, shift)) - power, 1e-3, 1e5)
    return ceil(found / (4 * tv**2))


def chi_square(observed: Mapping[Outcome, int], expected: Mapping[Outcome, float], alpha: float = ALPHA) -> float:
    """Assert that counts follow a law, and give the p-value.

    Cells are pooled to at least 5 expected counts, the least likely ones first.

    Args:
        observed: How often each outcome came.
        expected: Its probability; outcomes that are left out are impossible.
        alpha: Level of the test.

    Raises:
        AssertionError: When an impossible outcome came even once, or the counts are too unlikely.
    """
    total = sum(observed.values())
    for outcome, count in observed.items():
        if count and not expected.get(outcome, 0.0) > 0.0:
            raise AssertionError(f"impossible outcome {outcome!r} came {count} times in {total}")
    mass = sum(expected.values())
    if abs(mass - 1) > 1e-6:
        raise AssertionError(f"the expected law sums to {mass}")
    cells: list[tuple[float, int]] = []
    pending, seen = 0.0, 0
    for outcome, probability in sorted(expected.items(), key=lambda item: item[1]):
        pending, seen = pending + probability * total, seen + observed.get(outcome, 0)
        if pending >= 5:
            cells.append((pending, seen))
            pending, seen = 0.0, 0
    if not cells:
        return 1.0
    cells[-1] = (cells[-1][0] + pending, cells[-1][1] + seen)
    statistic = sum((count - mean) ** 2 / mean for mean, count in cells)
    p_value = float(chi2.sf(statistic, len(cells) - 1)) if len(cells) > 1 else 1.0
    if p_value < alpha:
        raise AssertionError(f"chi-square {statistic:.1f} with {len(cells) - 1} degrees of freedom, p = {p_value:.1e}")
    return p_value


def total_variation(left: Mapping[Outcome, float], right: Mapping[Outcome, float]) -> float:
    """Give half of the summed differences of two laws."""
    return 0.5 * sum(abs(left.get(o, 0.0) - right.get(o, 0.0)) for o in {*left, *right})


def enumerate_law(
    next_law: NextLaw, horizon: int, *, prompt: Sequence[int] = (), end_tokens: Sequence[int] = ()
) -> dict[tuple[int, ...], float]:
    """Give the exact probability of every text of at most `horizon` tokens.

    Args:
        next_law: Called with all tokens so far, the prompt included; gives a `Law` of one position, or probabilities.
        horizon: Tokens after which a text ends in any case.
        prompt: Tokens before the text, left out of the result.
        end_tokens: Tokens that end a text, as its last token.
    """
    done: dict[tuple[int, ...], float] = {}
    open_texts: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(horizon):
        grown: dict[tuple[int, ...], float] = {}
        for text, mass in open_texts.items():
            for token, probability in _probabilities(next_law((*prompt, *text))):
                target = done if token in end_tokens else grown
                target[*text, token] = target.get((*text, token), 0.0) + mass * probability
        open_texts = grown
    return done | open_texts


def _probabilities(law: Law | torch.Tensor | Sequence[float]) -> list[tuple[int, float]]:
    if isinstance(law, Law):
        tokens = range(law.logits.shape[-1]) if law.ids is None else law.ids[0].tolist()
        pairs = zip(tokens, law.probs()[0].tolist(), strict=True)
    else:
        pairs = enumerate(torch.as_tensor(law).flatten().tolist())
    return [(token, probability) for token, probability in pairs if probability > 0]
