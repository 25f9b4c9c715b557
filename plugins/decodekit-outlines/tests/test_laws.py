"""The laws of a constraint, against brute force that shares nothing with the plugin."""

import re

from decodekit.testing import ConstraintLaws
from decodekit.vocabulary import Vocabulary
from decodekit_outlines import OutlinesChoice, OutlinesJSONSchema, OutlinesRegex

JSON_WORDS = Vocabulary(
    (b'{"', b'a"', b'": ', b":", b"1", b"12", b"}", b"{}", b", ", b'"b', b'"', b"true", None, b"", b" ", b"-"), (12,)
)
UTF8_WORDS = Vocabulary((b"\xf0\x9f", b"\x90", b"\xa2", b"\x90\xa2", b'"', b'"\xf0', b"\x9f\x90\xa2", b"a", None), (8,))


def card(text: bytes) -> bool:
    return re.fullmatch(rb'\{"a": ?(0|-?[1-9]\d*)(, ?"b": ?true)?\}', text) is not None


class TestRegex(ConstraintLaws):
    make = staticmethod(lambda: OutlinesRegex(pattern="(ab|a)*b?"))
    accepts = staticmethod(lambda text: re.fullmatch(rb"(ab|a)*b?", text) is not None)


class TestBoundedRegex(ConstraintLaws):
    make = staticmethod(lambda: OutlinesRegex(pattern="a{2,5}|b{3}"))
    accepts = staticmethod(lambda text: re.fullmatch(rb"a{2,5}|b{3}", text) is not None)


class TestChoice(ConstraintLaws):
    make = staticmethod(lambda: OutlinesChoice(choices=("ab", "abba", "b")))
    accepts = staticmethod(lambda text: text in (b"ab", b"abba", b"b"))


class TestJSONSchema(ConstraintLaws):
    make = staticmethod(
        lambda: OutlinesJSONSchema({"properties": {"a": {"type": "integer"}, "b": {"const": True}}, "required": ["a"]})
    )
    accepts = staticmethod(card)
    may_continue = staticmethod(lambda text: b'{"a": '.startswith(text[:6]) or text[:5] == b'{"a":')
    vocabulary = JSON_WORDS
    max_tokens = 6


class TestCharactersOfSeveralBytes(ConstraintLaws):
    make = staticmethod(lambda: OutlinesRegex(pattern='"🐢"|🐢a*'))
    accepts = staticmethod(lambda text: re.fullmatch('"🐢"|🐢a*'.encode(), text) is not None)
    vocabulary = UTF8_WORDS


class TestIntersection(ConstraintLaws):
    accepts = staticmethod(lambda text: re.fullmatch(rb"(?=[ab]{2,4}$)a*b*", text) is not None)

    def compiled(self):
        one, two = (OutlinesRegex(pattern=p).build(self.context()) for p in ("a*b*", "[ab]{2,4}"))
        return one.intersect(two)


def test_parse_gives_what_the_text_says():
    context = TestBytes().context()
    assert OutlinesJSONSchema({"const": {"a": 1}}).build(context).parse('{"a":1}') == {"a": 1}
    assert OutlinesChoice(choices=("a",)).build(context).parse("a") == "a"
    assert OutlinesRegex(pattern="1").build(context).parse("1") is None


class TestBytes(ConstraintLaws):
    make = staticmethod(lambda: OutlinesRegex(pattern="1|22"))
    accepts = staticmethod(lambda text: text in (b"1", b"22"))
    vocabulary = Vocabulary.from_bytes()
    max_tokens = 2
