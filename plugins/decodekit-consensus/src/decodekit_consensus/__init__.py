"""Consensus for decodekit: a vote among the samples of a request, or the best of them."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import Aggregator
from decodekit_consensus.answers import NoAnswerError
from decodekit_consensus.best_of import BestOf
from decodekit_consensus.self_consistency import SelfConsistency


@hookimpl
def decodekit_aggregators() -> list[type[Aggregator]]:
    """Offer `self_consistency` and `best_of`."""
    return [SelfConsistency, BestOf]


__all__ = ["BestOf", "NoAnswerError", "SelfConsistency", "decodekit_aggregators"]
