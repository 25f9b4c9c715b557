"""What beam searches have in common: which candidates go on, which ones end, and when nothing can get better.

The rules are those of transformers' `generate(num_beams=…)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from decodekit.techniques import Expansion, GroupView, Search
from decodekit_beam.score import Score, in_place


@dataclass(slots=True)  # a frozen one takes three times as long to make, and there are dozens of them a step
class Candidate:
    """A row and a token that may follow it. Read-only.

    Attributes:
        parent: The row.
        token: The token.
        logprob: Log-probability of the text with the token.
        penalty: What is taken off for tokens that other groups have chosen.
    """

    parent: int
    token: int
    logprob: float
    penalty: float = 0.0

    @property
    def total(self) -> float:
        """What candidates of equal length are compared by."""
        return self.logprob - self.penalty


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of the candidates: those that go on, the best first, those that end, and whether that was all."""

    running: list[tuple[Candidate, Score]]
    ended: list[tuple[Candidate, Score]]
    done: bool


class Beams(Search, exact=False):
    """Base of the searches that end texts as transformers does.

    Args:
        width: How many texts go on at a time, and how many are kept that have ended.
        length_penalty: Exponent of the length in a text's score, `logprob / length ** length_penalty`; the length
            counts the new tokens, the end token included. 0 compares sums; above 0 long texts gain, below 0 short ones.
        early_stopping: When the search ends, once `width` texts have ended. True: at once. False: when the best
            running text, if it ended now, would not be among them. "never": when it could not get among them either
            by growing to the full length, as far as a positive penalty makes that better.
    """

    width: int = Field(ge=1)
    length_penalty: float = Field(default=1.0, ge=-16, le=16)
    early_stopping: bool | Literal["never"] = False

    def settle(self, found: Sequence[Candidate], group: GroupView, part: int = 0, parts: int = 1) -> Settled:
        """Sort candidates into rows that go on and texts that end.

        An end counts only among the first `width` candidates; further ones are there so that rows are left to go on.

        Args:
            found: Candidates in the order in which they were chosen.
            group: The group.
            part: Group of diverse beams that the candidates belong to.
            parts: How many such groups share the width.
        """
        width = self.width // parts
        going: list[Candidate] = []
        ended: list[tuple[Candidate, Score]] = []
        for place, one in enumerate(found):
            if one.token not in group.end_tokens and group.remaining[one.parent] > 1:
                going.append(one)
            elif place < width:
                ended.append((one, self._score(one, group, part)))
        going = sorted(going, key=lambda one: -one.total)[:width]
        running = [(one, self._score(one, group, part)) for one in going]
        scores = [*self.finished(group, part), *(score for _, score in ended)]
        best = [(one.total, group.new_tokens[one.parent] + 1, _limit(group, one.parent)) for one, _ in running[:1]]
        return Settled(running, ended, self._decided(best, scores, width))

    def _score(self, one: Candidate, group: GroupView, part: int) -> Score:
        length = group.new_tokens[one.parent] + 1
        return Score(one.total / length**self.length_penalty, one.logprob, one.penalty, part)

    def settled_before(self, group: GroupView, part: int = 0, parts: int = 1) -> bool:
        """Say whether texts that the loop ended, at a stop string for instance, have decided the search."""
        members = [i for i, score in enumerate(group.scores) if Score.of(score).group == part and group.new_tokens[i]]
        if not members:
            return False
        totals = {i: Score.of(group.scores[i]).logprob - Score.of(group.scores[i]).penalty for i in members}
        row = max(members, key=totals.__getitem__)
        best = [(totals[row], group.new_tokens[row], _limit(group, row))]
        return self._decided(best, self.finished(group, part), self.width // parts)

    def finished(self, group: GroupView, part: int = 0) -> list[float]:
        """Give the scores of texts that have ended."""
        return [score for score, _ in group.finished if Score.of(score).group == part]

    def _decided(self, best: Sequence[tuple[float, int, int]], finished: Sequence[float], width: int) -> bool:
        """Say whether the search ends, given total, length and greatest length of the best running text."""
        if not best:
            return True
        if len(finished) < width:
            return False
        if self.early_stopping is True:
            return True
        total, length, limit = best[0]
        reach = limit if self.early_stopping == "never" and self.length_penalty > 0 else length
        return not total / reach**self.length_penalty > sorted(finished, reverse=True)[width - 1]

    def candidates_wanted(self, group: GroupView, width: int) -> int:
        """Count the candidates among which `width` cannot be ends; one row alone just ends with its end token."""
        return 1 if width == 1 else max(2, 1 + len(group.end_tokens)) * width


def expansion(settled: Sequence[Settled]) -> Expansion:
    """Write down what one or more groups of beams decided."""
    running = in_place(
        [(one.parent, one.token, score) for part in settled if not part.done for one, score in part.running]
    )
    return Expansion(
        [parent for parent, _, _ in running],
        [token for _, token, _ in running],
        [score for _, _, score in running],
        [(one.parent, one.token, score) for part in settled for one, score in part.ended],
        all(part.done for part in settled),
        None,
    )


def _limit(group: GroupView, row: int) -> int:
    return group.new_tokens[row] + group.remaining[row]
