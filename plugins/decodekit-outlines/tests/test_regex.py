import re
import string
import subprocess
import sys

import interegular
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decodekit.errors import SchemaError
from decodekit_outlines import charsets
from decodekit_outlines.automaton import leaf, product
from decodekit_outlines.nodes import compile_node
from decodekit_outlines.patterns import full, search

pieces = st.recursive(
    st.sampled_from(["a", "b", "[ab]", "[^a]", ".", "c", "é", ""]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda p: f"(?:{p[0]}|{p[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "*?", "{0,2}?"])).map(
            lambda p: f"(?:{p[0]}){p[1]}"
        ),
    ),
    max_leaves=6,
)
texts = st.text("abcé\n", max_size=6)


@settings(max_examples=150, deadline=None)
@given(pieces, st.lists(texts, max_size=8))
def test_regex_accepts_what_python_accepts(pattern, samples):
    automaton = compile_node(full(pattern))
    for text in samples:
        assert automaton.accepts(text.encode()) == bool(re.fullmatch(pattern, text)), (pattern, text)


@settings(max_examples=40, deadline=None)
@given(pieces, pieces)
def test_intersection_is_empty_when_interegular_says_so(one, two):
    ours = product(compile_node(full(one)), compile_node(full(two)))
    theirs = interegular.parse_pattern(one).to_fsm() & interegular.parse_pattern(two).to_fsm()
    assert (ours.size == 0) == theirs.empty()
    if ours.size:
        example = ours.example().decode()
        assert re.fullmatch(one, example)
        assert re.fullmatch(two, example)


@pytest.mark.parametrize(
    "pattern", [r"\d", r"\w", r"\s", r"[^\W\d]", r"(?i:[K-T])", r"(?i:ß)", r"(?a:\w)", "(?s:.)", "."]
)
def test_character_classes_are_pythons(pattern):
    automaton = compile_node(full(pattern))
    for code in [*range(0x250), 0x212A, 0x1E9E, 0x17F, 0x660, 0x2028, 0xFEFF, 0x1F422, 0x10FFFF]:
        assert automaton.accepts(chr(code).encode()) == bool(re.fullmatch(pattern, chr(code))), hex(code)


@pytest.mark.parametrize(
    ("pattern", "found", "missed"),
    [
        ("^a", ["a", "ab"], ["ba", ""]),
        ("b$", ["b", "ab"], ["ba"]),
        ("a|^b", ["xa", "bx"], ["xb"]),
        ("^(a|b)$", ["a", "b"], ["ab"]),
        ("(^x|y)z", ["xz", "ayz"], ["axz"]),
        (r"^\d+$", ["12"], ["", "1a", "٣"]),
        (r"^\D$", ["a"], ["1", "٣"]),
        ('^"$', ['\\"'], ['"']),
        ("^\n$", ["\\n"], ["\n"]),
    ],
)
def test_search_finds_as_json_schema_wants(pattern, found, missed):
    automaton = compile_node(search(pattern))
    assert [t for t in found if not automaton.accepts(t.encode())] == []
    assert [t for t in missed if automaton.accepts(t.encode())] == []


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a(", "does not parse"),
        ("(?=a)b", "look-around"),
        ("(?!a)b", "look-around"),
        (r"(a)\1", "a back reference"),
        (r"\bfoo", "anchor in the middle|word boundary"),
        ("a^b", "anchor in the middle"),
        ("a++b", "possessive"),
        ("(?>a)b", "atomic"),
        ("(a{1,1000}){1,1000}", "more than 200000 states"),
        (".*a.{30}", "explodes: more than"),
    ],
)
def test_what_is_not_regular_or_too_large_is_refused(pattern, message):
    with pytest.raises(SchemaError, match=message):
        compile_node(full(pattern))


def test_what_ecma_reads_differently_is_refused():
    with pytest.raises(SchemaError, match="means one thing in ECMA-262"):
        search(r"\Aa")


EXPLOSIONS = """
import resource
from decodekit.errors import SchemaError
from decodekit_outlines.nodes import compile_node
from decodekit_outlines.patterns import full

compile_node(full("a"))
here = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (here + (1 << 30),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for pattern in (".*a.{30}", "(a{1,1000}){1,1000}", "(?:a?){20000}"):
    try:
        compile_node(full(pattern))
    except SchemaError:
        pass
"""


def test_explosions_stay_within_a_gigabyte_and_a_minute():
    done = subprocess.run([sys.executable, "-c", EXPLOSIONS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_outlines_core_would_lose_alternatives_without_the_end_anchor():
    assert leaf("a|ab").accepts(b"ab")


def test_sets_of_characters_leave_surrogates_out():
    assert charsets.minus(charsets.ANY, ((0, 0xD7FF),)) == ((0xE000, 0x10FFFF),)
    assert charsets.complement(charsets.ANY) == ((0xD800, 0xDFFF),) or charsets.complement(charsets.ANY) == ()
    assert set(string.digits) == {chr(c) for low, high in charsets.ASCII_DIGIT for c in range(low, high + 1)}
