"""Which experts of a mixture every token of a text went to, and how evenly they are loaded. Plugin `moe`."""

from __future__ import annotations

from decodekit import ModelHook, hookimpl
from decodekit_moe.balance import balance, load, mean_probability
from decodekit_moe.router_trace import RouterTrace
from decodekit_moe.traces import Trace, Traces

__all__ = ["RouterTrace", "Trace", "Traces", "balance", "load", "mean_probability"]


@hookimpl
def decodekit_model_hooks() -> list[type[ModelHook]]:
    return [RouterTrace]
