"""Where a model's routers and experts are: from what the model declares that it can record, and one look at a run.

transformers lets a model declare under `_can_record_outputs["router_logits"]` which modules give router logits; that is
what `output_router_logits=True` collects. Which experts a token then goes to is taken from what the experts are given:
routers that choose in groups or add a bias choose after they gave their logits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils.output_capturing import OutputRecorder

from decodekit import CausalModel, IncompatibleTechniquesError
from decodekit.types import Float, Int64, Tensor

_KEY = "router_logits"
_TOKENS = 3
_FOUND: WeakKeyDictionary[nn.Module, tuple[str, ...]] = WeakKeyDictionary()
"""Per model the names of its layers' routers and experts, one after another."""

Choice = tuple[Int64[Tensor, "token top_k"], Float[Tensor, "token top_k"]]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer of experts.

    Attributes:
        name: The router's name in the model.
        router: Gives the logits.
        index: Where in the router's output they are.
        experts: Are told which tokens go where.
    """

    name: str
    router: nn.Module
    index: int
    experts: nn.Module


def layers_of(model: CausalModel, name: str) -> list[Layer]:
    """Give a model's layers of experts, in the order in which they run.

    *Cost:* one forward pass of three tokens, once per model.

    Raises:
        IncompatibleTechniquesError: It has none, or none that can be followed.
    """
    routers = {path: (module, index) for path, module, index in _declared(model.model)}
    if not routers:
        raise IncompatibleTechniquesError(
            f"{name!r} needs a mixture of experts, and {type(model.model).__name__} has no router that it declares"
        )
    if model.model not in _FOUND:
        _FOUND[model.model] = _look(model, routers, name)
    found = _FOUND[model.model]
    modules = dict(model.model.named_modules())
    pairs = zip(found[::2], found[1::2], strict=True)
    return [Layer(router, *routers[router], modules[experts]) for router, experts in pairs]


def choice_in(values: Sequence[Any], tokens: int) -> Choice | None:
    """Find among what a module is given the chosen experts of each token, and their weights."""
    tensors = [value for value in values if isinstance(value, Tensor) and value.ndim == 2 and len(value) == tokens]
    ids = [value for value in tensors if not value.is_floating_point() and value.dtype != torch.bool]
    if len(ids) != 1:
        return None
    weights = [value for value in tensors if value.is_floating_point() and value.shape == ids[0].shape]
    return (ids[0], weights[-1]) if weights else None


def logits_in(output: Any, index: int) -> Any:
    """Take router logits from what a router gives, as transformers does."""
    return output[index] if isinstance(output, tuple) else output


def _declared(model: nn.Module) -> Iterator[tuple[str, nn.Module, int]]:
    """Give the modules that are declared to give router logits; each declaration is about its own model's modules."""
    owner: dict[str, list[OutputRecorder]] = {}
    for path, module in model.named_modules():
        if isinstance(module, PreTrainedModel):
            owner[path] = _recorders(module)
            continue
        ancestors = [parent for parent in owner if not parent or path.startswith(f"{parent}.")]
        for recorder in owner[max(ancestors, key=len)] if ancestors else ():
            named = recorder.class_name is not None and path.endswith(recorder.class_name)
            fits = recorder.target_class is not None and isinstance(module, recorder.target_class)
            where = recorder.layer_name is None or f".{recorder.layer_name.strip('.')}." in f".{path}."
            if (named or fits) and where:
                yield path, module, recorder.index


def _recorders(model: PreTrainedModel) -> list[OutputRecorder]:
    declared: Any = (getattr(model, "_can_record_outputs", None) or {}).get(_KEY, [])
    made: list[OutputRecorder] = []
    for one in declared if isinstance(declared, list) else [declared]:
        if isinstance(one, OutputRecorder):
            made.append(one)
        else:
            kind: Any = {"class_name": one, "target_class": None} if isinstance(one, str) else {"target_class": one}
            made.append(OutputRecorder(index=1, **kind))
    return made


def _look(model: CausalModel, routers: dict[str, tuple[nn.Module, int]], name: str) -> tuple[str, ...]:
    """Run the model once; find for every router the next module that is given a choice of experts."""
    events: list[tuple[str, str, tuple[int, ...]]] = []
    handles: list[Any] = []
    with model.caller.turn.taken():
        for path, module in model.model.named_modules():
            if path in routers:
                handles.append(module.register_forward_hook(_routing(events, path, routers[path][1])))
            handles.append(module.register_forward_pre_hook(_choosing(events, path), with_kwargs=True))
        try:
            devices = [model.device] if model.device.type == "cuda" else []
            with torch.inference_mode(), torch.random.fork_rng(devices=devices):
                model.caller(torch.tensor([[0, 1, 0]], device=model.device), uncached=True)
        finally:
            for handle in handles:
                handle.remove()
    return _pair(events, routers, type(model.model).__name__, name)


def _routing(events: list[tuple[str, str, tuple[int, ...]]], path: str, index: int) -> Any:
    def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        logits = logits_in(output, index)
        events.append(("router", path, tuple(logits.shape) if isinstance(logits, Tensor) else ()))

    return hook


def _choosing(events: list[tuple[str, str, tuple[int, ...]]], path: str) -> Any:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        found = choice_in([*args, *kwargs.values()], _TOKENS)
        if found is not None:
            events.append(("experts", path, tuple(found[0].shape)))

    return hook


def _pair(
    events: Sequence[tuple[str, str, tuple[int, ...]]],
    routers: dict[str, tuple[nn.Module, int]],
    model: str,
    name: str,
) -> tuple[str, ...]:
    pairs: list[str] = []
    shapes: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
    for (kind, path, logits), (next_kind, experts, chosen) in pairwise(events):
        if kind == "router" and next_kind == "experts":
            pairs += [path, experts]
            shapes.add((logits, chosen))
    wrong = sorted(set(routers) - set(pairs[::2]))
    if wrong or len(set(pairs)) < len(pairs):
        what = f"router {wrong[0]!r}" if wrong else "a router that runs more than once"
        raise IncompatibleTechniquesError(
            f"{name!r}: {model} has {what}, and no module after it that is told which experts each token goes to"
        )
    if len(shapes) > 1 or any(len(logits) != 2 or logits[0] != _TOKENS for logits, _ in shapes):
        raise IncompatibleTechniquesError(
            f"{name!r}: the layers of {model} have different experts, or logits that are not one row per token: "
            f"logits and choices for {_TOKENS} tokens have the shapes {sorted(shapes)}"
        )
    return tuple(pairs)


__all__ = ["Layer", "choice_in", "layers_of", "logits_in"]
