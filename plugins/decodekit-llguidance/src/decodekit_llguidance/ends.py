"""How many tokens a text still needs, which llguidance does not say: searches over its masks, with bounded work.

Two searches. `within` is exact: it tries all tokens, depth first, and gives up after a number of masks. `completion`
finds some way to the end: breadth first over few tokens, those first that tend to close, a few texts per length.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from decodekit.types import PackedMask
from decodekit_llguidance.matchers import Matchers
from decodekit_llguidance.prefix import Prefix

_KNOWN = 1 << 16
_LONGEST = 512
_WIDTH = 3
_BRANCHES = 8
_LOOKED_AT = 8


class UndecidedError(Exception):
    """The exact search gave up."""


@dataclass(slots=True)
class _Bounds:
    low: int = 0
    high: int = 1 << 30


def tokens_of(bits: PackedMask) -> list[int]:
    """Give the token ids of a mask."""
    return np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little")).tolist()


class Ends:
    """Ways to the end of one grammar, remembered for the prefixes that were asked last.

    Args:
        matchers: What may follow a prefix.
    """

    def __init__(self, matchers: Matchers) -> None:
        self.matchers = matchers
        self._bounds: OrderedDict[Prefix, _Bounds] = OrderedDict()
        self._found: OrderedDict[Prefix, tuple[int, ...] | None] = OrderedDict()
        self._lock = threading.RLock()

    def within(self, prefix: Prefix, tokens: int, work: list[int]) -> bool:
        """Say whether the text can end after at most `tokens` more.

        Args:
            prefix: Where the text stands.
            tokens: How many tokens it may still have.
            work: One number, how many masks may still be looked at; counted down.

        Raises:
            UndecidedError: When the work is used up.
        """
        known = self._known(prefix)
        if known.high <= tokens or known.low > tokens:
            return known.high <= tokens
        if work[0] <= 0:
            raise UndecidedError
        work[0] -= 1
        view = self.matchers.view(prefix)
        if view.complete:
            known.high = 0
            return True
        if tokens > 0 and any(self.within(Prefix(prefix, t), tokens - 1, work) for t in self._ordered(view.bits)):
            known.high = min(known.high, tokens)
            return True
        known.low = max(known.low, tokens + 1)
        return False

    def fewest(self, prefix: Prefix, most: int, work: int) -> int:
        """Give the fewest tokens to an end, more than `most` where there is none so soon.

        Raises:
            UndecidedError: When that takes more than `work` masks.
        """
        left = [work]
        return next((n for n in range(most + 1) if self.within(prefix, n, left)), most + 1)

    def completion(self, prefix: Prefix) -> tuple[int, ...] | None:
        """Give tokens that end the text, not always the fewest; None where none were found."""
        with self._lock:
            if prefix in self._found:
                self._found.move_to_end(prefix)
                return self._found[prefix]
        found = self._search(prefix)
        with self._lock:
            self._found[prefix] = found
            if len(self._found) > _KNOWN >> 4:
                self._found.popitem(last=False)
        return found

    def _search(self, prefix: Prefix) -> tuple[int, ...] | None:
        layer = [prefix]
        for length in range(_LONGEST):
            seen: dict[bytes, int] = {}
            following: list[list[Prefix]] = []
            for here in layer:
                view = self.matchers.view(here)
                if view.complete:
                    return here.tokens()[prefix.length :]
                # Texts after which the same tokens may follow are most likely in the same place: two of them are kept.
                mask = view.bits.tobytes()
                seen[mask] = seen.get(mask, 0) + 1
                if seen[mask] <= 2 and len(following) < _WIDTH:
                    following.append([Prefix(here, token) for token in self.few(view.bits)])
            if not any(following) or length + 1 == _LONGEST:
                return None
            layer = [way[rank] for rank in range(_BRANCHES) for way in following if rank < len(way)][:_LOOKED_AT]
        return None

    def few(self, bits: PackedMask) -> list[int]:
        """Choose tokens to look at: single bytes, those first that tend to close, and others where there are few."""
        inked = bits & self.matchers.words.inked  # optional whitespace leads nowhere
        bits = inked if inked.any() else bits
        chosen = self._closers(bits)[:_BRANCHES]
        if len(chosen) < _BRANCHES:
            chosen += [t for t in tokens_of(bits) if t not in chosen][: _BRANCHES - len(chosen)]
        return chosen

    def _closers(self, bits: PackedMask) -> list[int]:
        closers = self.matchers.words.closers
        return closers[(bits[closers >> 5] >> (closers & 31) & 1).astype(bool)].tolist()

    def _ordered(self, bits: PackedMask) -> list[int]:
        closers = self._closers(bits)
        return [*closers, *sorted(set(tokens_of(bits)) - set(closers))]

    def _known(self, prefix: Prefix) -> _Bounds:
        with self._lock:
            known = self._bounds.get(prefix)
            if known is None:
                known = self._bounds[prefix] = _Bounds()
                if len(self._bounds) > _KNOWN:
                    self._bounds.popitem(last=False)
            return known


__all__ = ["Ends", "UndecidedError", "tokens_of"]
