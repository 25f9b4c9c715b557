"""Grammars against Lark's Earley parser with its complete dynamic lexer, and brute force on small vocabularies."""

import itertools
import json
import random
import re
import string

import lark
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decodekit.errors import SchemaError, UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit.testing import ConstraintLaws, tiny_vocabulary
from decodekit.testing.oracle import unpack
from decodekit.vocabulary import Vocabulary
from decodekit_json import Grammar
from decodekit_json.grammars import compile_grammar
from decodekit_json.grammars.common import COMMON
from decodekit_json.masks import Walk

ARITHMETIC = """
start: expr
?expr: expr "+" term -> add
    | expr "-" term   // one line more
    | term
?term.2: term "*" factor | factor
factor: NUM | "(" expr ")"
NUM: /[0-9]+/
"""
JSON = """
start: value
?value: object | array | ESCAPED_STRING | SIGNED_NUMBER | "true" | "false" | "null"
array: "[" [value ("," value)*] "]"
object: "{" [pair ("," pair)*] "}"
pair: ESCAPED_STRING ":" value
%import common.ESCAPED_STRING
%import common (SIGNED_NUMBER, WS)
%ignore WS
"""
SELECT = """
start: "select"i cols "from"i NAME ["where"i cond]
cols: "*" | NAME ("," NAME)*
cond: cond "or"i cond | cond "and"i cond | "not"i cond | NAME ("=" | "<" | ">") (NAME | INT) | "(" cond ")"
%import common.CNAME -> NAME
%import common.INT
%ignore " "
"""
CALLS = """
start: call
call: (call | NAME) "(" [arg ("," arg)* ","?] ")"
arg: NAME "=" value | value
value: call | NAME | INT
NAME: ("a".."c")+
%import common.INT
"""
GRAMMARS = {
    "left recursion": (ARITHMETIC, "1+*()"),
    "binary operators": ('start: start "+" start | "-" start | start "!" | "(" start ")" | start | "1"', "1+-!()"),
    "brackets": ('start: ("(" start ")" | "[" start "]")*', "()[]"),
    "calls": (CALLS, "a(),="),
    "a rule twice": ('start: start start | "a"', "ab"),
    "a rule three times": ('start: start start start | start start | "a" | "b" start?', "ab"),
    "empty at the right": ('start: "a" start b c | "x"\nb: "b"?\nc: "c"?', "abcx"),
    "hidden left recursion": ('start: b? start "c" | "a"\nb: "b"', "abc"),
    "unit cycles": ('start: a | b\na: b | "x" |\nb: a | "y" a', "xy"),
    "mutual left recursion": ('start: a\na: b "x" | "p"\nb: c "y" | a "q"\nc: a "z" | b', "pqxyz"),
    "two ways back": ('start: "x" a "a" | "x" b "b" | "y"\na: start | "p"\nb: start | "q"', "xyabp"),
    "terminals alike": ('start: X a "a" | Y b "b" | "y"\na: start | "p"\nb: start | "q"\nX: /x/\nY: "x"', "xyabp"),
    "cuts": ('start: T (u start "a" | v start "b") | "z"\nu: /x[xy]*/\nv: /y[xy]*/\nT: /[xy]+/', "xyabz"),
    "dangling else": ('start: "i" start ("e" start)? | "s"', "ies"),
    "ignored": ('start: a*\na: "a" b? | "(" a+ ")"\nb: "b" ~ 1..2\n%ignore " "', "ab() "),
    "counts": ('start: ["a"] ["b" "c" | "d"] "e"~2 "x"i', "abcdeX"),
    "lazy": ('start: (C "x"?)+\nC: "<" /.*?/ ">"', "<>xy"),
    "not by few states": ('start: x* "a" x~9\nx: "a" | "b"', "ab"),
}


def judged(text, **options):
    constraint = compile_grammar(text, Vocabulary.from_bytes(), **options)

    def accepts(document):
        state = constraint.start()
        for byte in document.encode():
            if byte not in unpack(constraint.mask(state)):
                return False
            state = constraint.advance(state, byte)
        return constraint.is_complete(state)

    return accepts


