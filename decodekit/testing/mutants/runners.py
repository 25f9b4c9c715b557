"""Wrong model runners."""

from __future__ import annotations

import copy
from typing import Any

from decodekit.memory.caller import CACHE_ARGUMENTS
from decodekit.techniques import BuildContext, ModelRunner
from decodekit.testing.mutants.base import Mutant
from decodekit.testing.runners import ModelRunnerLaws


class Runs(ModelRunner):
    """Right: calls the model."""

    def build(self, context: BuildContext | None = None) -> Any:
        return self

    def __call__(self, model: Any, **inputs: Any) -> Any:
        return model(**inputs)


class StaleLogits:
    """Gives the logits of the pass before, where they have the right shape: a static buffer that is read too early."""

    def __init__(self) -> None:
        self.last: Any = None

    def __call__(self, model: Any, **inputs: Any) -> Any:
        outputs = model(**inputs)
        fresh, last = outputs.logits, self.last
        self.last = fresh
        if last is not None and last.shape == fresh.shape:
            outputs.logits = last
        return outputs


class DropsTheCache(Runs):
    """Hands on only what it knows."""

    def __call__(self, model: Any, **inputs: Any) -> Any:
        return model(**{name: value for name, value in inputs.items() if name not in CACHE_ARGUMENTS})


class ReplacesForward(Runs):
    """Puts its own function where the model's was."""

    def __call__(self, model: Any, **inputs: Any) -> Any:
        model.forward = model.forward
        return model(**inputs)


class ClampsTokens(Runs):
    """Keeps tokens inside of a vocabulary, in the tensor that it was given."""

    def __call__(self, model: Any, **inputs: Any) -> Any:
        inputs["input_ids"].clamp_(max=4)
        return model(**inputs)


class RunsACopy:
    """Runs a copy that it made of the model, as a captured graph is one, and does not say so."""

    def __init__(self) -> None:
        self.copy: Any = None

    def __call__(self, model: Any, **inputs: Any) -> Any:
        self.copy = copy.deepcopy(model) if self.copy is None else self.copy
        return self.copy(**inputs)


class RunsACopyAndSaysSo(RunsACopy):
    """Right: it is not asked where a hook is around."""

    sees_hooks = False


RUNNERS = (
    Mutant(ModelRunnerLaws, Runs),
    Mutant(ModelRunnerLaws, RunsACopyAndSaysSo),
    Mutant(ModelRunnerLaws, StaleLogits, ("whatever_happens",)),
    Mutant(ModelRunnerLaws, DropsTheCache, ("whatever_happens",)),
    Mutant(ModelRunnerLaws, ReplacesForward, ("left_as_it_was",)),
    Mutant(ModelRunnerLaws, ClampsTokens, ("purity",)),
    Mutant(ModelRunnerLaws, RunsACopy, ("hooks_reach",)),
)
