"""The last part of `decodekit demo`: what was drafted is coloured, what that saves is said."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from decodekit import Decoder
from decodekit_demo import model_path
from decodekit_demo.command import PROMPT, Bear, _draft

SCHEMA = {"json_schema": Bear, "forced_tokens": True}


@pytest.fixture(scope="module")
def decoder():
    return Decoder.from_pretrained(model_path())


def shown(decoder, schema, *, colours):
    pytest.importorskip("decodekit_speculative")
    out = io.StringIO()
    system = "standard" if colours else None
    _draft(Console(file=out, force_terminal=colours, color_system=system, highlight=False), decoder, schema)
    return out.getvalue()


@pytest.mark.parametrize("schema", [{}, SCHEMA], ids=["draft model", "with a schema"])
def test_the_card_is_the_one_without_drafts_and_the_figures_add_up(decoder, schema):
    title, *text, figures = shown(decoder, schema, colours=False).strip().splitlines()
    options = {"json_schema": Bear} if schema else {}
    plain = decoder.generate(PROMPT, max_new_tokens=60, **options)
    assert "\n".join(text) == plain.text
    assert ("the schema" in title) == bool(schema)
    tokens, steps, without, kept, drafted = map(int, re.findall(r"\d+", figures))
    assert tokens == without == len(plain.tokens) == plain.stats.steps
    assert steps < without / 2
    assert 0 < kept <= drafted
    assert tokens - kept <= steps


def test_what_was_kept_of_drafts_is_green(decoder):
    text = shown(decoder, SCHEMA, colours=True).splitlines()[1]
    green = "".join(re.findall(r"\x1b\[32m(.*?)\x1b\[0m", text))
    assert 0 < len(green) < len(re.sub(r"\x1b\[[0-9;]*m", "", text))
    assert "name" in green
