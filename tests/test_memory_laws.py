"""Every kind of memory keeps the cache laws: its logits are those of a full recompute, whatever happens to its rows."""

from __future__ import annotations

from decodekit.builtin import Slots
from decodekit.model import CausalModel
from decodekit.testing import CacheLaws, ToyModel
from tests.families import VOCAB, build


class TestSlots(CacheLaws):
    make = staticmethod(Slots)


class OfFamily(CacheLaws):
    family: str
    tolerance = 1e-4  # these families compute some of their parts in float32
    programs = 2

    def make_model(self) -> CausalModel:
        return CausalModel.wrap(build(self.family))

    def test_an_exact_backend_is_declared_so(self) -> None:
        assert self.make_model().exact


class TestSlotsBehindSlidingWindows(OfFamily):
    family = "gemma3"


class TestHybrid(OfFamily):
    family = "mamba2"


class TestReplay(OfFamily):
    family = "rwkv"


class TestLevel(OfFamily):
    family = "gpt_neo"


class TestUncached(CacheLaws):
    programs = 2

    def make_model(self) -> CausalModel:
        return CausalModel.wrap(ToyModel(vocab_size=VOCAB))
