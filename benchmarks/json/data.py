"""The data that the benchmarks judge with, from the folder `shared/data` beside the repository (not distributed)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = next((up / "shared/data" for up in Path(__file__).resolve().parents if (up / "shared/data").is_dir()), None)
REMOTES = "http://localhost:1234/"


@dataclass(frozen=True, slots=True)
class Instance:
    """One document and whether the schema allows it; `formats` says that this is so only if `format` is asserted."""

    data: Any
    valid: bool
    formats: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A schema and its instances."""

    name: str
    schema: Any
    instances: list[Instance] = field(default_factory=list)


def folder(*parts: str) -> Path:
    """Give a folder of the data."""
    if DATA is None or not DATA.joinpath(*parts).is_dir():
        raise SystemExit(f"needs shared/data/{'/'.join(parts)} in a folder above {Path(__file__).resolve()}")
    return DATA.joinpath(*parts)


def groups(data: str) -> list[Group]:
    """Give "dev", "suite" or "formats"."""
    if data == "dev":
        return list(_dev())
    suite = folder("json-schema-test-suite", "draft2020-12")
    return list(_suite(suite if data == "suite" else suite / "optional/format", data == "formats"))


def documents() -> dict[str, Any]:
    """Give what the official suite refers to, by address."""
    remotes = folder("json-schema-test-suite", "remotes")
    return {REMOTES + str(p.relative_to(remotes)): json.loads(p.read_text()) for p in sorted(remotes.rglob("*.json"))}


def writings(data: Any, escapes: bool = True) -> list[str]:
    """Write a document compactly and with an indent of two, without and with `ensure_ascii`."""
    if not escapes:
        return [
            json.dumps(data, ensure_ascii=False, separators=(",", ":")),
            json.dumps(data, ensure_ascii=False, indent=2),
        ]
    compact = (json.dumps(data, ensure_ascii=ascii_only, separators=(",", ":")) for ascii_only in (False, True))
    return list(dict.fromkeys([*compact, json.dumps(data, indent=2)]))


def tokenizer(name: str) -> Any:
    """Load "gpt2" or "tekken-131k"."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder("tokenizers", name))


def _dev() -> Iterator[Group]:
    for path in sorted(folder("jsonschemabench-dev").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            one = json.loads(line)
            tests = [Instance(t["data"], t["valid"], t.get("needs_format", False)) for t in one["tests"]]
            yield Group(one["name"], one["schema"], tests)


def _suite(where: Path, formats: bool) -> Iterator[Group]:
    for path in sorted(where.glob("*.json")):
        for group in json.loads(path.read_text()):
            tests = [Instance(t["data"], t["valid"], formats) for t in group["tests"]]
            yield Group(f"{path.stem}: {group['description']}", group["schema"], tests)
