"""Where a record goes: into a list that the user owns, or as JSON lines into a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from decodekit.errors import RequestError


class Sink(Protocol):
    """What takes events, one after another."""

    def write(self, event: dict[str, Any]) -> None:
        """Take one event."""


class Recorder:
    """Events in memory, in the order in which they happened; may serve many requests and calls.

    Attributes:
        events: Plain data, see `Record`.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def write(self, event: dict[str, Any]) -> None:
        """Append one event."""
        self.events.append(event)

    def steps(self, request: int = 0) -> Iterator[dict[str, Any]]:
        """Give the steps of one request."""
        return (event for event in self.events if event["event"] == "step" and event["request"] == request)

    def __repr__(self) -> str:
        return f"Recorder({len(self.events)} events)"


class LineFile:
    """Events as JSON, one per line, appended to a file that is closed after each, so that a crash loses nothing.

    Raises:
        RequestError: When the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.open("a", encoding="utf-8").close()
        except OSError as error:
            raise RequestError(
                f"record: {str(path)!r} cannot be written: {error.strerror or error}",
                hint="give the path of a file in a folder that exists",
            ) from error

    def write(self, event: dict[str, Any]) -> None:
        """Append one line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")


__all__ = ["LineFile", "Recorder", "Sink"]
