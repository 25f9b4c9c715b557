"""Which strings the tokens of a vocabulary end, or write whole: so few that most keys cannot be among them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from decodekit_json.plain import plain_of
from decodekit_json.suffixes import SuffixNode
from decodekit_json.trie import VocabularyTrie, ranges

_BRACE, _COMMA, _QUOTE = 0x7B, 0x2C, 0x22


class Endings:
    """What tokens below a node write of a free string up to the quote that ends it.

    Attributes:
        written: Beginnings of tokens, with the quote, by the text that they write.
    """

    __slots__ = ("nbytes", "written")

    def __init__(self, trie: VocabularyTrie, node: int) -> None:
        view, depth = plain_of(trie, node), trie.depth(node)
        raws = {(trie.tokens[token] or b"")[depth:] for token in view.closing.tolist()}
        raws.update(trie.bytes_to(exit_)[depth:] for exit_ in view.exits.tolist())
        self.written: dict[bytes, tuple[bytes, ...]] = {}
        for raw in sorted(raws):
            text = _unescaped(raw[:-1])
            if text is not None:
                self.written[text] = (*self.written.get(text, ()), raw)
        self.nbytes = 200 + 200 * len(raws)


class Quoted:
    """What tokens have in quotes.

    Attributes:
        texts: The strings that stand between two quotes of a token, and perhaps more.
        crosses: Whether a token goes on inside of a string that begins behind a comma or an opening brace.
    """

    __slots__ = ("crosses", "nbytes", "texts")

    def __init__(self, trie: VocabularyTrie) -> None:
        self.texts = frozenset(_quoted(trie))
        self.crosses = _crosses(trie)
        self.nbytes = 200 + 100 * len(self.texts)


def endings(trie: VocabularyTrie, node: int) -> Endings:
    """Give the endings below a node; made once."""
    return trie.kept_views.get(("endings", node), lambda: Endings(trie, node))


def quoted(trie: VocabularyTrie) -> Quoted:
    """Give what a vocabulary's tokens have in quotes; made once."""
    return trie.whole.get("quoted", lambda: Quoted(trie))


def _unescaped(text: bytes) -> bytes | None:
    """Give what stands for itself in a JSON string without its escapes; None for what is no part of one."""
    if b"\\" not in text:
        return text
    try:
        return json.loads(b'"%b"' % text).encode("utf-8", "surrogatepass")
    except ValueError:
        return None


def _quoted(trie: VocabularyTrie) -> Iterator[str]:
    after = np.flatnonzero(trie.letters[1:] == _QUOTE) + 1
    ids = np.unique(trie.order[ranges(trie.low[after], trie.high[after] - trie.low[after])])
    written = set[bytes]()
    for token in ids.tolist():
        raw = trie.tokens[token] or b""
        quotes = [at for at, byte in enumerate(raw) if byte == _QUOTE]
        written.update(raw[first + 1 : last] for first in quotes for last in quotes if first < last)
    texts = (_unescaped(raw) for raw in written)
    return (text.decode("utf-8", "surrogatepass") for text in texts if text is not None and _is_text(text))


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _crosses(trie: VocabularyTrie) -> bool:
    found = np.flatnonzero((trie.letters[1:] == _COMMA) | (trie.letters[1:] == _BRACE)) + 1
    behind = _after_blanks(SuffixNode(trie, found, True))
    return any(quote is not None and bool(quote.letters) for place in behind for quote in (place.child(_QUOTE),))


def _after_blanks(place: SuffixNode) -> Iterator[SuffixNode]:
    """Give a place and those that whitespace leads to from it."""
    yield place
    for blank in b" \n\t":
        after = place.child(blank)
        if after is not None:
            yield from _after_blanks(after)


__all__ = ["Endings", "Quoted", "endings", "quoted"]
