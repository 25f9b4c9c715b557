"""What a technique object does not take is told in our own words, whichever plugin it is of."""

import pytest

from decodekit import PromptError, Request, RequestError
from decodekit.plugins import plugins

TECHNIQUES = sorted(plugins().techniques)


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_field_that_there_is_not_is_named_with_the_nearest(name):
    kind = plugins().techniques[name].item
    field, *_ = [info.alias or field for field, info in kind.model_fields.items()] or [""]
    with pytest.raises(RequestError, match=f"^{name}: there is no field '{field}x'") as refused:
        kind(**{f"{field}x": 1})
    assert "pydantic" not in str(refused.value)
    assert not field or f"did you mean '{field}' for '{field}x'? its fields are " in refused.value.hint


def test_a_value_that_does_not_fit_is_told_with_an_example():
    choice = plugins().techniques["choice"].item
    with pytest.raises(RequestError, match=r"^choice: choices: \[\] is empty") as refused:
        choice([])
    assert refused.value.hint == f"for example {choice.usage}"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("prompt_lookup", {"min_ngram": 5, "max_ngram": 2}),
        ("diverse_beam", {"width": 5, "groups": 2}),
        ("self_consistency", {"pattern": "a", "field": "b"}),
    ],
)
def test_what_is_wrong_with_fields_together_is_told_without_a_field(name, fields):
    with pytest.raises(RequestError, match=rf"^{name}: (?!value)[\w ]+.* \(got {{'{next(iter(fields))}': .*}}\)"):
        plugins().techniques[name].item(**fields)


def test_what_is_no_number_is_not_compared_with_a_bound():
    with pytest.raises(RequestError, match=r"^beam_search: length_penalty: nan is not a finite number"):
        plugins().techniques["beam_search"].item(2, length_penalty=float("nan"))


def test_a_request_says_it_as_techniques_do():
    with pytest.raises(RequestError, match=r"^request: there is no field 'max_new_token'") as refused:
        Request(prompt="a", max_new_token=1)
    assert "did you mean 'max_new_tokens'" in refused.value.hint
    with pytest.raises(RequestError, match=r"^request: n: 0 is not greater than or equal to 1"):
        Request(prompt="a", n=0)


def test_fields_are_given_in_order_or_by_name_and_once():
    top_p = plugins().techniques["top_p"].item
    assert Request("a", [top_p(0.9)]) == Request(prompt="a", techniques=(top_p(p=0.9),))
    assert Request([1, 2]).prompt == (1, 2)
    with pytest.raises(RequestError, match=r"^request: prompt given in order and by name as well"):
        Request("a", prompt="b")
    schema = plugins().techniques["json_schema"].item
    with pytest.raises(RequestError, match=r"^json_schema: schema given in order and by name as well"):
        schema({}, schema_={})
    with pytest.raises(RequestError, match=r"^top_p: 2 values, and there are 1 fields") as refused:
        top_p(0.9, 1)
    assert refused.value.hint == "its fields are p"


def test_a_request_takes_the_prompts_that_a_decoder_takes():
    with pytest.raises(PromptError, match=r"^a prompt is text, got bytes") as refused:
        Request(b"a")
    assert refused.value.hint == "decode it first"
    with pytest.raises(RequestError, match=r"^'top_p' is not a technique") as refused:
        Request("a", ["top_p"])
    assert refused.value.hint


def test_a_request_says_how_techniques_are_given_to_it():
    with pytest.raises(
        RequestError, match=r"^request: 'top_p' is a technique, which a Request takes as an object"
    ) as no:
        Request("a", top_p=0.9)
    assert "decoder.request(prompt, top_p=…)" in no.value.hint
