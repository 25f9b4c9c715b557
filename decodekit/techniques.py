"""Techniques: what a user asks for, one base class per role.

A technique is a frozen pydantic model with its parameters. `build(context)` makes its working piece, by default itself.
Pieces keep nothing between calls: what they remember about a row is a state, an immutable value that the loop holds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar

from decodekit.checked import Checked
from decodekit.types import Int64, PackedMask, State, Tensor, TokenIds

if TYPE_CHECKING:
    from decodekit.law import Law
    from decodekit.memory.watch import Pass
    from decodekit.model import CausalModel
    from decodekit.positions import Positions
    from decodekit.results import Completion
    from decodekit.row_views import RowView, StepView
    from decodekit.vocabulary import Vocabulary


class Stage(IntEnum):
    """When a logits processor runs. The constraint is applied between BAN and GUIDANCE."""

    BIAS = 0
    PENALTY = 1
    BAN = 2
    GUIDANCE = 4
    TEMPERATURE = 5
    TRUNCATION = 6


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What a technique may look at when it makes its working piece.

    Attributes:
        vocabulary: Every token's bytes; None where the decoder has no tokenizer.
        tokenizer: The Hugging Face tokenizer, or None.
        model: The wrapped model.
        vocab_size: Width of the model's logits.
        end_tokens: Token ids that end a text.
        prompt: Token ids of the prompt.
        max_new_tokens: How many tokens the request may generate, already cut to the model's context.
        constraint: What the text must satisfy, for pieces that are built after it (all but logits processors).
    """

    vocabulary: Vocabulary | None
    tokenizer: Any
    model: CausalModel | None
    vocab_size: int
    end_tokens: tuple[int, ...]
    prompt: tuple[int, ...]
    max_new_tokens: int
    constraint: CompiledConstraint | None = None

    def encode(self, prompt: str | list[dict[str, Any]] | tuple[int, ...], what: str) -> list[int]:
        """Turn another prompt into token ids as the request's own is; `what` it is goes into messages."""
        from decodekit.encoding import encode_prompt

        return encode_prompt(prompt, self.tokenizer or self.vocabulary, self.vocab_size, what)


class Technique(Checked):
    """Base of all techniques: parameters as fields, declarations as class keywords.

    Declarations (`class MinP(LogitsProcessor, name="min_p", stage=Stage.TRUNCATION)`) are class attributes that
    assembly compares; a keyword that the role does not know is an error at class creation.

    Attributes:
        name: Flat name under which a request may ask for the technique; unique over all plugins.
        role: The role's word in messages and tables.
        exact: Whether the text still follows the law that the request describes.
        graph_safe: Whether the piece is tensors only, without host synchronisation.
        needs: What it needs of the engine: "rewind", "tokenizer", "vocabulary".
        source: Paper or reference implementation, shown in generated tables.
        usage: What to write, for example; the hint where a field does not fit.
    """

    name: ClassVar[str] = ""
    role: ClassVar[str] = ""
    exact: ClassVar[bool] = True
    graph_safe: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()
    source: ClassVar[str] = ""
    usage: ClassVar[str] = ""

    def __init_subclass__(cls, **declarations: Any) -> None:
        super().__init_subclass__()
        for key, value in declarations.items():
            if not hasattr(cls, key):
                raise TypeError(f"{cls.__name__}: unknown declaration {key!r}")
            setattr(cls, key, frozenset(value) if key == "needs" else value)

    @classmethod
    def __pydantic_init_subclass__(cls, **declarations: Any) -> None:
        super().__pydantic_init_subclass__()

    def build(self, context: BuildContext) -> Any:
        """Make the working piece for one request; by default the technique itself."""
        return self

    def conflict(self, others: Sequence[Technique]) -> str | None:
        """Say why this technique cannot run with `others` (all techniques of the request), or give None.

        Compare declarations, never classes of other plugins.
        """
        return None


