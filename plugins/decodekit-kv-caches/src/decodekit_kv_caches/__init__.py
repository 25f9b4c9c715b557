"""KV caches for decodekit: keys and values in 8 or 4 bits."""

from __future__ import annotations

from decodekit.hookspecs import hookimpl
from decodekit.techniques import KVCache
from decodekit_kv_caches.quantized import QuantizedCache, QuantizedSlots


@hookimpl
def decodekit_kv_caches() -> list[type[KVCache]]:
    """Offer `quantized_cache`."""
    return [QuantizedCache]


__all__ = ["QuantizedCache", "QuantizedSlots", "decodekit_kv_caches"]
