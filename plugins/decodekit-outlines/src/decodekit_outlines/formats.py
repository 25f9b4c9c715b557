"""The values of `format`, as regexes that accept only what every validator accepts; some leave rarities out on purpose.

Left out: leap seconds, lower-case `t` and `z`, quoted local parts of e-mail addresses, internationalised names, `::` in
IPv6. Nothing here needs an escape inside a JSON string.
"""

from __future__ import annotations

_DAY_OF_MONTH = (
    "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])"
)
_YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DATE = f"(?:{_YEAR}-(?:{_DAY_OF_MONTH})|{_LEAP_YEAR}-02-29)"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,6}})?(?:Z|[+-]{_CLOCK})"
_SECONDS = "[0-9]{1,4}S"
_MINUTES = f"[0-9]{{1,4}}M(?:{_SECONDS})?"
_DAY_TIME = f"T(?:[0-9]{{1,4}}H(?:{_MINUTES})?|{_MINUTES}|{_SECONDS})"
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?:{_BYTE}\.){{3}}{_BYTE}"
_LABEL = "[A-Za-z0-9]{1,20}(?:-[A-Za-z0-9]{1,20}){0,2}"
_ATOM = "[A-Za-z0-9_+]{1,20}(?:[.-][A-Za-z0-9_+]{1,20}){0,2}"
_HOST = rf"(?:{_LABEL}\.){{1,3}}[A-Za-z]{{2,20}}"
_ESCAPED = "%[0-9A-Fa-f]{2}"
_PATH = rf"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|{_ESCAPED})*"
_QUERY = rf"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|{_ESCAPED})*"
_URL = rf"[a-z][a-z0-9+.-]{{0,15}}://{_HOST}(?::[1-9][0-9]{{0,3}})?(?:/{_PATH})?(?:\?{_QUERY})?(?:#{_QUERY})?"

STRINGS: dict[str, str] = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "duration": f"P(?:[0-9]{{1,4}}W|[0-9]{{1,5}}D(?:{_DAY_TIME})?|{_DAY_TIME})",
    "uuid": "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "email": f"{_ATOM}@{_HOST}",
    "hostname": _HOST,
    "ipv4": _IPV4,
    "ipv6": "[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){7}",
    "uri": _URL,
}
"""Formats of strings."""

INTEGERS: dict[str, tuple[int, int] | None] = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
    "float": None,
    "double": None,
}
"""OpenAPI's formats of numbers, as bounds where they are integers."""

__all__ = ["INTEGERS", "STRINGS"]
