"""Strings as terminals: the texts of an expression, inside of quotes with every JSON writing, or as plain UTF-8.

A state is a tuple. Between characters: the expression that is left, the code points still needed at least, the code
points still possible. Inside of a character also what its bytes so far are; where all characters that it can become
lead to the same place, the state keeps that place and forgets which bytes they were. Lengths are counters and never
unrolled; a counter that the expression makes idle is dropped, so that states meet.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import lru_cache
from typing import Any

from decodekit_json import languages as lg
from decodekit_json import writings as wr
from decodekit_json.costs import Begun, nearest, spread
from decodekit_json.expressions import (
    ALT,
    AND,
    ANYTHING,
    CHARS,
    NEVER,
    REPEAT,
    Node,
    Partition,
    both,
    first_bytes,
    partition,
    repeat,
    step,
)
from decodekit_json.horizons import slack
from decodekit_json.steady import Steady, steady
from decodekit_json.terminal import INFINITE, Terminal

_QUOTE, _BACKSLASH = 0x22, 0x5C
_DIRECT = frozenset(range(0x20, 0x80)) - {_QUOTE, _BACKSLASH}
_FOREIGN = ((0x80, 0xD7FF), (0xE000, 0x10FFFF))
_BYTES = sorted(_DIRECT | wr.LEADS.keys())
_INNER = {shape: bytes(moves) for shape, moves in wr.MOVES.items()}
_START = ("start",)
_END = ("end",)
_BETWEEN, _UNIFORM, _SPLIT = 3, 4, 5
_KEPT = 2048

Ways = list[tuple[bytes, "State"]]

State = tuple[Any, ...]
"""START, END, (node, need, room), (shape, target, need, room) or (shape, value, node, need, room)."""

Between = tuple[Node, int, int]

Options = tuple[tuple[Node, int, int], ...]
"""Targets of a partial character: the node, the bytes that are left to it, how many code points lead to it so."""


class _Texts(Terminal):
    """What both ways of writing share."""

    _costs = wr.RAW_COSTS
    _closing = 0

    def __init__(self, expression: Node, min_length: int = 0, max_length: int | None = None) -> None:
        room = INFINITE if max_length is None else max_length
        self.expression, self.min_length, self.max_length = expression, min_length, max_length
        node, need, room = _counters_out(expression, min_length, room)
        alive = need <= room and lg.has_length(node, need, room)
        self._first: Between | None = _settled(node, need, room) if alive else None
        if self._first:
            nearest(*self._first, self._costs)  # what cannot be searched is refused before the first byte

    def reader(self, state: State) -> Hashable:
        """Give what is equal for terminals that read on in the same way: what is left of a text is in the state."""
        return self if state == _START else type(self)

    def plain(self, state: State) -> tuple[int, int] | None:
        """Give the code points still needed at least and still possible, where only they matter.

        That is between two characters of a text whose rest may be anything; None elsewhere. Without a longest text
        the second is `INFINITE`.
        """
        return state[1:] if len(state) == _BETWEEN and state[0] is ANYTHING else None

    def endless(self, state: State) -> bool:
        """Say whether there is no longest text and infinitely many texts can still come, between two characters."""
        if state == _START:
            return self._first is not None and self.endless(self._first)
        return len(state) == _BETWEEN and state[2] == INFINITE and lg.is_infinite(state[0])

    def alternatives(self, state: State) -> list[State]:
        """Give the states of an expression's alternatives, where the text stands between two characters."""
        if len(state) != _BETWEEN or state[0].kind != ALT:
            return []
        _, need, room = state
        return [_settled(part, need, room) for part in state[0].parts if lg.has_length(part, need, room)]

    def _beyond(self, state: State, byte: int) -> State | None:
        """Begin a character beyond ASCII."""
        lead = wr.LEADS.get(byte)
        if lead is None:
            return None
        node, need, room = state
        target = _foreign(node)
        if target is None:
            return _enter(lead[0], lead[1], node, need, room)
        arrived = _arrive(target, need, room)
        return (lead[0], *arrived) if arrived else None

    def _within(self, state: State, byte: int) -> State | None:
        """Go on inside of a character."""
        move = wr.MOVES[state[0]].get(byte)
        if move is None:
            return None
        shape, shift, more = move
        if len(state) == _UNIFORM:
            return state[1:] if shape == wr.DONE else (shape, *state[1:])
        _, value, node, need, room = state
        value = (value << shift) + more
        if shape == wr.DONE:
            return _arrive(_target(node, value), need, room)
        return _enter(shape, value, node, need, room)

    def _options(self, state: State) -> Iterator[tuple[Node, int, int, int, int]]:
        """Give target, need, room, bytes left and number of code points, for every way out of a character."""
        if len(state) == _UNIFORM:
            shape, target, need, room = state
            for low, high, left in wr.spans(shape, wr.ANY_VALUE.get(shape, 0)):
                yield target, need, room, left, high - low + 1
            return
        shape, value, node, need, room = state
        need, room = max(need - 1, 0), room - 1 if room < INFINITE else room
        for target, left, number in _targets(shape, value, node)[0]:
            if lg.has_length(target, need, room):
                yield target, need, room, left, number

    def distance(self, state: State) -> int:
        """Give the fewest bytes to the end, exactly."""
        if state is _END or state == _END:
            return 0
        if state == _START:
            assert self._first
            return 1 + nearest(*self._first, self._costs) + self._closing
        if len(state) == _BETWEEN:
            node, need, room = state
            return nearest(node, need, room, self._costs) + self._closing
        ways = (left + nearest(target, need, room, self._costs) for target, need, room, left, _ in self._options(state))
        return min(ways) + self._closing

    def count(self, state: State, limit: int) -> int:
        """Give how many different texts can still come out, at most `limit`."""
        if state == _END:
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
        if state == _END:
            return 0, False
        found, many = spread(self._begun(state), self._costs, most, beyond)
        return found if found >= INFINITE else found + self._closing - self.distance(state), many

    def _begun(self, state: State) -> Iterator[Begun]:
        """Give what is left of the texts that can still come out, each text once; not at the end."""
        if state == _START:
            assert self._first
            yield (*self._first, 1, 1)
            return
        if len(state) == _BETWEEN:
            yield (*state, 0, 1)
            return
        for target, need, room, left, number in self._options(state):
            if state[0] != wr.ESCAPE or left > 1:  # a short escape is one of those beginning with u, too
                yield target, need, room, left, number

    def between_characters(self, state: State) -> bool:
        """Say whether a state is between two characters."""
        return len(state) == _BETWEEN

    def completions(self, state: State) -> Iterator[bytes]:
        """Give one completion for each text that can still come out; the shortest texts first, between characters."""
        if state == _END:
            yield b""
        elif state == _START:
            assert self._first
            for rest in self.completions(self._first):
                yield b'"' + rest
        elif len(state) == _BETWEEN:
            node, need, room = state
            for text in lg.texts(node, need, room):
                yield self._written(text)
        else:
            yield from self._completed(state)

    def _completed(self, state: State) -> Iterator[bytes]:
        shape, uniform = state[0], len(state) == _UNIFORM
        if uniform:
            _, node, need, room = state
            value = wr.ANY_VALUE.get(shape, 0)
        else:
            _, value, node, need, room = state
            need, room = max(need - 1, 0), room - 1 if room < INFINITE else room
        for low, high, left in wr.spans(shape, value):
            if shape == wr.ESCAPE and left == 1:
                continue
            for first, size, after in ((low, high - low + 1, node),) if uniform else _stretches(node, low, high):
                if lg.has_length(after, need, room):
                    for code in range(first, first + size):
                        begun = wr.tail(shape, code, left)
                        for text in lg.texts(after, need, room):
                            yield begun + self._written(text)

    def _written(self, text: str) -> bytes:
        raise NotImplementedError

    def alike(self, state: State, horizon: int) -> Hashable:
        """Give the state with counters past the horizon made equal, where they cannot matter within it."""
        if len(state) < _BETWEEN or (state[-1] == INFINITE and state[-2] <= horizon):
            return state
        node, (need, room) = state[-3], state[-2:]
        spare = slack(node)
        if spare is None:
            return state
        seen = need if need <= horizon else horizon + 1
        return (*state[:-2], seen, room if room <= horizon + spare + 1 else INFINITE)


