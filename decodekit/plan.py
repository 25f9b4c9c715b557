"""Plans: what rows share (engine plan), and what belongs to one request (request plan), ready to run.

How a request becomes a plan, or is refused, is in `assembly`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from decodekit.errors import blamed_on
from decodekit.law import Law
from decodekit.techniques import Companion, CompiledConstraint, Drafter, LogitsProcessor, ModelHook, Scheduler, Stage
from decodekit.types import State
from decodekit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from decodekit.model import CausalModel
    from decodekit.plugins import Plugins
    from decodekit.prefix import Prefix
    from decodekit.request import Request


class EnginePlan:
    """What all rows of a decoder share: model, vocabulary, plugins, how many rows run at once.

    Args:
        model: The wrapped model.
        tokenizer: Hugging Face tokenizer, or None.
        registry: The plugins.
        max_rows: Most rows in one forward pass; further samples and requests wait.
        scheduler: Chooses who joins next; None is first come, first served.
    """

    def __init__(
        self, model: CausalModel, tokenizer: Any, registry: Plugins, max_rows: int, scheduler: Scheduler | None = None
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.registry = registry
        self.max_rows = max_rows
        self.scheduler = scheduler

    @cached_property
    def vocabulary(self) -> Vocabulary | None:
        """Every token's bytes, built on first use; None without a tokenizer."""
        if self.tokenizer is None or isinstance(self.tokenizer, Vocabulary):
            return self.tokenizer
        return Vocabulary.from_tokenizer(self.tokenizer, size=self.model.vocab_size)

    @cached_property
    def end_tokens(self) -> tuple[int, ...]:
        """Token ids that end a text, from the model's generation config or else the tokenizer; may be empty."""
        config = getattr(self.model.model, "generation_config", None)
        found = getattr(config, "eos_token_id", None)
        if isinstance(self.tokenizer, Vocabulary) and self.tokenizer.end_tokens:
            found = list(self.tokenizer.end_tokens)
        if found is None:
            found = getattr(self.model.model.config, "eos_token_id", None)
        if found is None:
            found = getattr(self.tokenizer, "eos_token_id", None)
        tokens = [] if found is None else found if isinstance(found, list | tuple) else [found]
        return tuple(sorted({int(token) for token in tokens if 0 <= int(token) < self.model.vocab_size}))


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """One processor in the chain of a request.

    Attributes:
        piece: Its working piece.
        name: Flat name, for messages.
        stage: When it runs.
        stateful: Whether it remembers anything about a row.
        reads_law: Whether what it remembers depends on the laws that tokens were taken from.
        hooked: Whether it is a model hook too, and sees the model.
    """

    piece: Any
    name: str
    stage: Stage
    stateful: bool
    reads_law: bool
    hooked: bool = False

    @classmethod
    def of(cls, technique: LogitsProcessor, piece: Any) -> Link:
        """Join a technique's declarations with its working piece."""
        stateful = getattr(type(piece), "advance", LogitsProcessor.advance) is not LogitsProcessor.advance
        reads_law, hooked = stateful and technique.reads_law, isinstance(technique, ModelHook)
        return cls(piece, technique.name, technique.stage, stateful, reads_law, hooked)


@dataclass(frozen=True, slots=True, eq=False)
class Hook:
    """One model hook of a request.

    Attributes:
        name: Flat name.
        piece: Its working piece.
        companion: The second row that it needs, or None.
        drafts: Whether the companion is a drafter's, and is read only when the drafter asks for it.
        watches: Whether it stands around forward passes.
        remembers: Whether its notes about all tokens are kept.
        changes_model: Whether it changes what the model computes.
    """

    name: str
    piece: Any
    companion: Companion | None
    drafts: bool
    watches: bool
    remembers: bool
    changes_model: bool

    @classmethod
    def of(cls, technique: ModelHook, piece: Any) -> Hook:
        """Join a technique's declarations with its working piece."""
        watches = getattr(type(piece), "around", ModelHook.around) is not ModelHook.around
        return cls(
            technique.name,
            piece,
            piece.companion(),
            isinstance(technique, Drafter),
            watches,
            technique.remembers,
            technique.changes_model,
        )


