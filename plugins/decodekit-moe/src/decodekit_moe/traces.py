"""What a router trace gives: one entry per finished sample, as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decodekit import Completion, RequestError, Result
from decodekit.types import Tensor
from decodekit_moe.balance import balance, load, mean_probability
from decodekit_moe.routed import Routed

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The routing of one text.

    Attributes:
        request: Place of the request in its batch.
        sample: Index of the sample in the request.
        tokens: Prompt and generated tokens; the last one was never read, and has no routing.
        prompt_tokens: How many of them are the prompt.
        experts: Chosen experts, `[token, layer, top_k]`.
        weights: What their outputs were multiplied with, `[token, layer, top_k]`.
        logits: What the routers said about all experts, `[token, layer, expert]`.
        layers: Names of the routers in the model.
    """

    request: int
    sample: int
    tokens: tuple[int, ...]
    prompt_tokens: int
    experts: NDArray[np.int64]
    weights: Floats
    logits: Floats
    layers: tuple[str, ...]

    def load(self) -> Floats:
        """Give each expert's share of the tokens, `[layer, expert]`; a layer's shares add up to top_k."""
        return load(self.experts, self.logits.shape[-1])

    def probability(self) -> Floats:
        """Give each expert's mean probability under its router, `[layer, expert]`."""
        return mean_probability(self.logits)

    def balance(self, alpha: float = 1.0) -> float:
        """Give the balance term of the text, over all layers; see `decodekit_moe.balance`."""
        return balance(self.experts, self.logits, alpha)


class Traces(Sequence[Trace]):
    """Collects traces: pass it as `router_trace=Traces()` and look into it afterwards. In the order of finishing."""

    def __init__(self) -> None:
        self._traces: list[Trace] = []

    def __len__(self) -> int:
        return len(self._traces)

    def __getitem__(self, index: Any) -> Any:
        return self._traces[index]

    def __iter__(self) -> Iterator[Trace]:
        return iter(self._traces)

    def add(
        self, request: int, sample: int, tokens: Sequence[int], prompt: int, routed: Routed, layers: tuple[str, ...]
    ) -> None:
        """Enter one text."""
        arrays = (_array(routed.experts), _array(routed.weights), _array(routed.logits))
        self._traces.append(Trace(request, sample, tuple(tokens), prompt, *arrays, layers))

    def of(self, found: Result | Completion) -> Trace:
        """Give the trace of a result's answer or of one of its samples: the latest with the same tokens.

        Give the result where prompts differ: a completion does not know its prompt.

        Raises:
            RequestError: There is none.
        """
        prompt = tuple(found.prompt_tokens) if isinstance(found, Result) else None
        for trace in reversed(self._traces):
            own = trace.tokens[: trace.prompt_tokens]
            if trace.tokens[trace.prompt_tokens :] == tuple(found.tokens) and prompt in (None, own):
                return trace
        raise RequestError(f"no trace of this text of {len(found.tokens)} tokens among {len(self)}")

    def balance(self, alpha: float = 1.0) -> float:
        """Give the balance term over all texts together, prompts included."""
        if not self._traces:
            raise RequestError("there is no trace to tell the balance of")
        experts = np.concatenate([trace.experts for trace in self._traces])
        return balance(experts, np.concatenate([trace.logits for trace in self._traces]), alpha)


def _array(values: Tensor) -> Any:
    """Give a tensor as an array; numpy knows no bfloat16."""
    values = values.cpu()
    return (values.float() if values.is_floating_point() and values.element_size() < 4 else values).numpy()


__all__ = ["Trace", "Traces"]
