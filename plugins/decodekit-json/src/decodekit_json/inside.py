"""Which tokens stay within a terminal, and which run past an end of it; found once, and shared between schemas.

States that the next bytes of one token cannot tell apart share what is found, and so do all free strings.
"""

from __future__ import annotations

from collections.abc import Iterable

from decodekit_json.automaton import free
from decodekit_json.fixed import Branch, FixedTerminal
from decodekit_json.limits import Limited
from decodekit_json.plain import Plain, plain_of
from decodekit_json.strings import StringTerminal
from decodekit_json.suffixes import SuffixNode
from decodekit_json.terminal import Terminal, TerminalState
from decodekit_json.trie import VocabularyTrie
from decodekit_json.walking import Reached, TerminalWalk
from decodekit_json.within import Begun, Exits, Free, Inside, Targets, Where

_MANY_PARTS = 12
_FEW_IDS = 64


class _Union(Inside):
    """For alternatives: what one of them reads."""

    __slots__ = ("parts",)

    def __init__(self, where: Where, states: list[TerminalState]) -> None:
        trie, terminal, _, node, depth = where
        self.parts = [inside_from(trie, terminal, state, node, depth) for state in states]
        bits = self.parts[0].mask.copy()
        for part in self.parts[1:]:
            bits |= part.mask
        bits.setflags(write=False)
        super().__init__(where, bits, _once(part._ended for part in self.parts), -1)

    @property
    def most(self) -> int:
        return max(part.most for part in self.parts)

    def reached(self) -> Reached:
        return [one for part in self.parts for one in part.reached()]

    def _final_states(self) -> dict[TerminalState, list[int]]:
        return _once(part._final_states() for part in self.parts)


def _once(ended: Iterable[dict[TerminalState, list[int]]]) -> dict[TerminalState, list[int]]:
    """Put ends together, each node once."""
    found: dict[TerminalState, list[int]] = {}
    seen: set[int] = set()
    for part in ended:
        for state, nodes in part.items():
            found.setdefault(state, []).extend(node for node in nodes if node not in seen)
        seen.update(node for nodes in part.values() for node in nodes)
    return {state: nodes for state, nodes in found.items() if nodes}


class _Shared:
    """What free strings with the same bounds have together."""

    __slots__ = ("bits", "ended", "exits", "nbytes")

    def __init__(self, view: Plain, needed: int, possible: int) -> None:
        self.bits = view.bits(needed, possible)
        nodes = view.exits_between(needed, possible)
        self.ended: dict[TerminalState, list[int]] = {None: nodes} if nodes else {}
        depth = view.trie.depth(view.node)
        trie = view.trie
        self.exits = tuple([(trie.bytes_to(node)[depth:], SuffixNode.of(trie, (node,))) for node in nodes])
        self.nbytes = self.bits.nbytes + 600 * len(nodes) + 300


def inside(trie: VocabularyTrie, terminal: Terminal, state: TerminalState) -> Inside:
    """Find what tokens do from their first byte on."""
    return inside_from(trie, terminal, state, 0, 0)


def inside_from(trie: VocabularyTrie, terminal: Terminal, state: TerminalState, node: int, depth: int) -> Inside:
    """Find what the tokens below a node do, read from there on.

    Args:
        trie: The vocabulary.
        terminal: What reads them.
        state: Its state at the node.
        node: Where the terminal began, or was, when the token began something else.
        depth: How many bytes lead to the node.
    """
    key = (terminal.reader(state), state, node)
    found = trie.kept_inside.look_up(key)
    if found is not None:
        return found
    return trie.kept_inside.get(key, lambda: _find(trie, terminal, state, node, depth))


