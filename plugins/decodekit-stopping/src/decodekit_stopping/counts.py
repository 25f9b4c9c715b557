"""End after so many lines or sentences."""

from __future__ import annotations

import re

from pydantic import Field

from decodekit.row_views import RowView
from decodekit_stopping.texts import TextCondition

_WIDE = "\u3002\uff01\uff1f"
"""Full-width full stop, exclamation and question mark, after which no white space is written."""
_MARKS = f".!?…{_WIDE}"
_END = re.compile(rf"""[{_MARKS}]+["'\u201d\u2019\u00bb)\]]*""")


class MaxLines(TextCondition, name="max_lines"):
    r"""End with the line break (`\n`) that ends the last of `count` lines; it stays in the text.

    Args:
        count: How many lines; empty ones count.

    *Cost:* one pass over the text per token.
    """

    count: int = Field(ge=1)

    def __call__(self, row: RowView) -> bool:
        return row.text.count("\n") >= self.count


class MaxSentences(TextCondition, name="max_sentences"):
    """End with the token that ends the last of `count` sentences.

    A sentence ends with `.`, `!`, `?` or `…`, closing quotes and brackets included, before white space or the end of
    the text so far (after a digit only before white space), and anywhere with their full-width forms, as in Chinese. No
    language is known: "Dr." ends a sentence.

    Args:
        count: How many sentences.

    *Cost:* one pass over the text per token.
    """

    count: int = Field(ge=1)

    def __call__(self, row: RowView) -> bool:
        # Counting characters is a hundred times quicker than finding sentences.
        if sum(map(row.text.count, _MARKS)) < self.count:
            return False
        ends = (match for match in _END.finditer(row.text) if _ends_sentence(row.text, match))
        return any(number >= self.count for number, _ in enumerate(ends, 1))


def _ends_sentence(text: str, marks: re.Match[str]) -> bool:
    start, end = marks.span()
    if any(mark in _WIDE for mark in marks[0]):
        return True
    if end < len(text):
        return text[end].isspace()
    # "3." may become "3.14".
    return not text[start - 1 : start].isdigit()


__all__ = ["MaxLines", "MaxSentences"]
