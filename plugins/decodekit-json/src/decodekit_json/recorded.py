"""Values that must differ from others, as far as a token is concerned: most tokens cannot write one that is taken.

What is recorded of such a value matters only while it may still become a taken one. A value that has a string or a
number which the taken one lacks will not, and neither will one whose unfinished string goes on differently. So a mask
is the same for nearly all that is recorded; only the tokens that spell a taken string have to be looked at one by one.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Collection, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from decodekit_json import distinct
from decodekit_json.machine import Place, Reading, Thread
from decodekit_json.strings import StringTerminal
from decodekit_json.terminal import INFINITE
from decodekit_json.trie import VocabularyTrie

_LEAVES = re.compile(rb'("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*(?=[,\]} \n\t\r]))|(".*)', re.DOTALL)
"""Strings and numbers that are finished, and a string that is not, up to the end."""
_SHORT = {'"': b'\\"', "\\": b"\\\\", "/": b"\\/", "\b": b"\\b", "\f": b"\\f", "\n": b"\\n", "\r": b"\\r", "\t": b"\\t"}
_QUOTE = 0x22
_KEPT = 20_000
_BEFORE, _DONE = (-2, (), 0), (-1, (), 0)
"""Before the string's quote, and behind the one that ends it."""

Writing = tuple[bytes, ...]
"""The bytes that may stand at each place."""
Spot = tuple[int, Writing, int]
"""How far a text is spelled: characters, and the writing of the next one with how many of its bytes are there."""


class Spelled(NamedTuple):
    """Beginnings of tokens that spell a taken string, or the beginning of one.

    Attributes:
        tokens: Whole tokens by their bytes, but for those that leave more values than are taken.
        ends: Beginnings that spell one to its end.
        whole: Whole tokens after which the shortest text that goes on may be a taken one.
    """

    tokens: dict[bytes, tuple[int, ...]]
    ends: frozenset[bytes]
    whole: dict[bytes, tuple[int, ...]]


def matters(thread: Thread) -> bool:
    """Say whether a recorded text can still become a value that may not come."""
    return any(True for _ in _threats(thread))


def watched_as_string(place: Place) -> bool:
    """Say whether the values to come are so many strings that only the taken ones have to be known."""
    return isinstance(place, Reading) and isinstance(place.terminal, StringTerminal) and distinct.many(place)


def spelled(trie: VocabularyTrie, thread: Thread, node: int) -> Spelled:
    """Give the beginnings of the tokens below a node that spell taken strings; the thread stands in a string."""
    assert thread.text is not None
    assert isinstance(thread.place, Reading)
    opened = _unfinished(thread, thread.text)
    return _together([_spelled_of(trie, thread.place, texts, opened, node) for texts in _threats(thread)])


def _together(found: list[Spelled]) -> Spelled:
    if len(found) == 1:
        return found[0]
    tokens: dict[bytes, tuple[int, ...]] = {}
    whole: dict[bytes, tuple[int, ...]] = {}
    for one in found:
        tokens |= one.tokens
        whole |= one.whole
    return Spelled(tokens, frozenset().union(*[one.ends for one in found]), whole)


def _spelled_of(trie: VocabularyTrie, place: Reading, texts: frozenset[str], opened: bytes, node: int) -> Spelled:
    key = (place, texts, opened, node)
    found = trie.spelled.get(key)
    if found is None:
        found = _together([_spelled_one(trie, place, text, opened, node) for text in _near(texts, opened)])
        _keep(trie, key, found)
    return found


def _spelled_one(trie: VocabularyTrie, place: Reading, text: str, opened: bytes, node: int) -> Spelled:
    key = (place, text, opened, node)
    found = trie.spelled.get(key)
    if found is None:
        tokens: dict[bytes, tuple[int, ...]] = {}
        ends, whole = set[bytes](), dict[bytes, tuple[int, ...]]()
        _spell(trie, text, _reached(text, opened), node, tokens, ends, whole)
        few = {content: ids for content, ids in tokens.items() if content in ends or _few_after(place, content)}
        plain = place.terminal.plain(place.state)
        if plain is None or plain[0] or plain[1] < INFINITE >> 1:  # it need not be the one that ends at once
            whole = tokens
        found = Spelled(few, frozenset(ends), whole)
        _keep(trie, key, found)
    return found


def _keep(trie: VocabularyTrie, key: object, found: Spelled) -> None:
    if len(trie.spelled) >= _KEPT:
        trie.spelled.clear()
    trie.spelled[key] = found


def _few_after(place: Reading, content: bytes) -> bool:
    """Say whether a string that goes on with some bytes may be left with taken values only."""
    terminal, state = place.terminal, place.state
    for byte in content:
        plain = terminal.plain(state)
        if plain is not None and plain[1] >= INFINITE >> 1:
            return False
        state = terminal.step(state, byte)
        if state is None:
            return False
    return not distinct.many(Reading(terminal, state))


def _near(texts: frozenset[str], opened: bytes) -> Collection[str]:
    """Give the texts that the beginning of a string may become, or more."""
    if b"\\" in opened or len(opened) < 2:
        return texts
    ordered = _ordered(texts)
    raws = [raw for raw, _ in ordered]
    start = opened[1:]
    return [text for _, text in ordered[bisect_left(raws, start) : bisect_left(raws, start + b"\xff")]]


@lru_cache(maxsize=1024)
def _ordered(texts: frozenset[str]) -> list[tuple[bytes, str]]:
    return sorted((text.encode("utf-8", "surrogatepass"), text) for text in texts)


