"""From the model's logits to target laws: processors by stage, the constraint in between, many requests at once.

Positions whose requests go through the same chain of pieces are handled in one call per piece; numbers in which they
differ become `[position, 1]` tensors. The rest is split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from decodekit.errors import DeadEndError, GenerationError, blamed_on
from decodekit.law import Law
from decodekit.plan import Link, RequestPlan, is_number, piece_key
from decodekit.positions import Positions
from decodekit.techniques import Stage
from decodekit.types import Bool, Float, Int64, PackedMask, State, Tensor
from decodekit.views import ModelView, Seen

NARROW = 1024
"""Up to this many allowed tokens a mask turns a law into a candidate set, so that later pieces touch only those."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Positions that share a chain.

    Attributes:
        index: Which of the positions that were split, or None for all.
        plans: Plan of each position.
        pieces: Their processors, stacked where numbers differ.
        selector: Their selector, stacked likewise; None under a search.
    """

    index: list[int] | None
    plans: list[RequestPlan]
    pieces: tuple[Any, ...]
    selector: Any


@dataclass(frozen=True, slots=True, eq=False)
class TargetLaw:
    """The target law of one part's positions.

    Attributes:
        law: The law.
        at: The positions.
        lifted: Which positions had their bans lifted; None where there were no bans.
    """

    law: Law
    at: Positions
    lifted: Bool[Tensor, "position"] | None


@dataclass(slots=True, eq=False)
class PositionStates:
    """What the pieces remember at each position.

    Attributes:
        processors: Per position one state per processor.
        constraints: Per position the constraint's state.
        remaining: Tokens that the row may still generate, the next one included.
        places: The positions, counted over the whole step.
        seen: What model hooks see; None where there are none to see it.
    """

    processors: list[tuple[State, ...]]
    constraints: list[State]
    remaining: list[int]
    places: Sequence[int] = ()
    seen: Seen | None = None

    def select(self, index: Sequence[int]) -> PositionStates:
        """Give these positions' states."""
        return PositionStates(
            [self.processors[p] for p in index],
            [self.constraints[p] for p in index],
            [self.remaining[p] for p in index],
            [self.places[p] for p in index] if self.seen is not None else (),
            self.seen,
        )

    def at(self, position: int) -> PositionStates:
        """Give one position's states."""
        return self.select([position])


def split(plans: Sequence[RequestPlan], dtype: torch.dtype, device: torch.device) -> list[Part]:
    """Group positions by chain. Pure; callers keep the parts while the rows stay the same."""
    groups: dict[Any, list[int]] = {}
    for i, plan in enumerate(plans):
        groups.setdefault(plan.signature, []).append(i)
    parts: list[Part] = []
    for index in groups.values():
        chosen = [plans[i] for i in index]
        first = chosen[0]
        pieces = tuple(
            stack([plan.processors[j].piece for plan in chosen], dtype, device) for j in range(len(first.processors))
        )
        selector = stack([plan.selector for plan in chosen], dtype, device)
        parts.append(Part(None if len(groups) == 1 else index, chosen, pieces, selector))
    return parts


def stack(pieces: Sequence[Any], dtype: torch.dtype, device: torch.device) -> Any:
    """Make one piece of several that differ only in numbers; a number that differs becomes a `[position, 1]` tensor."""
    first = pieces[0]
    if all(piece is first for piece in pieces) or not getattr(first, "stackable", False):
        return first
    values: dict[str, Any] = {}
    for name, value in first:
        column = [getattr(piece, name) for piece in pieces]
        if is_number(value) and any(other != value for other in column):
            kind = torch.int64 if all(isinstance(v, int) for v in column) else dtype
            values[name] = torch.tensor(column, dtype=kind, device=device)[:, None]
        else:
            values[name] = value
    return type(first).model_construct(**values)


def target_law(part: Part, logits: Float[Tensor, "position vocab"], at: Positions, states: PositionStates) -> TargetLaw:
    """Run one part's chain.

    Args:
        part: The part.
        logits: The model's logits at the part's positions, in a dtype of at least 32 bits.
        at: The part's positions.
        states: Their states.

    Raises:
        GenerationError: When a piece raises; names it.
    """
    law, lifted = Law(logits), None
    for _, law, lifted in _chain(part, logits, at, states):  # noqa: B007  # what the last piece leaves is the law
        pass
    return TargetLaw(law, at, lifted)


