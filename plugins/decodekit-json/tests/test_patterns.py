import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decodekit.errors import SchemaError, UnsupportedSchemaError
from decodekit_json import languages as lg
from decodekit_json.derivatives import step
from decodekit_json.expressions import Node
from decodekit_json.patterns import full, search


def _accepts(node: Node, text: str) -> bool:
    for character in text:
        node = step(node, ord(character))
    return node.nullable


ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "-",
        " ",
        ".",
        "[ab]",
        "[^a]",
        "[a-c-]",
        r"\d",
        r"\w",
        r"\s",
        r"\D",
        r"\W",
        r"\S",
        r"\-",
        r"\.",
        r"\/",
        r"\x61",
        r"\u0062",
        r"\n",
        r"[\w.-]",
        r"[^\s]",
        "^",
        "$",
        r"\b",
        r"\B",
        "(?=a)",
        "(?!b)",
        r"(?=\w*b)",
        "(?!.*-)",
    ]
)


def _counted(inner):
    return st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?"])).map(
        lambda pair: f"(?:{pair[0]}){pair[1]}"
    )


PATTERNS = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4).map("".join)
        | st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})")
        | _counted(inner)
    ),
    max_leaves=8,
)
TEXTS = st.text("ab1- \n.", max_size=7)


@settings(max_examples=600, deadline=None)
@given(PATTERNS, st.lists(TEXTS, min_size=8, max_size=8))
def test_search_finds_what_python_finds_where_the_dialects_agree(pattern, texts):
    try:
        node = search(pattern)
    except UnsupportedSchemaError:  # assertions inside of repeats
        return
    compiled = re.compile(pattern.replace("$", r"\Z"), re.ASCII)
    for text in [text for text in ["", *texts] if text or r"\B" not in pattern]:  # an empty text: see _INSIDE_NOTHING
        assert _accepts(node, text) == bool(compiled.search(text)), text


@settings(max_examples=600, deadline=None)
@given(PATTERNS, st.lists(TEXTS, min_size=8, max_size=8), st.sampled_from(["", "(?m)", "(?s)", "(?i)", "(?a)"]))
def test_full_accepts_what_python_accepts(pattern, texts, flags):
    try:
        node = full(flags + pattern)
    except UnsupportedSchemaError:  # assertions inside of repeats
        return
    compiled = re.compile(flags + pattern)
    for text in ["", *texts]:
        assert _accepts(node, text) == bool(compiled.fullmatch(text)), text


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["(?<=a)", "(?<!a)", "(?<=[ab])", "(?<!-b)", "^(?<!a)", "b(?<=ab)"]), PATTERNS, TEXTS)
def test_look_behind_first_is_what_python_does(look, pattern, text):
    try:
        node = search(look + f"(?:{pattern})")
    except UnsupportedSchemaError:
        return
    if not text and r"\B" in pattern:  # see _INSIDE_NOTHING
        return
    assert _accepts(node, text) == bool(re.search(look + f"(?:{pattern.replace('$', chr(92) + 'Z')})", text, re.ASCII))


ECMA = [
    (r"^\cC$", "\x03", True),
    (r"^\cc$", "\x03", True),
    (r"^\0$", "\x00", True),
    (r"^\d$", "\u0be8", False),
    (r"^\D$", "\u0be8", True),
    (r"^\w$", "é", False),
    (r"^\W$", "é", True),
    (r"^\s$", "\ufeff", True),
    (r"^\s$", "\u00a0", True),
    (r"^\s$", "\u2029", True),
    (r"^\s$", "\x01", False),
    (r"^\s$", "\x1c", False),
    (r"^\S$", "\u2003", False),
    (r"^.$", "\u2028", False),
    (r"^.$", "\r", False),
    (r"^.$", "\U0001f600", True),
    (r"^\u{1F600}$", "\U0001f600", True),
    (r"^\uD83D\uDE00$", "\U0001f600", True),
    (r"^[\uD83D\uDE00]$", "\U0001f600", True),
    (r"^[^\uD83D]$", "a", True),
    (r"^\uD83D$", "\U0001f600", False),
    (r"^\p{Letter}cole$", "École", True),
    (r"^\p{L}$", "1", False),
    (r"^\P{L}$", "1", True),
    (r"^\p{digit}+$", "\u09e7\u09ea", True),
    (r"^\p{gc=Lu}$", "É", True),
    (r"^\p{Lowercase}$", "é", True),
    (r"^\p{ASCII}$", "é", False),
    (r"^a$", "a\n", False),
    (r"^\_\-\@\!$", "_-@!", True),
    (r"^a{$", "a{", True),
    (r"^]}$", "]}", True),
    (r"^{a}$", "{a}", True),
    (r"^[\w-.]$", "-", True),
    (r"^[\w-.]$", ".", True),
    (r"^[]$", "", False),
    (r"^[^]$", "\n", True),
    (r"^[\b]$", "\x08", True),
    (r"^(?<year>\d{4})$", "2024", True),
    (r"(?i)^abc$", "aBC", True),
    (r"^(?i:k)$", "\u212a", True),
    (r"^(?i:k)k$", "KK", False),
    (r"(?s)^.$", "\n", True),
    (r"(?m)^b$", "a\nb\nc", True),
    (r"^((?!--).)*$", "a-b-c", True),
    (r"^((?!--).)*$", "a--c", False),
    (r"^(?!.*\.\.)[a-z.]{1,20}$", "a.b", True),
    (r"^(?!.*\.\.)[a-z.]{1,20}$", "a..b", False),
    (r"^(?=.*\d)(?=.*[a-z]).{4,}$", "abc1", True),
    (r"^(?=.*\d)(?=.*[a-z]).{4,}$", "abcd", False),
]


