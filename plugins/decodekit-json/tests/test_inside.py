import re
from functools import cache

import numpy as np
import pytest

from decodekit.vocabulary import Vocabulary
from decodekit_json import limits, patterns, walking
from decodekit_json.fixed import fixed_strings
from decodekit_json.inside import inside, inside_from
from decodekit_json.loops import MOVES
from decodekit_json.number_range import NumberRange
from decodekit_json.numbers import number_terminal
from decodekit_json.plain_texts import plain_terminal
from decodekit_json.regular_operations import ANYTHING
from decodekit_json.strings import string_terminal
from decodekit_json.terminal import INFINITE, Terminal
from decodekit_json.trie import VocabularyTrie

_ESCAPE = re.compile(
    rb'\\(?:["\\/bfnrt]|u(?:[0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}'
    rb"|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))"
)
_SAMPLES = (b"\\n", b"\\u0000", b"\\ud000", b"\\ud800\\udc00")
_SHORT = dict(zip(b'"\\/bfnrt', '"\\/\b\f\n\r\t', strict=True))


class Dfa(Terminal):
    """Any automaton over bytes, without what has no way to an end."""

    def __init__(self, moves, final, start=0):
        self.moves, self.ends = moves, final
        self.far = dict.fromkeys(final, 0)
        for _ in moves:
            for state, ways in moves.items():
                best = min((self.far[to] + 1 for to in ways.values() if to in self.far), default=INFINITE)
                if best < self.far.get(state, INFINITE):
                    self.far[state] = best
        self.first = start

    def start(self):
        return self.first if self.first in self.far else None

    def step(self, state, byte):
        to = self.moves[state].get(byte)
        return to if to in self.far else None

    def final(self, state):
        return state in self.ends

    def distance(self, state):
        return self.far[state]

    def count(self, state, limit):
        return limit

    def completions(self, state):
        raise NotImplementedError


class Characters(Terminal):
    """JSON strings by the standard library: Python's UTF-8 decoder and one regular expression.

    A state is START, END or (the bytes of an unfinished character, needed, possible).
    """

    def __init__(self, need=0, room=INFINITE, wrong=(), only=None):
        self.need, self.room, self.wrong, self.only = need, room, set(map(ord, wrong)), only

    def start(self):
        return "start"

    def step(self, state, byte):
        if state == "start":
            return (b"", self.need, self.room) if byte == 0x22 else None
        if state == "end":
            return None
        part, need, room = state
        if not part and byte == 0x22:
            return None if need else "end"
        part += bytes([byte])
        if not room or part[0] < 0x20:
            return None
        code = self.whole(part)
        if code is None:
            return (part, need, room) if self.viable(part) else None
        if not self.permits(code):
            return None
        return (b"", max(need - 1, 0), room - 1 if room < INFINITE else room)

    def whole(self, part):
        if part[0] != 0x5C:
            try:
                return ord(part.decode())
            except UnicodeDecodeError:
                return None
        if not _ESCAPE.fullmatch(part):
            return None
        if part[1:2] != b"u":
            return ord(_SHORT[part[1]])
        units = bytes.fromhex(part.replace(b"\\u", b"").decode())
        return ord(units.decode("utf-16-be"))

    def permits(self, code):
        return code not in self.wrong if self.only is None else chr(code) in self.only

    def viable(self, part):
        if part[0] != 0x5C:
            if self.only is not None:
                return False
            rest = 2 + (part[0] >= 0xE0) + (part[0] >= 0xF0) - len(part)
            return any(self.whole(part + bytes([byte]) * rest) is not None for byte in (0x80, 0x90, 0xA0))
        if self.only is not None and len(part) > 1:
            digits = part[2:].decode("latin-1").lower()
            return part[1:2] == b"u" and any(f"{ord(c):04x}".startswith(digits) for c in self.only)
        return any(_ESCAPE.fullmatch(part + sample[len(part) :]) for sample in _SAMPLES)

    def final(self, state):
        return state == "end"

    def distance(self, state):
        if state == "end":
            return 0
        if state == "start":
            return self.need + 2
        part, need, _ = state
        if not part:
            return need + 1
        if part[0] != 0x5C:
            rest = 2 + (part[0] >= 0xE0) + (part[0] >= 0xF0) - len(part)
        elif self.only is not None:
            rest = 6 - len(part)
        else:
            rest = min(len(s) - len(part) for s in _SAMPLES if _ESCAPE.fullmatch(part + s[len(part) :]))
        return rest + max(need - 1, 0) + 1

    def count(self, state, limit):
        return limit

    def completions(self, state):
        raise NotImplementedError