def _threats(thread: Thread) -> Iterator[frozenset[str]]:
    """Give, for each taken value that what is recorded may still become, the strings in it; keys by themselves."""
    from decodekit_json.objects import FreeKey

    text, below = thread.text, thread.below
    if text is None or below is None:
        return
    in_string = isinstance(thread.place, Reading) and isinstance(thread.place.terminal, StringTerminal)
    opened = _unfinished(thread, text) if in_string else None
    if isinstance(below.place, FreeKey):
        for names in below.place.taken_names:
            if opened is None or _near(names, opened):
                yield names
        if not below.place.start:
            return
    at: Thread | None = below
    while at is not None:
        place = at.place
        if isinstance(place, distinct.Item):
            values = place.watched_values
            if values:
                written = _written(text[place.start :])
                for value in values:
                    if written <= _leaves_of(value):
                        strings = _strings_of(value)
                        if opened is None or any(_reached(string, opened) for string in _near(strings, opened)):
                            yield strings
        if place.curious and getattr(place, "start", 1) == 0:
            return
        at = at.below


@lru_cache(maxsize=4096)
def _leaves_of(value: Any) -> frozenset[Any]:
    """Give the strings, keys and numbers in a frozen value."""
    if isinstance(value, tuple):
        kind, inner = value
        if kind == "object":
            return frozenset().union(*({key} | _leaves_of(item) for key, item in inner))
        return frozenset().union(*map(_leaves_of, inner)) if kind == "array" else frozenset()
    return frozenset() if value is None else frozenset([value])


@lru_cache(maxsize=4096)
def _strings_of(value: Any) -> frozenset[str]:
    return frozenset(leaf for leaf in _leaves_of(value) if isinstance(leaf, str))


@lru_cache(maxsize=1024)
def _written(text: bytes) -> frozenset[Any]:
    """Give the strings, keys and numbers that stand finished in the beginning of a JSON text."""
    return frozenset(json.loads(leaf, parse_float=Decimal) for leaf, _ in _LEAVES.findall(text) if leaf)


def _unfinished(thread: Thread, text: bytes) -> bytes:
    """Give what is there of the string that a thread stands in; empty before its quote."""
    from decodekit_json.objects import FreeKey

    assert thread.below is not None
    below = thread.below.place
    return text[below.start :] if isinstance(below, FreeKey) else _opened(text)


def _opened(text: bytes) -> bytes:
    """Give what is there of the unfinished string at the end of a text; empty before its quote."""
    return next((unfinished for _, unfinished in _LEAVES.findall(text) if unfinished), b"")


@lru_cache(maxsize=4096)
def _writings(character: str) -> tuple[Writing, ...]:
    """Give every way to write a character inside of a JSON string."""
    found: list[Writing] = []
    if character not in '"\\' and character >= " ":
        found.append(tuple(bytes((byte,)) for byte in character.encode("utf-8", "surrogatepass")))
    if character in _SHORT:
        found.append(tuple(bytes((byte,)) for byte in _SHORT[character]))
    units = character.encode("utf-16-be", "surrogatepass")
    escaped = b"".join(b"\\u" + units[at : at + 2].hex().encode() for at in range(0, len(units), 2))
    found.append(tuple(bytes((b, b - 0x20)) if b in b"abcdef" else bytes((b,)) for b in escaped))
    return tuple(found)


@lru_cache(maxsize=4096)
def _begun(character: str) -> tuple[tuple[int, Writing], ...]:
    """Give the bytes that a character's writings begin with, and the writings."""
    return tuple((byte, one) for one in _writings(character) for byte in one[0])


def _moves(text: str, spot: Spot) -> list[tuple[int, Spot]]:
    """Give the bytes with which the spelling of a text can go on, and where it stands after them."""
    count, writing, at = spot
    if writing:
        following = (count + 1, (), 0) if at + 1 == len(writing) else (count, writing, at + 1)
        return [(byte, following) for byte in writing[at]]
    if 0 <= count < len(text):
        return [(byte, (count, one, 1) if len(one) > 1 else (count + 1, (), 0)) for byte, one in _begun(text[count])]
    if spot == _DONE:
        return []
    return [(_QUOTE, (0, (), 0) if spot == _BEFORE else _DONE)]


@lru_cache(maxsize=4096)
def _reached(text: str, opened: bytes) -> tuple[Spot, ...]:
    """Give where the spelling of a text stands after the beginning of a string; nothing where it is another one."""
    if b"\\" not in opened and not text.encode("utf-8", "surrogatepass").startswith(opened[1:]):
        return ()
    spots: list[Spot] = [_BEFORE]
    for byte in opened:
        spots = [after for spot in spots for first, after in _moves(text, spot) if first == byte]
    return tuple(spots)


def _spell(
    trie: VocabularyTrie,
    text: str,
    spots: tuple[Spot, ...],
    node: int,
    tokens: dict[bytes, tuple[int, ...]],
    ends: set[bytes],
    whole: dict[bytes, tuple[int, ...]],
) -> None:
    waiting = [(node, spot, b"") for spot in spots]
    while waiting:
        at, here, content = waiting.pop()
        children = trie.children(at)
        for byte, following in _moves(text, here) if children else ():
            child = children.get(byte)
            if child is None:
                continue
            longer = content + bytes((byte,))
            ids = trie.tokens_at(child)
            if ids:
                tokens[longer] = ids
                if following[0] >= len(text) - bool(following[2]):  # but for the rest of the last character
                    whole[longer] = ids
            if following == _DONE:
                ends.add(longer)
            else:
                waiting.append((child, following, longer))


__all__ = ["Spelled", "matters", "spelled", "watched_as_string"]