@pytest.mark.parametrize(("pattern", "text", "found"), ECMA)
def test_search_reads_ecma_262(pattern, text, found):
    assert _accepts(search(pattern), text) is found


@pytest.mark.parametrize(
    ("pattern", "text"), [(r"\d", "\u0be8"), (r"\w", "é"), (r"\s", "\x1c"), (r"(?i)ß", "\u1e9e"), (r"a$\n", "a\n")]
)
def test_full_reads_python(pattern, text):
    assert re.fullmatch(pattern, text)
    assert _accepts(full(pattern), text)


WRONG = [
    ("(", "a \\( without its \\)"),
    ("a)", "a \\) without its \\("),
    ("[a", "a \\[ without its \\]"),
    ("*a", "nothing for \\* to repeat"),
    ("a**", "nothing for \\* to repeat"),
    ("a{2,1}", "numbers out of order"),
    ("a{,3}", "a count without its lower number"),
    ("[b-a]", "a range out of order"),
    ("\\", r"a \\ at the end"),
    (r"\Aa", "an unknown escape"),
    (r"a\Z", "an unknown escape"),
    (r"\a", "an unknown escape"),
    ("(?P<x>a)", "Python's"),
    ("a(?i)b", "flags .* in the middle"),
    (r"\x1", "2 hexadecimal digits"),
    (r"\u12", "4 hexadecimal digits"),
    (r"\u{110000}", "past 10FFFF"),
    (r"\01", "an octal escape"),
    (r"\pL", "without"),
    ("(?=a)*", "a repeated look-around"),
]


@pytest.mark.parametrize(("pattern", "message"), WRONG)
def test_a_pattern_that_does_not_parse_is_named(pattern, message):
    with pytest.raises(SchemaError, match=message) as caught:
        search(pattern)
    assert not isinstance(caught.value, UnsupportedSchemaError)
    assert caught.value.hint


REFUSED = [
    (r"(a)\1", "a back reference"),
    (r"(?<n>a)\k<n>", "a back reference"),
    (r"((?=a)b)*", "an assertion inside of a repeat"),
    (r"(a|b(?<=a)c)d", "a look-behind"),
    (r"\p{Script=Greek}", "the property"),
    ("(" * 200 + ")" * 200, "groups inside of each other"),
]


@pytest.mark.parametrize(("pattern", "message"), REFUSED)
def test_what_cannot_be_followed_is_refused_with_a_way_out(pattern, message):
    with pytest.raises(UnsupportedSchemaError, match=message) as caught:
        search(pattern)
    assert caught.value.hint


@pytest.mark.parametrize("regex", [r"(a)\1", "(?>a)", "a++", "(a)?(?(1)b|c)"])
def test_python_only_syntax_that_no_expression_has_is_refused(regex):
    with pytest.raises(UnsupportedSchemaError, match="cannot be followed"):
        full(regex)


def test_python_errors_are_passed_on():
    with pytest.raises(SchemaError, match="does not parse: unterminated"):
        full("[a")


BOMBS = [
    "(a+)+b",
    "(a|a)*",
    "(x+x+)+y",
    ".*a.{30}",
    "^(.{1,100}){1,100}$",
    r"(\w{1,100}-?){1,100}",
    "(a?){100}a{100}",
    "((a*)*)*c",
    "(a{1,1000}){1,1000}b",
    "|".join(f"w{number}" for number in range(2000)),
]


@pytest.mark.parametrize("pattern", BOMBS)
def test_regex_bombs_stay_small(pattern):
    node = search(pattern)
    text = "aaxxabaabaaw9aaa-aa" * 10
    started = time.process_time()
    for character in text:
        node = step(node, ord(character))
        assert len(node.parts) < 200
        assert not lg.is_empty(node)
    assert time.process_time() - started < 20
