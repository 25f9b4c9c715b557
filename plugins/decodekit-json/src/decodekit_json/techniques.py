"""What a request asks for: `json_schema`, `json`, `regex`, `grammar`, `choice`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from decodekit.errors import SchemaError
from decodekit.schemas import Parse, SchemaLike, load_schema
from decodekit.techniques import BuildContext, CompiledConstraint, Constraint
from decodekit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from decodekit_json.compiler import Options
    from decodekit_json.requested import Requested
    from decodekit_json.sources import Source

Whitespace = Literal["flexible", "compact"]


class JSONSchema(Constraint, name="json_schema", source="json-schema.org, draft 2020-12 and drafts 4 to 2019-09"):
    """JSON that satisfies a schema and ends within the request's tokens; `.parsed` is the typed value. Exact.

    Args:
        schema: A schema as a dict, true or false; JSON text; a path to a file; a pydantic model, dataclass or any other
            type that pydantic understands; or a `TypeAdapter`.
        whitespace: "flexible" leaves spaces after `:` and `,` and indented lines to the model; "compact" writes none.
        key_order: "schema": keys that the schema names come in its order; "any": in any order.
        formats: "assert" `format`, or "annotate"; by default asserted for types, annotated for schemas.
        unsupported: "refuse" a keyword that cannot be kept exactly; or "check" it when the document is written:
            where it is broken, `.parsed` is None and `.parse_error` says why.
        documents: Other schemas by URI, for `$ref`; nothing is fetched.
        draft: What the schema is where it has no `$schema`; by default 2020-12, with the older spellings too.
    """

    schema_: SchemaLike = Field(alias="schema")
    whitespace: Whitespace = "flexible"
    key_order: Literal["schema", "any"] = "schema"
    formats: Literal["assert", "annotate"] | None = None
    unsupported: Literal["refuse", "check"] = "refuse"
    documents: Mapping[str, Any] = Field(default_factory=dict)
    draft: Literal["4", "6", "7", "2019-09", "2020-12"] | None = None

    def build(self, context: BuildContext) -> CompiledConstraint:
        from decodekit_json.sources import SchemaSource

        schema, parse = load_schema(self.schema_, self.name)
        documents = {uri: load_schema(given, f"{self.name}: {uri}")[0] for uri, given in self.documents.items()}
        source = SchemaSource(schema, self.options, documents)
        made = _build(source, self.name, context, parse)
        return _checked(made, source, parse) if self.unsupported == "check" else made

    @property
    def options(self) -> Options:
        """How the schema is read."""
        from decodekit_json.compiler import Options

        typed = not isinstance(self.schema_, dict | bool | str | Path)
        return Options(
            key_order=self.key_order,
            whitespace=self.whitespace,
            formats=typed if self.formats is None else self.formats == "assert",
            unsupported=self.unsupported,
            draft=self.draft or "",
        )


class AnyJSON(Constraint, name="json", source="RFC 8259"):
    """Any JSON value: object, array, string, number, true, false or null; `.parsed` is what `json.loads` gives. Exact.

    Args:
        whitespace: "flexible" leaves spaces after `:` and `,` and indented lines to the model; "compact" writes none.
    """

    whitespace: Whitespace = "flexible"

    def build(self, context: BuildContext) -> CompiledConstraint:
        from decodekit_json.compiler import Options
        from decodekit_json.sources import SchemaSource

        return _build(SchemaSource(True, Options(whitespace=self.whitespace)), self.name, context, json.loads)


class Regex(Constraint, name="regex", source="Brzozowski 1964, derivatives"):
    """Texts that `re.fullmatch(pattern, text)` accepts. Exact, or refused.

    Args:
        pattern: In the syntax of Python's `re`, without back references, atomic groups and conditional groups.
    """

    pattern: str

    def build(self, context: BuildContext) -> CompiledConstraint:
        from decodekit_json.patterns import full
        from decodekit_json.sources import TextSource

        try:
            expression = full(self.pattern)
        except SchemaError as error:
            error.args = (f"{self.name}: {error}", *error.args[1:])
            raise
        return _build(TextSource(expression), self.name, context, None)


class Grammar(Constraint, name="grammar", source="lark-parser.readthedocs.io, Grammar Reference"):
    """Texts that follow a context-free grammar in Lark's notation. Exact, or refused.

    Args:
        grammar: The grammar, or a path to a file that has it; text with a line break or a colon is a grammar.
        start: The rule that a text follows.
    """

    grammar: str | Path
    start: str = "start"

    def build(self, context: BuildContext) -> CompiledConstraint:
        from decodekit_json.grammars import GrammarSource, text_of

        return _build(GrammarSource(text_of(self.grammar), self.start), self.name, context, None)


class Choice(Constraint, name="choice"):
    """Exactly one of some texts, which is also `.parsed`. Exact.

    Args:
        choices: The texts.
    """

    choices: tuple[str, ...] = Field(min_length=1)

    def build(self, context: BuildContext) -> CompiledConstraint:
        from decodekit_json.sources import choices_of

        return _build(choices_of(self.choices, self.name), self.name, context, str)


def _build(source: Source, name: str, context: BuildContext, parse: Parse | None) -> Requested:
    from decodekit_json.requested import requested

    vocabulary = context.vocabulary
    if not isinstance(vocabulary, Vocabulary):
        raise SchemaError(
            f"{name} needs to know the tokens' bytes", hint="Decoder(model, tokenizer) or Decoder(model, Vocabulary(…))"
        )
    return requested(source, vocabulary, context.vocab_size, name, parse)


def _checked(made: Requested, source: Any, parse: Parse) -> Requested:
    """Have documents validated before they are read."""
    from decodekit_json.checking import Checker

    loosened = made.lowered.loosened if made.lowered else []
    options = source.options
    check: Callable[[str], None] = Checker(source.schema, source.documents, options.draft, options.formats, loosened)

    def checked(text: str) -> Any:
        check(text)
        return parse(text)

    return made.read_by(checked)


__all__ = ["AnyJSON", "Choice", "Grammar", "JSONSchema", "Regex"]
