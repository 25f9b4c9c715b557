"""`decodekit demo`: a story, JSON cards without and with a schema, a card with drafts. Offline, some seconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from decodekit import Observer, RowView, StepView
from decodekit_demo import draft_path, model_path

if TYPE_CHECKING:
    from rich.console import Console

    from decodekit import Decoder

STORY = "Once upon a time"
PROMPT = "Describe my 33-year-old teddy bear who likes reading\n"
NEEDED = {
    "temperature": "decodekit-sampling",
    "json_schema": "decodekit-json",
    "draft_model": "decodekit-speculative",
}


class Bear(BaseModel):
    """The card that is wanted."""

    model_config = ConfigDict(extra="forbid")

    first_name: str = Field(min_length=1, max_length=12)
    age: int = Field(ge=0, le=150)
    hobby: str = Field(min_length=1, max_length=20)


class Steps(Observer):
    """Keeps what the first row was after each step."""

    _rows: list[RowView] = PrivateAttr(default_factory=list)

    @property
    def rows(self) -> list[RowView]:
        """The row after each step."""
        return self._rows

    def on_step(self, step: StepView) -> None:
        self._rows.append(step.rows[0])


def demo(
    seed: Annotated[int, typer.Option(help="Another seed, other texts.")] = 1,
    cards: Annotated[int, typer.Option(min=1, help="How many cards.")] = 4,
) -> None:
    """Show a story, cards that fit a JSON Schema next to cards that need not, and what drafts save."""
    from rich.console import Console

    from decodekit.plugins import plugins

    console = Console(highlight=False)
    started = time.perf_counter()
    missing = {name: package for name, package in NEEDED.items() if name not in plugins().techniques}
    decoder = _load()
    sampling = {} if "temperature" in missing else {"temperature": 0.8, "min_p": 0.02}
    _tell(console, decoder, {**sampling, "seed": seed})
    _compare(console, decoder, {**sampling, "seed": seed, "n": cards if sampling else 1}, "json_schema" not in missing)
    if "draft_model" not in missing:
        _draft(console, decoder, {} if "json_schema" in missing else {"json_schema": Bear, "forced_tokens": True})
    for name, package in missing.items():
        console.print(f"{name} is not installed: pip install {package}", style="yellow")
    console.print(f"{time.perf_counter() - started:.1f} s on {decoder.describe().get('device', 'cpu')}", style="dim")


def validate(text: str) -> str:
    """Say "valid", or what is wrong with a text that should be a card."""
    try:
        Bear.model_validate_json(text, strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        return f"invalid: {where + ': ' if where else ''}{fault['msg']}"
    return "valid"


def _load() -> Decoder:
    from transformers.utils import logging

    from decodekit import Decoder

    logging.disable_progress_bar()
    return Decoder.from_pretrained(model_path())


def _tell(console: Console, decoder: Decoder, options: dict[str, Any]) -> None:
    console.print("A story", style="bold")
    console.print(STORY, end="", style="cyan", soft_wrap=True)
    for piece in decoder.stream(STORY, max_new_tokens=70, **options):
        console.print(piece.text, end="", markup=False, soft_wrap=True)
    console.print("\n")


def _compare(console: Console, decoder: Decoder, options: dict[str, Any], guided: bool) -> None:
    """Run one batch: the same request with and without the schema."""
    requests = [{"prompt": PROMPT}, *([{"prompt": PROMPT, "json_schema": Bear}] if guided else [])]
    results = decoder.generate(requests, max_new_tokens=60, **options)
    titles = ["without a schema", "with json_schema=Bear"][: len(results)]
    columns = [[(sample.text.strip(), validate(sample.text)) for sample in result.samples] for result in results]
    wanted = "A card: a name of at most 12 characters, an age up to 150, a hobby of at most 20 characters"
    console.print(wanted, style="bold", soft_wrap=True)
    console.print(PROMPT, style="cyan", markup=False)
    if console.is_terminal:
        _print_table(console, titles, columns)
    else:
        for title, column in zip(titles, columns, strict=True):
            for text, verdict in column:
                console.print(f"{title}: {text!r} {verdict}", markup=False, soft_wrap=True)
    for title, column in zip(titles, columns, strict=True):
        console.print(f"{title}: {sum(verdict == 'valid' for _, verdict in column)} of {len(column)} valid")


def _print_table(console: Console, titles: list[str], columns: list[list[tuple[str, str]]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(*titles, show_lines=True)
    for row in zip(*columns, strict=True):
        cells = [
            Text.assemble(text, "\n", (verdict, "green" if verdict == "valid" else "red")) for text, verdict in row
        ]
        table.add_row(*cells)
    console.print(table)


def _draft(console: Console, decoder: Decoder, schema: dict[str, Any]) -> None:
    """Write one card with drafts, and show what of it was drafted; without drafts each token is a step."""
    from rich.text import Text

    steps = Steps()
    options = {"max_new_tokens": 60, "draft_model": draft_path(), **schema}
    stats = decoder.generate(PROMPT, steps, **options).stats
    shown, before, done = Text(), "", 0
    for row in steps.rows:
        drafted = decoder.tokenizer.decode(row.tokens[done : done + row.accepted_tokens], skip_special_tokens=True)
        fresh = row.text[len(before) :]
        # A character may be spread over tokens of two steps; then it is shown as the model's.
        size = len(drafted) if fresh.startswith(drafted) else 0
        shown.append(fresh[:size], "green").append(fresh[size:])
        before, done = row.text, len(row.tokens)
    who = "the draft model and the schema" if schema else "the draft model"
    console.print(f"A card with drafts: {who} propose, the model checks", style="bold", soft_wrap=True)
    console.print(shown, soft_wrap=True)
    kept = f"{stats.accepted_tokens} of {stats.drafted_tokens} drafted ones kept, in green"
    console.print(f"{stats.new_tokens} tokens in {stats.steps} steps, not {stats.new_tokens}; {kept}", soft_wrap=True)