class FreeCharacters(Characters):
    def plain(self, state):
        return (state[1], state[2]) if len(state) == 3 and not state[0] else None


_PIECES = [
    "a",
    "b",
    "x",
    "Z",
    "0",
    " ",
    '"',
    "\\",
    "n",
    "u",
    "\\u",
    "00",
    "41",
    "d83",
    "D",
    "\\ud",
    "e9",
    "\n",
    ",",
    ":",
    "<",
]
_RAW = [piece.encode() for piece in _PIECES] + [
    *("é🐢你\u2028\x7f".encode()[at : at + 1] for at in range(13)),
    *(c.encode() for c in "é🐢你\u2028߿\U0010ffff"),
    b"\xed\xa0",
    b"\xf4\x90",
    b"\xc0\x80",
    b"\xff",
    b"\xe4\xbd",
    b"\xf0\x9f",
]


def vocabulary_of(seed, size, pieces=_RAW, longest=5):
    rng = np.random.default_rng(seed)
    tokens = [b"".join(pieces[i] for i in rng.integers(0, len(pieces), rng.integers(1, longest))) for _ in range(size)]
    tokens[1], tokens[2], tokens[5] = None, b"", tokens[6]
    return Vocabulary((*tokens, *(bytes([byte]) for byte in range(256))))


@cache
def kept_trie(seed, size, pieces, longest):
    vocabulary = vocabulary_of(seed, size, pieces, longest)
    return VocabularyTrie.of(vocabulary, vocabulary.size)


def trie_of(seed, size, pieces=tuple(_RAW), longest=5):
    trie = kept_trie(seed, size, pieces, longest)
    for cache_ in (trie.kept_views, trie.kept_inside, trie.kept_targets):
        cache_.clear()
    return trie


@pytest.fixture(autouse=True)
def no_files(monkeypatch):
    monkeypatch.setenv("DECODEKIT_CACHE", "")


@pytest.fixture(params=["as it is", "one by one", "levels", "no loops"])
def way(request, monkeypatch):
    if request.param == "one by one":
        monkeypatch.setattr(walking, "_MANY_CHILDREN", 10**9)
        monkeypatch.setattr(walking, "_MANY_LETTERS", 0)
        monkeypatch.setattr(walking, "_FEW_TOKENS", 10**9)
        monkeypatch.setattr(walking, "_MANY_BACK", 10**9)
        monkeypatch.setattr(walking, "_MANY_BELOW", 0)
    elif request.param == "levels":
        monkeypatch.setattr(walking, "_MANY_CHILDREN", 0)
        monkeypatch.setattr(walking, "_FEW_CHILDREN", 0)
        monkeypatch.setattr(walking, "_FEW_TOKENS", 0)
        monkeypatch.setattr(walking, "_MANY_BACK", 1)
        monkeypatch.setattr(walking, "_MANY_BELOW", 1)
        monkeypatch.setattr(limits, "_FEW", 0)
    elif request.param == "no loops":
        monkeypatch.setattr(walking, "_FEW_TOKENS", 2)
        monkeypatch.setattr(walking, "_MANY_LETTERS", 10**9)
        monkeypatch.setattr(walking, "_MANY_BACK", 10**9)
        monkeypatch.setattr(walking, "_MANY_BELOW", 10**9)
    return request.param


def run(terminal, state, raw):
    for byte in raw:
        state = terminal.step(state, byte)
        if state is None:
            return None
    return state


def flat(root, before=b""):
    for byte in root.letters:
        child = root.child(byte)
        for token in child.tokens:
            yield before + bytes([byte]), token
        yield from flat(child, before + bytes([byte]))


