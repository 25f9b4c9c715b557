import copy
import json
import pickle
import random
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from pydantic import BaseModel, Field

from decodekit.errors import SchemaError, UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit.testing import toy_context
from decodekit.vocabulary import Vocabulary
from decodekit_llguidance import (
    LLGuidanceGrammar,
    LLGuidanceJSONSchema,
    LLGuidanceRegex,
    decodekit_constraints,
    matchers,
)
from decodekit_llguidance.compiled import FAR
from decodekit_llguidance.prefix import Prefix, of

README = Path(__file__).parents[1] / "README.md"
PAIRS = (b'"', b"{", b"}", b":", b",", b"[", b"]", b'{"', b'":', b'"}', b'","', b"}}", b"\\", b"\\u", b"00", b"e9")
WIDE = Vocabulary((*(bytes([b]) for b in range(256)), *PAIRS, *(b"%03d" % n for n in range(400)), None), (672,))


class Bear(BaseModel):
    name: str
    age: int = Field(ge=0, le=60)
    tags: list[str] = Field(default_factory=list, max_length=2)


@pytest.fixture(scope="module")
def context():
    return toy_context(vocabulary=Vocabulary.from_bytes(), max_new_tokens=64)


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


@pytest.mark.parametrize("extra", [0, 7, 60])
@pytest.mark.parametrize("words", [Vocabulary.from_bytes(), WIDE], ids=["bytes", "wide"])
def test_documents_end_within_their_budget(words, extra):
    constraint = LLGuidanceJSONSchema(Bear).build(toy_context(vocabulary=words))
    budget = constraint.min_tokens(constraint.start()) + extra
    for seed in range(1):
        tokens, state = write(constraint, budget, seed)
        assert constraint.is_complete(state)
        assert isinstance(constraint.parse(words.text(tokens)), Bear)


def test_every_tokenization_is_allowed():
    constraint = LLGuidanceJSONSchema({"const": {"a": "é"}}, whitespace="compact").build(toy_context(vocabulary=WIDE))
    text = '{"a":"é"}'.encode()
    first = {WIDE.tokens[token] for token in allowed(constraint, constraint.start())}
    assert first == {b"{", b'{"'}
    state = constraint.start()
    for byte in text:
        assert byte in allowed(constraint, state)
        state = constraint.advance(state, byte)
    assert constraint.is_complete(state)


def test_masks_do_not_depend_on_what_is_still_kept(context, monkeypatch):
    texts = [b'{"a":[1,2]}', b'{"a":[]}', b'{"a":[12,34,56,78]}']
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}}
    constraint = LLGuidanceJSONSchema(schema).build(context)
    places = [of(text[:end]) for text in texts for end in range(len(text) + 1)]
    wanted = [constraint.mask(place, 10_000).tolist() for place in places]
    monkeypatch.setattr(matchers, "_KEPT_MATCHERS", 1)
    constraint.grammar.matchers._views_limit = 1
    constraint.grammar.matchers._views.clear()
    constraint.grammar.matchers._kept.clear()
    random.Random(0).shuffle(order := list(range(len(places))))
    assert [constraint.mask(places[i], 10_000).tolist() for i in order] == [wanted[i] for i in order]
    assert len(constraint.grammar.matchers._kept) == 1


def test_a_prefix_is_a_value():
    one, other = of([1, 2, 3]), of([1, 2, 3])
    assert (one, hash(one)) == (other, hash(other))
    assert one != of([1, 2, 4])
    assert one != of([1, 2])
    assert one.tokens() == (1, 2, 3)
    assert copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(AttributeError, match="is a value"):
        one.token = 4
    long = Prefix()
    for token in range(20_000):
        long = Prefix(long, token)
    assert copy.deepcopy(long) == long


