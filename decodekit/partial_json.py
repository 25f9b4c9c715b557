"""JSON that is not finished: what of it is complete, read piece by piece without reading anything twice.

For constraints whose texts are JSON; it does not validate them. `pydantic_core.from_json(…, allow_partial=True)` reads
the whole text again at every piece, and takes a number for complete that may go on.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from decodekit.techniques import PartialParser

_BETWEEN = re.compile(r"[ \t\r\n,:]*")
_SCALAR = re.compile(r"[-+.0-9A-Za-z]+")
_LITERALS = ("true", "false", "null")
_HIGH, _LOW = "[dD][89abAB][0-9a-fA-F]{2}", "[dD][c-fC-F][0-9a-fA-F]{2}"
_NO_LOW_FOLLOWS = r"(?=[^\\]|\\[^u]|\\u(?:[^dD]|[dD][^c-fC-F]))"
_ESCAPE = rf'["\\/bfnrt]|u(?:(?!{_HIGH})[0-9a-fA-F]{{4}}|{_HIGH}(?:\\u{_LOW}|{_NO_LOW_FOLLOWS}))'
_CHARACTERS = re.compile(rf'(?:[^"\\]+|\\(?:{_ESCAPE}))*+')
_NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Container:
    """An object or array that is open.

    Attributes:
        is_object: Which of the two.
        around: The container that it stands in.
        items: Values that are complete; pairs of key and value in an object.
        key: Key of the value that comes next; None in an array, and where the key comes next.
    """

    is_object: bool
    around: Container | None
    items: tuple[Any, ...] = ()
    key: str | None = None

    def plus(self, value: Any) -> Container:
        """Add what is complete: a key or a value."""
        if not self.is_object:
            return Container(False, self.around, (*self.items, value))
        if self.key is None:
            return Container(True, self.around, self.items, value)
        return Container(True, self.around, (*self.items, (self.key, value)))

    @property
    def value(self) -> dict[str, Any] | list[Any]:
        """What is complete of it."""
        return dict(self.items) if self.is_object else list(self.items)


@dataclass(frozen=True, slots=True)
class PartialJSON(PartialParser):
    """The state after a part of a JSON text.

    `value` has what is complete: members and items of open objects and arrays too, which show as soon as they are open;
    strings once they are closed; numbers once something else follows; a key only with its value. None before that.

    *Cost:* each character is read once; a value that completes copies the references of the container that it joins,
    and those of the open containers around it.

    Args:
        strings: Whether strings show as they grow, whole characters only.
        container: The innermost open container.
        string: What was read of an open string.
        rest: Text that is not read: a scalar or an escape that may go on.
        value: What is complete.
    """

    strings: bool = False
    container: Container | None = None
    string: str | None = None
    rest: str = ""
    value: Any = None

    def push(self, text: str) -> PartialJSON:
        cursor = _Cursor(self, text)
        while cursor.read():
            pass
        container, string = cursor.container, cursor.string
        shown = cursor.complete
        if self.strings and string is not None and not (container and container.is_object and container.key is None):
            shown = string
        changed = container is not self.container or shown is not _NOTHING
        value = _shown(container, shown) if changed else self.value
        return PartialJSON(self.strings, container, string, cursor.text[cursor.at :], value)

    def end(self) -> PartialJSON:
        return replace(self.push(" "), rest="")


class _Cursor:
    """Goes through one piece of text.

    Attributes:
        container: As in `PartialJSON`, as is `string`.
        text: What was left over and the piece.
        at: How far it is read.
        complete: The document, once it is.
    """

    def __init__(self, state: PartialJSON, text: str) -> None:
        self.container, self.string = state.container, state.string
        self.text, self.at = state.rest + text, 0
        self.complete: Any = _NOTHING

    def read(self) -> bool:
        """Read one token; False where the text ends before it does."""
        return self._between() if self.string is None else self._inside()

    def _between(self) -> bool:
        self.at = _end(_BETWEEN, self.text, self.at)
        letter = self.text[self.at : self.at + 1]
        match letter:
            case "":
                return False
            case "{" | "[":
                self.container = Container(letter == "{", self.container)
            case "}" | "]":
                assert self.container is not None
                value, self.container = self.container.value, self.container.around
                self._add(value)
            case '"':
                self.string = ""
            case _:
                return self._scalar()
        self.at += 1
        return True

    def _scalar(self) -> bool:
        end = _end(_SCALAR, self.text, self.at)
        token = self.text[self.at : end]
        if end == len(self.text) and token not in _LITERALS:
            return False
        self.at = end
        self._add(json.loads(token))
        return True

    def _inside(self) -> bool:
        assert self.string is not None
        end = _end(_CHARACTERS, self.text, self.at)
        part = self.text[self.at : end]
        self.string += json.loads(f'"{part}"') if "\\" in part else part
        self.at = end
        if self.text[end : end + 1] != '"':
            return False
        self.at += 1
        value, self.string = self.string, None
        self._add(value)
        return True

    def _add(self, value: Any) -> None:
        if self.container is None:
            self.complete = value
        else:
            self.container = self.container.plus(value)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _shown(container: Container | None, inner: Any) -> Any:
    """Give the document with what is complete of it; `inner` is the value at hand, which the container has not yet."""
    while container is not None:
        inner = (container if inner is _NOTHING else container.plus(inner)).value
        container = container.around
    return inner


__all__ = ["PartialJSON"]
