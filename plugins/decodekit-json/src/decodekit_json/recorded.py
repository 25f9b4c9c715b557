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
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from decodekit_json import distinct
from decodekit_json.closers import endings, quoted
from decodekit_json.distinct import read
from decodekit_json.inside import Inside, inside_from
from decodekit_json.machine import Place, Reading, Thread
from decodekit_json.numbers import NumberTerminal
from decodekit_json.strings import StringTerminal
from decodekit_json.terminal import INFINITE
from decodekit_json.trie import VocabularyTrie

_LEAVES = re.compile(rb'("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*(?=[,\]} \n\t\r]))|(".*)', re.DOTALL)
"""Strings and numbers that are finished, and a string that is not, up to the end."""
_SHORT = {'"': b'\\"', "\\": b"\\\\", "/": b"\\/", "\b": b"\\b", "\f": b"\\f", "\n": b"\\n", "\r": b"\\r", "\t": b"\\t"}
_BLANK = re.compile(rb"[ \n\r\t]+")
_BETWEEN_QUOTES = re.compile(rb'(?:[^"\\]|\\.)+|(?<=")(?=")', re.DOTALL)
_NUMBERS, _NUMBER = re.compile(rb"-?[0-9][0-9.eE+-]*"), re.compile(rb"-?(?:[0-9][0-9.eE+-]*)?\Z")
_QUOTE = 0x22
_KEPT = 20_000
_BEFORE, _DONE = (-2, (), 0), (-1, (), 0)
"""Before the string's quote, and behind the one that ends it."""

Leaves = frozenset[Any]
"""Strings and numbers, those of a value or of several; of what is still to be written also keys, as `Key`."""


class Key(NamedTuple):
    """A string that is written as a key, and may be one that must not come again."""

    text: str


Writing = tuple[bytes, ...]
"""The bytes that may stand at each place."""
Spot = tuple[int, Writing, int]
"""How far a text is spelled: characters, and the writing of the next one with how many of its bytes are there."""


class Spelled(NamedTuple):
    """Beginnings of tokens that spell a taken string or number, or the beginning of one.

    Attributes:
        tokens: Whole tokens by their bytes, but for those that leave more values than are taken.
        ends: Beginnings that spell one to its end.
        whole: Whole tokens after which the shortest text that goes on may be a taken one.
    """

    tokens: dict[bytes, tuple[int, ...]]
    ends: frozenset[bytes]
    whole: dict[bytes, tuple[int, ...]]


def matters(thread: Thread, others: Leaves = frozenset()) -> bool:
    """Say whether a recorded text can still become a value that may not come.

    Args:
        thread: What is recorded.
        others: Strings and numbers of which further values that may not come are made.
    """
    return any(True for _ in _threats(thread, others))


def watched(place: Place) -> bool:
    """Say whether the values to come are so many strings, or numbers, that only the taken ones have to be known."""
    if not isinstance(place, Reading):
        return False
    return isinstance(place.terminal, NumberTerminal) or (
        isinstance(place.terminal, StringTerminal) and distinct.many(place)
    )


def own_tokens(trie: VocabularyTrie, thread: Thread, found: Inside, others: Leaves) -> list[int]:
    """Give the tokens of a recorded thread after which it matters what is recorded; its place is watched.

    Args:
        trie: The vocabulary.
        thread: What is recorded.
        found: What the tokens do that are asked about.
        others: See `matters`.
    """
    hit = spelled(trie, thread, found.node, others)
    own = [token for ids in (hit.tokens | hit.whole).values() for token in ids]
    past = [found.contents[content] for content in hit.ends if content in found.contents]
    return own + [token for root in past for node in root.nodes for token in trie.below(int(node))]


