"""Keys and values as small whole numbers: slots of codes beside slots of scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field

from decodekit.cache import LayerCache, Placement, SlotLayer
from decodekit.techniques import BuildContext, KVCache
from decodekit.types import Float, Int8, Tensor


class QuantizedCache(KVCache, name="quantized_cache", exact=False, source="KIVI, arXiv:2402.02750, per token"):
    """Keep keys and values in 8 or 4 bits: a quarter or an eighth of what float32 takes, plus the scales.

    Each group of numbers of one token and head is kept as `round(x / scale)`, where the scale is max|x| / 127 or / 7,
    so no number is off by more than half a scale, before it is read in the model's dtype. Rounding sees one token at a
    time (KIVI rounds keys over groups of tokens), and attention never sees a number that is not rounded, those of a new
    prompt included. So a row writes the text of a model with such keys and values, whatever batch, draft, beam or
    prefix its tokens came in by.

    *Cost:* each step reads the whole cache back into the model's dtype, a layer at a time: memory for time.
    *Approximate*: `Decoder.describe()["notes"]` says how far logits are off for the model at hand.

    Args:
        bits: 8 or 4.
        group: Numbers that share a scale, along a head's dim; fewer are more precise and take more memory.
    """

    bits: Literal[4, 8] = 8
    group: int = Field(default=64, ge=2, le=4096)

    def build(self, context: BuildContext | None = None) -> QuantizedSlots:
        return QuantizedSlots(self.bits, self.group)


class QuantizedSlots:
    """The backend: a `QuantizedLayer` per attention layer."""

    exact = False

    def __init__(self, bits: int, group: int) -> None:
        self.bits, self.group = bits, group

    def __call__(self, layer: int) -> LayerCache:
        return QuantizedLayer(self.bits, self.group)


class QuantizedLayer(LayerCache):
    """Two slot layers, one of codes and one of scales, that are always asked together."""

    exact = False

    def __init__(self, bits: int, group: int) -> None:
        self.bits, self.group = bits, group
        self.codes, self.scales = SlotLayer(), SlotLayer()
        self._dims = (0, 0)
        self._dtype = torch.float32

    def reserve(self, slots: int, length: int) -> None:
        for store in (self.codes, self.scales):
            store.reserve(slots, length)

    def write(self, keys: Tensor, values: Tensor, place: Placement) -> None:
        self._dims, self._dtype = (keys.shape[-1], values.shape[-1]), keys.dtype
        (key_codes, key_scales), (value_codes, value_scales) = (
            quantize(part, self.bits, self.group) for part in (keys, values)
        )
        self.codes.write(key_codes, value_codes, place)
        self.scales.write(key_scales, value_scales, place)

    def read(self, place: Placement) -> tuple[Tensor, Tensor]:
        keys, values = (
            dequantize(codes, scales, self.bits, dim).to(self._dtype)
            for codes, scales, dim in zip(self.codes.read(place), self.scales.read(place), self._dims, strict=True)
        )
        return keys, values

    def update(self, keys: Tensor, values: Tensor, place: Placement) -> tuple[Tensor, Tensor]:
        # A fresh prompt is read back too: its text must not depend on whether the prompt came at once or in pieces.
        self.write(keys, values, place)
        return self.read(place)

    def copy(self, sources: Sequence[int], targets: Sequence[int], length: int) -> None:
        for store in (self.codes, self.scales):
            store.copy(sources, targets, length)

    def bytes(self) -> int:
        return self.codes.bytes() + self.scales.bytes()


def quantize(
    numbers: Float[Tensor, "*any dim"], bits: int, group: int
) -> tuple[Int8[Tensor, "*any code"], Float[Tensor, "*any group"]]:
    """Round the numbers of each group to whole multiples of its scale.

    Returns:
        Codes, two to a byte for 4 bits, and the scales, in at least float32. A group with a number that is not finite
        has a scale that is not, so that it is not read back as if nothing were wrong.
    """
    numbers = numbers.to(torch.promote_types(numbers.dtype, torch.float32))
    group = min(group, numbers.shape[-1])
    # Whole groups, and whole bytes.
    missing = -numbers.shape[-1] % (group if group % 2 == 0 or bits == 8 else 2 * group)
    groups = torch.nn.functional.pad(numbers, (0, missing)).unflatten(-1, (-1, group))
    most = 2 ** (bits - 1) - 1
    scales = groups.abs().amax(-1) / most
    steps = scales.clamp_min(torch.finfo(scales.dtype).tiny)[..., None]
    codes = (groups / steps).round_().clamp_(-most, most).to(torch.int8).flatten(-2)
    if bits == 4:
        low, high = codes[..., ::2], codes[..., 1::2]
        codes = (low & 15) | (high << 4)
    return codes, scales


def dequantize(
    codes: Int8[Tensor, "*any code"], scales: Float[Tensor, "*any group"], bits: int, dim: int
) -> Float[Tensor, "*any dim"]:
    """Give the numbers back, each within half a scale of what it was, in the dtype of the scales."""
    if bits == 4:
        # Shifting left and right again spreads the sign of four bits.
        codes = torch.stack(((codes << 4) >> 4, codes >> 4), dim=-1).flatten(-2)
    numbers = codes.unflatten(-1, (scales.shape[-1], -1)) * scales[..., None]
    return numbers.flatten(-2)[..., :dim]
