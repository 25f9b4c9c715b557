import gc
import itertools
import re

import interegular
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import charsets as cs
from decodekit_json import counters
from decodekit_json import languages as lg
from decodekit_json import lengths as ln
from decodekit_json.boolean_operations import both, complement, minus
from decodekit_json.derivatives import step
from decodekit_json.expressions import NEVER, REPEAT, Node, chars, interned
from decodekit_json.patterns import full, search
from decodekit_json.regular_operations import alt, concat, literal, repeat
from decodekit_json.terminal import INFINITE

LETTERS = "abc"
WORDS = ["".join(letters) for size in range(6) for letters in itertools.product(LETTERS, repeat=size)]
MORE = ["".join(letters) for size in range(6) for letters in itertools.product("abcd", repeat=size)]
"""With a letter that only `[^a]` speaks of."""


def _counted(inner):
    counts = st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,3}", "{2,}", "{2,3}"])
    return st.tuples(inner, counts).map(lambda pair: f"(?:{pair[0]}){pair[1]}")


REGEXES = st.recursive(
    st.sampled_from(["a", "b", "c", "[ab]", "[bc]", "[^a]", "ab", ""]),
    lambda inner: (
        st.tuples(inner, inner).map("".join)
        | st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})")
        | _counted(inner)
    ),
    max_leaves=8,
)


def _after(node: Node, text: str) -> Node:
    for character in text:
        node = step(node, ord(character))
    return node


def _fsm(regex: str):
    return interegular.parse_pattern(regex).to_fsm()


@settings(max_examples=150, deadline=None)
@given(REGEXES)
def test_derivatives_accept_what_python_accepts(regex):
    node, compiled = full(regex), re.compile(regex)
    for word in WORDS[:200]:
        assert _after(node, word).nullable == bool(compiled.fullmatch(word)), word


@settings(max_examples=120, deadline=None)
@given(REGEXES, REGEXES)
def test_intersection_and_complement_agree_with_automata(left, right):
    first, second = _fsm(f"(?:{left})"), _fsm(f"(?:{right})")
    alphabet, (translated, other) = interegular.fsm.Alphabet.union(first.alphabet, second.alphabet)
    first, second = _moved(first, alphabet, translated), _moved(second, alphabet, other)
    one, two = full(left), full(right)
    assert lg.is_empty(both(one, two)) == (first & second).empty()
    assert lg.is_empty(minus(one, two)) == (first - second).empty()
    equal = lg.is_empty(minus(one, two)) and lg.is_empty(minus(two, one))
    assert equal == (first == second)
    for word in WORDS[:120]:
        in_both = bool(re.fullmatch(left, word)) and bool(re.fullmatch(right, word))
        assert _after(both(one, two), word).nullable == in_both
        assert _after(complement(one), word).nullable != bool(re.fullmatch(left, word))


def _moved(fsm, alphabet, mapping):
    old = {value: key for key, value in mapping} if not isinstance(mapping, dict) else mapping
    table = {state: {new: row[old[new]] for new in old if old[new] in row} for state, row in fsm.map.items()}
    return interegular.FSM(alphabet, fsm.states, fsm.initial, fsm.finals, table)


@settings(max_examples=120, deadline=None)
@given(REGEXES, REGEXES, st.booleans(), st.integers(0, 5), st.integers(0, 5))
def test_lengths_counts_and_texts_agree_with_enumeration(left, right, negative, low, extra):
    small = repeat(chars(cs.of(map(ord, LETTERS))), 0, 5)
    node = both(full(left), complement(full(right)) if negative else full(right), small)
    expected = [w for w in WORDS if re.fullmatch(left, w) and bool(re.fullmatch(right, w)) != negative]
    within = [word for word in expected if low <= len(word) <= low + extra]
    assert lg.shortest(node) == min(map(len, expected), default=INFINITE)
    assert lg.has_length(node, low, low + extra) == bool(within)
    assert lg.next_length(node, low, low + extra) == min(map(len, within), default=None)
    assert lg.count(node, 1 << 30, low, low + extra) == len(within)
    assert sorted(lg.texts(node, low, low + extra)) == sorted(within)
    assert lg.count(node, 3) == min(3, len(expected))


@settings(max_examples=120, deadline=None)
@given(REGEXES.map(lambda regex: regex.replace("[^a]", "[bc]")))
def test_lengths_without_a_bound_agree_with_enumeration(regex):
    node = full(regex)
    sizes = {len(word) for word in WORDS if re.fullmatch(regex, word)}
    assert {size for size in range(6) if ln.reaches(lg.lengths(node), size, size)} == sizes
    negative = both(node, complement(full("a*b")))
    sizes = {len(word) for word in WORDS if re.fullmatch(regex, word) and not re.fullmatch("a*b", word)}
    assert {size for size in range(6) if lg.has_length(negative, size, size)} == sizes
    fsm = _fsm(regex) if regex else None
    assert lg.is_infinite(node) == (fsm is not None and _infinite(fsm))


def _infinite(fsm) -> bool:
    live = {state for state in fsm.states if fsm.islive(state)}
    reached, pending, edges = set(), [fsm.initial], {}
    while pending:
        state = pending.pop()
        if state in reached or state not in live:
            continue
        reached.add(state)
        edges[state] = {target for target in fsm.map.get(state, {}).values() if target in live}
        pending += edges[state]
    while ends := {state for state in reached if not edges[state] & reached}:
        reached -= ends
    return bool(reached)


PIECES = st.builds(
    ln.Piece, st.integers(0, 7), st.sampled_from([1, 1, 2, 3, 5]), st.sampled_from([1, 1, 2, 3, INFINITE])
)
LENGTHS = st.lists(PIECES, min_size=1, max_size=3).map(lambda pieces: ln.union(*((piece,) for piece in pieces)))
BOUND = 60


