"""The working piece: a schema seen through a vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from decodekit.errors import UnsatisfiableSchemaError
from decodekit.techniques import CompiledConstraint
from decodekit.types import PackedMask
from decodekit.vocabulary import Vocabulary
from decodekit_json.before import Value
from decodekit_json.budget import Budget
from decodekit_json.machine import Thread, Threads
from decodekit_json.masks import Walk
from decodekit_json.needs import Needs
from decodekit_json.states import POOL, State, States, stepped
from decodekit_json.summaries import Summaries
from decodekit_json.terminal import INFINITE
from decodekit_json.trie import VocabularyTrie
from decodekit_json.walking import prepare

if TYPE_CHECKING:
    from decodekit_json.compiler import CompiledSchema
    from decodekit_json.gathering import Mask

_LESS = 32
"""How many tokens fewer are tried than those of the first way that was found."""


class Compiled(CompiledConstraint):
    """A language of documents over the tokens of a vocabulary.

    Exact: `mask(state, remaining)` has the tokens after which the document can still end within `remaining` tokens; the
    search for a way that is shorter than the known one is bounded, and what it does not find is not allowed.
    *Cost:* a mask seen before is a look-up; see docs/performance.md for new ones.

    Args:
        start: The thread before the first byte, or all of them.
        vocabulary: The tokens.
        width: Width of the model's logits.
        name: What to call it in messages.
        parse: Turns a complete text into the result.
    """

    lowered: CompiledSchema | None = None
    """The schema that it was made from, where it is one."""

    def __init__(
        self,
        start: Thread | Threads,
        vocabulary: Vocabulary,
        width: int,
        name: str,
        parse: Callable[[str], Any] | None = None,
    ) -> None:
        self.vocabulary, self.name, self._parse = vocabulary, name, parse
        self.trie = VocabularyTrie.of(vocabulary, width)
        prepare(self.trie)
        self._first = (start,) if isinstance(start, Thread) else tuple(start)
        indented = any(isinstance(thread.place, Value) and thread.place.whitespace.slack for thread in self._first)
        self.budget = Budget(self.trie, indented=indented)
        self._needs = Needs(self.trie, self.budget)
        self._summaries = Summaries(self.trie, self.budget.ceiling)
        self._states = States(self._first)
        if min(thread.distance for thread in self._first) >= INFINITE:
            raise UnsatisfiableSchemaError(f"{name}: no text satisfies it")
        if not self.trie.spells and self.budget.fewest(self.start()) >= INFINITE:
            raise UnsatisfiableSchemaError(f"{name}: no text of it was found that tokens of this vocabulary can write")

    def start(self) -> State:
        return self._states.start

    def advance(self, state: State, token: int) -> State:
        found = state.following.get(token)
        if found is None:
            raw = self.vocabulary.piece(token)
            found = self._states.kept(State(stepped(state.threads, raw) if raw else ()))
            state.following[token] = found
        return found

    def mask(self, state: State, remaining: int = INFINITE) -> PackedMask:
        found = state.mask
        if found is None:
            found = self._summaries.mask(state.threads)
            POOL.keep(state, found)
        if self.trie.spells and (remaining >= INFINITE or self._roomy(state, remaining, found)):
            return found.bits
        known = self._needs.mask(state.threads, remaining)
        return self._searched(state, remaining, known) if self.budget.searches else known

    def _roomy(self, state: State, remaining: int, mask: Mask) -> bool:
        """Say whether the document can end within `remaining` tokens wherever a token leads."""
        most = self._summaries.most(mask)
        return remaining > most and self.budget.follows(state, most)

    def _searched(self, state: State, remaining: int, known: PackedMask) -> PackedMask:
        """Add the tokens after which a search finds a way through a longer text in fewer tokens."""
        bits = np.unpackbits(known.view(np.uint8), bitorder="little")
        for threads, ids in Walk(self.trie, state.threads).targets():
            new = threads and not bits[np.asarray(ids)].all()
            if new and self.budget.finds(self._states.kept(State(threads)), remaining - 1):
                bits[np.asarray(ids)] = 1
        packed = np.packbits(bits, bitorder="little").view(np.int32)
        packed.setflags(write=False)
        return packed

    def is_complete(self, state: State) -> bool:
        return state.complete

    def min_tokens(self, state: State) -> int:
        found = self.budget.fewest(state)
        if found < INFINITE and not self.budget.searches:
            least = max(found - _LESS, 0)
            while found > least and self.mask(state, found - 1).any():  # a way in fewer tokens that begins otherwise
                found -= 1
        return found

    def parse(self, text: str) -> Any:
        return self._parse(text) if self._parse else None


__all__ = ["Compiled"]
