"""From the text of a grammar to a constraint, with what was compiled before reused."""

from __future__ import annotations

from functools import lru_cache

from decodekit.errors import UnsupportedSchemaError
from decodekit.vocabulary import Vocabulary
from decodekit_json.compiled import Compiled
from decodekit_json.grammars.network import Network
from decodekit_json.grammars.places import begun
from decodekit_json.grammars.points import Grammar
from decodekit_json.grammars.reader import read

_KEPT = 64


def compile_grammar(
    text: str, vocabulary: Vocabulary, *, start: str = "start", width: int | None = None, name: str = "grammar"
) -> Compiled:
    """Compile a context-free grammar for a vocabulary; the same grammar again gives what was compiled before.

    The language is what Lark's Earley parser accepts with `lexer="dynamic_complete"`: every way to cut the text into
    terminals counts. Exact, or refused. *Cost:* a few microseconds a byte where the text says how it is read; where a
    grammar is ambiguous, at most a square of the text's length for each byte.

    Args:
        text: A grammar in Lark's notation.
        vocabulary: The tokens.
        start: The rule that a text follows.
        width: Width of the model's logits; by default the vocabulary's size.
        name: What to call it in messages.

    Raises:
        SchemaError: For a grammar that is not valid, with line and column.
        UnsupportedSchemaError: For what cannot be followed exactly; see docs/grammars.md.
        UnsatisfiableSchemaError: Where no text follows the grammar.
    """
    return _compiled(text, start, vocabulary, vocabulary.size if width is None else width, name)


def load(text: str, start: str = "start") -> Grammar:
    """Read a grammar, for any vocabulary.

    Raises:
        SchemaError: For a grammar that is not valid, with line and column.
        UnsupportedSchemaError: For what cannot be followed exactly.
        UnsatisfiableSchemaError: Where no text follows the grammar.
    """
    try:
        return Grammar(Network(read(text), start))
    except RecursionError:
        raise UnsupportedSchemaError(
            "grammar: groups are nested too deeply", hint="name the inner groups as rules of their own"
        ) from None


@lru_cache(maxsize=_KEPT)
def _compiled(text: str, start: str, vocabulary: Vocabulary, width: int, name: str) -> Compiled:
    return Compiled(begun(load(text, start)), vocabulary, width, name)


__all__ = ["compile_grammar", "load"]