def check(trie, terminal, state, beginning=b"", exact_most=True, same_states=True):
    """Compare with reading every token byte by byte."""
    node = 0
    for byte in beginning:
        node = trie.children(node)[byte]
    within, past = {}, set()
    for token, piece in enumerate(trie.tokens[: trie.width]):
        if not piece or not piece.startswith(beginning) or piece == beginning:
            continue
        raw, at = piece[len(beginning) :], state
        for length, byte in enumerate(raw, 1):
            at = terminal.step(at, byte)
            if at is None:
                break
            if length == len(raw):
                within[token] = at
            elif terminal.final(at):
                past.add((raw[:length], raw[length:], token))
    found = inside_from(trie, terminal, state, node, len(beginning)) if beginning else inside(trie, terminal, state)

    assert found.mask.tolist() == trie.pack(list(within)).tolist()
    assert found.bits is None or not found.bits.flags.writeable
    assert {(content, *rest) for content, root in found.exits for rest in flat(root)} == past
    assert all(len(root.tokens) == 0 for _, root in found.exits)
    assert len({content for content, _ in found.exits}) == len(found.exits)
    merged = {(run(terminal, state, content), suffix, token) for content, suffix, token in past}
    assert {(reached, *rest) for reached, root in found.ends for rest in flat(root)} == merged
    assert len({reached for reached, _ in found.ends}) == len(found.ends)
    assert set(flat(found.end) if found.end else ()) == {(suffix, token) for _, suffix, token in past}
    farthest = max(map(terminal.distance, within.values()), default=0)
    assert found.most >= farthest
    if exact_most:
        assert found.most == farthest
    else:
        assert found.most <= max(farthest, terminal.distance(state)) + 12
    assert max([terminal.distance(at) + more for at, more in found.reached()], default=0) >= farthest
    groups = found.targets()
    assert sorted(token for _, ids in groups for token in ids) == sorted(within)
    for reached, ids in groups:
        for token in ids:
            if same_states:
                assert reached == within[token]
            else:
                assert terminal.distance(reached) == terminal.distance(within[token])
                assert ways(terminal, reached) == ways(terminal, within[token])
    return found


def ways(terminal, state):
    return [byte for byte in range(256) if terminal.step(state, byte) is not None]


def random_dfa(seed, states=6, letters=b'abx0"\\,\xc3\xa9', density=0.5):
    rng = np.random.default_rng(seed)
    moves = {
        state: {byte: int(rng.integers(states)) for byte in letters if rng.random() < density}
        for state in range(states)
    }
    return Dfa(moves, set(rng.choice(states, 2).tolist()))


@pytest.mark.parametrize("seed", range(5))
def test_random_automata_read_tokens_as_byte_by_byte(seed, way):
    trie = trie_of(seed, 600, pieces=tuple(bytes([b]) for b in b'abx0"\\,\xc3\xa9'), longest=7)
    terminal = random_dfa(seed, density=0.3 + 0.05 * seed)
    for state in terminal.far:
        check(trie, terminal, state, exact_most=False)
        for beginning in (b"a", b'"', b'x"'):
            check(trie, terminal, state, beginning, exact_most=False)


def test_an_automaton_that_stays_on_most_bytes(way):
    trie = trie_of(3, 1000)
    moves = {state: {byte: to for byte, to in enumerate(row) if to >= 0} for state, row in enumerate(MOVES[:-1])}
    quoted, comma = len(moves), len(moves) + 1
    del moves[0][0x3C]
    moves |= {0: {**moves[0], 0x22: quoted}, quoted: {0x2C: comma}, comma: {}}
    check(trie, Dfa(moves, {quoted, comma}), 0)
    moves = {0: {**dict.fromkeys(range(0x20, 0x80), 0), 0x3C: 1, 0xC3: 2}, 1: {0x61: 0}, 2: {0xA9: 0, 0x22: 3}, 3: {}}
    check(trie, Dfa(moves, {3}), 0, exact_most=False)


STRINGS = {
    "any": (0, INFINITE),
    "at most 3": (0, 3),
    "at least 2": (2, INFINITE),
    "2 to 3": (2, 3),
    "exactly 4": (4, 4),
    "empty": (0, 0),
    "long": (100, 300),
    "one": (1, 1),
}
BEFORE = [b"", b'"', b'"a', b'"\xf0', b'"\xe4\xbd', b'"\\', b'"\\u', b'"\\ud83d', b'"\\ud83d\\', b'"\\u00', b'"a"']