def _spelled_numbers(trie: VocabularyTrie, thread: Thread, node: int, others: Leaves) -> Spelled:
    """Do as `spelled` for numbers; one that is not finished may become a taken one."""
    place, text = thread.place, thread.text
    assert isinstance(place, Reading)
    assert text is not None
    numbers = frozenset[Any]().union(*map(_numbers, _threats(thread, others)))
    digits = [_significant(number) for number in numbers]
    begun = _NUMBER.search(text)
    start, terminal = begun[0] if begun else b"", place.terminal
    found = inside_from(trie, terminal, place.state, node, trie.depth(node))
    tokens, whole = dict[bytes, tuple[int, ...]](), dict[bytes, tuple[int, ...]]()
    for state, ids in found.targets() if numbers else ():
        contents = ((token, (trie.tokens[token] or b"")[found.depth :]) for token in np.asarray(ids).tolist())
        near = [(token, content) for token, content in contents if _may_become(start + content, digits)]
        if not near:
            continue
        few = not distinct.many(Reading(terminal, state))
        if not few and terminal.final(state):
            near = [(token, content) for token, content in near if _number(start + content) in numbers]
        into = tokens if few else whole
        for token, content in near:
            into[content] = (*into.get(content, ()), token)
    ends = [content for content, _ in found.exits if _number(start + content) in numbers] if numbers else []
    return Spelled(tokens, frozenset(ends), whole)


def _significant(number: Any) -> bytes:
    return bytes(0x30 + digit for digit in Decimal(number).as_tuple().digits).lstrip(b"0")


def _may_become(text: bytes, digits: list[bytes]) -> bool:
    """Say whether the beginning of a number may become one with certain digits, wherever its point is."""
    begun = re.split(b"[eE]", text)[0].translate(None, b"-.").lstrip(b"0")
    return any(one.ljust(len(begun), b"0").startswith(begun) for one in digits)


def _number(text: bytes) -> Any:
    return int(text) if text.lstrip(b"-").isdigit() and len(text) < 20 else read(text)


@lru_cache(maxsize=1024)
def _numbers(leaves: Leaves) -> Leaves:
    return frozenset(leaf for leaf in leaves if not isinstance(leaf, str | Key))


@lru_cache(maxsize=1024)
def strings_of(leaves: Leaves) -> frozenset[str]:
    """Give the strings among leaves."""
    return frozenset(leaf for leaf in leaves if isinstance(leaf, str))


@lru_cache(maxsize=1024)
def keys_of(leaves: Leaves) -> frozenset[str]:
    """Give the keys among what is still to be written."""
    return frozenset(leaf.text for leaf in leaves if isinstance(leaf, Key))


@lru_cache(maxsize=1024)
def _values(leaves: Leaves) -> Leaves:
    """Give all of it as parts of values."""
    return leaves | keys_of(leaves)


def occurs(value: bytes, text: bytes) -> bool:
    """Say whether an equal value may be written in a text that begins and ends between values."""
    leaves = _written(value + b" ")
    return leaves <= _written(text) and (bool(leaves) or _BLANK.sub(b"", value) in _BLANK.sub(b"", text))


@lru_cache(maxsize=4096)
def leaves_in(text: bytes) -> Leaves:
    """Give the strings, keys and numbers in a text that may begin inside of one, or more."""
    found = set[Any]()
    for piece in _BETWEEN_QUOTES.finditer(text):
        with suppress(ValueError):  # it is none
            raw = piece[0]
            string = json.loads(b'"%b"' % raw) if b"\\" in raw else raw.decode("utf-8", "surrogatepass")
            found.add(Key(string) if text.startswith(b'":', piece.end()) else string)
    for number in _NUMBERS.findall(text):
        with suppress(ValueError):
            found.add(json.loads(number, parse_float=Decimal))
    return frozenset(found)


def ends_of_taken(trie: VocabularyTrie, thread: Thread, node: int) -> tuple[bytes, ...] | None:
    """Give the beginnings of tokens below a node that write a taken key to its end; the thread stands in a string.

    None where more of what is recorded may matter: the text is then to be kept.
    """
    assert thread.text is not None
    assert thread.below is not None
    assert isinstance(thread.place, Reading)
    place, under = thread.place, thread.below.place
    key = under if distinct.is_key(under) and not under.start else None
    opened = thread.text if key else _unfinished(thread, thread.text)
    state = place.state if opened else place.terminal.step(place.state, _QUOTE)
    plain = None if state is None else place.terminal.plain(state)
    if plain is None or plain[1] < INFINITE >> 1 or b"\\" in opened or opened[-1:] >= b"\x80":
        found = spelled(trie, thread, node)
        return None if found.tokens or found.ends else ()
    every = key.taken_names if key else [strings_of(taken) for taken in _threats(thread, frozenset())]
    if not opened:
        texts = quoted(trie).texts
        return None if any(not texts.isdisjoint(taken) for taken in every) else ()
    ends = tuple([end for taken in every for end in _endings_of(trie, taken, opened, node)])
    return ends if not ends or key else None


