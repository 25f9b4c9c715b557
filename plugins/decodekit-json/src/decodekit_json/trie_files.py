"""Tries on disk, one file a vocabulary: plain arrays in NumPy's format, read without executing anything.

`DECODEKIT_CACHE` names another folder; empty, nothing is read or written. A file that cannot be read is built anew.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

FORMAT = 1
_TYPES = {"letters": "u1", "first": "i4", "order": "i4", "low": "i4", "high": "i4", "levels": "i4"}


def folder() -> Path | None:
    """Give the folder of the cache, None where it is turned off or the user has no home."""
    chosen = os.environ.get("DECODEKIT_CACHE")
    if chosen is not None:
        return Path(chosen) if chosen else None
    try:
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "decodekit" / "Cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "decodekit"
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "decodekit"
    except RuntimeError:
        return None


def load(key: str) -> dict[str, Array] | None:
    """Give the arrays that were saved under `key`, None where there are none or the file is not sound."""
    where = _path(key)
    if where is None:
        return None
    try:
        with where.open("rb") as file, np.load(file, allow_pickle=False) as found:
            if str(found["key"]) != _full(key):
                return None
            arrays = {name: found[name].astype(kind, copy=False) for name, kind in _TYPES.items()}
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error, NotImplementedError):
        return None
    return arrays if _sound(arrays) else None


def save(key: str, arrays: dict[str, Array]) -> None:
    """Save arrays, whole or not at all; where that is impossible nothing happens."""
    where = _path(key)
    if where is None:
        return
    with contextlib.suppress(OSError):
        where.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".trie-", suffix=".npz", dir=where.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                content: dict[str, Any] = {name: arrays[name].astype(f"<{kind}") for name, kind in _TYPES.items()}
                np.savez(file, key=np.array(_full(key)), **content)
            Path(temporary).replace(where)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _full(key: str) -> str:
    return f"decodekit trie {FORMAT} {key}"


def _path(key: str) -> Path | None:
    where = folder()
    return None if where is None else where / f"trie-{FORMAT}-{key}.npz"


def _sound(arrays: dict[str, Array]) -> bool:
    """Say whether the arrays fit together, so that walking them cannot leave them."""
    letters, first, order, low, high, levels = (arrays[name] for name in _TYPES)
    if any(array.ndim != 1 for array in arrays.values()) or not len(letters) or len(levels) < 2:
        return False
    nodes, tokens = len(letters), len(order)
    return bool(
        len(first) == nodes + 1
        and len(low) == len(high) == nodes
        and first[0] == 1
        and first[-1] == nodes
        and levels[0] == 0
        and levels[-1] == nodes
        and (np.diff(levels) > 0).all()
        and (np.diff(first) >= 0).all()
        and (first[:-1] > np.arange(nodes)).all()
        and (low >= 0).all()
        and (low < np.maximum(high, 1)).all()
        and (high <= tokens).all()
        and (order >= 0).all()
    )


__all__ = ["FORMAT", "folder", "load", "save"]