class StringTerminal(_Texts):
    r"""The JSON strings whose text is in `expression` and has `min_length` to `max_length` code points.

    Every writing that JSON has is accepted: UTF-8, short escapes, `\/`, `\uXXXX` and surrogate pairs; never a lone
    surrogate. Exact: a state exists only where a text of these lengths can be completed. Make it with
    `string_terminal`.

    Raises:
        UnsupportedSchemaError: Where lengths or the shortest writing go past what is searched.
    """

    _costs = wr.JSON_COSTS
    _closing = 1

    def start(self) -> State | None:
        """Give the state before the opening quote."""
        return _START if self._first else None

    def step(self, state: State, byte: int) -> State | None:
        """Give the state after `byte`."""
        if len(state) == _BETWEEN:
            node, need, room = state
            if byte in _DIRECT:
                table = node.ascii
                target = (table[byte] if table else None) or _fill(node, byte)
                if target is node:
                    if room == INFINITE and not need:
                        return state
                    if node.loose and room:
                        return (node, need - 1 if need else 0, room if room == INFINITE else room - 1)
                return _arrive(target, need, room)
            if byte == _QUOTE:
                return _END if not need and node.nullable else None
            if byte == _BACKSLASH:
                return _enter(wr.ESCAPE, 0, node, need, room)
            return self._beyond(state, byte)
        if len(state) > _BETWEEN:
            return self._within(state, byte)
        return self._first if byte == _QUOTE and state == _START else None

    def ways(self, state: State) -> Ways | None:
        """Give all bytes that may follow, and the states after them; None inside of characters that lead apart."""
        if len(state) == _BETWEEN:
            return list(self._ways(*state))
        if len(state) == _UNIFORM:
            return [(letters, (*shape, *state[1:])) for letters, shape in wr.NEXT[state[0]]]
        return None

    def _ways(self, node: Node, need: int, room: int) -> Iterator[tuple[bytes, State]]:
        targets = [_target(node, code) for code in partition(node).members]
        arrived = [_arrive(target, need, room) for target in targets]
        for classes, shape, letters in _beginnings(partition(node)):
            after = arrived[classes[0]]
            if len({targets[number] for number in classes}) > 1:
                for byte in letters:
                    inner = _enter(*wr.LEADS[byte], node, need, room)
                    if inner is not None:
                        yield bytes((byte,)), inner
            elif after is not None:
                yield letters, (*shape, *after)
        if not need and node.nullable:
            yield b'"', _END
        escaped = _enter(wr.ESCAPE, 0, node, need, room)
        if escaped is not None:
            yield b"\\", escaped

    def allowed(self, state: State) -> bytes:
        """Give the bytes that may follow, or more: lengths are left out."""
        if len(state) == _BETWEEN:
            return _letters(state[0])
        if len(state) > _BETWEEN:
            return _INNER[state[0]]
        return b'"' if state == _START else b""

    end = _END

    def steady(self, state: State) -> Steady | None:
        """Give the characters of which any number may follow, where the text stands between two and has no limits."""
        return steady(state[0]) if len(state) == _BETWEEN and not state[1] and state[2] == INFINITE else None

    def places(self, state: State) -> tuple[State, ...]:
        """Give states that are as far from the end as any that steady characters lead to, or farther."""
        return tuple([(wr.THREE_MORE, place, 0, INFINITE) for place in steady(state[0]).places])

    def shortest(self, state: State) -> int:
        """Give the fewest code points to the end but for one that was begun, where there are no limits."""
        if state == _END:
            return 0
        if len(state) == _BETWEEN:
            return lg.shortest(state[0])
        return min(lg.shortest(target) for target, *_ in self._options(state))

    def limits(self, state: State) -> tuple[int, int] | None:
        """Give the code points still needed and possible between two characters; None where there are no limits."""
        return state[1:] if len(state) == _BETWEEN and (state[1] or state[2] < INFINITE) else None

    def unlimited(self, state: State) -> State:
        """Give a state between two characters without its limits."""
        return (state[0], 0, INFINITE)

    def limited(self, state: State, read: int, need: int, room: int) -> State | None:
        """Give a state with the limits that a text began with; None where no text keeps them.

        Args:
            state: A state that was reached from one without limits.
            read: Code points on the way, one that is not finished included.
            need: Code points that were needed at the beginning.
            room: Code points that were possible.
        """
        if state == _END:
            return state if need <= read <= room else None
        if read > room:
            return None
        if len(state) == _SPLIT:
            read -= 1
        need, room = max(need - read, 0), room if room == INFINITE else room - read
        if len(state) == _SPLIT:
            return _enter(state[0], state[1], state[2], need, room)
        *shape, node, _, _ = state
        return (*shape, *_settled(node, need, room)) if lg.has_length(node, need, room) else None

    def final(self, state: State) -> bool:
        """Say whether the closing quote is written."""
        return state == _END

    def closed(self, state: State) -> bool:
        """Say whether the closing quote is written."""
        return self.final(state)

    def _written(self, text: str) -> bytes:
        return wr.inside(text) + b'"'


