"""Numbers: against every short text, judged by exact fractions; and what a float makes of long ones."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decodekit.errors import SchemaError
from decodekit_json.number_range import NumberRange, exact
from decodekit_json.numbers import number_terminal

PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
NORMALISED = re.compile(r"-?[1-9](?:\.[0-9]+)?[eE][+-]?[0-9]{1,3}")
FREE = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?[eE][+-]?[0-9]{1,3}")
FULL = "-0123456789.eE+"
FEW = "-0159.e"


def allowed(numbers: NumberRange, text: str, value: Fraction) -> bool:
    written_whole = text.lstrip("-").isdigit()
    if numbers.plain_integers and numbers.integer is not None and numbers.integer != written_whole:
        return False
    if numbers.integer is not None and not numbers.plain_integers and numbers.integer != (value.denominator == 1):
        return False
    if any((value / multiple).denominator != 1 for multiple in numbers.multiples):
        return False
    if any((value / multiple).denominator == 1 for multiple in numbers.not_multiples):
        return False
    step = numbers.lattice
    if not written_whole and step is not None and step > 1 and step.denominator == 1 and abs(value) >= 10**15:
        return False  # a reader's float need not be a multiple any more
    if value in numbers.excluded or (numbers.values is not None and value not in numbers.values):
        return False
    return all(_within(numbers, v, f) for v, f in [(value, exact)] + ([] if written_whole else [(float(text), float)]))


def _within(numbers, value, read):
    low = None if numbers.low is None else read(numbers.low)
    high = None if numbers.high is None else read(numbers.high)
    if low is not None and (value <= low if numbers.low_excluded else value < low):
        return False
    return high is None or (value < high if numbers.high_excluded else value <= high)


@cache
def texts(alphabet: str, length: int) -> tuple[tuple[str, Fraction, bool], ...]:
    """Every number of at most `length` characters, its value, and whether it may be written with constraints."""
    prefix = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:(?<=[0-9])[eE][+-]?[0-9]{0,3})?)?")
    found, layer = [], [""]
    for _ in range(length):
        layer = [text + c for text in layer for c in alphabet if prefix.fullmatch(text + c)]
        for text in layer:
            plain = PLAIN.fullmatch(text) or NORMALISED.fullmatch(text)
            power = abs(int(re.split("[eE]", text)[1] or 0)) if re.search("[eE][+-]?[0-9]", text) else 0
            if power <= 307 and (plain or (power <= 99 and FREE.fullmatch(text))):
                found.append((text, Fraction(Decimal(text)), bool(plain)))
    return tuple(found)


def states(terminal, alphabet, length):
    """Every prefix of at most `length` characters that leads to a state, with the state."""
    start = terminal.start()
    layer = [] if start is None else [("", start)]
    for _ in range(length + 1):
        yield from layer
        layer = [
            (text + c, after) for text, state in layer for c in alphabet
            if (after := terminal.step(state, ord(c))) is not None
        ]  # fmt: skip


def check(numbers: NumberRange, alphabet: str, length: int, free: bool = False) -> None:
    terminal = number_terminal(numbers)
    wanted = {t for t, value, plain in texts(alphabet, length) if (plain or free) and allowed(numbers, t, value)}
    seen = dict(states(terminal, alphabet, length))
    assert {text for text, state in seen.items() if terminal.final(state)} == wanted
    shortest: dict[str, int] = {}
    for text in wanted:
        for i in range(len(text) + 1):
            shortest[text[:i]] = min(shortest.get(text[:i], 99), len(text) - i)
    assert shortest.keys() <= seen.keys()
    finished: dict[object, str] = {}
    for text, state in seen.items():
        if state not in finished:
            finished[state] = finish(terminal, state)
        completion = finished[state]
        assert len(completion) == terminal.distance(state)
        assert len(completion) <= shortest.get(text, 999)
        if alphabet == FULL and len(text) + len(completion) <= length:
            assert len(completion) == shortest[text]
        assert allowed(numbers, text + completion, Fraction(Decimal(text + completion))), (text, completion)


def finish(terminal, state) -> str:
    """Follow the distance down to a final state."""
    found = ""
    while distance := terminal.distance(state):
        assert not terminal.final(state)
        after = ((c, terminal.step(state, ord(c))) for c in FULL)
        character, state = next((c, s) for c, s in after if s is not None and terminal.distance(s) == distance - 1)
        found += character
    assert terminal.final(state)
    return found


RANGES = {
    "integer": NumberRange(integer=True),
    "not integer": NumberRange(integer=False),
    "plain integer": NumberRange(integer=True, plain_integers=True),
    "not plain integer": NumberRange(integer=False, plain_integers=True),
    "not negative": NumberRange(low=0),
    "positive": NumberRange(low=0, low_excluded=True),
    "negative": NumberRange(high=0, high_excluded=True),
    "percent": NumberRange(low=0, high=100, integer=True),
    "unit": NumberRange(low=0, high=1, high_excluded=True),
    "around zero": NumberRange(low=-1.5, high=2.25),
    "below": NumberRange(low=-120, high=-7, low_excluded=True),
    "large": NumberRange(low=10**6),
    "narrow": NumberRange(low=1.2345678901, high=1.2345678903, high_excluded=True),
    "cents": NumberRange(multiples=(0.01,), low=0),
    "halves of integers": NumberRange(multiples=(0.5,), integer=True, high=40),
    "sevens": NumberRange(multiples=(7,)),
    "one and a half": NumberRange(multiples=(1.5,), low=-10),
    "two multiples": NumberRange(multiples=(0.4, 6)),
    "hundreds": NumberRange(multiples=(100,), integer=True),
    "tiny": NumberRange(multiples=(1e-9,)),
    "trillions": NumberRange(multiples=(10**12,)),
    "quarters, not halves": NumberRange(multiples=(0.25,), not_multiples=(0.5,)),
    "odd": NumberRange(integer=True, not_multiples=(2,)),
    "neither 2 nor 3 nor 5": NumberRange(integer=True, not_multiples=(2, 3, 5), low=0, high=1000),
    "not five": NumberRange(excluded=frozenset([5])),
    "digits but three": NumberRange(integer=True, low=0, high=9, excluded=frozenset([0, 5, 9])),
    "one left": NumberRange(integer=True, low=0, high=9, excluded=frozenset(set(range(10)) - {7})),
    "values": NumberRange(values=frozenset([0, 1, -2.5, 100, 1e30, 1e-7, 12345])),
    "zero": NumberRange(values=frozenset([0])),
}


@pytest.mark.parametrize("name", RANGES)
def test_the_texts_of_a_range_are_those_whose_value_is_in_it(name):
    check(RANGES[name], FULL, 3)
    check(RANGES[name], FEW, 5)


def test_without_constraints_an_exponent_may_follow_any_digits():
    check(NumberRange(), FULL, 4, free=True)
    check(NumberRange(), FEW, 5, free=True)


small = st.one_of(
    st.integers(-30, 30), st.integers(-2000, 2000), st.decimals(-20, 20, places=2, allow_nan=False)
)  # fmt: skip
steps = st.sampled_from(["0.1", "0.25", "0.3", "0.5", "1", "1.5", "2", "3", "7", "10", "12", "50", "0.02", "33", "99"])
ranges = st.builds(
    NumberRange,
    low=st.none() | small,
    low_excluded=st.booleans(),
    high=st.none() | small,
    high_excluded=st.booleans(),
    integer=st.sampled_from([None, None, True, False]),
    multiples=st.lists(steps, max_size=2).map(tuple),
    not_multiples=st.lists(steps, max_size=2).map(tuple),
    excluded=st.frozensets(small, max_size=4),
    values=st.none() | st.none() | st.frozensets(small, max_size=4),
    plain_integers=st.booleans(),
)


@settings(max_examples=25, deadline=None)
@given(ranges)
def test_any_constraints_together_are_kept(numbers):
    check(numbers, FULL, 3, free=numbers == NumberRange())
    check(numbers, FEW, 4, free=numbers == NumberRange())


@settings(max_examples=60, deadline=None)
@given(ranges, ranges)
def test_what_two_ranges_share_satisfies_both(one, two):
    both = one.meet(two)
    if not one.plain_integers and not two.plain_integers:
        shared = {value for _, value, _ in texts(FEW, 3) if value in one and value in two}
        assert shared == (set() if both is None else {v for _, v, _ in texts(FEW, 3) if v in both})
    if both is not None:
        assert both.meet(both) == both


@settings(max_examples=100, deadline=None)
@given(ranges)
def test_an_empty_range_has_no_text(numbers):
    if numbers.empty:
        assert number_terminal(numbers).start() is None


@settings(max_examples=25, deadline=None)
@given(ranges, st.sampled_from([1, 3, 40]))
def test_values_are_counted_once_and_completed(numbers, limit):
    terminal = number_terminal(numbers)
    for text, state in islice(states(terminal, FEW, 3), 60):
        if "e" in text:
            continue
        found = [text + c.decode() for c in islice(terminal.completions(state), 50)]
        values = [Fraction(Decimal(t)) for t in found]
        assert len(set(values)) == len(values)
        for one, value in zip(found, values, strict=True):
            assert allowed(numbers, one, value), one
            assert _accepts(terminal, one)
        assert terminal.count(state, limit) == min(limit, len(found))


def test_all_values_of_a_small_range_are_given():
    terminal = number_terminal(NumberRange(low=-1, high=1, multiples=(0.25,)))
    assert terminal.count(terminal.start(), 1000) == 9
    found = sorted(Fraction(text.decode()) for text in terminal.completions(terminal.start()))
    assert found == [Fraction(i, 4) for i in range(-4, 5)]


@settings(max_examples=100, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_what_json_dumps_writes_is_a_text_where_its_value_is_allowed(value, bound):
    text = json.dumps(value)
    assert _accepts(number_terminal(NumberRange()), text)
    assert _accepts(number_terminal(NumberRange(integer=True)), text) == value.is_integer()
    assert _accepts(number_terminal(NumberRange(low=bound)), text) == (value >= bound)
    assert _accepts(number_terminal(NumberRange(high=bound, high_excluded=True)), text) == (value < bound)
    assert _accepts(number_terminal(NumberRange(values=frozenset([value]))), text)


@settings(max_examples=100, deadline=None)
@given(st.floats(-1e6, 1e6), st.booleans(), st.booleans(), st.integers(-50, 50), st.integers(15, 24))
def test_a_reader_of_floats_comes_out_on_the_right_side(bound, lower, excluded, away, places):
    options = {"low": bound, "low_excluded": excluded} if lower else {"high": bound, "high_excluded": excluded}
    numbers = NumberRange(**options)
    text = f"{exact_decimal(bound) + Decimal(away).scaleb(-places):.{places}f}"
    value = Fraction(Decimal(text))
    assert _accepts(number_terminal(numbers), text) == allowed(numbers, text, value)


def exact_decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def test_exponents_end_where_floats_end():
    terminal = number_terminal(NumberRange())
    accepted = ["1e308", "1.7976931348623157e308", "1.7976931348623158e308", "-1e+308", "5e-324", "9" * 100 + "e99"]
    for text in accepted:
        assert _accepts(terminal, text)
        assert math.isfinite(float(text))
    for text in ["1.7976931348623159e308", "2e308", "1e309", "10e308", "9" * 101, "01", "1.", ".5", "+1", "1e"]:
        assert not _accepts(terminal, text)


def test_whole_numbers_are_exact_however_large():
    at_least = number_terminal(NumberRange(low=2**200 + 1, integer=True))
    assert _accepts(at_least, str(2**200 + 1))
    assert not _accepts(at_least, str(2**200))
    assert not _accepts(at_least, f"{2**200}.0")
    multiple = number_terminal(NumberRange(multiples=(10**12 + 39,), low=10**30))
    assert _accepts(multiple, str((10**12 + 39) * 10**19))
    assert not _accepts(multiple, str((10**12 + 39) * 10**19 + 1))


def test_settled_digits_share_one_state():
    terminal = number_terminal(NumberRange(low=0))
    assert _after(terminal, "57") == _after(terminal, "48")
    assert terminal.alike(_after(terminal, "57"), 8) == terminal.alike(_after(terminal, "4812"), 8)
    assert len({terminal.alike(state, 4) for _, state in states(terminal, FEW, 5)}) < 60


@settings(max_examples=20, deadline=None)
@given(ranges, st.integers(1, 3))
def test_states_that_are_alike_take_the_same_texts(numbers, horizon):
    terminal = number_terminal(numbers)
    groups: dict[object, object] = {}
    for _, state in islice(states(terminal, FEW, 4), 600):
        key = terminal.alike(state, horizon)
        if key not in groups:
            groups[key] = state
        elif groups[key] != state:
            assert _futures(terminal, state, horizon) == _futures(terminal, groups[key], horizon)


def _futures(terminal, state, horizon):
    found, layer = set(), [("", state)]
    for left in range(horizon, -1, -1):
        found |= {(text, left > 0 and terminal.final(after)) for text, after in layer}
        layer = [(t + c, n) for t, s in layer for c in FEW if (n := terminal.step(s, ord(c))) is not None]
    return found


def _after(terminal, text):
    state = terminal.start()
    for byte in text.encode():
        if state is None:
            return None
        state = terminal.step(state, byte)
    return state


def _accepts(terminal, text) -> bool:
    state = _after(terminal, text)
    return state is not None and terminal.final(state)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(-1_300, 1_300),
    st.integers(0, 1_500),
    st.sampled_from([None, "1", "7", "0.7", "0.25"]),
    st.sampled_from([None, "3", "0.3"]),
    st.booleans(),
)
def test_whole_digits_between_bounds_share_states_with_the_same_future(low, more, step, hole, excluded):
    numbers = NumberRange(
        low=Fraction(low, 10),
        high=Fraction(low + more, 10),
        low_excluded=excluded,
        multiples=frozenset() if step is None else frozenset([Fraction(step)]),
        not_multiples=frozenset() if hole is None else frozenset([Fraction(hole)]),
    )
    terminal = number_terminal(numbers)
    for value in range(-1_400, 2_900):
        texts = [str(Fraction(value, 10).numerator)] if value % 10 == 0 else []
        for text in [*texts, f"{'-' if value < 0 else ''}{abs(value) // 10}.{abs(value) % 10}"]:
            state = terminal.start()
            for byte in text.encode():
                state = None if state is None else terminal.step(state, byte)
            exact_value = Fraction(value, 10)
            assert (state is not None and terminal.final(state)) == allowed(numbers, text, exact_value), text


def test_the_first_digits_of_long_bounded_numbers_come_to_few_states():
    terminal = number_terminal(NumberRange(low=Fraction("1" * 40), high=Fraction("9" * 40), integer=True))
    reached = set()
    for number in range(100, 1_000):
        state = terminal.start()
        for byte in str(number).encode():
            state = None if state is None else terminal.step(state, byte)
        reached.add(state)
    assert len(reached) <= 6


def test_equal_ranges_have_one_terminal():
    assert number_terminal(NumberRange(low=0.5)) is number_terminal(NumberRange(low=Fraction(1, 2)))


@pytest.mark.parametrize("order", [range(10), range(9, -1, -1), [0, 5, 1, 9, 2, 8, 4, 3, 7, 6]])
@pytest.mark.parametrize("whole", [{"integer": True, "low": 0, "high": 9}, {"values": frozenset(range(10))}])
def test_numbers_left_out_one_by_one_are_left_out_together(whole, order):
    *before, last = order
    left = NumberRange(**whole)
    for number in before:
        left = left.meet(NumberRange(excluded=frozenset([number])))
    assert left == NumberRange(**whole, excluded=frozenset(before))
    assert left.least == last
    assert left.meet(left) == left
    assert left.meet(NumberRange(excluded=frozenset([last]))) is None


@given(st.lists(ranges.filter(lambda numbers: not numbers.plain_integers), min_size=2, max_size=5))
def test_ranges_met_one_by_one_are_empty_where_they_are_so_at_once(several):
    met = several[0]
    for other in several[1:]:
        before, met = met, met.meet(other)
        if met is None:
            assert replace(before, start=None).meet(replace(other, start=None)) is None
            return
        assert replace(met, exact=False, start=None) == met
        assert not replace(met, start=None).empty


def test_what_is_no_number_is_refused():
    with pytest.raises(SchemaError, match="inf is not a JSON number"):
        exact(float("inf"))
    with pytest.raises(SchemaError, match="multipleOf 0 is not above 0"):
        NumberRange(multiples=(0,))
    with pytest.raises(SchemaError, match="more than 400 digits"):
        exact(10**2000)
