"""A draft model: a small model goes ahead, the large one checks (arXiv:2211.17192, arXiv:2302.01318).

*Not* in here: how drafts are judged. Tokens come with the laws that they were drawn from, and a verifier compares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from pydantic import Field

from decodekit.law import Law, concat
from decodekit.model import CausalModel
from decodekit.positions import Positions
from decodekit.second_model import ModelSource, second_model
from decodekit.techniques import BuildContext, Companion, Draft, Drafter, ModelHook
from decodekit.types import State


class DraftModel(
    ModelHook,
    Drafter,
    name="draft_model",
    default_verifier="token_rule",
    source="arXiv:2211.17192, arXiv:2302.01318; transformers, assisted generation",
):
    """Propose what a smaller model would write.

    It chooses as the request chooses: with its processors, its constraint and its selector, and random numbers of its
    own. It stops where the text can only end, where its context ends, and behind a token less likely than
    `min_probability`.
    Exact: the text follows the law of the decoder's model; where tokens are chosen without randomness it is the same
    text token for token.

    *Cost:* one forward pass of the draft model per drafted token, for all rows together, its memory of every row, and a
    law per drafted token.

    Args:
        model: The smaller model, with the same vocabulary: a transformers model, a `Decoder`, or a path or name, which
            is loaded once per decoder.
        tokens: Most tokens to propose in a step.
        min_probability: The draft ends behind a token whose probability under its law is less, in [0, 1]; 0 never ends
            it, so that nothing is spent on looking.
    """

    model: ModelSource
    tokens: int = Field(default=5, ge=1)
    min_probability: float = Field(default=0.0, ge=0, le=1)

    def build(self, context: BuildContext) -> GoingAhead:
        wish = Wish(self.tokens, self.min_probability)
        return GoingAhead(second_model(self.model, context, self.name), wish)

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        raise NotImplementedError("its piece drafts")


@dataclass(frozen=True, slots=True)
class Wish:
    """What one request wants of its drafts; a row's state, because rows of several requests go ahead together.

    Attributes:
        tokens: Most tokens.
        min_probability: The draft ends behind a less likely token.
    """

    tokens: int
    min_probability: float

    @property
    def floor(self) -> float:
        """The log of `min_probability`."""
        return math.log(self.min_probability) if self.min_probability else -math.inf


@dataclass(frozen=True, slots=True)
class GoingAhead:
    """The working piece; equal for requests with the same model.

    Attributes:
        model: Goes ahead.
        wish: Of the request that it was built for.
    """

    name: ClassVar[str] = DraftModel.name
    model: CausalModel
    wish: Wish = field(compare=False)

    def companion(self) -> Companion:
        """Give the row of the draft model that follows each row."""
        return Companion(None, self.model)

    def start(self, prompt: Sequence[int]) -> State:
        """Give what the row's request wants."""
        return self.wish

    def advance(self, state: State, token: int) -> State:
        """Give the same."""
        return state

    def __call__(self, at: Positions, limits: Sequence[int]) -> list[Draft]:
        """Let all rows go ahead together, one token at a time."""
        wishes: list[Wish] = list(at.states)
        view, certain = at.view, at.view.certain
        drafted: list[list[int]] = [[] for _ in limits]
        laws: list[list[Law]] = [[] for _ in limits]
        depth, active = 0, [i for i, limit in enumerate(limits) if limit > 0]
        while active:
            tokens, law = view.step(active)
            depth += 1
            logprobs = _logprobs(law, tokens) if any(wishes[i].min_probability for i in active) else [0.0] * len(tokens)
            for place, (i, token) in enumerate(zip(active, tokens, strict=True)):
                drafted[i].append(token)
                if not certain[i]:
                    laws[i].append(_row(law, place))
            active = [
                i
                for i, logprob in zip(active, logprobs, strict=True)
                if depth < min(limits[i], wishes[i].tokens) and logprob >= wishes[i].floor and view.goes_on(i)
            ]
        return [Draft(tokens, _joined(own)) for tokens, own in zip(drafted, laws, strict=True)]


def _logprobs(law: Law, tokens: Sequence[int]) -> list[float]:
    return law.logprob_of(torch.tensor(tokens, device=law.logits.device)).tolist()


def _row(law: Law, place: int) -> Law:
    """Give one position without a copy."""
    some = slice(place, place + 1)
    return Law(law.logits[some], None if law.ids is None else law.ids[some])


def _joined(laws: Sequence[Law]) -> Law | None:
    """Put the laws of a draft one after another; a step may have given candidates where another gave the full width."""
    width = max((law.logits.shape[-1] for law in laws if law.ids is None), default=0)
    return concat(laws, width) if laws else None


__all__ = ["DraftModel", "GoingAhead", "Wish"]
