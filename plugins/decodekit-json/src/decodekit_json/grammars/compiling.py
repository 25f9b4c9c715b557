"""From the text of a grammar to a constraint, with what was compiled before reused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from decodekit.errors import SchemaError, UnsupportedSchemaError
from decodekit.vocabulary import Vocabulary
from decodekit_json.compiled import Compiled
from decodekit_json.compiler import KEPT
from decodekit_json.grammars.ambiguity import refuse_many_ways
from decodekit_json.grammars.network import Network
from decodekit_json.grammars.places import begun
from decodekit_json.grammars.points import Grammar
from decodekit_json.grammars.reader import read
from decodekit_json.machine import Threads
from decodekit_json.sources import Source


@dataclass(frozen=True, slots=True)
class GrammarSource(Source):
    """Texts of a context-free grammar.

    Attributes:
        text: The grammar, in Lark's notation.
        start: The rule that a text follows.
    """

    text: str
    start: str = "start"

    @property
    def alone(self) -> tuple[str, ...]:
        """Say that context-free languages are not closed under intersection."""
        return (
            "what a grammar has in common with another constraint need not be a grammar",
            "write into the grammar what the other asks, or leave one of the two out",
        )

    def threads(self, name: str) -> Threads:
        """Give the threads before the first byte, or those that were given before."""
        return KEPT.get(self, lambda: begun(load(self.text, self.start)))

    def compile(self, vocabulary: Vocabulary, width: int, name: str) -> Compiled:
        """Compile, or give what was compiled before."""

        def make() -> Compiled:
            return Compiled(self.threads(name), vocabulary, width, name)

        return KEPT.get((self, vocabulary.fingerprint, width, name), make)


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
    return GrammarSource(text, start).compile(vocabulary, vocabulary.size if width is None else width, name)


def load(text: str, start: str = "start") -> Grammar:
    """Read a grammar, for any vocabulary.

    Raises:
        SchemaError: For a grammar that is not valid, with line and column.
        UnsupportedSchemaError: For what cannot be followed exactly.
        UnsatisfiableSchemaError: Where no text follows the grammar.
    """
    try:
        grammar = Grammar(Network(read(text), start))
        refuse_many_ways(grammar)
        return grammar
    except RecursionError:
        raise UnsupportedSchemaError(
            "grammar: groups are nested too deeply", hint="name the inner groups as rules of their own"
        ) from None


def text_of(grammar: str | Path) -> str:
    """Give the text of a grammar, or of a file: text with a line break or a colon is a grammar.

    Raises:
        SchemaError: For a file that cannot be read.
    """
    if isinstance(grammar, str) and ("\n" in grammar or ":" in grammar):
        return grammar
    if not str(grammar).strip():
        raise SchemaError("grammar: the grammar is empty", hint='a grammar has a rule such as start: "a"')
    try:
        return Path(grammar).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SchemaError(
            f"grammar: {str(grammar)[:80]!r} is neither a grammar nor a file: {_reason(error)}",
            hint='a grammar has a rule such as start: "a"',
        ) from error


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return reason[:1].lower() + reason[1:]


__all__ = ["GrammarSource", "compile_grammar", "load", "text_of"]