def _members(lengths):
    found = set()
    for piece in lengths:
        found |= set(range(piece.start, min(piece.last, BOUND) + 1, piece.period))
    return found


@settings(max_examples=200, deadline=None)
@given(LENGTHS, LENGTHS, st.integers(0, 3), st.sampled_from([None, 0, 1, 3]))
def test_arithmetic_of_lengths_agrees_with_sets(left, right, least, more):
    one, two = _members(left), _members(right)
    assert _members(ln.plus(left, right)) == {a + b for a in one for b in two if a + b <= BOUND}
    sums, found, times = {0}, set(), 0
    while times <= (BOUND + 5 if more is None else least + more):
        found |= sums if times >= least else set()
        sums = {a + b for a in sums for b in one if a + b <= BOUND}
        times += 1
    assert _members(ln.times(left, least, None if more is None else least + more)) == found


def test_equal_expressions_are_one_object():
    assert search("a|b") is search("[ab]")
    assert full("(?:a|b)*") is full("(?:(?:a*)|b)*")
    assert full("(a+)+") is full("a+")
    assert full("(.{1,100}){1,100}") is full(".{1,10000}")
    assert full("a?") is full("(|a)")
    assert both(full("a*"), complement(full("a*"))) is NEVER


def test_counters_are_not_unrolled():
    node = full(".{0,1000000}")
    onward = step(node, ord("a"))
    assert (onward.kind, onward.least, onward.most) == (REPEAT, 0, 999_999)
    assert lg.lengths(full("(ab){5,1000000}")) == (ln.Piece(10, 2, 999_996),)


def test_alternatives_that_differ_in_one_counter_are_joined_without_comparing_each_with_each(monkeypatch):
    monkeypatch.setattr(counters, "_joined", None)
    starts = [*range(0, 3_000, 5), *range(2, 1_000, 5)]
    joined = alt(*(concat(literal("b"), repeat(literal("a"), n, n + 1)) for n in starts))
    pairs, alone = range(0, 1_000, 5), range(1_000, 3_000, 5)
    expected = [*((n + 1, n + 4) for n in pairs), *((n + 1, n + 2) for n in alone)]
    assert sorted((part.low, part.high) for part in joined.parts) == expected
    assert alt(*(repeat(literal("a"), n, n + 1) for n in range(7))) is full("a{0,7}")


@settings(max_examples=60, deadline=None)
@given(REGEXES, REGEXES)
def test_the_shortest_texts_of_all_states_at_once_are_those_of_each(left, right):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lg, "_FEW_STATES", 0)
        node = both(full(left), complement(full(right)))
        for one in (node, *lg.successors(node)):
            words = [word for word in MORE if _after(one, word).nullable]
            assert lg.shortest(one) == min(map(len, words), default=lg.shortest(one))
            assert lg.is_empty(one) <= (not words)
            one.notes.clear()


@pytest.mark.parametrize(("pattern", "expected"), [("w1", True), ("^.{1,300}$", False)])
def test_circles_are_found_where_lengths_are_too_irregular(pattern, expected):
    others = [search(f"w{number}") for number in range(12)]
    assert lg.is_infinite(both(search(pattern), *others)) == expected


def test_nodes_die_with_what_uses_them():
    gc.collect()
    before = len(interned)
    for number in range(300):
        node = both(literal(f"key{number}"), complement(repeat(literal(f"x{number}"), 0, None)))
        lg.shortest(node)
        _after(node, "key")
    del node
    gc.collect()
    assert len(interned) <= before + 50


def test_a_search_past_its_bound_is_refused():
    node = both(*(repeat(repeat(literal("a"), prime, prime), 1, None) for prime in (97, 101, 103)))
    with pytest.raises(UnsupportedSchemaError, match="takes more than 10000 states"):
        lg.shortest(node)


@pytest.mark.parametrize("other", [((0, 5), (9, 20)), ((7, 7),), cs.ANY, ()])
def test_sets_of_code_points_agree_with_python_sets(other):
    ranges = ((0, 3), (5, 9), (0xD000, 0xD7FF), (0xE000, 0xE001))
    members = {code for low, high in ranges for code in range(low, high + 1)}
    others = {code for low, high in other for code in range(low, high + 1)}
    assert set(_codes(cs.union(ranges, other))) == members | others
    assert set(_codes(cs.intersection(ranges, other))) == members & others
    assert set(_codes(cs.minus(ranges, other))) == members - others
    assert all(cs.contains(ranges, code) == (code in members) for code in (0, 3, 4, 5, 9, 10, 0xD7FF, 0xE001, 0xE002))
    assert cs.size(cs.complement(ranges)) == 0x110000 - 0x800 - len(members)


def _codes(ranges):
    return [code for low, high in ranges for code in range(low, high + 1)]


def test_general_categories_are_those_of_unicodedata():
    import unicodedata

    table = cs.general_categories()
    for name, ranges in table.items():
        assert all(unicodedata.category(chr(low)) == unicodedata.category(chr(high)) == name for low, high in ranges)
    assert sum(map(cs.size, table.values())) == 0x110000 - 0x800
    lookup = {code: name for name, ranges in table.items() for low, high in ranges for code in (low, high)}
    assert all(unicodedata.category(chr(code)) == name for code, name in lookup.items())
    sample = range(0, 0x110000, 7)
    assert all(cs.contains(table.get(unicodedata.category(chr(c)), ()), c) for c in sample if not 0xD800 <= c < 0xE000)
