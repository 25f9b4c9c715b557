"""Regular expressions of ECMA-262: a regular sub-language of them, valid with the flag u too, groups three deep.

Left out, because a regular language cannot follow them: deeper groups, references by number, two named groups, and
ranges and counts in wrong order.
"""

from __future__ import annotations

import string

from decodekit_json.formats.format import Format


def _upward(characters: str) -> str:
    """Give ranges of two characters in order."""
    return "|".join(f"{first}-[{first}-{characters[-1]}]" for first in characters)


_RANGE = "|".join(_upward(c) for c in (string.digits, string.ascii_lowercase, string.ascii_uppercase))
_UNIT = "(?:[0-9A-Ca-cE-Fe-f][0-9A-Fa-f]{3}|[Dd][0-7][0-9A-Fa-f]{2})"  # no surrogate
_ESCAPE = rf"\\(?:[dDwWsStnvfr^$\\.*+?()\[\]{{}}|/]|c[A-Za-z]|x[0-9A-Fa-f]{{2}}|u{_UNIT})"
_MEMBER = rf"(?:{_RANGE}|[^\\\]\[&|~^\u0000-\u001f-]|{_ESCAPE})"
_CLASS = rf"\[\^?(?:-|(?:{_MEMBER})*-?)\]"
_LITERAL = r"[^\u0000-\u001f^$\\.*+?()\[\]{}|]"
_COUNT = "|".join(f"{a},[{a}-9]" for a in range(10))
_QUANTIFIER = rf"(?:(?:[*+?]|\{{(?:[0-9]{{1,3}},?|{_COUNT}|[0-9],[1-9][0-9]{{1,2}})\}})\??)"
_ATOM = rf"(?:(?:{_LITERAL}|\.|{_CLASS}|{_ESCAPE}){_QUANTIFIER}?|[\^$|]|\\[bB])"
_DEEP = f"(?:{_ATOM})*"
for _ in range(2):
    _DEEP = rf"(?:{_ATOM}|\((?:\?:)?{_DEEP}\){_QUANTIFIER}?)*"
_NAMED = rf"\(\?<(?:[A-Za-z_$][A-Za-z0-9_$]{{0,15}}>{_DEEP}\)|n>{_DEEP}\)\\k<n>|name>{_DEEP}\)\\k<name>){_QUANTIFIER}?"
_TERM = rf"{_ATOM}|\((?:\?:)?{_DEEP}\){_QUANTIFIER}?|\(\?<?[=!]{_DEEP}\)"

FORMATS = {"regex": Format((rf"^(?:{_TERM})*(?:{_NAMED}(?:{_TERM})*)?$",))}

__all__ = ["FORMATS"]
