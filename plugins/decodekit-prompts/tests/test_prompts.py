from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from decodekit import Constraint, Decoder, IncompatibleTechniquesError, PromptError, RequestError, Vocabulary
from decodekit.testing import PromptLaws, tiny_llama
from decodekit_prompts import ChainOfThought, FewShot, FourPart, SchemaInWords
from decodekit_prompts.words import describe

EXAMPLES = (("2 + 2", "4"), ("{{ 3 }}", "3"))


class Shaped(Constraint, name="shaped"):
    """A constraint of somebody else's, which declares a schema."""

    schema_: object = Field(alias="schema")

    def build(self, context):
        raise NotImplementedError


class Unshaped(Constraint, name="unshaped"):
    """One that does not: pydantic's own method `schema` is none."""

    pattern: str = "a"

    def build(self, context):
        raise NotImplementedError


class TestFewShot(PromptLaws):
    make = staticmethod(lambda: FewShot(EXAMPLES))


class TestChainOfThought(PromptLaws):
    make = staticmethod(ChainOfThought)


class TestChainOfThoughtBefore(PromptLaws):
    make = staticmethod(lambda: ChainOfThought("Think.", place="before"))


class TestFourPart(PromptLaws):
    make = staticmethod(lambda: FourPart("Translate.", "You are a poet.", "One line."))


class TestSchemaInWords(PromptLaws):
    make = staticmethod(SchemaInWords)
    techniques = (Shaped(schema={"type": "integer"}),)


class TestSchemaInWordsBefore(PromptLaws):
    make = staticmethod(lambda: SchemaInWords("schema", place="before"))
    techniques = (Shaped(schema={"type": "integer"}),)


NOTHING = {"techniques": (), "tokenizer": None}


def user(text):
    return [{"role": "user", "content": text}]


def test_few_shot_writes_examples_before_the_question():
    assert FewShot(EXAMPLES)("5 + 5", NOTHING) == (
        "Input: 2 + 2\nOutput: 4\n\nInput: {{ 3 }}\nOutput: 3\n\nInput: 5 + 5\nOutput:"
    )
    own = FewShot(EXAMPLES[:1], template="{{ input|upper }} => {{ output }};", query="{{ input }} =>")
    assert own("x", NOTHING) == "2 + 2 => 4;x =>"


def test_few_shot_adds_turns_to_a_chat_after_the_system_message():
    system = {"role": "system", "content": "Brief."}
    assert FewShot(EXAMPLES[:1])([system, *user("5 + 5")], NOTHING) == [
        system,
        {"role": "user", "content": "2 + 2"},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "5 + 5"},
    ]


def test_chain_of_thought_uses_the_papers_words():
    assert ChainOfThought()("2 + 2?", NOTHING) == "2 + 2?\n\nLet's think step by step."
    assert ChainOfThought(separator=" ")(user("2?"), NOTHING) == user("2? Let's think step by step.")
    assert ChainOfThought("Think.", place="before")("2?", NOTHING) == "Think.\n\n2?"
    before = ChainOfThought("Think.", place="before")
    assert before([{"role": "system", "content": "Brief."}, *user("2?")], NOTHING) == [
        {"role": "system", "content": "Think.\n\nBrief."},
        *user("2?"),
    ]


def test_four_parts_stand_in_their_order():
    full = FourPart("Translate into German.", "You are a poet.", "One line.")
    assert full("the bear", NOTHING) == (
        "You are a poet.\n\nTask: Translate into German.\n\nInput: the bear\n\nOutput: One line.\n\n"
    )
    assert FourPart("Translate.")("the bear", NOTHING) == "Task: Translate.\n\nInput: the bear\n\n"
    assert full(user("the bear"), NOTHING) == [
        {"role": "system", "content": "You are a poet."},
        *user("Task: Translate into German.\n\nInput: the bear\n\nOutput: One line.\n\n"),
    ]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: FewShot(()), "few_shot: examples: .* is empty"),
        (lambda: FewShot(EXAMPLES, template="{{ input }"), "not a jinja template: line 1"),
        (lambda: FewShot(EXAMPLES, template="{{ input }}"), r"the template leaves out {{ output }}"),
        (
            lambda: FewShot(EXAMPLES, query="{{ question }}"),
            "unknown variable 'question'; a template here has {{ input",
        ),
        (lambda: FourPart("t", template="{{ task }}"), "leaves out {{ input }}"),
        (lambda: FourPart(""), "is empty"),
        (lambda: ChainOfThought(""), "is empty"),
        (lambda: SchemaInWords(template="JSON!"), "leaves out {{ schema }}"),
    ],
)
def test_what_cannot_be_a_prompt_is_refused_when_it_is_made(make, match):
    with pytest.raises(RequestError, match=match):
        make()


