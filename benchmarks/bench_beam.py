"""Beams of 4 against transformers' beams of 4, interleaved in one process, one thread; prints medians and ratios.

With a JSON Schema and without, batch 1 and 4. transformers has no constraint of its own, so both are held against its
plain beams. The constrained text is a list of numbers that can be as long as the plain one; a byte is a token.

Run: OMP_NUM_THREADS=1 python benchmarks/bench_beam.py
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from decodekit import Decoder
from decodekit.vocabulary import Vocabulary

ROUNDS, TOKENS, WIDTH, VOCABULARY = 7, 100, 4, 32000
SCHEMA = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 60}


def tiny() -> LlamaForCausalLM:
    """A Llama of 2 layers, 64 wide, float32, random weights."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
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


def words() -> Vocabulary:
    """Every byte, every number of up to four digits, with and without a comma; the rest are special tokens."""
    texts = [bytes([i]) for i in range(256)] + [str(i).encode() for i in range(10, 10000)]
    texts += [b", " + str(i).encode() for i in range(10000)]
    return Vocabulary((*texts, *[None] * (VOCABULARY - len(texts))), (VOCABULARY - 1,))


def seconds(run: Callable[[], Any]) -> tuple[float, int]:
    """Time one call; give with it how many tokens the best texts have."""
    start = time.perf_counter()
    tokens = run()
    return time.perf_counter() - start, tokens


def compare(name: str, model: LlamaForCausalLM, batch: int, **options: Any) -> None:
    """Run both sides in turn and print medians and the ratio of tokens per second."""
    decoder = Decoder(model, words())
    prompts = [list(range(1, 6 + 4 * i)) for i in range(batch)]
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])

    def ours() -> int:
        found = decoder.generate(prompts, beam_search=WIDTH, max_new_tokens=TOKENS, logprobs=False, **options)
        return sum(len(one.tokens) for one in found)

    def theirs() -> int:
        with torch.inference_mode():
            found = model.generate(ids, attention_mask=mask, num_beams=WIDTH, max_new_tokens=TOKENS, do_sample=False)
        return batch * (found.shape[1] - longest)

    runs: dict[str, list[tuple[float, int]]] = {"ours": [], "theirs": []}
    for _ in range(ROUNDS + 1):
        runs["ours"].append(seconds(ours))
        runs["theirs"].append(seconds(theirs))
    rates = {side: [tokens / time for time, tokens in values[1:]] for side, values in runs.items()}
    mine, other = (statistics.median(values) for values in rates.values())
    spread = statistics.quantiles([a / b for a, b in zip(*rates.values(), strict=True)], n=4)
    print(f"{name:24} {mine:6.0f} tok/s of {runs['ours'][-1][1]}, transformers {other:6.0f}", end=", ")
    print(f"ratio {mine / other:.2f} (quartiles {spread[0]:.2f}-{spread[2]:.2f})")


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(
        f"torch {torch.__version__}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, 1 thread, beams of {WIDTH}"
    )
    for batch in (1, 4):
        compare(f"batch {batch}, plain", tiny(), batch)
        compare(f"batch {batch}, json_schema", tiny(), batch, json_schema=SCHEMA)