def parsed(text):
    parser = lark.Lark(text, parser="earley", lexer="dynamic_complete")

    def accepts(document):
        try:
            parser.parse(document)
        except lark.exceptions.UnexpectedInput:
            return False
        return True

    return accepts


def strings(letters, most):
    for length in itertools.count():
        if len(letters) ** length > most:
            return
        yield from map("".join, itertools.product(letters, repeat=length))


@pytest.mark.parametrize("most", [300, pytest.param(1300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", GRAMMARS)
def test_short_texts_are_judged_as_lark_judges_them(name, most):
    text, letters = GRAMMARS[name]
    ours, theirs = judged(text), parsed(text)
    found = {
        document: (ours(document), theirs(document))
        for document in strings(letters, most // 4 if "three" in name else most)
    }
    assert {document: pair for document, pair in found.items() if pair[0] != pair[1]} == {}
    if name != "not by few states":  # its texts are longer
        assert any(pair[0] for pair in found.values())


def test_texts_of_a_rule_with_too_many_sets_of_states_are_judged_as_lark_judges_them():
    ours, theirs = (judge(GRAMMARS["not by few states"][0]) for judge in (judged, parsed))
    made = random.Random(1)
    for _ in range(60):
        document = "".join(made.choices("ab", k=made.randint(9, 13)))
        assert ours(document) == theirs(document), document


WORDS = {
    "json": (JSON, ["{", "}", "[", "]", ",", ":", '"a"', '"\\""', "1", "-2.5e3", "true", "null", " ", "\n"]),
    "select": (
        SELECT,
        ["select ", "SELECT", "*", " from ", "a", "b", ",", " where ", "=", "<", " or ", "not ", "(", ")", "1"],
    ),
    "calls": (CALLS, ["a", "b", "c(", "(", ")", ",", "=", "12"]),
    "arithmetic": (ARITHMETIC, ["1", "23", "+", "*", "-", "(", ")"]),
    "cuts": (GRAMMARS["cuts"][0], ["x", "y", "xy", "z", "a", "b"]),
}
BOTH = {name: (judged(text), parsed(text)) for name, (text, _) in WORDS.items()}


@pytest.mark.parametrize("name", WORDS)
def test_made_texts_are_judged_as_lark_judges_them(name):
    ours, theirs = BOTH[name]

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.sampled_from(WORDS[name][1]), max_size=12).map("".join))
    def check(document):
        assert ours(document) == theirs(document)

    check()


@pytest.mark.parametrize("name", WORDS)
def test_written_texts_are_accepted_by_lark(name):
    constraint, theirs = compile_grammar(WORDS[name][0], Vocabulary.from_bytes()), BOTH[name][1]
    random_ = np.random.default_rng(5)
    for _ in range(25):
        state, text, left = constraint.start(), bytearray(), 40
        while left:
            allowed = sorted(unpack(constraint.mask(state, left)))
            if not allowed or (constraint.is_complete(state) and random_.random() < 0.1):
                break
            allowed = [byte for byte in allowed if byte < 0x80] or allowed
            text.append(int(random_.choice(allowed)))
            state, left = constraint.advance(state, text[-1]), left - 1
        assert constraint.is_complete(state), f"no end after {bytes(text)!r}"
        assert theirs(text.decode())


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=4)
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from([None, 2]),
)
def test_json_as_a_grammar_takes_all_that_json_writes(value, indent):
    assert BOTH["json"][0](json.dumps(value, indent=indent))
    assert not BOTH["json"][0](json.dumps(value, indent=indent) + ",")


