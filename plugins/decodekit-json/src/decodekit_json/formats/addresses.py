"""Internet addresses: IPv4, IPv6 (RFC 4291), host names (RFC 1123, RFC 5891) and mailboxes (RFC 5321, RFC 6531)."""

from __future__ import annotations

from decodekit_json.formats.format import Format
from decodekit_json.formats.international import A_LABELS, IDN_HOSTNAME, LDH_LABEL, WIDE, WIDE_NAME

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"


def _ipv6() -> str:
    group = "[0-9A-Fa-f]{1,4}"
    last = f"(?:{group}:{group}|{IPV4})"
    found = [f"(?:{group}:){{6}}{last}", f"::(?:{group}:){{5}}{last}"]
    for before in range(1, 7):  # groups before the "::" at most; the rest after it
        head = f"(?:{group}(?::{group}){{0,{before - 1}}})?" if before > 1 else f"(?:{group})?"
        after = 5 - before
        found.append(f"{head}::(?:{group}:){{{after}}}{last}" if after >= 0 else f"{head}::{group}")
    found.append(f"(?:{group}(?::{group}){{0,6}})?::")
    return f"(?:{'|'.join(found)})"


IPV6 = _ipv6()

HOST = rf"(?:{LDH_LABEL}|{A_LABELS})(?:\.(?:{LDH_LABEL}|{A_LABELS}))*"
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_LITERAL = rf"\[(?:{IPV4}|[Ii][Pp][Vv]6:{IPV6})\]"
_WIDE_ATOM = f"(?:{_ATOM}|{WIDE})"
_WIDE_QUOTED = rf'"(?:[ !#-\[\]-~]|{WIDE}|\\[ -~])*"'
_WIDE_HOST = rf"(?:{HOST}|{WIDE_NAME})"
# 64 octets: a character is one, at most three, or four octets long
_WIDE_LOCAL = r"^(?:[\u0000-\u007f]{1,64}|[\u0000-\uffff]{1,21}|[^@]{1,16})@[^@]*$"

FORMATS = {
    "ipv4": Format((f"^{IPV4}$",)),
    "ipv6": Format((f"^{IPV6}$",)),
    "hostname": Format((f"^{HOST}$",), max_length=253),
    "idn-hostname": IDN_HOSTNAME,
    "email": Format(
        (rf"^(?:{_ATOM}+(?:\.{_ATOM}+)*|{_QUOTED})@(?:{HOST}|{_LITERAL})$", "^[ -~]{1,64}@[^@]{1,253}$"),
    ),
    "idn-email": Format(
        (
            rf"^(?:{_WIDE_ATOM}+(?:\.{_WIDE_ATOM}+)*|{_WIDE_QUOTED})@(?:{_WIDE_HOST}|{_LITERAL})$",
            _WIDE_LOCAL,
        ),
        max_length=160,
    ),
}

__all__ = ["FORMATS", "HOST", "IPV4", "IPV6"]
