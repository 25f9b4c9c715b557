"""`decodekit explain-schema FILE`: what a schema allows, an example, what it takes, what is ignored and refused."""

from __future__ import annotations

import json
import sys
from collections import deque
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from decodekit import Vocabulary
    from decodekit.errors import UnsupportedSchemaError
    from decodekit_json.explain import Explanation

REFUSED = 1
_HUB_TIMEOUT_S = 5
_MOST_LINES = 40
"""Most lines that are shown under one title."""
_TOP = -1
_STYLES = {"refused": "bold red", "not followed": "bold yellow"}


def explain_schema(
    file: Annotated[str, typer.Argument(help="A JSON Schema: a file, JSON, or - for standard input.")],
    tokenizer: Annotated[str | None, typer.Option(help="Name or folder of a tokenizer to count tokens of.")] = None,
    formats: Annotated[bool, typer.Option("--formats", help="Assert `format`.")] = False,
    draft: Annotated[str | None, typer.Option(help="4, 6, 7, 2019-09 or 2020-12, where it does not say.")] = None,
    key_order: Annotated[str, typer.Option(help="schema or any.")] = "schema",
    whitespace: Annotated[str, typer.Option(help="flexible, compact, or the spaces of a level.")] = "flexible",
    unsupported: Annotated[str, typer.Option(help="refuse, or check at the end.")] = "refuse",
    document: Annotated[list[str] | None, typer.Option(help="URI=FILE: a schema that it refers to.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a JSON Schema allows, with an example, what it costs, and what is refused (then exit with 1)."""
    from rich.console import Console

    from decodekit.errors import UnsatisfiableSchemaError
    from decodekit.schemas import load_schema
    from decodekit_json.explain import Explanation, explain
    from decodekit_json.techniques import JSONSchema

    console = Console(highlight=False, markup=False)
    asked: dict[str, Any] = {
        "key_order": key_order,
        "whitespace": int(whitespace) if whitespace.isdigit() else whitespace,
        "formats": "assert" if formats else "annotate",
        "draft": draft,
        "unsupported": unsupported,
        "documents": dict(map(_document, document or ())),
    }
    given = sys.stdin.read() if file == "-" else file
    technique = JSONSchema(load_schema(given, "explain-schema")[0], **asked)
    vocabulary = _vocabulary(tokenizer) if tokenizer else None
    try:
        found = explain(technique.schema_, technique.options, technique.loaded_documents(), vocabulary)
    except UnsatisfiableSchemaError as error:
        if as_json:
            lines = _lines(Explanation(), "") | {"refused": [f"unsatisfiable: {error}"]}
            print(json.dumps(lines, ensure_ascii=False))
        else:
            console.print(f"unsatisfiable: {error}", style="red", soft_wrap=True)
        raise typer.Exit(REFUSED) from None
    lines = _lines(found, "tokens" if tokenizer else "bytes")
    if as_json:
        print(json.dumps(lines, ensure_ascii=False))
    else:
        _show(console, lines)
    if found.refused:
        raise typer.Exit(REFUSED)


def _document(given: str) -> tuple[str, str]:
    from decodekit.errors import SchemaError

    uri, equals, file = given.partition("=")
    if not equals or not uri or not file:
        raise SchemaError(f"--document {given!r} is no URI=FILE", hint="--document https://example.org/a.json=a.json")
    return uri, file


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


def _lines(found: Explanation, unit: str) -> dict[str, list[str]]:
    """Give what there is to say, by title."""
    loosened = ", without what is checked at the end: that may need more" if found.checked else ""
    return {
        "refused": _errors(found.refused),
        "checked at the end": _errors(found.checked),
        "not followed": [str(remark) for remark in found.remarks],
        "example": [found.example] if found.example is not None else [],
        "enough": [f"{found.enough} {unit}{loosened}"] if found.enough is not None else [],
        "allowed": found.allowed,
        "costs": [f"{keyword} at {pointer}: {why}" for keyword, pointer, why in found.costs],
        "ignored": [f"{keyword} at {pointer}" for keyword, pointer in found.ignored],
    }


def _errors(found: Sequence[UnsupportedSchemaError]) -> list[str]:
    return [f"{error}" + (f"; {error.hint}" if error.hint else "") for error in found]


def _show(console: Console, lines: dict[str, list[str]]) -> None:
    for title, shown in lines.items():
        if shown:
            console.print(title, style=_STYLES.get(title, "bold"))
            for line in _bounded(shown):
                console.print(f"  {line}", soft_wrap=True)


def _bounded(lines: list[str]) -> list[str]:
    """Keep the lines that are indented least, those below one together, and mark where others are left out."""
    below, room = _below(lines), _MOST_LINES
    shown: dict[int, str] = {}
    waiting = deque([_TOP])
    while waiting:
        above = waiting.popleft()
        block = below.get(above, [])
        long = above == _TOP or len(block) > _MOST_LINES // 2
        kept = block if len(block) <= room else block[:room] if long else []
        shown.update((number, lines[number]) for number in kept)
        waiting += kept
        room -= len(kept)
        if len(kept) < len(block) and above != _TOP:
            shown[above] += " …" if not kept else f" (the first {len(kept)} of {len(block)} lines)"
    left = len(lines) - len(shown)
    more = [f"… {left} more lines: --json has them all"] if left else []
    return [shown[number] for number in sorted(shown)] + more


def _below(lines: list[str]) -> dict[int, list[int]]:
    """Give the numbers of the lines directly below each, by indentation; those of the outermost are below `_TOP`."""
    found: dict[int, list[int]] = {}
    above: list[tuple[int, int]] = [(_TOP, _TOP)]
    for number, line in enumerate(lines):
        depth = len(line) - len(line.lstrip(" "))
        while above[-1][0] >= depth:
            above.pop()
        found.setdefault(above[-1][1], []).append(number)
        above.append((depth, number))
    return found


__all__ = ["explain_schema"]
