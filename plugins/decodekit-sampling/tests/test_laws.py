"""The laws of DESIGN.md for every technique of this distribution, at widths where laws narrow and where they do not."""

from __future__ import annotations

from typing import ClassVar

import pytest

from decodekit.testing import ProcessorLaws, SelectorLaws
from decodekit_sampling import (
    DRY,
    XTC,
    BadWords,
    Epsilon,
    Eta,
    FrequencyPenalty,
    LogitBias,
    MinNewTokens,
    MinP,
    Mirostat,
    MirostatV1,
    Multinomial,
    NoRepeatNGram,
    PresencePenalty,
    RepetitionPenalty,
    Suppress,
    Temperature,
    TopH,
    TopK,
    TopNSigma,
    TopP,
    Typical,
)

MAKERS = {
    "temperature": lambda: Temperature(0.7),
    "temperature_zero": lambda: Temperature(0.0),
    "temperature_cold": lambda: Temperature(1e-3),
    "top_k": lambda: TopK(3),
    "top_k_wide": lambda: TopK(70),
    "top_p": lambda: TopP(0.8),
    "top_p_wide": lambda: TopP(0.999),
    "min_p": lambda: MinP(0.05),
    "typical": lambda: Typical(0.6),
    "epsilon": lambda: Epsilon(0.01),
    "eta": lambda: Eta(0.05),
    "top_n_sigma": lambda: TopNSigma(1.0),
    "top_h": lambda: TopH(0.6, top_n=9),
    "xtc": lambda: XTC(0.5, 0.1),
    "mirostat": lambda: Mirostat(2.0),
    "mirostat_v1": lambda: MirostatV1(2.0, vocab_size=300),
    "repetition_penalty": lambda: RepetitionPenalty(1.3),
    "repetition_penalty_generated": lambda: RepetitionPenalty(1.3, include_prompt=False),
    "frequency_penalty": lambda: FrequencyPenalty(0.4),
    "presence_penalty": lambda: PresencePenalty(0.4),
    "presence_penalty_prompt": lambda: PresencePenalty(0.4, include_prompt=True),
    "dry": lambda: DRY(0.8, allowed_length=1, breaker_tokens=(3,)),
    "no_repeat_ngram": lambda: NoRepeatNGram(2),
    "logit_bias": lambda: LogitBias({1: 2.0, (2, 3): -1.0, 5: -30.0}),
    "bad_words": lambda: BadWords([4, (1, 2)]),
    "min_new_tokens": lambda: MinNewTokens(3),
    "suppress": lambda: Suppress([0, 7]),
}


class Laws(ProcessorLaws):
    vocab_sizes: ClassVar[tuple[int, ...]] = (12, 300)
    seeds: ClassVar[tuple[int, ...]] = (0,)


for _name, _make in MAKERS.items():
    _class = f"Test_{_name}"
    globals()[_class] = type(_class, (Laws,), {"make": staticmethod(_make), "__module__": __name__})

WIDE = (
    "temperature",
    "top_k",
    "top_k_wide",
    "top_p",
    "top_p_wide",
    "min_p",
    "typical",
    "epsilon",
    "eta",
    "top_n_sigma",
    "top_h",
)
for _name in (*WIDE, "xtc", "mirostat", "mirostat_v1"):
    _class = f"Test_wide_{_name}"
    _fields = {"make": staticmethod(MAKERS[_name]), "vocab_sizes": (4099,), "seeds": (2,), "__module__": __name__}
    globals()[_class] = type(_class, (Laws,), _fields)


class TestMultinomial(SelectorLaws):
    make = staticmethod(Multinomial)


def test_every_technique_has_its_laws_here():
    from decodekit.plugins import plugins

    offered = {o.name for o in plugins().techniques.values() if o.origin.plugin == "sampling"}
    assert offered == {make().name for make in MAKERS.values()} | {"multinomial"}


@pytest.mark.parametrize("name", MAKERS)
def test_equal_techniques_are_equal_values(name: str):
    assert MAKERS[name]() == MAKERS[name]()
    assert hash(MAKERS[name]()) == hash(MAKERS[name]())
