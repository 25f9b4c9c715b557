"""The laws of a constraint, against brute force that shares nothing with the plugin."""

import re

from decodekit.testing import ConstraintLaws
from decodekit.vocabulary import Vocabulary
from decodekit_llguidance import LLGuidanceGrammar, LLGuidanceJSONSchema, LLGuidanceRegex

JSON_WORDS = Vocabulary(
    (b'{"', b'a"', b'": ', b":", b"1", b"12", b"}", b"{}", b", ", b'"b', b'"', b"true", None, b"", b" ", b"-"), (12,)
)
UTF8_WORDS = Vocabulary((b"\xf0\x9f", b"\x90", b"\xa2", b"\x90\xa2", b'"', b'"\xf0', b"\x9f\x90\xa2", b"a", None), (8,))
NESTED = 'start: value\nvalue: "a" | "b" value "1"\n'


def card(text: bytes) -> bool:
    return re.fullmatch(rb'\{"a":(0|-?[1-9]\d*)(,"b":true)?\}', text) is not None


def nested(text: bytes) -> bool:
    depth = len(text) // 2
    return text == b"b" * depth + b"a" + b"1" * depth


class TestRegex(ConstraintLaws):
    make = staticmethod(lambda: LLGuidanceRegex(pattern="(ab|a)*b?"))
    accepts = staticmethod(lambda text: re.fullmatch(rb"(ab|a)*b?", text) is not None)


class TestBoundedRegex(ConstraintLaws):
    make = staticmethod(lambda: LLGuidanceRegex(pattern="a{2,5}|b{3}"))
    accepts = staticmethod(lambda text: re.fullmatch(rb"a{2,5}|b{3}", text) is not None)


class TestJSONSchema(ConstraintLaws):
    make = staticmethod(
        lambda: LLGuidanceJSONSchema(
            {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"const": True}},
                "required": ["a"],
                "additionalProperties": False,
            },
            whitespace="compact",
        )
    )
    accepts = staticmethod(card)
    may_continue = staticmethod(lambda text: b'{"a":'.startswith(text[:5]) or text[:5] == b'{"a":')
    vocabulary = JSON_WORDS
    max_tokens = 6


class TestCharactersOfSeveralBytes(ConstraintLaws):
    make = staticmethod(lambda: LLGuidanceRegex(pattern='"🐢"|🐢a*'))
    accepts = staticmethod(lambda text: re.fullmatch('"🐢"|🐢a*'.encode(), text) is not None)
    vocabulary = UTF8_WORDS


class TestRecursiveGrammar(ConstraintLaws):
    make = staticmethod(lambda: LLGuidanceGrammar(grammar=NESTED))
    accepts = staticmethod(nested)


class TestBytes(ConstraintLaws):
    make = staticmethod(lambda: LLGuidanceRegex(pattern="1|22"))
    accepts = staticmethod(lambda text: text in (b"1", b"22"))
    vocabulary = Vocabulary.from_bytes()
    max_tokens = 2
