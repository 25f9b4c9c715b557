"""A compiled language as a request holds it: with how its text is read, and what it can be intersected with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from decodekit.errors import UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit.techniques import CompiledConstraint, PartialParser
from decodekit.vocabulary import Vocabulary
from decodekit_json.compiled import Compiled
from decodekit_json.meeting import blamed_on_parts, met
from decodekit_json.sources import Source, blamed_on
from decodekit_json.states import State
from decodekit_json.terminal import INFINITE

Parse = Callable[[str], Any]
_MOST_FORCED = 32


class Requested(Compiled):
    """Shares everything with the compiled language that it is made of, which other requests use as well.

    Make it with `requested`. Those of one language are equal: their states are the same.

    Attributes:
        source: What it was compiled from.
        width: Width of the model's logits.
    """

    source: Source
    width: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Requested) and self.budget is other.budget

    def __hash__(self) -> int:
        return hash((Requested, id(self.budget)))

    def read_by(self, parse: Parse | None, partial: PartialParser | None) -> Requested:
        """Give the same with other ways to read a complete text and one that is not complete."""
        twin = object.__new__(Requested)
        vars(twin).update(vars(self))
        twin._parse, twin.partial = parse, partial
        return twin

    def forced(self, state: State) -> Sequence[int]:
        """Give the tokens next to which no other is allowed, at most 32, up to the next place where a text may end."""
        found: list[int] = []
        while len(found) < _MOST_FORCED and not self.is_complete(state):
            mask = self.mask(state)
            places = np.flatnonzero(mask)
            bits = int(mask[places[0]]) & 0xFFFFFFFF if len(places) == 1 else 0
            if not bits or bits & (bits - 1):
                break
            found.append(int(places[0]) * 32 + bits.bit_length() - 1)
            state = self.advance(state, found[-1])
        return found

    def intersect(self, other: CompiledConstraint) -> Requested | None:
        """Give the texts of both; exact for two schemas that are read alike, and for expressions and choices.

        Raises:
            IncompatibleTechniquesError: For others of this plugin, with the reason.
        """
        if not isinstance(other, Requested) or (self.vocabulary, self.width) != (other.vocabulary, other.width):
            return None
        source = met(self.source, other.source)
        parses = [parse for parse in (self._parse, other._parse) if parse]

        def parse(text: str) -> Any:
            first, *_ = [one(text) for one in parses]  # all of them: each may refuse
            return first

        made = requested(source, self.vocabulary, self.width, f"{self.name} and {other.name}")
        return made.read_by(parse if parses else None, self.partial or other.partial)


def requested(source: Source, vocabulary: Vocabulary, width: int, name: str) -> Requested:
    """Compile a source, or take what was compiled before, for one request; how it is read is up to `read_by`.

    Raises:
        SchemaError: For a schema that is not valid; the message begins with `name`.
        UnsupportedSchemaError: For a keyword anywhere in it that cannot be kept exactly, or a length that is not found.
        UnsatisfiableSchemaError: Where no text satisfies it, or none in tokens of the vocabulary.
    """
    with blamed_on(name), blamed_on_parts(source):
        compiled = source.compile(vocabulary, width, name)
    start = compiled.start()
    if compiled.budget.enough(start) >= INFINITE and compiled.min_tokens(start) >= INFINITE:
        if compiled.trie.spells:  # a byte is a token: there are texts, but how long they get was not found
            raise UnsupportedSchemaError(
                f"{name}: how many tokens a document needs is too much to find out: more than 300 items or keys "
                f"differ, or it takes more than 8,192 bytes with an indent or where arrays or objects differ",
                hint="ask for fewer items, keys or characters, leave uniqueItems out, or write without an indent",
            )
        raise UnsatisfiableSchemaError(f"{name}: no text that satisfies it can be written in tokens of this vocabulary")
    made = object.__new__(Requested)
    vars(made).update(vars(compiled))
    made.source, made.width, made.name = source, width, name
    return made


__all__ = ["Parse", "Requested", "requested"]