class LogitsProcessor(Technique):
    """Law to law. Hook `decodekit_logits_processors`.

    A processor with a memory overrides `start` and `advance`; the state of each position is then in `at.states`.

    Attributes:
        stage: When it runs; within a stage processors run as the user lists them. Only a processor of the stage BAN may
            leave a position without a token; the loop then lifts the bans there.
        argmax_invariant: Whether the most likely token stays the most likely one.
        needs_history: Whether it reads `at.history`.
        stackable: Whether numeric fields may arrive as `[position, 1]` tensors where requests disagree about them;
            write `__call__` with arithmetic and comparisons that take both. Otherwise positions are split by equal
            technique.
        reads_law: Whether `advance` looks at its law (the loop then skips making one otherwise).
        default_selector: Name of the token selector that a request gets when it names none.
    """

    role: ClassVar[str] = "logits processor"
    stage: ClassVar[Stage] = Stage.TRUNCATION
    argmax_invariant: ClassVar[bool] = False
    needs_history: ClassVar[bool] = False
    stackable: ClassVar[bool] = False
    reads_law: ClassVar[bool] = False
    default_selector: ClassVar[str | None] = None

    def start(self, prompt: Sequence[int]) -> State:
        """Give the state before the first new token."""
        return None

    def advance(self, state: State, token: int, law: Law | None) -> State:
        """Give the state after `token`.

        Args:
            state: The state before; never edited.
            token: The token that was taken.
            law: The target law it was taken from, one position (after all processors and the constraint); None unless
                the class declares `reads_law`.
        """
        return state

    @abstractmethod
    def __call__(self, law: Law, at: Positions) -> Law:
        """Give the new law of every position."""


class PartialParser(ABC):
    """Reads a text that satisfies a constraint as it comes. A value: a fork of a row shares it.

    The law: `value` depends on the text alone, not on the pieces in which it was pushed.

    Attributes:
        value: What is complete so far, as plain data. Values may share their parts, so nobody edits them.
    """

    value: Any

    @abstractmethod
    def push(self, text: str) -> PartialParser:
        """Give the state after more text."""

    @abstractmethod
    def end(self) -> PartialParser:
        """Give the state at the end of a text that satisfies the constraint."""


class CompiledConstraint(ABC):
    """The working piece of a constraint: an automaton over tokens whose states are values.

    The law (`ConstraintLaws`): `mask(state, remaining)` has exactly the tokens after which a completion in tokens of
    this vocabulary exists within `remaining` tokens (the token itself included, the end token not). The end token is
    not part of the mask: the loop adds the request's end tokens where `is_complete(state)`.

    Attributes:
        partial: Reads unfinished texts, before the first character, for `Piece.partial`; None where nothing does.
    """

    partial: PartialParser | None = None

    @abstractmethod
    def start(self) -> State:
        """Give the state before the first token: immutable, hashable."""

    @abstractmethod
    def advance(self, state: State, token: int) -> State:
        """Give the state after an allowed token."""

    @abstractmethod
    def mask(self, state: State, remaining: int) -> PackedMask:
        """Give the allowed tokens as bits; the array is shared and must not be written to.

        Args:
            state: Where the text stands.
            remaining: How many tokens the row may still generate, at least 1.
        """

    @abstractmethod
    def is_complete(self, state: State) -> bool:
        """Say whether the text may end here."""

    @abstractmethod
    def min_tokens(self, state: State) -> int:
        """Give the fewest further tokens after which the text may end (0 where it is complete).

        Where that is too much to find out: the tokens of a short way to an end, which `mask` always leaves open.
        """

    def forced(self, state: State) -> Sequence[int]:
        """Give tokens that are certain to follow (proposed as a draft); empty where there is a choice."""
        return ()

    def parse(self, text: str) -> Any:
        """Turn a complete text into the typed result shown as `.parsed`; None where there is none."""
        return None

    def intersect(self, other: CompiledConstraint) -> CompiledConstraint | None:
        """Combine with another constraint so that the result is still exact; None where that is not possible.

        Raises:
            IncompatibleTechniquesError: Instead of None, where it is known why it is not, and what to do instead.
        """
        return None


