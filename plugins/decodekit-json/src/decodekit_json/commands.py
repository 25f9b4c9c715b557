"""`decodekit explain-schema FILE`: what a schema allows, an example, what it takes, what is ignored and refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from decodekit import Vocabulary
    from decodekit_json.explain import Explanation

REFUSED = 1
_HUB_TIMEOUT_S = 5
_STYLES = {"refused": "bold red", "not followed": "bold yellow"}


def explain_schema(
    file: Annotated[str, typer.Argument(help="A JSON Schema: a file, or JSON.")],
    tokenizer: Annotated[str | None, typer.Option(help="Name or folder of a tokenizer to count tokens of.")] = None,
    formats: Annotated[bool, typer.Option("--formats", help="Assert `format`.")] = False,
    draft: Annotated[str, typer.Option(help="4, 6, 7, 2019-09 or 2020-12, where the schema does not say.")] = "",
) -> None:
    """Say what a JSON Schema allows, with an example, what it costs, and what is refused (then exit with 1)."""
    from rich.console import Console

    from decodekit.errors import UnsatisfiableSchemaError
    from decodekit.schemas import load_schema
    from decodekit_json.compiler import Options
    from decodekit_json.explain import explain

    console = Console(highlight=False, markup=False)
    schema, _ = load_schema(file, "explain-schema")
    vocabulary = _vocabulary(tokenizer) if tokenizer else None
    try:
        found = explain(schema, Options(formats=formats, draft=draft), vocabulary=vocabulary)
    except UnsatisfiableSchemaError as error:
        console.print(f"unsatisfiable: {error}", style="red", soft_wrap=True)
        raise typer.Exit(REFUSED) from None
    _show(console, found, "tokens" if tokenizer else "bytes")
    if found.refused:
        raise typer.Exit(REFUSED)


def _vocabulary(tokenizer: str) -> Vocabulary:
    from pathlib import Path

    from transformers import AutoTokenizer

    from decodekit import Vocabulary
    from decodekit.errors import ModelError

    def load(**options: bool) -> Vocabulary:
        return Vocabulary.from_tokenizer(AutoTokenizer.from_pretrained(tokenizer, **options))

    try:
        return load(local_files_only=True)
    except (OSError, ValueError) as error:
        if not Path(tokenizer).is_dir() and not _reaches_hub():
            raise ModelError(
                f"there is no folder {tokenizer!r}, no tokenizer of that name was loaded before, and the hub cannot be "
                "reached",
                hint="give a folder that has tokenizer.json",
            ) from error
    try:
        return load()
    except (OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"the tokenizer {tokenizer!r} cannot be loaded: {reason}", hint="give a folder, or a name on the hub"
        ) from error


def _reaches_hub() -> bool:
    """Say whether the hub answers at all: transformers tries for a minute where it does not."""
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=_HUB_TIMEOUT_S)
    except Exception:  # the HTTP library's own, whichever it is
        return False
    return True


def _show(console: Console, found: Explanation, unit: str) -> None:
    lines = {
        "allowed": found.allowed,
        "example": [found.example] if found.example is not None else [],
        "fewest": [f"{found.fewest_tokens} {unit}"] if found.fewest_tokens is not None else [],
        "costs": [f"{keyword} at {pointer}: {why}" for keyword, pointer, why in found.costs],
        "not followed": [str(remark) for remark in found.remarks],
        "ignored": [f"{keyword} at {pointer}" for keyword, pointer in found.ignored],
        "refused": [f"{error}" + (f"; {error.hint}" if error.hint else "") for error in found.refused],
    }
    for title, shown in lines.items():
        if shown:
            console.print(title, style=_STYLES.get(title, "bold"))
            for line in shown:
                console.print(f"  {line}", soft_wrap=True)


__all__ = ["explain_schema"]
