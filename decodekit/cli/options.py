"""Techniques as options: `--top-p 0.9 --dry.multiplier 0.8 --regex '[a-z]+'` next to the prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from decodekit.errors import RequestError

if TYPE_CHECKING:
    from decodekit.plugins import Plugins
    from decodekit.techniques import Technique


@dataclass(slots=True)
class Flat:
    """What stands on the command line besides the declared options.

    Attributes:
        words: Words that belong to no option: the prompt.
        options: Flat names and their values, in the user's order.
        last: The last option that took a word as its value, as written.
    """

    words: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    last: str = ""


def read_flat(arguments: Sequence[str], registry: Plugins) -> Flat:
    """Read techniques and the prompt.

    Args:
        arguments: The words, in order. A word after an option is its value; a value that is JSON is read as JSON,
            unless the parameter is a text.
        registry: Where names are looked up.

    Raises:
        UnknownTechniqueError: With the nearest name and the plugin to install.
    """
    flat = Flat()
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or word == "--":
            flat.words.append(word)
            continue
        written, assigned, value = word.partition("=")
        name, _, parameter = written.removeprefix("--").replace("-", "_").partition(".")
        kind = _technique(name, registry)
        if not assigned:
            if not rest or rest[0].startswith("--") or not _takes_value(kind, rest[0]):
                _put(flat, name, parameter, True)
                continue
            value = rest.pop(0)
            flat.last = written
        _put(flat, name, parameter, _read(kind, parameter, value))
    return flat


def read_prompt(flat: Flat, stdin: Any) -> str:
    """Give the one prompt; `-` reads it from `stdin`."""
    if len(flat.words) == 1:
        # `echo` ends with a newline that is no part of what was meant.
        return stdin.read().removesuffix("\n") if flat.words[0] == "-" else flat.words[0]
    if flat.words:
        raise RequestError(f"one prompt is expected, got {flat.words}", hint="put the prompt in quotes")
    hint = f"{flat.last} took the word after it as its value; put the prompt first" if flat.last else None
    raise RequestError(
        "the prompt is missing", hint=hint or "decodekit generate 'Once upon a time'; - reads it from stdin"
    )


def _technique(name: str, registry: Plugins) -> type[Technique] | None:
    from decodekit.request import OPTION_NAMES

    return None if name in OPTION_NAMES else registry.technique(name)


def _put(flat: Flat, name: str, parameter: str, value: Any) -> None:
    if not parameter:
        flat.options[name] = value
    elif isinstance(flat.options.setdefault(name, {}), dict):
        flat.options[name][parameter] = value
    else:
        raise RequestError(f"--{name} {flat.options[name]} and --{name}.{parameter} cannot both be given")


def _takes_value(kind: type[Technique] | None, word: str) -> bool:
    return kind is None or bool(kind.model_fields) or word in ("true", "false")


def _read(kind: type[Technique] | None, parameter: str, value: str) -> Any:
    try:
        read = json.loads(value)
    except ValueError:
        return value
    if kind is None or not kind.model_fields:
        return read
    fields = {name: info for field, info in kind.model_fields.items() for name in (field, info.alias) if name}
    if not parameter and isinstance(read, dict) and read and set(read) <= set(fields):
        return read
    info = fields.get(parameter) if parameter else next(iter(fields.values()))
    return value if info is not None and info.annotation is str else read
