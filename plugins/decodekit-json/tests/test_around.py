"""Free text around documents: the laws against brute force, where triggers fall, budgets, typed results, refusals."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from decodekit.testing import ConstraintLaws
from decodekit.vocabulary import Vocabulary
from decodekit_json import AnyJSON, Choice, JSONSchema, Regex


def words(*tokens: str | bytes) -> Vocabulary:
    """Give a vocabulary of some tokens, one without text, and an end token."""
    raw = [token.encode() if isinstance(token, str) else token for token in tokens]
    return Vocabulary((*raw, b"", None), (len(raw) + 1,))


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


class AfterLaws(ConstraintLaws):
    """The laws where free text comes first.

    Attributes:
        trigger: Where it ends.
        document: A regular expression of what comes behind.
    """

    make = staticmethod(lambda: None)
    trigger: ClassVar[str]
    document: ClassVar[str]

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)

        def accepts(raw: bytes) -> bool:
            free, trigger, document = raw.partition(cls.trigger.encode())
            return bool(trigger) and is_utf8(free) and re.fullmatch(cls.document.encode(), document) is not None

        cls.accepts = staticmethod(accepts)


class TestADocumentBehindATrigger(AfterLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"a": {"enum": [1, True]}},
        "required": ["a"],
        "additionalProperties": False,
    }
    make = staticmethod(
        lambda: JSONSchema(TestADocumentBehindATrigger.schema, whitespace="compact", after="</t>")
    )
    trigger, document = "</t>", r'\{"a":(1|true)\}'
    vocabulary = words("</", "t", ">", "t>", 'x</t>{"', "</t", "a", 'a":1', '{"a":', "true", "}", "1}", '{"', ">{")
    max_tokens = 5


class TestATriggerThatFallsBackOnItself(AfterLaws):
    make = staticmethod(lambda: Choice(("b", "ab"), after="aab"))
    trigger, document = "aab", "a?b"
    vocabulary = words("a", "b", "aa", "ab", "ba", "aabb", "c")
    max_tokens = 5


class TestCharactersCutByTokens(AfterLaws):
    make = staticmethod(lambda: Regex("[éx]+", after="é€"))
    trigger, document = "é€", "(é|x)+"
    vocabulary = words(b"\xc3", b"\xa9", b"\xe2\x82", b"\xac", b"\xc3\xa9\xe2", b"\x82\xac\xc3", "x", b"\x82", b"\xff")
    max_tokens = 6


class TestAnyValueBehindATrigger(ConstraintLaws):
    make = staticmethod(lambda: AnyJSON(whitespace="compact", after="="))
    vocabulary = words("=", "=-", "1", "[", "]", ",", "=[1", "true", "1]")
    max_tokens = 5

    @staticmethod
    def accepts(raw: bytes) -> bool:
        _, trigger, document = raw.partition(b"=")
        if not trigger:
            return False
        try:
            json.loads(document)
        except ValueError:
            return False
        return True


class TestAnEmptyDocument(AfterLaws):
    make = staticmethod(lambda: Regex("a*", after="--"))
    trigger, document = "--", "a*"
    vocabulary = words("-", "--", "a", "-a", "--a", "b")