@dataclass(frozen=True, slots=True, eq=False)
class RequestPlan:
    """What belongs to one request, ready to run.

    Attributes:
        request: What was asked for.
        prompt: Token ids.
        limit: Most new tokens, cut to the model's context.
        seed: The request's seed, drawn if it had none.
        processors: In the order in which they run.
        constraint: All constraints in one, or None.
        constraint_name: Flat names of the constraints, for messages.
        selector: Chooses tokens; None where `search` is set.
        search: Expands the group; None where `selector` is set.
        drafters: Chained in the user's order.
        verifier: Judges drafts.
        stops: Stop strings.
        stop_pieces: (finish reason, condition) in order.
        observers: Witnesses.
        aggregator: Makes one answer of the samples.
        hooks: What reaches into the model.
        prefix: What is remembered of the prompt's beginning and may be used.
        end_tokens: Token ids that end the text.
        signature: Equal for plans whose positions go through the same chain of pieces.
        drafts: Whether rows may have drafts; not where a stop could end one row of a search inside of its draft.
        stateful: Whether some processor remembers anything about a row.
        reads_law: Whether some processor's memory depends on the laws that tokens were taken from.
        early: How many processors run before the constraint.
    """

    request: Request
    prompt: list[int]
    limit: int
    seed: int
    processors: tuple[Link, ...]
    constraint: CompiledConstraint | None
    constraint_name: str
    selector: Any
    search: Any
    drafters: tuple[Any, ...]
    verifier: Any
    stops: tuple[str, ...]
    stop_pieces: tuple[tuple[str, Callable[..., Any]], ...]
    observers: tuple[Any, ...]
    aggregator: Any
    hooks: tuple[Hook, ...]
    prefix: Prefix | None
    end_tokens: tuple[int, ...]
    signature: Hashable
    drafts: bool = field(init=False)
    stateful: bool = field(init=False)
    reads_law: bool = field(init=False)
    early: int = field(init=False)

    def __post_init__(self) -> None:
        stops = self.stops or self.stop_pieces or self.request.stop_tokens
        # Asked of every row at every step, so found out once.
        object.__setattr__(self, "drafts", bool(self.drafters) and not (self.search is not None and stops))
        object.__setattr__(self, "stateful", any(link.stateful for link in self.processors))
        object.__setattr__(self, "reads_law", any(link.reads_law for link in self.processors))
        object.__setattr__(self, "early", sum(link.stage <= Stage.BAN for link in self.processors))

    def sees_model(self, piece: Any) -> bool:
        """Say whether a piece of this plan is a model hook."""
        return any(hook.name == name_of(piece) for hook in self.hooks)

    def start(self) -> tuple[State, ...]:
        """Give the processors' states before the first new token."""
        states: list[State] = []
        for link in self.processors:
            with blamed_on(link.name):
                states.append(link.piece.start(self.prompt) if link.stateful else None)
        return tuple(states)

    def start_constraint(self) -> State:
        """Give the constraint's state before the first new token; None where there is no constraint."""
        if self.constraint is None:
            return None
        with blamed_on(self.constraint_name):
            return self.constraint.start()

    def advance_constraint(self, state: State, token: int) -> State:
        """Give the constraint's state after a token; None where there is no constraint."""
        if self.constraint is None:
            return None
        with blamed_on(self.constraint_name):
            return self.constraint.advance(state, token)

    def allows(self, state: State, remaining: int, token: int) -> bool:
        """Say whether the constraint lets a token follow that ends no text; every token where there is none."""
        if self.constraint is None:
            return True
        with blamed_on(self.constraint_name):
            mask = self.constraint.mask(state, remaining)
        return bool(int(mask[token >> 5]) >> (token & 31) & 1)

    @property
    def keeps_prefix(self) -> bool:
        """Whether samples bring what the model remembers; not where a hook changed what it computes."""
        return self.request.keep_prefix and not any(hook.changes_model for hook in self.hooks)

    def only_ends(self, state: State, remaining: int) -> bool:
        """Say whether a text can only end: a forward pass to fetch the end token would decide nothing."""
        if self.constraint is None:
            return False
        with blamed_on(self.constraint_name):
            return self.constraint.is_complete(state) and not self.constraint.mask(state, max(remaining, 1)).any()

    def advance(self, states: tuple[State, ...], token: int, law: Law | None) -> tuple[State, ...]:
        """Give the processors' states after a token; `law`, of one position, is needed where `reads_law`."""
        if not self.stateful:
            return states
        after: list[State] = []
        for link, state in zip(self.processors, states, strict=True):
            with blamed_on(link.name):
                law_seen = law if link.reads_law else None
                after.append(link.piece.advance(state, token, law_seen) if link.stateful else state)
        return tuple(after)


def piece_key(piece: Any) -> Hashable:
    """Give a key that is equal for pieces that one call can serve.

    A stackable technique is known by its class and its fields that are not numbers; anything else by its value, or by
    identity where it has no hash.
    """
    try:
        if getattr(piece, "stackable", False):
            fields = tuple((k, v) for k, v in piece if not is_number(v))
            hash(fields)
            return type(piece), fields
        hash(piece)
        return type(piece), piece
    except TypeError:
        return type(piece), id(piece)


def name_of(piece: Any) -> str:
    """Give the name of a working piece, for messages."""
    return getattr(piece, "name", "") or type(piece).__name__


def is_number(value: Any) -> bool:
    """Say whether a field's value can be stacked."""
    return isinstance(value, int | float) and not isinstance(value, bool)
