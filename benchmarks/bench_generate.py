"""Tokens per second against `model.generate`, in turn in one process; medians and ratios.

"bare" is the ceiling: a hand-written loop of forward passes with transformers' cache and an argmax, nothing else. Its
prompts are the padded ones without their mask, so it does less than either side.

Run: OMP_NUM_THREADS=1 python benchmarks/bench_generate.py [tiny | smollm2]
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

import torch
from rounds import in_turn, machine, ratio
from shapes import ragged, smollm2, tiny
from transformers import DynamicCache

from decodekit import Decoder

SAMPLING = {"top_k": 50, "top_p": 0.9, "temperature": 0.8}


def compare(name: str, model: Any, batch: int, sampled: bool, tokens: int, rounds: int) -> None:
    """Run the sides in turn and print what they reach."""
    decoder = Decoder(model)
    prompts, padded = ragged(batch)
    options: dict[str, Any] = SAMPLING if sampled else {}

    def ours() -> object:
        return decoder.generate(prompts, max_new_tokens=tokens, seed=1, logprobs=False, **options)

    @torch.inference_mode()
    def theirs() -> object:
        return model.generate(**padded, do_sample=sampled, max_new_tokens=tokens, **options)

    @torch.inference_mode()
    def bare() -> object:
        cache, following, found = DynamicCache(config=model.config), padded["input_ids"], []
        for _ in range(tokens):
            outputs = model(input_ids=following, past_key_values=cache, use_cache=True, logits_to_keep=1)
            following = outputs.logits[:, -1].argmax(dim=-1, keepdim=True)
            found.append(following)
        return torch.cat(found, dim=1).tolist()

    times = in_turn({"ours": ours, "theirs": theirs, "bare": bare}, rounds)
    rates = {side: batch * tokens / statistics.median(values) for side, values in times.items()}
    what = f"{name}, batch {batch}, {'sampled' if sampled else 'greedy'}"
    print(f"{what:28} {rates['ours']:6.0f} tok/s, transformers {rates['theirs']:6.0f}", end=": ")
    print(f"{ratio(times['theirs'], times['ours'])}; bare {ratio(times['theirs'], times['bare'])}", flush=True)


if __name__ == "__main__":
    print(machine())
    chosen = sys.argv[1:] or ["tiny", "smollm2"]
    if "tiny" in chosen:
        for batch in (1, 8):
            for sampled in (False, True):
                compare("tiny", tiny(), batch, sampled, 50, 9)
    if "smollm2" in chosen:
        compare("smollm2", smollm2(), 1, False, 24, 3)
        compare("smollm2", smollm2(), 8, True, 24, 3)
