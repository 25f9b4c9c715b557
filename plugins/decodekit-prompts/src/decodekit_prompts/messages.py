"""Chat messages as values: each function gives a new list and leaves the old one alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from decodekit.errors import PromptError

Message = dict[str, Any]


def with_system(messages: list[Message], text: str) -> list[Message]:
    """Put a text before the system message's, or into a new system message."""
    if messages and messages[0]["role"] == "system":
        return [_changed(messages[0], lambda old: f"{text}\n\n{old}"), *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def with_last_user(messages: list[Message], change: Callable[[str], str], asker: str) -> list[Message]:
    """Change the text of the last message.

    Raises:
        PromptError: When the last message is not the user's.
    """
    if not messages or messages[-1]["role"] != "user":
        role = messages[-1]["role"] if messages else "nobody"
        raise PromptError(
            f"{asker} changes the user's last message, and the last message is from {role!r}",
            hint="end the messages with one from 'user'",
        )
    return [*messages[:-1], _changed(messages[-1], change)]


def leading_system(messages: list[Message]) -> int:
    """Count the system messages at the start."""
    return next((i for i, message in enumerate(messages) if message["role"] != "system"), len(messages))


def _changed(message: Message, change: Callable[[str], str]) -> Message:
    """Change a message's text; in a list of parts, its last part that is text."""
    content = message.get("content")
    if isinstance(content, list):
        places = [i for i, part in enumerate(content) if isinstance(part, dict) and part.get("type") == "text"]
        if not places:
            return {**message, "content": [*content, {"type": "text", "text": change("")}]}
        part = content[places[-1]]
        changed = {**part, "text": change(part["text"])}
        return {**message, "content": [*content[: places[-1]], changed, *content[places[-1] + 1 :]]}
    return {**message, "content": change(content or "")}


__all__ = ["Message", "leading_system", "with_last_user", "with_system"]