@pytest.mark.parametrize("name", COMMON)
def test_common_terminals_match_what_those_of_lark_match(name):
    ours, theirs = judged(f"start: X\n%import common.{name} -> X"), parsed(f"start: X\n%import common.{name} -> X")
    for document in strings("".join(dict.fromkeys('0aF+.e"\\_\n\r#/*- A')), 400):
        assert ours(document) == theirs(document), document
    for document in (
        '"a\\"b"',
        '"a\\\\"',
        '"a\\\\"b"',
        "/*/",
        "/**/",
        "/* * */",
        "/***/",
        "/**/*/",
        "-1.5e+3",
        ".5e1",
        "//x",
        "--a",
    ):
        assert ours(document) == theirs(document), document


_LONG = ("a rule three times", "not by few states")


def _vocabulary(letters, seed, number):
    made = random.Random(seed)
    tokens = [letter.encode() for letter in letters]
    tokens += [
        "".join(made.choices(letters, k=made.randint(2, 4 if number < 100 else 7))).encode() for _ in range(number)
    ]
    tokens = [*dict.fromkeys(tokens)]
    return Vocabulary((*tokens, None), (len(tokens),))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        pytest.param(name, number, marks=[pytest.mark.slow] * (number > 150 or (number > 24 and name in _LONG)))
        for name in GRAMMARS
        for number in (24, 150, 600)
    ],
)
def test_a_mask_has_the_tokens_whose_bytes_can_be_read(name, number):
    text, letters = GRAMMARS[name]
    constraint, made = compile_grammar(text, _vocabulary(letters, 1, number)), random.Random(2)
    for _ in range(3):
        state = constraint.start()
        for _ in range(5 if name in _LONG else 12):
            allowed = sorted(unpack(constraint.mask(state)))
            read = [t for t, raw in enumerate(constraint.vocabulary.tokens) if raw and _reads(state.threads, raw)]
            walked = {int(t) for threads, ids in Walk(constraint.trie, state.threads).targets() for t in ids if threads}
            assert allowed == read == sorted(walked)
            if not allowed:
                break
            state = constraint.advance(state, made.choice(allowed))


def _reads(threads, raw):
    for byte in raw:
        threads = {after for thread in threads for after in thread.step(byte)}
    return bool(threads)


class TestBrackets(ConstraintLaws):
    make = staticmethod(lambda: Grammar(grammar='start: ("(" start ")" | "[" start "]")*'))
    accepts = staticmethod(lambda text: _balanced(text.decode("latin-1")))
    vocabulary = tiny_vocabulary((b"(", b")", b"[", b"]", b"()", b"((", b")]", b"[(", b"x"))


class TestSums(ConstraintLaws):
    make = staticmethod(lambda: Grammar(grammar='sum: sum "+" sum | "-" sum | /[0-9]+/\n%ignore " "', start="sum"))
    accepts = staticmethod(lambda text: re.fullmatch(rb"([ -]*[0-9]+ *\+)*[ -]*[0-9]+ *", text) is not None)
    vocabulary = tiny_vocabulary((b"1", b"23", b"+", b"-", b" ", b"+ ", b"1+", b"--", b"+-4", b"a"))


class TestPalindromes(ConstraintLaws):
    make = staticmethod(lambda: Grammar(grammar='start: "a" start "a" | "b" start "b" | "a" | "b" |'))
    accepts = staticmethod(lambda text: set(text) <= set(b"ab") and text == text[::-1])
    vocabulary = tiny_vocabulary((b"a", b"ab", b"ba", b"bb", b"aba", b"c"))
    max_places = 80


class TestTextsWithoutAllLetters(ConstraintLaws):
    make = staticmethod(lambda: Grammar(grammar='start: "ab" start "cd" | "e"'))
    accepts = staticmethod(
        lambda text: re.fullmatch(rb"((?:ab)*)e((?:cd)*)", text) is not None and text.count(b"a") == text.count(b"c")
    )
    vocabulary = tiny_vocabulary((b"ab", b"e", b"cd", b"be", b"ec", b"dc", b"d", b"a"))
    max_tokens = 5


def _balanced(text):
    while "()" in text or "[]" in text:
        text = text.replace("()", "").replace("[]", "")
    return not text