class Constraint(Technique):
    """What a text must satisfy. Hook `decodekit_constraints`. `build` gives a `CompiledConstraint`."""

    role: ClassVar[str] = "constraint"

    @abstractmethod
    def build(self, context: BuildContext) -> CompiledConstraint:
        """Compile for the context's vocabulary, or refuse with a `SchemaError`."""


class TokenSelector(Technique):
    """Law to token. Hook `decodekit_token_selectors`. At most one per request.

    Attributes:
        deterministic: Whether the token is a function of the law and the history, without randomness.
        follows_law: Whether each token is drawn with its probability under the law, independently of other positions.
            Ratio rules of verification are for such selectors only.
    """

    role: ClassVar[str] = "token selector"
    stackable: ClassVar[bool] = False
    deterministic: ClassVar[bool] = False
    follows_law: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, law: Law, at: Positions) -> Int64[Tensor, "position"]:
        """Choose one token per position; randomness only from `at.uniform(purpose)`."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """What a search decides at one step for one group.

    Attributes:
        parents: Row of the group that each surviving row continues.
        tokens: Token that it is continued with.
        scores: Score of each surviving row.
        finished: (parent, token, score) of rows that end here; `token` belongs to the text. A row that continues with
            an end token ends as well.
        done: Whether the group is decided and nothing needs to be expanded.
        state: The search's state after this step.
    """

    parents: TokenIds
    tokens: TokenIds
    scores: list[float]
    finished: list[tuple[int, int, float]]
    done: bool
    state: State


@dataclass(frozen=True, slots=True)
class GroupView:
    """What a search sees of its group.

    Attributes:
        scores: Score of each row so far.
        new_tokens: How many tokens each row has generated.
        remaining: How many tokens each row may still generate, the next one included.
        end_tokens: Token ids that end a text.
        finished: Scores and lengths of the texts that are finished.
        state: The search's own state.
        at: The rows' positions: their histories, and their random numbers. All rows of a group have the same sample
            index, so a draw per row has the row's place in its purpose: `at.uniform(f"noise {row}")[row]`.
    """

    scores: list[float]
    new_tokens: list[int]
    remaining: list[int]
    end_tokens: tuple[int, ...]
    finished: list[tuple[float, int]]
    state: State
    at: Positions


class Search(Technique):
    """Group to parents, tokens, finished. Hook `decodekit_searches`. At most one per request, instead of a selector.

    The loop gathers rows, states and cache by `parents`; the search never sees them.
    """

    role: ClassVar[str] = "search"

    @property
    def rows(self) -> int:
        """Most rows that a group grows to, which is also the most texts it can give; by default the field `width`."""
        return int(getattr(self, "width", 1))

    def start(self) -> State:
        """Give the state before the first step."""
        return None

    @abstractmethod
    def __call__(self, law: Law, group: GroupView) -> Expansion:
        """Expand one group.

        Args:
            law: Target law of every row of the group, to be normalised before scores are added up.
            group: Scores and lengths.
        """

    def rank(self, scores: Sequence[float], lengths: Sequence[int]) -> list[int]:
        """Order finished texts, the best first."""
        return sorted(range(len(scores)), key=lambda i: -scores[i])


@dataclass(frozen=True, slots=True)
class Draft:
    """Tokens proposed for one row.

    Attributes:
        tokens: The proposal; may be empty.
        law: The law that each token was drawn from, one position per token; None where they were not drawn at random.
            Draws must not share random numbers with the verifier nor with the draws of other drafts: see
            `Positions.apart`.
        stuck: Set by the loop: the row cannot go on behind the last token, which ends the text or is forbidden. It is
            there because it was drawn, and leaving it out would change the law of what takes its place.
    """

    tokens: Sequence[int]
    law: Law | None = None
    stuck: bool = False


class Drafter(Technique):
    """Proposes tokens ahead of the model. Hook `decodekit_drafters`. Several are chained in the user's order.

    Attributes:
        default_verifier: Name of the verifier that a request gets when it names none.
        for_searches: Whether a search may use it, because what it proposes is what all its rows have to go on with.
    """

    role: ClassVar[str] = "drafter"
    default_verifier: ClassVar[str | None] = None
    for_searches: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"rewind"})

    def start(self, prompt: Sequence[int]) -> State:
        """Give the state before the first new token."""
        return None

    def advance(self, state: State, token: int) -> State:
        """Give the state after a committed or proposed token."""
        return state

    @abstractmethod
    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        """Propose at most `limits[i]` tokens to follow position i."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many drafted tokens of a row are kept, and the token that follows them."""

    kept: int
    token: int


