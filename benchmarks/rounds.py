"""Sides measured in turn, in one process and one thread, and compared round by round.

What counts is the process's own CPU time: with one thread on an idle machine that is the time on the clock, and on a
busy one it leaves out most of what others do. Busy neighbours still slow both sides down, which the ratio cancels.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping

import torch
import transformers


def machine() -> str:
    """One thread from here on; say on what this runs."""
    torch.set_num_threads(1)
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    return f"{versions}, {os.cpu_count()} cores, 1 thread, load {os.getloadavg()[0]:.1f}"


def seconds(run: Callable[[], object]) -> float:
    """Take the CPU time of one call."""
    start = time.process_time()
    run()
    return time.process_time() - start


def in_turn(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Run every side once per round, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, run in sides.items():
            taken = seconds(run)
            if number:
                times[name].append(taken)
    return times


def ratio(numerators: list[float], denominators: list[float]) -> str:
    """Write the median of the ratios of pairs, with quartiles."""
    low, middle, high = statistics.quantiles([a / b for a, b in zip(numerators, denominators, strict=True)], n=4)
    return f"{middle:.3f} (quartiles {low:.3f}-{high:.3f})"
