"""A score that remembers what it is made of, so that a row carries everything that its search must know of it."""

from __future__ import annotations

from collections.abc import Sequence


class Score(float):
    """What texts are compared by: a number, with the parts that the next step needs.

    The loop hands a row's score back as it was given, also for rows that it ended itself, at a stop string say; so
    nothing has to be found again in a second table.

    Attributes:
        logprob: Log-probability of the text under its target laws, in nats.
        penalty: What was taken off for tokens that other groups had chosen, in nats.
        group: Group of diverse beams that the text belongs to.
        rank: Place among the rows of a step, the best first; see `in_place`.
    """

    __slots__ = ("group", "logprob", "penalty", "rank")

    logprob: float
    penalty: float
    group: int
    rank: int

    def __new__(cls, value: float, logprob: float, penalty: float = 0.0, group: int = 0, rank: int = 0) -> Score:
        """Make a float with attributes."""
        score = super().__new__(cls, value)
        score.logprob, score.penalty, score.group, score.rank = logprob, penalty, group, rank
        return score

    def __getnewargs__(self) -> tuple[float, float, float, int, int]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return float(self), self.logprob, self.penalty, self.group, self.rank

    @classmethod
    def of(cls, score: float) -> Score:
        """Give a row's score; a plain number is the prompt's, which nothing has been added to yet."""
        return score if isinstance(score, Score) else cls(score, 0.0)


def best_first(scores: Sequence[Score]) -> list[int]:
    """Order the rows of a step by their scores, equal ones by rank."""
    return sorted(range(len(scores)), key=lambda row: (-scores[row], scores[row].rank))


def in_place(rows: Sequence[tuple[int, int, Score]]) -> list[tuple[int, int, Score]]:
    """Order rows, given the best first, so that whatever continues row i is row i again if it can be.

    The loop keeps rows in their places whatever order a search gives them in. But it shows a search its rows in the
    search's own order, and only where that is the order of their places are their laws a view of the batch's and no
    copy. Which row is the better one is noted as its rank.

    Args:
        rows: Parent, token and score of each.
    """
    places: dict[int, tuple[int, int, Score]] = {}
    moved: list[tuple[int, int, Score]] = []
    for rank, row in enumerate(rows):
        row[2].rank = rank
        if row[0] < len(rows) and row[0] not in places:
            places[row[0]] = row
        else:
            moved.append(row)
    others = iter(moved)
    return [places[i] if i in places else next(others) for i in range(len(rows))]
