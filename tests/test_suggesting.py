"""Names that nobody offers: what other libraries call it, whose field it is, what it is part of or near to."""

import pytest

from decodekit.catalogue import FIRST_PARTY
from decodekit.errors import UnknownTechniqueError
from decodekit.plugins import Plugins, plugins
from decodekit.request import OPTION_NAMES
from decodekit.suggesting import ELSEWHERE


def hint(name, registry=None):
    with pytest.raises(UnknownTechniqueError) as refused:
        (registry or plugins()).technique(name)
    return refused.value.hint


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("beam", "did you mean 'beam_search', 'beam_sample' or 'diverse_beam'?"),
        ("topk", "did you mean 'top_k'?"),
        ("TopP", "did you mean 'top_p'?"),
        ("temp", "did you mean 'temperature'?"),
        ("temprature", "did you mean 'temperature'?"),
        ("schema", "did you mean 'json_schema', 'schema_in_words' or 'outlines_json_schema'?"),
        ("jsonschema", "did you mean 'json_schema'?"),
        ("grammer", "did you mean 'grammar'?"),
        ("choices", "did you mean 'choice' or 'outlines_choice'?"),
        ("num_beams", "here, what other libraries call num_beams is beam_search"),
        ("max_tokens", "here, what other libraries call max_tokens is max_new_tokens"),
        (
            "length_penalty",
            "'length_penalty' is a field of 'beam_search', 'diverse_beam' or 'beam_sample'; several fields",
        ),
        ("system", "`decodekit plugins` lists what is installed"),
    ],
)
def test_a_name_is_told_what_it_was_meant_as(name, told):
    assert hint(name).startswith(told)


def test_what_is_not_installed_is_told_with_its_plugin():
    assert (
        hint("num_beams", Plugins())
        == "here, what other libraries call num_beams is beam_search (pip install decodekit-beam)"
    )
    assert hint("typicl", Plugins()) == "did you mean 'typical'? (pip install decodekit-sampling)"


def test_names_of_elsewhere_are_not_ours_and_lead_to_ours():
    ours = {*FIRST_PARTY, *OPTION_NAMES}
    assert not ours & ELSEWHERE.keys()
    assert {name for name in ELSEWHERE.values() if name.isidentifier()} <= ours
