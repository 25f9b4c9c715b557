"""What a request asks for: `regex`, `choice`, `json_schema`."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter, field_serializer, field_validator

from decodekit.errors import SchemaError
from decodekit.techniques import BuildContext, CompiledConstraint, Constraint
from decodekit.vocabulary import Vocabulary
from decodekit_outlines.automaton import Automaton
from decodekit_outlines.compiled import Parse, TokenConstraint, index_of
from decodekit_outlines.nodes import compile_node
from decodekit_outlines.patterns import full
from decodekit_outlines.schema import schema_node
from decodekit_outlines.strings import literals


class Regex(Constraint, name="regex", source="outlines, arXiv:2307.09702"):
    """Texts that `re.fullmatch(pattern, text)` accepts, over bytes. Exact, or refused.

    Args:
        pattern: In the syntax of Python's `re`, without look-around, back references and word boundaries.
    """

    pattern: str

    def build(self, context: BuildContext) -> CompiledConstraint:
        def make() -> Automaton:
            return compile_node(full(self.pattern))

        return _constraint(make, ("regex", self.pattern), "regex", context, None)


class Choice(Constraint, name="choice"):
    """Exactly one of some texts, which is also `.parsed`.

    Args:
        choices: The texts.
    """

    choices: tuple[str, ...] = Field(min_length=1)

    def build(self, context: BuildContext) -> CompiledConstraint:
        def make() -> Automaton:
            return compile_node(literals(text.encode() for text in self.choices))

        return _constraint(make, ("choice", self.choices), "choice", context, str)


class JSONSchema(Constraint, name="json_schema", source="json-schema.org, draft 2020-12"):
    """JSON that satisfies a schema and ends within the request's tokens; `.parsed` is the typed value.

    Args:
        schema: A schema as a dict, true or false; JSON text; a path to a file; a pydantic model, dataclass or any
            other type that pydantic understands; or a `TypeAdapter`.
        whitespace: "compact" writes none, "single" allows a space after `:` and `,`, "flexible" also line breaks.
        depth: How deep values nest about which the schema says nothing.
    """

    schema_: Any = Field(alias="schema")
    whitespace: Literal["compact", "single", "flexible"] = "single"
    depth: int = Field(default=2, ge=0, le=5)

    @field_validator("schema_", mode="before")
    @classmethod
    def _not_nothing(cls, value: Any) -> Any:
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            raise ValueError("a schema is a dict, JSON text, a path, or a type that pydantic understands")
        return value

    @field_serializer("schema_")
    def _as_json(self, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value if isinstance(value, str) else load_schema(value)[0]

    def build(self, context: BuildContext) -> CompiledConstraint:
        schema, parse = load_schema(self.schema_)
        try:
            text = json.dumps(schema, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise SchemaError(f"json_schema: the schema is not JSON: {error}") from error

        def make() -> Automaton:
            try:
                return compile_node(schema_node(schema, self.whitespace, self.depth))
            except RecursionError:
                raise SchemaError("the schema nests too deeply") from None

        return _constraint(make, ("json_schema", text, self.whitespace, self.depth), "json_schema", context, parse)


def load_schema(source: Any) -> tuple[Any, Parse]:
    """Give a schema as Python data, and what turns a text into the result.

    Raises:
        SchemaError: For text that is not JSON, a file that cannot be read, or a type that pydantic does not understand.
    """
    if isinstance(source, dict | bool):
        return source, json.loads
    if isinstance(source, Path) or (isinstance(source, str) and not source.lstrip().startswith(("{", "true", "false"))):
        try:
            source = Path(source).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            hint = "give a dict, JSON text, a path to a file, or a pydantic model"
            raise SchemaError(
                f"json_schema: {str(source)[:80]!r} is neither JSON nor a file: {error}", hint=hint
            ) from error
    if isinstance(source, str):
        try:
            return json.loads(source), json.loads
        except json.JSONDecodeError as error:
            raise SchemaError(f"json_schema: the schema is not JSON: {error}") from error
    adapter = source if isinstance(source, TypeAdapter) else _adapter(source)
    try:
        return adapter.json_schema(), adapter.validate_json
    except Exception as error:  # pydantic raises several kinds, some of them plain
        raise SchemaError(f"json_schema: pydantic has no schema for {source!r:.80}: {error}") from error


def _adapter(source: Any) -> TypeAdapter[Any]:
    try:
        try:
            return _kept_adapter(source)
        except TypeError:  # a type that has no hash
            return TypeAdapter(source)
    except Exception as error:
        raise SchemaError(
            f"json_schema: {source!r:.80} is not a schema: {error}",
            hint="give a dict, JSON text, a path to a file, or a pydantic model",
        ) from error


@lru_cache(maxsize=64)
def _kept_adapter(source: Any) -> TypeAdapter[Any]:
    return TypeAdapter(source)


def _constraint(make: Any, key: Any, name: str, context: BuildContext, parse: Parse | None) -> CompiledConstraint:
    vocabulary = context.vocabulary
    if not isinstance(vocabulary, Vocabulary):
        raise SchemaError(
            f"{name} needs to know the tokens' bytes", hint="Decoder(model, tokenizer) or Decoder(model, Vocabulary(…))"
        )
    return TokenConstraint(index_of(make, key, name, vocabulary, context.vocab_size), name, parse)


__all__ = ["Choice", "JSONSchema", "Regex", "load_schema"]
