"""The laws of a constraint for each kind of schema: brute force over small vocabularies, judged by `jsonschema`."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

import decodekit_json
from decodekit.testing import ConstraintLaws
from decodekit.vocabulary import Vocabulary

from .oracle import Writing, may_begin, read, validator


def words(*tokens: str | bytes) -> Vocabulary:
    """Give a vocabulary of some tokens, one without text, and an end token."""
    raw = [token.encode() if isinstance(token, str) else token for token in tokens]
    return Vocabulary((*raw, b"", None), (len(raw) + 1,))


class SchemaLaws(ConstraintLaws):
    """The laws for a schema.

    Attributes:
        schema: What is compiled.
        options: How.
        fixed: Strings of the schema, beside its keys, that have one writing.
        begins: A regular expression that every beginning of a document matches; only saves time.
    """

    schema: ClassVar[Any]
    options: ClassVar[dict[str, Any]] = {}
    fixed: ClassVar[tuple[str, ...]] = ()
    begins: ClassVar[str] = ""
    make = staticmethod(lambda: None)
    max_tokens = 5
    max_places = 60

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        judge = validator(cls.schema)
        whitespace = cls.options.get("whitespace", "flexible")
        writing = Writing(cls.schema, whitespace, cls.options.get("key_order") == "any", cls.fixed)

        def accepts(raw: bytes) -> bool:
            try:
                text = raw.decode()
                document = read(text)
            except ValueError:
                return False
            return bool(judge.is_valid(document)) and writing.right(text)

        cls.accepts = staticmethod(accepts)
        beginning = re.compile(cls.begins.encode()) if cls.begins else None

        def may_continue(raw: bytes) -> bool:
            return not raw or (may_begin(raw) and (beginning is None or beginning.fullmatch(raw) is not None))

        cls.may_continue = staticmethod(may_continue)

    def compiled(self) -> Any:
        return decodekit_json.compile(self.schema, self.words(), **self.options)


OBJECTS = words('{"', 'a"', 'b"', ":", '":1', "1", '"}', "}", "{", ', "', ',"', '"a":1', " ", '"', "b", "{}")
COMPACT = words('{"', 'a"', 'b"', 'c"', ":1", ":true", "}", ',"', '{"a":1', "{", '"a":', "1}", '"', "c", '":1')
PAIRS = words('{"a":1', ',"a":1', ',"b":1', ',"c":1', "{", '"b":1', "}", ',"b":1}')
VALUES = words("[", "]", "1", "2", "[1", ",1", ", ", ",", "1,2", '"', 'a"', "null", "true", "[]", "2]", " ")
LETTERS = words(
    '"', "a", "b", "ab", 'a"', '"a', "\\", "n", "u00", "61", 'b"', "\\n", "é".encode(), b"\xc3", b"\xa9", "1"
)
DIGITS = words("0", "1", "2", "5", "10", "-", ".", ".5", "e", "E1", "-1", "25", "00", "+", "}")


class TestRequiredAndOptionalKeys(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["b"],
        "additionalProperties": False,
    }
    vocabulary = OBJECTS
    max_tokens = 6
    begins = r"\{.*"


class TestKeysInAnyOrder(SchemaLaws):
    schema = TestRequiredAndOptionalKeys.schema
    options: ClassVar[dict[str, Any]] = {"key_order": "any", "whitespace": "compact"}
    vocabulary = COMPACT
    max_tokens = 6
    begins = r"\{[^ ]*"


class TestLongerTextsOfFewerTokens(SchemaLaws):
    schema: ClassVar[Any] = {"type": "array", "items": {"enum": [12, None]}, "minItems": 1, "maxItems": 2}
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = words("1", "2", "[", "]", "null", "null]", ",", ",null")


class TestNoKeyTwice(TestKeysInAnyOrder):
    vocabulary = PAIRS
    max_tokens = 5


class TestAtMostSoManyNamedKeys(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"a": {"const": 1}, "b": {"const": 1}, "c": {"const": 1}},
        "required": ["b"],
        "maxProperties": 2,
        "additionalProperties": False,
    }
    options: ClassVar[dict[str, Any]] = {"key_order": "any", "whitespace": "compact"}
    vocabulary = PAIRS


class TestAtLeastSoManyNamedKeys(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"a": {"const": 1}, "b": {"const": 1}, "c": {"const": 1}},
        "minProperties": 2,
        "additionalProperties": False,
    }
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = PAIRS


class TestKeysInTheOrderOfTheSchema(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"a": {"const": 1}, "b": {"const": 1}, "c": {"const": 1}},
        "required": ["b"],
        "additionalProperties": False,
    }
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = COMPACT
    max_tokens = 7
    begins = r'\{("[abc]?("(:(1([,}].*)?)?)?)?)?'


class TestOtherKeys(SchemaLaws):
    schema: ClassVar[Any] = {"properties": {"a": {"const": 1}}, "required": ["a"], "type": "object"}
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = COMPACT
    begins = r'\{("([^ ]*)?)?'


class TestOtherKeysWithASchema(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"a": {"const": 1}},
        "additionalProperties": {"const": True},
        "minProperties": 1,
    }
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = COMPACT
    max_tokens = 6
    begins = r'\{("([^ ]*)?)?'


class TestKeysByPattern(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"a": {"const": 1}},
        "patternProperties": {"^[ab]$": {"type": "integer"}, "c": {"const": True}},
        "additionalProperties": False,
    }
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = COMPACT
    max_tokens = 6
    begins = r'\{("[^"]*("(:[^ ]*)?)?)?|\{\}'


class TestHowManyKeys(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "patternProperties": {"^[abc]$": {"enum": [1, True]}},
        "additionalProperties": False,
        "minProperties": 2,
        "maxProperties": 2,
    }
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = COMPACT
    max_tokens = 6
    begins = r'\{("[abc]?("(:(t|tr|tru|true|1)?([,}].*)?)?)?)?'


class TestNamesOfKeys(SchemaLaws):
    schema: ClassVar[Any] = {"type": "object", "propertyNames": {"enum": ["a", "c"]}, "maxProperties": 1}
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    fixed = ()
    vocabulary = COMPACT
    begins = r'\{("([^ ]*)?)?|\{\}'


class TestKeysThatNeedOthers(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"a": {"const": 1}, "b": {"const": 1}, "c": {"const": 1}},
        "dependentRequired": {"a": ["c"], "b": ["a"]},
        "additionalProperties": False,
    }
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = COMPACT
    max_tokens = 6
    begins = r'\{("[abc]?("(:(1([,}].*)?)?)?)?)?|\{\}'


class TestASchemaThatDependsOnAKey(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"a": {"const": 1}, "b": {"enum": [1, True]}},
        "dependentSchemas": {"a": {"properties": {"b": {"const": True}}, "required": ["b"]}},
        "additionalProperties": False,
    }
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact", "key_order": "any"}
    vocabulary = COMPACT
    max_tokens = 6
    begins = r'\{("[ab]?("(:[^ ]*)?)?)?|\{\}'


class TestItems(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "array",
        "prefixItems": [{"const": 1}, {"type": "string", "maxLength": 1}],
        "items": {"enum": [2, None]},
        "maxItems": 3,
    }
    vocabulary = VALUES
    begins = r"\[.*"


class TestHowManyItems(SchemaLaws):
    schema: ClassVar[Any] = {"type": "array", "items": {"enum": [1, 2]}, "minItems": 1, "maxItems": 2}
    vocabulary = VALUES
    max_tokens = 6
    begins = r"\[[12, \]]*"


class TestContains(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "array",
        "items": {"enum": [1, 2, None]},
        "contains": {"type": "integer"},
        "minContains": 2,
        "maxContains": 2,
        "maxItems": 3,
    }
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = VALUES
    max_tokens = 6
    begins = r"\[[12,nul\]]*"


class TestItemsThatDiffer(SchemaLaws):
    schema: ClassVar[Any] = {"type": "array", "items": {"enum": [1, 2, "a"]}, "uniqueItems": True, "minItems": 2}
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    fixed = ("a",)
    vocabulary = VALUES
    max_tokens = 6
    begins = r'\[[12,a"\]]*'


class TestFreeItemsThatDiffer(SchemaLaws):
    schema: ClassVar[Any] = {"type": "array", "items": {"type": "integer", "maximum": 12}, "uniqueItems": True}
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = VALUES
    max_tokens = 5
    begins = r"\[[12,\]]*"


class TestBounds(SchemaLaws):
    schema: ClassVar[Any] = {"type": "integer", "minimum": -1, "exclusiveMaximum": 25}
    vocabulary = words("0", "1", "2", "5", "10", "-", "-1", "25", "00", "}", "24", "3")
    max_tokens = 3


class TestMultiples(SchemaLaws):
    schema: ClassVar[Any] = {"type": "number", "multipleOf": 2.5, "minimum": 0, "maximum": 12}
    vocabulary = words("0", "1", "2", "5", "10", "-", ".", ".5", "-1", "25", "00", "}")
    max_tokens = 4


class TestLengths(SchemaLaws):
    schema: ClassVar[Any] = {"type": "string", "minLength": 1, "maxLength": 2}
    vocabulary = LETTERS


class TestPatterns(SchemaLaws):
    schema: ClassVar[Any] = {"type": "string", "pattern": "^(ab|é)+$", "maxLength": 3}
    vocabulary = LETTERS


class TestListedStrings(SchemaLaws):
    schema: ClassVar[Any] = {"enum": ["ab", "a\n", "é", "", "1", "aé"]}
    fixed = ("ab", "a\n", "é", "", "1", "aé")
    vocabulary = LETTERS


class TestHalvesOfCharacters(SchemaLaws):
    schema: ClassVar[Any] = {"type": "string", "pattern": "^[é🐢😀]*$", "maxLength": 2}
    vocabulary = words(
        '"', b"\xc3", b"\xa9", b"\xf0\x9f", b"\x90", b"\xa2", b"\x90\xa2", b'"\xf0', b"\x9f\x98\x80", b'\xa9"', "a"
    )
    max_tokens = 6


class TestAlternatives(SchemaLaws):
    schema: ClassVar[Any] = {
        "anyOf": [
            {"type": "array", "items": {"const": 1}, "maxItems": 2},
            {"type": "string", "maxLength": 1},
            {"type": "array", "items": {"type": "null"}, "minItems": 1},
        ]
    }
    vocabulary = VALUES
    max_tokens = 4


class TestExactlyOne(SchemaLaws):
    schema: ClassVar[Any] = {
        "oneOf": [
            {"type": "integer", "maximum": 12},
            {"type": "integer", "multipleOf": 2, "maximum": 30, "minimum": 0},
        ],
        "minimum": 0,
    }
    vocabulary = words("0", "1", "2", "5", "10", "-", "14", "25", "00", "}", "30")
    max_tokens = 3


class TestExactlyOneObject(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"a": {"enum": [1, True]}, "b": {"const": 1}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        "additionalProperties": False,
    }
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = COMPACT
    begins = r'\{("[ab]?("(:[^ ]*)?)?)?'


class TestNot(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": ["array", "null"],
        "items": {"enum": [1, 2]},
        "maxItems": 3,
        "not": {"prefixItems": [{"const": 1}], "minItems": 1},
    }
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = VALUES
    max_tokens = 5


class TestNotOneOfSomeStrings(SchemaLaws):
    schema: ClassVar[Any] = {"type": "string", "not": {"enum": ["a", "é", ""]}, "maxLength": 2}
    vocabulary = LETTERS


class TestConditions(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"a": {"enum": [1, True]}, "b": {"enum": [1, True]}},
        "if": {"properties": {"a": {"const": 1}}, "required": ["a"]},
        "then": {"required": ["b"]},
        "else": {"properties": {"b": False}},
        "additionalProperties": False,
    }
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = COMPACT
    max_tokens = 6
    begins = r'\{("[ab]?("(:[^ ]*)?)?)?|\{\}'


class TestRecursion(SchemaLaws):
    schema: ClassVar[Any] = {"type": "array", "items": {"$ref": "#"}, "maxItems": 2}
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = words("[", "]", "[]", "[[", "]]", "],", ",", "[],", "],[", "1", " ")
    max_tokens = 6


class TestRecursiveObjects(SchemaLaws):
    schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"a": {"$ref": "#"}, "b": {"const": 1}},
        "required": ["b"],
        "additionalProperties": False,
    }
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = words('{"', 'a":', 'b":1', "}", '{"a":', "}}", ',"', ',"b":1', "{", '"', '1},"')
    max_tokens = 6
    begins = r'\{("[ab]?("(:[^ ]*)?)?)?'


class TestEverything(SchemaLaws):
    schema: ClassVar[Any] = True
    vocabulary = words("[", "]", '"', "a", "{", "}", ":", ",", "1", "null", " ", "\n", "\t", '":', '{"')
    max_tokens = 4


class TestEverythingCompact(SchemaLaws):
    schema: ClassVar[Any] = {}
    options: ClassVar[dict[str, Any]] = {"whitespace": "compact"}
    vocabulary = TestEverything.vocabulary
    max_tokens = 4


class TestWhitespace(SchemaLaws):
    schema: ClassVar[Any] = {"type": "array", "items": {"type": "array", "maxItems": 0}, "maxItems": 2}
    vocabulary = words("[", "]", ",", " ", "\n", "\t", "  ", "\n ", "    ", "[\n", "\t\t", "\n\t")
    max_tokens = 6


class TestWhitespaceInObjects(SchemaLaws):
    schema: ClassVar[Any] = {"const": {"a": 1}}
    fixed = ("a",)
    vocabulary = words("{", '"a"', ":", "1", "}", " ", "\n", "\t", ": ", '{\n    "', 'a"', "\n}", '"', "     ")
    max_tokens = 6
    begins = r"\{[^\[]*"


class TestNumbersWithAnExponent(SchemaLaws):
    schema: ClassVar[Any] = {"type": "number"}
    vocabulary = words("0", "1", "-", ".", "e", "E", "+", "-1", "e5", "}")
    max_tokens = 3  # larger exponents are not written, see the numbers' own tests

    def test_the_oracle_reads_numbers_as_the_grammar_does(self) -> None:
        assert [self.oracle().accepts(text) for text in (b"1e5", b"1E+10", b"01", b"1.", b"-")] == [True, True] + [
            False
        ] * 3


def test_false_is_refused_as_unsatisfiable() -> None:
    import pytest

    from decodekit.errors import UnsatisfiableSchemaError

    with pytest.raises(UnsatisfiableSchemaError, match="no document satisfies"):
        decodekit_json.compile(False, VALUES)
    with pytest.raises(UnsatisfiableSchemaError, match="no text"):
        decodekit_json.compile({"type": "object"}, words("[", "]"))


def test_parse_gives_the_document() -> None:
    compiled = decodekit_json.compile({"type": "object"}, OBJECTS)
    assert compiled.parse(json.dumps({"a": 1})) == {"a": 1}
