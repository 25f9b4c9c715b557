import numpy as np
import pytest

from decodekit_json import patterns
from decodekit_json.strings import string_terminal

PATTERNS = [
    r"^(?:\S+\s+){0,19}\S+$",
    r".*\.(gif|jpg)$",
    "^[^.]+$",
    "^(?!abc)[a-zé🐢-🐿]+$",
    "^[a-z]é*ü?[\u2000-\u200a]*$",
    '^(a|\\n)*"x?$',
    "^[߿ࠀ-\uffff𐀀-𐀏]*x$",
    "^.*a.{4}$",
    "^(a*|.*b)$",
    "^[ab]{2,9}$",
    "^(ab)*$",
]
NOTHING_STEADY = {PATTERNS[4], "^[ab]{2,9}$", "^(ab)*$"}
"""The first has no characters with all of their first bytes."""


def states_of(terminal, seed, longest=12):
    """Walk at random, and give the states on the way."""
    rng = np.random.default_rng(seed)
    state = terminal.start()
    for _ in range(longest):
        yield state
        steps = {byte: after for byte in range(256) if (after := terminal.step(state, byte)) is not None}
        if not steps:
            return
        state = steps[int(rng.choice(list(steps)))]


def written(letters, rng, size):
    """Give characters that begin with some of the bytes."""
    firsts = [byte for byte in range(256) if letters >> byte & 1]
    for first in rng.choice(firsts, size).tolist():
        if first < 0x80:
            yield bytes([first])
        else:
            low, high = (0x80, 0x7FF) if first < 0xE0 else (0x800, 0xFFFF) if first < 0xF0 else (0x10000, 0x10FFFF)
            while True:
                code = int(rng.integers(low, high + 1))
                if not 0xD800 <= code < 0xE000 and chr(code).encode()[0] == first:
                    yield chr(code).encode()
                    break


@pytest.mark.parametrize("pattern", PATTERNS)
def test_any_number_of_steady_characters_may_follow_and_the_text_can_then_be_ended(pattern):
    terminal, rng, judged = string_terminal(patterns.search(pattern)), np.random.default_rng(1), 0
    for seed in range(4):
        for state in states_of(terminal, seed):
            found = terminal.steady(state)
            if found is None or not found.letters:
                continue
            judged += 1
            after = state
            for character in written(found.letters, rng, 60):
                for byte in character:
                    after = terminal.step(after, byte)
                    assert after is not None
                assert terminal.distance(after) <= found.most
                assert after[0] in found.places
    assert (judged > 0) == (pattern not in NOTHING_STEADY)


def test_letters_of_words_are_steady_and_blanks_are_not():
    terminal = string_terminal(patterns.search(r"^(?:\S+\s+){0,19}\S+$"))
    state = terminal.step(terminal.step(terminal.start(), ord('"')), ord("a"))
    letters = terminal.steady(state).letters
    assert [bool(letters >> byte & 1) for byte in b'az0-. "\\'] == [True] * 5 + [False] * 3


@pytest.mark.parametrize("lengths", [(0, None), (2, 5), (0, 40)])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_all_ways_are_the_steps_of_every_byte(pattern, lengths):
    terminal = string_terminal(patterns.search(pattern), *lengths)
    for seed in range(3):
        for state in states_of(terminal, seed) if terminal.start() else ():
            ways = terminal.ways(state)
            if ways is None:
                continue
            assert len({byte for letters, _ in ways for byte in letters}) == sum(len(letters) for letters, _ in ways)
            steps = {byte: after for byte in range(256) if (after := terminal.step(state, byte)) is not None}
            assert {byte: after for letters, after in ways for byte in letters} == steps
