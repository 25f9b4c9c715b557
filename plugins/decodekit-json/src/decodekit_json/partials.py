"""Reading texts that have free text around their documents, as they come."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from decodekit.schemas import Parse
from decodekit.techniques import PartialParser

_DECODER = json.JSONDecoder()


def behind(trigger: str, parse: Parse | None) -> Parse | None:
    """Have only what stands behind the first trigger read."""
    return None if parse is None else lambda text: parse(text.partition(trigger)[2])


@dataclass(frozen=True, slots=True)
class Behind(PartialParser):
    """Reads what stands behind the first trigger.

    Args:
        trigger: Up to where the text is free.
        document: Reads what comes then.
        tail: End of the free text, in which a trigger may have begun; None behind the trigger.
        value: What is complete.
    """

    trigger: str
    document: PartialParser
    tail: str | None = ""
    value: Any = None

    def push(self, text: str) -> Behind:
        if self.tail is None:
            return self._read(self.document.push(text))
        free, found, rest = (self.tail + text).partition(self.trigger)
        if found:
            return self._read(self.document.push(rest))
        return Behind(self.trigger, self.document, free[max(0, len(free) - len(self.trigger) + 1) :])

    def end(self) -> Behind:
        return self if self.tail is not None else self._read(self.document.end())

    def _read(self, document: PartialParser) -> Behind:
        return Behind(self.trigger, document, None, document.value)


class CallFormat:
    """How calls stand in a text.

    Args:
        tags: Name and end of each tag by its beginning.
        triggers: Where free text ends.
        most: How many calls are read; None for all.
    """

    def __init__(self, tags: Mapping[str, tuple[str, str]], triggers: Sequence[str], most: int | None) -> None:
        self.tags, self.most = tags, most
        self.longest_first = sorted(tags, key=len, reverse=True)
        self.trigger = re.compile("|".join(map(re.escape, triggers)))
        self.longest = max(map(len, triggers))

    def first(self, text: str) -> tuple[str, str, Any, int] | None:
        """Give the first call that is complete: its beginning, its document as text and as data, and where it ends."""
        hit = self.trigger.search(text)
        if hit is None:
            return None
        start = hit.start()
        if any(begin.startswith(text[start:]) for begin in self.longest_first):  # a longer one may still come
            return None
        begin = next((begin for begin in self.longest_first if text.startswith(begin, start)), None)
        if begin is None:
            return None
        start += len(begin)
        end = self.tags[begin][1]
        if end not in text[start:]:
            return None
        try:
            value, stop = _DECODER.raw_decode(text, start)
        except ValueError:
            return None
        return (begin, text[start:stop], value, stop + len(end)) if text.startswith(end, stop) else None


@dataclass(frozen=True, slots=True)
class Calls(PartialParser):
    """Reads calls as they are completed; `value` has them as dicts with `name` and `arguments`.

    Args:
        how: How calls stand in the text.
        rest: Text that is not read.
        found: Beginning and document of each call, as text.
        value: The calls as plain data.
    """

    how: CallFormat
    rest: str = ""
    found: tuple[tuple[str, str], ...] = ()
    value: Any = ()

    @property
    def is_open(self) -> bool:
        """Say whether the text ends inside of a call."""
        return len(self.found) != self.how.most and self.how.trigger.search(self.rest) is not None

    def push(self, text: str) -> Calls:
        how, rest, found, value = self.how, self.rest + text, list(self.found), list(self.value)
        while len(found) != how.most and (call := how.first(rest)):
            begin, document, arguments, end = call
            found.append((begin, document))
            value.append({"name": how.tags[begin][0], "arguments": arguments})
            rest = rest[end:]
        if how.trigger.search(rest) is None:
            rest = rest[max(0, len(rest) - how.longest + 1) :]
        return Calls(how, rest, tuple(found), value)

    def end(self) -> Calls:
        return self


__all__ = ["Behind", "CallFormat", "Calls", "behind"]
