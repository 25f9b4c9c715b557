"""What a request asks for: `structural_tag` and `tool_calls`, free text with tagged JSON in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from decodekit.checked import Checked
from decodekit.errors import SchemaError
from decodekit.schemas import Parse, SchemaLike, load_schema
from decodekit.techniques import BuildContext, CompiledConstraint, Constraint
from decodekit_json.techniques import Formats, KeyOrder, Trigger, Whitespace, asserts_formats, build, is_type

if TYPE_CHECKING:
    from decodekit_json.embedded import TagSource

_NAME = "{name}"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tagged document of a text.

    Attributes:
        name: The function, or the tag's name.
        arguments: The document, as an instance of its type where it has one.
    """

    name: str
    arguments: Any


class Tag(Checked):
    """A document between two texts.

    Attributes:
        begin: What stands before it.
        schema_: What it satisfies, in any form that `json_schema` takes.
        end: What stands behind it; "" where nothing does.
        name: What to call it in the result; by default `begin`.
    """

    begin: str = Field(min_length=1)
    schema_: SchemaLike = Field(alias="schema")
    end: str
    name: str = ""


class Tool(Checked):
    """A function that may be called.

    Attributes:
        name: Its name.
        parameters: What its arguments satisfy, in any form that `json_schema` takes; by default any object.
        description: Not read; it belongs into the prompt.
        strict: Not read: arguments always satisfy their schema.
    """

    name: str = Field(min_length=1)
    parameters: SchemaLike = Field(default_factory=lambda: {"type": "object"})
    description: str | None = None
    strict: bool | None = None


def _as_tool(value: Any) -> Any:
    """Take a type for a function of its name, and a function out of what chat templates take."""
    if isinstance(value, type):
        return {"name": value.__name__, "parameters": value}
    if isinstance(value, Mapping) and value.keys() == {"type", "function"} and value["type"] == "function":
        return value["function"]
    return value


class StructuralTag(
    Constraint,
    name="structural_tag",
    source="arXiv:2411.15100, structural tags",
    usage='structural_tag=[{"begin": "<a>", "schema": {"type": "object"}, "end": "</a>"}]',
):
    """Free text with tagged JSON in it; `.parsed` is the list of the `ToolCall`s. Exact.

    The text is free until a trigger has been written; then comes a tag that begins with it, its document, its end, and
    free text again.

    Args:
        tags: Each with `begin`, `schema`, `end` ("" for none), and the `name` that it has in the result (by default
            `begin`).
        triggers: Texts that only a tag may go on from; by default the beginnings as they are.
        min_calls: Fewest documents; with 0 the text may be free as a whole.
        max_calls: Most documents, behind which the text ends; None without end.
        after: A trigger such as "</think>": before the first one tags are not looked for.
        whitespace: As in `json_schema`, as the next two.
        key_order: "schema" or "any".
        formats: "assert" or "annotate"; by default asserted for types, annotated for schemas.
    """

    tags: tuple[Tag, ...] = Field(min_length=1)
    triggers: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    min_calls: int = Field(default=0, ge=0)
    max_calls: int | None = Field(default=None, ge=1)
    after: Trigger = None
    whitespace: Whitespace = "flexible"
    key_order: KeyOrder = "schema"
    formats: Formats = None

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _with_formats(write(self), self.formats, [tag.schema_ for tag in self.tags])

    def build(self, context: BuildContext) -> CompiledConstraint:
        return _build(self, self.name, context)


