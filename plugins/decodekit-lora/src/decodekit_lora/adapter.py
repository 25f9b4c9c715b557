"""An adapter fitted to a model: for each adapted module its A and its scaled B, on the module's device."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from decodekit import CausalModel, IncompatibleTechniquesError, RequestError
from decodekit.types import Float, Tensor
from decodekit_lora.config import Scaling, contradictions
from decodekit_lora.layout import faults_of
from decodekit_lora.source import Config, Source

_NAME = re.compile(r"^(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<side>[AB])(?:\.[^.]+)?\.weight$")
_SHOWN = 3
"""Faults that a message spells out; the others are counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """The low-rank update of one module.

    Attributes:
        name: The module's name in the model.
        module: The module.
        down: A.
        up: B, multiplied with the scaling.
    """

    name: str
    module: nn.Module
    down: Float[Tensor, "rank in"]
    up: Float[Tensor, "out rank"]


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """All updates of one adapter.

    Attributes:
        label: What messages call it.
        updates: One per adapted module.
    """

    label: str
    updates: Sequence[Update]

    @property
    def nbytes(self) -> int:
        """Memory of the tensors."""
        return sum(update.down.nbytes + update.up.nbytes for update in self.updates)

    @classmethod
    def read(cls, source: Source, model: CausalModel) -> Adapter:
        """Read an adapter and fit it to a model.

        *Cost:* the tensors, and one forward pass of six tokens for modules that no adapter has been fitted to yet.

        Raises:
            RequestError: It cannot be read, or is of a kind that is not supported.
            IncompatibleTechniquesError: It is for another model.
        """
        config, tensors = source.read()
        scaling = Scaling.of(config, source.label)
        pairs = _pairs(tensors, source.label)
        wrong = contradictions(config, list(pairs))
        if wrong:
            raise RequestError(
                f"lora: the config of adapter {source.label} contradicts its tensors: {_some(wrong)}",
                hint="take adapter_config.json and the weights from the same save_pretrained",
            )
        _compare_bases(config, source, model)
        modules = dict(model.model.named_modules())
        faults = [fault for name, pair in pairs.items() if (fault := _misfit(name, modules.get(name), pair, scaling))]
        _refuse(faults, source, model, "take the model that the adapter was trained on")
        mixed = faults_of(model, list(pairs))
        _refuse(mixed, source, model, "merge the adapter into the model (PEFT: merge_and_unload), for all rows alike")
        return cls(source.label, [_update(name, modules[name], pair, scaling) for name, pair in pairs.items()])


def _pairs(tensors: Mapping[str, Tensor], label: str) -> dict[str, tuple[Tensor, Tensor]]:
    """Sort tensors by module."""
    sides: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        found = _NAME.match(key)
        if found is None:
            raise RequestError(
                f"lora: adapter {label} has a tensor {key!r} of shape {list(value.shape)}, which is neither a lora_A "
                f"nor a lora_B of a linear layer",
                hint="DoRA, embeddings, biases and modules_to_save are not supported",
            )
        sides.setdefault(found["module"], {})[found["side"]] = value
    lonely = next((module for module, both in sides.items() if len(both) < 2), None)
    if lonely is not None or not sides:
        what = "no tensors" if lonely is None else f"only lora_{next(iter(sides[lonely]))} of {lonely!r}"
        raise RequestError(f"lora: adapter {label} has {what}")
    return {module: (both["A"], both["B"]) for module, both in sides.items()}


def _misfit(name: str, module: nn.Module | None, pair: tuple[Tensor, Tensor], scaling: Scaling) -> str | None:
    """Say why a pair does not fit its module."""
    a, b = pair
    if module is None:
        return f"it has no module {name!r}"
    size = _size(module)
    if size is None:
        return f"{name!r} is a {type(module).__name__}, not a Linear or Conv1D"
    rank = scaling.rank_of(name)
    if list(a.shape) != [rank, size[0]] or list(b.shape) != [size[1], rank]:
        shapes = f"A {list(a.shape)} and B {list(b.shape)}"
        return f"{name!r} maps {size[0]} to {size[1]}, and the adapter, of rank {rank} there, has {shapes}"
    return None


def _size(module: nn.Module) -> tuple[int, int] | None:
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    return (module.weight.shape[0], module.weight.shape[1]) if isinstance(module, Conv1D) else None


def _compare_bases(config: Config, source: Source, model: CausalModel) -> None:
    """Warn where an adapter says that it was trained on a model of another name; shapes alone do not tell."""
    said, ours = config.get("base_model_name_or_path"), getattr(model.config, "_name_or_path", "")
    if said and ours and _last(said) != _last(ours):
        warnings.warn(
            f"lora: adapter {source.label} says that it is for {str(said)!r}, and the model was loaded from {ours!r}; "
            f"its shapes fit, its weights may mean nothing there",
            UserWarning,
            stacklevel=2,
        )


def _last(name: Any) -> str:
    """Give the last part of a name on the hub or of a path, which stays the same where a model is copied."""
    return re.split(r"[/\\]", str(name).rstrip("/\\"))[-1].casefold()


def _some(faults: Sequence[str]) -> str:
    more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return f"{'; '.join(faults[:_SHOWN])}{more}"


def _refuse(faults: Sequence[str], source: Source, model: CausalModel, hint: str) -> None:
    if faults:
        raise IncompatibleTechniquesError(
            f"lora: adapter {source.label} does not fit {type(model.model).__name__}: {_some(faults)}",
            hint=hint,
        )


def _update(name: str, module: nn.Module, pair: tuple[Tensor, Tensor], scaling: Scaling) -> Update:
    weight = module.weight
    assert isinstance(weight, Tensor)
    with torch.no_grad():
        a, b = (side.detach().to(weight.device) for side in pair)
        # As in PEFT, an adapter in float32 is not rounded to a model of 16 bits. Quantized weights are no measure.
        dtype = torch.promote_types(a.dtype, weight.dtype) if weight.is_floating_point() else a.dtype
        return Update(name, module, a.to(dtype).clone(), b.to(dtype) * scaling.factor(name))


__all__ = ["Adapter", "Update"]
