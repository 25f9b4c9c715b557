"""From a prompt to token ids."""

from __future__ import annotations

from typing import Any

from decodekit.errors import PromptError
from decodekit.vocabulary import Vocabulary


def encode_prompt(
    prompt: str | list[dict[str, Any]] | tuple[int, ...], tokenizer: Any, vocab_size: int, what: str = "the prompt"
) -> list[int]:
    """Give the token ids of text, chat messages or token ids; there may be none.

    Args:
        prompt: The prompt.
        tokenizer: A Hugging Face tokenizer, a `Vocabulary`, or None.
        vocab_size: Width of the model's logits.
        what: What the prompt is, for messages.

    Raises:
        PromptError: There is no tokenizer or chat template for it, or a token id is outside of the vocabulary.
    """
    tokens = list(prompt) if isinstance(prompt, tuple) else _from_text(prompt, tokenizer, what)
    wrong = next((token for token in tokens if not 0 <= token < vocab_size), None)
    if wrong is not None:
        raise PromptError(
            f"token id {wrong} at position {tokens.index(wrong)} of {what} is outside of the model's vocabulary "
            f"of {vocab_size}"
        )
    return tokens


def _from_text(prompt: str | list[dict[str, Any]], tokenizer: Any, what: str) -> list[int]:
    if tokenizer is None:
        raise PromptError(
            f"{what} is text, which needs a tokenizer",
            hint="Decoder(model, tokenizer), or give the prompt as token ids",
        )
    if isinstance(prompt, str):
        _refuse_surrogates(prompt, what)
    if isinstance(tokenizer, Vocabulary):
        if not isinstance(prompt, str):
            raise PromptError(f"{what} is chat messages, which need a tokenizer with a chat template, got a Vocabulary")
        return list(tokenizer.encode(prompt))
    # What has such a limit logs that a prompt is longer; whether it is too long for the model is said afterwards.
    quiet = {"verbose": False} if hasattr(tokenizer, "model_max_length") else {}
    if isinstance(prompt, str):
        return list(tokenizer(prompt, **quiet)["input_ids"])
    if not getattr(tokenizer, "chat_template", None):
        raise PromptError(
            f"{what} is chat messages, which need a tokenizer with a chat template, and this one has none",
            hint="give the prompt as text, or set tokenizer.chat_template",
        )
    try:
        text = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    except Exception as error:  # templates raise whatever their author wrote
        raise PromptError(f"the chat template refuses {what}: {error}") from error
    _refuse_surrogates(text, what)
    return list(tokenizer(text, add_special_tokens=False, **quiet)["input_ids"])


def _refuse_surrogates(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PromptError(
            f"{what} has {text[error.start]!r} at character {error.start}, half a character that no text can have",
            hint="decode its bytes with errors='replace'",
        ) from None
