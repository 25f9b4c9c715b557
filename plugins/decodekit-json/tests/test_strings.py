import json
import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decodekit.errors import UnsupportedSchemaError
from decodekit_json.fixed import FixedTerminal, bits, fixed_strings, fixed_texts
from decodekit_json.patterns import full, search
from decodekit_json.plain_texts import PlainTerminal, plain_terminal
from decodekit_json.regular_operations import ANYTHING
from decodekit_json.strings import StringTerminal, string_terminal
from decodekit_json.terminal import INFINITE, Terminal

CHARACTERS = 'ab"\\/\n\x01\x7fé\u20ac\ufffd\U0001f600\U0010ffff'
PATTERNS = ["", "^a*$", "a|é", "^[^a]*$", "^(ab)*$", "^(é|ab)*$", "^.{2,3}$", "^(a|[\U00010000-\U0010ffff]{2})+$"]
PATTERNS += [
    "^(?!a)",
    "^(?=.*b)[^\\n]*$",
    "\\bab",
    "^[\\d-]+$",
    "^[\\u0000-\\u001f]{3}$",
    "^(\U0001f600|\\n)*a?$",
    "b$",
]
BOUNDS = [(0, None), (1, None), (0, 2), (2, 2), (3, 5), (2, None)]
CASES = [(pattern, low, high) for pattern in PATTERNS for low, high in BOUNDS]


def _python(pattern: str) -> re.Pattern[str]:
    pattern = pattern.replace("$", r"\Z").replace(".", "[^\n\r\u2028\u2029]")
    return re.compile(pattern, re.ASCII)


def _run(terminal: Terminal, written: bytes):
    state = terminal.start()
    for byte in written:
        if state is None:
            return None
        state = terminal.step(state, byte)
    return state


def _accepts(terminal: Terminal, written: bytes) -> bool:
    state = _run(terminal, written)
    return state is not None and terminal.final(state)


@st.composite
def _writings(draw):
    """A text and one of its JSON writings."""
    value, parts = draw(st.text(CHARACTERS, max_size=6)), []
    for character in value:
        units = character.encode("utf-16-be").hex()
        escaped = "".join("\\u" + units[at : at + 4] for at in range(0, len(units), 4))
        mixed = "".join(
            draw(st.sampled_from([digit, digit.upper()])) if digit in "abcdef" else digit for digit in escaped
        )
        short = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\n": "\\n"}.get(character)
        raw = character if character >= " " and character not in '"\\' else None
        parts.append(draw(st.sampled_from([way for way in (raw, short, mixed) if way])))
    return value, ('"' + "".join(parts) + '"').encode()


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(CASES), _writings())
def test_every_writing_of_a_text_is_judged_as_the_text(case, written):
    pattern, low, high = case
    value, text = written
    assert json.loads(text) == value
    expected = low <= len(value) <= (high or INFINITE) and bool(_python(pattern).search(value))
    assert _accepts(string_terminal(search(pattern), low, high), text) == expected


def _walk(terminal: Terminal, choose, steps: int):
    """States met when going on by random bytes."""
    state = terminal.start()
    for _ in range(steps):
        if state is None:
            return
        yield state
        onward = {byte: after for byte in range(256) if (after := terminal.step(state, byte)) is not None}
        if not onward:
            return
        state = onward[choose(sorted(onward))]


def _distances_are_exact(terminal: Terminal, state) -> None:
    distance = terminal.distance(state)
    assert (distance == 0) == terminal.final(state)
    after = [terminal.distance(s) for byte in range(256) if (s := terminal.step(state, byte)) is not None]
    if distance:
        assert min(after) == distance - 1
    else:
        assert all(other >= 0 for other in after)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(CASES), st.data())
def test_each_state_can_be_completed_and_knows_its_distance(case, data):
    terminal = string_terminal(search(case[0]), case[1], case[2])
    for state in _walk(terminal, lambda options: data.draw(st.sampled_from(options)), 14):
        _distances_are_exact(terminal, state)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(CASES), st.data())
def test_bytes_that_may_follow_are_among_those_that_are_said_to(case, data):
    terminal = string_terminal(search(case[0]), case[1], case[2])
    for state in _walk(terminal, lambda options: data.draw(st.sampled_from(options)), 14):
        assert {byte for byte in range(256) if terminal.step(state, byte) is not None} <= set(terminal.allowed(state))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["é|ab", "[^a]{1,2}", "(\U0001f600|b)*", r"\w+", r"(?=.*é)[aé€]{2,3}"]), st.data())
def test_plain_text_is_what_python_matches_in_utf8(regex, data):
    terminal = plain_terminal(full(regex))
    for state in _walk(terminal, lambda options: data.draw(st.sampled_from(options)), 10):
        _distances_are_exact(terminal, state)
    text = data.draw(st.text(CHARACTERS, max_size=4))
    assert _accepts(terminal, text.encode()) == bool(re.fullmatch(regex, text))


