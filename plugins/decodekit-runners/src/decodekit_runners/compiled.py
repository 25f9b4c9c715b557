"""The forward pass through `torch.compile`, https://docs.pytorch.org/docs/stable/generated/torch.compile.html.

Not a compiled decoder: what stands around the model (processors, constraints, the loop) runs as it always does.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.fx.experimental import _config

from decodekit.techniques import BuildContext, ModelRunner


class Compiled(ModelRunner, name="compiled", source="torch.compile"):
    """Run the model's forward pass through `torch.compile`; the options are those of that function.

    Args:
        backend: What makes code of the graphs.
        mode: For the backend "inductor" what it tunes for, such as "max-autotune-no-cudagraphs".
        dynamic: Whether sizes are symbols from the first graph on. False makes a graph per batch size, width and
            16 keys; None begins so and goes over to symbols.
        fullgraph: Refuse models that cannot be traced in one piece, instead of running them in several.
        recompile_limit: Graphs of one decoder; what needs another one runs eagerly.
    """

    backend: str = "inductor"
    mode: str | None = None
    dynamic: bool | None = True
    fullgraph: bool = False
    recompile_limit: int = 64

    def build(self, context: BuildContext | None = None) -> CompiledRunner:
        return CompiledRunner(self)


def _forward(model: torch.nn.Module, inputs: dict[str, Any]) -> Any:
    return model(**inputs)


class CompiledRunner:
    name = "compiled"
    static_shapes = True
    sees_hooks = False

    def __init__(self, options: Compiled) -> None:
        self.forward = torch.compile(
            _forward,
            backend=options.backend,
            mode=options.mode,
            dynamic=options.dynamic,
            fullgraph=options.fullgraph,
            recompile_limit=options.recompile_limit,
            isolate_recompiles=True,
        )

    def __call__(self, model: torch.nn.Module, **inputs: Any) -> Any:
        # The stride of a dimension of size 1 says nothing, and would be looked at.
        tokens = inputs["input_ids"] = inputs["input_ids"].clone(memory_format=torch.contiguous_format)
        width = tokens.shape[1]
        if width == 1 or not self._keeps_logits(model):
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
        with _config.patch(use_duck_shape=False):
            return self.forward(model, inputs)

    def _keeps_logits(self, model: torch.nn.Module) -> bool:
        return "logits_to_keep" in inspect.signature(model.forward).parameters