class Verifier(Technique):
    """Decides what is kept of a draft. Hook `decodekit_verifiers`. At most one per request.

    Attributes:
        keeps_text: Whether the text is, token for token, the one that the request would get without a draft. It may
            then be asked for where there is no drafter; another verifier would have no effect there and is refused.
    """

    role: ClassVar[str] = "verifier"
    keeps_text: ClassVar[bool] = False

    @abstractmethod
    def __call__(
        self, target: Law, at: Positions, drafts: Sequence[Draft], select: Callable[[Law, Positions], Tensor]
    ) -> list[Verdict]:
        """Judge every row's draft.

        Args:
            target: Target law of all positions, k + 1 per row with k drafted tokens, rows one after another.
            at: The positions.
            drafts: One per row.
            select: The request's token selector.
        """


class KVCache(Technique):
    """Memory of the model's attention layers. Hook `decodekit_kv_caches`. An engine option.

    `build` gives the factory that `CausalModel.wrap(cache=…)` takes; see `decodekit.cache`.
    """

    role: ClassVar[str] = "kv cache"


class ModelRunner(Technique):
    """How the forward pass runs. Hook `decodekit_model_runners`. An engine option.

    `build` gives a callable `(model, **inputs) -> outputs`.
    """

    role: ClassVar[str] = "model runner"


@dataclass(frozen=True, slots=True)
class Companion:
    """A second row that follows each row of a request: another prompt or another model, the same new tokens.

    Attributes:
        prompt: Token ids that stand before the new tokens; None for the request's own prompt.
        model: The model that reads it; None for the decoder's own.
    """

    prompt: tuple[int, ...] | None = None
    model: CausalModel | None = None


class ModelHook(Technique):
    """What reaches into the model. Hook `decodekit_model_hooks`.

    It belongs to a request: in one batch rows with and without it share a forward pass. Most hooks are of a second
    role as well (`class Guidance(ModelHook, LogitsProcessor, …)`) and find what they asked for in `at.view`, a
    `ModelView`; its working piece is the technique itself, or has the technique's `name`.

    Attributes:
        remembers: Whether notes about all tokens of a row are kept, not only those of the last forward pass.
        changes_model: Whether `around` changes what the model computes for the rows that have the hook.
    """

    role: ClassVar[str] = "model hook"
    remembers: ClassVar[bool] = False
    changes_model: ClassVar[bool] = False

    def __init_subclass__(cls, **declarations: Any) -> None:
        super().__init_subclass__(**declarations)
        # What a hook is besides being one says more in messages and tables.
        cls.role = next((role.role for role in ROLES if role is not ModelHook and issubclass(cls, role)), cls.role)

    def companion(self) -> Companion | None:
        """Give the second row that every row of the request needs; by default none."""
        return None

    def around(self, run: Pass) -> AbstractContextManager[Any]:
        """Stand around a forward pass of the decoder's model; by default do nothing.

        Called once per pass for all rows that have a hook of this name, each with its own piece in `run.pieces`.
        `run.note(values)` writes down something about every token of the pass. The model must be left as it was. No
        other pass of the model runs meanwhile; other models are better run before or after.
        """
        return nullcontext()


