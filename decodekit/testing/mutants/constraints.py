"""Wrong constraints: a few texts by brute force, made wrong in one way each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from decodekit.techniques import BuildContext, CompiledConstraint, Constraint, PartialParser
from decodekit.testing.constraints import ConstraintLaws
from decodekit.testing.mutants.base import Mutant
from decodekit.testing.oracle import Oracle
from decodekit.types import PackedMask

TEXTS = (
    b'a"', b'ab"', b'a12"', b"abba", b'ab12b"', b"\xc3\xa9", b"\xc3\xa9b", b"ab1", b"ab1abx", b'"":1', b"1", b"112",
    b"baba",
)  # fmt: skip
"""No token of the tiny vocabulary has an x."""
AHEAD = 6


def accepts(text: bytes) -> bool:
    """Say whether bytes are a complete text of the language."""
    return text in TEXTS


def may_continue(text: bytes) -> bool:
    """Say whether bytes begin a complete text."""
    return any(each.startswith(text) for each in TEXTS)


class Letters(PartialParser):
    """Right: the letters so far."""

    def __init__(self, value: Any = ()) -> None:
        self.value = value

    def push(self, text: str) -> PartialParser:
        return Letters((*self.value, *text))

    def end(self) -> PartialParser:
        return self


class LastPiece(Letters):
    """Knows only what was pushed last."""

    def push(self, text: str) -> PartialParser:
        return LastPiece(tuple(text))


class GrowingList(Letters):
    """Hands out one list that grows."""

    def push(self, text: str) -> PartialParser:
        self.value = self.value or []
        self.value += text
        return GrowingList(self.value)


class Table(CompiledConstraint):
    """Right, and slow: the state is the text."""

    partial = Letters()

    def __init__(self, context: BuildContext) -> None:
        assert context.vocabulary is not None
        self.vocabulary = context.vocabulary
        self.oracle = Oracle(context.vocabulary, accepts, may_continue)

    def start(self) -> Any:
        return b""

    def advance(self, state: Any, token: int) -> Any:
        return state + self.oracle.pieces[token]

    def mask(self, state: Any, remaining: int) -> PackedMask:
        return self.pack(self.oracle.allowed(bytes(state), remaining))

    def pack(self, tokens: Any) -> PackedMask:
        """Write tokens as bits."""
        words = np.zeros(-(-len(self.vocabulary.tokens) // 32), dtype=np.uint32)
        for token in tokens:
            words[token >> 5] |= np.uint32(1 << (token & 31))
        return words.view(np.int32)

    def is_complete(self, state: Any) -> bool:
        return accepts(bytes(state))

    def min_tokens(self, state: Any) -> int:
        found = self.oracle.fewest(bytes(state), AHEAD)
        return AHEAD + 1 if found is None else found

    def forced(self, state: Any) -> Sequence[int]:
        choices = self.oracle.allowed(bytes(state), AHEAD)
        return tuple(choices) if len(choices) == 1 and not self.is_complete(state) else ()


class ForgetsBudget(Table):
    """Allows what could be completed with more tokens than are left."""

    def mask(self, state: Any, remaining: int) -> PackedMask:
        return super().mask(state, AHEAD)


class DeadEnd(Table):
    """Thinks in bytes: allows the beginning of a text that no tokens of the vocabulary can finish."""

    def mask(self, state: Any, remaining: int) -> PackedMask:
        begun = {t for t, piece in self.oracle.pieces.items() if may_continue(state + piece)}
        return self.pack(self.oracle.allowed(state, remaining) | (begun if remaining > 1 else set()))


class WordOff(Table):
    """Reads the mask one word further on."""

    def mask(self, state: Any, remaining: int) -> PackedMask:
        return np.roll(super().mask(state, remaining), 1)


class MutableText(Table):
    """Keeps the text in a bytearray that `advance` extends."""

    def start(self) -> Any:
        return bytearray()

    def advance(self, state: Any, token: int) -> Any:
        state += self.oracle.pieces[token]
        return state


class EndTokenInMask(Table):
    """Adds the end token itself."""

    def mask(self, state: Any, remaining: int) -> PackedMask:
        end = set(self.vocabulary.end_tokens) if self.is_complete(state) else set()
        return self.pack(self.oracle.allowed(state, remaining) | end)


class OneMask(Table):
    """Writes every mask into the same array."""

    shared: Any = None

    def mask(self, state: Any, remaining: int) -> PackedMask:
        fresh = super().mask(state, remaining)
        self.shared = fresh if self.shared is None else self.shared
        self.shared[:] = fresh
        return self.shared


class CountsBytes(Table):
    """Counts the fewest bytes, not the fewest tokens."""

    def min_tokens(self, state: Any) -> int:
        found = [n for n in range(9) if self.oracle.within(state, n)]
        return min((2 * n for n in found), default=AHEAD + 1)


class ForcesAChoice(Table):
    """Calls the first of several possible tokens certain."""

    def forced(self, state: Any) -> Sequence[int]:
        return tuple(sorted(self.oracle.allowed(state, AHEAD)))[:1]


class TooShortState(Table):
    """Keeps the last two bytes only, so that different texts share a state."""

    def advance(self, state: Any, token: int) -> Any:
        return (state + self.oracle.pieces[token])[-2:]


class NeverDone(Table):
    """Says that a text may not end where it could also go on."""

    def is_complete(self, state: Any) -> bool:
        return accepts(state) and not self.oracle.allowed(state, AHEAD)


class OneParser(Table):
    """Keeps the text of the row that was advanced last; a state is only how many tokens that was."""

    def start(self) -> Any:
        self.texts = [b""]
        return 0

    def advance(self, state: Any, token: int) -> Any:
        self.texts[state + 1 :] = [self.texts[state] + self.oracle.pieces[token]]
        return state + 1

    def mask(self, state: Any, remaining: int) -> PackedMask:
        return super().mask(self.texts[min(state, len(self.texts) - 1)], remaining)

    def is_complete(self, state: Any) -> bool:
        return super().is_complete(self.texts[min(state, len(self.texts) - 1)])


class SeedsAnew(Table):
    """Seeds the global generator when it is compiled."""

    def __init__(self, context: BuildContext) -> None:
        super().__init__(context)
        np.random.seed(0)


class ReadsTheLastPiece(Table):
    """See `LastPiece`."""

    partial = LastPiece()


class SharesItsList(Table):
    """See `GrowingList`."""

    def __init__(self, context: BuildContext) -> None:
        super().__init__(context)
        self.partial = GrowingList()


def _technique(compiled: type[Table]) -> Any:
    def build(self: Constraint, context: BuildContext) -> CompiledConstraint:
        return compiled(context)

    return type(compiled.__name__, (Constraint,), {"build": build, "__module__": __name__})


CONSTRAINTS: tuple[Mutant, ...] = tuple(
    Mutant(
        ConstraintLaws,
        _technique(compiled),
        tuple(breaks),
        {"accepts": staticmethod(accepts), "may_continue": staticmethod(may_continue)},
    )
    for compiled, *breaks in (
        (Table,),
        (ForgetsBudget, "mask_is_exactly", "dead_end"),
        (DeadEnd, "mask_is_exactly", "dead_end"),
        (WordOff, "mask_is_exactly", "special_and_end"),
        (MutableText, "hashable"),
        (EndTokenInMask, "special_and_end"),
        (OneMask, "never_written_to"),
        (CountsBytes, "min_tokens"),
        (ForcesAChoice, "forced"),
        (TooShortState, "equal_states"),
        (NeverDone, "complete_means"),
        (OneParser, "forks_of_a_row"),
        (SeedsAnew, "random_generator"),
        (ReadsTheLastPiece, "partial_value"),
        (SharesItsList, "partial_value"),
    )
)
