"""Names for the shapes that travel through the loop.

Axes are called row, position, candidate, vocab, word, query, hidden.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, Int8, Int64
from torch import Tensor

__all__ = ["Bool", "Float", "Int", "Int8", "Int64", "PackedMask", "State", "Tensor", "TokenIds"]

State: TypeAlias = Any
"""What a plugin remembers about one row: an immutable value.

A fork copies the reference, a rollback is the value from before.
"""

TokenIds: TypeAlias = list[int]

PackedMask: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.int32]]"
"""Allowed tokens as bits, shape [ceil(vocab / 32)]: token t is bit t % 32 of word t // 32."""
