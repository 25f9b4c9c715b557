"""Toys: vocabularies, a build context, models of a few tokens whose law is known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from decodekit.law import Law
from decodekit.positions import Positions
from decodekit.techniques import BuildContext, Technique
from decodekit.types import Int64, Tensor
from decodekit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from decodekit.model import CausalModel

TINY_TOKENS = (b"a", b"b", b"ab", b"ba", b"1", b"12", b'"', b'{"', b'":', b"}", b"\xc3", b"\xa9", b"a")
"""Tokens of one and two bytes, halves of a character, and one text written by two different tokens."""


@lru_cache(maxsize=8)
def byte_vocabulary(size: int = 257) -> Vocabulary:
    """Give a vocabulary where token t is the byte t; from 256 on, and always the last one, tokens are special.

    The last token is the end token.
    """
    return Vocabulary(tuple(bytes([t]) if t < min(256, size - 1) else None for t in range(size)), (size - 1,))


@lru_cache(maxsize=8)
def tiny_vocabulary(tokens: tuple[bytes, ...] = TINY_TOKENS, spread: int = 3) -> Vocabulary:
    """Give a vocabulary for brute force: few tokens, at every third id so that masks have several words.

    All other ids are special; the last one is the end token.
    """
    table: list[bytes | None] = [None] * (spread * len(tokens) + 2)
    table[: spread * len(tokens) : spread] = tokens
    return Vocabulary(tuple(table), (len(table) - 1,))


def toy_context(
    vocab_size: int = 257,
    *,
    vocabulary: Vocabulary | None = None,
    model: CausalModel | None = None,
    prompt: Sequence[int] = (0,),
    max_new_tokens: int = 64,
) -> BuildContext:
    """Give a build context without tokenizer; the vocabulary is bytes unless told otherwise."""
    words = vocabulary if vocabulary is not None else byte_vocabulary(vocab_size)
    width = vocab_size if vocabulary is None else len(vocabulary.tokens)
    return BuildContext(words, None, model, width, tuple(words.end_tokens), tuple(prompt), max_new_tokens)


def built(made: Any, context: BuildContext) -> Any:
    """Give the working piece of a technique; anything else is taken as a piece that is built already."""
    return made.build(context) if isinstance(made, Technique) else made


def inverse_cdf(law: Law, at: Positions) -> Int64[Tensor, "position"]:
    """Select at random by inverse CDF in the order of token ids: a correct selector for tests of other pieces."""
    ids = torch.arange(law.logits.shape[-1], device=law.logits.device) if law.ids is None else law.ids
    ids, order = ids.expand_as(law.logits).sort(dim=-1)
    probabilities = law.logits.gather(-1, order).double().softmax(dim=-1)
    total = probabilities.cumsum(dim=-1)
    column = (total <= at.uniform("select")[:, None] * total[:, -1:]).sum(dim=-1, keepdim=True)
    last = ids.shape[-1] - 1 - (probabilities > 0).int().flip(-1).argmax(dim=-1, keepdim=True)
    return ids.gather(-1, column.minimum(last)).squeeze(-1)


def tiny_llama(vocab_size: int = 32, seed: int = 0, dtype: torch.dtype = torch.float64, **config: Any) -> Any:
    """Give a randomly initialised Llama of two layers, 16 dims, on CPU.

    Args:
        vocab_size: Number of tokens.
        seed: Of the initialisation; the global generator is left as it was.
        dtype: Of the weights.
        config: More fields of `LlamaConfig`.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    fields: dict[str, Any] = {
        "vocab_size": vocab_size,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = LlamaForCausalLM(LlamaConfig(**(fields | config)))
        return model.to(dtype).eval()
