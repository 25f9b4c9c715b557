"""Partial objects while streaming: in batches, samples, drafts, stops and checks; each is a beginning of the answer."""

from collections import defaultdict
from itertools import pairwise
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from decodekit import Decoder, Vocabulary
from decodekit.testing.toys import tiny_llama
from decodekit_json import JSONSchema


class Den(BaseModel):
    model_config = ConfigDict(extra="forbid")
    place: str = Field(max_length=6)
    depth: int = Field(ge=0, le=9999)


class Bear(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=8)
    tags: list[Literal["old", "shy"]] = Field(max_length=2)
    den: Den
    age: float = Field(ge=0, le=99)


@pytest.fixture(scope="module")
def decoder():
    return Decoder(tiny_llama(257, seed=3), Vocabulary.from_bytes(), max_rows=4)


def streamed(decoder, *args, **options):
    found = defaultdict(list)
    for piece in decoder.stream(*args, **options):
        found[piece.request, piece.sample].append(piece)
    return found


def begins(part, whole):
    """Say whether `part` is `whole` without what comes later."""
    if isinstance(part, dict):
        return list(whole)[: len(part)] == list(part) and all(begins(part[key], whole[key]) for key in part)
    if isinstance(part, list):
        return len(part) <= len(whole) and all(map(begins, part, whole))
    return part == whole


def check(pieces):
    """Check that pieces grow to the answer; give the answer."""
    whole = pieces[-1].completion.parsed.model_dump(mode="json")
    for piece, after in pairwise(pieces):
        assert piece.completion is None
        assert piece.partial is None or begins(piece.partial, after.partial)
    assert pieces[-1].partial == whole
    assert "".join(piece.text for piece in pieces) == pieces[-1].completion.text
    return whole


OPTIONS = {"json_schema": Bear, "temperature": 1.0, "seed": 5, "max_new_tokens": 160}


def test_fields_come_as_they_complete(decoder):
    pieces = streamed(decoder, "a bear: ", **OPTIONS)[0, 0]
    whole = check(pieces)
    fields = [tuple(piece.partial) for piece in pieces if piece.partial is not None]
    assert list(dict.fromkeys(fields)) == [tuple(whole)[:size] for size in range(len(whole) + 1)]
    assert pieces[-1].completion.parsed == decoder.generate("a bear: ", **OPTIONS).parsed


@pytest.mark.parametrize(
    "extra",
    [{"n": 3}, {"forced_tokens": True}, {"prompt_lookup": 4}, {"n": 6, "forced_tokens": True}, {"multinomial": True}],
    ids=str,
)
def test_batches_samples_and_drafts_give_the_same_answers(decoder, extra):
    prompts = ["a bear: ", {"prompt": "no bear", "json_schema": {"schema": Den}}, "x"]
    found = streamed(decoder, prompts, **OPTIONS, **extra)
    results = decoder.generate(prompts, **OPTIONS, **extra)
    assert len(found) == sum(len(result.samples) for result in results)
    for (request, sample), pieces in found.items():
        assert check(pieces) == results[request].samples[sample].parsed.model_dump(mode="json")


def test_a_search_gives_the_whole_object_in_the_end(decoder):
    pieces = streamed(decoder, "a", json_schema=Den, beam_search=2, max_new_tokens=60)[0, 0]
    assert len(pieces) == 1
    check(pieces)


def test_strings_grow_where_asked_for(decoder):
    options = {**OPTIONS, "json_schema": JSONSchema(Bear, partial_strings=True)}
    pieces = streamed(decoder, "a bear: ", JSONSchema(Bear, partial_strings=True), temperature=1.0, seed=5)[0, 0]
    names = [piece.partial["name"] for piece in pieces if piece.partial]
    assert all(after.startswith(before) for before, after in pairwise(names))
    assert len(set(names)) > 1
    assert decoder.generate("a bear: ", **{**options, "json_schema": Bear}).parsed.name == names[-1]


def test_a_number_is_complete_when_the_document_is(decoder):
    pieces = streamed(decoder, "a", json_schema={"type": "integer", "minimum": 100, "maximum": 999}, max_new_tokens=9)
    assert [piece.partial for piece in pieces[0, 0]][:-1] == [None] * (len(pieces[0, 0]) - 1)
    last = pieces[0, 0][-1]
    assert last.partial == last.completion.parsed
    assert 100 <= last.partial <= 999


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ('b","cx', [[]] * 3 + [["a"]] * 8 + [["a", "b"]] + [["a", "b", "cc"]] * 2),
        ('b","cc', [[]] * 3 + [["a"]] * 9),
    ],
)
def test_what_may_be_a_stop_string_is_held_back_from_the_object_too(decoder, stop, expected):
    schema = {"schema": {"enum": [["a", "b", "cc"]]}, "whitespace": "compact"}
    pieces = streamed(decoder, "a", json_schema=schema, max_new_tokens=20, stop=[stop])[0, 0]
    assert [piece.partial for piece in pieces] == expected
    assert (pieces[-1].completion.parsed is None) == (stop == 'b","cc')


def test_a_check_that_fails_is_told_with_the_last_piece(decoder):
    schema = {"enum": [["ab"], ["aa"]], "items": {"pattern": r"^(.)\1$"}}
    options = {"json_schema": {"schema": schema, "unsupported": "check"}, "max_new_tokens": 20, "temperature": 1.0}
    outcomes = {}
    for seed in range(8):
        last = streamed(decoder, "a", **options, seed=seed)[0, 0][-1]
        outcomes[last.partial[0]] = last.completion.parsed, last.completion.parse_error is not None
    assert outcomes == {"aa": (["aa"], False), "ab": (None, True)}


def test_texts_that_are_no_json_have_no_partial_value(decoder):
    for options in ({"regex": "[0-9]{3}"}, {"choice": ["yes", "no"]}, {}):
        pieces = streamed(decoder, "a", **options, max_new_tokens=4)[0, 0]
        assert all(piece.partial is None for piece in pieces)
        assert pieces[-1].completion.finish_reason == pieces[-1].finish_reason
