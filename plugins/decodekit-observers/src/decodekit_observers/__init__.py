"""Observers for decodekit: a record of every step, and a progress bar."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import Observer
from decodekit_observers.progress import Progress
from decodekit_observers.record import Record
from decodekit_observers.recorder import Recorder


@hookimpl
def decodekit_observers() -> list[type[Observer]]:
    """Offer `record` and `progress`."""
    return [Record, Progress]


__all__ = ["Progress", "Record", "Recorder", "decodekit_observers"]
