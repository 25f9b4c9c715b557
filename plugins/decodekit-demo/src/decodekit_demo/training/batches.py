"""Documents to training batches: rows packed with several documents that do not see each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedTokenizerFast

    from .documents import Piece


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of one training step; every row holds whole documents, `mask` keeps them apart.

    Attributes:
        ids: Token ids, [row, position].
        positions: Position inside the document, [row, position].
        mask: Which earlier places a place may see, [row, 1, position, position].
        weights: Loss weight of predicting the token at this place, [row, position].
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    weights: Tensor


def encode(tokenizer: PreTrainedTokenizerFast, pieces: list[Piece], prompt_weight: float) -> list[tuple[int, float]]:
    """Encode each piece on its own, as a prompt and its answer are at generation, with a loss weight per token."""
    return [
        (token, 1.0 if piece.answer else prompt_weight)
        for piece in pieces
        for token in tokenizer.encode(piece.text, add_special_tokens=False)
    ]


def batches(
    tokenizer: PreTrainedTokenizerFast,
    source: Iterator[list[Piece]],
    *,
    rows: int,
    length: int,
    prompt_weight: float,
    pool: int = 64,
) -> Iterator[Batch]:
    """An endless stream of batches of an endless stream of documents; rows are filled best-fit from a pool of them.

    Every eighth batch has half as many rows of twice the length: attention is what makes long rows dear.
    """
    stream = (encode(tokenizer, pieces, prompt_weight)[: 2 * length] for pieces in source)
    waiting = list(islice(stream, pool))
    for number in count(1):
        height, width = (rows // 2, 2 * length) if number % 8 == 0 else (rows, length)
        packed: list[list[list[tuple[int, float]]]] = []
        for _ in range(height):
            first = next((at for at, tokens in enumerate(waiting) if len(tokens) <= width), 0)
            row = [waiting.pop(first)[:width]]
            room = width - len(row[0])
            while fitting := [tokens for tokens in waiting if len(tokens) <= room]:
                best = max(fitting, key=len)
                waiting.remove(best)
                row.append(best)
                room -= len(best)
            packed.append(row)
            waiting += islice(stream, pool - len(waiting))
        yield collate(packed, width)


def collate(packed: list[list[list[tuple[int, float]]]], length: int) -> Batch:
    """Lay documents out side by side; what is left of a row sees only itself and weighs nothing."""
    shape = (len(packed), length)
    ids, positions = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    weights, owner = torch.zeros(shape), torch.full(shape, -1)
    for row, docs in enumerate(packed):
        start = 0
        for number, tokens in enumerate(docs):
            span = slice(start, start + len(tokens))
            ids[row, span] = torch.tensor([token for token, _ in tokens])
            weights[row, span] = torch.tensor([weight for _, weight in tokens])
            weights[row, start] = 0.0  # a document's first token cannot be predicted from the one before it
            positions[row, span] = torch.arange(len(tokens))
            owner[row, span] = number
            start += len(tokens)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    same = owner[:, :, None] == owner[:, None, :]
    return Batch(ids, positions, (same & causal)[:, None], weights)