def test_a_text_ends_within_its_budget():
    constraint = compile_grammar(JSON, Vocabulary.from_bytes())
    made = random.Random(3)
    for budget in (1, 2, 5, 17):
        for _ in range(20):
            state, text = constraint.start(), bytearray()
            for left in range(budget, 0, -1):
                allowed = [byte for byte in unpack(constraint.mask(state, left)) if byte < 0x80]
                opening = [byte for byte in allowed if byte in b"[{"]
                if not allowed:
                    break
                text.append(made.choice(opening or sorted(allowed)))
                state = constraint.advance(state, text[-1])
            assert constraint.is_complete(state)
            assert BOTH["json"][1](text.decode())


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ('start: "a" nothing', SchemaError, "line 1, column 12: the rule nothing is not defined"),
        ('start: "a"\n  | NONE', SchemaError, "line 2, column 5: the terminal NONE is not defined"),
        ('other: "a"', SchemaError, "the rule start is not defined"),
        ('start: "a"\nstart: "b"', SchemaError, "line 2, column 1: start is defined twice, first in line 1"),
        ('start: ("a"', SchemaError, r"line 1, column 12: the end of the line where \) was expected"),
        ("start: 'a'", SchemaError, "line 1, column 8: .* is not part of Lark's notation"),
        ('start: ""', SchemaError, "an empty text is not a terminal"),
        ('start: "a"~3..1', SchemaError, "is not a number of times"),
        ('start: "b".."a"', SchemaError, "is not a range of characters"),
        ("start: /[/", SchemaError, "does not parse"),
        ("start: /a*/", SchemaError, "matches the empty text"),
        ('start: A\nA: "x" B\nB: A', SchemaError, "line 3, column 4: A is defined by itself"),
        ('start: A\nA: "x" b\nb: "y"', SchemaError, "line 2, column 8: the rule b stands in a terminal"),
        ("start: WORD\n%import common.WORDS -> WORD", SchemaError, "common has no WORDS"),
        ('start: "a"\n%nothing', SchemaError, "%nothing is not a directive"),
        (r'start: "\x1"', SchemaError, "is not a character"),
        ("start: /a(?=b)/", UnsupportedSchemaError, "line 1, column 8: .* looks around"),
        ("start: /^a/", UnsupportedSchemaError, "has an anchor"),
        (r"start: /(a)\1/", UnsupportedSchemaError, "a back reference"),
        ("start: /a.*?b*/", UnsupportedSchemaError, "lazy and greedy repeats"),
        ("start: /a/l", UnsupportedSchemaError, "depends on the locale"),
        ("start: A\n%declare A", UnsupportedSchemaError, "line 2, column 1: %declare is not followed"),
        ("start: a\n%import python.a", UnsupportedSchemaError, "%import from python is not followed"),
        ('start: two{"a"}\ntwo{x}: x x', UnsupportedSchemaError, "line 1, column 11: templates are not followed"),
        ("start: " + "(" * 3000 + '"a"' + ")" * 3000, UnsupportedSchemaError, "nested too deeply"),
        ('start: "a"~200000', UnsupportedSchemaError, "more than 100000 places"),
        (
            "start: r0\n" + "\n".join(f'r{i}: "x" r{i + 1} "b{i}"? | r{i + 1}' for i in range(99)) + '\nr99: "y"',
            UnsupportedSchemaError,
            "98 ways to read one terminal at one place, in the rules r0, r1, r2",
        ),
        (
            "start: " + " ".join(f"r{i}?" for i in range(50)) + "".join(f'\nr{i}: "a" r{i}?' for i in range(50)),
            UnsupportedSchemaError,
            "50 ways to read one terminal at one place, in the rules start",
        ),
        ('start: "a" start', UnsatisfiableSchemaError, "no text follows the rule start"),
    ],
)
def test_what_is_wrong_or_not_followed_is_said_by_name(text, error, message):
    with pytest.raises(error, match=message) as raised:
        compile_grammar(text, Vocabulary.from_bytes())
    assert type(raised.value) is error


