"""Where an adapter comes from: a folder as PEFT writes it, a model with an adapter injected, or plain tensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from decodekit import RequestError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """An adapter before it is fitted to a model.

    Attributes:
        label: What messages call it.
        key: Equal for sources with the same content; None where that cannot be told.
        read: Gives the config and the tensors by name.
        held: What must stay alive as long as the key is used.
    """

    label: str
    key: Hashable
    read: Callable[[], tuple[Config, Mapping[str, Tensor]]]
    held: Any = None


def open_source(given: Any, config: Any) -> Source:
    """Recognise what a user gave.

    Raises:
        RequestError: For a folder without an adapter, tensors without a config, and anything else.
    """
    if isinstance(given, str | Path):
        if config is not None:
            raise RequestError("lora: config is for adapters given as tensors; a folder has its own")
        return _folder(Path(given).expanduser())
    if hasattr(given, "peft_config") and hasattr(given, "named_parameters"):
        name = _active(given)
        tensors = {key: value for key, value in given.named_parameters() if f".{name}." in key and ".lora_" in key}
        return _tensors(f"{name!r} of a {type(given).__name__}", tensors, as_config(given.peft_config[name]))
    if isinstance(given, Mapping) and given and all(isinstance(value, Tensor) for value in given.values()):
        if config is None:
            raise RequestError(
                f"lora: {len(given)} tensors without their config, which has the scaling",
                hint="Lora(tensors, config={'peft_type': 'LORA', 'r': 8, 'lora_alpha': 16})",
            )
        return _tensors(f"of {len(given)} tensors", given, as_config(config))
    raise RequestError(
        f"lora: an adapter is a folder, a model with PEFT's adapter, or tensors by name; got {type(given).__name__}"
    )


def as_config(config: Any) -> Config:
    """Give a config as plain data; a `peft.LoraConfig` writes itself."""
    plain = config.to_dict() if hasattr(config, "to_dict") else config
    if not isinstance(plain, Mapping):
        raise RequestError(f"lora: config is a mapping or a peft.LoraConfig, got {type(config).__name__}")
    return plain


def _folder(folder: Path) -> Source:
    files = [folder / CONFIG, folder / WEIGHTS]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        hint = "give the folder that PEFT's save_pretrained wrote"
        if not folder.exists():
            hint += "; one on the hub is fetched with huggingface_hub.snapshot_download(name)"
        elif (folder / "adapter_model.bin").exists():
            hint = "it has adapter_model.bin, which runs code when read; save it anew with safe_serialization=True"
        raise RequestError(f"lora: {str(folder)!r} has no {' and no '.join(missing)}", hint=hint)
    stamps = [(path.stat().st_mtime_ns, path.stat().st_size) for path in files]

    def read() -> tuple[Config, Mapping[str, Tensor]]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return as_config(json.loads(files[0].read_text(encoding="utf-8"))), load_file(files[1])
        except (OSError, ValueError, SafetensorError) as error:
            raise RequestError(f"lora: {str(folder)!r} cannot be read: {error}") from error

    return Source(repr(str(folder)), (str(folder.resolve()), *stamps), read)


def _active(model: Any) -> str:
    names = getattr(model, "active_adapters", None)
    names = names() if callable(names) else names
    names = [names] if isinstance(names, str) else list(names or model.peft_config)
    if len(names) != 1:
        raise RequestError(f"lora: the model has the active adapters {names}", hint="activate one: set_adapter(name)")
    return names[0]


def _tensors(label: str, tensors: Mapping[str, Tensor], config: Config) -> Source:
    try:
        versions: Hashable = tuple((name, id(value), value._version) for name, value in sorted(tensors.items()))
    except RuntimeError:  # inference tensors do not count their changes
        return Source(label, None, lambda: (config, tensors))
    key = (versions, json.dumps(config, sort_keys=True, default=_in_order))
    return Source(label, key, lambda: (config, tensors), dict(tensors))


def _in_order(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)


__all__ = ["CONFIG", "WEIGHTS", "Config", "Source", "as_config", "open_source"]