def _find(trie: VocabularyTrie, terminal: Terminal, state: TerminalState, node: int, depth: int) -> Inside:
    if isinstance(terminal, FixedTerminal):
        return _find_fixed((trie, terminal, state, node, depth))
    bounds = free(terminal, state)
    if bounds is not None:
        return _find_free((trie, terminal, state, node, depth), *bounds)
    begun = _find_begun((trie, terminal, state, node, depth))
    if begun is not None:
        return begun
    parts = terminal.alternatives(state)
    if 1 < len(parts) <= _MANY_PARTS:
        return _Union((trie, terminal, state, node, depth), parts)
    if isinstance(terminal, StringTerminal) and (limits := terminal.limits(state)) is not None:
        return Limited((trie, terminal, state, node, depth), terminal.unlimited(state), *limits)
    alike = terminal.alike(state, trie.longest)
    if alike == state:
        return _read((trie, terminal, state, node, depth))
    key = (terminal.reader(state), alike, node, "alike")
    found = trie.kept_inside.get(key, lambda: _read((trie, terminal, state, node, depth)))
    return found if found.state == state else found.like(state)


def _find_begun(where: Where) -> Inside | None:
    """Read from the only byte that may follow on, where a string is free behind it."""
    trie, terminal, state, node, depth = where
    letters = terminal.allowed(state)
    if letters is None or len(letters) != 1:
        return None
    after, child = terminal.step(state, letters[0]), trie.child(node, letters[0])
    if after is None or child < 0 or free(terminal, after) is None:
        return None
    return Begun(where, trie.tokens_at(child), inside_from(trie, terminal, after, child, depth + 1))


def _read(where: Where) -> Inside:
    trie, terminal, state, node, _ = where
    walk = TerminalWalk(trie, terminal, state, node)
    return Inside(where, trie.pack(walk.all_tokens()), walk.all_exits(), walk.most())


class _Below:
    """What the tokens below a node do in fixed texts from a branch on, whichever members are allowed.

    Attributes:
        found: The branches that beginnings of tokens lead to, with the nodes there and the tokens that end there.
    """

    __slots__ = ("found", "nbytes")

    def __init__(self, trie: VocabularyTrie, terminal: FixedTerminal, start: Branch, node: int) -> None:
        self.found: list[tuple[Branch, int, tuple[int, ...]]] = []
        waiting = [(start, node)]
        while waiting:
            branch, at = waiting.pop()
            for byte, after in (branch.edges or terminal.grow(branch)).items():
                child = trie.child(at, byte)
                if child >= 0:
                    self.found.append((after, child, trie.tokens_at(child)))
                    waiting.append((after, child))
        self.nbytes = 300 + 150 * len(self.found)


def _find_fixed(where: Where) -> Inside:
    """Read fixed texts: few tokens, and few ways."""
    trie, terminal, (start, mask), node, _ = where
    if mask == start.below and mask.bit_count() == 1:  # no other members have it
        every = _Below(trie, terminal, start, node)
    else:
        every = trie.kept_inside.get((terminal, start, node, "below"), lambda: _Below(trie, terminal, start, node))
    found = every.found if mask == start.below else [one for one in every.found if one[0].below & mask]
    ids = [token for _, _, tokens in found for token in tokens]
    ended: dict[TerminalState, list[int]] = {}
    for after, child, _ in found:
        if after.member is not None and trie.offspring(child):
            ended.setdefault((after, mask & after.below), []).append(child)
    if len(ids) <= _FEW_IDS:
        return Inside(where, None, ended, terminal.longest, tuple(ids))
    return Inside(where, trie.pack(ids), ended, terminal.longest)


def _find_free(where: Where, needed: int, possible: int) -> Inside:
    trie, node = where[0], where[3]
    view = plain_of(trie, node)
    low, high = min(needed, trie.longest + 1), min(possible, trie.longest + 1)
    shared = trie.kept_inside.get((node, low, high), lambda: _Shared(view, low, high))
    found = Free(where, shared.bits, shared.ended, view.most(needed))
    found._exits = shared.exits
    return found


__all__ = ["Exits", "Inside", "Targets", "Where", "inside", "inside_from"]
