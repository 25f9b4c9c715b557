"""The matrix of techniques: its axes, and a fixed covering design in which every three options of three axes meet."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from functools import lru_cache

Cell = dict[str, str]

AXES: dict[str, tuple[str, ...]] = {
    "search": ("greedy", "multinomial", "beam", "diverse beam", "stochastic beam", "beam sample"),
    "draft": ("no draft", "prompt lookup", "draft model", "forced tokens"),
    "constraint": ("free", "regex", "json"),
    "processor": ("stateless", "history", "stateful"),
    "batch": ("one row", "ragged batch", "n = 3", "different requests"),
    "cache": ("slots", "transformers' cache", "prefix", "transformers' cache handed in", "second turn"),
    # What may be added to all of these; empty where it is not.
    **{
        extra: ("", extra)
        for extra in (
            *("streaming", "stop string", "stop callable", "logprobs"),
            *("prompt logprobs", "guidance", "lora"),
        )
    },
}

SELECTORS = ("greedy", "multinomial")
GUESSES = ("prompt lookup", "draft model")
PREFIXES = ("prefix", "transformers' cache handed in", "second turn")


def refused(cell: Cell) -> bool:
    """Say whether a cell is refused at assembly: beams cannot follow a draft, which has one path."""
    return cell["search"] not in SELECTORS and cell["draft"] in GUESSES


def drafts(cell: Cell) -> bool:
    """Say whether a cell can have drafts.

    Nothing is forced in free text, and beams take no drafts where a stop could end one of them inside of its draft.
    """
    if cell["draft"] != "forced tokens":
        return cell["draft"] in GUESSES
    stops = cell["stop string"] or cell["stop callable"]
    return cell["constraint"] != "free" and (cell["search"] in SELECTORS or not stops)


def starts_from_a_prefix(cell: Cell) -> bool:
    """Say whether a cell hands in a prefix that is used: an adapter or `prompt_logprobs` reads the whole prompt."""
    return cell["cache"] in PREFIXES and not cell["prompt logprobs"] and not cell["lora"]


PLAIN = {axis: values[0] for axis, values in AXES.items()} | {"constraint": "regex"}
USED = {"draft": drafts, "cache": starts_from_a_prefix}


def uses(cell: Cell, options: Cell) -> bool:
    """Say whether a draft or prefix among some options of a cell is used in it; true where those options forbid it."""
    return all(used(cell) or not used(PLAIN | options) for axis, used in USED.items() if axis in options)


def full() -> Iterator[Cell]:
    """Give every cell that runs."""
    for values in itertools.product(*AXES.values()):
        cell = dict(zip(AXES, values, strict=True))
        if not refused(cell):
            yield cell


def size() -> int:
    """Count the cells that run."""
    starts = sum(not refused({"search": s, "draft": d}) for s in AXES["search"] for d in AXES["draft"])
    return starts * math.prod(len(values) for values in list(AXES.values())[2:])


@lru_cache
def design(strength: int = 3, seed: int = 0, candidates: int = 20) -> list[Cell]:
    """Give cells such that each `strength` options of different axes that may meet do meet in one that uses them.

    Greedy: of some random cells that hold a combination which is still missing, the one that holds most of them.
    """
    chance = random.Random(seed)
    missing = {
        combination
        for axes in itertools.combinations(AXES, strength)
        for values in itertools.product(*(AXES[axis] for axis in axes))
        if _may_meet(combination := tuple(zip(axes, values, strict=True)))
    }
    order = iter(sorted(missing))
    chosen: list[Cell] = []
    while missing:
        wanted = next(combination for combination in order if combination in missing)
        best = max(
            (_around(wanted, chance) for _ in range(candidates)), key=lambda c: len(_held(c, strength) & missing)
        )
        missing -= _held(best, strength)
        chosen.append(best)
    return chosen


def _may_meet(combination: tuple[tuple[str, str], ...]) -> bool:
    cell = dict(combination)
    return "search" not in cell or "draft" not in cell or not refused(cell)


def _around(combination: tuple[tuple[str, str], ...], chance: random.Random) -> Cell:
    while True:
        cell = {axis: chance.choice(values) for axis, values in AXES.items()} | dict(combination)
        if not refused(cell) and uses(cell, dict(combination)):
            return cell


def _held(cell: Cell, strength: int) -> set[tuple[tuple[str, str], ...]]:
    idle = {axis: cell[axis] for axis, used in USED.items() if not used(cell)}.items()
    held = itertools.combinations(cell.items(), strength)
    return {options for options in held if idle.isdisjoint(options) or uses(cell, dict(options))}


def name(cell: Cell) -> str:
    """Give a cell's name in reports."""
    return ", ".join(value for value in cell.values() if value)


def others(cell: Cell, count: int = 3) -> list[Cell]:
    """Give cells that differ from one in everything, for a batch of different requests; their cache is its own."""
    found: list[Cell] = []
    for shift in range(1, count + 1):
        other = {axis: values[(values.index(cell[axis]) + shift) % len(values)] for axis, values in AXES.items()}
        other |= {"cache": cell["cache"], "batch": "one row"}
        if refused(other):
            other["draft"] = "forced tokens"
        found.append(other)
    return found
