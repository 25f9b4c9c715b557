"""The figures of `evaluate.py` as the table of the model card; measures nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

START, END = "<!-- figures -->\n", "<!-- end of figures -->"


def table(figures: dict[str, Any], samples: dict[str, str]) -> str:
    """Two Markdown tables and the sample answers."""
    rows = [f"Over {figures['held_out_tokens']} held-out tokens:", "", "| | target | draft |", "|---|---|---|"]
    both = figures["target"], figures["draft"]
    rows.append(f"| weights | {both[0]['parameters']:,} | {both[1]['parameters']:,} |")
    for key, says in (("loss", "loss, nats a token"), ("perplexity", "perplexity"), ("answer_loss", "loss on answers")):
        rows.append(f"| {says} | {both[0][key]:.3f} | {both[1][key]:.3f} |")
    rows += [
        "",
        f"Draft and target agree on the most likely token in {figures['greedy_match']:.1%} of the places of answers; "
        f"alpha = 1 - TV is {figures['alpha']:.3f}.",
        "",
        f"JSON for {figures['prompts']} card prompts; the schema asks for first_name, last_name, age and hobby; at "
        "most 96 new tokens:",
        "",
        "| decoding | constraint | keys in the prompt | valid JSON | fits the schema | and age and hobby are right |",
        "|---|---|---|---|---|---|",
    ]
    for rates in figures["json"]:
        shares = " | ".join(f"{rates[key]:.1%}" for key in ("valid", "fits_schema", "and_right"))
        rows.append(
            f"| {rates['decoding']} | {rates['constraint']} | {'yes' if rates['keys_named'] else 'no'} | {shares} |"
        )
    rows += ["", "Greedy answers:", "", "```"]
    rows += [f"{prompt!r}\n    {answer!r}" for prompt, answer in samples.items()]
    return "\n".join([*rows, "```", ""])


def write(card: Path, text: str) -> None:
    """Replace the part of the card between its two markers."""
    old = card.read_text(encoding="utf-8")
    before, rest = old.split(START)
    after = rest.split(END)[1]
    card.write_text(f"{before}{START}{text}{END}{after}", encoding="utf-8")
