"""Where a model's hidden states are: found by what they do, whatever they are called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from decodekit import CausalModel, IncompatibleTechniquesError
from decodekit.types import Tensor

Seen = dict[int, Any]
"""Hidden states, [row, query, dim], by the place of the module that they enter or leave."""

_LAYERS: WeakKeyDictionary[nn.Module, nn.ModuleList | None] = WeakKeyDictionary()
_TRUNKS: WeakKeyDictionary[nn.Module, nn.Module | None] = WeakKeyDictionary()


def layers_of(model: CausalModel, name: str) -> nn.ModuleList:
    """Give the list of a model's layers: the input of layer k is what transformers calls `hidden_states[k]`.

    The first list of as many modules as the config has layers, each of which reads what the one before gives, in the
    width of the output embeddings. *Cost:* one forward pass of two tokens, once per model.

    Raises:
        IncompatibleTechniquesError: There is none.
    """
    if model.model not in _LAYERS:
        count = getattr(model.config, "num_hidden_layers", 0)
        lists = [m for m in model.model.modules() if isinstance(m, nn.ModuleList) and len(m) == count > 0]
        _LAYERS[model.model] = next((found for found in lists if _are_layers(model, found)), None)
    found = _LAYERS[model.model]
    if found is None:
        raise IncompatibleTechniquesError(
            f"{name!r} needs the hidden states of a model's layers, and {type(model.model).__name__} has no list of "
            f"layers, each of which reads what the one before gives"
        )
    return found


def trunk_of(model: CausalModel, name: str) -> nn.Module:
    """Give the part of a model whose output is the last hidden states, which enter the output embeddings.

    *Cost:* one forward pass of two tokens, once per model.

    Raises:
        IncompatibleTechniquesError: There is none.
    """
    if model.model not in _TRUNKS:
        _TRUNKS[model.model] = _find_trunk(model)
    found = _TRUNKS[model.model]
    if found is None:
        raise IncompatibleTechniquesError(
            f"{name!r} needs the last hidden states, and no part of {type(model.model).__name__} gives what enters its "
            f"output embeddings"
        )
    return found


@contextmanager
def listening(inputs: Sequence[nn.Module] = (), outputs: Sequence[nn.Module] = ()) -> Iterator[tuple[Seen, Seen]]:
    """Collect the hidden states that enter and leave modules while the block runs, by place in the two lists."""
    entering: Seen = {}
    leaving: Seen = {}
    with ExitStack() as stack:
        for place, module in enumerate(inputs):
            stack.callback(module.register_forward_pre_hook(_enters(entering, place), with_kwargs=True).remove)
        for place, module in enumerate(outputs):
            stack.callback(module.register_forward_hook(_leaves(leaving, place)).remove)
        yield entering, leaving


def _enters(seen: Seen, place: int) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen[place] = args[0] if args else kwargs.get("hidden_states")

    return hook


def _leaves(seen: Seen, place: int) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        seen[place] = output if isinstance(output, Tensor) else output[0]

    return hook


def _run(model: CausalModel) -> None:
    tokens = torch.tensor([[0, 1]], device=model.device)
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.inference_mode(), torch.random.fork_rng(devices=devices):
        model.caller(tokens, uncached=True)


def _are_layers(model: CausalModel, layers: nn.ModuleList) -> bool:
    head = model.model.get_output_embeddings()
    with model.caller.turn.taken(), listening(list(layers), list(layers)) as (entering, leaving):
        _run(model)
    width = getattr(getattr(head, "weight", None), "shape", (0,))[-1]
    places = range(len(layers))
    states = [seen.get(k) for seen in (entering, leaving) for k in places]
    if not all(isinstance(one, Tensor) and one.shape == (1, 2, width) for one in states):
        return False
    return all(torch.equal(leaving[k], entering[k + 1]) for k in places[:-1])


def _find_trunk(model: CausalModel) -> nn.Module | None:
    head = model.model.get_output_embeddings()
    if head is None:
        return None
    get_decoder = getattr(model.model, "get_decoder", None)
    found = (get_decoder() if callable(get_decoder) else None, getattr(model.model, "base_model", None))
    for trunk in found:
        if isinstance(trunk, nn.Module) and trunk is not model.model:
            with model.caller.turn.taken(), listening([head], [trunk]) as (entering, leaving):
                _run(model)
            given, taken = leaving.get(0), entering.get(0)
            if isinstance(given, Tensor) and isinstance(taken, Tensor) and torch.equal(given, taken):
                return trunk
    return None
