"""LoRA (arXiv:2106.09685) in PEFT's format, one adapter per request; the base weights are never touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import field_serializer, field_validator

from decodekit import BuildContext, IncompatibleTechniquesError, ModelHook
from decodekit_lora.adapter import Adapter
from decodekit_lora.adding import Adapted
from decodekit_lora.kept import kept_adapters
from decodekit_lora.source import open_source


class Lora(ModelHook, name="lora", changes_model=True, source="arXiv:2106.09685; PEFT's adapter format"):
    """Let the model compute with a low-rank update: W + scaling · B A, for the rows of this request only.

    What the rows get is added to the outputs of the adapted modules while a forward pass runs: x A^T B^T, in the wider
    of the adapter's and the module's dtypes, as PEFT does unmerged. Read adapters are kept per model, up to 1 GiB, the
    least recently used going first; a file that has changed is read again.

    *Cost:* per adapted module and adapter in the batch, two thin matrix products over that adapter's rows. *Exact:* the
    text is that of the merged model, up to rounding.

    Args:
        adapter: Folder with `adapter_config.json` and `adapter_model.safetensors`; or a model with PEFT's adapter
            injected, whose active adapter is taken; or tensors by PEFT's names, together with `config`.
        config: What `adapter_config.json` would say, for an adapter that is given as tensors: a mapping or a
            `peft.LoraConfig`.

    Raises:
        RequestError: When it is built, for an adapter that cannot be read or is of a kind that is not supported.
        IncompatibleTechniquesError: When it is built, for an adapter of another model.
    """

    adapter: Any
    config: Any = None

    @field_validator("adapter")
    @classmethod
    def _path_as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    @field_serializer("adapter")
    def _as_path(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"a {type(value).__name__} cannot be written down; give the adapter by its path")
        return value

    def build(self, context: BuildContext) -> Adapted:
        if context.model is None:
            raise IncompatibleTechniquesError("'lora' needs a decoder with a model")
        source = open_source(self.adapter, self.config)
        model = context.model
        return Adapted(self.name, kept_adapters(model.model).get(source, lambda: Adapter.read(source, model)))