class PlainTerminal(_Texts):
    """The texts of `expression` as UTF-8 without quotes; valid UTF-8 only. Make it with `plain_terminal`."""

    def start(self) -> State | None:
        """Give the state before the first byte."""
        return self._first

    def step(self, state: State, byte: int) -> State | None:
        """Give the state after `byte`."""
        if len(state) != _BETWEEN:
            return self._within(state, byte)
        node, need, room = state
        if byte >= 0x80:
            return self._beyond(state, byte)
        table = node.ascii
        return _arrive((table[byte] if table else None) or _fill(node, byte), need, room)

    def letters(self, state: State) -> int:
        """Give the bytes that may follow, one bit each."""
        if len(state) != _BETWEEN:
            return sum(1 << byte for byte in wr.MOVES[state[0]] if self._within(state, byte) is not None)
        node, need, room = state
        classes, found = partition(node), 0
        alive = [_arrive(_target(node, code), need, room) is not None for code in classes.members]
        for low, high, number in classes.stretches():
            if alive[number]:
                first, last = chr(low).encode()[0], chr(high).encode()[0]
                found |= (2 << last) - (1 << first)
        return found & wr.FIRSTS

    def final(self, state: State) -> bool:
        """Say whether the bytes so far are a text."""
        return len(state) == _BETWEEN and not state[1] and state[0].nullable

    def _written(self, text: str) -> bytes:
        return text.encode()


