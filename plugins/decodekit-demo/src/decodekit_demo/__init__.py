"""Two small models to try decoding techniques with, offline: a target and a one-layer draft with the same tokenizer.

They write JSON cards for sentences, sentences for cards, and short stories; they know nothing of the world.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from decodekit.hookspecs import hookimpl

if TYPE_CHECKING:
    from decodekit import Command

__all__ = ["draft_path", "model_path"]

_DATA = Path(__file__).parent / "data"


def model_path() -> Path:
    """Folder of the target model and its tokenizer, for `from_pretrained`."""
    return _DATA / "target"


def draft_path() -> Path:
    """Folder of the draft model, distilled from the target, with the same tokenizer."""
    return _DATA / "draft"


@hookimpl
def decodekit_commands() -> list[Command]:
    """Offer `decodekit demo`."""
    from decodekit import Command

    return [Command("demo", "decodekit_demo.command:demo", "Show a story, cards that fit a schema, what drafts save.")]
