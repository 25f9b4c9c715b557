"""Where a thread stands before a value, and how it begins one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from decodekit_json.machine import Outlook, Place, Thread, Threads, grown

if TYPE_CHECKING:
    from decodekit_json.nodes import Node
    from decodekit_json.whitespace import Whitespace


class Before(Place):
    """Before a value; `Node.before` gives it."""

    __slots__ = ("_enough", "_reach", "depth", "gap", "node", "whitespace")

    def __init__(self, node: Node, depth: int, gap: int, whitespace: Whitespace) -> None:
        super().__init__(node, depth, gap)
        self.node, self.depth, self.gap, self.whitespace = node, depth, gap, whitespace
        self._enough = self._reach = -1

    @property
    def enough(self) -> int:
        """Give a number of bytes that is enough for the value."""
        if self._enough < 0:
            from decodekit_json.ceilings import enough

            self._enough = enough(self.node)
        return self._enough

    def reach(self) -> int:
        if self._reach < 0:
            self._reach = max(self.node.reach(), self.enough) + 1
        return self._reach

    def endless(self) -> bool:
        from decodekit_json.node_values import endless

        return endless(self.node)


class Value(Before):
    """Before a value, after a colon."""

    __slots__ = ()

    def step(self, thread: Thread, byte: int) -> Threads:
        gap = self.whitespace.step(self.gap, byte, 0, False) if self.depth else -1
        if gap >= 0:
            place = self.node.before(Value, self.whitespace, self.depth, gap)
            return (Thread(place, thread.below, grown(thread.text, byte)),)
        if self.due() >= 0:
            return ()
        return begin(self.node, byte, self.depth, thread.below, thread.text, self.whitespace)

    def bytes(self) -> Iterable[int]:
        gap = self.whitespace.bytes(self.gap, 0, False) if self.depth else ()
        return (*gap, *(byte for byte, _ in self.node.openings))

    def readings(self, thread: Thread) -> Threads:
        if self.due() >= 0:
            return ()
        return [Thread(reading, thread.below, thread.text) for reading in self.node.readings]

    def marks(self) -> Iterable[int]:
        gap = self.whitespace.bytes(self.gap, 0, False) if self.depth else ()
        return (*gap, *self.node.brackets)

    def distance(self) -> int:
        return self.node.distance

    def ceiling(self) -> int:
        return self.enough + self.whitespace.slack

    def due(self) -> int:
        return self.whitespace.due(self.gap, 0, False) if self.depth else -1

    @property
    def required(self) -> bytes:
        return self.whitespace.required

    def outlook(self, quoted: Collection[str]) -> Outlook | None:
        look = self.node.outlook(self.whitespace, self.depth)
        if look is None:
            return None
        return look.within("value", self.gap, bool(self.depth), self.whitespace.policy)


def begin(
    node: Node, byte: int, depth: int, below: Thread | None, text: bytes | None, whitespace: Whitespace
) -> Threads:
    """Give the threads that begin a value with one byte."""
    found: list[Thread] = []
    for first, plans in node.openings:
        if first == byte:
            for plan in plans:
                found += plan.begin(byte, depth, below, grown(text, byte), whitespace)
            break
    return found


__all__ = ["Before", "Value", "begin"]
