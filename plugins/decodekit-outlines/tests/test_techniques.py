import json
import random
from pathlib import Path
from typing import Literal
from unittest.mock import create_autospec

import numpy as np
import pytest
from pydantic import BaseModel, Field, TypeAdapter
from transformers import AutoTokenizer

from decodekit.errors import SchemaError, UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit.techniques import CompiledConstraint
from decodekit.testing import toy_context
from decodekit.vocabulary import Vocabulary
from decodekit_outlines import OutlinesChoice, OutlinesJSONSchema, OutlinesRegex, compiled, decodekit_constraints
from decodekit_outlines.caching import BoundedCache
from decodekit_outlines.tokens import distances

TOKENIZERS = next(
    (p for p in (up / "shared/data/tokenizers" for up in Path(__file__).resolve().parents) if p.is_dir()),
    Path("absent"),
)


class Den(BaseModel):
    place: str = Field(max_length=8)
    depth_m: float = Field(ge=0, lt=20)


class Bear(BaseModel):
    name: str
    kind: Literal["brown", "polar"]
    age: int = Field(ge=0, le=60)
    tags: list[str] = Field(default_factory=list, max_length=2)
    den: Den | None = None


@pytest.fixture(scope="module")
def context():
    return toy_context(vocabulary=Vocabulary.from_bytes(), max_new_tokens=64)


@pytest.fixture(scope="module")
def gpt2():
    if not TOKENIZERS.is_dir():
        pytest.skip("needs shared/data/tokenizers")
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZERS / "gpt2")
    return tokenizer, toy_context(vocabulary=Vocabulary.from_tokenizer(tokenizer), max_new_tokens=64)


def allowed(constraint, state, remaining=10_000):
    bits = np.unpackbits(constraint.mask(state, remaining).view(np.uint8), bitorder="little")
    return set(np.flatnonzero(bits).tolist())


def write(constraint, budget, seed):
    rng, state, tokens = random.Random(seed), constraint.start(), []
    while len(tokens) < budget:
        ways = sorted(allowed(constraint, state, budget - len(tokens)))
        if not ways:
            break
        tokens.append(rng.choice(ways))
        state = constraint.advance(state, tokens[-1])
    return tokens, state


@pytest.mark.parametrize("extra", [0, 1, 5, 40])
def test_every_document_ends_within_its_budget(gpt2, extra):
    _, context = gpt2
    constraint = OutlinesJSONSchema(Bear).build(context)
    budget = constraint.min_tokens(constraint.start()) + extra
    for seed in range(5):
        tokens, state = write(constraint, budget, seed)
        assert constraint.is_complete(state)
        assert isinstance(constraint.parse(context.vocabulary.text(tokens)), Bear)


@pytest.mark.parametrize("text", ['"🐢"', '"é🐢\\n"', '{"k": "日本"}'])
def test_every_tokenization_is_allowed(gpt2, text):
    tokenizer, context = gpt2
    schema = {"anyOf": [{"type": "string"}, {"properties": {"k": {"type": "string"}}, "required": ["k"]}]}
    constraint = OutlinesJSONSchema(schema).build(context)
    single = {piece: i for i, piece in enumerate(context.vocabulary.tokens) if piece and len(piece) == 1}
    for tokens in (tokenizer.encode(text), [single[bytes([byte])] for byte in text.encode()]):
        state = constraint.start()
        for token in tokens:
            assert token in allowed(constraint, state)
            state = constraint.advance(state, token)
        assert constraint.is_complete(state)


def test_half_a_character_is_never_followed_by_a_quote(gpt2):
    _, context = gpt2
    constraint, pieces = OutlinesJSONSchema({"type": "string"}).build(context), context.vocabulary.tokens
    quote = pieces.index(b'"')
    inside = constraint.advance(constraint.start(), quote)
    halves = [t for t in allowed(constraint, inside) if pieces[t].decode(errors="ignore").encode() != pieces[t]]
    assert len(halves) > 50
    assert {constraint.advance(constraint.advance(inside, token), quote) for token in halves} == {-1}


@pytest.mark.parametrize(
    "source",
    [
        {"type": "integer"},
        '{"type": "integer"}',
        int,
        TypeAdapter(int),
    ],
)
def test_a_schema_may_be_given_in_many_ways(context, source, tmp_path):
    (tmp_path / "schema.json").write_text('{"type": "integer"}')
    for given in (source, tmp_path / "schema.json", str(tmp_path / "schema.json")):
        for technique in (OutlinesJSONSchema(given), OutlinesJSONSchema(schema=given)):
            assert technique.build(context).parse("12") == 12


