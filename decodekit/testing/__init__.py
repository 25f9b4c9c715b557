"""The laws of docs/laws.md as classes to inherit from, toys to check them on, and pieces that break them on purpose.

    from decodekit.testing import ProcessorLaws

    class TestMinP(ProcessorLaws):
        make = staticmethod(lambda: MinP(ratio=0.3))

Needs the extra `decodekit[testing]` (pytest, scipy). Names are imported when they are first used, so that the pytest
plugin costs nothing where it is not needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decodekit.testing.caches import Bench, CacheLaws
    from decodekit.testing.checking import violations
    from decodekit.testing.constraints import ConstraintLaws
    from decodekit.testing.drafters import DrafterLaws
    from decodekit.testing.factories import ScriptedPositions, altered, as_candidates, difference, positions, random_law
    from decodekit.testing.hooks import ModelHookLaws
    from decodekit.testing.processors import ProcessorLaws
    from decodekit.testing.prompts import PromptLaws
    from decodekit.testing.runners import ModelRunnerLaws
    from decodekit.testing.schedulers import SchedulerLaws
    from decodekit.testing.searches import SearchLaws
    from decodekit.testing.selectors import SelectorLaws
    from decodekit.testing.statistics import chi_square, enumerate_law, samples_needed, total_variation
    from decodekit.testing.toy_model import ToyConfig, ToyModel
    from decodekit.testing.toys import byte_vocabulary, inverse_cdf, tiny_llama, tiny_vocabulary, toy_context
    from decodekit.testing.values import Snapshot, same
    from decodekit.testing.verifiers import VerifierLaws
    from decodekit.testing.witnesses import AggregatorLaws, ObserverLaws, StopLaws, completion, row_view

_HOMES = {
    "caches": "Bench CacheLaws",
    "checking": "violations",
    "constraints": "ConstraintLaws",
    "drafters": "DrafterLaws",
    "factories": "ScriptedPositions altered as_candidates difference positions random_law",
    "hooks": "ModelHookLaws",
    "processors": "ProcessorLaws",
    "prompts": "PromptLaws",
    "runners": "ModelRunnerLaws",
    "schedulers": "SchedulerLaws",
    "searches": "SearchLaws",
    "selectors": "SelectorLaws",
    "statistics": "chi_square enumerate_law samples_needed total_variation",
    "toy_model": "ToyConfig ToyModel",
    "toys": "byte_vocabulary inverse_cdf tiny_llama tiny_vocabulary toy_context",
    "values": "Snapshot same",
    "verifiers": "VerifierLaws",
    "witnesses": "AggregatorLaws ObserverLaws StopLaws completion row_view",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "AggregatorLaws",
    "Bench",
    "CacheLaws",
    "ConstraintLaws",
    "DrafterLaws",
    "ModelHookLaws",
    "ModelRunnerLaws",
    "ObserverLaws",
    "ProcessorLaws",
    "PromptLaws",
    "SchedulerLaws",
    "ScriptedPositions",
    "SearchLaws",
    "SelectorLaws",
    "Snapshot",
    "StopLaws",
    "ToyConfig",
    "ToyModel",
    "VerifierLaws",
    "altered",
    "as_candidates",
    "byte_vocabulary",
    "chi_square",
    "completion",
    "difference",
    "enumerate_law",
    "inverse_cdf",
    "positions",
    "random_law",
    "row_view",
    "same",
    "samples_needed",
    "tiny_llama",
    "tiny_vocabulary",
    "total_variation",
    "toy_context",
    "violations",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
