"""From bytes to tokens: which tokens may follow a state, and how many tokens the shortest way to an end has.

Both walk tries of the vocabulary level by level with numpy. Nothing is worked out for all states times all tokens,
which is what makes outlines-core's own token index take seconds and gigabytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from decodekit.vocabulary import Vocabulary
from decodekit_outlines.automaton import Automaton, Ints, ranges
from decodekit_outlines.caching import BoundedCache

UNREACHABLE = np.iinfo(np.int32).max
_CHUNK_STATES = 256
_DENSE_SHARE = 0.2
"""Share of the two-byte beginnings of tokens past which a state counts as one that nearly every token fits."""
_TRIES = BoundedCache(limit_bytes=256 << 20)

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Trie:
    """Byte strings as a tree; nodes are numbered breadth first, so children are ranges.

    Attributes:
        letters: Last byte of each node, shape [node].
        first: First child of each node, shape [node + 1]; the children of n are first[n]..first[n + 1].
        offsets: Where each node's tokens start in `tokens`, shape [node + 1].
        tokens: Token ids, by node.
        height: Bytes of the longest way down from each node.
    """

    letters: Array
    first: Array
    offsets: Array
    tokens: Ints
    height: Array

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return sum(a.nbytes for a in (self.letters, self.first, self.offsets, self.tokens, self.height))


def build_trie(pieces: Sequence[tuple[bytes, int]]) -> Trie:
    """Build the tree of (bytes, token) pairs; the same bytes may belong to several tokens."""
    ordered = sorted(pieces)
    lengths = np.array([len(raw) for raw, _ in ordered], np.int64)
    ids = np.array([token for _, token in ordered], np.int32)
    blob = np.frombuffer(b"".join(raw for raw, _ in ordered), np.uint8)
    starts = np.append(0, np.cumsum(lengths)[:-1]) if len(lengths) else np.empty(0, np.int64)
    letters, parents, levels = [np.zeros(1, np.uint8)], [np.zeros(1, np.int64)], [0]
    ends: list[tuple[Array, Array]] = []
    count, depth = 1, 0
    active, here = np.arange(len(ordered)), np.zeros(len(ordered), np.int64)
    while len(active):
        byte = blob[starts[active] + depth]
        fresh = np.ones(len(active), np.bool_)
        fresh[1:] = (byte[1:] != byte[:-1]) | (here[1:] != here[:-1])
        parents.append(here[fresh])
        letters.append(byte[fresh])
        here = count + np.cumsum(fresh) - 1
        levels.append(count)
        count += int(fresh.sum())
        depth += 1
        longer = lengths[active] > depth
        ends.append((here[~longer], ids[active[~longer]]))
        active, here = active[longer], here[longer]
    parent = np.concatenate(parents)
    nodes = np.concatenate([n for n, _ in ends]) if ends else np.empty(0, np.int64)
    tokens = np.concatenate([t for _, t in ends]) if ends else np.empty(0, np.int32)
    height = np.zeros(count, np.int32)
    for start, end in reversed(list(zip(levels[1:], [*levels[2:], count], strict=True))):
        np.maximum.at(height, parent[start:end], height[start:end] + 1)
    first = 1 + np.searchsorted(parent[1:], np.arange(count + 1))
    return Trie(np.concatenate(letters), first, np.searchsorted(nodes, np.arange(count + 1)), tokens, height)


@dataclass(frozen=True, slots=True, eq=False)
class Tries:
    """A vocabulary's tokens, read forwards and backwards."""

    forward: Trie
    backward: Trie

    @property
    def nbytes(self) -> int:
        """Memory of both trees."""
        return self.forward.nbytes + self.backward.nbytes

    @classmethod
    def of(cls, vocabulary: Vocabulary, width: int) -> Tries:
        """Build both for the tokens below `width`, or take them from the cache."""

        def build() -> Tries:
            pieces = [(raw, token) for token, raw in enumerate(vocabulary.tokens[:width]) if raw]
            return cls(build_trie(pieces), build_trie([(raw[::-1], token) for raw, token in pieces]))

        return _TRIES.get((vocabulary.fingerprint, width), build)


def walk(automaton: Automaton, trie: Trie, state: int) -> tuple[Ints, Ints]:
    """Give the tokens that lead from `state` to a state, and those states."""
    moves, classes = automaton.moves, automaton.classes[trie.letters]
    nodes, states = np.zeros(1, np.int64), np.array([state], np.int32)
    tokens: list[Ints] = []
    targets: list[Ints] = []
    while len(nodes):
        starts, ends = trie.first[nodes], trie.first[nodes + 1]
        kids = ranges(starts, ends)
        reached = moves[np.repeat(states, ends - starts), classes[kids]]
        alive = np.flatnonzero(reached >= 0)
        nodes, states = kids[alive], reached[alive]
        counts = trie.offsets[nodes + 1] - trie.offsets[nodes]
        tokens.append(trie.tokens[ranges(trie.offsets[nodes], trie.offsets[nodes + 1])])
        targets.append(np.repeat(states, counts))
    return np.concatenate(tokens), np.concatenate(targets)


