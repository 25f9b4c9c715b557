"""End where the text matches a regular expression; the match stays in the text, unlike a stop string."""

from __future__ import annotations

import re
from functools import lru_cache

from pydantic import Field, field_validator

from decodekit.row_views import RowView
from decodekit_stopping.texts import TextCondition


class StopRegex(TextCondition, name="stop_regex"):
    r"""End as soon as `re.search` finds the pattern in the generated text.

    The text ends with the token that completed the match. A `$` or `\Z` is the end of the text so far, and a greedy
    match counts at its shortest: `\d+` ends after the first digit.

    Args:
        pattern: Regular expression (`re`); one that matches the empty text is refused.
        window: Where a match may begin, in characters from the end of the text; None is anywhere.

    *Cost:* one search of the text, or of the window, per token.
    """

    pattern: str
    window: int | None = Field(default=None, ge=1)

    @field_validator("pattern")
    @classmethod
    def _usable(cls, value: str) -> str:
        try:
            empty = re.compile(value).search("")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if empty:
            raise ValueError("it matches the empty text and would end every text at once")
        return value

    def __call__(self, row: RowView) -> bool:
        start = 0 if self.window is None else max(0, len(row.text) - self.window)
        return _compiled(self.pattern).search(row.text, start) is not None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


__all__ = ["StopRegex"]
