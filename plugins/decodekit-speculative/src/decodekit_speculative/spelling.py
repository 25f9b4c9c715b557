"""Spelling: a text as tokens that continue other tokens, in the form that the tokenizer itself would write.

What a text is spelled like depends on what stands before it and, in its last tokens, on what follows. The second part
is llguidance's canonical form of fast-forward tokens: tokens that could still merge with what follows are left off.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decodekit.vocabulary import Vocabulary

CONTEXT_TOKENS = 16
"""How many tokens before a text are read for its spelling: tokenizers split texts into words first."""


class Spelling:
    """A vocabulary as a speller sees it: by length and first byte, and by text.

    Args:
        vocabulary: The tokens.
        tokenizer: What encodes text. Without one, or where it changes a text, texts are spelled in the longest tokens.
    """

    def __init__(self, vocabulary: Vocabulary, tokenizer: Any = None) -> None:
        self.vocabulary = vocabulary
        self.tokenizer: Any = None if isinstance(tokenizer, Vocabulary) else tokenizer
        self.first: NDArray[np.int16] = np.array([raw[0] if raw else -1 for raw in vocabulary.tokens], dtype=np.int16)
        self.lengths: NDArray[np.int32] = np.array([len(raw or b"") for raw in vocabulary.tokens], dtype=np.int32)
        self.tokens: dict[bytes, int] = {}
        for token, raw in enumerate(vocabulary.tokens):
            if raw:
                self.tokens.setdefault(raw, token)
        self.longest = int(self.lengths.max(initial=0))

    @classmethod
    def of(cls, vocabulary: Vocabulary, tokenizer: Any = None) -> Spelling:
        """Give a vocabulary's spelling, made once."""
        return _spelling(vocabulary, tokenizer)

    def spell(self, text: bytes, before: Sequence[int] = (), cuts: Sequence[int] = ()) -> list[int]:
        """Write a text in tokens; every single byte of it must be a token.

        Args:
            text: What is to be written.
            before: Tokens that it follows. Where the tokenizer would have merged them with it, it stands for itself.
            cuts: Where in the text a token may begin that goes on beyond it. Only tokens are given that stay the same
                whatever follows, which is as far as the text cut at each of them is spelled like the whole.
        """
        if self.tokenizer is not None:
            context = self.context(before)
            for start in dict.fromkeys((context, b"")):
                found = self._encoded(start, text)
                if found is not None:
                    others = [self._encoded(start, text[:cut]) or [] for cut in cuts]
                    return _common([found, *others])
        return self._in_longest(text)

    def context(self, tokens: Sequence[int]) -> bytes:
        """Give the bytes of the last tokens after a special one, in whole characters."""
        raw = b""
        for token in reversed(tokens[-CONTEXT_TOKENS:]):
            piece = self.vocabulary.piece(int(token))
            if not piece:
                break
            raw = piece + raw
        while raw and raw[0] & 0xC0 == 0x80:
            raw = raw[1:]
        return raw

    def _encoded(self, start: bytes, text: bytes) -> list[int] | None:
        """Give the tokenizer's tokens of a text behind `start`; None where none begins with it, or it is changed."""
        assert self.tokenizer is not None
        whole = (start + text).decode("utf-8", "ignore")
        text = text[: len(whole.encode()) - len(start)]
        tokens = list(self.tokenizer(whole, add_special_tokens=False)["input_ids"]) if text else []
        at, size = len(tokens), 0
        while at and size < len(text):
            at -= 1
            size += len(self.vocabulary.piece(tokens[at]) or b"")
        found = tokens[at:]
        return found if self.vocabulary.bytes_of(found) == text else None

    def _in_longest(self, text: bytes) -> list[int]:
        found: list[int] = []
        while text:
            sizes = range(min(self.longest, len(text)), 0, -1)
            size = next(size for size in sizes if text[:size] in self.tokens)
            found.append(self.tokens[text[:size]])
            text = text[size:]
        return found


def _common(lists: Sequence[list[int]]) -> list[int]:
    """Give what all lists begin with."""
    size = next((i for i, column in enumerate(zip(*lists, strict=False)) if len(set(column)) > 1), min(map(len, lists)))
    return lists[0][:size]


@lru_cache(maxsize=8)
def _spelling(vocabulary: Vocabulary, tokenizer: Any) -> Spelling:
    return Spelling(vocabulary, tokenizer)


__all__ = ["CONTEXT_TOKENS", "Spelling"]
