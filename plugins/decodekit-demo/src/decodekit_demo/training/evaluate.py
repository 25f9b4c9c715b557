"""Figures of the shipped models on held-out documents: `python -m decodekit_demo.training.evaluate`.

Held out means: made with a seed that training never used. The share of valid JSON *with* a constraint is measured where
decodekit-json is installed.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, TypeAlias

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from .. import draft_path, model_path
from . import words as w
from .batches import Batch, batches
from .documents import documents
from .figures import table, write
from .loop import logits

HELD_OUT_SEED = 1_000_003
Schema: TypeAlias = dict[str, Any]
Generate: TypeAlias = Callable[[list[str], list[Schema]], list[str]]

TYPES: dict[str, str] = {"first_name": "string", "last_name": "string", "age": "integer", "hobby": "string"}


@dataclass(frozen=True, slots=True)
class Losses:
    """Mean negative log-likelihoods in nats a token."""

    all_tokens: float
    answers: float

    @property
    def perplexity(self) -> float:
        """Exponential of the loss over all tokens."""
        return math.exp(self.all_tokens)


def held_out(tokenizer: PreTrainedTokenizerFast, count: int) -> list[Batch]:
    """Batches whose weights are 1 for answers and 0.5 for prompts."""
    return list(islice(batches(tokenizer, documents(HELD_OUT_SEED), rows=8, length=256, prompt_weight=0.5), count))


@torch.inference_mode()
def losses(model: LlamaForCausalLM, held: list[Batch]) -> Losses:
    """Loss over all tokens and over answers alone."""
    sums, counts = [0.0, 0.0], [0, 0]
    for batch in held:
        each = -logits(model, batch)[:, :-1].log_softmax(-1).gather(-1, batch.ids[:, 1:, None])[..., 0]
        for at, chosen in enumerate((batch.weights[:, 1:] > 0, batch.weights[:, 1:] == 1)):
            sums[at] += each[chosen].sum().item()
            counts[at] += int(chosen.sum())
    return Losses(sums[0] / counts[0], sums[1] / counts[1])


@torch.inference_mode()
def acceptance(target: LlamaForCausalLM, draft: LlamaForCausalLM, held: list[Batch]) -> tuple[float, float]:
    """How often both argmaxes agree, and alpha = 1 - TV(target, draft), both over the places of answers.

    Alpha is the chance that speculative sampling accepts one drafted token (arXiv:2211.17192).
    """
    same = overlap = total = 0.0
    for batch in held:
        chosen = batch.weights[:, 1:] == 1
        ours, theirs = (logits(model, batch)[:, :-1][chosen] for model in (target, draft))
        same += (ours.argmax(-1) == theirs.argmax(-1)).sum().item()
        overlap += torch.minimum(ours.softmax(-1), theirs.softmax(-1)).sum().item()
        total += int(chosen.sum())
    return same / total, overlap / total


def card_prompts(count: int, keys_named: bool) -> tuple[list[str], list[Schema], list[dict[str, Any]]]:
    """Companion prompts, the schema asked for, and the values that the sentence states."""
    rng = Random(HELD_OUT_SEED)
    prompts, truths = [], []
    for _ in range(count):
        age, hobby, being = rng.randint(1, 99), rng.choice(w.HOBBIES), rng.choice(w.BEINGS)
        text = f"Describe my {age}-year-old {being} who likes {hobby}\n"
        prompts.append(text + (f"Keys: {', '.join(TYPES)}\n" if keys_named else ""))
        truths.append({"age": age, "hobby": hobby})
    properties = {key: {"type": kind} for key, kind in TYPES.items()}
    schema = {"type": "object", "properties": properties, "required": list(TYPES), "additionalProperties": False}
    return prompts, [schema] * count, truths


def json_rates(generate: Generate, count: int, keys_named: bool) -> dict[str, float]:
    """Share of answers that are JSON, that fit the schema, and that also state age and hobby rightly."""
    prompts, schemas, truths = card_prompts(count, keys_named)
    valid = fitting = right = 0
    for text, truth in zip(generate(prompts, schemas), truths, strict=True):
        try:
            answer = json.loads(text)
        except json.JSONDecodeError:
            continue
        valid += 1
        if fits(answer):
            fitting += 1
            right += truth.items() <= answer.items()
    return {"valid": valid / count, "fits_schema": fitting / count, "and_right": right / count}


def fits(answer: object) -> bool:
    """Whether an answer has exactly the four fields of the schema, with their types."""
    if not isinstance(answer, dict) or set(answer) != set(TYPES):
        return False
    kinds = {"string": str, "integer": int}
    return all(isinstance(answer[key], kinds[kind]) for key, kind in TYPES.items())


def unconstrained(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, sample: bool, seed: int = 0) -> Generate:
    """A `generate` for `json_rates` that uses transformers and ignores the schema."""

    @torch.inference_mode()
    def generate(prompts: list[str], schemas: list[Schema]) -> list[str]:
        torch.manual_seed(seed)
        made = []
        for start in range(0, len(prompts), 50):
            inputs = tokenizer(prompts[start : start + 50], return_tensors="pt", padding=True, padding_side="left")
            out = model.generate(**inputs, max_new_tokens=96, do_sample=sample)
            made += tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return made

    return generate


def constrained(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, sample: bool, seed: int = 0) -> Generate:
    """A `generate` for `json_rates` that holds decodekit to the schema; all prompts share one."""
    from decodekit import Decoder

    decoder = Decoder(model, tokenizer)
    options = {"temperature": 1.0, "seed": seed} if sample else {}

    def generate(prompts: list[str], schemas: list[Schema]) -> list[str]:
        found = decoder.generate(prompts, json_schema=schemas[0], max_new_tokens=96, **options)
        return [one.text for one in found]

    return generate


def can_constrain() -> bool:
    """Whether decodekit knows `json_schema` and `temperature` here."""
    from decodekit.plugins import plugins

    return {"json_schema", "temperature"} <= set(plugins().techniques)


SAMPLES = (
    "Describe my 33-year-old teddy bear who likes reading\n",
    "Describe my 33-year-old teddy bear who likes reading\nKeys: first_name, last_name, age, hobby\n",
    "Ana orders 3 cups at 4.99 each and 2 lamps at 20.5 each. The order is paid.\n",
    "<|user|>What is the weather in Paris in celsius?<|end|><|assistant|>",
    "Repeat: The green bear Korali weighs 12.5 kg and lives in the forest.\n",
    "Once upon a time",
)


def measure(batches_read: int, prompts: int) -> tuple[dict[str, Any], dict[str, str]]:
    """All figures of the shipped models, and their greedy answers to `SAMPLES`."""
    tokenizer = AutoTokenizer.from_pretrained(model_path())
    target = AutoModelForCausalLM.from_pretrained(model_path(), dtype=torch.float32).eval()
    draft = AutoModelForCausalLM.from_pretrained(draft_path(), dtype=torch.float32).eval()
    held = held_out(tokenizer, batches_read)
    found: dict[str, Any] = {"held_out_tokens": int(sum((batch.weights > 0).sum() for batch in held))}
    for name, model in (("target", target), ("draft", draft)):
        lost = losses(model, held)
        found[name] = {"loss": lost.all_tokens, "perplexity": lost.perplexity, "answer_loss": lost.answers}
        found[name]["parameters"] = model.num_parameters()
    found["greedy_match"], found["alpha"] = acceptance(target, draft, held)
    found["prompts"], found["json"] = prompts, []
    makers = {"no": unconstrained, **({"json_schema": constrained} if can_constrain() else {})}
    for constraint, maker in makers.items():
        for sample in (False, True):
            for keys_named in (False, True):
                rates = json_rates(maker(target, tokenizer, sample), prompts, keys_named)
                decoding = "sampled" if sample else "greedy"
                found["json"].append(
                    {"decoding": decoding, "constraint": constraint, "keys_named": keys_named, **rates}
                )
    answer = unconstrained(target, tokenizer, sample=False)
    return found, {prompt: answer([prompt], [{}])[0] for prompt in SAMPLES}


def main(argv: list[str] | None = None) -> None:
    """Print all figures as JSON; with `--card`, write them into the model card too."""
    asked = argparse.ArgumentParser(prog="python -m decodekit_demo.training.evaluate", description=__doc__)
    asked.add_argument("--batches", type=int, default=30)
    asked.add_argument("--prompts", type=int, default=100)
    asked.add_argument("--card", action="store_true", help="rewrite the figures in MODEL_CARD.md")
    options = asked.parse_args(argv)
    found, samples = measure(options.batches, options.prompts)
    print(json.dumps({**found, "samples": samples}, indent=2, ensure_ascii=False))
    if options.card:
        write(model_path().parents[1] / "MODEL_CARD.md", table(found, samples))


if __name__ == "__main__":
    main()
