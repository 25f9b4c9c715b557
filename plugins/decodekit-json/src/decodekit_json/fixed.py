r"""Sets of fixed texts as terminals: keys of an object, members of an enumeration, `true`, raw choices.

A member has a number; a set of members is a Python integer with the bits of their numbers. A state is a pair of a
branch of the tree of all members and the set of those that are still allowed below it, so that the same tree serves
"the keys but those that were written": begin with `start_with(mask)`. Each branch has the set of the members below
it, and a step costs one look-up and one intersection of integers. Branches are made when they are visited.

Members are numbered by their length in bytes, so the shortest completion is the lowest bit.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from decodekit_json import writings as wr
from decodekit_json.subsets import bits
from decodekit_json.terminal import Terminal

_QUOTE = b'"'
_ONE = ((0x22,),)
_BEGUN = 6
"""How many more bytes than the shortest text a text has at most of which some character is being written in escapes."""
_PLAIN = re.compile(r"[ !#-\[\]-~]*")
_KEPT = 256
_FEW = 32

Writing = tuple[tuple[int, ...], ...]
"""The bytes that may stand at each place, the one to complete with first."""


class Branch:
    """A place in the tree: the bytes that may follow, and which members are below.

    Attributes:
        below: Members that can still come out.
        member: The member that ends here, None where none does.
        edges: The branch after each byte, None before it was asked for.
    """

    __slots__ = ("_plain", "below", "depth", "edges", "high", "low", "member", "owner", "ways")

    def __init__(self, owner: FixedTerminal, below: int, member: int | None = None) -> None:
        self.owner, self.below, self.member = owner, below, member
        self.low = self.high = self.depth = 0
        self.ways: tuple[tuple[Writing, int, Branch], ...] | None = None
        self.edges: dict[int, Branch] | None = None
        self._plain: bytes | None = None

    def follow(self, mask: int) -> bytes:
        """Give the bytes that may follow for the members of `mask`."""
        edges = self.edges or self.owner.grow(self)
        if mask is not self.below and mask != self.below:
            return bytes(byte for byte, branch in edges.items() if branch.below & mask)
        if self._plain is None:
            self._plain = bytes(edges)
        return self._plain


State = tuple[Branch, int]
"""A branch, and the members still allowed below it."""


class FixedTerminal(Terminal):
    r"""Given texts. Make it with `fixed_strings` or `fixed_texts`.

    Args:
        texts: What the members are; for raw texts one character for each byte.
        quoted: Whether they are JSON strings, written in the one way of fixed strings: ASCII as it is, but for
            `\"`, `\\`, the short escapes and `\u00xx`; DEL and other characters as UTF-8 or as `\uXXXX`.

    Attributes:
        members: The texts by their numbers, the shortest in bytes first. Texts with lone surrogates are left out.
        numbers: The number of each text.
        sizes: The bytes of their shortest writings.
        everything: The set of all members.
        longest: Bytes that are enough from any place: the longest member's shortest writing, and a pair of escapes that
            was begun where four bytes would do.
    """

    def __init__(self, texts: Iterable[str], *, quoted: bool) -> None:
        self._quoted = quoted
        sized = sorted([(size, text) for text in set(texts) if (size := _size(text, quoted)) is not None])
        self.members: tuple[str, ...] = tuple([text for _, text in sized])
        self.numbers: dict[str, int] = dict(zip(self.members, range(len(sized)), strict=True))
        self.sizes = [size for size, _ in sized]
        self._sorted = sorted(self.members)
        self._order = [self.numbers[text] for text in self._sorted]
        self.everything = (1 << len(self.members)) - 1
        self.longest = (sized[-1][0] if sized else 0) + quoted * _BEGUN
        self._root: Branch = self._place(0, len(self._sorted), 0)
        if quoted:
            opening = Branch(self, self.everything)
            opening.ways = ((_ONE, 0, self._root),)
            self._root = opening

    def _place(self, low: int, high: int, depth: int, above: Branch | None = None) -> Branch:
        if above is not None and above.high - above.low == high - low:
            below = above.below
        elif high - low <= _FEW:
            below = 0
            for number in self._order[low:high]:
                below |= 1 << number
        else:
            bits = bytearray(len(self.members) // 8 + 1)
            for number in self._order[low:high]:
                bits[number >> 3] |= 1 << (number & 7)
            below = int.from_bytes(bits, "little")
        branch = Branch(self, below)
        branch.low, branch.high, branch.depth = low, high, depth
        if not self._quoted and low < high and len(self._sorted[low]) == depth:
            branch.member = self._order[low]
        return branch

    def grow(self, branch: Branch) -> dict[int, Branch]:
        """Give what follows a branch, and keep it there."""
        ways = branch.ways
        if ways is None:
            ways = tuple(self._ways(branch))
        if len(ways) == 1:  # as in the rest of a text that no other one shares
            writing, at, target = ways[0]
            onward = target
            if at + 1 < len(writing):
                onward = Branch(self, target.below)
                onward.ways = ((writing, at + 1, target),)
            branch.edges = dict.fromkeys(writing[at], onward)
            return branch.edges
        groups: dict[int, list[tuple[Writing, int, Branch]]] = {}
        for writing, at, target in ways:
            for byte in writing[at]:
                groups.setdefault(byte, []).append((writing, at + 1, target))
        made: dict[tuple[tuple[Writing, int, Branch], ...], Branch] = {}
        found: dict[int, Branch] = {}
        for byte, group in groups.items():
            writing, at, target = group[0]
            if at == len(writing):
                found[byte] = target
                continue
            key = tuple(group)
            if key not in made:
                below = 0
                for _, _, onward in group:
                    below |= onward.below
                made[key] = Branch(self, below)
                made[key].ways = key
            found[byte] = made[key]
        branch.edges = found
        return found

    def _ways(self, branch: Branch) -> Iterator[tuple[Writing, int, Branch]]:
        low, high, depth = branch.low, branch.high, branch.depth
        if low < high and len(self._sorted[low]) == depth:
            if self._quoted:
                yield _ONE, 0, Branch(self, 1 << self._order[low], self._order[low])
            low += 1
        while low < high:
            text = self._sorted[low]
            character = text[depth]
            end = (
                bisect_left(self._sorted, text[:depth] + chr(ord(character) + 1), low, high) if low + 1 < high else high
            )
            target = self._place(low, end, depth + 1, branch)
            for writing in _writings(character) if self._quoted else (((ord(character),),),):
                yield writing, 0, target
            low = end

    def start(self) -> State | None:
        """Give the state before the first byte, with every member allowed."""
        return (self._root, self._root.below) if self.everything else None

    def start_with(self, mask: int) -> State | None:
        """Give the state before the first byte with the members of `mask` allowed; None for none."""
        mask &= self.everything
        if mask == self.everything:
            return self.start()
        return (self._root, mask) if mask else None

    def step(self, state: State, byte: int) -> State | None:
        """Give the state after `byte`."""
        last, mask = state
        branch = (last.edges or self.grow(last)).get(byte)
        if branch is None:
            return None
        if mask is last.below:
            return (branch, branch.below)
        mask &= branch.below
        return (branch, mask) if mask else None

    def allowed(self, state: State) -> bytes:
        """Give the bytes that may follow."""
        return state[0].follow(state[1])

    def which(self, state: State) -> int | None:
        """Give the number of the member that the bytes so far are, None where they are none."""
        member = state[0].member
        return member if member is not None and state[1] >> member & 1 else None

    def final(self, state: State) -> bool:
        """Say whether the bytes so far are a member."""
        return self.which(state) is not None

    def closed(self, state: State) -> bool:
        """Say whether the bytes so far are a member and no byte may follow."""
        return self.which(state) is not None and (self._quoted or not self.allowed(state))

    def distance(self, state: State) -> int:
        """Give the fewest bytes to a member's end, exactly."""
        return 0 if self.which(state) is not None else len(self._shortest(*state))

    def _shortest(self, branch: Branch, mask: int) -> bytes:
        if branch.ways is None:
            return self._ending(branch, _lowest(mask & branch.below))
        return min(
            (
                bytes(place[0] for place in writing[at:]) + self._shortest(target, mask)
                for writing, at, target in branch.ways
                if target.below & mask
            ),
            key=len,
        )

    def _ending(self, branch: Branch, number: int) -> bytes:
        """Give what a member's shortest writing has after the characters of a branch."""
        if branch.member == number:
            return b""
        text = self.members[number]
        if not self._quoted:
            return text[branch.depth :].encode("latin-1")
        return b"".join(_shortest_writing(character) for character in text[branch.depth :]) + _QUOTE

    def only_rest(self, state: State) -> bytes | None:
        """Give what is left of the only member that can still come out, where it has one writing; None elsewhere."""
        branch, mask = state
        left = mask & branch.below
        if branch.ways is not None or left & (left - 1) or not self._quoted:
            return None
        number = _lowest(left)
        if not _PLAIN.fullmatch(self.members[number]):
            return None
        return self.members[number][branch.depth :].encode() + _QUOTE

    def nearest(self, state: State, behind: Callable[[int], int]) -> int:
        """Give the fewest bytes to a member's end and of what comes behind it, which is asked for each member."""
        branch, mask = state
        if branch.ways is not None:  # inside of a character
            return min([len(self._shortest(branch, 1 << n)) + behind(n) for n in bits(mask & branch.below)])
        first = _lowest(mask & branch.below)
        begun = self.sizes[first] - len(self._ending(branch, first))  # the same for all
        return min([self.sizes[n] + behind(n) for n in bits(mask & branch.below)]) - begun

    def count(self, state: State, limit: int) -> int:
        """Give how many members can still come out, at most `limit`."""
        return min(limit, state[1].bit_count())

    def completions(self, state: State) -> Iterator[bytes]:
        """Give the shortest completion of each member that can still come out."""
        branch, mask = state
        for number in bits(mask):
            yield self._shortest(branch, 1 << number)


