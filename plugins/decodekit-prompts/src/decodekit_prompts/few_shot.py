"""Few-shot prompting: examples of the task before the question (arXiv:2005.14165)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from decodekit.techniques import Prompt
from decodekit_prompts.messages import Message, leading_system
from decodekit_prompts.templates import checked_template, render


class FewShot(Prompt, name="few_shot", source="arXiv:2005.14165"):
    """Show examples before the prompt.

    In a chat each example becomes a turn of the user and one of the assistant, after the system messages. In a text
    each one fills `template`, and the prompt fills `query`.

    Args:
        examples: Pairs of input and output, in the order in which they are shown.
        template: Jinja template of an example, with `{{ input }}` and `{{ output }}`.
        query: Jinja template of the prompt, with `{{ input }}`.
    """

    examples: tuple[tuple[str, str], ...] = Field(min_length=1)
    template: str = "Input: {{ input }}\nOutput: {{ output }}\n\n"
    query: str = "Input: {{ input }}\nOutput:"

    @field_validator("template")
    @classmethod
    def _example(cls, value: str) -> str:
        return checked_template(value, ("input", "output"), ("input", "output"))

    @field_validator("query")
    @classmethod
    def _question(cls, value: str) -> str:
        return checked_template(value, ("input",), ("input",))

    def __call__(self, prompt: str | list[Message], context: Mapping[str, Any]) -> str | list[Message]:
        if isinstance(prompt, str):
            shown = [render(self.template, input=given, output=wanted) for given, wanted in self.examples]
            return "".join(shown) + render(self.query, input=prompt)
        start = leading_system(prompt)
        turns = [
            {"role": role, "content": text}
            for example in self.examples
            for role, text in zip(("user", "assistant"), example, strict=True)
        ]
        return [*prompt[:start], *turns, *prompt[start:]]


__all__ = ["FewShot"]
