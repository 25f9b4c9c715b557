"""Tokens per second against `model.generate`, interleaved in one process, one thread; prints medians and ratios.

Run: OMP_NUM_THREADS=1 python benchmarks/bench_generate.py
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from decodekit import Decoder

ROUNDS, TOKENS = 7, 100
SAMPLING = {"top_k": 50, "top_p": 0.9, "temperature": 0.8}


def tiny() -> LlamaForCausalLM:
    """A Llama of 2 layers, 64 wide, float32, random weights."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        eos_token_id=None,
        bos_token_id=None,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


def seconds(run: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare(name: str, model: LlamaForCausalLM, batch: int, sampled: bool) -> None:
    """Run both sides in turn and print medians and the ratio."""
    decoder = Decoder(model)
    prompts = [list(range(1, 6 + 4 * i)) for i in range(batch)]
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    options = SAMPLING if sampled else {}

    def ours() -> object:
        return decoder.generate(prompts, max_new_tokens=TOKENS, seed=1, logprobs=False, **options)

    def theirs() -> object:
        with torch.inference_mode():
            settings = {"do_sample": sampled, "max_new_tokens": TOKENS, **options}
            return model.generate(ids, attention_mask=mask, **settings)

    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(ROUNDS + 1):
        times["ours"].append(seconds(ours))
        times["theirs"].append(seconds(theirs))
    mine, other = (statistics.median(values[1:]) for values in times.values())
    spread = statistics.quantiles([b / a for a, b in zip(*times.values(), strict=True)][1:], n=4)
    rate = batch * TOKENS / mine
    print(f"{name:38} {rate:7.0f} tok/s, transformers {batch * TOKENS / other:7.0f}, ratio {other / mine:.2f}", end=" ")
    print(f"(quartiles {spread[0]:.2f}-{spread[2]:.2f})")


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, 1 thread")
    for batch in (1, 8):
        for sampled in (False, True):
            compare(f"batch {batch}, {'sampled' if sampled else 'greedy'}", tiny(), batch, sampled)
