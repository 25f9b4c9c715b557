"""A score that remembers what it is made of, so that a row carries everything that its search must know of it."""

from __future__ import annotations


class Score(float):
    """What texts are compared by: a number, with the parts that the next step needs.

    The loop hands a row's score back as it was given, also for rows that it ended itself, at a stop string say; so
    nothing has to be found again in a second table.

    Attributes:
        logprob: Log-probability of the text under its target laws, in nats.
        penalty: What was taken off for tokens that other groups had chosen, in nats.
        group: Group of diverse beams that the text belongs to.
    """

    __slots__ = ("group", "logprob", "penalty")

    logprob: float
    penalty: float
    group: int

    def __new__(cls, value: float, logprob: float, penalty: float = 0.0, group: int = 0) -> Score:
        """Make a float with attributes."""
        score = super().__new__(cls, value)
        score.logprob, score.penalty, score.group = logprob, penalty, group
        return score

    def __getnewargs__(self) -> tuple[float, float, float, int]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return float(self), self.logprob, self.penalty, self.group

    @classmethod
    def of(cls, score: float) -> Score:
        """Give a row's score; a plain number is the prompt's, which nothing has been added to yet."""
        return score if isinstance(score, Score) else cls(score, 0.0)
