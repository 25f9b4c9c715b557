"""Compatibility: whether a request's techniques can run together on this decoder, or who cannot and why.

Compares what techniques declare, and never looks at which plugin a class comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from decodekit.errors import IncompatibleTechniquesError, RequestError
from decodekit.plan import EnginePlan
from decodekit.request import Request
from decodekit.techniques import (
    Aggregator,
    Constraint,
    Drafter,
    KVCache,
    ModelAdapter,
    ModelRunner,
    Scheduler,
    Search,
    Technique,
    TokenSelector,
    Verifier,
)
from decodekit.vocabulary import Vocabulary

ENGINE_ROLES: tuple[type[Technique], ...] = (KVCache, ModelRunner, ModelAdapter, Scheduler)
"""Roles that all rows of a decoder share."""
NEEDS = frozenset({"rewind", "tokenizer", "vocabulary", "logprobs"})
"""What the engine can give to a technique that declares it in `needs`."""

T = TypeVar("T", bound=Technique)


def of_role(techniques: Sequence[Technique], role: type[T]) -> list[T]:
    """Give the techniques of a role, in the user's order."""
    return [technique for technique in techniques if isinstance(technique, role)]


def one_of(techniques: Sequence[Technique], role: type[T]) -> T | None:
    """Give the first technique of a role; None where there is none."""
    return next(iter(of_role(techniques, role)), None)


def check(request: Request, engine: EnginePlan) -> None:
    """Refuse what contradicts itself, or what the decoder cannot serve, before anything is built.

    Raises:
        IncompatibleTechniquesError: For techniques that contradict one another or that the decoder cannot serve.
        RequestError: For a stop that this decoder cannot look for.
    """
    techniques = request.techniques
    _check_counts(techniques)
    _check_search(techniques, request, engine)
    _check_verifier(techniques)
    for technique in techniques:
        _check_needs(technique, request, engine)
        why = technique.conflict(techniques)
        if why:
            raise IncompatibleTechniquesError(f"{technique.name!r}: {why}")
    _check_stops(request, engine)


def _check_counts(techniques: Sequence[Technique]) -> None:
    for role in (TokenSelector, Search, Verifier, Aggregator):
        found = of_role(techniques, role)
        if len(found) > 1:
            names = " and ".join(repr(t.name) for t in found)
            raise IncompatibleTechniquesError(f"a request has at most one {role.role}, got {names}")
    names = [t.name for t in techniques if not isinstance(t, Constraint)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise IncompatibleTechniquesError(f"{twice!r} is asked for twice in one request", hint="leave one of them out")


def _check_search(techniques: Sequence[Technique], request: Request, engine: EnginePlan) -> None:
    search = one_of(techniques, Search)
    if search is None:
        return
    selector, verifier = one_of(techniques, TokenSelector), one_of(techniques, Verifier)
    guess = next((drafter for drafter in of_role(techniques, Drafter) if not drafter.for_searches), None)
    named, alone = f"{search.name!r} (search)", "leave one of them out"
    if selector:
        raise IncompatibleTechniquesError(
            f"{named} chooses tokens itself and cannot run with {selector.name!r} (token selector)", hint=alone
        )
    if search.rows > engine.max_rows:
        raise IncompatibleTechniquesError(
            f"{search.name!r} needs {search.rows} rows, and this decoder runs {engine.max_rows} at a time",
            hint=f"Decoder(…, max_rows={search.rows})",
        )
    if guess:
        raise IncompatibleTechniquesError(
            f"{named} cannot run with {guess.name!r} (drafter): a draft follows one path", hint=alone
        )
    if verifier:
        raise IncompatibleTechniquesError(
            f"{named} decides itself what is kept of a draft and cannot run with {verifier.name!r} (verifier)",
            hint=alone,
        )
    if request.n > search.rows:
        raise IncompatibleTechniquesError(f"{search.name!r} gives at most {search.rows} texts, and n is {request.n}")


def _check_verifier(techniques: Sequence[Technique]) -> None:
    verifier = one_of(techniques, Verifier)
    if verifier and not verifier.keeps_text and not of_role(techniques, Drafter):
        raise IncompatibleTechniquesError(
            f"{verifier.name!r} (verifier) judges drafts, and the request has no drafter",
            hint="add a drafter, or leave it out",
        )


def _check_needs(technique: Technique, request: Request, engine: EnginePlan) -> None:
    name, needs = repr(technique.name), technique.needs
    if isinstance(technique, ENGINE_ROLES):
        raise IncompatibleTechniquesError(
            f"{name} is a {technique.role}, which all rows of a decoder share",
            hint=f"give it to the decoder: Decoder(model, tokenizer, {technique.name}=…)",
        )
    if needs - NEEDS:
        raise IncompatibleTechniquesError(f"{name} needs {', '.join(sorted(needs - NEEDS))}, which this engine has not")
    if "vocabulary" in needs and engine.vocabulary is None:
        raise IncompatibleTechniquesError(
            f"{name} reads text, and this decoder has no tokenizer", hint="Decoder(model, tokenizer)"
        )
    if "tokenizer" in needs and (engine.tokenizer is None or isinstance(engine.tokenizer, Vocabulary)):
        raise IncompatibleTechniquesError(
            f"{name} needs a tokenizer, and this decoder has none", hint="Decoder(model, tokenizer)"
        )
    if "logprobs" in needs and not request.logprobs:
        raise IncompatibleTechniquesError(
            f"{name} compares log-probabilities, and the request has logprobs=False", hint="leave out logprobs=False"
        )


def _check_stops(request: Request, engine: EnginePlan) -> None:
    width = engine.model.vocab_size
    wrong = next((token for token in request.stop_tokens if not 0 <= token < width), None)
    if wrong is not None:
        raise RequestError(f"stop token {wrong} is outside of the model's vocabulary of {width}")
    if engine.vocabulary is None and any(isinstance(stop, str) for stop in request.stop):
        raise RequestError(
            "a stop string is text, and this decoder has no tokenizer",
            hint="Decoder(model, tokenizer), or stop_tokens",
        )
