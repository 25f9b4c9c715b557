"""What a technique object does not take is told in our own words, whichever plugin it is of."""

import pytest

from decodekit import Request, RequestError
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


def test_a_request_says_it_as_techniques_do():
    with pytest.raises(RequestError, match=r"^request: there is no field 'max_new_token'") as refused:
        Request(prompt="a", max_new_token=1)
    assert "did you mean 'max_new_tokens'" in refused.value.hint
    with pytest.raises(RequestError, match=r"^request: n: 0 is not greater than or equal to 1"):
        Request(prompt="a", n=0)
