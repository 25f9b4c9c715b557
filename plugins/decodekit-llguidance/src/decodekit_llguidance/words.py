"""A vocabulary as llguidance's tokenizer: its trie over the tokens' bytes, built once for equal vocabularies."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from decodekit.types import PackedMask
from decodekit.vocabulary import Vocabulary

_KEPT = 4
_tokenizers: OrderedDict[tuple[str, int], Words] = OrderedDict()
_lock = threading.Lock()


class _Tokens:
    """What llguidance asks a tokenizer for. The end token is an id of its own, behind all others."""

    is_tokenizer_wrapper = True
    bos_token_id = None

    def __init__(self, tokens: list[bytes]) -> None:
        self.tokens = [*tokens, b"\xff<end>"]
        self.eos_token_id = len(tokens)
        self.special_token_ids = [len(tokens)]

    def __call__(self, text: str) -> list[int]:
        """Encode nothing: grammars are compiled with `no_forcing`, so masks are made from bytes alone."""
        return []


class Words:
    """The tokens that have text, to llguidance and as bits.

    Args:
        vocabulary: The tokens.
        width: Width of the model's logits.
    """

    def __init__(self, vocabulary: Vocabulary, width: int) -> None:
        from llguidance import LLTokenizer

        pieces = [vocabulary.piece(token) or b"" for token in range(width)]
        self.vocabulary, self.width = vocabulary, width
        self.tokenizer: Any = LLTokenizer(_Tokens(pieces))  # type: ignore[arg-type]
        self.mask_words = -(-width // 32)
        self.buffer_words = -(-self.tokenizer.vocab_size // 32)
        lengths = np.zeros(self.mask_words * 32, np.int32)
        lengths[:width] = [len(piece) for piece in pieces]
        self.with_text: PackedMask = np.packbits(lengths > 0, bitorder="little").view(np.int32)
        inked = [bool(piece.strip()) for piece in pieces] + [False] * (self.mask_words * 32 - width)
        self.inked: PackedMask = np.packbits(inked, bitorder="little").view(np.int32)
        self.count = int((lengths > 0).sum())
        self.closers = np.array(_closers(vocabulary, lengths), np.int32)

    @classmethod
    def of(cls, vocabulary: Vocabulary, width: int) -> Words:
        """Give the words of a vocabulary, those of before where they are still kept."""
        key = (vocabulary.fingerprint, width)
        with _lock:
            if key not in _tokenizers:
                _tokenizers[key] = cls(vocabulary, width)
                if len(_tokenizers) > _KEPT:
                    _tokenizers.popitem(last=False)
            _tokenizers.move_to_end(key)
            return _tokenizers[key]


_CLOSING = b"\"}],:0)1>'-aA={[(;. \n"


def _closers(vocabulary: Vocabulary, lengths: np.ndarray[Any, np.dtype[np.int32]]) -> list[int]:
    """Single-byte tokens, those first that tend to end something: the order in which a way to the end is looked for."""
    singles: dict[int, int] = {}
    for token in np.flatnonzero(lengths == 1).tolist():
        piece = vocabulary.piece(token)
        if piece:
            singles.setdefault(piece[0], token)
    ranks = {byte: rank for rank, byte in enumerate(_CLOSING)}
    return [singles[byte] for byte in sorted(singles, key=lambda byte: (ranks.get(byte, len(ranks)), byte))]


__all__ = ["Words"]