def test_templates_are_sandboxed():
    from jinja2.exceptions import SecurityError

    evil = FewShot(EXAMPLES, template="{{ input.__class__.__mro__ }}{{ output }}")
    with pytest.raises(SecurityError):
        evil("x", NOTHING)


def test_parts_of_a_message_that_are_no_text_stay():
    image = {"type": "image", "url": "bear.png"}
    parts = [{"role": "user", "content": [{"type": "text", "text": "What?"}, image]}]
    given = ChainOfThought("Think.", separator=" ")(parts, NOTHING)
    assert given[0]["content"] == [{"type": "text", "text": "What? Think."}, image]
    only = ChainOfThought("Think.")([{"role": "user", "content": [image]}], NOTHING)
    assert only[0]["content"] == [image, {"type": "text", "text": "Think."}]


@pytest.mark.parametrize("technique", [ChainOfThought(), FourPart("t"), SchemaInWords()])
def test_a_chat_that_does_not_end_with_the_user_is_refused(technique):
    context = {"techniques": (Shaped(schema=True),), "tokenizer": None}
    with pytest.raises(PromptError, match=f"{technique.name} changes the user's last message, and .* 'assistant'"):
        technique([*user("a"), {"role": "assistant", "content": "b"}], context)


class Den(BaseModel):
    place: str = Field(max_length=8)
    depth_m: float | None = Field(default=None, ge=0)


class Bear(BaseModel):
    name: str = Field(description="its first name")
    kind: Literal["brown", "polar"]
    age: Annotated[int, Field(ge=0, le=60)]
    tags: list[str] = Field(default_factory=list, max_length=2)
    den: Den | None = None


WORDS = """\
an object
- "name": a string (its first name)
- "kind": "brown" or "polar"
- "age": an integer, at least 0, at most 60
- "tags" (may be left out): a list, each item a string, at most 2 items
- "den" (may be left out): an object or null
  - "place": a string, at most 8 characters
  - "depth_m" (may be left out): a number, at least 0 or null"""


def test_a_schema_reads_as_a_list_of_what_is_wanted():
    assert describe(Bear.model_json_schema()).replace("      -", "  -").replace("    -", "  -") == WORDS


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (True, "anything"),
        (False, "nothing"),
        ({}, "a value"),
        ({"const": "a"}, '"a"'),
        ({"type": ["string", "null"], "pattern": "^a"}, "a string or null, matching ^a"),
        ({"type": "integer", "multipleOf": 3, "exclusiveMinimum": 1}, "an integer, greater than 1, a multiple of 3"),
        ({"type": "array", "uniqueItems": True}, 'a list, and {"uniqueItems": true}'),
        ({"type": "object", "required": ["a"]}, 'an object, and {"required": ["a"]}'),
        ({"type": "object", "additionalProperties": {"type": "null"}}, 'an object, and {"additionalProperties": '),
        ({"anyOf": [{"type": "null"}], "type": "string"}, 'null, and {"type": "string"}'),
        ({"$ref": "#/$defs/t", "$defs": {"t": {"items": {"$ref": "#/$defs/t"}, "type": "array"}}}, "each item again t"),
        ({"$ref": "https://x.y/z"}, "as in https://x.y/z"),
        ({"items": True, "prefixItems": [{}], "type": "array"}, '{"items": true, "prefixItems": [{}]}'),
        (
            {"oneOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}, "required": ["b"]}]},
            'one of these\n- an object\n  - "a" (may be left out): a value\n- an object\n  - "b": a value',
        ),
    ],
)
def test_no_keyword_is_left_unsaid(schema, words):
    assert words in describe(schema)


