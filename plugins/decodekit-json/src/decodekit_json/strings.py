"""JSON strings as a terminal: the texts of an expression inside of quotes, with every JSON writing.

Not whole schemas of strings: `texts` puts their expressions together. States are those of `characters`, and one before
the opening quote and one behind the closing one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from decodekit_json import languages as lg
from decodekit_json import writings as wr
from decodekit_json.characters import State, arrive, ascii_target_of, enter, settled, target_of
from decodekit_json.derivatives import partition
from decodekit_json.expressions import NEVER, Node
from decodekit_json.partitions import Partition, first_bytes
from decodekit_json.steady import Steady, steady
from decodekit_json.terminal import INFINITE
from decodekit_json.text_terminal import BETWEEN, END, SPLIT, START, UNIFORM, TextTerminal

_QUOTE, _BACKSLASH = 0x22, 0x5C
_DIRECT = frozenset(range(0x20, 0x80)) - {_QUOTE, _BACKSLASH}
_BYTES = sorted(_DIRECT | wr.LEADS.keys())
_INNER = {shape: bytes(moves) for shape, moves in wr.MOVES.items()}
_KEPT = 2048

Ways = list[tuple[bytes, State]]


class StringTerminal(TextTerminal):
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
        return START if self._first else None

    def step(self, state: State, byte: int) -> State | None:
        """Give the state after `byte`."""
        if len(state) == BETWEEN:
            node, need, room = state
            if byte in _DIRECT:
                table = node.ascii
                target = (table[byte] if table else None) or ascii_target_of(node, byte)
                if target is node:
                    if room == INFINITE and not need:
                        return state
                    if node.loose and room:
                        return (node, need - 1 if need else 0, room if room == INFINITE else room - 1)
                return arrive(target, need, room)
            if byte == _QUOTE:
                return END if not need and node.nullable else None
            if byte == _BACKSLASH:
                return enter(wr.ESCAPE, 0, node, need, room)
            return self._beyond(state, byte)
        if len(state) > BETWEEN:
            return self._within(state, byte)
        return self._first if byte == _QUOTE and state == START else None

    def ways(self, state: State) -> Ways | None:
        """Give all bytes that may follow, and the states after them; None inside of characters that lead apart."""
        if len(state) == BETWEEN:
            return list(self._ways(*state))
        if len(state) == UNIFORM:
            return [(letters, (*shape, *state[1:])) for letters, shape in wr.NEXT[state[0]]]
        return None

    def _ways(self, node: Node, need: int, room: int) -> Iterator[tuple[bytes, State]]:
        targets = [target_of(node, code) for code in partition(node).members]
        arrived = [arrive(target, need, room) for target in targets]
        for classes, shape, letters in _beginnings(partition(node)):
            after = arrived[classes[0]]
            if len({targets[number] for number in classes}) > 1:
                for byte in letters:
                    inner = enter(*wr.LEADS[byte], node, need, room)
                    if inner is not None:
                        yield bytes((byte,)), inner
            elif after is not None:
                yield letters, (*shape, *after)
        if not need and node.nullable:
            yield b'"', END
        escaped = enter(wr.ESCAPE, 0, node, need, room)
        if escaped is not None:
            yield b"\\", escaped

    def allowed(self, state: State) -> bytes:
        """Give the bytes that may follow, or more: lengths are left out."""
        if len(state) == BETWEEN:
            return _letters(state[0])
        if len(state) > BETWEEN:
            return _INNER[state[0]]
        return b'"' if state == START else b""

    end = END

    def steady(self, state: State) -> Steady | None:
        """Give the characters of which any number may follow, where the text stands between two and has no limits."""
        return steady(state[0]) if len(state) == BETWEEN and not state[1] and state[2] == INFINITE else None

    def places(self, state: State) -> tuple[State, ...]:
        """Give states that are as far from the end as any that steady characters lead to, or farther."""
        return tuple([(wr.THREE_MORE, place, 0, INFINITE) for place in steady(state[0]).places])

    def shortest(self, state: State) -> int:
        """Give the fewest code points to the end but for one that was begun, where there are no limits."""
        if state == END:
            return 0
        if len(state) == BETWEEN:
            return lg.shortest(state[0])
        return min(lg.shortest(target) for target, *_ in self._options(state))

    def limits(self, state: State) -> tuple[int, int] | None:
        """Give the code points still needed and possible between two characters; None where there are no limits."""
        return state[1:] if len(state) == BETWEEN and (state[1] or state[2] < INFINITE) else None

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
        if state == END:
            return state if need <= read <= room else None
        if read > room:
            return None
        if len(state) == SPLIT:
            read -= 1
        need, room = max(need - read, 0), room if room == INFINITE else room - read
        if len(state) == SPLIT:
            return enter(state[0], state[1], state[2], need, room)
        *shape, node, _, _ = state
        return (*shape, *settled(node, need, room)) if lg.has_length(node, need, room) else None

    def final(self, state: State) -> bool:
        """Say whether the closing quote is written."""
        return state == END

    def closed(self, state: State) -> bool:
        """Say whether the closing quote is written."""
        return self.final(state)

    def _written(self, text: str) -> bytes:
        return wr.inside(text) + b'"'


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


def _letters(node: Node) -> bytes:
    """Give the bytes that may follow between two characters of a JSON string, whatever its lengths are."""
    found = node.notes.get("letters")
    if found is None:
        classes, bits = partition(node), 0
        for code, firsts in zip(classes.members, first_bytes(classes), strict=True):
            if target_of(node, code) is not NEVER:
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


__all__ = ["StringTerminal", "string_terminal"]
