"""Sampling for decodekit: the multinomial selector, temperature, truncation, penalties, biases and bans."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import LogitsProcessor, TokenSelector
from decodekit_sampling.biases import BadWords, LogitBias, Suppress
from decodekit_sampling.cutoffs import Epsilon, Eta
from decodekit_sampling.dry import DRY
from decodekit_sampling.min_new_tokens import MinNewTokens
from decodekit_sampling.min_p import MinP
from decodekit_sampling.mirostat import Mirostat, MirostatV1
from decodekit_sampling.multinomial import Multinomial
from decodekit_sampling.no_repeat_ngram import NoRepeatNGram
from decodekit_sampling.penalties import FrequencyPenalty, PresencePenalty, RepetitionPenalty
from decodekit_sampling.temperature import Temperature
from decodekit_sampling.top_h import TopH
from decodekit_sampling.top_k import TopK
from decodekit_sampling.top_n_sigma import TopNSigma
from decodekit_sampling.top_p import TopP
from decodekit_sampling.typical import Typical
from decodekit_sampling.xtc import XTC

__all__ = [
    "DRY",
    "XTC",
    "BadWords",
    "Epsilon",
    "Eta",
    "FrequencyPenalty",
    "LogitBias",
    "MinNewTokens",
    "MinP",
    "Mirostat",
    "MirostatV1",
    "Multinomial",
    "NoRepeatNGram",
    "PresencePenalty",
    "RepetitionPenalty",
    "Suppress",
    "Temperature",
    "TopH",
    "TopK",
    "TopNSigma",
    "TopP",
    "Typical",
]


@hookimpl
def decodekit_token_selectors() -> list[type[TokenSelector]]:
    return [Multinomial]


@hookimpl
def decodekit_logits_processors() -> list[type[LogitsProcessor]]:
    return [
        LogitBias,
        RepetitionPenalty,
        FrequencyPenalty,
        PresencePenalty,
        DRY,
        NoRepeatNGram,
        BadWords,
        MinNewTokens,
        Suppress,
        Temperature,
        TopK,
        TopP,
        MinP,
        Typical,
        Epsilon,
        Eta,
        TopNSigma,
        TopH,
        XTC,
        Mirostat,
        MirostatV1,
    ]
