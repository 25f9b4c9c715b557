"""What a constraint must allow, by brute force over all token sequences of a small vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from decodekit.types import PackedMask
from decodekit.vocabulary import Vocabulary


def unpack(mask: PackedMask) -> frozenset[int]:
    """List the tokens of a packed mask, bits beyond the vocabulary included."""
    return frozenset(
        np.nonzero(np.unpackbits(np.ascontiguousarray(mask).view(np.uint8), bitorder="little"))[0].tolist()
    )


class Oracle:
    """Brute force over a membership test. *Cost:* tokens ** budget membership tests, each text once.

    Args:
        vocabulary: A small one.
        accepts: Says whether bytes are a complete text.
        may_continue: Says whether bytes may be the beginning of a complete text; must never say no wrongly. Only
            to save time.
    """

    def __init__(
        self, vocabulary: Vocabulary, accepts: Callable[[bytes], bool], may_continue: Callable[[bytes], bool]
    ) -> None:
        self.pieces = {t: piece for t, piece in enumerate(vocabulary.tokens) if piece}
        self.accepts = cache(accepts)
        self.may_continue = cache(may_continue)
        self.within = cache(self._within)

    def _within(self, text: bytes, budget: int) -> bool:
        """Say whether `text` can be completed with at most `budget` more tokens."""
        if self.accepts(text):
            return True
        if budget <= 0 or not self.may_continue(text):
            return False
        return any(self.within(text + piece, budget - 1) for piece in set(self.pieces.values()))

    def allowed(self, text: bytes, budget: int) -> frozenset[int]:
        """List the tokens after which `text` can be completed within `budget` tokens, the token included."""
        return frozenset(t for t, piece in self.pieces.items() if self.within(text + piece, budget - 1))

    def fewest(self, text: bytes, budget: int) -> int | None:
        """Give the fewest tokens that complete `text`; None where they are more than `budget`."""
        return next((n for n in range(budget + 1) if self.within(text, n)), None)
