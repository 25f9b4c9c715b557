"""Assembly: from a request to its plan, or to a refusal by name, before the first forward pass.

Assembly compares what techniques declare and never looks at which plugin a class comes from.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from decodekit.encoding import encode_prompt
from decodekit.errors import (
    DecodekitError,
    IncompatibleTechniquesError,
    PluginError,
    PromptError,
    RequestError,
    UnsatisfiableSchemaError,
)
from decodekit.plan import EnginePlan, Hook, Link, RequestPlan, name_of, piece_key
from decodekit.prefix import Prefix, as_prefix
from decodekit.request import Request
from decodekit.techniques import (
    Aggregator,
    BuildContext,
    CompiledConstraint,
    Constraint,
    Drafter,
    KVCache,
    LogitsProcessor,
    ModelAdapter,
    ModelHook,
    ModelRunner,
    Observer,
    Prompt,
    Scheduler,
    Search,
    StopCondition,
    Technique,
    TokenSelector,
    Verifier,
)
from decodekit.vocabulary import Vocabulary

DEFAULT_NEW_TOKENS = 256
ENGINE_ROLES: tuple[type[Technique], ...] = (KVCache, ModelRunner, ModelAdapter, Scheduler)
NEEDS = frozenset({"rewind", "tokenizer", "vocabulary", "logprobs"})
"""What the engine can give to a technique that declares it in `needs`."""

T = TypeVar("T", bound=Technique)


def assemble(request: Request, engine: EnginePlan) -> RequestPlan:
    """Build a request's plan, or refuse it.

    Raises:
        PromptError: For an empty or too long prompt, or tokens outside of the vocabulary.
        IncompatibleTechniquesError: For techniques that contradict one another or that the model cannot serve.
        RequestError: For everything else that is wrong with the request; plugins raise subclasses, such as
            `SchemaError`.
    """
    techniques = request.techniques
    _check_roles(techniques, engine)
    blind = next((t for t in techniques if "logprobs" in t.needs and not request.logprobs), None)
    if blind is not None:
        raise IncompatibleTechniquesError(
            f"{blind.name!r} compares log-probabilities, and the request has logprobs=False", hint="leave that out"
        )
    search = _one(techniques, Search)
    if search is not None and request.n > search.rows:
        raise IncompatibleTechniquesError(f"{search.name!r} gives at most {search.rows} texts, and n is {request.n}")
    wrong = next((token for token in request.stop_tokens if not 0 <= token < engine.model.vocab_size), None)
    if wrong is not None:
        raise RequestError(f"stop token {wrong} is outside of the model's vocabulary of {engine.model.vocab_size}")
    if engine.vocabulary is None and any(isinstance(stop, str) for stop in request.stop):
        raise RequestError(
            "a stop string is text, and this decoder has no tokenizer",
            hint="Decoder(model, tokenizer), or stop_tokens",
        )
    prompt = encode(request, engine)
    limit = _limit(request, engine, len(prompt))
    context = BuildContext(
        engine.vocabulary,
        None if isinstance(engine.tokenizer, Vocabulary) else engine.tokenizer,
        engine.model,
        engine.model.vocab_size,
        (*engine.end_tokens, *request.stop_tokens),
        tuple(prompt),
        limit,
    )
    processors = sorted(_of(techniques, LogitsProcessor), key=lambda p: p.stage)
    selector = _one(techniques, TokenSelector)
    if search is None and selector is None:
        wanted = next((p.default_selector for p in processors if p.default_selector), "argmax")
        selector = engine.registry.technique(wanted)()
    drafters = _of(techniques, Drafter)
    verifier = _one(techniques, Verifier)
    if verifier is None:
        wanted = next((d.default_verifier for d in drafters if d.default_verifier), "match")
        verifier = engine.registry.technique(wanted)()
    links = tuple(Link.of(p, _build(p, context)) for p in processors)
    constraint = _constraint(techniques, context, limit)
    context = replace(context, constraint=constraint)
    selector_piece = None if selector is None else _build(selector, context)
    verifier_piece = _build(verifier, context)
    conditions = [(s.name, _build(s, context)) for s in _of(techniques, StopCondition)]
    aggregator = _one(techniques, Aggregator)
    search_piece = None if search is None else _build(search, context)
    drafter_pieces = tuple(_build(d, context) for d in drafters)
    observer_pieces = tuple(_build(o, context) for o in _of(techniques, Observer))
    made = [link.piece for link in links] + [selector_piece, search_piece, *drafter_pieces, *observer_pieces]
    hooks = tuple(_hook(hook, made, context) for hook in _of(techniques, ModelHook))
    return RequestPlan(
        request,
        prompt,
        limit,
        secrets.randbits(63) if request.seed is None else request.seed,
        links,
        constraint,
        " and ".join(c.name for c in _of(techniques, Constraint)),
        selector_piece,
        search_piece,
        drafter_pieces,
        verifier_piece,
        tuple(s for s in request.stop if isinstance(s, str)),
        (*(("stop", s) for s in request.stop if callable(s)), *conditions),
        observer_pieces,
        None if aggregator is None else _build(aggregator, context),
        hooks,
        _prefix(request, prompt, hooks, engine),
        engine.end_tokens,
        (
            tuple(piece_key(link.piece) for link in links),
            constraint is not None,
            piece_key(selector_piece),
            piece_key(verifier_piece),
        ),
    )


def encode(request: Request, engine: EnginePlan) -> list[int]:
    """Turn a request's prompt into token ids; `Prompt` techniques run first."""
    prompt: Any = request.prompt
    rewriters = _of(request.techniques, Prompt)
    if rewriters and isinstance(request.prompt, tuple):
        raise IncompatibleTechniquesError(
            f"{rewriters[0].name} rewrites text, but the prompt is token ids",
            hint="give the prompt as text or chat messages",
        )
    for rewriter in rewriters:
        try:
            prompt = rewriter(prompt, {"techniques": request.techniques, "tokenizer": engine.tokenizer})
        except DecodekitError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise PluginError(f"{rewriter.name} cannot rewrite the prompt: {what}") from error
        if not isinstance(prompt, str | list):
            raise PluginError(
                f"{rewriter.name} gave a prompt of the type {type(prompt).__name__}",
                hint="a prompt technique returns text or a list of chat messages",
            )
    tokens = encode_prompt(prompt, engine.tokenizer, engine.model.vocab_size)
    if not tokens:
        raise PromptError("the prompt is empty", hint="give at least one token, for instance the model's bos token")
    return tokens


