"""The hook points, all of them, on one page.

Each hook is called once per process, when plugins are loaded, and returns the classes of one role; nothing of pluggy
runs per token. A name that is taken is refused, naming both distributions. Importing this module is free of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from decodekit import techniques as t

hookspec = pluggy.HookspecMarker("decodekit")
hookimpl = pluggy.HookimplMarker("decodekit")


@hookspec
def decodekit_logits_processors() -> list[type[t.LogitsProcessor]]:  # pyright: ignore[reportReturnType]
    """Offer techniques that turn a law into a law: biases, penalties, temperature, truncation.

    Called once per process, when plugins are loaded. At run time processors are ordered by stage, within a stage as the
    user lists them. Since: 0.1.
    """


@hookspec
def decodekit_constraints() -> list[type[t.Constraint]]:  # pyright: ignore[reportReturnType]
    """Offer techniques that restrict a text to a language: regex, JSON Schema, grammar.

    Called once per process, when plugins are loaded. Several constraints of a request are intersected, or refused.
    Since: 0.1.
    """


@hookspec
def decodekit_token_selectors() -> list[type[t.TokenSelector]]:  # pyright: ignore[reportReturnType]
    """Offer techniques that choose a token from a law.

    Called once per process, when plugins are loaded. A request has exactly one selector, or a search. Since: 0.1.
    """


@hookspec
def decodekit_searches() -> list[type[t.Search]]:  # pyright: ignore[reportReturnType]
    """Offer techniques that expand a group of rows together, such as beams.

    Called once per process, when plugins are loaded. A request has at most one search, instead of a selector. Since:
    0.1.
    """


@hookspec
def decodekit_drafters() -> list[type[t.Drafter]]:  # pyright: ignore[reportReturnType]
    """Offer techniques that propose tokens ahead of the target model.

    Called once per process, when plugins are loaded. At run time the drafters that a request names are chained in the
    order in which the user lists them. Since: 0.1.
    """


@hookspec
def decodekit_verifiers() -> list[type[t.Verifier]]:  # pyright: ignore[reportReturnType]
    """Offer rules for how much of a draft is kept and what replaces the first rejected token.

    Called once per process, when plugins are loaded. A request has at most one verifier; the built-in one keeps drafted
    tokens while they equal what the selector chooses. Since: 0.1.
    """


@hookspec
def decodekit_kv_caches() -> list[type[t.KVCache]]:  # pyright: ignore[reportReturnType]
    """Offer storage for the keys and values of attention layers.

    Called once per process, when plugins are loaded. One per engine plan. Since: 0.1.
    """


@hookspec
def decodekit_model_runners() -> list[type[t.ModelRunner]]:  # pyright: ignore[reportReturnType]
    """Offer ways to run the forward pass: eager, compiled, captured.

    Called once per process, when plugins are loaded. One per engine plan. Since: 0.1.
    """


@hookspec
def decodekit_model_hooks() -> list[type[t.ModelHook]]:  # pyright: ignore[reportReturnType]
    """Offer techniques that reach into the model: adapters per row, hidden states, router choices.

    Called once per process, when plugins are loaded. A request may have several, each in its own right. Since:
    0.1.
    """


@hookspec
def decodekit_model_adapters() -> list[type[t.ModelAdapter]]:  # pyright: ignore[reportReturnType]
    """Offer adapters for models whose forward needs special inputs.

    Called once per process, when plugins are loaded. The first adapter that matches a model is used. Since: 0.1.
    """


@hookspec
def decodekit_prompts() -> list[type[t.Prompt]]:  # pyright: ignore[reportReturnType]
    """Offer techniques that rewrite the prompt before it is encoded.

    Called once per process, when plugins are loaded. At run time they are applied in the user's order. Since: 0.1.
    """


@hookspec
def decodekit_stopping() -> list[type[t.StopCondition]]:  # pyright: ignore[reportReturnType]
    """Offer conditions that end a row.

    Called once per process, when plugins are loaded. At run time they are asked after every committed token, in the
    user's order; the first that says yes names the finish reason. Since: 0.1.
    """


@hookspec
def decodekit_observers() -> list[type[t.Observer]]:  # pyright: ignore[reportReturnType]
    """Offer read-only witnesses of each step.

    Called once per process, when plugins are loaded. At run time observers see a step after it is committed, in the
    user's order. Since: 0.1.
    """


@hookspec
def decodekit_aggregators() -> list[type[t.Aggregator]]:  # pyright: ignore[reportReturnType]
    """Offer ways to make one answer from the n samples of a request.

    Called once per process, when plugins are loaded. A request has at most one aggregator. Since: 0.1.
    """


@hookspec
def decodekit_schedulers() -> list[type[t.Scheduler]]:  # pyright: ignore[reportReturnType]
    """Offer rules for which waiting requests join the running batch next.

    Called once per process, when plugins are loaded. One per engine plan. Since: 0.1.
    """


@hookspec
def decodekit_commands() -> list[t.Command]:  # pyright: ignore[reportReturnType]
    """Offer sub-commands of the command line.

    Called once per process, when the command line starts; a command's own module is imported only when it is called.
    Since: 0.1.
    """