def _chain(
    part: Part,
    logits: Float[Tensor, "position vocab"],
    at: Positions,
    states: PositionStates,
    *,
    blaming: bool = False,
) -> Iterator[tuple[str, Law, Tensor | None]]:
    """Run the chain piece by piece; give who has just run, the law now, and at which positions bans were lifted."""
    law, vocab = Law(logits), logits.shape[-1]
    links = part.plans[0].processors
    early = part.plans[0].early
    base: Law | None = None
    lifted: Tensor | None = None
    for j, link in enumerate(links[:early]):
        if link.stage is Stage.BAN and base is None:
            base = law
        law = _call(part.pieces[j], link, law, at, states, j, vocab)
        if base is None or (blaming and bool(law.logits.isnan().any())):
            yield link.name, law, None
    if part.plans[0].constraint is not None:
        apply = _mask(part.plans, states, logits.device, vocab)
        law, base = apply(law), base and apply(base)
        if base is None:
            yield part.plans[0].constraint_name, law, None
    if base is not None:
        law, lifted = _lift(law, base, vocab)
        yield part.plans[0].constraint_name or links[early - 1].name, law, lifted
    for j, link in enumerate(links[early:], early):
        law = _call(part.pieces[j], link, law, at, states, j, vocab)
        yield link.name, law, lifted


def blame(part: Part, logits: Float[Tensor, "one vocab"], at: Positions, states: PositionStates) -> str:
    """Name the first piece after which a position has no usable law.

    Args:
        part: The position's part.
        logits: The model's logits there.
        at: The position alone.
        states: Its states.
    """
    plan = part.plans[0]
    alone = Part(None, [plan], tuple(link.piece for link in plan.processors), plan.selector)
    for name, law, _ in _chain(alone, logits, at, states, blaming=True):
        if not bool(torch.isfinite(law.logprobs()).any()):
            return name
    return plan.search.name if plan.search is not None else plan.selector.name


def _call(piece: Any, link: Link, law: Law, at: Positions, states: PositionStates, j: int, vocab: int) -> Law:
    if link.stateful:
        at = at.with_states([s[j] for s in states.processors])
    if link.hooked:
        if states.seen is None:
            # A draft's law may be any; what only the target model shows is left out of it.
            return law
        at = at.with_view(ModelView(link.name, states.places, states.seen))
    with blamed_on(link.name):
        after = piece(law, at)
        if not isinstance(after, Law):
            raise TypeError(f"it gave {type(after).__name__}, not a Law")
        _check_law(link.name, after, len(states.processors), vocab)
        if after.ids is not None and after.ids is not law.ids:
            _check_ids(link.name, after.ids, vocab)
    return after


def _check_law(name: str, law: Law, positions: int, vocab: int) -> None:
    """Refuse a law whose columns are no tokens any more, or whose logits are no such numbers: it would be misread."""
    ids, shape = law.ids, law.logits.shape
    fits = shape == (positions, vocab) if ids is None else shape == ids.shape and shape[0] == positions
    if not fits:
        given = list(shape) if ids is None else f"{list(shape)} with ids {list(ids.shape)}"
        raise GenerationError(
            f"{name} gave a law of shape {given}, and the law of {positions} positions has {vocab} tokens",
            hint="only a candidate set, Law(logits, ids), has fewer columns than the vocabulary",
        )
    if not law.logits.is_floating_point():
        raise GenerationError(
            f"{name} gave logits of the dtype {_called(law.logits)}, and log-probabilities are floating-point numbers",
            hint="keep the dtype of the logits that it was given",
        )


def _check_ids(name: str, ids: Tensor, vocab: int) -> None:
    """Refuse candidates that are no tokens; later pieces would read or write beside the vocabulary."""
    if ids.dtype != torch.int64:
        raise GenerationError(f"{name} gave ids of the dtype {_called(ids)}", hint="token ids are int64")
    if ids.device.type != "cpu" or not ids.numel():
        return  # to look at them would wait for an accelerator
    each = ids.numpy()
    lowest, highest = int(each.min()), int(each.max())
    if lowest < 0 or highest >= vocab:
        raise GenerationError(
            f"{name} gave the token {lowest if lowest < 0 else highest}, and tokens are whole numbers from 0 to "
            f"{vocab - 1}",
            hint="columns that are no candidates have the logit -inf and any token of the vocabulary",
        )


