"""What an adapter's config says about scaling, and what of it is refused: everything that would not be honoured."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from decodekit import RequestError
from decodekit_lora.source import Config

_HONOURED = {"r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "peft_type", "bias", "init_lora_weights"}
_WITHOUT_EFFECT = {
    # where it came from
    "auto_mapping",
    "base_model_name_or_path",
    "peft_version",
    "revision",
    "task_type",
    # which modules were chosen: the tensors' names tell, and `contradictions` compares
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    # how weights are laid out, trained or started; A and B are the same for all of these
    "fan_in_fan_out",
    "inference_mode",
    "lora_dropout",
    "runtime_config",
    "corda_config",
    "eva_config",
    "loftq_config",
    "lora_ga_config",
    # parts of options that are off where their own switch is
    "megatron_core",
    "qalora_group_size",
}
_PLAIN_STARTS = (True, False, None, "gaussian", "eva")


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a config says about ranks and scaling.

    Attributes:
        rank: r, where no pattern says otherwise.
        alpha: lora_alpha, likewise.
        by_root: Whether alpha is divided by the root of the rank (rsLoRA, arXiv:2312.03732).
        ranks: rank_pattern.
        alphas: alpha_pattern.
    """

    rank: int
    alpha: float
    by_root: bool = False
    ranks: Mapping[str, int] = field(default_factory=dict)
    alphas: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, label: str) -> Scaling:
        """Read a config.

        Raises:
            RequestError: For another kind of adapter, or an option that would change the result and is not supported.
        """
        kind = config.get("peft_type", "LORA")
        if str(getattr(kind, "value", kind)).upper() != "LORA":
            raise RequestError(f"lora: adapter {label} is of the type {kind!s}, and only LORA is supported")
        if config.get("bias", "none") != "none":
            raise RequestError(f"lora: adapter {label} has bias={config['bias']!r}, and only 'none' is supported")
        refused = {k: v for k, v in config.items() if v and k not in _HONOURED and k not in _WITHOUT_EFFECT}
        if refused:
            what = ", ".join(f"{key}={value!r:.60}" for key, value in sorted(refused.items()))
            raise RequestError(f"lora: adapter {label} uses {what}, which is not supported")
        start = config.get("init_lora_weights", True)
        if start not in _PLAIN_STARTS:
            raise RequestError(
                f"lora: adapter {label} has init_lora_weights={start!r}, which changes the base weights",
                hint="save it as plain LoRA: save_pretrained(…, path_initial_model_for_weight_conversion=…)",
            )
        try:
            scaling = cls(
                int(config["r"]),
                float(config["lora_alpha"]),
                bool(config.get("use_rslora")),
                dict(config.get("rank_pattern") or {}),
                dict(config.get("alpha_pattern") or {}),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RequestError(f"lora: adapter {label} has no usable r and lora_alpha: {error!r}") from error
        if not scaling.alpha or not math.isfinite(scaling.alpha):
            raise RequestError(f"lora: adapter {label} has lora_alpha={scaling.alpha:g}, which makes nothing of it")
        return scaling

    def rank_of(self, module: str) -> int:
        """Give the rank that the config declares for a module."""
        return int(_match(self.ranks, module, self.rank))

    def factor(self, module: str) -> float:
        """Give what B A is multiplied with."""
        rank, alpha = self.rank_of(module), float(_match(self.alphas, module, self.alpha))
        return alpha / (math.sqrt(rank) if self.by_root else rank)


def contradictions(config: Config, modules: Sequence[str]) -> list[str]:
    """Say where a config chooses other modules than those that have tensors; PEFT would leave the tensors out.

    Args:
        config: The adapter's.
        modules: Names of the modules that have tensors.
    """
    faults: list[str] = []
    targets = config.get("target_modules")
    if isinstance(targets, str) and targets != "all-linear":
        try:
            faults += [f"target_modules={targets!r} leaves out {m!r}" for m in modules if not re.fullmatch(targets, m)]
        except re.error as error:
            faults.append(f"target_modules={targets!r} is not a regular expression: {error}")
    elif targets and not isinstance(targets, str):
        listed = sorted(map(str, targets))
        faults += [
            f"target_modules={listed} leaves out {m!r}" for m in modules if not any(_ends(m, each) for each in listed)
        ]
    layers = config.get("layers_to_transform")
    if layers is not None and layers != []:
        wanted = {layers} if isinstance(layers, int) else set(layers)
        found = {module: layer for module in modules if (layer := _layer(module)) is not None}
        faults += [
            f"layers_to_transform={sorted(wanted)} leaves out {m!r}" for m, k in found.items() if k not in wanted
        ]
    return faults


def _ends(module: str, target: str) -> bool:
    return module == target or module.endswith(f".{target}")


def _layer(module: str) -> int | None:
    found = re.search(r"\.(\d+)\.", module)
    return None if found is None else int(found[1])


def _match(patterns: Mapping[str, Any], module: str, default: Any) -> Any:
    """Look a module up as PEFT does: the first pattern that matches the end of its name."""
    return next((value for key, value in patterns.items() if re.match(rf"(.*\.)?({key})$", module)), default)


__all__ = ["Scaling", "contradictions"]
