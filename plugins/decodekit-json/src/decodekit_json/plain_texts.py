"""Texts of an expression as a terminal of plain UTF-8, which patterns and grammars constrain; not inside of quotes."""

from __future__ import annotations

from functools import lru_cache

from decodekit_json import writings as wr
from decodekit_json.characters import State, arrive, ascii_target_of, target_of
from decodekit_json.derivatives import partition
from decodekit_json.expressions import Node
from decodekit_json.text_terminal import BETWEEN, TextTerminal

_KEPT = 2048


class PlainTerminal(TextTerminal):
    """The texts of `expression` as UTF-8 without quotes; valid UTF-8 only. Make it with `plain_terminal`."""

    def start(self) -> State | None:
        """Give the state before the first byte."""
        return self._first

    def step(self, state: State, byte: int) -> State | None:
        """Give the state after `byte`."""
        if len(state) != BETWEEN:
            return self._within(state, byte)
        node, need, room = state
        if byte >= 0x80:
            return self._beyond(state, byte)
        table = node.ascii
        return arrive((table[byte] if table else None) or ascii_target_of(node, byte), need, room)

    def letters(self, state: State) -> int:
        """Give the bytes that may follow, one bit each."""
        if len(state) != BETWEEN:
            return sum(1 << byte for byte in wr.MOVES[state[0]] if self._within(state, byte) is not None)
        node, need, room = state
        classes, found = partition(node), 0
        alive = [arrive(target_of(node, code), need, room) is not None for code in classes.members]
        for low, high, number in classes.stretches():
            if alive[number]:
                first, last = chr(low).encode()[0], chr(high).encode()[0]
                found |= (2 << last) - (1 << first)
        return found & wr.FIRSTS

    def final(self, state: State) -> bool:
        """Say whether the bytes so far are a text."""
        return len(state) == BETWEEN and not state[1] and state[0].nullable

    def _written(self, text: str) -> bytes:
        return text.encode()


@lru_cache(maxsize=_KEPT)
def plain_terminal(expression: Node) -> PlainTerminal:
    """Give the terminal of plain UTF-8; the same object for the same expression, as long as the cache keeps it."""
    return PlainTerminal(expression)


__all__ = ["PlainTerminal", "plain_terminal"]
