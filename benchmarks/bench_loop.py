"""What the loop itself costs: its own time per step, and time per token over a hand-written loop of bare forwards.

Own time is everything in `Loop.step` outside of the model's forward call, for 8 rows of a 131072-token vocabulary.
The hand-written loop is what one would write in ten lines: the forward pass with transformers' cache and an argmax, the
tokens read at every step, equal prompts; both sides take one step in turn.

Run: OMP_NUM_THREADS=1 python benchmarks/bench_loop.py [own | bare]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from rounds import machine, ratio
from shapes import ragged, smollm2, tiny, wide
from transformers import DynamicCache

from decodekit import Decoder
from decodekit.loop import Loop

SAMPLING = {"top_k": 50, "top_p": 0.9, "temperature": 0.8}


class Stopwatch:
    """CPU time spent inside of a model's forward."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.spent = 0.0
        self.forward = model.forward
        model.forward = self

    def __call__(self, **inputs: Any) -> Any:
        start = time.process_time()
        outputs = self.forward(**inputs)
        self.spent += time.process_time() - start
        return outputs


def loop_of(decoder: Decoder, prompts: list[list[int]], **options: Any) -> Loop:
    """Give the loop that `generate` would run."""
    return Loop(decoder._plan, decoder._plans(prompts, (), {"seed": 1, "logprobs": False, **options}))


def own(name: str, batch: int, **options: Any) -> None:
    """Print the loop's own time per step."""
    model = wide()
    decoder = Decoder(model)
    watch = Stopwatch(model)
    times: list[float] = []
    for _ in range(3):
        loop = loop_of(decoder, ragged(batch)[0], max_new_tokens=200, **options)
        for step in range(110):
            watch.spent, start = 0.0, time.process_time()
            loop.step()
            if step >= 10:
                times.append(1000 * (time.process_time() - start - watch.spent))
    low, middle, high = statistics.quantiles(times, n=4)
    print(f"own time, {name:24} median {middle:.2f} ms (quartiles {low:.2f}-{high:.2f}, least {min(times):.2f})")


def hand_written(model: Any, tokens: torch.Tensor) -> Callable[[], object]:
    """Give a function that takes one step."""
    cache, following = DynamicCache(config=model.config), tokens

    @torch.inference_mode()
    def step() -> object:
        nonlocal following
        outputs = model(input_ids=following, past_key_values=cache, use_cache=True, logits_to_keep=1)
        following = outputs.logits[:, -1].argmax(dim=-1, keepdim=True)
        return following.tolist()

    return step


def bare(name: str, model: Any, batch: int, steps: int, rounds: int) -> None:
    """Print time per token of the loop over the hand-written one."""
    decoder = Decoder(model)
    prompt = list(range(1, 17))
    mine: list[float] = []
    other: list[float] = []
    for _ in range(rounds):
        loop = loop_of(decoder, [prompt] * batch, max_new_tokens=steps + 2)
        sides = [(loop.step, mine), (hand_written(model, torch.tensor([prompt] * batch)), other)]
        for step in range(steps):
            for run, times in sides[:: 1 if step % 2 else -1]:
                start = time.process_time()
                run()
                if step:
                    times.append(time.process_time() - start)
    least = min(mine) / min(other)
    print(f"over bare forwards, {name}, batch {batch}: {ratio(mine, other)}, of the least times {least:.3f}; ", end="")
    print(f"{1000 * statistics.median(mine):.2f} and {1000 * statistics.median(other):.2f} ms a step")


if __name__ == "__main__":
    print(machine())
    what = sys.argv[1:] or ["own", "bare"]
    if "own" in what:
        own("8 rows, greedy", 8)
        own("8 rows, sampled", 8, **SAMPLING)
        own("1 row, greedy", 1)
        own("1 row, sampled", 1, **SAMPLING)
    if "bare" in what:
        for batch in (1, 8):
            bare("2 layers, 64 wide", tiny(), batch, 40, 8)
            bare("SmolLM2-135M shape", smollm2(), batch, 24, 3)