def test_a_class_gives_an_instance_and_is_written_as_its_schema(context):
    technique = OutlinesJSONSchema(Bear, whitespace="compact")
    text = '{"name":"Bo","kind":"polar","age":3,"tags":[],"den":{"place":"oak","depth_m":2.5}}'
    assert technique.build(context).parse(text).den == Den(place="oak", depth_m=2.5)
    plain = technique.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert plain == {"schema": Bear.model_json_schema(), "whitespace": "compact"}
    assert json.loads(json.dumps(plain)) == plain


@pytest.mark.parametrize(
    ("technique", "kind", "message"),
    [
        (OutlinesJSONSchema("{nonsense"), SchemaError, "outlines_json_schema: the schema is not JSON"),
        (OutlinesJSONSchema("no/such/file.json"), SchemaError, "is neither JSON nor a file"),
        (OutlinesJSONSchema({"type": {1}}), SchemaError, "the schema is not JSON"),
        (OutlinesJSONSchema(object()), SchemaError, "is not a schema"),
        (OutlinesJSONSchema({"not": {}}), UnsupportedSchemaError, "outlines_json_schema: 'not' at # is not supported"),
        (OutlinesJSONSchema(False), UnsatisfiableSchemaError, "outlines_json_schema: no text satisfies it"),
        (OutlinesRegex("a(?!b)"), SchemaError, "outlines_regex: .* look-around"),
        (OutlinesRegex("[^\\s\\S]"), UnsatisfiableSchemaError, "outlines_regex: no text satisfies it"),
    ],
)
def test_errors_say_what_and_where(context, technique, kind, message):
    with pytest.raises(kind, match=message):
        technique.build(context)


def test_a_vocabulary_that_cannot_write_it_is_an_error():
    with pytest.raises(
        UnsatisfiableSchemaError, match=r"outlines_choice: no text .* such as 'xyz', can be written in tokens"
    ):
        OutlinesChoice(["xyz"]).build(toy_context(vocabulary=Vocabulary((b"x", b"zz"))))


def test_a_contradiction_of_two_constraints_is_an_error(context):
    one, two = OutlinesRegex("a+").build(context), OutlinesChoice(["b", "c"]).build(context)
    with pytest.raises(UnsatisfiableSchemaError, match="outlines_regex and outlines_choice: no text satisfies it"):
        one.intersect(two)


def test_two_constraints_are_both_kept_and_parse_is_the_typed_one(context):
    joint = (
        OutlinesRegex(r"\{.{0,12}\}")
        .build(context)
        .intersect(OutlinesJSONSchema({"properties": {"a": {"type": "integer"}}}).build(context))
    )
    tokens, state = write(joint, joint.min_tokens(0) + 20, 1)
    assert joint.is_complete(state)
    assert len(tokens) <= 14
    assert joint.parse('{"a":1}') == {"a": 1}
    assert joint.intersect(create_autospec(CompiledConstraint, instance=True)) is None


def test_forced_tokens_stop_at_the_first_choice(context):
    constraint = OutlinesJSONSchema(
        {"properties": {"ab": {"enum": [1, 2]}}, "required": ["ab"]}, whitespace="compact"
    ).build(context)
    assert bytes(constraint.forced(0)) == b'{"ab":'
    assert constraint.forced(constraint.index.automaton.walk(0, b'{"ab":1}')) == []


def test_an_equal_schema_is_compiled_once(context):
    assert (
        OutlinesJSONSchema(Bear).build(context).index
        is OutlinesJSONSchema(Bear.model_json_schema()).build(context).index
    )


def test_the_cache_keeps_to_its_bytes():
    cache = BoundedCache(limit_bytes=100)
    made = [cache.get(i, lambda i=i: np.full(40, i, np.uint8)) for i in (1, 2, 1, 3)]
    assert [int(array[0]) for array in made] == [1, 2, 1, 3]
    assert (len(cache), cache.used_bytes) == (2, 80)
    cache.get("large", lambda: np.zeros(1000, np.uint8))
    assert cache.used_bytes <= 100
    cache.clear()
    assert len(cache) == 0


def test_distances_agree_with_a_walk_over_all_states(gpt2):
    _, context = gpt2
    index = OutlinesRegex(r'"([a-z ]{2,9}|é*)", [0-9]{1,12}(x|yy)').build(context).index
    steps = [compiled.walk(index.automaton, index.tries.forward, state)[1] for state in range(index.automaton.size)]
    wanted = np.where(index.automaton.final, 0, 10**6)
    for _ in range(40):
        wanted = np.minimum(wanted, [1 + min((wanted[t] for t in set(ts.tolist())), default=10**6) for ts in steps])
    assert distances(index.automaton, index.tries).tolist() == wanted.tolist()


def test_the_hook_offers_three_techniques():
    assert [technique.name for technique in decodekit_constraints()] == [
        "outlines_regex",
        "outlines_choice",
        "outlines_json_schema",
    ]
