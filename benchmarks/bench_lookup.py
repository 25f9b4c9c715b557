"""Drafts on a copying task with the demo model, interleaved in one process, one thread; prints medians and ratios.

The task is to set a field of a JSON card: all but the field stands in the prompt. Every text is compared with the one
without drafts.

Run: OMP_NUM_THREADS=1 python benchmarks/bench_lookup.py
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers.utils import logging

from decodekit import Decoder, Result
from decodekit_demo import draft_path, model_path

ROUNDS, TOKENS = 7, 40
PEOPLE = [("Brer", 33, "reading"), ("Mira", 41, "chess"), ("Tom", 8, "painting"), ("Anna", 27, "cooking")]
PROMPTS = [
    f"Set age to {age + shift}: {json.dumps({'first_name': name, 'last_name': name, 'age': age, 'hobby': hobby})}\n"
    for shift in (-5, 11)
    for name, age, hobby in PEOPLE
]
LOOKUP = {"tokens": 10, "max_ngram": 4, "min_ngram": 1}
DRAFTS: dict[str, dict[str, Any]] = {
    "no draft": {},
    "prompt_lookup": {"prompt_lookup": LOOKUP},
    "draft_model": {"draft_model": {"model": draft_path(), "tokens": 5}},
}


def seconds(run: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def interleaved(sides: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Run all sides in turn, once to warm up, and give their times."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS + 1):
        for name, run in sides.items():
            times[name].append(seconds(run))
    return {name: values[1:] for name, values in times.items()}


def report(times: dict[str, list[float]], base: str, tokens: int) -> None:
    """Print medians, and how many times faster than `base` each side is."""
    for name, values in times.items():
        ratios = sorted(other / own for own, other in zip(values, times[base], strict=True))
        low, _, high = statistics.quantiles(ratios, n=4)
        middle = statistics.median(values)
        rate, ratio = tokens / middle, statistics.median(ratios)
        print(f"  {name:30} {middle * 1e3:7.0f} ms, {rate:6.0f} tok/s, {ratio:5.2f} (quartiles {low:.2f}-{high:.2f})")


def ours(decoder: Decoder, prompts: list[str]) -> None:
    """Compare drafts with none, in one batch."""

    def run(options: dict[str, Any]) -> list[Result]:
        return decoder.generate(prompts, max_new_tokens=TOKENS, logprobs=False, **options)

    texts = {name: run(options) for name, options in DRAFTS.items()}
    plain = texts["no draft"]
    tokens = sum(len(result.tokens) for result in plain)
    print(f"batch {len(prompts)}, {tokens} tokens")
    for name, results in texts.items():
        same = [result.tokens for result in results] == [result.tokens for result in plain]
        stats = [result.stats for result in results]
        steps, kept = max(s.steps for s in stats), sum(s.accepted_tokens for s in stats)
        print(f"  {name:30} {steps:3} steps, {kept} of {sum(s.drafted_tokens for s in stats)} kept, same text: {same}")
    report(interleaved({name: lambda o=o: run(o) for name, o in DRAFTS.items()}), "no draft", tokens)


def against_transformers(decoder: Decoder, prompts: list[str]) -> None:
    """Compare a batch with transformers' prompt lookup, which takes one row at a time."""
    rows = [decoder.tokenizer(prompt, return_tensors="pt") for prompt in prompts]
    options = {"do_sample": False, "max_new_tokens": TOKENS}

    def theirs(**more: Any) -> list[list[int]]:
        found: list[list[int]] = []
        with torch.inference_mode():
            for row in rows:
                out: Any = decoder.model.generate(**row, **options, **more)
                found.append(out[0, row["input_ids"].shape[1] :].tolist())
        return found

    def run(batch: list[str]) -> list[Result]:
        return decoder.generate(batch, max_new_tokens=TOKENS, logprobs=False, prompt_lookup=LOOKUP)

    lookup = {"prompt_lookup_num_tokens": LOOKUP["tokens"], "max_matching_ngram_size": LOOKUP["max_ngram"]}
    wanted = [result.tokens for result in run(prompts)]
    print(f"the same {len(prompts)} prompts, texts of transformers the same: {theirs(**lookup) == wanted}")
    times = interleaved(
        {
            "transformers, one by one": lambda: theirs(**lookup),
            "transformers without draft": theirs,
            "ours, one by one": lambda: [run([prompt]) for prompt in prompts],
            f"ours, batch {len(prompts)}": lambda: run(prompts),
        }
    )
    report(times, "transformers, one by one", sum(map(len, wanted)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    print(f"torch {torch.__version__}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, 1 thread")
    demo = Decoder.from_pretrained(model_path())
    for count in (1, 8):
        ours(demo, PROMPTS[:count])
    against_transformers(demo, PROMPTS)