@pytest.mark.parametrize("lengths", STRINGS.values(), ids=STRINGS)
def test_free_strings_are_read_as_byte_by_byte(lengths, way):
    trie = trie_of(7, 300)
    terminal = FreeCharacters(*lengths)
    for before in BEFORE:
        state = run(terminal, terminal.start(), before)
        if state is None:
            continue
        check(trie, terminal, state, exact_most=False, same_states=False)
        for beginning in (b'"', b'a"', b"n", b"\xa9") if before == b'"' else ():
            if run_node(trie, beginning):
                check(trie, terminal, state, beginning, exact_most=False, same_states=False)


def run_node(trie, beginning):
    node = 0
    for byte in beginning:
        node = trie.children(node).get(byte)
        if node is None:
            return False
    return True


@pytest.mark.parametrize("options", [{"wrong": "<x\u2028é"}, {"wrong": "a"}, {"only": "abxZ0n"}, {"only": "ab"}])
@pytest.mark.parametrize("lengths", [(0, INFINITE), (2, 5)])
def test_strings_of_some_characters_are_read_as_byte_by_byte(options, lengths, way):
    trie = trie_of(11, 300)
    terminal = Characters(*lengths, **options)
    for before in (b"", b'"', b'"Z', b'"0', b'"\xe2', b'"\\u', b'"\\u2', b'"\\'):
        state = run(terminal, terminal.start(), before)
        if state is not None:
            check(trie, terminal, state, exact_most=False, same_states=False)
            check(trie, terminal, state, b'"', exact_most=False, same_states=False)


TERMINALS = {
    "free": lambda: string_terminal(ANYTHING),
    "2 to 4": lambda: string_terminal(ANYTHING, 2, 4),
    "words": lambda: string_terminal(patterns.search(r"^\S+\s+$")),
    "letters": lambda: string_terminal(patterns.search("^[a-z0-9-]+$")),
    "none of": lambda: string_terminal(patterns.search("^[^<>]*$")),
    "dots": lambda: string_terminal(patterns.search("^.*x.*$")),
    "found": lambda: string_terminal(patterns.search("ab")),
    "counted": lambda: string_terminal(patterns.search("^[a-zé]{0,50}$")),
    "counted 2": lambda: string_terminal(patterns.search("^[a-zé]{40,50}$")),
    "far": lambda: string_terminal(patterns.search("^.*a.{3}$")),
    "ahead": lambda: string_terminal(patterns.search("^(?!ab)[a-zé]*(,|$)")),
    "or": lambda: string_terminal(patterns.search("^(a*|.*b)$")),
    "capital": lambda: string_terminal(patterns.search("^[A-Z].*$"), 0, 5),
    "fixed": lambda: fixed_strings(["ab", "aé", "x\n", "0"]),
    "raw": lambda: plain_terminal(ANYTHING),
    "raw quoted": lambda: plain_terminal(patterns.search('^".*"$')),
    "raw after quote": lambda: plain_terminal(patterns.search('^"[^]*$')),
    "integer": lambda: number_terminal(NumberRange(integer=True)),
    "number": lambda: number_terminal(NumberRange()),
}


@pytest.mark.parametrize("name", TERMINALS)
def test_the_plugins_terminals_are_read_as_byte_by_byte(name, way):
    pieces = (*_RAW, b"0", b"12", b".5", b"e", b"-", b"00")
    trie = trie_of(13, 300, pieces=pieces)
    terminal = TERMINALS[name]()
    for before in (b"", *BEFORE, b'"ab', b'"aaaaaaaa', b"1", b"-0.", b'"x a', b'"ax'):
        state = run(terminal, terminal.start(), before)
        if state is not None:
            check(trie, terminal, state, exact_most=False, same_states=False)


def test_states_that_one_token_cannot_tell_apart_share_a_mask_but_not_their_distance():
    trie = trie_of(17, 800)
    terminal = string_terminal(patterns.search("^[a-z]{200,900}$"))
    first = run(terminal, terminal.start(), b'"')
    second = run(terminal, first, b"abc")
    one, two = inside(trie, terminal, first), inside(trie, terminal, second)
    assert one.bits is two.bits
    assert one.most == two.most + 3
    check(trie, terminal, second, exact_most=False, same_states=False)


