"""The forward pass through `torch.compile`, https://docs.pytorch.org/docs/stable/generated/torch.compile.html.

Not a compiled decoder: what stands around the model (processors, constraints, the loop) runs as it always does.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from pydantic import Field
from torch.fx.experimental import _config as symbols

from decodekit.errors import ModelError, RequestError
from decodekit.techniques import BuildContext, ModelRunner


class Compiled(ModelRunner, name="compiled", source="torch.compile"):
    """Run the model's forward pass through `torch.compile`; the options are those of that function.

    *Exact* up to what kernels round differently. The model itself is not changed. *Cost:* a few graphs are compiled
    when the decoder is made, a few more when a batch first has one row, several rows, or prompts that join late.

    Args:
        backend: What makes code of the graphs.
        mode: What the backend "inductor" tunes for, such as "max-autotune-no-cudagraphs".
        dynamic: Whether sizes are symbols from the first graph on. With False each batch size, each width and every 16
            keys are a graph; with None sizes become symbols once they change.
        fullgraph: Refuse a model that cannot be traced in one piece, instead of running it in several.
        recompile_limit: Graphs of one decoder at most; a pass that would need another one runs eagerly.
    """

    backend: str = "inductor"
    mode: str | None = None
    dynamic: bool | None = True
    fullgraph: bool = False
    recompile_limit: int = Field(default=64, ge=1)

    def build(self, context: BuildContext | None = None) -> CompiledRunner:
        return CompiledRunner(self)


def _forward(model: torch.nn.Module, inputs: dict[str, Any]) -> Any:
    return model(**inputs)


class CompiledRunner:
    """`runner(model, **inputs)`: gives the compiled function inputs of few different forms.

    Args:
        options: What to compile with.
    """

    name = "compiled"
    static_shapes = True
    # What a hook does to a module after it was traced would not be seen.
    sees_hooks = False

    def __init__(self, options: Compiled) -> None:
        self.options = options
        try:
            self.forward = torch.compile(_forward, **options.model_dump(), isolate_recompiles=True)
        except Exception as error:
            raise RequestError(f"'compiled' (model runner): {error}", hint="the options are torch.compile's") from error
        self._ready = options.backend != "inductor"

    def __call__(self, model: torch.nn.Module, **inputs: Any) -> Any:
        # The stride of a dimension of size 1 says nothing, and would be looked at.
        tokens = inputs["input_ids"] = inputs["input_ids"].clone(memory_format=torch.contiguous_format)
        if not self._ready:
            _look_for_a_compiler(tokens.device)
            self._ready = True
        width = tokens.shape[1]
        if width == 1 or "logits_to_keep" not in inspect.signature(model.forward).parameters:
            return self._run(model, inputs)
        asked = inputs.get("logits_to_keep", width)
        columns = torch.arange(width - asked, width, device=tokens.device) if isinstance(asked, int) else asked
        # A size of 1 is never a symbol.
        inputs["logits_to_keep"] = columns if len(columns) > 1 else columns.repeat(2)
        outputs = self._run(model, inputs)
        outputs.logits = outputs.logits[:, : len(columns)]
        return outputs

    def _run(self, model: torch.nn.Module, inputs: dict[str, Any]) -> Any:
        # As many rows as the model has heads are no reason to take the one for the other.
        with symbols.patch(use_duck_shape=False):  # pyright: ignore[reportAttributeAccessIssue]
            return self.forward(model, inputs)


def _look_for_a_compiler(device: torch.device) -> None:
    """Refuse before the first graph what inductor would find out in the middle of it."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    if device.type != "cpu":
        return
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise ModelError(
            "'compiled' (model runner): the backend 'inductor' makes C++ code for a CPU, and no C++ compiler is found",
            hint="install g++, or compiled={'backend': 'aot_eager'}, which needs none and is no faster than eager",
        ) from error
