"""Contrastive search: of the likeliest tokens, one that is unlike the text so far (arXiv:2202.06417)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from pydantic import Field, PrivateAttr
from torch import nn

from decodekit import BuildContext, IncompatibleTechniquesError, Law, ModelHook, Pass, Positions, TokenSelector
from decodekit.types import Int64, Tensor
from decodekit_guidance.layers import listening, trunk_of
from decodekit_guidance.pieces import piece_of


class ContrastiveSearch(
    ModelHook,
    TokenSelector,
    name="contrastive_search",
    deterministic=True,
    remembers=True,
    source="arXiv:2202.06417; transformers-community/contrastive-search",
):
    """Take the token with the largest `(1 - alpha) * probability - alpha * similarity`, of the `k` likeliest.

    The similarity is the largest cosine between the token's last hidden state and those of all tokens before it, the
    prompt included. Probabilities are of the target law, so processors and constraints decide on what is a candidate.
    `k` = 1 and `alpha` = 0 are greedy decoding. Ties go to the likelier token, then to the lower id.

    *Cost:* a second forward pass per step, over `k` copies of each row, and the last hidden states of all tokens.
    With `k` = 1 or `alpha` = 0 there is no second pass. *Exact:* there is no randomness.

    Args:
        k: Candidates, at least 1.
        alpha: Weight of the similarity, in [0, 1].
    """

    k: int = Field(default=4, ge=1)
    alpha: float = Field(default=0.6, ge=0, le=1)
    _trunk: nn.Module | None = PrivateAttr(default=None)

    def build(self, context: BuildContext) -> ContrastiveSearch:
        if context.model is None:
            raise IncompatibleTechniquesError(f"{self.name!r} needs a decoder with a model")
        return piece_of(self, {}, trunk=trunk_of(context.model, self.name))

    def around(self, run: Pass) -> AbstractContextManager[Any]:
        return _last_states(run)

    def __call__(self, law: Law, at: Positions) -> Int64[Tensor, "position"]:
        if self.k == 1 or self.alpha == 0:
            return law.argmax()
        tokens, shares = likeliest(law, self.k)
        states = [torch.stack(row) for row in at.view.peek(tokens)]
        alike = torch.stack([_similarity(torch.cat(at.view.history(i)), row) for i, row in enumerate(states)])
        scores = (1 - self.alpha) * shares - self.alpha * alike.to(shares)
        best = scores.masked_fill(shares == 0, -math.inf).argmax(dim=-1, keepdim=True)
        return tokens.gather(-1, best).squeeze(-1)


def likeliest(law: Law, k: int) -> tuple[Int64[Tensor, "position k"], Tensor]:
    """Give the k likeliest tokens, the likeliest first, equal ones by id; and their probabilities, 0 for padding."""
    logits = law.logits
    ids = torch.arange(logits.shape[-1], device=logits.device).expand_as(logits) if law.ids is None else law.ids
    order = ids.argsort(dim=-1)
    ids, shares = ids.gather(-1, order), law.probs().gather(-1, order)
    kept = shares.sort(dim=-1, descending=True, stable=True).indices[:, :k]
    return ids.gather(-1, kept), shares.gather(-1, kept)


def _similarity(before: Tensor, states: Tensor) -> Tensor:
    """Give the largest cosine of each state with any of those before."""
    return torch.einsum(
        "td,kd->kt", nn.functional.normalize(before, dim=-1), nn.functional.normalize(states, dim=-1)
    ).amax(dim=-1)


@contextmanager
def _last_states(run: Pass) -> Iterator[None]:
    piece = next(piece for piece in run.pieces if piece is not None)
    with listening(outputs=[piece._trunk]) as (_, seen):
        yield
    run.note(seen[0])
