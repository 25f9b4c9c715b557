"""Beams of 4 against transformers' beams of 4, in turn in one process, one thread; medians and ratios.

With a JSON Schema and without, batch 1 and 4. transformers has no constraint of its own, so both are held against its
plain beams. The constrained text is a list of numbers that can be as long as the plain one; a byte is a token.

Run: OMP_NUM_THREADS=1 python benchmarks/bench_beam.py
"""

from __future__ import annotations

import statistics
from typing import Any

import torch
from rounds import in_turn, machine, ratio
from shapes import ragged, tiny

from decodekit import Decoder
from decodekit.vocabulary import Vocabulary

ROUNDS, TOKENS, WIDTH, VOCABULARY = 5, 100, 4, 32000
SCHEMA = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 45}


def words() -> Vocabulary:
    """Every byte, every number of up to four digits, with and without a comma; the rest are special tokens."""
    texts = [bytes([i]) for i in range(256)] + [str(i).encode() for i in range(10, 10000)]
    texts += [b", " + str(i).encode() for i in range(10000)]
    return Vocabulary((*texts, *[None] * (VOCABULARY - len(texts))), (VOCABULARY - 1,))


def compare(name: str, model: Any, batch: int, **options: Any) -> None:
    """Run both sides in turn and print tokens of the best texts per second, and the ratio."""
    decoder = Decoder(model, words())
    prompts, padded = ragged(batch)
    made = {"ours": 0, "theirs": 0}

    def ours() -> None:
        found = decoder.generate(prompts, beam_search=WIDTH, max_new_tokens=TOKENS, logprobs=False, **options)
        made["ours"] = sum(len(one.tokens) for one in found)

    @torch.inference_mode()
    def theirs() -> None:
        found = model.generate(**padded, num_beams=WIDTH, max_new_tokens=TOKENS, do_sample=False)
        made["theirs"] = batch * (found.shape[1] - padded["input_ids"].shape[1])

    times = in_turn({"ours": ours, "theirs": theirs}, ROUNDS)
    per_token = {side: [taken / made[side] for taken in values] for side, values in times.items()}
    rates = {side: 1 / statistics.median(values) for side, values in per_token.items()}
    print(f"{name:32} {rates['ours']:5.0f} tok/s of {made['ours']}, transformers {rates['theirs']:5.0f}", end=": ")
    print(ratio(per_token["theirs"], per_token["ours"]), flush=True)


if __name__ == "__main__":
    print(f"{machine()}, beams of {WIDTH}")
    for batch in (1, 4):
        compare(f"batch {batch}, plain", tiny(), batch)
        compare(f"batch {batch}, json_schema", tiny(), batch, json_schema=SCHEMA)
        compare(f"batch {batch}, json_schema, forced", tiny(), batch, json_schema=SCHEMA, forced_tokens=True)