def _endings_of(trie: VocabularyTrie, texts: frozenset[str], opened: bytes, node: int) -> tuple[bytes, ...]:
    """Give the beginnings of tokens below a node that write one of some texts to its end, after its beginning."""
    key = (texts, opened, node)
    found = trie.spelled.get(key)
    if found is None:
        written, there = endings(trie, node).written, len(opened) - 1
        rests = [raw[there:] for raw in _near_raws(texts, opened)]
        found = tuple([end for rest in rests for end in written.get(rest, ())])
        _keep(trie, key, found)
    return found


def spelled(trie: VocabularyTrie, thread: Thread, node: int, others: Leaves = frozenset()) -> Spelled:
    """Give the beginnings of the tokens below a node that spell taken values; the place is watched."""
    assert thread.text is not None
    assert isinstance(thread.place, Reading)
    if isinstance(thread.place.terminal, NumberTerminal):
        return _spelled_numbers(trie, thread, node, others)
    opened = _unfinished(thread, thread.text)
    return _together([_spelled_of(trie, thread.place, texts, opened, node) for texts in _threats(thread, others)])


def _together(found: list[Spelled]) -> Spelled:
    if len(found) == 1:
        return found[0]
    tokens: dict[bytes, tuple[int, ...]] = {}
    whole: dict[bytes, tuple[int, ...]] = {}
    for one in found:
        tokens |= one.tokens
        whole |= one.whole
    return Spelled(tokens, frozenset().union(*[one.ends for one in found]), whole)


def _spelled_of(trie: VocabularyTrie, place: Reading, leaves: Leaves, opened: bytes, node: int) -> Spelled:
    texts = strings_of(leaves)
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


def _keep(trie: VocabularyTrie, key: object, found: Spelled | tuple[bytes, ...]) -> None:
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
    return [raw.decode("utf-8", "surrogatepass") for raw in _near_raws(texts, opened)]


def _near_raws(texts: frozenset[str], opened: bytes) -> list[bytes]:
    """Give the texts that the beginning of a string may become, as bytes; it has no escapes."""
    raws, start = _ordered(texts), opened[1:]
    return raws[bisect_left(raws, start) : bisect_left(raws, start + b"\xff")]


@lru_cache(maxsize=1024)
def _ordered(texts: frozenset[str]) -> list[bytes]:
    return sorted(text.encode("utf-8", "surrogatepass") for text in texts)


def _threats(thread: Thread, others: Leaves) -> Iterator[Leaves]:
    """Give, for each taken value that what is recorded may still become, what is in it; keys by themselves."""
    text, below = thread.text, thread.below
    if text is None or below is None:
        return
    in_string = isinstance(thread.place, Reading) and isinstance(thread.place.terminal, StringTerminal)
    opened = _unfinished(thread, text) if in_string else None
    if distinct.is_key(below.place):
        for names in (*below.place.taken_names, keys_of(others)):
            if names and (opened is None or _near(names, opened)):
                yield names
        if not below.place.start:
            return
    at: Thread | None = below
    while at is not None:
        place = at.place
        if isinstance(place, distinct.Item):
            values = [*map(_leaves_of, place.watched_values), *([_values(others)] if others else ())]
            if values:
                written = _written(text[place.start :])
                for leaves in values:
                    if written <= leaves:
                        strings = strings_of(leaves) if in_string else frozenset[str]()
                        if opened is None or any(_reached(string, opened) for string in _near(strings, opened)):
                            yield leaves
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


@lru_cache(maxsize=1024)
def _written(text: bytes) -> frozenset[Any]:
    """Give the strings, keys and numbers that stand finished in the beginning of a JSON text."""
    return frozenset(json.loads(leaf, parse_float=Decimal) for leaf, _ in _LEAVES.findall(text) if leaf)


def _unfinished(thread: Thread, text: bytes) -> bytes:
    """Give what is there of the string that a thread stands in; empty before its quote."""
    assert thread.below is not None
    below = thread.below.place
    return text[below.start :] if distinct.is_key(below) else _opened(text)


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


__all__ = [
    "Key",
    "Leaves",
    "Spelled",
    "ends_of_taken",
    "keys_of",
    "leaves_in",
    "matters",
    "occurs",
    "own_tokens",
    "spelled",
    "strings_of",
    "watched",
]