def _of(techniques: Sequence[Technique], role: type[T]) -> list[T]:
    return [technique for technique in techniques if isinstance(technique, role)]


def _one(techniques: Sequence[Technique], role: type[T]) -> T | None:
    found = _of(techniques, role)
    return found[0] if found else None


def _check_roles(techniques: Sequence[Technique], engine: EnginePlan) -> None:
    for role in (TokenSelector, Search, Verifier, Aggregator):
        found = _of(techniques, role)
        if len(found) > 1:
            names = " and ".join(repr(t.name) for t in found)
            raise IncompatibleTechniquesError(f"a request has at most one {role.role}, got {names}")
    selector, search = _one(techniques, TokenSelector), _one(techniques, Search)
    if selector and search:
        raise IncompatibleTechniquesError(
            f"{search.name!r} (search) chooses tokens itself and cannot run with {selector.name!r} (token selector)",
            hint="leave one of them out",
        )
    if search and search.rows > engine.max_rows:
        raise IncompatibleTechniquesError(
            f"{search.name!r} needs {search.rows} rows, and this decoder runs {engine.max_rows} at a time",
            hint=f"Decoder(…, max_rows={search.rows})",
        )
    drafters = _of(techniques, Drafter)
    guess = next((drafter for drafter in drafters if not drafter.for_searches), None)
    if search and guess:
        raise IncompatibleTechniquesError(
            f"{search.name!r} (search) cannot run with {guess.name!r} (drafter): a draft follows one path",
            hint="leave one of them out",
        )
    verifier = _one(techniques, Verifier)
    if verifier and search:
        raise IncompatibleTechniquesError(
            f"{search.name!r} (search) decides itself what is kept of a draft and cannot run with {verifier.name!r} "
            f"(verifier)",
            hint="leave one of them out",
        )
    if verifier and not drafters and not verifier.keeps_text:
        raise IncompatibleTechniquesError(
            f"{verifier.name!r} (verifier) judges drafts, and the request has no drafter",
            hint="add a drafter, or leave it out",
        )
    names = [t.name for t in techniques if not isinstance(t, Constraint)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise IncompatibleTechniquesError(f"{twice!r} is asked for twice in one request", hint="leave one of them out")
    for technique in techniques:
        if isinstance(technique, ENGINE_ROLES):
            raise IncompatibleTechniquesError(
                f"{technique.name!r} is a {technique.role}, which all rows of a decoder share",
                hint=f"give it to the decoder: Decoder(model, tokenizer, {technique.name}=…)",
            )
        missing = technique.needs - NEEDS
        if missing:
            raise IncompatibleTechniquesError(
                f"{technique.name!r} needs {', '.join(sorted(missing))}, which this engine has not"
            )
        if "vocabulary" in technique.needs and engine.vocabulary is None:
            raise IncompatibleTechniquesError(
                f"{technique.name!r} reads text, and this decoder has no tokenizer", hint="Decoder(model, tokenizer)"
            )
        if "tokenizer" in technique.needs and (engine.tokenizer is None or isinstance(engine.tokenizer, Vocabulary)):
            raise IncompatibleTechniquesError(
                f"{technique.name!r} needs a tokenizer, and this decoder has none", hint="Decoder(model, tokenizer)"
            )
        why = technique.conflict(techniques)
        if why:
            raise IncompatibleTechniquesError(f"{technique.name!r}: {why}")


def _limit(request: Request, engine: EnginePlan, prompt: int) -> int:
    context = engine.model.max_length
    if context is not None and prompt >= context:
        raise PromptError(
            f"the prompt has {prompt} tokens, and the model's context of {context} leaves no room to generate",
            hint="shorten the prompt",
        )
    config = getattr(engine.model.model, "generation_config", None)
    wanted = request.max_new_tokens or getattr(config, "max_new_tokens", None) or DEFAULT_NEW_TOKENS
    return wanted if context is None else min(wanted, context - prompt)


def _constraint(techniques: Sequence[Technique], context: BuildContext, limit: int) -> CompiledConstraint | None:
    constraints = _of(techniques, Constraint)
    if not constraints:
        return None
    if context.vocabulary is None:
        raise IncompatibleTechniquesError(
            f"{constraints[0].name!r} needs to know the tokens' bytes, and this decoder has no tokenizer",
            hint="Decoder(model, tokenizer) or Decoder(model, vocabulary)",
        )
    compiled: CompiledConstraint = _build(constraints[0], context)
    for constraint in constraints[1:]:
        other: CompiledConstraint = _build(constraint, context)
        joint = compiled.intersect(other) or other.intersect(compiled)
        if joint is None:
            raise IncompatibleTechniquesError(
                f"{constraints[0].name!r} and {constraint.name!r} cannot be intersected without dead ends",
                hint=constraint.alone or constraints[0].alone or "put both into one schema or regex",
            )
        compiled = joint
    start = compiled.start()
    if not context.end_tokens and compiled.is_complete(start) and not compiled.mask(start, limit).any():
        raise UnsatisfiableSchemaError(
            f"{constraints[0].name}: it allows only the empty text, and this model has no end token to write it with"
        )
    fewest = compiled.min_tokens(compiled.start())
    if fewest > limit:
        raise UnsatisfiableSchemaError(
            f"{constraints[0].name}: the shortest text that satisfies it has {fewest} tokens, "
            f"and the request may generate {limit}",
            hint=f"max_new_tokens={fewest} or more, within the model's context",
        )
    return compiled


def _hook(technique: ModelHook, made: Sequence[Any], context: BuildContext) -> Hook:
    """Find the working piece of a hook that is of a second role too, or build it; refuse what it cannot be given."""
    if isinstance(technique, Verifier | StopCondition | Aggregator):
        raise IncompatibleTechniquesError(f"{technique.name!r} is a {technique.role}, which sees nothing of the model")
    piece = next((p for p in made if p is not None and name_of(p) == technique.name), None)
    hook = Hook.of(technique, _build(technique, context) if piece is None else piece)
    companion = hook.companion
    if companion is None and hook.drafts:
        raise IncompatibleTechniquesError(
            f"{technique.name!r} is a drafter without a companion: notes are about tokens that were read, and the last "
            "one of a row is not when it drafts"
        )
    if companion is None or hook.drafts:
        return hook
    model, prompt = companion.model or context.model, context.prompt if companion.prompt is None else companion.prompt
    if not prompt:
        raise IncompatibleTechniquesError(f"{technique.name!r} needs a prompt of at least one token to start from")
    room = None if model is None or model.max_length is None else model.max_length - len(prompt)
    if room is not None and room < context.max_new_tokens:
        raise IncompatibleTechniquesError(
            f"{technique.name!r} reads a prompt of {len(prompt)} tokens, so that its model's context leaves "
            f"room for {max(room, 0)} new ones, and the request may generate {context.max_new_tokens}",
            hint=f"max_new_tokens={room}" if room > 0 else "shorten its prompt",
        )
    return hook


def _prefix(request: Request, prompt: list[int], hooks: Sequence[Hook], engine: EnginePlan) -> Prefix | None:
    """Give the prefix that the request may start from; it does without where its own model must read every token."""
    given = None if request.prefix is None else as_prefix(request.prefix, prompt, engine.model)
    reads_all = request.prompt_logprobs or any(hook.remembers or hook.changes_model for hook in hooks)
    return None if given is None or reads_all or not given.common(prompt) else given


def _build(technique: Technique, context: BuildContext) -> Any:
    try:
        return technique.build(context)
    except DecodekitError:
        raise
    except Exception as error:
        raise PluginError(f"technique {technique.name!r} fails to build: {type(error).__name__}: {error}") from error
