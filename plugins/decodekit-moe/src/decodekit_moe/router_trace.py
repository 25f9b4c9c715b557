"""A router trace: which experts each token of a text went to, layer by layer, and what the routers thought of all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from pydantic import PrivateAttr, field_validator
from torch import nn

from decodekit import BuildContext, GenerationError, IncompatibleTechniquesError, ModelHook, Observer, Pass, StepView
from decodekit_moe.routed import Routed
from decodekit_moe.routers import Layer, choice_in, layers_of, logits_in
from decodekit_moe.traces import Traces


class RouterTrace(ModelHook, Observer, name="router_trace", remembers=True, source="arXiv:2101.03961"):
    """Write down where a mixture of experts sent each token of the request's texts. It changes nothing.

    An entry has prompt and text of one finished sample, and nothing else: no rejected draft, no padding, no other row.
    The last token is missing, since the model never reads it. What is recorded is what ran: the choice is taken from
    what the experts were given.

    *Cost:* two Python calls per layer and step, and memory of layers x (experts + 2 top_k) numbers per token while the
    row runs. *Exact.*

    Args:
        into: The `Traces` that get an entry for each sample when it finishes. A search enters every text that it
            finishes, those that it does not return included; `Traces.of` finds the entry of a completion.

    Raises:
        IncompatibleTechniquesError: When it is built, for a model without experts, or with experts that cannot be
            followed.
    """

    into: Any
    _layers: tuple[Layer, ...] = PrivateAttr(default=())

    @field_validator("into")
    @classmethod
    def _collects(cls, value: Any) -> Any:
        if not isinstance(value, Traces):
            raise ValueError("into is a Traces, which gets an entry for each sample")
        return value

    def build(self, context: BuildContext) -> RouterTrace:
        if context.model is None:
            raise IncompatibleTechniquesError(f"{self.name!r} needs a decoder with a model")
        piece = self.model_copy()
        # Fields are frozen, private attributes are not.
        piece._layers = tuple(layers_of(context.model, self.name))  # pyright: ignore[reportAttributeAccessIssue]
        return piece

    def around(self, run: Pass) -> AbstractContextManager[Any]:
        return _recording(run, self._layers)

    def on_step(self, step: StepView) -> None:
        for row in step.rows:
            if row.finish_reason:
                tokens = [*row.prompt, *row.tokens]
                parts = row.history(self.name)
                names = tuple(layer.name for layer in self._layers)
                self.into.add(row.request, row.sample, tokens, len(row.prompt), Routed.joined(parts), names)


@contextmanager
def _recording(run: Pass, layers: tuple[Layer, ...]) -> Iterator[None]:
    """Collect one pass, and note for each of its rows what happened to its tokens."""
    rows, query = run.tokens.shape
    logits: dict[str, Any] = {}
    chosen: dict[str, Any] = {}
    with ExitStack() as stack:
        for layer in layers:
            stack.callback(layer.router.register_forward_hook(_logits(logits, layer)).remove)
            hook = _choice(chosen, layer, rows * query)
            stack.callback(layer.experts.register_forward_pre_hook(hook, with_kwargs=True).remove)
        yield
    missing = [layer.name for layer in layers if logits.get(layer.name) is None or chosen.get(layer.name) is None]
    if missing:
        raise GenerationError(
            f"router_trace: {missing[0]!r} did not route the {rows} rows of {query} tokens of a forward pass one by one"
        )
    every = Routed.stacked([(*chosen[layer.name], logits[layer.name]) for layer in layers], rows, query)
    run.note(
        [
            None if piece is None else every.row(row, count)
            for row, (piece, count) in enumerate(zip(run.pieces, run.counts, strict=True))
        ]
    )


def _logits(seen: dict[str, Any], layer: Layer) -> Any:
    def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        seen[layer.name] = logits_in(output, layer.index)

    return hook


def _choice(seen: dict[str, Any], layer: Layer, tokens: int) -> Any:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen[layer.name] = choice_in([*args, *kwargs.values()], tokens)

    return hook
