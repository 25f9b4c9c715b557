"""What `quantized_cache` saves and costs: bytes a token, time a step at a long context, and loss on a text.

No peer runs beside it: transformers' QuantizedCache needs optimum-quanto or hqq, and takes no ragged batch.

Run: OMP_NUM_THREADS=1 python benchmarks/bench_kv_caches.py
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import torch
from rounds import in_turn, machine, ratio
from shapes import smollm2

from decodekit import Decoder
from decodekit_demo import model_path

ROUNDS, BATCH, CONTEXT, STEPS = 5, 4, 512, 8
CACHES: dict[str, dict[str, Any]] = {
    "slots": {},
    "8 bits": {"quantized_cache": True},
    "4 bits": {"quantized_cache": {"bits": 4}},
    "4 bits, group 16": {"quantized_cache": {"bits": 4, "group": 16}},
}
TEXT = (
    "Once upon a time, there was a little girl named Lily. She liked to play in the park with her dog. One day, the "
    "dog ran away. Lily was very sad. She looked for the dog under the trees and near the water. Then she heard a "
    "sound. It was her dog! Lily was so happy. She gave the dog a big hug and they went home together."
)


def prompts() -> list[list[int]]:
    """Rows near the same length, whose steps all read a long context."""
    return [[1 + (7 * i + row) % 1000 for i in range(CONTEXT - row)] for row in range(BATCH)]


def costs() -> None:
    """Print bytes a token and the time of steps beside the built-in slots."""
    model = smollm2()
    decoders = {name: Decoder(model, **options) for name, options in CACHES.items()}

    def run(decoder: Decoder, tokens: int) -> Callable[[], object]:
        return lambda: decoder.generate(prompts(), max_new_tokens=tokens, logprobs=False)

    # What the prompt costs is taken off by the run of one token.
    sides = {name: run(decoder, 1 + STEPS) for name, decoder in decoders.items()}
    sides |= {f"{name}, prompt": run(decoder, 1) for name, decoder in decoders.items()}
    times = in_turn(sides, ROUNDS)
    steps = {n: [a - b for a, b in zip(times[n], times[f"{n}, prompt"], strict=True)] for n in CACHES}
    full = decoders["slots"].describe()["bytes_per_token"]
    print(f"SmolLM2-135M shape, bfloat16, {BATCH} rows of {CONTEXT} tokens, {STEPS} steps")
    for name, decoder in decoders.items():
        share = decoder.describe()["bytes_per_token"] / full
        middle = statistics.median(steps[name]) / STEPS * 1e3
        print(
            f"  {name:18} {share:5.3f} of the bytes, {middle:6.1f} ms a step, {ratio(steps[name], steps['slots'])} over"
        )


def losses() -> None:
    """Print the demo model's loss on a text with each cache."""
    print("demo model, float32, mean loss of a text in nats a token")
    for name, options in CACHES.items():
        decoder = Decoder.from_pretrained(model_path(), **options)
        (score,) = decoder.score([TEXT])
        notes = [note for note in decoder.describe()["notes"] if "off by" in note]
        loss = -statistics.fmean(score.logprobs)
        print(f"  {name:18} {loss:.4f} ({len(score.logprobs)} tokens){''.join(f'; {note}' for note in notes)}")


if __name__ == "__main__":
    print(machine())
    with torch.inference_mode():
        losses()
        costs()
