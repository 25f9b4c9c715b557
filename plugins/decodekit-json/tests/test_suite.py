"""The official test suite and real schemas, byte by byte: only the listed groups are wrong, nothing is let through."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from decodekit.errors import UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit_json.compiler import CompiledSchema, Options, lower
from decodekit_json.states import State, stepped

DATA = next(
    (p / "shared/data" for p in Path(__file__).resolve().parents if (p / "shared/data").is_dir()), Path("absent")
)
SUITE, DEV = DATA / "json-schema-test-suite", DATA / "jsonschemabench-dev"
needs_suite = pytest.mark.skipif(not SUITE.is_dir(), reason="needs shared/data/json-schema-test-suite")
needs_dev = pytest.mark.skipif(not DEV.is_dir(), reason="needs shared/data/jsonschemabench-dev")

OUT_OF_ORDER = {
    "Github_hard---o90970",
    "Github_ultra---o48781",
    "JsonSchemaStore---swagger-2.0",
    "JsonSchemaStore---v4-config.schema",
    "MCPspec---GetPromptResult",
}
"""Rejected only because their documents do not follow the order of `properties`."""


def writings(document: Any) -> list[str]:
    return [
        json.dumps(document, separators=(",", ":")),
        json.dumps(document, separators=(",", ":"), ensure_ascii=False),
        json.dumps(document, indent=2),
    ]


def accepts(lowered: CompiledSchema | None, text: str) -> bool:
    return lowered is not None and State(stepped((lowered.start,), text.encode())).complete


@cache
def remotes() -> dict[str, Any]:
    base = SUITE / "remotes"
    files = sorted(base.rglob("*.json"))
    return {f"http://localhost:1234/{file.relative_to(base)}": json.loads(file.read_text()) for file in files}


def wrong(schema: Any, options: Options, tests: list[tuple[Any, bool]], documents: Any = None) -> set[str]:
    """Judge a group; give "accepts", "rejects" or "refused" where it is wrong."""
    try:
        lowered = lower(schema, options, documents)
    except UnsatisfiableSchemaError:
        lowered = None
    except UnsupportedSchemaError:
        return {"refused"}
    found: set[str] = set()
    for document, valid in tests:
        for text in writings(document):
            if accepts(lowered, text) != valid:
                found.add("rejects" if valid else "accepts")
    return found


def suite_groups() -> list[tuple[str, Any, list[tuple[Any, bool]]]]:
    return [
        (f"{file.name}: {group['description']}", group["schema"], [(t["data"], t["valid"]) for t in group["tests"]])
        for file in sorted((SUITE / "draft2020-12").glob("*.json"))
        for group in json.loads(file.read_text())
    ]


def dev_groups() -> list[tuple[str, Any, list[tuple[Any, bool]], bool]]:
    return [
        (one["name"], one["schema"], tests, any(t.get("needs_format") for t in one["tests"]))
        for file in sorted(DEV.glob("*.jsonl"))
        for line in file.read_text().splitlines()
        if (one := json.loads(line)) and (tests := [(t["data"], t["valid"]) for t in one["tests"]])
    ]


def judged_suite(step: int) -> tuple[dict[str, set[str]], set[str]]:
    groups = suite_groups()[::step]
    options = Options(key_order="any")
    found = {name: wrong(schema, options, tests, remotes()) for name, schema, tests in groups}
    return {name: what for name, what in found.items() if what}, {name for name, *_ in groups}


def judged_dev(step: int, **options: Any) -> tuple[dict[str, set[str]], set[str]]:
    groups = dev_groups()[::step]
    found = {name: wrong(schema, Options(formats=f, **options), tests) for name, schema, tests, f in groups}
    return {name: what for name, what in found.items() if what}, {name for name, *_ in groups}


@needs_suite
@pytest.mark.parametrize("step", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_the_official_suite_is_judged_as_it_says(step: int) -> None:
    found, looked_at = judged_suite(step)
    assert found == {}
    assert looked_at


@needs_dev
@pytest.mark.parametrize("step", [12, pytest.param(1, marks=pytest.mark.slow)])
def test_real_schemas_are_judged_as_their_instances_say(step: int) -> None:
    found, looked_at = judged_dev(step)
    assert found == {name: {"rejects"} for name in OUT_OF_ORDER & looked_at}


@needs_dev
def test_documents_out_of_order_are_accepted_in_any_order() -> None:
    groups = [group for group in dev_groups() if group[0] in OUT_OF_ORDER]
    assert {name: wrong(s, Options(key_order="any", formats=f), tests) for name, s, tests, f in groups} == {
        name: set() for name, *_ in groups
    }
