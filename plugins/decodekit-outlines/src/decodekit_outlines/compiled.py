"""The working piece: a byte automaton seen through a vocabulary. Its states are ints: forks and rollbacks are free."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np

from decodekit.errors import SchemaError, UnsatisfiableSchemaError
from decodekit.techniques import CompiledConstraint, PartialParser
from decodekit.types import PackedMask
from decodekit.vocabulary import Vocabulary
from decodekit_outlines.automaton import Automaton, Ints, product
from decodekit_outlines.caching import BoundedCache
from decodekit_outlines.tokens import UNREACHABLE, Tries, distances, walk

Parse = Callable[[str], Any]

_INDICES = BoundedCache(limit_bytes=256 << 20)
_MASKS = BoundedCache(limit_bytes=64 << 20)
_WALKS = BoundedCache(limit_bytes=64 << 20)
_serial = count()
_FORCED_LIMIT = 32


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """What may follow a state: tokens, the states they lead to, and the most tokens that any of them still needs."""

    tokens: Ints
    targets: Ints
    most: int

    @property
    def nbytes(self) -> int:
        return self.tokens.nbytes + self.targets.nbytes + 64


class TokenIndex:
    """An automaton over one vocabulary: masks, distances. Shared between requests.

    Args:
        automaton: The language, not empty.
        vocabulary: The tokens.
        width: Width of the model's logits.
    """

    def __init__(self, automaton: Automaton, vocabulary: Vocabulary, width: int) -> None:
        self.automaton, self.vocabulary, self.width = automaton, vocabulary, width
        self.serial = next(_serial)
        self.tries = Tries.of(vocabulary, width)
        self.nbytes = 2 * automaton.moves.nbytes + 8 * automaton.size

    @cached_property
    def distances(self) -> Ints:
        """Fewest tokens from each state to an end."""
        return distances(self.automaton, self.tries)

    def step(self, state: int) -> _Step:
        """Give what may follow `state` within any number of tokens."""

        def make() -> _Step:
            tokens, targets = walk(self.automaton, self.tries.forward, state)
            left = self.distances[targets]
            alive = left < UNREACHABLE
            return _Step(tokens[alive], targets[alive], int(left[alive].max(initial=0)))

        return _WALKS.get((self.serial, state), make)

    def mask(self, state: int, remaining: int) -> PackedMask:
        """Give the tokens after which an end is within `remaining` tokens, this one included."""
        known = _MASKS.get((self.serial, state), lambda: _Mask(*self._pack(state, UNREACHABLE)))
        if remaining > known.most:
            return known.bits
        return _MASKS.get((self.serial, state, remaining), lambda: _Mask(*self._pack(state, remaining))).bits

    def _pack(self, state: int, remaining: int) -> tuple[PackedMask, int]:
        step = self.step(state)
        tokens = step.tokens if remaining > step.most else step.tokens[self.distances[step.targets] < remaining]
        bits = np.zeros(-(-self.width // 32) * 32, np.uint8)
        bits[tokens] = 1
        packed = np.packbits(bits, bitorder="little").view(np.int32)
        packed.setflags(write=False)
        return packed, step.most


@dataclass(frozen=True, slots=True, eq=False)
class _Mask:
    bits: PackedMask
    most: int

    @property
    def nbytes(self) -> int:
        return self.bits.nbytes + 64


class TokenConstraint(CompiledConstraint):
    """A language over tokens. Exact: a token is allowed if and only if the text can still end within the budget.

    *Cost:* a mask seen before is a look-up; a new one walks the part of the vocabulary that fits (see the README).

    Args:
        index: The language over the vocabulary.
        name: What to call it in messages.
        parse: Turns a complete text into the result.
        partial: Reads unfinished texts.
    """

    def __init__(
        self, index: TokenIndex, name: str, parse: Parse | None = None, partial: PartialParser | None = None
    ) -> None:
        self.index, self.name, self._parse, self.partial = index, name, parse, partial

    def start(self) -> int:
        return 0

    def advance(self, state: int, token: int) -> int:
        raw = self.index.vocabulary.piece(token)
        return self.index.automaton.walk(state, raw) if raw else -1

    def mask(self, state: int, remaining: int) -> PackedMask:
        return self.index.mask(state, remaining)

    def is_complete(self, state: int) -> bool:
        return state >= 0 and bool(self.index.automaton.final[state])

    def min_tokens(self, state: int) -> int:
        return int(self.index.distances[state])

    def forced(self, state: int) -> Sequence[int]:
        found: list[int] = []
        while len(found) < _FORCED_LIMIT and not self.is_complete(state):
            step = self.index.step(state)
            if len(step.tokens) != 1:
                break
            found.append(int(step.tokens[0]))
            state = int(step.targets[0])
        return found

    def parse(self, text: str) -> Any:
        return self._parse(text) if self._parse else None

    def intersect(self, other: CompiledConstraint) -> CompiledConstraint | None:
        if not isinstance(other, TokenConstraint):
            return None
        mine, theirs = self.index, other.index
        if mine.vocabulary != theirs.vocabulary or mine.width != theirs.width:
            return None
        name = f"{self.name} and {other.name}"
        index = index_of(
            lambda: product(mine.automaton, theirs.automaton),
            ("both", mine.serial, theirs.serial),
            name,
            mine.vocabulary,
            mine.width,
        )
        return TokenConstraint(index, name, self._parse or other._parse, self.partial or other.partial)


def index_of(make: Callable[[], Automaton], key: Hashable, name: str, vocabulary: Vocabulary, width: int) -> TokenIndex:
    """Give the index of a language, from the cache where it was made before.

    Args:
        make: Compiles the language.
        key: Tells the language.
        name: What to call it in messages.
        vocabulary: The tokens.
        width: Width of the model's logits.

    Raises:
        UnsatisfiableSchemaError: When no text satisfies it, or none can be written with the vocabulary's tokens.
    """

    def build() -> TokenIndex:
        try:
            automaton = make()
        except SchemaError as error:
            raise type(error)(f"{name}: {error}", hint=error.hint) from error
        if not automaton.size:
            raise UnsatisfiableSchemaError(f"{name}: no text satisfies it")
        index = TokenIndex(automaton, vocabulary, width)
        if index.distances[0] == UNREACHABLE:
            example = (automaton.example() or b"").decode("utf-8", "replace")
            raise UnsatisfiableSchemaError(
                f"{name}: no text of it, such as {example!r:.80}, can be written in tokens of this vocabulary"
            )
        return index

    return _INDICES.get((vocabulary.fingerprint, width, key), build)


__all__ = ["Parse", "TokenConstraint", "TokenIndex", "index_of"]
