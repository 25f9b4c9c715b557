"""Context-free grammars in Lark's notation, with recursion, on the machine that writes JSON."""

from __future__ import annotations

from decodekit_json.grammars.compiling import GrammarSource, compile_grammar, load, text_of

__all__ = ["GrammarSource", "compile_grammar", "load", "text_of"]
