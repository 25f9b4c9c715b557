"""What parameters are refused, how flat names read, and what classes declare."""

from __future__ import annotations

from typing import Any

import pytest

from decodekit import RequestError
from decodekit.plugins import plugins
from decodekit.techniques import LogitsProcessor, Stage
from decodekit_sampling import (
    DRY,
    XTC,
    BadWords,
    Epsilon,
    Eta,
    LogitBias,
    MinNewTokens,
    MinP,
    Mirostat,
    MirostatV1,
    NoRepeatNGram,
    RepetitionPenalty,
    Suppress,
    Temperature,
    TopH,
    TopK,
    TopNSigma,
    TopP,
    Typical,
)

INF, NAN = float("inf"), float("nan")
WRONG: list[tuple[type[Any], tuple[Any, ...], str]] = [
    *[(Temperature, (x,), "greater than or equal to 0|finite|number") for x in (-0.1, INF, NAN, "hot")],
    *[(TopP, (x,), "greater than 0|less than or equal to 1") for x in (0.0, 1.1, -1)],
    *[(TopK, (x,), "greater than or equal to 0|whole number") for x in (-1, 2.5)],
    *[(MinP, (x,), "equal to 0|equal to 1") for x in (-0.1, 1.1)],
    *[(cls, (x,), "greater than 0|equal to 1") for cls in (Typical, TopH) for x in (0.0, 1.1)],
    *[(cls, (x,), "greater than 0|less than 1") for cls in (Epsilon, Eta) for x in (0.0, 1.0)],
    (TopNSigma, (-1,), "equal to 0"),
    *[(XTC, args, "equal to|greater than 0") for args in ((1.1, 0.1), (0.5, 0.0), (0.5, 0.6))],
    *[(cls, args, "equal to|greater than 0") for cls in (Mirostat, MirostatV1) for args in ((-1,), (5, 0), (5, 2))],
    *[(RepetitionPenalty, (x,), "greater than 0|finite") for x in (0, -1, INF)],
    *[(DRY, args, "equal to") for args in ((-1,), (1, 0.9), (1, 1.75, 0))],
    (NoRepeatNGram, (0,), "equal to 1"),
    (MinNewTokens, (-1,), "equal to 0"),
    (LogitBias, ({1: INF},), "must be finite"),
    (LogitBias, ({},), "is empty"),
    (BadWords, ([],), "is empty"),
    (Suppress, ([],), "is empty"),
]


@pytest.mark.parametrize(("technique", "args", "message"), WRONG)
def test_wrong_parameters_are_refused(technique: type[Any], args: tuple[Any, ...], message: str):
    with pytest.raises(RequestError, match=message):
        technique(*args)


@pytest.mark.parametrize("technique", [DRY, XTC, Mirostat, MirostatV1, TopNSigma])
def test_techniques_with_customary_values_need_no_arguments(technique: type[Any]):
    assert technique().name


def test_the_first_field_is_the_main_parameter():
    assert (TopP(0.9).p, TopK(40).k, Temperature(0.7).temperature, Mirostat(3).tau) == (0.9, 40, 0.7, 3)


def test_temperature_and_truncation_ask_for_a_random_selector():
    for offer in plugins().techniques.values():
        if offer.origin.plugin == "sampling" and issubclass(offer.item, LogitsProcessor):
            random = offer.item.stage in (Stage.TEMPERATURE, Stage.TRUNCATION)
            assert offer.item.default_selector == ("multinomial" if random else None), offer.name


def test_every_technique_says_where_it_comes_from():
    offers = [o for o in plugins().techniques.values() if o.origin.plugin == "sampling"]
    assert [o.name for o in offers if not o.item.source or not o.item.__doc__] == []