def fixed_strings(texts: Iterable[str]) -> FixedTerminal:
    """Give the terminal of these JSON strings, quotes included; the same object for the same set, while it is kept."""
    return _made(frozenset(texts), True)


def fixed_texts(texts: Iterable[bytes]) -> FixedTerminal:
    """Give the terminal of these bytes as they are; `members` are their Latin-1 readings."""
    return _made(frozenset(text.decode("latin-1") for text in texts), False)


@lru_cache(maxsize=_KEPT)
def _made(texts: frozenset[str], quoted: bool) -> FixedTerminal:
    return FixedTerminal(texts, quoted=quoted)


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _size(text: str, quoted: bool) -> int | None:
    """Give the bytes of the shortest writing; None for lone surrogates, which are never written."""
    if not quoted:
        return len(text)
    if _PLAIN.fullmatch(text):
        return len(text) + 2
    try:
        return len(wr.inside(text)) + 2
    except UnicodeEncodeError:
        return None


@lru_cache(maxsize=4096)
def _writings(character: str) -> tuple[Writing, ...]:
    """Give the ways to write a character of a fixed string."""
    plain = _shortest_writing(character)
    if character >= "\x7f":  # DEL too: json.dumps escapes it
        units = character.encode("utf-16-be")
        escaped = b"".join(b"\\u" + units[at : at + 2].hex().encode() for at in range(0, len(units), 2))
        return (tuple((byte,) for byte in plain), _any_case(escaped))
    return (_any_case(plain) if plain[:2] == b"\\u" else tuple((byte,) for byte in plain),)


def _any_case(escaped: bytes) -> Writing:
    return tuple((byte, byte - 0x20) if byte in b"abcdef" else (byte,) for byte in escaped)


@lru_cache(maxsize=4096)
def _shortest_writing(character: str) -> bytes:
    return wr.inside(character)


__all__ = ["Branch", "FixedTerminal", "State", "bits", "fixed_strings", "fixed_texts"]