@pytest.mark.parametrize(
    "written",
    [
        rb'"\ud800"',
        rb'"\udc00"',
        rb'"\ud83d\u0041"',
        rb'"\ud83da"',
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
        b'"\xe0\x80\x80"',
        b'"\xf4\x90\x80\x80"',
        b'"\xf0\x80\x80\x80"',
        b'"\x80"',
        b'"\xff"',
        b'"\n"',
        b'"\x1f"',
        rb'"\x41"',
        rb'"\u004g"',
    ],
)
def test_what_is_no_json_or_no_utf8_has_no_state(written):
    assert _run(string_terminal(ANYTHING), written) is None


COUNTED = [
    ("^[ab]{0,3}$", 0, None, 15),
    ("^(a|bb)*$", 3, 4, 3 + 5),
    ("^(?!a)[ab]{2}$", 0, None, 2),
    ("^[aé]$", 0, None, 2),
    ("^\\n?$", 0, None, 2),
]


@pytest.mark.parametrize(("pattern", "low", "high", "number"), COUNTED)
def test_counts_and_completions_are_by_value(pattern, low, high, number):
    terminal = string_terminal(search(pattern), low, high)
    start = terminal.start()
    assert terminal.count(start, 1000) == number
    assert terminal.count(start, 2) == 2
    values = [json.loads(text) for text in terminal.completions(start)]
    assert len(values) == len(set(values)) == number
    assert all(_python(pattern).search(value) and low <= len(value) <= (high or INFINITE) for value in values)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([case[:3] for case in COUNTED]), st.data())
def test_completions_after_any_bytes_are_the_values_that_begin_so(case, data):
    terminal = string_terminal(search(case[0]), case[1], case[2])
    written = b""
    everything = {json.loads(text) for text in terminal.completions(terminal.start())}
    state = terminal.start()
    for _ in range(data.draw(st.integers(0, 12))):
        onward = {byte: s for byte in range(256) if (s := terminal.step(state, byte)) is not None}
        if not onward:
            break
        byte = data.draw(st.sampled_from(sorted(onward)))
        state, written = onward[byte], written + bytes([byte])
    endings = list(terminal.completions(state))
    values = [json.loads(written + ending) for ending in endings]
    assert all(_accepts(terminal, written + ending) for ending in endings)
    assert len(values) == len(set(values)) == terminal.count(state, 1000)
    assert set(values) <= everything


def test_lengths_are_counters():
    terminal = string_terminal(ANYTHING, 100_000, 1_000_000)
    state = _run(terminal, b'"' + b"x" * 10)
    assert terminal.plain(state) == (99_990, 999_990)
    assert terminal.distance(state) == 99_991
    assert terminal.alike(state, 50) == terminal.alike(terminal.step(state, 0x78), 50)
    assert terminal.plain(_run(terminal, rb'"\u')) is None
    assert terminal.plain(_run(string_terminal(search("^a")), b'"a')) == (0, INFINITE)
    repeated = string_terminal(search("^[a-z]{1,250}$"))
    assert _run(repeated, b'"a')[0] is _run(repeated, b'"abc')[0]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([("", 0, 6), ("", 5, 9), ("^[^a]*$", 4, 9), ("^.{3,8}$", 0, None), ("b", 4, 7), ("^(ab)*$", 3, 9)]),
    st.data(),
)
def test_states_that_are_alike_have_the_same_near_future(case, data):
    terminal = string_terminal(search(case[0]), case[1], case[2])
    horizon = data.draw(st.integers(0, 2))
    states = {s for _ in range(2) for s in _walk(terminal, lambda o: data.draw(st.sampled_from(o)), 9)}
    groups: dict[object, list] = {}
    for state in states:
        groups.setdefault(terminal.alike(state, horizon), []).append(state)
    for group in groups.values():
        futures = {frozenset(_future(terminal, state, horizon)) for state in group}
        assert len(futures) == 1


def _future(terminal, state, horizon, written=b""):
    yield written, terminal.final(state) and len(written) < horizon
    if len(written) < horizon:
        for byte in (0x22, 0x5C, 0x61, 0x62, 0x63, 0x75, 0x30, 0x44, 0xC3, 0xA9, 0x80):
            after = terminal.step(state, byte)
            if after is not None:
                yield from _future(terminal, after, horizon, written + bytes([byte]))


def test_equal_terminals_are_one():
    assert string_terminal(search("a|b"), 1, 2) is string_terminal(search("[ab]"), 1, 2)
    assert isinstance(string_terminal(ANYTHING), StringTerminal)
    assert isinstance(plain_terminal(ANYTHING), PlainTerminal)
    assert fixed_strings(["a", "b"]) is fixed_strings(["b", "a"])


@pytest.mark.parametrize(
    ("pattern", "low", "high"), [("^(ab)*$", 3, 3), ("^a{3}$", 0, 2), ("^(?!a)a", 0, None), ("", 3, 2)]
)
def test_an_empty_language_has_no_start(pattern, low, high):
    assert string_terminal(search(pattern), low, high).start() is None


def test_lengths_too_irregular_are_refused():
    pattern = "^((a{9973})|(b{9967})|(c{9949}))*$"
    with pytest.raises(UnsupportedSchemaError, match="too irregular"):
        string_terminal(search(pattern), 100_001, 100_003)


