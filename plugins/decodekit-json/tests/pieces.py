"""Vocabularies of tokens that are several pieces of JSON, so that one token may write more than one part."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from decodekit.vocabulary import Vocabulary


def vocabulary_of(
    pieces: Sequence[str], count: int, seed: int, without: Callable[[bytes], object] | None = None
) -> Vocabulary:
    """Make the single bytes, up to `count` tokens of one to four pieces but for some, and an end token."""
    rng = random.Random(seed)
    made = {"".join(rng.choices(pieces, k=rng.randint(1, 4))).encode() for _ in range(count)}
    singles = [bytes((byte,)) for byte in range(256)]
    kept = sorted(raw for raw in made - set(singles) if not (without and without(raw)))
    return Vocabulary([*singles, *kept, None], (256 + len(kept),))
