"""What kinds of layers a model has, read off the cache that transformers itself would give it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from transformers import cache_utils
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

_RECURRENT = cache_utils.LinearAttentionCacheLayerMixin
NOTHING: Any = getattr(cache_utils, "DummyLayer", ())
"""Layers without a cache of their own; transformers 5.17 has no such class yet, and `()` matches nothing."""


@dataclass(slots=True)
class LayerKinds:
    """The layers by kind.

    Attributes:
        count: Number of layers; 0 where only the forward pass tells.
        attention: Indices of the layers that keep keys and values.
        recurrent: Indices of the layers that keep a state (a layer may do both).
        foreign: Names of cache layers that nobody but transformers knows how to fill.
    """

    count: int = 0
    attention: list[int] = field(default_factory=list)
    recurrent: list[int] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    _templates: dict[int, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Any) -> LayerKinds:
        """Sort the layers of transformers' cache for this config."""
        kinds = cls()
        try:
            layers = DynamicCache(config=config).layers
        except Exception:
            # A config outside of transformers' conventions; the forward pass will tell.
            return kinds
        kinds.count = len(layers)
        for index, layer in enumerate(layers):
            recurrent = isinstance(layer, _RECURRENT)
            if recurrent:
                kinds.recurrent.append(index)
            plain = type(layer) in (DynamicLayer, DynamicSlidingWindowLayer)
            if plain or (recurrent and isinstance(layer, DynamicLayer)):
                kinds.attention.append(index)
            elif not recurrent and not isinstance(layer, NOTHING):
                kinds.foreign.append(type(layer).__name__)
            if recurrent or isinstance(layer, NOTHING):
                kinds._templates[index] = layer
        return kinds

    def objects(self) -> dict[int, Any]:
        """Make new layer objects for all layers that are more than attention."""
        made: dict[int, Any] = {}
        for index, template in self._templates.items():
            if isinstance(template, NOTHING):
                made[index] = type(template)()
            else:
                # Its attention half, if it has one, is in slots.
                made[index] = cache_utils.LinearAttentionLayer(number_of_states=template.number_of_states)
        return made
