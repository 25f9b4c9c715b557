"""Free text around documents: the laws against brute force, where triggers fall, budgets, typed results, refusals."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from decodekit.testing import ConstraintLaws
from decodekit.vocabulary import Vocabulary
from decodekit_json import AnyJSON, Choice, Grammar, JSONSchema, Regex, StructuralTag, ToolCalls


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
    make = staticmethod(lambda: JSONSchema(TestADocumentBehindATrigger.schema, whitespace="compact", after="</t>"))
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


class CallsLaws(ConstraintLaws):
    """The laws where tagged documents stand in free text.

    Attributes:
        triggers: A regular expression of where the free text ends.
        calls: One of the tagged documents.
        least: Fewest.
        most: Most.
    """

    make = staticmethod(lambda: None)
    triggers: ClassVar[str]
    calls: ClassVar[str]
    least: ClassVar[int] = 0
    most: ClassVar[int | None] = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        free = f"(?:(?!{cls.triggers}).)*"
        call = f"{free}(?:{cls.calls})"
        whole = f"(?:{call}){{{cls.least},{'' if cls.most is None else cls.most - 1}}}{free}"
        if cls.most is not None:
            whole = f"(?:{call}){{{cls.most}}}|{whole if cls.most > cls.least else '(?!)'}"
        pattern = re.compile(whole, re.DOTALL)

        def accepts(raw: bytes) -> bool:
            return is_utf8(raw) and pattern.fullmatch(raw.decode()) is not None

        cls.accepts = staticmethod(accepts)


NOTHING: dict[str, Any] = {"type": "object", "additionalProperties": False}


class TestCallsOfTools(CallsLaws):
    make = staticmethod(
        lambda: ToolCalls(
            [{"name": "a", "parameters": NOTHING}, {"name": "b", "parameters": {"enum": [True, "f"]}}],
            begin="<{name}>",
            end="/",
            whitespace="compact",
        )
    )
    triggers, calls = "<", r'<a>\{\}/|<b>(?:true|"f")/'
    vocabulary = words("<", "a>", "<b", ">", "{}", "x<a>{", "}/", "/<", "true/", "é".encode(), b"\xc3", '"f')
    max_tokens = 4


class TestOneCall(CallsLaws):
    make = staticmethod(
        lambda: StructuralTag(
            [{"begin": "<a", "schema": {"const": 1}, "end": ">"}], min_calls=1, max_calls=1, whitespace="compact"
        )
    )
    triggers, calls, least, most = "<a", "<a1>", 1, 1
    vocabulary = words("<", "a", "<<a", "1>", ">", "1", "a1", ">x")
    max_tokens = 5


class TestTwoCallsAtLeast(CallsLaws):
    make = staticmethod(
        lambda: StructuralTag(
            [
                {"begin": "aba", "schema": {"enum": [[], True]}, "end": ""},
                {"begin": "ac", "schema": {"const": {}}, "end": "a"},
            ],
            min_calls=2,
            whitespace="compact",
        )
    )
    triggers, calls, least = "aba|ac", r"aba(?:\[\]|true)|ac\{\}a", 2
    vocabulary = words("ab", "a", "b", "aba[", "]", "]a", "c{}", "ac{}aab", "a[]")
    max_tokens = 5


class TestATagThatBeginsWithAnother(CallsLaws):
    make = staticmethod(
        lambda: StructuralTag(
            [
                {"begin": "<a", "schema": {"const": {}}, "end": ""},
                {"begin": "<ab", "schema": {"type": "boolean"}, "end": ";"},
            ],
            triggers=["<"],
            max_calls=2,
            whitespace="compact",
        )
    )
    triggers, calls, most = "<", r"<a\{\}|<ab(?:true|false);", 2
    vocabulary = words("<", "a", "b", "<a{}", "{}", "{", "}<", "true;", "btrue", ";", "x")
    max_tokens = 5


class TestTagsBehindATrigger(ConstraintLaws):
    make = staticmethod(
        lambda: StructuralTag([{"begin": "<", "schema": {"const": {}}, "end": ""}], after="!", whitespace="compact")
    )
    vocabulary = words("<", "{}", "!", "<{", "}", "x", "!<{}", "é".encode(), b"\xc3", "}!")
    max_tokens = 5

    @staticmethod
    def accepts(raw: bytes) -> bool:
        free, trigger, calls = raw.partition(b"!")
        pattern = rb"(?s:[^<]*(?:<\{\}[^<]*)*)"
        return bool(trigger) and is_utf8(free) and is_utf8(calls) and re.fullmatch(pattern, calls) is not None


class TestAGrammarBehindATrigger(AfterLaws):
    make = staticmethod(lambda: Grammar('start: "(" start? ")" | "x"\n', after="="))
    trigger, document = "=", r"x|\((x|\((x|\(\))?\))?\)"
    vocabulary = words("=", "(", ")", "=(", "))", "x", "()", "x)", "a", "(x")
    max_tokens = 4
