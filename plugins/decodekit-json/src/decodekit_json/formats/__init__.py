"""The values of `format` that say something of strings; any other is an annotation."""

from decodekit_json.formats import addresses, expressions, identifiers, times
from decodekit_json.formats.format import Format

FORMATS: dict[str, Format] = {**times.FORMATS, **addresses.FORMATS, **identifiers.FORMATS, **expressions.FORMATS}

__all__ = ["FORMATS", "Format"]
