"""Zero-shot chain of thought: ask for the way before the answer (arXiv:2205.11916)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from decodekit.techniques import Prompt
from decodekit_prompts.messages import Message, with_last_user, with_system


class ChainOfThought(Prompt, name="chain_of_thought", source="arXiv:2205.11916"):
    """Add an instruction to think first.

    It joins the prompt with `separator`; in a chat the user's last message ("after") or the system message ("before").

    Args:
        instruction: What is added; by default the paper's trigger.
        place: After the prompt, or before it.
        separator: What stands between them.
    """

    instruction: str = Field(default="Let's think step by step.", min_length=1)
    place: Literal["after", "before"] = "after"
    separator: str = "\n\n"

    def __call__(self, prompt: str | list[Message], context: Mapping[str, Any]) -> str | list[Message]:
        if isinstance(prompt, str):
            return self._joined(prompt)
        if self.place == "before":
            return with_system(prompt, self.instruction)
        return with_last_user(prompt, self._joined, self.name)

    def _joined(self, text: str) -> str:
        parts = (text, self.instruction) if self.place == "after" else (self.instruction, text)
        return self.separator.join(part for part in parts if part)


__all__ = ["ChainOfThought"]
