"""Wrong stop conditions, observers, aggregators, prompts and schedulers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from decodekit.results import Completion
from decodekit.row_views import RowView, StepView
from decodekit.techniques import Aggregator, Observer, Prompt, Scheduler, StopCondition
from decodekit.testing.mutants.base import Mutant
from decodekit.testing.prompts import PromptLaws
from decodekit.testing.schedulers import SchedulerLaws
from decodekit.testing.witnesses import AggregatorLaws, ObserverLaws, StopLaws

Messages = str | list[dict[str, Any]]


class Stops(StopCondition):
    """Right: at a full stop."""

    def __call__(self, row: RowView) -> bool:
        return row.text.endswith(".")


class StopsWithMatch(StopCondition):
    """Gives what it found instead of whether it found something."""

    def __call__(self, row: RowView) -> bool:
        return row.text[-1:] and row.text  # pyright: ignore[reportReturnType]


class StopsOnGrowth:
    """Remembers how long the longest row was."""

    def __init__(self) -> None:
        self.longest = 0

    def __call__(self, row: RowView) -> bool:
        grown = len(row.tokens) > self.longest
        self.longest = max(self.longest, len(row.tokens))
        return not grown


class Looks(Observer):
    """Right: does nothing."""


class Clears(Observer):
    """Takes the rows out of the step."""

    def on_step(self, step: StepView) -> None:
        step.rows.clear()  # pyright: ignore[reportAttributeAccessIssue]


class Seeds(Observer):
    """Seeds the global generator at the start."""

    def on_start(self, rows: Sequence[RowView]) -> None:
        random.seed(len(rows))


class EditsTheEnd(Observer):
    """Cuts the last token of each finished sample."""

    def on_finish(self, completion: Completion) -> None:
        completion.tokens.pop()


class Lowest(Aggregator):
    """Right: the sample with the least text, then the lowest index."""

    def __call__(self, samples: Sequence[Completion]) -> Completion:
        return min(samples, key=lambda each: (each.text, each.sample))


class FirstGiven(Aggregator):
    """Right where order counts, wrong where it must not."""

    def __call__(self, samples: Sequence[Completion]) -> Completion:
        return samples[0]


class OnlyText(Aggregator):
    """Gives a text."""

    def __call__(self, samples: Sequence[Completion]) -> Completion:
        return samples[0].text  # pyright: ignore[reportReturnType]


class SortsInPlace(Aggregator):
    """Sorts the list that it was given."""

    def __call__(self, samples: Sequence[Completion]) -> Completion:
        samples.sort(key=lambda each: each.text)  # pyright: ignore[reportAttributeAccessIssue]
        return samples[0]


class Tosses(Aggregator):
    """Draws the answer."""

    def __call__(self, samples: Sequence[Completion]) -> Completion:
        return random.choice(samples)


class Joins(Aggregator):
    """Makes up an answer even of one sample."""

    def __call__(self, samples: Sequence[Completion]) -> Completion:
        return replace(samples[0], text=" ".join(["so:", *(each.text for each in samples)]))


class Prefaces(Prompt):
    """Right: a text before, a system message."""

    def __call__(self, prompt: Messages, context: Mapping[str, Any]) -> Messages:
        return f"Hi.\n{prompt}" if isinstance(prompt, str) else [{"role": "system", "content": "Hi."}, *prompt]


class Flattens(Prompt):
    """Makes a text of a chat."""

    def __call__(self, prompt: Messages, context: Mapping[str, Any]) -> Messages:
        return prompt if isinstance(prompt, str) else "\n".join(message["content"] for message in prompt)


class DropsTheSystem(Prompt):
    """Puts its own system message where the user's was."""

    def __call__(self, prompt: Messages, context: Mapping[str, Any]) -> Messages:
        if isinstance(prompt, str):
            return prompt
        return [{"role": "system", "content": "Hi."}, *(m for m in prompt if m["role"] != "system")]