KEYS = ["a", "ab", "", 'q"\\', "\n\t", "\x01", "\x7f", "é", "êz", "\u20ac", "\U0001f600", "\U0001f601b", "caf\xe9"]


@pytest.mark.parametrize("mask", [None, 0b1010101010101, 1, 0b100000000000])
def test_fixed_strings_are_written_in_one_way(mask):
    terminal = fixed_strings(KEYS)
    allowed = terminal.everything if mask is None else mask
    start = terminal.start_with(allowed)
    for number, text in enumerate(terminal.members):
        for written in {json.dumps(text), json.dumps(text, ensure_ascii=False), _upper(json.dumps(text))}:
            state = start
            for byte in written.encode():
                state = state and terminal.step(state, byte)
            assert (terminal.which(state) if state else None) == (number if allowed >> number & 1 else None)
    assert terminal.count(start, 100) == allowed.bit_count()
    ends = [json.loads(text) for text in terminal.completions(start)]
    assert ends == [terminal.members[number] for number in bits(allowed)]


def _upper(written: str) -> str:
    return re.sub(r"\\u[0-9a-f]{4}", lambda found: "\\u" + found[0][2:].upper(), written)


@pytest.mark.parametrize("written", [rb'"\u0061"', rb'"\/"', b'"b"', rb'"\u000a\t"', b'"\x01"', rb'"\ud800"', b'"a'])
def test_other_writings_of_fixed_strings_are_not_accepted(written):
    assert not _accepts(fixed_strings([*KEYS, "\ud800", "/"]), written)


@settings(max_examples=150, deadline=None)
@given(st.sets(st.text('ab"\né\U0001f600', max_size=4), min_size=1, max_size=12), st.booleans(), st.data())
def test_fixed_texts_follow_the_law(texts, quoted, data):
    terminal: FixedTerminal
    terminal = fixed_strings(texts) if quoted else fixed_texts(text.encode() for text in texts)
    mask = data.draw(st.integers(1, terminal.everything))
    state = terminal.start_with(mask)
    while state is not None:
        _distances_are_exact(terminal, state)
        onward = [byte for byte in range(256) if terminal.step(state, byte) is not None]
        assert sorted(terminal.allowed(state)) == onward
        assert terminal.count(state, 100) == len(set(terminal.completions(state)))
        for ending in terminal.completions(state):
            after = state
            for byte in ending:
                after = terminal.step(after, byte)
            assert mask >> terminal.which(after) & 1
        state = terminal.step(state, data.draw(st.sampled_from(onward))) if onward else None


def test_raw_choices_may_begin_each_other():
    terminal = fixed_texts([b"a", b"ab"])
    state = _run(terminal, b"a")
    assert terminal.final(state)
    assert terminal.members[terminal.which(terminal.step(state, 0x62))] == "ab"
    assert fixed_texts([]).start() is None


SPARSE = ["^(a|\U0001f600)*$", "^(ab|é)*$", "^(a\\\\)*b?$", "^(a|b|\\n)$", "^a{3}(b|é){2}$", "^(?!a)[ab]*$", "^$"]
_BYTES = {"a": 1, "b": 1, "\n": 2, "\\": 2, "é": 2, "\U0001f600": 4}


@cache
def _texts_within(size: int) -> list[tuple[str, int]]:
    """All texts of a few characters that take at most so many bytes inside of quotes, with their bytes."""
    found = [("", 0)]
    for text, done in found:
        found += [(text + one, done + more) for one, more in _BYTES.items() if done + more <= size]
    assert all(len(json.dumps(text, ensure_ascii=False).encode()) == done + 2 for text, done in found[::100])
    return found


@pytest.mark.parametrize("lengths", [(0, None), (2, None), (1, 2)])
@pytest.mark.parametrize("pattern", SPARSE)
def test_texts_are_counted_by_the_bytes_that_they_take(pattern, lengths):
    low, high = lengths
    fits, endless = _python(pattern).search, "*" in pattern and high is None
    sizes = [size for text, size in _texts_within(8) if low <= len(text) <= (high or INFINITE) and fits(text)]
    sizes.sort()
    terminal = string_terminal(search(pattern), low, high)
    if not sizes:
        assert terminal.start() is None
        return
    for most in (0, 3, 20):
        if len(sizes) > most:
            expected = (sizes[most] - sizes[0], True)
        else:
            expected = (INFINITE, True) if endless else (sizes[-1] - sizes[0], False)
        for begun in (b"", b'"'):
            assert terminal.spread(_run(terminal, begun), most, 8 - sizes[0]) == expected


def test_characters_that_are_begun_are_counted_too():
    terminal = string_terminal(search("^[é\U0001f600-\U0001f6ff]b?$"))
    state = _run(terminal, b'"\xf0\x9f\x98')
    assert terminal.spread(state, 63, 10) == (0, True)  # 64 without a b, as many with one
    assert terminal.spread(state, 64, 10) == (1, True)
    assert terminal.spread(state, 128, 10) == (1, False)
    assert terminal.spread(_run(terminal, '"é"'.encode()), 1, 10) == (0, False)
