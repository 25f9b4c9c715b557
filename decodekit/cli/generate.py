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

from decodekit.cli.faults import INTERRUPTED
from decodekit.errors import GenerationInterrupted, ModelError, RequestError, SchemaError

if TYPE_CHECKING:
    from decodekit.decoder import Decoder
    from decodekit.results import Result


def generate(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="Name or folder of a model; default: the demo model.")] = None,
    schema: Annotated[str | None, typer.Option(help="JSON Schema, as a file or as JSON: the text fits it.")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(help="Most tokens to generate.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same text.")] = None,
    n: Annotated[int, typer.Option(help="How many samples.")] = 1,
    stop: Annotated[list[str] | None, typer.Option(help="String that ends the text; may be repeated.")] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Send the prompt as a chat message.")] = False,
    system: Annotated[str | None, typer.Option(help="System message; implies --chat.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")] = False,
) -> None:
    """Generate text after PROMPT; - reads it from standard input.

    Every technique of every installed plugin is an option: --top-p 0.9 --temperature 0.7 --regex '[a-z]+'
    --dry.multiplier 0.8. `decodekit plugins` lists them.
    """
    from decodekit.cli.options import read_flat, read_prompt
    from decodekit.plugins import plugins

    flat = read_flat(context.args, plugins())
    text = read_prompt(flat, sys.stdin)
    options: dict[str, Any] = {**flat.options, "n": n, "stop": stop or [], "seed": seed}
    if max_new_tokens is not None:
        options["max_new_tokens"] = max_new_tokens
    if schema is not None:
        options["json_schema"] = read_schema(schema)
    prompt: Any = as_messages(text, system) if chat or system is not None else text
    decoder = load_decoder(model)
    try:
        if as_json or n > 1:
            show([decoder.generate(prompt, **options)], as_json)
        else:
            for piece in decoder.stream(prompt, **options):
                typer.echo(piece.text, nl=False)
            typer.echo()
    except GenerationInterrupted as stopped:
        if as_json or n > 1:
            show(stopped.results, as_json)
        else:
            typer.echo()
        raise typer.Exit(INTERRUPTED) from None


def load_decoder(model: str | None) -> Decoder:
    """Load the named model, or the demo model where none is named."""
    if model is None:
        if find_spec("decodekit_demo") is None:
            raise ModelError("no model is named and the demo model is not installed", hint="--model NAME, or pip install decodekit-demo")
        from decodekit_demo import model_path

        model = str(model_path())
    from transformers.utils import logging

    from decodekit.decoder import Decoder

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        return Decoder.from_pretrained(model)
    except (OSError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"the model {model!r} cannot be loaded: {first_line}", hint="a folder, or a name on the Hugging Face hub") from error


def read_schema(schema: str) -> Any:
    """Read a JSON Schema from a file or from the text itself."""
    is_file = not schema.lstrip().startswith("{")
    try:
        return json.loads(Path(schema).read_text(encoding="utf-8") if is_file else schema)
    except OSError as error:
        raise RequestError(f"--schema {schema!r} is neither JSON nor a file that can be read: {error.strerror}") from error
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


def _finite(value: Any) -> Any:
    """Replace what JSON has no number for by null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list | tuple) else value
