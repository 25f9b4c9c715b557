"""What a request asks for: `llguidance_json_schema`, `llguidance_regex`, `llguidance_grammar`."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field

from decodekit.errors import SchemaError
from decodekit.partial_json import PartialJSON
from decodekit.schemas import SchemaLike, load_schema
from decodekit.techniques import BuildContext, CompiledConstraint, Constraint
from decodekit.vocabulary import Vocabulary
from decodekit_llguidance.compiled import Grammar, LLGuidanceConstraint, grammar_of

_SOURCE = "llguidance, github.com/guidance-ai/llguidance"


class LLGuidanceJSONSchema(Constraint, name="llguidance_json_schema", exact=False, source=_SOURCE):
    """JSON that satisfies a schema, as llguidance reads it; `.parsed` is the typed value.

    *Approximate* near the budget's end: see `LLGuidanceConstraint`.

    Args:
        schema: A schema as a dict, true or false; JSON text; a path to a file; a pydantic model or any other type that
            pydantic understands; or a `TypeAdapter`.
        whitespace: "flexible" leaves it to the model; "compact" writes none.
        reserve: Tokens that are kept back for the end of the text.
    """

    schema_: SchemaLike = Field(alias="schema")
    whitespace: Literal["compact", "flexible"] = "flexible"
    reserve: int = Field(default=32, ge=0)

    def build(self, context: BuildContext) -> CompiledConstraint:
        from llguidance import LLMatcher

        schema, parse = load_schema(self.schema_, self.name)
        try:
            options: Any = {"whitespace_flexible": self.whitespace == "flexible"}
            schema = schema if isinstance(schema, dict) else {} if schema else {"allOf": [False]}
            text = json.dumps(schema, allow_nan=False)
            read = json.loads(LLMatcher.grammar_from_json_schema(text, overrides=options))["grammars"][0]["json_schema"]
        except (TypeError, ValueError, RecursionError) as error:
            kind = type(error) if isinstance(error, SchemaError) else SchemaError
            raise kind(f"{self.name}: {error}", hint=getattr(error, "hint", None)) from error
        grammar = _grammar(f"start: %json {json.dumps(read)}", self.name, context)
        return LLGuidanceConstraint(grammar, self.name, self.reserve, parse, PartialJSON())


class LLGuidanceRegex(Constraint, name="llguidance_regex", exact=False, source=_SOURCE):
    """Texts that match a regular expression from end to end. *Approximate* near the budget's end.

    Args:
        pattern: In the syntax of Rust's `regex` crate.
        reserve: Tokens that are kept back for the end of the text.
    """

    pattern: str
    reserve: int = Field(default=32, ge=0)

    def build(self, context: BuildContext) -> CompiledConstraint:
        from llguidance import LLMatcher

        source = json.loads(LLMatcher.grammar_from_regex(self.pattern))["grammars"][0]["lark_grammar"]
        return LLGuidanceConstraint(_grammar(source, self.name, context), self.name, self.reserve)


class LLGuidanceGrammar(Constraint, name="llguidance_grammar", exact=False, source=_SOURCE):
    """Texts of a context-free grammar. *Approximate* near the budget's end.

    Args:
        grammar: In llguidance's variant of Lark's notation.
        reserve: Tokens that are kept back for the end of the text.
    """

    grammar: str
    reserve: int = Field(default=32, ge=0)

    def build(self, context: BuildContext) -> CompiledConstraint:
        return LLGuidanceConstraint(_grammar(self.grammar, self.name, context), self.name, self.reserve)


def _grammar(source: str, name: str, context: BuildContext) -> Grammar:
    vocabulary = context.vocabulary
    if not isinstance(vocabulary, Vocabulary):
        raise SchemaError(
            f"{name} needs to know the tokens' bytes", hint="Decoder(model, tokenizer) or Decoder(model, Vocabulary(…))"
        )
    return grammar_of(source, name, vocabulary, context.vocab_size)


__all__ = ["LLGuidanceGrammar", "LLGuidanceJSONSchema", "LLGuidanceRegex"]
