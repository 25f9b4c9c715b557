"""Matchers as values: a bounded set of copies, each at one prefix and never moved on while it is there.

llguidance's matcher is an object that changes. Here nobody holds one: a prefix asks for what its matcher says, and the
matcher is a copy of the nearest shorter prefix's that read the tokens between (a copy takes some 10 µs), or one of the
grammar's first matcher where none is kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from decodekit.types import PackedMask
from decodekit_llguidance.prefix import Prefix
from decodekit_llguidance.words import Words

_KEPT_MATCHERS = 64
_KEPT_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a matcher says about one prefix.

    Attributes:
        bits: Tokens whose bytes llguidance would read next, read-only.
        complete: Whether the text may end here.
        alive: Whether llguidance reads the prefix at all.
    """

    bits: PackedMask
    complete: bool
    alive: bool


class Matchers:
    """What llguidance says about prefixes of one grammar. Safe between threads.

    Args:
        first: The grammar's matcher before the first token; from here on nobody else's.
        words: The vocabulary.
    """

    def __init__(self, first: Any, words: Words) -> None:
        self.words = words
        self._first = first
        self._kept: OrderedDict[Prefix, Any] = OrderedDict()
        self._views: OrderedDict[Prefix, View] = OrderedDict()
        self._views_limit = max(64, _KEPT_BYTES // (4 * words.mask_words + 256))
        self._lock = threading.Lock()
        self._buffer = np.zeros(words.buffer_words, np.int32)

    def view(self, prefix: Prefix) -> View:
        """Say what may follow a prefix.

        *Cost:* a look-up where it was asked before; otherwise a copy of a matcher and one mask of llguidance.
        """
        with self._lock:
            found = self._views.get(prefix)
            if found is None:
                found = self._views[prefix] = self._look(self._matcher(prefix))
                while len(self._views) > self._views_limit:
                    self._views.popitem(last=False)
            else:
                self._views.move_to_end(prefix)
            return found

    def _matcher(self, prefix: Prefix) -> Any:
        base, missing = self._first, list[int]()
        for here in prefix.up():
            if here in self._kept:
                base = self._kept[here]
                self._kept.move_to_end(here)
                break
            if here.length:
                missing.append(here.token)
        if not missing and base is not self._first:
            return base
        matcher = base.deep_copy()
        matcher.consume_tokens(missing[::-1])
        self._kept[prefix] = matcher
        while len(self._kept) > _KEPT_MATCHERS:
            self._kept.popitem(last=False)
        return matcher

    def _look(self, matcher: Any) -> View:
        if matcher.is_error():
            return View(np.zeros(self.words.mask_words, np.int32), complete=False, alive=False)
        complete = matcher.is_accepting()
        self._buffer[:] = 0
        matcher.unsafe_compute_mask_ptr(self._buffer.ctypes.data, self._buffer.nbytes)
        bits = self._buffer[: self.words.mask_words] & self.words.with_text
        bits.setflags(write=False)
        return View(bits, complete, alive=not matcher.is_error())


__all__ = ["Matchers", "View"]
