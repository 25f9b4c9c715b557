"""What may come after the end of a terminal: the rest of the tokens, as a small tree that is made on demand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np

from decodekit_json.trie import Array, VocabularyTrie, ranges

_FEW = 12
_MANY = 512
_NONE: tuple[int, ...] = ()

Ids: TypeAlias = "tuple[int, ...] | Array"


class SuffixNode:
    """A place in the rest of some tokens: nodes of the vocabulary's trie that the same bytes lead to.

    Args:
        trie: The vocabulary.
        nodes: The nodes.
        arrived: Whether a byte has led here: the tokens at the nodes themselves then belong to the place.
    """

    __slots__ = ("_children", "_letters", "_size", "_tokens", "arrived", "nodes", "trie")

    def __init__(self, trie: VocabularyTrie, nodes: Sequence[int] | Array, arrived: bool = False) -> None:
        self.trie, self.nodes, self.arrived = trie, nodes, arrived
        self._children: dict[int, SuffixNode | None] | None = None
        self._letters: bytes | None = None
        self._size = -1
        self._tokens: Ids | None = None

    @classmethod
    def of(cls, trie: VocabularyTrie, nodes: Sequence[int] | Array) -> SuffixNode:
        """Give the place of some nodes; the same object for the same nodes, unless they are many."""
        key: tuple[int, ...] | bytes
        if len(nodes) > _FEW:
            nodes = many = np.asarray(nodes, np.int64)
            if len(many) > _MANY:
                return cls(trie, many)
            key = many.tobytes()
        else:
            key = nodes = tuple(nodes)
        return trie.kept_suffixes.get(key, lambda: cls(trie, nodes))

    @classmethod
    def at(cls, trie: VocabularyTrie, root: int | SuffixNode) -> SuffixNode:
        """Give a node of the trie as a place."""
        return cls.of(trie, (root,)) if isinstance(root, int) else root

    @classmethod
    def together(cls, places: Iterable[SuffixNode]) -> SuffixNode:
        """Put several places together, where tokens may go on; their own tokens are left out."""
        found = list(places)
        if len(found) == 1 and not found[0].arrived:
            return found[0]
        if sum(len(place.nodes) for place in found) <= _FEW:
            return cls.of(found[0].trie, [int(node) for place in found for node in place.nodes])
        return cls.of(found[0].trie, np.concatenate([np.asarray(place.nodes, np.int64) for place in found]))

    @property
    def nbytes(self) -> int:
        """About the memory of the nodes, and of the places behind them once they are made."""
        return 300 + 24 * len(self.nodes)

    @property
    def tokens(self) -> Ids:
        """Ids of the tokens that end here; none at the root, where nothing follows the end."""
        found = self._tokens
        if found is None:
            trie = self.trie
            if not self.arrived:
                found = _NONE
            elif len(self.nodes) <= _FEW:
                found = tuple([token for node in self.nodes for token in trie.tokens_at(node)])
            else:
                starts = trie.low[self.nodes]
                found = trie.order[ranges(starts, trie.own[self.nodes] - starts)]
            self._tokens = found
        return found

    @property
    def size(self) -> int:
        """How many tokens end here or further on."""
        if self._size < 0:
            trie, nodes = self.trie, self.nodes
            if len(nodes) <= _FEW:
                self._size = sum([trie.count(node) for node in nodes])
            else:
                self._size = int((trie.high[nodes] - trie.low[nodes]).sum())
        return self._size

    @property
    def letters(self) -> bytes:
        """The bytes that may follow."""
        if self._letters is None:
            trie = self.trie
            if len(self.nodes) <= _FEW:
                self._letters = bytes(dict.fromkeys(b for node in self.nodes for b in trie.children(node)))
            else:
                starts = trie.first[self.nodes]
                self._letters = np.unique(
                    trie.letters[ranges(starts, trie.first[np.asarray(self.nodes) + 1] - starts)]
                ).tobytes()
        return self._letters

    def child(self, byte: int) -> SuffixNode | None:
        """Give the place after one byte, None where no token has it."""
        children = self._children
        if children is None:
            children = self._children = {}
        elif byte in children:
            return children[byte]
        if len(self.nodes) <= _FEW:
            found = [child for node in self.nodes if (child := self.trie.children(node).get(byte)) is not None]
            made = SuffixNode(self.trie, found, True) if found else None
        else:
            after = self.trie.after(self.nodes, byte)
            made = SuffixNode(self.trie, after if len(after) > _FEW else after.tolist(), True) if len(after) else None
        children[byte] = made
        return made

    def along(self, raw: bytes) -> SuffixNode | None:
        """Give the place after some bytes, None where no token has them."""
        place: SuffixNode | None = self
        for byte in raw:
            place = None if place is None else place.child(byte)
        return place


__all__ = ["Ids", "SuffixNode"]
