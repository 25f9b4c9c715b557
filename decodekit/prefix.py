"""A prefix: what a model remembers of the beginning of a prompt, read once and used by many requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from transformers.cache_utils import Cache, DynamicLayer

from decodekit.errors import RequestError

if TYPE_CHECKING:
    from decodekit.model import CausalModel


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """What a model remembers of some tokens. A value: any number of requests may start from it, also at once.

    Made by `Decoder.prefix`, by a request with `keep_prefix=True`, or from a cache of transformers. A request uses as
    much of it as its prompt begins with, and reads the rest.

    Attributes:
        tokens: What was read.
        model: Who read it.
        saved: What it remembers, in the form of its memory.
    """

    tokens: tuple[int, ...]
    model: CausalModel = field(repr=False)
    saved: Any = field(repr=False)

    def common(self, prompt: Sequence[int]) -> int:
        """Count the tokens that a prompt shares with it; its last one is always read anew, for its logits."""
        most = min(len(self.tokens), len(prompt) - 1)
        return next((i for i in range(most) if self.tokens[i] != prompt[i]), most)


def as_prefix(given: Any, prompt: Sequence[int], model: CausalModel) -> Prefix | None:
    """Turn what a request brings into a prefix for its model; None where nothing of it can be used.

    Args:
        given: A prefix, or a cache of transformers that holds the first tokens of the prompt.
        prompt: Token ids.
        model: The decoder's model.

    Raises:
        RequestError: For a prefix of another model, a cache that cannot be of this one, and any cache where the
            decoder's own is approximate: attention never sees there what such a cache was computed from.
    """
    if isinstance(given, Prefix):
        if given.model is not model:
            raise RequestError(
                f"the prefix of {len(given.tokens)} tokens was read by another decoder",
                hint="make it with prefix(…) of this one",
            )
        return given
    if not isinstance(given, Cache):
        raise RequestError(
            f"a prefix is what Decoder.prefix(…) gives or a transformers cache, got {type(given).__name__}"
        )
    if not model.exact:
        raise RequestError(
            f"the prefix is a {type(given).__name__} made with exact keys, and {type(model.factory).__name__} keeps "
            "approximate ones: it would change the text",
            hint="decoder.prefix(…) computes one as this decoder does",
        )
    try:
        length = int(given.get_seq_length())
    except ValueError:
        # A cache of recurrent layers alone does not know how many tokens it has seen.
        return None
    if length > len(prompt):
        raise RequestError(f"the cache holds {length} tokens, and the prompt has {len(prompt)}")
    if not length:
        return None
    tokens = list(prompt[:length])
    saved = _adopt(given, tokens, model)
    return None if saved is None else Prefix(tuple(tokens), model, saved)


def _adopt(cache: Cache, tokens: list[int], model: CausalModel) -> Any:
    """Give the cache's content in the form of the model's memory, or None where only transformers could go on."""
    layers = cache.layers
    if model.kinds.count and len(layers) != model.kinds.count:
        raise RequestError(f"the cache has {len(layers)} layers, the model has {model.kinds.count}")
    held = [layer.keys for layer in layers if isinstance(layer, DynamicLayer) and layer.keys is not None]
    rows = max((int(keys.shape[0]) for keys in held), default=1)
    if rows != 1:
        raise RequestError(f"the cache holds {rows} rows", hint="give each request a cache with one row, its own")
    other = next((keys.dtype for keys in held if keys.dtype != model.dtype), None)
    if other is not None:
        raise RequestError(f"the cache holds {other}, and the model computes in {model.dtype}")
    saved = model.memory().adopt(cache, tokens)
    if saved is None:
        return None
    shapes = [tuple(keys.shape)[1::2] for keys in held]
    wanted = [shape for shape in model.key_shapes if shape is not None]
    if len(shapes) == len(wanted) and shapes != wanted:
        raise RequestError(f"the cache's keys have heads and dims {shapes[0]}, the model's have {wanted[0]}")
    return saved