@lru_cache(maxsize=_KEPT)
def string_terminal(expression: Node, min_length: int = 0, max_length: int | None = None) -> StringTerminal:
    """Give the terminal of JSON strings; mostly the same object for the same arguments, passed in the same way.

    Args:
        expression: What the text may be.
        min_length: Fewest code points.
        max_length: Most code points, None without end.

    Raises:
        UnsupportedSchemaError: Where lengths or the shortest writing go past what is searched.
    """
    return StringTerminal(expression, min_length, max_length)


@lru_cache(maxsize=_KEPT)
def plain_terminal(expression: Node) -> PlainTerminal:
    """Give the terminal of plain UTF-8; the same object for the same expression, as long as the cache keeps it."""
    return PlainTerminal(expression)


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


def _fill(node: Node, code: int) -> Node:
    table = node.ascii
    if table is None:
        empty: list[Node | None] = [None] * 128
        table = node.ascii = empty
    target = table[code] = _target(node, code)
    return target


def _target(node: Node, code: int) -> Node:
    target = step(node, code)
    return target if target.positive or not lg.is_empty(target) else NEVER


def _settled(node: Node, need: int, room: int) -> Between:
    if need and need <= lg.shortest(node):
        need = 0
    return (node, need, INFINITE if node.high <= room else room)


def _arrive(target: Node, need: int, room: int) -> State | None:
    """Give the state after a character that leads to `target`; counters are those before it."""
    if target is NEVER or not room:
        return None
    if not need and room == INFINITE:
        return (target, 0, INFINITE)
    need, room = need - 1 if need else 0, room - 1 if room < INFINITE else room
    if target.loose:
        return (target, need, room) if need <= room else None
    return _settled(target, need, room) if lg.has_length(target, need, room) else None


