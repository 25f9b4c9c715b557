"""What a request asks for: `outlines_regex`, `outlines_choice`, `outlines_json_schema`."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field

from decodekit.errors import SchemaError
from decodekit.partial_json import PartialJSON
from decodekit.schemas import SchemaLike, load_schema
from decodekit.techniques import BuildContext, CompiledConstraint, Constraint
from decodekit.vocabulary import Vocabulary
from decodekit_outlines.automaton import Automaton
from decodekit_outlines.compiled import TokenConstraint, index_of
from decodekit_outlines.nodes import compile_node
from decodekit_outlines.patterns import full
from decodekit_outlines.schema import schema_node
from decodekit_outlines.strings import literals


class OutlinesRegex(Constraint, name="outlines_regex", source="outlines, arXiv:2307.09702"):
    """Texts that `re.fullmatch(pattern, text)` accepts, over bytes. Exact, or refused.

    Args:
        pattern: In the syntax of Python's `re`, without look-around, back references and word boundaries.
    """

    pattern: str

    def build(self, context: BuildContext) -> CompiledConstraint:
        def make() -> Automaton:
            return compile_node(full(self.pattern))

        return _constraint(make, ("regex", self.pattern), self.name, context)


class OutlinesChoice(Constraint, name="outlines_choice"):
    """Exactly one of some texts, which is also `.parsed`.

    Args:
        choices: The texts.
    """

    choices: tuple[str, ...] = Field(min_length=1)

    def build(self, context: BuildContext) -> CompiledConstraint:
        def make() -> Automaton:
            return compile_node(literals(text.encode() for text in self.choices))

        made = _constraint(make, ("choice", self.choices), self.name, context)
        return TokenConstraint(made.index, self.name, str)


class OutlinesJSONSchema(Constraint, name="outlines_json_schema", source="json-schema.org, draft 2020-12"):
    """JSON that satisfies a schema and ends within the request's tokens; `.parsed` is the typed value.

    Args:
        schema: A schema as a dict, true or false; JSON text; a path to a file; a pydantic model, dataclass or any
            other type that pydantic understands; or a `TypeAdapter`.
        whitespace: "compact" writes none, "single" allows a space after `:` and `,`, "flexible" also line breaks.
        depth: How deep values nest about which the schema says nothing.
    """

    schema_: SchemaLike = Field(alias="schema")
    whitespace: Literal["compact", "single", "flexible"] = "single"
    depth: int = Field(default=2, ge=0, le=5)

    def build(self, context: BuildContext) -> CompiledConstraint:
        schema, parse = load_schema(self.schema_, self.name)
        try:
            text = json.dumps(schema, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise SchemaError(f"{self.name}: the schema is not JSON: {error}") from error

        def make() -> Automaton:
            try:
                return compile_node(schema_node(schema, self.whitespace, self.depth))
            except RecursionError:
                raise SchemaError("the schema nests too deeply") from None

        made = _constraint(make, ("json_schema", text, self.whitespace, self.depth), self.name, context)
        return TokenConstraint(made.index, self.name, parse, PartialJSON())


def _constraint(make: Any, key: Any, name: str, context: BuildContext) -> TokenConstraint:
    vocabulary = context.vocabulary
    if not isinstance(vocabulary, Vocabulary):
        raise SchemaError(
            f"{name} needs to know the tokens' bytes", hint="Decoder(model, tokenizer) or Decoder(model, Vocabulary(…))"
        )
    return TokenConstraint(index_of(make, key, name, vocabulary, context.vocab_size), name)


__all__ = ["OutlinesChoice", "OutlinesJSONSchema", "OutlinesRegex"]
