"""What a request asks for: `json_schema`, `json`, `regex`, `grammar`, `choice`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from decodekit.errors import SchemaError
from decodekit.partial_json import PartialJSON
from decodekit.schemas import Parse, SchemaLike, load_schema
from decodekit.techniques import BuildContext, CompiledConstraint, Constraint, PartialParser
from decodekit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from decodekit_json.compiler import Options
    from decodekit_json.requested import Requested
    from decodekit_json.sources import SchemaSource, Source
from decodekit_json.whitespace import check_policy

Whitespace = Annotated[Literal["flexible", "compact"] | int, BeforeValidator(check_policy)]
KeyOrder = Literal["schema", "any"]
Formats = Literal["assert", "annotate"] | None
"""None asserts formats for types alone."""
Trigger = Annotated[str | None, Field(min_length=1)]
"""Up to where a text is free; None where it is not."""


class JSONSchema(
    Constraint,
    name="json_schema",
    source="json-schema.org, draft 2020-12 and drafts 4 to 2019-09",
    usage='json_schema={"type": "object"}, JSON text, a path to a file, or a pydantic model',
):
    """JSON that satisfies a schema and ends within the request's tokens; `.parsed` is the typed value. Exact.

    Args:
        schema: A schema as a dict, true or false; JSON text; a path to a file; a pydantic model, dataclass or any other
            type that pydantic understands; or a `TypeAdapter`.
        whitespace: "flexible" leaves spaces after `:` and `,` and indented lines to the model; "compact" writes none; a
            number writes exactly what `json.dumps(indent=number)` writes.
        key_order: "schema": keys that the schema names come in its order; "any": in any order.
        formats: "assert" `format`, or "annotate"; by default asserted for types, annotated for schemas.
        unsupported: "refuse" a keyword that cannot be kept exactly; or "check" it when the document is written:
            where it is broken, `.parsed` is None and `.parse_error` says why.
        documents: Other schemas by URI, for `$ref`; nothing is fetched.
        draft: What the schema is where it has no `$schema`, or one of which nothing is known; by default 2020-12, with
            the older spellings too.
        after: A trigger such as "</think>": text is free up to the first one, and the document comes right behind it.
        partial_strings: Whether strings show in `Piece.partial` as they grow, or once they are complete.
    """

    schema_: SchemaLike = Field(alias="schema")
    whitespace: Whitespace = "flexible"
    key_order: KeyOrder = "schema"
    formats: Formats = None
    unsupported: Literal["refuse", "check"] = "refuse"
    documents: Mapping[str, SchemaLike] = Field(default_factory=dict)
    draft: Literal["4", "6", "7", "2019-09", "2020-12"] | None = None
    after: Trigger = None
    partial_strings: bool = False

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A type is written as its schema, of which formats are not asserted by default.
        return {**write(self), **({"formats": "assert"} if self.options.formats else {})}

    def build(self, context: BuildContext) -> CompiledConstraint:
        from decodekit_json.sources import SchemaSource

        schema, parse = load_schema(self.schema_, self.name)
        source = SchemaSource(schema, self.options, self.loaded_documents())
        if self.unsupported == "check":
            parse = _checked(source, self.name, parse)
        return build(source, self.name, context, self.after, parse, PartialJSON(self.partial_strings))

    def loaded_documents(self) -> dict[str, Any]:
        """Give the documents that were handed in, by URI.

        Raises:
            SchemaError: For what is no schema.
        """
        return {uri: load_schema(given, f"{self.name}: {uri}")[0] for uri, given in self.documents.items()}

    @property
    def options(self) -> Options:
        """How the schema is read."""
        from decodekit_json.compiler import Options

        return Options(
            key_order=self.key_order,
            whitespace=self.whitespace,
            formats=asserts_formats(self.formats, self.schema_),
            unsupported=self.unsupported,
            draft=self.draft or "",
            typed=is_type(self.schema_),
        )


class AnyJSON(Constraint, name="json", source="RFC 8259", usage="json=True; a schema goes into json_schema"):
    """Any JSON value: object, array, string, number, true, false or null; `.parsed` is what `json.loads` gives. Exact.

    Args:
        whitespace: "flexible" leaves spaces after `:` and `,` and indented lines to the model; "compact" writes none; a
            number writes exactly what `json.dumps(indent=number)` writes.
        after: A trigger: text is free up to the first one, and the value comes right behind it.
        partial_strings: Whether strings show in `Piece.partial` as they grow, or once they are complete.
    """

    whitespace: Whitespace = "flexible"
    after: Trigger = None
    partial_strings: bool = False

    def build(self, context: BuildContext) -> CompiledConstraint:
        from decodekit_json.compiler import Options
        from decodekit_json.sources import SchemaSource

        source = SchemaSource(True, Options(whitespace=self.whitespace))
        return build(source, self.name, context, self.after, json.loads, PartialJSON(self.partial_strings))


class Regex(Constraint, name="regex", source="Brzozowski 1964, derivatives", usage='regex="[0-9]+"'):
    """Texts that `re.fullmatch(pattern, text)` accepts. Exact, or refused.

    Args:
        pattern: In the syntax of Python's `re`, without back references, atomic groups and conditional groups.
        after: A trigger: text is free up to the first one, and what the pattern accepts comes right behind it.
    """

    pattern: str
    after: Trigger = None

    def build(self, context: BuildContext) -> CompiledConstraint:
        from decodekit_json.patterns import full
        from decodekit_json.sources import TextSource, blamed_on

        with blamed_on(self.name):
            expression = full(self.pattern)
        return build(TextSource(expression), self.name, context, self.after)


class Grammar(
    Constraint,
    name="grammar",
    source="lark-parser.readthedocs.io, Grammar Reference",
    usage="grammar='start: \"a\"+', or a path to a file that has it",
):
    """Texts that follow a context-free grammar in Lark's notation. Exact, or refused.

    Args:
        grammar: The grammar, or a path to a file that has it; text with a line break or a colon is a grammar.
        start: The rule that a text follows.
        after: A trigger: text is free up to the first one, and what follows the grammar comes right behind it.
    """

    grammar: str | Path
    start: str = "start"
    after: Trigger = None

    def build(self, context: BuildContext) -> CompiledConstraint:
        from decodekit_json.grammars import GrammarSource, text_of

        return build(GrammarSource(text_of(self.grammar), self.start), self.name, context, self.after)


class Choice(Constraint, name="choice", usage='choice=["yes", "no"]'):
    """Exactly one of some texts, which is also `.parsed`. Exact.

    Args:
        choices: The texts.
        after: A trigger: text is free up to the first one, and the choice comes right behind it.
    """

    choices: tuple[str, ...] = Field(min_length=1)
    after: Trigger = None

    def build(self, context: BuildContext) -> CompiledConstraint:
        from decodekit_json.sources import choices_of

        return build(choices_of(self.choices, self.name), self.name, context, self.after, str)


def asserts_formats(formats: Formats, schema: Any) -> bool:
    """Say whether `format` is asserted; by default where the schema is a type."""
    return is_type(schema) if formats is None else formats == "assert"


def is_type(schema: Any) -> bool:
    """Say whether what is given as a schema is a type, which reads the documents as well."""
    return not isinstance(schema, dict | bool | str | Path)


def build(
    source: Source,
    name: str,
    context: BuildContext,
    after: str | None = None,
    parse: Parse | None = None,
    partial: PartialParser | None = None,
) -> Requested:
    """Make the working piece of a source, behind the trigger `after` where there is one.

    Args:
        source: What it is made of.
        name: What to call it in messages.
        context: What it is built with.
        after: Up to where the text is free.
        parse: Reads what is written behind the trigger.
        partial: Reads it while it is written.
    """
    from decodekit_json.requested import requested

    if after is not None:
        from decodekit_json.embedded import AfterSource
        from decodekit_json.partials import Behind, behind

        source, parse = AfterSource(source, after), behind(after, parse)
        partial = None if partial is None else Behind(after, partial)
    vocabulary = context.vocabulary
    if not isinstance(vocabulary, Vocabulary):
        raise SchemaError(
            f"{name} needs to know the tokens' bytes", hint="Decoder(model, tokenizer) or Decoder(model, Vocabulary(…))"
        )
    return requested(source, vocabulary, context.vocab_size, name).read_by(parse, partial)


def _checked(source: SchemaSource, name: str, parse: Parse) -> Parse:
    """Give a way to read documents that validates them before."""
    from decodekit_json.checking import Checker
    from decodekit_json.sources import blamed_on

    options = source.options
    with blamed_on(name):
        loosened = source.lowered(name).loosened
    check: Callable[[str], None] = Checker(source.schema, source.documents, options.draft, options.formats, loosened)

    def checked(text: str) -> Any:
        check(text)
        return parse(text)

    return checked


__all__ = [
    "AnyJSON",
    "Choice",
    "Formats",
    "Grammar",
    "JSONSchema",
    "KeyOrder",
    "Regex",
    "Trigger",
    "Whitespace",
    "asserts_formats",
    "build",
    "is_type",
]
