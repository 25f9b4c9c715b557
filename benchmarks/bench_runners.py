"""Tokens per second of the `compiled` model runner against the eager one, in turn in one process; medians and ratios.

The seconds that compiling takes are told apart. On a CPU this needs a C++ compiler.

Run: OMP_NUM_THREADS=1 python benchmarks/bench_runners.py [tiny | smollm2] [batch size]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from rounds import in_turn, machine, ratio
from shapes import ragged, smollm2, tiny

from decodekit import Decoder


def sides(model: Any, batch: int, tokens: int) -> dict[str, Callable[[], object]]:
    """Make both decoders, and give what is measured."""
    prompts, _ = ragged(batch)
    made = {"compiled": Decoder(model, compiled=True), "eager": Decoder(model)}

    def run(decoder: Decoder) -> Callable[[], object]:
        return lambda: decoder.generate(prompts, max_new_tokens=tokens, logprobs=False)

    return {name: run(decoder) for name, decoder in made.items()}


def compare(name: str, model: Any, batch: int, tokens: int, rounds: int) -> None:
    """Compile, then run both in turn, and print what they reach."""
    start = time.perf_counter()
    both = sides(model, batch, tokens)
    both["compiled"]()
    seconds = time.perf_counter() - start
    times = in_turn(both, rounds)
    rates = {side: batch * tokens / statistics.median(values) for side, values in times.items()}
    print(f"{name}, batch {batch}: compiled {rates['compiled']:.0f} tok/s, eager {rates['eager']:.0f}", end=": ")
    print(f"{ratio(times['eager'], times['compiled'])}; {seconds:.0f} s of compiling", flush=True)


if __name__ == "__main__":
    print(machine())
    shapes = [each for each in sys.argv[1:] if not each.isdigit()] or ["tiny", "smollm2"]
    batches = [int(each) for each in sys.argv[1:] if each.isdigit()] or [1, 8]
    for batch in batches:
        if "tiny" in shapes:
            compare("tiny", tiny(), batch, 50, 9)
        if "smollm2" in shapes:
            compare("smollm2", smollm2(), batch, 24, 3)
