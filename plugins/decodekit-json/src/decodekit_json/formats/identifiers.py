"""URIs (RFC 3986), IRIs (RFC 3987), URI templates (RFC 6570), JSON pointers (RFC 6901) and UUIDs (RFC 4122)."""

from __future__ import annotations

from decodekit_json.formats.addresses import IPV6
from decodekit_json.formats.format import Format

_PERCENT = "%[0-9A-Fa-f]{2}"
_WIDE = r"\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef" + "".join(
    f"{chr((plane << 16) | (0x1000 if plane == 14 else 0))}-{chr((plane << 16) | 0xFFFD)}" for plane in range(1, 15)
)
_PRIVATE = r"\ue000-\uf8ff" + "\U000f0000-\U000ffffd\U00100000-\U0010fffd"


def _uris(wide: str, private: str) -> tuple[str, str]:
    """Give a URI and a reference, with further characters, and some that only queries have."""
    plain = rf"\-A-Za-z0-9._~!$&'()*+,;={wide}"
    char = f"(?:[{plain}:@]|{_PERCENT})"
    segment, some = f"{char}*", f"{char}+"
    first = f"(?:[{plain}@]|{_PERCENT})+"
    literal = rf"\[(?:{IPV6}|[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\]"
    user = f"(?:(?:[{plain}:]|{_PERCENT})*@)?"
    authority = f"{user}(?:{literal}|(?:[{plain}]|{_PERCENT})*)(?::[0-9]*)?"
    below = f"(?:/{segment})*"
    absolute = f"/(?:{some}{below})?"
    tail = rf"(?:\?(?:[{plain}:@/?{private}]|{_PERCENT})*)?(?:#(?:[{plain}:@/?]|{_PERCENT})*)?"
    whole = rf"[A-Za-z][A-Za-z0-9+.-]*:(?://{authority}{below}|{absolute}|{some}{below})?{tail}"
    relative = rf"(?://{authority}{below}|{absolute}|{first}{below})?{tail}"
    return f"^{whole}$", f"^(?:{whole}|{relative})$"


_URI, _URI_REFERENCE = _uris("", "")
_IRI, _IRI_REFERENCE = _uris(_WIDE, _PRIVATE)

_VARIABLE_CHAR = f"(?:[A-Za-z0-9_]|{_PERCENT})"
_VARIABLE = rf"{_VARIABLE_CHAR}+(?:\.{_VARIABLE_CHAR}+)*(?::[1-9][0-9]{{0,3}}|\*)?"
_EXPRESSION = rf"\{{[+#./;?&]?{_VARIABLE}(?:,{_VARIABLE})*\}}"
_TEMPLATE_CHAR = rf"[!#$&-;=?-\[\]_a-z~{_WIDE}{_PRIVATE}]"

_POINTER = "(?:/(?:[^/~]|~[01])*)*"

FORMATS = {
    "uri": Format((_URI,)),
    "uri-reference": Format((_URI_REFERENCE,)),
    "iri": Format((_IRI,)),
    "iri-reference": Format((_IRI_REFERENCE,)),
    "uri-template": Format((f"^(?:{_TEMPLATE_CHAR}|{_PERCENT}|{_EXPRESSION})*$",)),
    "json-pointer": Format((f"^{_POINTER}$",)),
    "relative-json-pointer": Format((f"^(?:0|[1-9][0-9]*)(?:#|{_POINTER})$",)),
    "uuid": Format(("^[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$",)),
}

__all__ = ["FORMATS"]