class ModelAdapter(Technique):
    """Makes a model with special inputs look like an ordinary one. Hook `decodekit_model_adapters`."""

    role: ClassVar[str] = "model adapter"

    @abstractmethod
    def matches(self, model: Any) -> bool:
        """Say whether this adapter is for that model."""

    @abstractmethod
    def adapt(self, model: Any) -> Any:
        """Give a module with the ordinary causal LM forward."""


class Prompt(Technique):
    """Rewrites the prompt before it is encoded. Hook `decodekit_prompts`. Several run in the user's order."""

    role: ClassVar[str] = "prompt"

    @abstractmethod
    def __call__(self, prompt: str | list[dict[str, Any]], context: Mapping[str, Any]) -> str | list[dict[str, Any]]:
        """Give the new prompt; `context` has "techniques" and "tokenizer"."""


class StopCondition(Technique):
    """Ends a row after a committed token. Hook `decodekit_stopping`. Its name becomes the finish reason."""

    role: ClassVar[str] = "stop condition"

    @abstractmethod
    def __call__(self, row: RowView) -> bool:
        """Say whether the row ends after its last token."""


class Observer(Technique):
    """A read-only witness. Hook `decodekit_observers`. Exceptions from it are raised, texts so far are kept."""

    role: ClassVar[str] = "observer"

    def on_start(self, rows: Sequence[RowView]) -> None:
        """See that samples of the request join the batch, before their prompt is read; one row stands for them."""

    def on_step(self, step: StepView) -> None:
        """See the request's rows after each step."""

    def on_finish(self, completion: Completion) -> None:
        """See each finished sample."""


class Aggregator(Technique):
    """How the n samples of a request become one answer. Hook `decodekit_aggregators`. At most one per request."""

    role: ClassVar[str] = "aggregator"

    @abstractmethod
    def __call__(self, samples: Sequence[Completion]) -> Completion:
        """Give the answer: one of the samples or a new completion, which is taken as it is, whatever it was made of."""


class Scheduler(Technique):
    """Which waiting requests join next. Hook `decodekit_schedulers`. An engine option."""

    role: ClassVar[str] = "scheduler"

    @abstractmethod
    def __call__(self, waiting: Sequence[int], free_rows: int) -> Sequence[int]:
        """Choose from the row counts of the waiting requests, in arrival order, the indices of those that join now."""


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command of the command line, imported only when called.

    Attributes:
        name: The word after `decodekit`.
        target: "package.module:function", a function that typer can run.
        help: One line for `decodekit --help`.
    """

    name: str
    target: str
    help: str

    def load(self) -> Callable[..., Any]:
        """Import the function."""
        from importlib import import_module

        module, _, function = self.target.partition(":")
        return getattr(import_module(module), function)


ROLES: tuple[type[Technique], ...] = (
    LogitsProcessor,
    Constraint,
    TokenSelector,
    Search,
    Drafter,
    Verifier,
    KVCache,
    ModelRunner,
    ModelHook,
    ModelAdapter,
    Prompt,
    StopCondition,
    Observer,
    Aggregator,
    Scheduler,
)
"""Every role that has techniques, in the order of the loop."""

__all__ = [
    "ROLES",
    "Aggregator",
    "BuildContext",
    "Command",
    "Companion",
    "CompiledConstraint",
    "Constraint",
    "Draft",
    "Drafter",
    "Expansion",
    "GroupView",
    "KVCache",
    "LogitsProcessor",
    "ModelAdapter",
    "ModelHook",
    "ModelRunner",
    "Observer",
    "PartialParser",
    "Prompt",
    "Scheduler",
    "Search",
    "Stage",
    "StopCondition",
    "Technique",
    "TokenSelector",
    "Verdict",
    "Verifier",
]
