"""`decodekit generate`: one prompt, streamed to the terminal, with any installed technique as an option."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from decodekit.errors import (
    GenerationError,
    GenerationInterrupted,
    ModelError,
    RequestError,
    SchemaError,
)

if TYPE_CHECKING:
    from decodekit.decoder import Decoder
    from decodekit.plugins import Plugins
    from decodekit.results import Result
    from decodekit.techniques import Technique


def generate(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="Name or folder of a model; default: the demo model.")] = None,
    schema: Annotated[str | None, typer.Option(help="JSON Schema, as a file or as JSON: the text fits it.")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(help="Most tokens to generate.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same text.")] = None,
    n: Annotated[int | None, typer.Option(help="How many samples; 1 unless a recipe says more.")] = None,
    stop: Annotated[list[str] | None, typer.Option(help="String that ends the text; may be repeated.")] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Send the prompt as a chat message.")] = False,
    system: Annotated[str | None, typer.Option(help="System message; implies --chat.")] = None,
    recipe: Annotated[str | None, typer.Option(help="File with a request as JSON; what stands here wins.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")] = False,
) -> None:
    """Generate text after PROMPT; - reads it from standard input.

    Every technique of every installed plugin is an option: --top-p 0.9 --temperature 0.7 --regex '[a-z]+'
    --dry.multiplier 0.8. `decodekit plugins` lists them.
    """
    from decodekit.cli.options import read_flat, read_prompt
    from decodekit.plugins import plugins

    flat = read_flat(context.args, plugins())
    given: dict[str, Any] = {"max_new_tokens": max_new_tokens, "seed": seed, "stop": stop or None}
    options = {**flat.options, **{name: value for name, value in given.items() if value is not None}}
    if n is not None:
        options["n"] = n
    if schema is not None:
        options["json_schema"] = read_schema(schema)
    if recipe is not None:
        options = {**read_recipe(recipe, options, plugins()), **options}
    prompt: Any = options.pop("prompt", None) if not flat.words else None
    if prompt is None:
        text = read_prompt(flat, sys.stdin)
        options.pop("prompt", None)
        prompt = as_messages(text, system) if chat or system is not None else text
    techniques = options.pop("techniques", [])
    engine = {name: options.pop(name) for name in list(options) if is_engine_option(name, plugins())}
    run(load_decoder(model, engine), prompt, techniques, options, as_json)


def run(decoder: Decoder, prompt: Any, techniques: list[Technique], options: dict[str, Any], as_json: bool) -> None:
    """Generate and print: one text as it comes, several texts or JSON at the end."""
    streaming = not as_json and options.get("n", 1) == 1
    try:
        if streaming:
            for piece in decoder.stream(prompt, *techniques, **options):
                typer.echo(piece.text, nl=False)
            typer.echo()
        else:
            show([decoder.generate(prompt, *techniques, **options)], as_json)
    except (GenerationInterrupted, GenerationError) as stopped:
        if streaming:
            typer.echo()
        else:
            show(stopped.results, as_json)
        raise


def load_decoder(model: str | None, engine: Mapping[str, Any]) -> Decoder:
    """Load the named model, or the demo model where none is named."""
    if model is None:
        if find_spec("decodekit_demo") is None:
            raise ModelError(
                "no model is named and the demo model is not installed",
                hint="--model NAME, or pip install decodekit-demo",
            )
        from decodekit_demo import model_path

        model = str(model_path())
    from transformers.utils import logging

    from decodekit.decoder import Decoder

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return Decoder.from_pretrained(model, **engine)


def is_engine_option(name: str, registry: Plugins) -> bool:
    """Say whether a flat name belongs to the decoder rather than to the request."""
    from decodekit.compatibility import ENGINE_ROLES

    return name in registry.techniques and issubclass(registry.techniques[name].item, ENGINE_ROLES)


def read_recipe(recipe: str, options: Mapping[str, Any], registry: Plugins) -> dict[str, Any]:
    """Read what `Request.to_dict` wrote; techniques that `options` names are left out."""
    from decodekit.request import Request

    try:
        plain = json.loads(Path(recipe).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(f"--recipe {recipe!r} cannot be read: {error}") from error
    if not isinstance(plain, Mapping):
        raise RequestError(f"--recipe {recipe!r} is not a JSON object")
    request = Request.from_dict({"prompt": "", **plain}, registry)
    kept = [technique for technique in request.techniques if technique.name not in options]
    return {**{name: value for name, value in plain.items() if name != "techniques"}, "techniques": kept}


def read_schema(schema: str) -> Any:
    """Read a JSON Schema from a file or from the text itself."""
    is_file = not schema.lstrip().startswith("{")
    try:
        return json.loads(Path(schema).read_text(encoding="utf-8") if is_file else schema)
    except OSError as error:
        raise RequestError(
            f"--schema {schema!r} is neither JSON nor a file that can be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise SchemaError(f"--schema {schema!r:.80} is not JSON: {error}") from error


def as_messages(text: str, system: str | None) -> list[dict[str, str]]:
    """Make a chat of one question."""
    messages = [{"role": "system", "content": system}] if system is not None else []
    return [*messages, {"role": "user", "content": text}]


def show(results: list[Result], as_json: bool) -> None:
    """Print results: their texts, or everything as one JSON object per result."""
    for result in results:
        if as_json:
            typer.echo(json.dumps(_finite(result.to_dict()), ensure_ascii=False, default=str))
            continue
        for sample in result.samples:
            typer.echo(f"[{sample.sample}] {sample.text}")
        if result.answer.details or result.answer.sample != result.samples[0].sample:
            typer.echo(f"answer: [{result.answer.sample}] {result.answer.text}")
            for name, value in result.answer.details.items():
                typer.echo(f"  {name}: {value}")


def _finite(value: Any) -> Any:
    """Replace what JSON has no number for by null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list | tuple) else value
