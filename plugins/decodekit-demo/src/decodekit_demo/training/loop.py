"""The training loop for both models: AdamW, warm-up and cosine, label smoothing, distillation, a time guard."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from .muon import Muon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transformers import LlamaForCausalLM

    from .batches import Batch

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What one training run can be told.

    Attributes:
        steps: Number of updates, unless the time is up earlier.
        minutes: Time guard; the learning rate falls to its floor by then.
        learning_rate: Peak of the cosine.
        warmup_steps: Updates of linear warm-up.
        weight_decay: Decoupled, on matrices only.
        label_smoothing: Share of the target spread over the vocabulary (arXiv:1512.00567); flattens the model's law.
        distill_weight: Share of the loss that is KL(teacher, student) (arXiv:1503.02531); the rest is cross-entropy.
        temperature: Divides both models' logits inside the distillation loss.
    """

    steps: int
    minutes: float
    learning_rate: float = 3e-3
    warmup_steps: int = 60
    weight_decay: float = 0.05
    label_smoothing: float = 0.0
    distill_weight: float = 0.0
    temperature: float = 1.0


def logits(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Next-token logits, [row, position, token]."""
    out: Tensor = model(
        input_ids=batch.ids, attention_mask=batch.mask, position_ids=batch.positions, use_cache=False
    ).logits
    return out


def loss_of(student: Tensor, batch: Batch, options: Options, teacher: Tensor | None = None) -> Tensor:
    """Weighted mean over predicted tokens of cross-entropy and, with a teacher, KL divergence."""
    weights = batch.weights[:, 1:].flatten()
    guess = student[:, :-1].flatten(0, 1)
    each = functional.cross_entropy(
        guess, batch.ids[:, 1:].flatten(), reduction="none", label_smoothing=options.label_smoothing
    )
    if teacher is not None and options.distill_weight > 0:
        heat = options.temperature
        goal = functional.log_softmax(teacher[:, :-1].flatten(0, 1) / heat, dim=-1)
        mine = functional.log_softmax(guess / heat, dim=-1)
        divergence = functional.kl_div(mine, goal, reduction="none", log_target=True).sum(-1) * heat**2
        each = (1 - options.distill_weight) * each + options.distill_weight * divergence
    return (each * weights).sum() / weights.sum()


def optimizers_of(model: LlamaForCausalLM, options: Options) -> list[torch.optim.Optimizer]:
    """Muon, at twice the learning rate, for the matrices of the layers, AdamW for the embeddings and the norms."""
    inner = [p for name, p in model.named_parameters() if p.ndim > 1 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim == 1 or "embed" in name]
    groups: list[list[dict[str, Any]]] = [[{"params": inner, "share": 2.0}], [{"params": others, "share": 1.0}]]
    return [
        Muon(groups[0], options.learning_rate, weight_decay=options.weight_decay),
        torch.optim.AdamW(groups[1], options.learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


def train(
    model: LlamaForCausalLM,
    stream: Iterator[Batch],
    options: Options,
    *,
    teacher: LlamaForCausalLM | None = None,
    checkpoint: Callable[[LlamaForCausalLM], None] | None = None,
    checkpoint_every: int = 200,
) -> list[float]:
    """Train in place and return the loss of every step.

    Args:
        model: The student.
        stream: Batches; one is used per step.
        options: See `Options`.
        teacher: Model to distill from; must share the tokenizer.
        checkpoint: Called with the model every `checkpoint_every` steps.
        checkpoint_every: Steps between two checkpoints.
    """
    optimizers = optimizers_of(model, options)
    began, losses, done = time.monotonic(), [], 0.0
    model.train()
    for step in range(options.steps):
        done = max(step / options.steps, (time.monotonic() - began) / (60 * options.minutes))
        if done >= 1:
            break
        rate = (
            options.learning_rate
            * min(1.0, (step + 1) / options.warmup_steps)
            * (0.51 + 0.49 * math.cos(math.pi * done))
        )
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = rate * group["share"]
        batch = next(stream)
        with torch.no_grad():
            goal = logits(teacher, batch) if teacher is not None else None
        loss = loss_of(logits(model, batch), batch, options, goal)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if step % 20 == 0:
            log.info(
                "step %d  loss %.3f  rate %.5f  %.0f s",
                step,
                sum(losses[-20:]) / len(losses[-20:]),
                rate,
                time.monotonic() - began,
            )
        if checkpoint is not None and step % checkpoint_every == checkpoint_every - 1:
            checkpoint(model)
    model.eval()
    log.info(
        "stopped after %d steps, %.0f s, %.0f %% of the schedule", len(losses), time.monotonic() - began, 100 * done
    )
    return losses