_LIMITED_PIECES = 'a b c x - 0 é " \\u00e9 \\n \\ 1 < €'.encode().split(b" ")
LIMITED = [
    (r"^(?:\S+\s+){0,3}\S+$", 2, 7),
    (r"^(?:\S+\s+){0,3}\S+$", 0, 40),
    ("^.*xab$", 0, 6),
    ("^[a-zé]*-?[0-9]*$", 3, 6),
    ("^(ab|abc)+$", 4, 9),
    ("^.*x.*$", 0, 4),
    ("^[^<>]*$", 3, INFINITE),
    ("^a.{2}$|^b*$", 2, 5),
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("pattern", LIMITED, ids=lambda one: one[0])
def test_lengths_put_limits_on_what_a_pattern_reads(pattern, seed, way):
    regex, low, high = pattern
    trie = trie_of(seed, 600, pieces=(*_LIMITED_PIECES, b" "), longest=6)
    terminal = string_terminal(patterns.search(regex), low, None if high == INFINITE else high)
    for begun in (b'"', b'"a', b'"ab', b'"b', b'"a a', b'"x', b'"abab', b'"\xc3'):
        state = run(terminal, terminal.start(), begun)
        if state is not None:
            check(trie, terminal, state, exact_most=False, same_states=False)
            check(trie, terminal, state, b"a", exact_most=False, same_states=False)


def test_a_string_with_limits_that_no_token_goes_on_in_leads_nowhere(way):
    trie = trie_of(29, 60, pieces=(b"a", b"b"), longest=3)
    terminal = string_terminal(patterns.search("^[a-zé]*-[0-9]*$"), 3, 9)
    state = run(terminal, terminal.start(), b'"a-1')
    assert terminal.limits(state) is not None
    found = check(trie, terminal, state, b"a", exact_most=False, same_states=False)
    assert list(found.targets()) == []


def test_free_strings_of_different_terminals_share_a_mask():
    trie = trie_of(19, 800)
    one, two = string_terminal(ANYTHING, 0, 500), string_terminal(ANYTHING, 0, 400)
    found = [inside(trie, terminal, run(terminal, terminal.start(), b'"ab')) for terminal in (one, two)]
    assert found[0].bits is found[1].bits


@pytest.mark.parametrize("lengths", [(0, None), (1, None), (0, 3), (2, 2)])
def test_a_free_string_is_read_before_its_quote_as_byte_by_byte(lengths):
    trie = trie_of(31, 800)
    terminal = string_terminal(ANYTHING, *lengths)
    found = [
        check(trie, terminal, terminal.start(), beginning, exact_most=False, same_states=False)
        for beginning in (b"", b",", b"a")
    ]
    assert found[0].mask.any()


def test_free_strings_with_one_limit_share_what_is_read_behind_the_quote():
    trie = trie_of(31, 800)
    one, two = string_terminal(ANYTHING, 0, 3), string_terminal(patterns.search("^[^]{0,3}$"))
    found = [inside(trie, terminal, terminal.start()) for terminal in (one, two)]
    assert found[0].mask.tolist() == found[1].mask.tolist()
    assert found[0].exits == found[1].exits


@pytest.mark.parametrize("pattern", ["^(?!ab)", "^(?!a|é|\\\\)", "^[^x0]", "^(?!.?b)[^é]"])
def test_strings_that_most_characters_set_free_are_read_as_byte_by_byte(pattern):
    trie, terminal = trie_of(41, 800), string_terminal(patterns.search(pattern))
    state = run(terminal, terminal.start(), b'"')
    check(trie, terminal, state, exact_most=False, same_states=False)
    assert (walking.TerminalWalk(trie, terminal, state, 0, exact=True).freed is None) == (pattern == "^(?!.?b)[^é]")


def test_terminals_that_read_on_alike_share_what_was_found():
    trie = trie_of(23, 300)
    one, two = string_terminal(patterns.search("^a[bc]*$")), string_terminal(patterns.search("^0[bc]*$"))
    states = run(one, one.start(), b'"a'), run(two, two.start(), b'"0')
    assert states[0] == states[1]
    assert inside(trie, one, states[0]) is inside(trie, two, states[1])
    assert inside(trie, one, one.start()) is not inside(trie, two, two.start())


def test_what_was_found_is_kept():
    trie, terminal = trie_of(23, 300), random_dfa(3)
    assert inside(trie, terminal, 0) is inside(trie, terminal, 0)
