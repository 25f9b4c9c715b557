"""A second model beside the decoder's: an amateur to contrast with, a small one that drafts. Wrapped once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer
from torch import nn

from decodekit.errors import IncompatibleTechniquesError, ModelError, RequestError
from decodekit.loading import load_model, load_tokenizer
from decodekit.model import CausalModel
from decodekit.techniques import BuildContext
from decodekit.vocabulary import Vocabulary


def second_model(source: Any, context: BuildContext, name: str) -> CausalModel:
    """Give a second model that reads the same token ids, wrapped; the wrapping is kept by the decoder's model.

    Args:
        source: A transformers model, a `Decoder`, a `CausalModel`, or a path or name to load with the dtype and on the
            device of the decoder's model.
        context: Of the technique that wants it.
        name: Flat name of that technique, for messages.

    Raises:
        IncompatibleTechniquesError: The model has another vocabulary. Where both tokenizers are known their tokens are
            compared, and the logits may be padded to different widths; otherwise the widths must be equal.
        ModelError: It cannot be loaded or decoded with.
    """
    if context.model is None:
        raise RequestError(f"{name!r} needs a decoder with a model")
    seconds = context.model.seconds
    key = str(source) if isinstance(source, str | Path) else id(source)
    if key not in seconds:
        found, tokenizer = _open(source, context.model, name)
        _refuse_another_vocabulary(found, tokenizer, context, name)
        # The source is kept alive beside its wrapping: an id is no key once its object is gone.
        seconds[key] = (source, found)
    return seconds[key][1]


def _as_source(value: Any) -> Any:
    if not (isinstance(value, str | Path | nn.Module | CausalModel) or hasattr(value, "_plan")):
        raise ValueError(f"a model, a decoder, a path or a name, not {type(value).__name__}")
    return str(value) if isinstance(value, Path) else value


def _as_name(value: Any) -> str:
    # An object is not what its name would load: its weights may have been changed since.
    if not isinstance(value, str):
        raise ValueError(f"a {type(value).__name__} cannot be written down; give the model by its name or path")
    return value


ModelSource = Annotated[Any, BeforeValidator(_as_source), PlainSerializer(_as_name)]
"""A technique's field that holds what `second_model` takes; only a name or a path is written to a recipe."""


def _open(source: Any, model: CausalModel, name: str) -> tuple[CausalModel, Any]:
    """Give the wrapped model and its tokenizer, None where that is not known."""
    if isinstance(source, str | Path):
        return _load(str(source), model, name)
    if isinstance(source, CausalModel):
        return source, None
    if hasattr(source, "_plan"):
        return source._plan.model, source.tokenizer
    return (model if source is model.model else CausalModel.wrap(source)), None


def _load(path: str, model: CausalModel, name: str) -> tuple[CausalModel, Any]:
    loaded = load_model(path, {"dtype": model.dtype}, name)
    try:
        tokenizer = load_tokenizer(path, {})
    except ModelError:
        tokenizer = None
    return CausalModel.wrap(nn.Module.to(loaded, model.device)), tokenizer


def _refuse_another_vocabulary(found: CausalModel, tokenizer: Any, context: BuildContext, name: str) -> None:
    mine = context.tokenizer if context.tokenizer is not None else context.vocabulary
    known = tokenizer is not None and mine is not None
    same = _same_tokens(mine, tokenizer, context.vocab_size) if known else found.vocab_size == context.vocab_size
    if same:
        return
    sizes = (_size(tokenizer), _size(mine)) if known else (found.vocab_size, context.vocab_size)
    raise IncompatibleTechniquesError(
        f"{name!r}: {type(found.model).__name__} has another vocabulary: {sizes[0]} tokens, the decoder's {sizes[1]}"
        + (", and not the same ones" if sizes[0] == sizes[1] else ""),
        hint="take a model of the same family"
        if known
        else "take a model of the same family; as a Decoder, or by its path, its tokens are compared, not its width",
    )


def _same_tokens(mine: Any, other: Any, size: int) -> bool:
    if isinstance(mine, Vocabulary) or isinstance(other, Vocabulary):
        tables = [one if isinstance(one, Vocabulary) else Vocabulary.from_tokenizer(one, size) for one in (mine, other)]
        return _unpadded(tables[0]) == _unpadded(tables[1])
    return bool(mine.get_vocab() == other.get_vocab())


def _unpadded(vocabulary: Vocabulary) -> tuple[bytes | None, ...]:
    """Give the tokens up to the last one with text; special tokens between them count by their places."""
    tokens = vocabulary.tokens
    return tokens[: max((i + 1 for i, token in enumerate(tokens) if token is not None), default=0)]


def _size(words: Any) -> int:
    return words.size if isinstance(words, Vocabulary) else len(words.get_vocab())