def distances(automaton: Automaton, tries: Tries) -> Ints:
    """Give the fewest tokens from each state to an end, `UNREACHABLE` where there is no way.

    Breadth first, from the ends back. States that few tokens may follow (keys, punctuation, the middle of a
    character) are walked forwards once. For the others (inside a string nearly every token fits) tokens are read
    backwards from each new layer, only as far as the rest of a token can still come from a state without a distance.
    """
    fan_out = np.diff(tries.forward.first)
    roots = fan_out[np.arange(tries.forward.first[0], tries.forward.first[1])]
    cost = np.bincount(automaton.classes[tries.forward.letters[tries.forward.first[0] : tries.forward.first[1]]], roots)
    cost = np.pad(cost, (0, automaton.moves.shape[1] - len(cost)))
    dense = (automaton.moves >= 0) @ cost > _DENSE_SHARE * cost.sum()
    into = _edges(automaton, tries.forward, np.flatnonzero(~dense))
    back = _Backwards(automaton, tries.backward)
    found = np.where(automaton.final, 0, UNREACHABLE).astype(np.int32)
    open_ = ~automaton.final
    layer, steps = np.flatnonzero(automaton.final), 0
    while len(layer):
        steps += 1
        fresh = np.zeros(automaton.size, np.bool_)
        fresh[into.before(layer)] = True
        back.mark(layer, open_ & dense, fresh)
        fresh &= open_
        found[fresh] = steps
        open_ &= ~fresh
        layer = np.flatnonzero(fresh)
    return found


class _Into:
    """Edges by target."""

    def __init__(self, sources: Array, targets: Array, size: int) -> None:
        pairs = np.unique(targets.astype(np.int64) << 32 | sources)
        self.sources = (pairs & 0xFFFFFFFF).astype(np.int32)
        self.offsets = np.searchsorted(pairs >> 32, np.arange(size + 1))

    def before(self, targets: Array) -> Array:
        return self.sources[ranges(self.offsets[targets], self.offsets[targets + 1])]


def _edges(automaton: Automaton, trie: Trie, sources: Array) -> _Into:
    """Walk many states at once; give the edges that whole tokens make."""
    classes, has_token = automaton.classes[trie.letters], trie.offsets[1:] > trie.offsets[:-1]
    found: list[Array] = [np.empty((2, 0), np.int32)]
    for at in range(0, len(sources), _CHUNK_STATES):
        origins = states = sources[at : at + _CHUNK_STATES].astype(np.int32)
        nodes = np.zeros(len(states), np.int64)
        while len(nodes):
            starts, ends = trie.first[nodes], trie.first[nodes + 1]
            kids, counts = ranges(starts, ends), ends - starts
            reached = automaton.moves[np.repeat(states, counts), classes[kids]]
            alive = reached >= 0
            nodes, states, origins = kids[alive], reached[alive], np.repeat(origins, counts)[alive]
            whole = has_token[nodes]
            pairs = np.unique(origins[whole].astype(np.int64) << 32 | states[whole])
            found.append(np.stack([pairs >> 32, pairs & 0xFFFFFFFF]).astype(np.int32))
    edges = np.concatenate(found, axis=1)
    return _Into(edges[0], edges[1], automaton.size)


class _Backwards:
    """Reads tokens from their last byte on, from states back to states."""

    def __init__(self, automaton: Automaton, trie: Trie) -> None:
        self.automaton, self.trie = automaton, trie
        self.size, self.width = automaton.moves.shape
        sources, letters = np.nonzero(automaton.moves >= 0)
        keys = automaton.moves[sources, letters].astype(np.int64) * self.width + letters
        self.sources = sources[np.argsort(keys, kind="stable")].astype(np.int32)
        self.offsets = np.append(0, np.cumsum(np.bincount(keys, minlength=self.size * self.width)))
        self.classes = automaton.classes[trie.letters]
        self.has_token = trie.offsets[1:] > trie.offsets[:-1]
        self.measured = -1
        self.near = np.empty(0, np.int32)

    def mark(self, layer: Array, wanted: Array, fresh: Array) -> None:
        """Mark in `fresh` the `wanted` states that a token leads from into `layer`."""
        count = int(wanted.sum())
        if not count:
            return
        longest = int(self.trie.height[0])
        if self.measured < 0 or count < 0.9 * self.measured:
            self.near, self.measured = _near(self.automaton, wanted, longest), count
        layer = layer[self.near[layer] <= longest]
        for at in range(0, len(layer), _CHUNK_STATES):
            self._mark(layer[at : at + _CHUNK_STATES], fresh)

    def _mark(self, states: Array, fresh: Array) -> None:
        trie, nodes = self.trie, np.zeros(len(states), np.int64)
        while len(nodes):
            starts, ends = trie.first[nodes], trie.first[nodes + 1]
            kids = ranges(starts, ends)
            key = np.repeat(states.astype(np.int64) * self.width, ends - starts) + self.classes[kids]
            low, high = self.offsets[key], self.offsets[key + 1]
            states, kids = self.sources[ranges(low, high)], np.repeat(kids, high - low)
            useful = self.near[states] <= trie.height[kids]
            states, nodes = states[useful], kids[useful]
            fresh[states[self.has_token[nodes]]] = True


def _near(automaton: Automaton, sources: Array, limit: int) -> Ints:
    """Give the fewest bytes from any of `sources` to each state, at most `limit` + 1."""
    near = np.where(sources, 0, limit + 1).astype(np.int32)
    layer = np.flatnonzero(sources)
    for step in range(1, limit + 1):
        reached = automaton.moves[layer].ravel()
        reached = reached[reached >= 0]
        reached = np.unique(reached[near[reached] > step])
        if not len(reached):
            break
        near[reached] = step
        layer = reached
    return near


__all__ = ["UNREACHABLE", "Trie", "Tries", "build_trie", "distances", "walk"]
