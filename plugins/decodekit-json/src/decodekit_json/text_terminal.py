"""What the terminals of texts share, whichever way they are written: lengths, distances, how many texts, and which.

Lengths are counters and never unrolled; a counter that the expression makes idle is dropped, so that states meet. The
bytes are those of `strings` (inside of quotes) and `plain_texts` (UTF-8 alone).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterator

from decodekit_json import languages as lg
from decodekit_json import writings as wr
from decodekit_json.boolean_operations import both
from decodekit_json.characters import (
    Between,
    State,
    arrive,
    enter,
    foreign_target_of,
    settled,
    stretches,
    target_of,
    targets_of,
)
from decodekit_json.costs import Begun, nearest, spread
from decodekit_json.expressions import ALT, AND, CHARS, REPEAT, Node
from decodekit_json.horizons import slack
from decodekit_json.regular_operations import ANYTHING, repeat
from decodekit_json.terminal import INFINITE, Terminal

START = ("start",)
END = ("end",)
BETWEEN, UNIFORM, SPLIT = 3, 4, 5
"""Sizes of states: between two characters; inside of one that leads to one place; inside of one that may lead apart."""


class TextTerminal(Terminal):
    """What both ways of writing share."""

    _costs = wr.RAW_COSTS
    _closing = 0

    def __init__(self, expression: Node, min_length: int = 0, max_length: int | None = None) -> None:
        room = INFINITE if max_length is None else max_length
        self.expression, self.min_length, self.max_length = expression, min_length, max_length
        node, need, room = _counters_out(expression, min_length, room)
        alive = need <= room and lg.has_length(node, need, room)
        self._first: Between | None = settled(node, need, room) if alive else None
        if self._first:
            nearest(*self._first, self._costs)  # what cannot be searched is refused before the first byte

    def reader(self, state: State) -> Hashable:
        """Give what is equal for terminals that read on in the same way: what is left of a text is in the state."""
        return self if state == START else type(self)

    def plain(self, state: State) -> tuple[int, int] | None:
        """Give the code points still needed at least and still possible, where only they matter.

        That is between two characters of a text whose rest may be anything; None elsewhere. Without a longest text
        the second is `INFINITE`.
        """
        return state[1:] if len(state) == BETWEEN and state[0] is ANYTHING else None

    def endless(self, state: State) -> bool:
        """Say whether there is no longest text and infinitely many texts can still come, between two characters."""
        if state == START:
            return self._first is not None and self.endless(self._first)
        return len(state) == BETWEEN and state[2] == INFINITE and lg.is_infinite(state[0])

    def alternatives(self, state: State) -> list[State]:
        """Give the states of an expression's alternatives, where the text stands between two characters."""
        if len(state) != BETWEEN or state[0].kind != ALT:
            return []
        _, need, room = state
        return [settled(part, need, room) for part in state[0].parts if lg.has_length(part, need, room)]

    def _beyond(self, state: State, byte: int) -> State | None:
        """Begin a character beyond ASCII."""
        lead = wr.LEADS.get(byte)
        if lead is None:
            return None
        node, need, room = state
        target = foreign_target_of(node)
        if target is None:
            return enter(lead[0], lead[1], node, need, room)
        arrived = arrive(target, need, room)
        return (lead[0], *arrived) if arrived else None

    def _within(self, state: State, byte: int) -> State | None:
        """Go on inside of a character."""
        move = wr.MOVES[state[0]].get(byte)
        if move is None:
            return None
        shape, shift, more = move
        if len(state) == UNIFORM:
            return state[1:] if shape == wr.DONE else (shape, *state[1:])
        _, value, node, need, room = state
        value = (value << shift) + more
        if shape == wr.DONE:
            return arrive(target_of(node, value), need, room)
        return enter(shape, value, node, need, room)

    def _options(self, state: State) -> Iterator[tuple[Node, int, int, int, int]]:
        """Give target, need, room, bytes left and number of code points, for every way out of a character."""
        if len(state) == UNIFORM:
            shape, target, need, room = state
            for low, high, left in wr.spans(shape, wr.ANY_VALUE.get(shape, 0)):
                yield target, need, room, left, high - low + 1
            return
        shape, value, node, need, room = state
        need, room = max(need - 1, 0), room - 1 if room < INFINITE else room
        for target, left, number in targets_of(shape, value, node)[0]:
            if lg.has_length(target, need, room):
                yield target, need, room, left, number

    def distance(self, state: State) -> int:
        """Give the fewest bytes to the end, exactly."""
        if state is END or state == END:
            return 0
        if state == START:
            assert self._first
            return 1 + nearest(*self._first, self._costs) + self._closing
        if len(state) == BETWEEN:
            node, need, room = state
            return nearest(node, need, room, self._costs) + self._closing
        ways = (left + nearest(target, need, room, self._costs) for target, need, room, left, _ in self._options(state))
        return min(ways) + self._closing

    def count(self, state: State, limit: int) -> int:
        """Give how many different texts can still come out, at most `limit`."""
        if state == END:
            return min(limit, 1)
        found = 0
        for node, need, room, _, number in self._begun(state):
            found += number * lg.count(node, limit, need, room)
            if found >= limit:
                return limit
        return found

    def spread(self, state: State, most: int, beyond: int) -> tuple[int, bool]:
        """Give bytes beyond the fewest within which more than `most` texts end, with True; else such as all end within.

        Args:
            state: Where the text stands.
            most: How many texts are too few.
            beyond: Bytes beyond the fewest that are looked at; `INFINITE` is given past them, with True.

        Raises:
            UnsupportedSchemaError: For more states than are searched.
        """
        if state == END:
            return 0, False
        found, many = spread(self._begun(state), self._costs, most, beyond)
        return found if found >= INFINITE else found + self._closing - self.distance(state), many

    def _begun(self, state: State) -> Iterator[Begun]:
        """Give what is left of the texts that can still come out, each text once; not at the end."""
        if state == START:
            assert self._first
            yield (*self._first, 1, 1)
            return
        if len(state) == BETWEEN:
            yield (*state, 0, 1)
            return
        for target, need, room, left, number in self._options(state):
            if state[0] != wr.ESCAPE or left > 1:  # a short escape is one of those beginning with u, too
                yield target, need, room, left, number

    def between_characters(self, state: State) -> bool:
        """Say whether a state is between two characters."""
        return len(state) == BETWEEN

    def completions(self, state: State) -> Iterator[bytes]:
        """Give one completion for each text that can still come out; the shortest texts first, between characters."""
        if state == END:
            yield b""
        elif state == START:
            assert self._first
            for rest in self.completions(self._first):
                yield b'"' + rest
        elif len(state) == BETWEEN:
            node, need, room = state
            for text in lg.texts(node, need, room):
                yield self._written(text)
        else:
            yield from self._completed(state)

    def _completed(self, state: State) -> Iterator[bytes]:
        shape, uniform = state[0], len(state) == UNIFORM
        if uniform:
            _, node, need, room = state
            value = wr.ANY_VALUE.get(shape, 0)
        else:
            _, value, node, need, room = state
            need, room = max(need - 1, 0), room - 1 if room < INFINITE else room
        for low, high, left in wr.spans(shape, value):
            if shape == wr.ESCAPE and left == 1:
                continue
            for first, size, after in ((low, high - low + 1, node),) if uniform else stretches(node, low, high):
                if lg.has_length(after, need, room):
                    for code in range(first, first + size):
                        begun = wr.tail(shape, code, left)
                        for text in lg.texts(after, need, room):
                            yield begun + self._written(text)

    @abstractmethod
    def _written(self, text: str) -> bytes:
        """Give the bytes of a text's rest, its closing quote included."""

    def alike(self, state: State, horizon: int) -> Hashable:
        """Give the state with counters past the horizon made equal, where they cannot matter within it."""
        if len(state) < BETWEEN or (state[-1] == INFINITE and state[-2] <= horizon):
            return state
        node, (need, room) = state[-3], state[-2:]
        spare = slack(node)
        if spare is None:
            return state
        seen = need if need <= horizon else horizon + 1
        return (*state[:-2], seen, room if room <= horizon + spare + 1 else INFINITE)


def _counters_out(node: Node, need: int, room: int) -> tuple[Node, int, int]:
    """Read counts of single characters as lengths, which are cheaper to follow."""
    if node.kind == REPEAT and node.parts[0].kind == CHARS:
        most = INFINITE if node.most is None else node.most
        return repeat(node.parts[0], 0, None), max(need, node.least), min(room, most)
    if node.kind == AND:
        parts: list[Node] = []
        for part in node.parts:
            bare = part
            if part.kind == REPEAT and part.parts[0].kind == CHARS:
                bare, need, room = _counters_out(part, need, room)
            parts.append(bare)
        return both(*parts), need, room
    return node, need, room


__all__ = ["BETWEEN", "END", "SPLIT", "START", "UNIFORM", "TextTerminal"]
