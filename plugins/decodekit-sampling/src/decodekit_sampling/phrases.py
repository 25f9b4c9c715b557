"""From what a user writes (token id, token ids, text) to token sequences.

A text is turned into the ways in which a tokenizer usually writes it: at the start of a text, after a space, after a
line break. *Not* every way: a model can still spell the text with smaller pieces.
"""

from __future__ import annotations

from typing import Any

from decodekit.errors import RequestError
from decodekit.techniques import BuildContext

Phrase = int | tuple[int, ...] | str
TokenSequence = tuple[int, ...]


def encode(tokenizer: Any, text: str) -> TokenSequence:
    """Encode without special tokens."""
    return tuple(int(token) for token in tokenizer.encode(text, add_special_tokens=False))


def sequences(phrase: Phrase, context: BuildContext, name: str) -> list[TokenSequence]:
    """Give the token sequences that a phrase stands for.

    Raises:
        RequestError: For text without a tokenizer, an empty phrase, a token outside of the vocabulary.
    """
    if isinstance(phrase, str):
        found = _variants(phrase, context, name)
    else:
        found = [(phrase,) if isinstance(phrase, int) else phrase]
    for sequence in found:
        outside = [token for token in sequence if not 0 <= token < context.vocab_size]
        if outside:
            raise RequestError(
                f"{name}: token {outside[0]} is outside of the model's vocabulary of {context.vocab_size}",
                hint="is it another tokenizer's token?",
            )
    if not found or not all(found):
        raise RequestError(f"{name}: {phrase!r} has no tokens")
    return found


def _variants(text: str, context: BuildContext, name: str) -> list[TokenSequence]:
    tokenizer = context.tokenizer
    if not hasattr(tokenizer, "encode"):
        raise RequestError(
            f"{name}: {text!r} is text, and this decoder has no tokenizer",
            hint="Decoder(model, tokenizer), or token ids",
        )
    ways = [encode(tokenizer, text), encode(tokenizer, " " + text)]
    # Sentencepiece tokenizers put a space before the first word; after a line break the bare form comes out.
    lead = encode(tokenizer, "\n")
    after = encode(tokenizer, "\n" + text)
    if lead and after[: len(lead)] == lead:
        ways.append(after[len(lead) :])
    return list(dict.fromkeys(way for way in ways if way))
