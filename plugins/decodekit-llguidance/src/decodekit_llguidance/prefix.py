"""The state of a row as a value: the tokens so far, as a list that shares its beginning with all its forks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Prefix:
    """Tokens, the last one first. Immutable; hashed and compared by the tokens.

    *Cost:* a step is one small object; comparing two prefixes stops where they begin to share their memory.

    Args:
        parent: The tokens before, None for no token at all.
        token: The last token.
    """

    __slots__ = ("_hash", "length", "parent", "token")

    parent: Prefix | None
    token: int
    length: int
    _hash: int

    def __init__(self, parent: Prefix | None = None, token: int = -1) -> None:
        put = object.__setattr__
        put(self, "parent", parent)
        put(self, "token", token)
        put(self, "length", 0 if parent is None else parent.length + 1)
        put(self, "_hash", hash((0 if parent is None else parent._hash, token)))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a prefix is a value: {name} cannot be set")

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Prefix) or self._hash != other._hash or self.length != other.length:
            return False
        mine: Prefix | None = self
        theirs: Prefix | None = other
        while mine is not theirs and mine is not None and theirs is not None:
            if mine.token != theirs.token:
                return False
            mine, theirs = mine.parent, theirs.parent
        return True

    def __reduce__(self) -> tuple[object, ...]:
        return (of, (self.tokens(),))

    def __repr__(self) -> str:
        return f"Prefix{self.tokens()}"

    def up(self) -> Iterator[Prefix]:
        """Give this prefix and all shorter ones, the longest first."""
        here: Prefix | None = self
        while here is not None:
            yield here
            here = here.parent

    def tokens(self) -> tuple[int, ...]:
        """Give the tokens in the order of the text."""
        return tuple(p.token for p in self.up() if p.length)[::-1]


def of(tokens: Iterable[int]) -> Prefix:
    """Give the prefix of these tokens."""
    here = Prefix()
    for token in tokens:
        here = Prefix(here, token)
    return here


__all__ = ["Prefix", "of"]
