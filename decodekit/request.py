"""A request: one prompt, its techniques, its limits. Plain data, checked before anything runs, writable as JSON."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field, field_validator, model_validator

from decodekit.catalogue import FIRST_PARTY
from decodekit.checked import Checked
from decodekit.errors import PromptError, RequestError
from decodekit.techniques import ROLES, Technique

if TYPE_CHECKING:
    from decodekit.plugins import Plugins

Message = dict[str, Any]
PromptLike = str | list[Message] | tuple[int, ...]


_WRITTEN = '{"prompt": "…", "techniques": [{"name": "top_p", "p": 0.9}], "max_new_tokens": 30}, as `to_dict` writes it'


class Request(Checked):
    """One prompt with everything that decides its text.

    Attributes:
        prompt: Text, chat messages, or token ids.
        techniques: In the user's order.
        max_new_tokens: Most tokens to generate; None takes the model's generation config, else 256. Always cut to the
            room that the prompt leaves in the model's context.
        stop: Strings that end the text (not part of it), or callables that get a `RowView` after each token.
        stop_tokens: Token ids that end the text, besides the model's end tokens.
        seed: 64-bit seed; None draws one, which the result tells.
        n: Samples wanted.
        time_limit_s: Wall-clock limit in seconds, looked at after each step.
        logprobs: Whether to compute log-probabilities of the generated tokens.
        top_logprobs: How many of the likeliest tokens to report per position.
        prompt_logprobs: Whether to report log-probabilities of the prompt.
        prefix: What the model remembers of the prompt's beginning: a `Prefix`, or a transformers cache that holds the
            first tokens of the prompt. It is used as far as that leads to the same text, and never changed.
        keep_prefix: Whether each sample brings a `Prefix` of its prompt and text, for a next turn; it has None where a
            model hook such as an adapter has changed what the model computes.
    """

    prompt: str | list[Message] | tuple[int, ...]
    techniques: tuple[Technique, ...] = ()
    max_new_tokens: int | None = Field(default=None, ge=1)
    stop: tuple[str | Callable[..., Any], ...] = ()
    stop_tokens: tuple[int, ...] = ()
    seed: int | None = Field(default=None, ge=0, lt=2**64)
    n: int = Field(default=1, ge=1, le=65536, strict=True)
    time_limit_s: float | None = Field(default=None, gt=0)
    logprobs: bool = True
    top_logprobs: int = Field(default=0, ge=0)
    prompt_logprobs: bool = False
    prefix: Any = None
    keep_prefix: bool = False

    @model_validator(mode="before")
    @classmethod
    def _no_flat_names(cls, given: Any) -> Any:
        flat = [name for name in given if name in FIRST_PARTY] if isinstance(given, Mapping) else []
        if flat:
            raise RequestError(
                f"request: {flat[0]!r} is a technique, which a Request takes as an object, not by its name",
                hint=f"Request(prompt, [TopP(0.9)]), or decoder.request(prompt, {flat[0]}=…), which takes names too",
            )
        return given

    @field_validator("prompt", mode="before")
    @classmethod
    def _prompt(cls, value: Any) -> Any:
        return as_prompt(value)

    @field_validator("stop", "stop_tokens", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | int) or callable(value) else tuple(value or ())

    @field_validator("techniques", mode="before")
    @classmethod
    def _techniques(cls, value: Any) -> tuple[Technique, ...]:
        return tuple(check_techniques(value))

    @field_validator("stop")
    @classmethod
    def _no_empty_stop(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if "" in value:
            raise ValueError("an empty stop string would end every text at once")
        return value

    def to_dict(self) -> dict[str, Any]:
        """Give JSON-ready data; techniques become `{"name": …, fields…}`.

        Raises:
            RequestError: For a part that cannot be written, such as a stop callable; names it.
        """
        for stop in self.stop:
            if callable(stop):
                raise RequestError(
                    f"stop callable {stop!r} cannot be written as JSON", hint="use a stop string or token"
                )
        if self.prefix is not None:
            raise RequestError(
                "a prefix cannot be written as JSON", hint="leave it out; the text is the same without it"
            )
        plain: dict[str, Any] = {"prompt": list(self.prompt) if isinstance(self.prompt, tuple) else self.prompt}
        for name in OPTION_NAMES:
            if name != "techniques" and getattr(self, name) != type(self).model_fields[name].default:
                value = getattr(self, name)
                plain[name] = list(value) if isinstance(value, tuple) else value
        techniques: list[dict[str, Any]] = []
        for technique in self.techniques:
            try:
                fields = technique.model_dump(mode="json", by_alias=True, exclude_unset=True)
                json.dumps(fields)
            except Exception as error:
                # What a field's serializer says, without pydantic's words around it.
                why = error.__cause__ or error
                raise RequestError(f"technique {technique.name!r} cannot be written as JSON: {why}") from error
            techniques.append({"name": technique.name, **fields})
        return {**plain, "techniques": techniques} if techniques else plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], registry: Plugins) -> Request:
        """Read what `to_dict` wrote.

        Raises:
            RequestError: For what it did not.
        """
        if not isinstance(plain, Mapping) or "prompt" not in plain:
            raise RequestError(f"a request as data is a dict with a prompt, got {plain!r:.80}", hint=_WRITTEN)
        techniques: list[Technique] = []
        listed = plain.get("techniques", ())
        for entry in [listed] if isinstance(listed, str | Mapping) else listed:
            if not isinstance(entry, Mapping) or "name" not in entry:
                raise RequestError(f"a technique as data is a dict with its name, got {entry!r:.80}", hint=_WRITTEN)
            fields = dict(entry)
            techniques.append(_make(registry.technique(fields.pop("name")), lambda c, f=fields: c(**f)))
        options = {key: value for key, value in plain.items() if key not in ("prompt", "techniques")}
        return make_request(plain["prompt"], techniques, options, registry)


OPTION_NAMES: tuple[str, ...] = tuple(name for name in Request.model_fields if name != "prompt")
"""Everything beside the prompt that `Decoder.generate` takes by name and that is not a technique."""


def make_request(
    prompt: Any, techniques: Sequence[Technique], options: Mapping[str, Any], registry: Plugins
) -> Request:
    """Turn what a user wrote into a request: flat names become techniques.

    Args:
        prompt: Text, chat messages, or token ids in any sequence or 1-D tensor.
        techniques: Technique objects, first in order.
        options: Options of `Request`, and flat names of techniques: `top_p=0.9` is `TopP(0.9)`, `multinomial=True` is
            `Multinomial()`, `dry={"multiplier": 0.8}` gives several fields, None and False leave a technique out.
        registry: Where flat names are looked up.

    Raises:
        UnknownTechniqueError: With the nearest name and the plugin to install.
        RequestError: For a value that does not fit.
    """
    chosen = check_techniques(techniques)
    plain: dict[str, Any] = {}
    for name, value in options.items():
        if name in OPTION_NAMES:
            plain[name] = value
            continue
        kind = registry.technique(name)
        if value is not None and value is not False:
            chosen.append(_from_flat(kind, value))
    return Request(prompt=prompt, techniques=tuple(chosen), **plain)


def check_techniques(techniques: Any) -> list[Technique]:
    """Give what was said to be techniques, or refuse what is none."""
    several = isinstance(techniques, Sequence) and not isinstance(techniques, str)
    listed: list[Any] = list(techniques) if several else [techniques]
    for technique in listed:
        if not isinstance(technique, ROLES):
            raise RequestError(
                f"{technique!r:.80} is not a technique",
                hint="techniques are instances such as TopP(0.9); prompts come first; "
                "`to_dict` and `from_dict` write and read a request",
            )
    return listed


def as_prompt(prompt: Any) -> PromptLike:
    """Recognise text, chat messages or token ids; raise `PromptError` for anything else."""
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, bytes | bytearray | memoryview):
        raise PromptError(
            f"a prompt is text, got {type(prompt).__name__} {bytes(prompt)!r:.80}", hint="decode it first"
        )
    if isinstance(prompt, torch.Tensor | np.ndarray):
        if prompt.ndim == 2 and len(prompt) == 1:
            prompt = prompt[0]
        if prompt.ndim != 1:
            raise PromptError(
                f"a prompt of token ids has one dimension, got shape {tuple(prompt.shape)}",
                hint="pass a batch as a list of prompts of their own lengths, without padding",
            )
        prompt = prompt.tolist()
    if isinstance(prompt, Sequence):
        if not prompt:
            raise PromptError("the prompt is empty", hint="give at least one token, for instance the model's bos token")
        if all(isinstance(token, int | np.integer) and not isinstance(token, bool) for token in prompt):
            return tuple(int(token) for token in prompt)
        if is_chat(prompt):
            return [dict(message) for message in prompt]
    if isinstance(prompt, Mapping):
        raise PromptError(
            f"a request as a dict has the key 'prompt', a chat message 'role' and 'content'; "
            f"got {sorted(map(str, prompt))}",
            hint="give what the tokenizer made as its ['input_ids']" if "input_ids" in prompt else None,
        )
    raise PromptError(
        f"a prompt is text, chat messages with 'role' and 'content', or token ids; "
        f"got {type(prompt).__name__} {prompt!r:.80}"
    )


def is_chat(prompt: Sequence[Any]) -> bool:
    """Say whether a prompt is chat messages."""
    return all(isinstance(each, Mapping) and "role" in each for each in prompt)


def is_batch(prompts: Any) -> bool:
    """Say whether `prompts` is several prompts rather than one."""
    if isinstance(prompts, torch.Tensor | np.ndarray):
        return prompts.ndim == 2
    if isinstance(prompts, str | Mapping | Request) or not isinstance(prompts, Sequence):
        return False
    if not prompts:
        return True
    first = prompts[0]
    return not isinstance(first, int | np.integer) and not (isinstance(first, Mapping) and "role" in first)


def _from_flat(cls: type[Technique], value: Any) -> Technique:
    if isinstance(value, cls):
        return value
    fields = {info.alias or field for field, info in cls.model_fields.items()}
    required = {info.alias or field for field, info in cls.model_fields.items() if info.is_required()}
    names = fields | set(cls.model_fields)
    if value is True:
        if not any(info.is_required() for info in cls.model_fields.values()):
            return _make(cls, lambda c: c())
        if next(iter(cls.model_fields.values())).annotation is not bool:
            raise RequestError(
                f"{cls.name} needs a value, got True",
                hint=f"for example {cls.usage}" if cls.usage else f"its fields are {', '.join(sorted(fields))}",
            )
    if isinstance(value, Mapping) and _are_fields(value, names, required):
        return _make(cls, lambda c: c(**value))
    try:
        return _make(cls, lambda c: c(value))
    except RequestError:
        if isinstance(value, Mapping) and _are_misspelt(value, fields):
            return _make(cls, lambda c: c(**value))
        raise


def _are_fields(value: Mapping[Any, Any], names: set[str], required: set[str]) -> bool:
    """Say whether a dict has fields, some of them perhaps misspelt: `{"schema": …, "whitspace": …}` is no schema."""
    return not required.isdisjoint(value) or (set(value) <= names and bool(value or not required))


def _are_misspelt(value: Mapping[Any, Any], fields: set[str]) -> bool:
    """Say whether keys were meant as fields: some of them are, or all are near one."""
    if not value:
        return False
    unknown = [str(key) for key in value if key not in fields]
    return len(unknown) < len(value) or all(difflib.get_close_matches(key, fields, n=1) for key in unknown)


def _make(cls: type[Technique], call: Callable[[Any], Technique]) -> Technique:
    try:
        return call(cls)
    except TypeError as error:
        raise RequestError(f"{cls.name}: {error}") from error