def test_a_schema_is_taken_from_whatever_constraint_declares_one(tmp_path):
    path = tmp_path / "s.json"
    path.write_text('{"type": "null"}')
    for source in ({"type": "null"}, '{"type": "null"}', str(path)):
        context = {"techniques": (Unshaped(), Shaped(schema=source), SchemaInWords()), "tokenizer": None}
        assert SchemaInWords()("p", context) == "p\n\nAnswer with JSON only: null\n\n"
        assert SchemaInWords("schema", place="before")("p", context) == 'Answer with JSON only: {"type": "null"}\n\np'


def test_a_request_without_a_schema_is_refused():
    with pytest.raises(PromptError, match="schema_in_words: no technique of the request has a schema"):
        SchemaInWords()("p", {"techniques": (Unshaped(), SchemaInWords()), "tokenizer": None})
    with pytest.raises(PromptError, match="the schema of 'shaped' cannot be read"):
        SchemaInWords()("p", {"techniques": (Shaped(schema="no/such/file.json"),), "tokenizer": None})


@pytest.fixture(scope="module")
def decoder():
    return Decoder(tiny_llama(257, max_position_embeddings=256), Vocabulary.from_bytes())


def prompt_of(decoder, result):
    return decoder.vocabulary.text(result.prompt_tokens)


def test_end_to_end_they_run_in_the_users_order(decoder):
    few, think = FewShot(EXAMPLES[:1], template="{{ input }}{{ output }};", query="{{ input }}"), ChainOfThought("T.")
    one = decoder.generate("x", few, think, max_new_tokens=1)
    other = decoder.generate("x", think, few, max_new_tokens=1)
    assert prompt_of(decoder, one) == "2 + 24;x\n\nT."
    assert prompt_of(decoder, other) == "2 + 24;x\n\nT."
    shout = FewShot(EXAMPLES[:1], template="{{ input }}{{ output }}", query="{{ input|upper }}!")
    assert prompt_of(decoder, decoder.generate("x", shout, think, max_new_tokens=1)) == "2 + 24X!\n\nT."
    assert prompt_of(decoder, decoder.generate("x", think, shout, max_new_tokens=1)) == "2 + 24X\n\nT.!"


def test_end_to_end_a_prompt_that_outgrows_the_context_is_refused_with_the_numbers(decoder):
    assert decoder.generate("x" * 100, max_new_tokens=1).tokens
    with pytest.raises(PromptError, match="the prompt has 301 tokens, and the model's context of 256 leaves no room"):
        decoder.generate("x" * 100, FewShot((("y" * 99, "z" * 99),), "{{ input }}{{ output }}", "{{ input }}..."))


def test_end_to_end_token_ids_are_refused(decoder):
    for technique in (FewShot(EXAMPLES), ChainOfThought(), FourPart("t"), SchemaInWords()):
        with pytest.raises(
            IncompatibleTechniquesError, match=f"{technique.name} rewrites text, but the prompt is token"
        ):
            decoder.generate([1, 2], technique)


def test_end_to_end_flat_names(decoder):
    result = decoder.generate("x", chain_of_thought=True, few_shot=[("a", "b")], max_new_tokens=1)
    assert prompt_of(decoder, result).startswith("Input: a\nOutput: b")
    with pytest.raises(RequestError, match=r"few_shot: template: .*leaves out"):
        decoder.generate("x", few_shot={"examples": [("a", "b")], "template": "{{ input }}"})


def test_end_to_end_the_request_is_written_and_read_again(decoder):
    request = decoder.request("x", FewShot(EXAMPLES), FourPart("t"), ChainOfThought())
    again = type(request).from_dict(request.to_dict(), decoder.registry)
    assert again == request
