"""Comparing values deeply, and noticing when a value that must not change has changed.

*Not* an equality for production code: it looks into tensors, arrays, containers and plain objects, slowly.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import torch

from decodekit.law import Law
from decodekit.positions import Positions

POSITION_ARRAYS = ("history_array", "lengths_array", "prompt_lengths_array", "seeds", "samples")


def same(left: Any, right: Any, tolerance: float = 0.0) -> bool:
    """Say whether two values are equal, numbers up to a relative and absolute tolerance, NaN equal to NaN."""
    if left is right:
        return True
    if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
        return left.dtype == right.dtype and left.shape == right.shape and _close(left, right, tolerance)
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        if left.dtype != right.dtype or left.shape != right.shape:
            return False
        if left.dtype.kind not in "fc":
            return bool((left == right).all())
        return bool(np.isclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True).all())
    if type(left) is not type(right):
        return bool(_plain_equal(left, right))
    if isinstance(left, float):
        return math.isclose(left, right, rel_tol=tolerance, abs_tol=tolerance) or (
            math.isnan(left) and math.isnan(right)
        )
    if isinstance(left, Mapping):
        return list(left) == list(right) and all(same(left[key], right[key], tolerance) for key in left)
    if isinstance(left, Sequence) and not isinstance(left, str | bytes):
        return len(left) == len(right) and all(same(a, b, tolerance) for a, b in zip(left, right, strict=True))
    if isinstance(left, Set):
        return left == right
    if type(left).__eq__ is not object.__eq__ and not dataclasses.is_dataclass(left):
        return bool(left == right)
    names = attribute_names(left)
    return bool(names) and all(same(getattr(left, n, None), getattr(right, n, None), tolerance) for n in names)


def _close(left: torch.Tensor, right: torch.Tensor, tolerance: float) -> bool:
    if not left.is_floating_point():
        return bool(torch.equal(left, right))
    return bool(torch.isclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True).all())


def _plain_equal(left: Any, right: Any) -> bool:
    return isinstance(left, int | float) and isinstance(right, int | float) and left == right


def attribute_names(value: Any) -> list[str]:
    """List the instance attributes of an object, slots included."""
    slots = [name for cls in type(value).__mro__ for name in _slots(cls) if hasattr(value, name)]
    return [*slots, *getattr(value, "__dict__", {})]


def _slots(cls: type) -> Sequence[str]:
    slots = cls.__dict__.get("__slots__", ())
    return [slots] if isinstance(slots, str) else list(slots)


class Snapshot:
    """A deep copy of named values, to be compared with what they are later.

    Args:
        values: The values to watch; a `Law` or `Positions` is watched with all its arrays and states.
    """

    def __init__(self, **values: Any) -> None:
        self._values = {name: _parts(value) for name, value in values.items()}
        self._before = copy.deepcopy(self._values)

    def changed(self) -> list[str]:
        """Name what is no longer what it was."""
        return [
            f"{name}{part}"
            for name, parts in self._values.items()
            for part, value in parts.items()
            if not same(value, self._before[name][part])
        ]


def _parts(value: Any) -> dict[str, Any]:
    if isinstance(value, Law):
        return {".logits": value.logits, ".ids": value.ids}
    if isinstance(value, Positions):
        return {f".{name}": getattr(value, name) for name in (*POSITION_ARRAYS, "states")}
    return {"": value}


def random_generators() -> tuple[Any, ...]:
    """Give the states of the global random generators, which no piece may touch."""
    import random

    return torch.get_rng_state(), tuple(map(str, np.random.get_state(legacy=True))), random.getstate()
