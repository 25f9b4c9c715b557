"""The layers' storage, shown to an unmodified transformers model as its cache."""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

from decodekit.cache import CacheFactory, LayerCache, Placement
from decodekit.memory.layers import NOTHING
from decodekit.types import Int64, Tensor


class _Attention(CacheLayerMixin):
    """Stands in `Cache.layers` for an attention layer; the bridge itself answers for it."""

    is_sliding = False

    def __init__(self) -> None:
        super().__init__()
        self.is_initialized = True
        # What a model looks at to learn whether a layer that it may skip (cross-attention) was ever written to.
        self.keys = self.values = torch.empty(0)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None: ...
    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        raise NotImplementedError("tokens are stored through the cache, not through its layers")

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        raise NotImplementedError("mask sizes are asked of the cache, not of its layers")

    def get_seq_length(self) -> int:
        raise NotImplementedError("lengths are asked of the cache, not of its layers")

    def get_max_length(self) -> int:
        return -1

    def get_max_cache_shape(self) -> int:
        return -1


class BridgeCache(Cache):
    """Answers a model's questions about "the" cache length from the placement of the current forward pass.

    Rows that stand level get exact answers. For ragged rows the only answer that keeps shapes consistent is the length
    of the view; positions come from `position_ids` and masks from `decodekit.memory.masks`.

    Args:
        factory: Makes the storage of a layer.
        layers: transformers' layer objects for the layers that keep something else (recurrent states), by index;
            all others are attention.
        count: Number of layers, where known; more are added as the model names them.
    """

    is_sliding: Any = ()
    is_linear: Any = ()
    is_dummy: Any = ()

    def __init__(self, factory: CacheFactory, layers: dict[int, Any] | None = None, count: int = 0) -> None:
        super().__init__(layers=[])
        self.factory = factory
        self.stores: list[LayerCache] = []
        self.place: Placement | None = None
        self._room = (0, 0)
        self.grow(count)
        for index, layer in (layers or {}).items():
            self.layers[index] = layer
        self._sort()

    def grow(self, count: int) -> None:
        """Have storage for at least that many layers."""
        while len(self.stores) < count:
            store = self.factory(len(self.stores))
            store.reserve(*self._room)
            self.stores.append(store)
            self.layers.append(_Attention())
        self._sort()

    def _sort(self) -> None:
        # The base class makes these lists anew at each question, several times per forward pass.
        self.is_sliding = [False] * len(self.layers)
        self.is_linear = [not isinstance(layer, _Attention) for layer in self.layers]
        self.is_dummy = [isinstance(layer, NOTHING) for layer in self.layers]

    def reserve(self, slots: int, length: int) -> None:
        """Make room in every layer."""
        self._room = (slots, length)
        for store in self.stores:
            store.reserve(slots, length)

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        try:
            store = self.stores[layer_idx]
        except IndexError:
            self.grow(layer_idx + 1)
            store = self.stores[layer_idx]
        return store.update(key_states, value_states, self.place)  # type: ignore[arg-type]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        place = self.place
        return 0 if place is None else place.length - place.query

    def get_query_offset(self, layer_idx: int = 0) -> int | Int64[Tensor, "row query"]:  # pyright: ignore[reportIncompatibleMethodOverride]
        place = self.place
        return self.get_seq_length() if place is None or place.level else place.seen  # type: ignore[return-value]

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        assert self.place is not None
        return self.place.length, 0

    def get_max_length(self, layer_idx: int | None = None) -> int:
        return -1

    def get_max_cache_shape(self, layer_idx: int = 0) -> int:
        return -1

    @property
    def is_compileable(self) -> bool:
        # True would make transformers build masks that level rows do not need.
        return False

    def bytes(self) -> int:
        """Count the bytes that the attention layers hold."""
        return sum(store.bytes() for store in self.stores)
