"""The laws of small roles: stop conditions, observers, aggregators."""

from __future__ import annotations

from typing import Any, ClassVar

from decodekit.results import Completion
from decodekit.row_views import RowView, StepView
from decodekit.techniques import BuildContext
from decodekit.testing.toys import built, toy_context
from decodekit.testing.values import Snapshot, random_generators, same

TEXT = "the cat sat. the end\n"


def row_view(text: str, *, sample: int = 0, finish_reason: str | None = None) -> RowView:
    """Give a row of a byte vocabulary that has generated `text`."""
    return RowView(0, sample, (0,), tuple(text.encode()), text, finish_reason)


def completion(text: str, *, sample: int = 0, score: float | None = None) -> Completion:
    """Give a finished sample of a byte vocabulary, every token with probability 1/2."""
    tokens = list(text.encode())
    halves = [-0.6931471805599453] * len(tokens)
    return Completion(
        text, tokens, halves, list(halves), [{t: -0.7} for t in tokens], "eos", score=score, sample=sample
    )


class _PieceLaws:
    """What these roles share: how a piece is made."""

    make: ClassVar[Any]

    def context(self) -> BuildContext:
        """Give what the technique is built with."""
        return toy_context(257)

    def piece(self) -> Any:
        """Make a new working piece."""
        return built(type(self).make(), self.context())


class StopLaws(_PieceLaws):
    """What every stop condition must satisfy: a truth value that depends on the row alone.

    Attributes:
        make: Gives the technique, or a piece that is built already.
        texts: What rows have generated.
    """

    texts: ClassVar[tuple[str, ...]] = (TEXT, "", "aaaaaaaaaaaa", "1 2 3")

    def rows(self) -> list[RowView]:
        """Give every row at every length."""
        return [row_view(text[:end]) for text in self.texts for end in range(1, len(text) + 1)]

    def test_the_answer_is_a_truth_value(self) -> None:
        piece = self.piece()
        answers = [piece(row) for row in self.rows()]
        assert all(isinstance(answer, bool) for answer in answers), (
            "a stop condition answers something else than a bool"
        )

    def test_row_law_the_answer_does_not_depend_on_other_rows(self) -> None:
        piece, rows = self.piece(), self.rows()
        forwards = [piece(row) for row in rows]
        backwards = [piece(row) for row in reversed(rows)][::-1]
        alone = [self.piece()(row) for row in rows]
        assert forwards == alone, "the answer depends on which rows were asked before"
        assert backwards == alone, "the answer depends on the order in which rows are asked"


class ObserverLaws(_PieceLaws):
    """What every observer must satisfy: it looks and does not touch.

    Attributes:
        make: Gives the technique, or a piece that is built already.
    """

    def test_a_whole_run_is_witnessed_without_touching_anything(self) -> None:
        piece, generators = self.piece(), random_generators()
        samples = [completion(TEXT), completion("the dog", sample=1)]
        rows = [row_view(""), row_view("", sample=1)]
        steps = [
            StepView(n, [row_view(c.text[:n], sample=c.sample) for c in samples if n <= len(c.text)])
            for n in range(1, len(TEXT) + 1)
        ]
        watch = Snapshot(rows=rows, steps=steps, samples=samples)
        piece.on_start(rows)
        for step in steps:
            piece.on_step(step)
        for each in samples:
            piece.on_finish(each)
        assert not watch.changed(), f"an observer edited {', '.join(watch.changed())}"
        assert same(generators, random_generators()), "a global random generator was used or seeded"


class AggregatorLaws(_PieceLaws):
    """What every aggregator must satisfy: one answer, the same each time, from samples that it leaves alone.

    Attributes:
        make: Gives the technique, or a piece that is built already.
        samples: Texts to make one answer of.
        orderless: Whether the answer must not depend on the order in which the samples are given.
    """

    samples: ClassVar[tuple[str, ...]] = ("42", "41", "42", "7")
    orderless: ClassVar[bool] = False

    def completions(self) -> list[Completion]:
        """Give the samples as they come from the loop."""
        return [completion(text, sample=i, score=-float(i)) for i, text in enumerate(self.samples)]

    def test_the_answer_is_a_completion_and_the_same_each_time(self) -> None:
        samples = self.completions()
        watch, generators, piece = Snapshot(samples=samples), random_generators(), self.piece()
        first, second = piece(samples), piece(samples)
        assert isinstance(first, Completion), f"the answer is {first!r}"
        assert same(first, second), "the same samples give two answers"
        assert not watch.changed(), "an aggregator edited its samples"
        assert same(generators, random_generators()), "a global random generator was used or seeded"

    def test_the_order_of_samples_does_not_matter(self) -> None:
        if not self.orderless:
            return
        samples, piece = self.completions(), self.piece()
        first = piece(samples)
        for turn in range(len(samples)):
            for order in (samples[turn:] + samples[:turn], (samples[turn:] + samples[:turn])[::-1]):
                assert same(first, piece(order)), f"another answer for the order {[c.sample for c in order]}"

    def test_one_sample_is_its_own_answer(self) -> None:
        only = self.completions()[:1]
        assert self.piece()(only).text == only[0].text, "one sample alone does not come back"
