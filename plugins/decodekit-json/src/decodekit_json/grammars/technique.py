"""What a request asks for: `grammar`."""

from __future__ import annotations

from pathlib import Path

from decodekit.errors import SchemaError
from decodekit.techniques import BuildContext, CompiledConstraint, Constraint
from decodekit.vocabulary import Vocabulary
from decodekit_json.grammars.compiling import compile_grammar


class Grammar(Constraint, name="grammar", source="lark-parser.readthedocs.io"):
    """Texts that follow a context-free grammar in Lark's notation. Exact, or refused.

    Args:
        grammar: The grammar, or a path to a file that has it; text with a line break or a colon is a grammar.
        start: The rule that a text follows.
    """

    grammar: str | Path
    start: str = "start"

    def build(self, context: BuildContext) -> CompiledConstraint:
        vocabulary = context.vocabulary
        if not isinstance(vocabulary, Vocabulary):
            raise SchemaError(
                "grammar needs to know the tokens' bytes",
                hint="Decoder(model, tokenizer) or Decoder(model, Vocabulary(…))",
            )
        return compile_grammar(_text(self.grammar), vocabulary, start=self.start, width=context.vocab_size)


def _text(grammar: str | Path) -> str:
    if isinstance(grammar, str) and ("\n" in grammar or ":" in grammar):
        return grammar
    try:
        return Path(grammar).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SchemaError(
            f"grammar: {str(grammar)[:80]!r} is neither a grammar nor a file: {error}",
            hint='a grammar has a rule such as start: "a"',
        ) from error


__all__ = ["Grammar"]