class FormatsThePrompt(Prompt):
    """Takes the prompt for a part of its template."""

    def __call__(self, prompt: Messages, context: Mapping[str, Any]) -> Messages:
        return prompt.replace("{{", "{").replace("}}", "}") if isinstance(prompt, str) else prompt


class AppendsInPlace(Prompt):
    """Adds to the user's own list of messages."""

    def __call__(self, prompt: Messages, context: Mapping[str, Any]) -> Messages:
        if not isinstance(prompt, str):
            prompt.append({"role": "user", "content": "Please."})
        return prompt


class InOrder(Scheduler):
    """Right: first come, first served."""

    def __call__(self, waiting: Sequence[int], free_rows: int) -> Sequence[int]:
        chosen: list[int] = []
        for i, rows in enumerate(waiting):
            if free_rows > 0:
                chosen.append(i)
            free_rows -= rows
        return chosen


class TakesAll(Scheduler):
    """Lets everybody join."""

    def __call__(self, waiting: Sequence[int], free_rows: int) -> Sequence[int]:
        return range(len(waiting))


class WaitsForRoom(Scheduler):
    """Lets only requests join that fit as a whole, so that one that is too large waits for ever."""

    def __call__(self, waiting: Sequence[int], free_rows: int) -> Sequence[int]:
        return [i for i, rows in enumerate(waiting) if rows <= free_rows][:1]


class CountsFromOne(Scheduler):
    """Gives numbers instead of indices."""

    def __call__(self, waiting: Sequence[int], free_rows: int) -> Sequence[int]:
        return [len(waiting)]


class SortsTheQueue(InOrder):
    """Sorts the queue that it was given."""

    def __call__(self, waiting: Sequence[int], free_rows: int) -> Sequence[int]:
        waiting.sort()  # pyright: ignore[reportAttributeAccessIssue]
        return super().__call__(waiting, free_rows)


class Draws(Scheduler):
    """Draws who joins."""

    def __call__(self, waiting: Sequence[int], free_rows: int) -> Sequence[int]:
        return [random.randrange(len(waiting))]


WITNESSES = (
    Mutant(StopLaws, Stops),
    Mutant(StopLaws, StopsWithMatch, ("truth_value",)),
    Mutant(StopLaws, StopsOnGrowth, ("row_law",)),
    Mutant(ObserverLaws, Looks),
    Mutant(ObserverLaws, Clears, ("without_touching",)),
    Mutant(ObserverLaws, Seeds, ("without_touching",)),
    Mutant(ObserverLaws, EditsTheEnd, ("without_touching",)),
    Mutant(AggregatorLaws, Lowest, attributes={"orderless": True}),
    Mutant(AggregatorLaws, FirstGiven),
    Mutant(AggregatorLaws, FirstGiven, ("order_of_samples",), {"orderless": True}),
    Mutant(AggregatorLaws, OnlyText, ("same_each_time",)),
    Mutant(AggregatorLaws, SortsInPlace, ("same_each_time",)),
    Mutant(AggregatorLaws, Tosses, ("same_each_time",)),
    Mutant(AggregatorLaws, Joins, ("one_sample",)),
    Mutant(PromptLaws, Prefaces),
    Mutant(PromptLaws, Flattens, ("stays_a_chat",)),
    Mutant(PromptLaws, DropsTheSystem, ("is_lost",)),
    Mutant(PromptLaws, FormatsThePrompt, ("is_lost",)),
    Mutant(PromptLaws, AppendsInPlace, ("purity",)),
    Mutant(SchedulerLaws, InOrder),
    Mutant(SchedulerLaws, TakesAll, ("no_more_join",)),
    Mutant(SchedulerLaws, WaitsForRoom, ("somebody_joins", "everybody_joins")),
    Mutant(SchedulerLaws, CountsFromOne, ("possible",)),
    Mutant(SchedulerLaws, SortsTheQueue, ("purity",)),
    Mutant(SchedulerLaws, Draws, ("purity",)),
)