@pytest.mark.parametrize(
    ("technique", "kind", "message", "keyword"),
    [
        (
            LLGuidanceJSONSchema({"not": {}}),
            UnsupportedSchemaError,
            r'refuses it: Unimplemented keys: \["not"\]',
            "not",
        ),
        (LLGuidanceJSONSchema({"type": "string", "format": "iri"}), UnsupportedSchemaError, "format: iri", "format"),
        (
            LLGuidanceJSONSchema({"oneOf": [{"type": "integer"}, {"type": "number"}]}),
            UnsupportedSchemaError,
            "oneOf constraints are not supported",
            "oneOf",
        ),
        (LLGuidanceJSONSchema(False), UnsatisfiableSchemaError, "llguidance_json_schema: no text satisfies it", None),
        (LLGuidanceJSONSchema("{nonsense"), SchemaError, "the schema is not JSON", None),
        (LLGuidanceJSONSchema("no/such/file.json"), SchemaError, "is neither JSON nor a file", None),
        (LLGuidanceJSONSchema({"type": {1}}), SchemaError, "llguidance_json_schema: ", None),
        (LLGuidanceJSONSchema(object()), SchemaError, "is not a schema", None),
        (LLGuidanceRegex("a(?=b)"), UnsupportedSchemaError, "llguidance_regex: llguidance refuses it", ""),
        (LLGuidanceGrammar("start: foo"), UnsupportedSchemaError, 'unknown name: "foo"', ""),
    ],
)
def test_errors_say_what_and_where(context, technique, kind, message, keyword):
    with pytest.raises(kind, match=message) as caught:
        technique.build(context)
    assert (getattr(caught.value, "keyword", None) or None) == (keyword or None)


def test_a_request_without_vocabulary_is_refused():
    context = toy_context()
    object.__setattr__(context, "vocabulary", None)
    with pytest.raises(SchemaError, match="needs to know the tokens' bytes"):
        LLGuidanceRegex("a").build(context)


def test_what_no_token_can_write_needs_more_tokens_than_any_request_has():
    constraint = LLGuidanceRegex("xyz").build(toy_context(vocabulary=Vocabulary((b"x", b"zz"))))
    assert constraint.min_tokens(constraint.start()) >= FAR


def test_a_grammar_may_not_bring_forcing_back(context):
    constraint = LLGuidanceGrammar('%llguidance {"no_forcing": false}\nstart: "ab"').build(context)
    assert bytes(constraint.forced(constraint.start())) == b"ab"


@pytest.mark.parametrize("given", [{"type": "integer"}, '{"type": "integer"}', int])
def test_a_schema_may_be_given_in_many_ways(context, given, tmp_path):
    (tmp_path / "schema.json").write_text('{"type": "integer"}')
    for one in (given, tmp_path / "schema.json"):
        technique = LLGuidanceJSONSchema(one)
        assert technique.build(context).parse("12") == 12
        assert json.loads(json.dumps(technique.model_dump(mode="json", by_alias=True)))["schema"]


def test_true_is_any_json(context):
    constraint = LLGuidanceJSONSchema(True).build(context)
    state = constraint.start()
    for byte in b'[{"a":null}]':
        assert byte in allowed(constraint, state)
        state = constraint.advance(state, byte)
    assert constraint.is_complete(state)


def test_an_equal_schema_is_compiled_once(context):
    schema = {"type": "integer"}
    assert (
        LLGuidanceJSONSchema(schema).build(context).grammar is LLGuidanceJSONSchema(dict(schema)).build(context).grammar
    )


def test_random_texts_are_valid(context):
    schema = Bear.model_json_schema()
    constraint = LLGuidanceJSONSchema(schema).build(context)
    for seed in range(2):
        tokens, state = write(constraint, 60, seed)
        assert constraint.is_complete(state)
        jsonschema.validate(json.loads(bytes(tokens)), schema)


def test_the_readmes_example_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, printed = re.findall(r"```(?:python|text)\n(.*?)```", README.read_text(), re.DOTALL)
    exec(compile(code, "README.md", "exec", dont_inherit=True), {})
    assert capsys.readouterr().out == printed


def test_the_hook_offers_three_techniques():
    names = [technique.name for technique in decodekit_constraints()]
    assert names == ["llguidance_json_schema", "llguidance_regex", "llguidance_grammar"]
