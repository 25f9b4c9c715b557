"""Command line: `python -m decodekit_demo.training --out DIR` makes tokenizer, target and draft from nothing."""

from __future__ import annotations

import argparse
import json
import logging
import time
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from .batches import batches
from .copying import copies
from .documents import documents
from .loop import Options, train
from .models import new_draft, new_target, save
from .tokenizer import train_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedTokenizerFast

    from .batches import Batch


def parser() -> argparse.ArgumentParser:
    """The options, with the values that the shipped models were made with."""
    made = argparse.ArgumentParser(prog="python -m decodekit_demo.training", description=__doc__)
    made.add_argument("--out", type=Path, required=True, help="folder that receives target/ and draft/")
    made.add_argument("--part", choices=["all", "target", "draft"], default="all")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--tokens", type=int, default=1536, help="tokens per batch")
    made.add_argument("--length", type=int, default=128, help="tokens per row of the mixture, and twice that at times")
    made.add_argument("--copy-steps", type=int, default=450, help="steps of copying before the target's mixture")
    made.add_argument("--prompt-weight", type=float, default=0.1, help="loss weight of prompt tokens; answers have 1")
    made.add_argument("--learning-rate", type=float, default=3e-3)
    made.add_argument("--label-smoothing", type=float, default=0.0)
    made.add_argument("--target-steps", type=int, default=1085)
    made.add_argument("--target-minutes", type=float, default=22.0)
    made.add_argument("--draft-steps", type=int, default=374)
    made.add_argument("--draft-minutes", type=float, default=6.0)
    made.add_argument(
        "--distill-weight", type=float, default=0.9, help="share of the draft's loss that is distillation"
    )
    made.add_argument("--temperature", type=float, default=1.0, help="temperature inside the distillation loss")
    return made


def mixture(tokenizer: PreTrainedTokenizerFast, seed: int, asked: argparse.Namespace) -> Iterator[Batch]:
    """The stream that both models are made for."""
    rows = asked.tokens // asked.length
    return batches(tokenizer, documents(seed), rows=rows, length=asked.length, prompt_weight=asked.prompt_weight)


def main(argv: list[str] | None = None) -> None:
    """Train what `--part` names; the draft needs a target in `--out`."""
    asked = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(asked.threads)
    began, target_at, draft_at = time.monotonic(), str(asked.out / "target"), str(asked.out / "draft")
    report: dict[str, float] = {}
    if asked.part in ("all", "target"):
        tokenizer = train_tokenizer(asked.seed)
        target = new_target(len(tokenizer), asked.seed)
        short = batches(tokenizer, copies(asked.seed), rows=asked.tokens // 64, length=64, prompt_weight=0.0)
        mixed = mixture(tokenizer, asked.seed, asked)
        options = Options(
            asked.target_steps, asked.target_minutes, asked.learning_rate, label_smoothing=asked.label_smoothing
        )
        losses = train(
            target,
            chain(islice(short, asked.copy_steps), mixed),
            options,
            checkpoint=lambda model: save(model, tokenizer, target_at),
        )
        save(target, tokenizer, target_at)
        report["target_loss"] = sum(losses[-50:]) / len(losses[-50:])
    if asked.part in ("all", "draft"):
        tokenizer = AutoTokenizer.from_pretrained(target_at)
        target = AutoModelForCausalLM.from_pretrained(target_at, dtype=torch.float32).eval()
        draft = new_draft(target, asked.seed)
        mixed = mixture(tokenizer, asked.seed + 1, asked)
        options = Options(
            asked.draft_steps,
            asked.draft_minutes,
            asked.learning_rate,
            distill_weight=asked.distill_weight,
            temperature=asked.temperature,
        )
        losses = train(draft, mixed, options, teacher=target, checkpoint=lambda model: save(model, tokenizer, draft_at))
        save(draft, tokenizer, draft_at)
        report["draft_loss"] = sum(losses[-50:]) / len(losses[-50:])
    report["minutes"] = (time.monotonic() - began) / 60
    print(json.dumps(report))


if __name__ == "__main__":
    main()
