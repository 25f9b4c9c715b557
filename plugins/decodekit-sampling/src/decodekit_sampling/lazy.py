"""A law that is divided by its temperature only where somebody looks.

Division by a positive number keeps the order, also after rounding. So the k likeliest tokens of the divided law are
found in the undivided one, and a chain of temperature and truncation never copies 131k numbers. Whoever reads `logits`
gets what an ordinary law would have. *Not* a state: once made, the values never change.
"""

from __future__ import annotations

from decodekit.law import Law
from decodekit.types import Float, Tensor


class Divided(Law):
    """Full-width logits divided by a column of positive numbers.

    Args:
        base: The undivided logits, shape [position, vocab].
        divisor: Shape [position, 1] or [1, 1], of the same dtype.
    """

    __slots__ = ("_made", "base", "divisor")

    base: Float[Tensor, "position vocab"]
    divisor: Float[Tensor, "position 1"]
    _made: Float[Tensor, "position vocab"] | None

    def __init__(self, base: Float[Tensor, "position vocab"], divisor: Float[Tensor, "position 1"]) -> None:
        # The parent is frozen and would set `logits`, which is a property here.
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "divisor", divisor)
        object.__setattr__(self, "ids", None)
        object.__setattr__(self, "_made", None)

    @property
    def logits(  # pyright: ignore[reportIncompatibleVariableOverride]
        self,
    ) -> Float[Tensor, "position vocab"]:
        """The divided logits, made on first use."""
        if self._made is None:
            object.__setattr__(self, "_made", self.base / self.divisor)
        assert self._made is not None
        return self._made

    def __reduce__(self) -> tuple[type[Law], tuple[Tensor]]:
        """Copy and pickle as the ordinary law it stands for."""
        return Law, (self.logits,)
