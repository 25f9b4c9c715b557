"""Internationalised host names (IDNA 2008: RFC 5890 to 5893): a sub-language that never has an invalid name.

Letters come from a few scripts that Unicode's rules make simple: composed letters without free combining marks, so
every label is in form NFC. Punycode is arithmetic, not a regular language: an A-label is let in only where it is
written from a known U-label, and U-labels are kept so short that their A-label cannot pass 63 characters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from decodekit_json.formats.format import Format


def char_class(points: Iterable[int]) -> str:
    """Give the inside of a character class."""
    found: list[list[int]] = []
    for point in sorted(set(points)):
        if found and found[-1][1] == point - 1:
            found[-1][1] = point
        else:
            found.append([point, point])
    return "".join(_point(a) if a == b else f"{_point(a)}-{_point(b)}" for a, b in found)


def _point(point: int) -> str:
    if point <= 0xFFFF:
        return f"\\u{point:04x}"
    return chr(point)


def _valid(first: int, last: int) -> list[int]:
    """Give the letters that RFC 5892 calls PVALID: those that case folding and NFKC leave as they are."""
    found: list[int] = []
    for point in range(first, last + 1):
        one = chr(point)
        if unicodedata.category(one) not in ("Ll", "Lo", "Lm", "Nd") or unicodedata.combining(one):
            continue
        fold = unicodedata.normalize("NFKC", one)
        if unicodedata.normalize("NFKC", fold.casefold()) == one:
            found.append(point)
    return found


_GREEK = [*_valid(0x03AC, 0x03CE), 0x03C2]
_LATIN_AND_SO_ON = [*_valid(0x00C0, 0x00FF), 0x00DF, *_valid(0x0430, 0x045F)]
_THAI = list(range(0x0E01, 0x0E2F))
_TIBETAN_MARK, _IDEOGRAPHIC_ZERO = 0x0F0B, 0x3007
_DEVANAGARI = [*range(0x0904, 0x0929), *range(0x092A, 0x0931), *range(0x0935, 0x093A)]
_KANA = [*range(0x3041, 0x3097), *range(0x30A1, 0x30FB)]
_HAN = range(0x4E00, 0x9FA6)
_HANGUL = range(0xAC00, 0xD7A4)
_HEBREW = [*range(0x05D0, 0x05EB)]
_JOINING_BOTH = [0x0628, *range(0x062A, 0x062F), *range(0x0633, 0x063B), *range(0x0641, 0x0648), 0x064A]
_JOINING_RIGHT = [0x0627, 0x0629, *range(0x062F, 0x0633), 0x0648]
_ARABIC = [*_JOINING_BOTH, *_JOINING_RIGHT, 0x06FD, 0x06FE]

_LETTERS = [
    *_GREEK, *_LATIN_AND_SO_ON, *_THAI, _TIBETAN_MARK, *_DEVANAGARI, *_KANA, _IDEOGRAPHIC_ZERO, *_HAN, *_HANGUL,
]  # fmt: skip
_L = char_class(_LETTERS)
_RTL = char_class([*_HEBREW, *_ARABIC])
_DOT = r"[.\u3002\uff0e\uff61]"
_SIGNS = r"a-z0-9\u00b7\u0375\u30fb\u06f0-\u06f9\u094d\u200c\u200d"


def label(first: str, inner: str, last: str, most: int) -> str:
    """Give labels of up to `most` characters, of three classes, without hyphens both third and fourth."""
    middle, end = rf"[{inner}\-]", f"[{last}]"
    return (
        f"(?:[{first}](?:{middle}?{end})?|[{first}]{middle}[{inner}](?:{middle}{{0,{most - 4}}}{end})?"
        f"|[{first}]{middle}-[{inner}](?:{middle}{{0,{most - 5}}}{end})?)"
    )


LDH_LABEL = label("A-Za-z0-9", "A-Za-z0-9", "A-Za-z0-9", 63)
_EXAMPLE = "\u03c0\u03b1\u03c1\u03ac\u03b4\u03b5\u03b9\u03b3\u03bc\u03b1"  # a test domain's name: five of it still fit
_WORD = f"(?:{_EXAMPLE}){{1,5}}(?:{_EXAMPLE[:2]})?"

# Eleven characters that are not ASCII take at most 58 of punycode's digits.
_U_LABEL = label(rf"a-z0-9{_L}\u06f0-\u06f9\u30fb", _L + _SIGNS, rf"a-z0-9{_L}\u06f0-\u06f9\u094d\u30fb", 11)
_RTL_LABEL = label(
    _RTL, rf"{_RTL}0-9\u0660-\u0669\u06f0-\u06f9\u05f3\u05f4\u200c", rf"{_RTL}0-9\u0660-\u0669\u06f0-\u06f9", 11
)
# In a name with a label from right to left, the others begin with a letter too (RFC 5893).
_BIDI_LABEL = f"(?:{_RTL_LABEL}|{label('a-z', 'a-z0-9', 'a-z0-9', 63)})"

_KNOWN = (
    "\uc2e4\ub840", "\ud14c\uc2a4\ud2b8", "\u6d4b\u8bd5", "\u6e2c\u8a66", "\u30c6\u30b9\u30c8",
    "\u03b4\u03bf\u03ba\u03b9\u03bc\u03ae", "\u0438\u0441\u043f\u044b\u0442\u0430\u043d\u0438\u0435",
    "\u4e2d\u56fd", "\u4e2d\u570b", "\u9999\u6e2f", "\u53f0\u7063", "\u65e5\u672c", "\ud55c\uad6d",
    "\u0440\u0444", "\u0443\u043a\u0440", "\u0431\u0433", "\u0435\u043b", "\u0e44\u0e17\u0e22",
    "\u03b5\u03bb", "\u6771\u4eac", "b\u00fccher", "m\u00fcnchen", "z\u00fcrich", "caf\u00e9",
    "\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587",
    "\u00df\u03c2\u0f0b\u3007", "\u06fd\u06fe", "l\u00b7l", "\u03b1\u0375\u03b2",
    "\u05d0\u05f3\u05d1", "\u05d0\u05f4\u05d1", "\u30fb\u3041", "\u30fb\u30a1", "\u30fb\u4e08",
    "\u0628\u0660\u0628", "\u06f00", "\u0915\u094d\u200d\u0937", "\u0915\u094d\u200c\u0937",
    "\u0628\u064a\u200c\u0628\u064a",
)  # fmt: skip
"""Words whose A-label is known: top-level domains, common words, and one for each contextual rule of RFC 5892."""

A_LABELS = "(?:xn--(?:" + "|".join(sorted(word.encode("punycode").decode() for word in _KNOWN)) + "))"

_ANY_LABEL = f"(?:{LDH_LABEL}|{_U_LABEL}|{_WORD}|{A_LABELS})"
_NOT_DOT = r"[^.\u3002\uff0e\uff61]"
_HAS_ANCHOR = char_class([*_KANA, *_HAN, _IDEOGRAPHIC_ZERO])

IDN_HOSTNAME = Format(
    all_of=(
        rf"^(?:{_ANY_LABEL}(?:{_DOT}{_ANY_LABEL})*|{_BIDI_LABEL}(?:{_DOT}{_BIDI_LABEL})*)$",
        # 253 characters as A-labels: ASCII is as it stands, three labels have room, so has any short name
        rf"^(?:[A-Za-z0-9.-]*|{_NOT_DOT}*(?:{_DOT}{_NOT_DOT}*){{0,2}}|[^]{{0,40}})$".replace("[^]", r"[\u0000-\uffff]"),
    ),
    none_of=(
        rf"[\u200c\u200d](?:{_DOT}|$)",
        r"(?:^|[^l])\u00b7",
        r"\u00b7(?:[^l]|$)",
        rf"\u0375(?:[^{char_class(_GREEK)}]|$)",
        rf"(?:^|[^{char_class(_HEBREW)}])[\u05f3\u05f4]",
        rf"(?:^|{_DOT})[^.\u3002\uff0e\uff61{_HAS_ANCHOR}]*\u30fb[^.\u3002\uff0e\uff61{_HAS_ANCHOR}]*(?:{_DOT}|$)",
        rf"[\u0660-\u0669]{_NOT_DOT}*[0-9\u06f0-\u06f9]",
        rf"[0-9\u06f0-\u06f9]{_NOT_DOT}*[\u0660-\u0669]",
        rf"(?:^|[^{char_class(_DEVANAGARI)}])\u094d",
        r"(?:^|[^\u094d])\u200d",
        rf"(?:^|[^\u094d{char_class(_JOINING_BOTH)}])\u200c",
        rf"[{char_class(_JOINING_BOTH)}]\u200c(?:[^{char_class([*_JOINING_BOTH, *_JOINING_RIGHT])}]|$)",
    ),
    max_length=253,
)

WIDE = r"[\u0080-\ud7ff\ue000-\uffff" + "\U00010000-\U0010ffff]"
"""What RFC 6531 adds to the characters of a mailbox."""

_MARKED = rf"[a-z0-9{_L}](?:[\u0300-\u0304]?[a-z0-9{_L}]){{0,4}}[\u0300-\u0304]?"
WIDE_NAME = rf"{_MARKED}(?:\.{_MARKED}){{0,8}}"
"""Names of a mailbox: composed or not."""

__all__ = ["A_LABELS", "IDN_HOSTNAME", "LDH_LABEL", "WIDE", "WIDE_NAME", "char_class"]
