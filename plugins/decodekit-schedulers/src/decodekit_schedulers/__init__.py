"""Schedulers for decodekit: which waiting requests join next."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import Scheduler
from decodekit_schedulers.fair import Fair
from decodekit_schedulers.shortest_first import ShortestFirst


@hookimpl
def decodekit_schedulers() -> list[type[Scheduler]]:
    """Offer `shortest_first` and `fair`."""
    return [ShortestFirst, Fair]


__all__ = ["Fair", "ShortestFirst", "decodekit_schedulers"]
