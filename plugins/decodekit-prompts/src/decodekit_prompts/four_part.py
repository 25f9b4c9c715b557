"""The four-part prompt: role or context, task, input, form of the output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from decodekit.techniques import Prompt
from decodekit_prompts.messages import Message, with_last_user, with_system
from decodekit_prompts.templates import checked_template, render

TEMPLATE = """\
{% if context %}{{ context }}

{% endif %}Task: {{ task }}

Input: {{ input }}
{% if output %}
Output: {{ output }}
{% endif %}
"""


class FourPart(Prompt, name="four_part"):
    """Put the prompt, as the input, between who answers, what is to be done, and what the answer should look like.

    In a chat the context goes into the system message, the rest into the user's last message.

    Args:
        task: What is to be done with the input.
        context: Role of the answerer, or background; may be empty.
        output: Form of the answer; may be empty.
        template: Jinja template with `{{ context }}`, `{{ task }}`, `{{ input }}` and `{{ output }}`.
    """

    task: str = Field(min_length=1)
    context: str = ""
    output: str = ""
    template: str = TEMPLATE

    @field_validator("template")
    @classmethod
    def _parts(cls, value: str) -> str:
        return checked_template(value, ("context", "task", "input", "output"), ("task", "input"))

    def __call__(self, prompt: str | list[Message], context: Mapping[str, Any]) -> str | list[Message]:
        if isinstance(prompt, str):
            return self._filled(prompt, self.context)
        asked = with_last_user(prompt, lambda text: self._filled(text, ""), self.name)
        return with_system(asked, self.context) if self.context else asked

    def _filled(self, text: str, context: str) -> str:
        return render(self.template, context=context, task=self.task, input=text, output=self.output)


__all__ = ["FourPart"]
