"""Dates, times and durations of RFC 3339."""

from __future__ import annotations

from decodekit_json.formats.format import Format

_DAY_OF_MONTH = (
    "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])"
)
_YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"  # no year 0000 for readers
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DATE = f"(?:{_YEAR}-(?:{_DAY_OF_MONTH})|{_LEAP_YEAR}-02-29)"
_FRACTION = r"(?:\.[0-9]+)?"
_HOUR, _MINUTE = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_OFFSET = f"(?:[Zz]|[+-]{_HOUR}:{_MINUTE})"
_TIME = f"{_HOUR}:{_MINUTE}:{_MINUTE}{_FRACTION}{_OFFSET}"


def _leap(sign: int) -> str:
    """Give the times of leap seconds, 23:59:60 in UTC, with offsets of one sign; no offset counts as below zero."""
    hours: list[str] = []
    for hour in range(24):
        minutes: list[str] = []
        for minute in range(60):
            offset = sign * (60 * hour + minute - 23 * 60 - 59) % (24 * 60)
            tail = f"{'[+]' if sign > 0 else '-'}{offset // 60:02}:{offset % 60:02}"
            if not offset:
                tail = "(?:[Zz]|[+-]00:00)"
            if offset or sign < 0:
                minutes.append(f"{minute:02}:60{_FRACTION}{tail}")
        hours.append(f"{hour:02}:(?:{'|'.join(minutes)})")
    return f"(?:{'|'.join(hours)})"


# A leap second ends June or December, in UTC: with an offset above zero it is written on the day after.
_LEAP_DATE_TIME = f"{_YEAR}-(?:(?:06-30|12-31)[Tt]{_leap(-1)}|(?:07-01|01-01)[Tt]{_leap(1)})"
_SECONDS = "(?:[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
_DURATION_TIME = f"T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|{_SECONDS})"
_DURATION_DATE = "(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)"

FORMATS = {
    "date": Format((f"^{_DATE}$",)),
    "time": Format((f"^(?:{_TIME}|{_leap(-1)}|{_leap(1)})$",)),
    "date-time": Format((f"^(?:{_DATE}[Tt]{_TIME}|{_LEAP_DATE_TIME})$",)),
    "duration": Format((f"^P(?:{_DURATION_DATE}(?:{_DURATION_TIME})?|{_DURATION_TIME}|[0-9]+W)$",)),
}

__all__ = ["FORMATS"]
