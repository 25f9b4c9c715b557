"""decodekit: decoding for any Hugging Face causal LM, where every technique is a plugin.

Names are imported on first use, so that `import decodekit` costs next to nothing beside torch and transformers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from decodekit.hookspecs import hookimpl, hookspec

if TYPE_CHECKING:
    from decodekit.decoder import Decoder as Decoder
    from decodekit.drafting import DraftView as DraftView
    from decodekit.errors import DeadEndError as DeadEndError
    from decodekit.errors import DecodekitError as DecodekitError
    from decodekit.errors import GenerationError as GenerationError
    from decodekit.errors import GenerationInterrupted as GenerationInterrupted
    from decodekit.errors import IncompatibleTechniquesError as IncompatibleTechniquesError
    from decodekit.errors import ModelError as ModelError
    from decodekit.errors import PluginError as PluginError
    from decodekit.errors import PluginWarning as PluginWarning
    from decodekit.errors import PromptError as PromptError
    from decodekit.errors import RequestError as RequestError
    from decodekit.errors import SchemaError as SchemaError
    from decodekit.errors import SchemaWarning as SchemaWarning
    from decodekit.errors import UnknownTechniqueError as UnknownTechniqueError
    from decodekit.errors import UnsatisfiableSchemaError as UnsatisfiableSchemaError
    from decodekit.errors import UnsupportedSchemaError as UnsupportedSchemaError
    from decodekit.law import Law as Law
    from decodekit.memory.watch import Pass as Pass
    from decodekit.model import CausalModel as CausalModel
    from decodekit.partial_json import PartialJSON as PartialJSON
    from decodekit.positions import Positions as Positions
    from decodekit.request import Request as Request
    from decodekit.results import Completion as Completion
    from decodekit.results import Piece as Piece
    from decodekit.results import Ranked as Ranked
    from decodekit.results import Result as Result
    from decodekit.results import Score as Score
    from decodekit.results import Stats as Stats
    from decodekit.row_views import RowView as RowView
    from decodekit.row_views import StepView as StepView
    from decodekit.techniques import Aggregator as Aggregator
    from decodekit.techniques import BuildContext as BuildContext
    from decodekit.techniques import Command as Command
    from decodekit.techniques import Companion as Companion
    from decodekit.techniques import CompiledConstraint as CompiledConstraint
    from decodekit.techniques import Constraint as Constraint
    from decodekit.techniques import Draft as Draft
    from decodekit.techniques import Drafter as Drafter
    from decodekit.techniques import Expansion as Expansion
    from decodekit.techniques import GroupView as GroupView
    from decodekit.techniques import KVCache as KVCache
    from decodekit.techniques import LogitsProcessor as LogitsProcessor
    from decodekit.techniques import ModelAdapter as ModelAdapter
    from decodekit.techniques import ModelHook as ModelHook
    from decodekit.techniques import ModelRunner as ModelRunner
    from decodekit.techniques import Observer as Observer
    from decodekit.techniques import PartialParser as PartialParser
    from decodekit.techniques import Prompt as Prompt
    from decodekit.techniques import Scheduler as Scheduler
    from decodekit.techniques import Search as Search
    from decodekit.techniques import Stage as Stage
    from decodekit.techniques import StopCondition as StopCondition
    from decodekit.techniques import Technique as Technique
    from decodekit.techniques import TokenSelector as TokenSelector
    from decodekit.techniques import Verdict as Verdict
    from decodekit.techniques import Verifier as Verifier
    from decodekit.views import ModelView as ModelView
    from decodekit.vocabulary import Vocabulary as Vocabulary

_HOMES = {
    "decoder": "Decoder",
    "errors": (
        "DeadEndError DecodekitError GenerationError GenerationInterrupted IncompatibleTechniquesError ModelError "
        "PluginError PluginWarning PromptError RequestError SchemaError SchemaWarning UnknownTechniqueError "
        "UnsatisfiableSchemaError UnsupportedSchemaError"
    ),
    "drafting": "DraftView",
    "law": "Law",
    "memory.watch": "Pass",
    "model": "CausalModel",
    "partial_json": "PartialJSON",
    "positions": "Positions",
    "request": "Request",
    "results": "Completion Piece Ranked Result Score Stats",
    "row_views": "RowView StepView",
    "techniques": (
        "Aggregator BuildContext Command Companion CompiledConstraint Constraint Draft Drafter Expansion GroupView "
        "KVCache LogitsProcessor ModelAdapter ModelHook ModelRunner Observer PartialParser Prompt Scheduler Search "
        "Stage StopCondition Technique TokenSelector Verdict Verifier"
    ),
    "views": "ModelView",
    "vocabulary": "Vocabulary",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__version__ = "0.1.0"
__all__ = ["hookimpl", "hookspec", *sorted(_HOME_OF)]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'decodekit' has no attribute {name!r}")
    value = getattr(import_module(f"decodekit.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
