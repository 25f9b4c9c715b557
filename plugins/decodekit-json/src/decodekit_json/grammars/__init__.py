"""Context-free grammars in Lark's notation, with recursion, on the machine that writes JSON."""

from __future__ import annotations

from decodekit_json.grammars.compiling import compile_grammar

__all__ = ["compile_grammar"]