def test_what_only_shapes_trees_does_not_change_the_language():
    accepts = judged('!?start.3: a -> name\n  | B // a remark\n# another\na: "a" \\\n "c"\nB.2: "b"')
    assert [text for text in ("ac", "b", "a", "bac") if accepts(text)] == ["ac", "b"]


def test_literals_are_read_as_lark_reads_them():
    text = r'start: "\n\t\x41é\"\\" /\d\/[\x42]/ /a b/x "ß"i /./s'
    accepts, document = judged(text), '\n\tAé"\\7/Bab\u1e9e\n'
    assert parsed(text)(document)
    assert accepts(document)
    assert not accepts(document[:-1])


def test_a_grammar_is_read_from_a_file_and_kept(tmp_path):
    path = tmp_path / "sums.lark"
    path.write_text(ARITHMETIC)
    vocabulary = Vocabulary.from_bytes()
    assert compile_grammar(ARITHMETIC, vocabulary) is compile_grammar(ARITHMETIC, vocabulary)
    from decodekit.testing import toy_context

    context = toy_context(vocabulary=vocabulary)
    assert Grammar(path).build(context).start() is Grammar(ARITHMETIC).build(context).start()
    with pytest.raises(SchemaError, match="neither a grammar nor a file"):
        Grammar("nothing.lark").build(context)


def _threads_after(text, document):
    constraint = compile_grammar(text, Vocabulary.from_bytes())
    state, most = constraint.start(), 0
    for byte in document.encode():
        state = constraint.advance(state, byte)
        assert state.threads, "the text is not accepted"
        most = max(most, len(state.threads))
    return most, constraint.is_complete(state)


def _many_rules():
    made = random.Random(4)
    rules = [
        f'r{i}: "{"".join(made.choices(string.ascii_lowercase, k=4))}" r{(i * 7 + 1) % 500}? "k{i}" | "z{i}"'
        for i in range(500)
    ]
    return "\n".join(["start: " + " | ".join(f"r{i}" for i in range(500)), *rules])


@pytest.mark.parametrize(
    ("text", "document"),
    [
        pytest.param(ARITHMETIC, "(" * 5000 + "1" + ")" * 5000, id="depth"),
        pytest.param(GRAMMARS["a rule twice"][0], "a" * 1000, id="every bracketing"),
        pytest.param(GRAMMARS["a rule three times"][0], "a" * 100, id="threes"),
        pytest.param(GRAMMARS["two ways back"][0], "x" * 300 + "y" + "ab" * 150, id="two ways back at each letter"),
        pytest.param(GRAMMARS["terminals alike"][0], "x" * 300 + "y" + "ab" * 150, id="two terminals at each letter"),
        pytest.param(GRAMMARS["dangling else"][0], "i" * 200 + "s" + "es" * 150, id="dangling else"),
        pytest.param(_many_rules(), "z499", id="500 rules"),
        pytest.param(
            "start: r0\n" + "\n".join(f'r{i}: r{i + 1} "x" | r{i + 1}' for i in range(499)) + '\nr499: "y"',
            "yxxx",
            id="500 left recursive units",
        ),
        pytest.param("start: (" + "|".join(f'"w{i}"' for i in range(1000)) + ")*", "w12w999", id="1000 alternatives"),
        pytest.param(
            "start: r+\nr: " + "|".join(f'"w{i}" r? "e"' for i in range(1000)),
            "w12w999ee",
            id="1000 recursive alternatives",
        ),
        pytest.param('start: "a"~5000 "b"~0..5000', "a" * 5000 + "b" * 10, id="counts"),
        pytest.param(
            "start: r0\n" + "\n".join(f'r{i}: "x" r{i + 1} | r{i + 1}' for i in range(499)) + '\nr499: "y"',
            "xxxxy",
            id="500 right recursive rules alike",
        ),
    ],
)
def test_bombs_are_written_with_few_threads(text, document):
    most, complete = _threads_after(text, document)
    assert complete
    assert most <= 16