class ToolCalls(
    Constraint,
    name="tool_calls",
    source="arXiv:2411.15100, structural tags",
    usage='tool_calls=[{"name": "add", "parameters": {"type": "object"}}], or pydantic models',
):
    """Free text with calls of functions in it; `.parsed` is the list of the `ToolCall`s. Exact.

    Args:
        tools: Each a dict with `name` and `parameters` (a schema in any form that `json_schema` takes), the same in
            {"type": "function", "function": …}, or a pydantic model: a function of its name.
        begin: What a call begins with; {name} stands for the function's name.
        end: What it ends with.
        trigger: From where on the text must be a call; by default what `begin` has before {name}.
        min_calls: Fewest calls; with 0 the text may be free as a whole.
        max_calls: Most calls, behind which the text ends; None without end.
        after: A trigger such as "</think>": before the first one calls are not looked for.
        whitespace: As in `json_schema`, as the next two.
        key_order: "schema" or "any".
        formats: "assert" or "annotate"; by default asserted for types, annotated for schemas.
    """

    tools: tuple[Annotated[Tool, BeforeValidator(_as_tool)], ...] = Field(min_length=1)
    begin: str = "<function={name}>"
    end: str = "</function>"
    trigger: str | None = None
    min_calls: int = Field(default=0, ge=0)
    max_calls: int | None = Field(default=None, ge=1)
    after: Trigger = None
    whitespace: Whitespace = "flexible"
    key_order: KeyOrder = "schema"
    formats: Formats = None

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _with_formats(write(self), self.formats, [tool.parameters for tool in self.tools])

    def build(self, context: BuildContext) -> CompiledConstraint:
        return _build(self.tagged, self.name, context)

    @property
    def tagged(self) -> StructuralTag:
        """Give the same as tags."""
        before, found, _ = self.begin.partition(_NAME)
        trigger = before if self.trigger is None else self.trigger
        if not found or not trigger or not before.startswith(trigger):
            raise SchemaError(
                f"{self.name}: a call is not told by begin={self.begin!r} and trigger={self.trigger!r}",
                hint='begin has text before {name}, such as "<function={name}>", and the trigger is how it starts',
            )
        tags = [
            Tag(begin=self.begin.replace(_NAME, tool.name), schema=tool.parameters, end=self.end, name=tool.name)
            for tool in self.tools
        ]
        shared = {name: getattr(self, name) for name in StructuralTag.model_fields if name not in ("tags", "triggers")}
        return StructuralTag(tags=tuple(tags), triggers=(trigger,), **shared)


def _with_formats(written: dict[str, Any], formats: Formats, schemas: Sequence[Any]) -> dict[str, Any]:
    """Say in a recipe that formats are asserted: types are written as schemas, of which none is by default."""
    asserted = {asserts_formats(formats, schema) for schema in schemas}
    if len(asserted) == 1 or '"format"' not in json.dumps(written):
        return {**written, "formats": "assert"} if asserted == {True} else written
    raise ValueError("types beside schemas, and it is not said whether formats are asserted: give formats=")


def _build(asked: StructuralTag, name: str, context: BuildContext) -> CompiledConstraint:
    from decodekit_json.embedded import CallsSource, first_of
    from decodekit_json.partials import CallFormat, Calls
    from decodekit_json.sources import refuse_surrogates

    if asked.max_calls is not None and asked.max_calls < asked.min_calls:
        raise SchemaError(f"{name}: min_calls={asked.min_calls} is more than max_calls={asked.max_calls}")
    refuse_surrogates([text for tag in asked.tags for text in (tag.begin, tag.end)], name)
    triggers = tuple(dict.fromkeys(asked.triggers)) or first_of([tag.begin for tag in asked.tags])
    read = [_read(tag, asked, name) for tag in asked.tags]
    source = CallsSource(tuple(source for source, _ in read), triggers, asked.min_calls, asked.max_calls)
    reads = {tag.begin: (tag.name or tag.begin, parse) for tag, (_, parse) in zip(asked.tags, read, strict=True)}
    names = {tag.begin: (tag.name or tag.begin, tag.end) for tag in asked.tags}
    reader = Calls(CallFormat(names, triggers, asked.max_calls), value=[])

    def parse(text: str) -> list[ToolCall]:
        whole = reader.push(text)
        if whole.is_open:
            raise ValueError(f"the text ends inside of a call: {whole.rest!r:.80}")
        found = [(*reads[begin], document) for begin, document in whole.found]
        return [ToolCall(name, read(document)) for name, read, document in found]

    return build(source, name, context, asked.after, parse, reader)


def _read(tag: Tag, asked: StructuralTag, name: str) -> tuple[TagSource, Parse]:
    from decodekit_json.compiler import Options
    from decodekit_json.embedded import TagSource
    from decodekit_json.sources import SchemaSource

    schema, parse = load_schema(tag.schema_, f"{name}: {tag.begin!r:.80}")
    formats = asserts_formats(asked.formats, tag.schema_)
    options = Options(asked.key_order, asked.whitespace, formats, typed=is_type(tag.schema_))
    return TagSource(tag.begin, SchemaSource(schema, options), tag.end), parse


__all__ = ["StructuralTag", "Tag", "Tool", "ToolCall", "ToolCalls"]