def _called(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")


def _mask(
    plans: Sequence[RequestPlan], states: PositionStates, device: torch.device, vocab: int
) -> Callable[[Law], Law]:
    # Rows of a search, samples of a prompt and requests with one schema are often in the very same state: its mask is
    # worked out once.
    languages = {i: (piece_key(plan.constraint), plan.end_tokens) for i, plan in {id(p): p for p in plans}.items()}
    known: dict[Any, PackedMask] = {}
    masks: list[PackedMask] = []
    for plan, state, remaining in zip(plans, states.constraints, states.remaining, strict=True):
        key = languages[id(plan)], id(state), remaining
        if key not in known:
            known[key] = with_end_tokens(plan, state, remaining)
        masks.append(known[key])
    packed = masks[:1] if all(mask is masks[0] for mask in masks) else masks
    return mask_applier(np.stack(packed), device, vocab)


def with_end_tokens(plan: RequestPlan, state: State, remaining: int) -> PackedMask:
    """Give the constraint's mask at a state, with the request's end tokens where the text is complete.

    Raises:
        DeadEndError: Where nothing is allowed, which a right constraint never lets happen.
    """
    assert plan.constraint is not None
    with blamed_on(plan.constraint_name):
        mask = plan.constraint.mask(state, remaining)
        complete = plan.constraint.is_complete(state)
    if plan.end_tokens and complete:
        mask = mask.copy()
        words = mask.view(np.uint32)
        for token in plan.end_tokens:
            words[token >> 5] |= np.uint32(1 << (token & 31))
    if not mask.any():
        raise DeadEndError(
            f"{plan.constraint_name} allows no token after {plan.limit - remaining} new ones, with {remaining} left "
            f"(state {state!r})",
            hint="a constraint must not lead into a dead end; decodekit.testing.ConstraintLaws finds where it does",
        )
    return mask


def mask_applier(packed: NDArray[np.int32], device: torch.device, vocab: int) -> Callable[[Law], Law]:
    """Unpack masks of shape [position or 1, word] once, to apply them to one or two laws."""
    words = packed.view(np.uint8)
    most = int(np.bitwise_count(packed.view(np.uint32)).sum(axis=1, dtype=np.int64).max())
    if most <= NARROW < vocab:
        ids, real = _columns(words, vocab)
        narrow, padding = torch.from_numpy(ids).to(device), torch.from_numpy(~real).to(device)
        return lambda law: _narrow(law, narrow.expand(len(law.logits), -1), padding)

    def wide(law: Law) -> Law:
        if law.ids is None and law.logits.device.type == "cpu":
            taken = _bans(law.logits.dtype).take(words, axis=0, mode="clip").reshape(len(words), -1)
            bans = torch.from_numpy(taken)[:, :vocab]
            # The bans are ours: no third array has to be brought into the cache.
            return Law(bans.add_(law.logits) if len(bans) == len(law.logits) else bans + law.logits)
        kept = torch.from_numpy(_unpacked(words, vocab)).to(device).expand(len(law.logits), -1)
        return law.keep(kept if law.ids is None else kept.gather(-1, law.ids))

    return wide


def _unpacked(words: NDArray[np.uint8], vocab: int) -> NDArray[np.bool_]:
    return np.unpackbits(words, axis=1, bitorder="little")[:, :vocab].view(np.bool_)


def _columns(words: NDArray[np.uint8], vocab: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give the allowed tokens of each row, ascending, filled up with the last token, and which of them are real."""
    allowed = _unpacked(words, vocab)
    # One row at a time, which numpy counts with wide vectors.
    counts = np.array([np.count_nonzero(row) for row in allowed])
    real = np.arange(counts.max()) < counts[:, None]
    ids = np.full(real.shape, vocab - 1, dtype=np.int64)
    ids[real] = np.flatnonzero(allowed) % vocab
    return ids, real


@lru_cache(maxsize=8)
def _bans(dtype: torch.dtype) -> NDArray[Any]:
    """Give what eight packed tokens add to their logits: nothing, or -inf where they are not allowed, shape [256, 8].

    A choice per token takes longer on a CPU, up to ten times where it cannot guess which way the next one goes.
    """
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return torch.from_numpy(np.where(bits, 0.0, -np.inf)).to(dtype).numpy()


def _narrow(law: Law, ids: Int64[Tensor, "position candidate"], padding: Bool[Tensor, "position candidate"]) -> Law:
    if law.ids is not None:
        law = law.full(int(max(law.ids.max(), ids.max())) + 1)
    logits = law.logits.gather(-1, ids)
    return Law(torch.where(padding, float("-inf"), logits), ids)


def _lift(law: Law, base: Law, vocab: int) -> tuple[Law, Tensor]:
    """Where bans left nothing, take the law from before them."""
    empty = law.logits.amax(dim=-1) == float("-inf")
    if law.ids is not base.ids:
        law, base = law.full(vocab), base.full(vocab)
    return law.with_logits(torch.where(empty[:, None], base.logits, law.logits)), empty
