"""JSON Schema, regular expressions, grammars and choices: texts that always fit, or a refusal by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from decodekit.hookspecs import hookimpl
from decodekit.techniques import Command, Constraint
from decodekit_json.calls import StructuralTag, Tag, Tool, ToolCall, ToolCalls
from decodekit_json.techniques import AnyJSON, Choice, Grammar, JSONSchema, Regex

if TYPE_CHECKING:
    from decodekit_json.compiled import Compiled
    from decodekit_json.compiler import compile
    from decodekit_json.grammars import compile_grammar

_ENGINE = {
    "Compiled": "decodekit_json.compiled",
    "compile": "decodekit_json.compiler",
    "compile_grammar": "decodekit_json.grammars",
}


def __getattr__(name: str) -> Any:
    """Import the engine where it is asked for."""
    if name not in _ENGINE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ENGINE[name]), name)


@hookimpl
def decodekit_constraints() -> list[type[Constraint]]:
    """Offer `json_schema`, `json`, `regex`, `grammar`, `choice`, `structural_tag` and `tool_calls`."""
    return [JSONSchema, AnyJSON, Regex, Grammar, Choice, StructuralTag, ToolCalls]


@hookimpl
def decodekit_commands() -> list[Command]:
    """Offer `decodekit explain-schema`."""
    help_line = "Say what a JSON Schema allows, what it costs, and what is refused."
    return [Command("explain-schema", "decodekit_json.commands:explain_schema", help_line)]


__all__ = [
    "AnyJSON",
    "Choice",
    "Compiled",
    "Grammar",
    "JSONSchema",
    "Regex",
    "StructuralTag",
    "Tag",
    "Tool",
    "ToolCall",
    "ToolCalls",
    "compile",
    "compile_grammar",
]