def _enter(shape: int, value: int, node: Node, need: int, room: int) -> State | None:
    """Give the state inside of a character; counters are those before it."""
    if not room:
        return None
    number = _only_class(partition(node), shape, value)
    if number is not None:
        arrived = _arrive(_target(node, partition(node).members[number]), need, room)
        return (shape, *arrived) if arrived else None
    options, same = _targets(shape, value, node)
    if not options:
        return None
    if same:
        arrived = _arrive(options[0][0], need, room)
        return (shape, *arrived) if arrived else None
    if not need and room == INFINITE:
        return (shape, value, node, need, room)
    after, left = max(need - 1, 0), room - 1 if room < INFINITE else room
    if any(lg.has_length(target, after, left) for target, _, _ in options):
        return (shape, value, node, need, room)
    return None


def _stretches(node: Node, low: int, high: int) -> Iterator[tuple[int, int, Node]]:
    """Give the code points between two, by their number in a row, and where they lead."""
    classes = partition(node)
    for number, size in classes.stretch(low, high):
        yield low, size, _target(node, classes.members[number])
        low += size


def _letters(node: Node) -> bytes:
    """Give the bytes that may follow between two characters of a JSON string, whatever its lengths are."""
    found = node.notes.get("letters")
    if found is None:
        classes, bits = partition(node), 0
        for code, firsts in zip(classes.members, first_bytes(classes), strict=True):
            if _target(node, code) is not NEVER:
                bits |= firsts
        direct = [byte for byte in _BYTES if bits >> byte & 1]
        found = node.notes["letters"] = bytes([*direct, *([_QUOTE] if node.nullable else []), _BACKSLASH])
    return found


def _beginnings(classes: Partition) -> list[tuple[tuple[int, ...], tuple[int, ...], bytes]]:
    """Give the first bytes of characters, those together that have the same classes and leave the same shape."""
    found = classes.notes.get("beginnings")
    if found is None:
        groups: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
        firsts = first_bytes(classes)
        for byte in _BYTES:
            some = tuple([number for number, letters in enumerate(firsts) if letters >> byte & 1])
            groups.setdefault((some, wr.LEADS[byte][:1] if byte in wr.LEADS else ()), []).append(byte)
        found = [(some, shape, bytes(letters)) for (some, shape), letters in groups.items()]
        classes.notes["beginnings"] = found
    return found


def _only_class(classes: Partition, shape: int, value: int) -> int | None:
    """Give the class of all characters that a partial one can become, None where they are of several."""
    key = (shape, value)
    if key not in classes.notes:
        found = {number for low, high, _ in wr.spans(shape, value) for number, _ in classes.stretch(low, high)}
        classes.notes[key] = found.pop() if len(found) == 1 else None
    return classes.notes[key]


def _foreign(node: Node) -> Node | None:
    """Give where every character beyond ASCII leads, None where they lead to different places."""
    if "foreign" not in node.notes:
        places = {target for low, high in _FOREIGN for _, _, target in _stretches(node, low, high)}
        node.notes["foreign"] = places.pop() if len(places) == 1 else None
    return node.notes["foreign"]


def _targets(shape: int, value: int, node: Node) -> tuple[Options, bool]:
    """Give where a partial character can lead, and whether every way leads to one place."""
    key = (shape, value)
    known = node.notes.get(key)
    if known is None:
        known = node.notes[key] = _spread(shape, value, node)
    return known


def _spread(shape: int, value: int, node: Node) -> tuple[Options, bool]:
    found: dict[tuple[Node, int], int] = {}
    whole = True
    for low, high, left in wr.spans(shape, value):
        for _, size, target in _stretches(node, low, high):
            if target is NEVER:
                whole = False
            else:
                found[target, left] = found.get((target, left), 0) + size
    options = tuple((target, left, size) for (target, left), size in found.items())
    return options, whole and len({target for target, _, _ in options}) == 1


__all__ = ["PlainTerminal", "State", "StringTerminal", "plain_terminal", "string_terminal"]
