"""The request's schema put into the prompt: a constraint forces the form, but only the prompt says what is wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from decodekit.errors import PromptError
from decodekit.techniques import Constraint, Prompt, Technique
from decodekit_prompts.messages import Message, with_last_user, with_system
from decodekit_prompts.templates import checked_template, render
from decodekit_prompts.words import describe


class SchemaInWords(Prompt, name="schema_in_words"):
    """Tell the model which JSON the request's schema allows.

    The schema is that of each constraint of the request that has a field `schema` (or one with that alias), whichever
    plugin it is from; the field's JSON form is the schema, its JSON text, or the path of a file with it.

    Args:
        style: "words" lists properties, types and bounds; "schema" shows the JSON Schema.
        place: Before the prompt or after it; in a chat, in the system message or in the user's last message.
        template: Jinja template with `{{ schema }}`.

    Raises:
        PromptError: When no constraint of the request has a schema.
    """

    style: Literal["words", "schema"] = "words"
    place: Literal["after", "before"] = "after"
    template: str = Field(default="Answer with JSON only: {{ schema }}")

    @field_validator("template")
    @classmethod
    def _has_schema(cls, value: str) -> str:
        return checked_template(value, ("schema",), ("schema",))

    def __call__(self, prompt: str | list[Message], context: Mapping[str, Any]) -> str | list[Message]:
        schemas = [found for technique in context["techniques"] for found in schemas_of(technique)]
        if not schemas:
            raise PromptError(f"{self.name}: no technique of the request has a schema", hint="add json_schema=…")
        told = " This too: ".join(self._told(schema) for schema in schemas)
        text = render(self.template, schema=told)
        if isinstance(prompt, str):
            return f"{prompt.rstrip()}\n\n{text}\n\n" if self.place == "after" else f"{text}\n\n{prompt}"
        if self.place == "before":
            return with_system(prompt, text)
        return with_last_user(prompt, lambda old: f"{old}\n\n{text}" if old else text, self.name)

    def _told(self, schema: Any) -> str:
        return describe(schema) if self.style == "words" else json.dumps(schema, ensure_ascii=False)


def schemas_of(technique: Technique) -> Sequence[Any]:
    """Give the JSON Schema of a constraint that declares one, as a list of at most one.

    Raises:
        PromptError: When it is declared but cannot be read.
    """
    names = {info.alias or name for name, info in type(technique).model_fields.items()}
    if not isinstance(technique, Constraint) or "schema" not in names:
        return ()
    source = technique.model_dump(mode="json", by_alias=True)["schema"]
    if not isinstance(source, str):
        return (source,)
    try:
        text = source if source.lstrip().startswith(("{", "true", "false")) else Path(source).read_text("utf-8")
        return (json.loads(text),)
    except (OSError, ValueError) as error:
        raise PromptError(f"the schema of {technique.name!r} cannot be read: {error}") from error


__all__ = ["SchemaInWords", "schemas_of"]
