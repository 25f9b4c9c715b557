"""The model side of the loop: one memory of rows over any causal language model.

`SlotMemory` is the fast path; the other memories are what a model falls back to when the check at wrap time
(`decodekit.memory.check`) shows that it would be wrong. The loop never knows which one it has.
"""

from __future__ import annotations

from decodekit.memory.base import ForwardOutput, Memory

__all__ = ["ForwardOutput", "Memory"]
