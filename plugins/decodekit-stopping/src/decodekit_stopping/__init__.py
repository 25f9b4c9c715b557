"""Stop conditions for decodekit: a regular expression, repetition, sentences, lines."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import StopCondition
from decodekit_stopping.counts import MaxLines, MaxSentences
from decodekit_stopping.regex import StopRegex
from decodekit_stopping.repetition import StopRepetition


@hookimpl
def decodekit_stopping() -> list[type[StopCondition]]:
    """Offer `stop_regex`, `stop_repetition`, `max_sentences` and `max_lines`."""
    return [StopRegex, StopRepetition, MaxSentences, MaxLines]


__all__ = ["MaxLines", "MaxSentences", "StopRegex", "StopRepetition", "decodekit_stopping"]
