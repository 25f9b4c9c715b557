"""Beams: the likeliest texts, diverse ones, and beams drawn at random. Plugin `beam`."""

from __future__ import annotations

from decodekit import Search, hookimpl
from decodekit_beam.beam_sample import BeamSample
from decodekit_beam.beam_search import BeamSearch
from decodekit_beam.diverse_beam import DiverseBeam
from decodekit_beam.score import Score
from decodekit_beam.stochastic_beam import StochasticBeam

__all__ = ["BeamSample", "BeamSearch", "DiverseBeam", "Score", "StochasticBeam"]


@hookimpl
def decodekit_searches() -> list[type[Search]]:
    return [BeamSearch, DiverseBeam, StochasticBeam, BeamSample]
