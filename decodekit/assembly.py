"""Assembly: from a request to its plan, or to a refusal by name, before the first forward pass."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from decodekit.compatibility import check, of_role, one_of
from decodekit.encoding import encode_prompt
from decodekit.errors import (
    DecodekitError,
    IncompatibleTechniquesError,
    PluginError,
    PromptError,
    UnsatisfiableSchemaError,
)
from decodekit.plan import EnginePlan, Hook, Link, RequestPlan, name_of, piece_key
from decodekit.prefix import Prefix, as_prefix
from decodekit.request import Request, is_chat
from decodekit.techniques import (
    Aggregator,
    BuildContext,
    CompiledConstraint,
    Constraint,
    Drafter,
    LogitsProcessor,
    ModelHook,
    Observer,
    Prompt,
    Search,
    StopCondition,
    Technique,
    TokenSelector,
    Verifier,
)
from decodekit.vocabulary import Vocabulary

DEFAULT_NEW_TOKENS = 256


def assemble(request: Request, engine: EnginePlan) -> RequestPlan:
    """Build a request's plan, or refuse it.

    Raises:
        PromptError: For an empty or too long prompt, or tokens outside of the vocabulary.
        IncompatibleTechniquesError: For techniques that contradict one another or that the model cannot serve.
        RequestError: For everything else that is wrong with the request; plugins raise subclasses, such as
            `SchemaError`.
    """
    check(request, engine)
    techniques = request.techniques
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
    links = tuple(Link.of(p, _build(p, context)) for p in _in_order(techniques))
    constraint = _constraint(techniques, context, limit)
    context = replace(context, constraint=constraint)
    chooser, judge = _selector(techniques, engine), _verifier(techniques, engine)
    selector = None if chooser is None else _build(chooser, context)
    verifier = _build(judge, context)
    conditions = [(s.name, _build(s, context)) for s in of_role(techniques, StopCondition)]
    search = _build_one(techniques, Search, context)
    drafters = tuple(_build(d, context) for d in of_role(techniques, Drafter))
    observers = tuple(_build(o, context) for o in of_role(techniques, Observer))
    made = [link.piece for link in links] + [selector, search, *drafters, *observers]
    hooks = tuple(_hook(hook, made, context) for hook in of_role(techniques, ModelHook))
    return RequestPlan(
        request=request,
        prompt=prompt,
        limit=limit,
        seed=secrets.randbits(63) if request.seed is None else request.seed,
        processors=links,
        constraint=constraint,
        constraint_name=" and ".join(c.name for c in of_role(techniques, Constraint)),
        selector=selector,
        search=search,
        drafters=drafters,
        verifier=verifier,
        stops=tuple(s for s in request.stop if isinstance(s, str)),
        stop_pieces=(*(("stop", s) for s in request.stop if callable(s)), *conditions),
        observers=observers,
        aggregator=_build_one(techniques, Aggregator, context),
        hooks=hooks,
        prefix=_prefix(request, prompt, hooks, engine),
        end_tokens=engine.end_tokens,
        signature=(
            tuple(piece_key(link.piece) for link in links),
            constraint is not None,
            piece_key(selector),
            piece_key(verifier),
        ),
    )


def _in_order(techniques: Sequence[Technique]) -> list[LogitsProcessor]:
    return sorted(of_role(techniques, LogitsProcessor), key=lambda processor: processor.stage)


def _selector(techniques: Sequence[Technique], engine: EnginePlan) -> Technique | None:
    """Give the selector, or the one that the request's processors want; None where a search chooses tokens."""
    given = one_of(techniques, TokenSelector)
    if given is not None or one_of(techniques, Search) is not None:
        return given
    wanted = next((p.default_selector for p in _in_order(techniques) if p.default_selector), "argmax")
    return engine.registry.technique(wanted)()


def _verifier(techniques: Sequence[Technique], engine: EnginePlan) -> Technique:
    """Give the verifier, or the one that the request's drafters want."""
    given = one_of(techniques, Verifier)
    if given is not None:
        return given
    wanted = next((d.default_verifier for d in of_role(techniques, Drafter) if d.default_verifier), "match")
    return engine.registry.technique(wanted)()


def encode(request: Request, engine: EnginePlan) -> list[int]:
    """Turn a request's prompt into token ids; `Prompt` techniques run first."""
    prompt: Any = request.prompt
    rewriters = of_role(request.techniques, Prompt)
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
        if not (isinstance(prompt, str) or (isinstance(prompt, list) and is_chat(prompt))):
            raise PluginError(
                f"{rewriter.name} gave a prompt of the type {type(prompt).__name__}: {prompt!r:.80}",
                hint="a prompt technique returns text or a list of chat messages with 'role' and 'content'",
            )
    tokens = encode_prompt(prompt, engine.tokenizer, engine.model.vocab_size)
    if not tokens:
        raise PromptError("the prompt is empty", hint="give at least one token, for instance the model's bos token")
    return tokens


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
    constraints = of_role(techniques, Constraint)
    if not constraints:
        return None
    if context.vocabulary is None:
        raise IncompatibleTechniquesError(
            f"{constraints[0].name!r} needs to know the tokens' bytes, and this decoder has no tokenizer",
            hint="Decoder(model, tokenizer) or Decoder(model, vocabulary)",
        )
    compiled: CompiledConstraint = _build(constraints[0], context)
    for constraint in constraints[1:]:
        compiled = _joint(compiled, _build(constraint, context), f"{constraints[0].name!r} and {constraint.name!r}")
    start = compiled.start()
    if not context.end_tokens and compiled.is_complete(start) and not compiled.mask(start, limit).any():
        raise UnsatisfiableSchemaError(
            f"{constraints[0].name}: it allows only the empty text, and this model has no end token to write it with"
        )
    fewest = compiled.min_tokens(compiled.start())
    if fewest > limit:
        raise UnsatisfiableSchemaError(
            f"{constraints[0].name}: the shortest text found that satisfies it has {fewest} tokens, "
            f"and the request may generate {limit}",
            hint=f"max_new_tokens={fewest} or more, within the model's context",
        )
    return compiled


def _joint(one: CompiledConstraint, other: CompiledConstraint, names: str) -> CompiledConstraint:
    """Intersect two constraints, or say why that cannot be."""
    try:
        joint = one.intersect(other) or other.intersect(one)
    except IncompatibleTechniquesError as error:
        raise IncompatibleTechniquesError(f"{names} cannot be combined: {error}", hint=error.hint) from None
    if joint is None:
        raise IncompatibleTechniquesError(
            f"{names} cannot be combined: neither knows which texts of the other it could still finish",
            hint="leave one out, or write both into one schema, expression or grammar of one plugin",
        )
    return joint


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


def _build_one(techniques: Sequence[Technique], role: type[Technique], context: BuildContext) -> Any:
    found = one_of(techniques, role)
    return None if found is None else _build(found, context)
