"""Judge engines byte by byte: is every valid document accepted, in every writing, and every invalid one rejected?

    python benchmarks/json/correctness.py --engine decodekit-json --data dev [--out wrong.json] [--verbose]

A document is accepted if each byte of it is in the mask when its turn comes and the constraint is complete at the end.
Valid ones have to be accepted compactly (with and without `ensure_ascii`) and with an indent of two; invalid ones must
be rejected in all these writings. Judged with default options, but for `key_order="any"`, handed-in documents and
annotated formats on the suite, and asserted formats on `formats` and for instances of `dev` that need them.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

from data import Group, Instance, documents, groups, writings
from engines import NAMES, allows, compile_schema
from workers import Worker

from decodekit.errors import SchemaError, UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit.vocabulary import Vocabulary

_BYTES = Vocabulary.from_bytes()


def accepts(walk: Any, text: str) -> bool:
    """Walk the bytes of a text; None stands for a schema that nothing satisfies."""
    if walk is None:
        return False
    state = walk.start()
    for byte in text.encode():
        if not allows(walk.mask(state), byte):
            return False
        state = walk.advance(state, byte)
    return bool(walk.is_complete(state))


def judge(engine: str, data: str, group: Group, escapes: bool = True) -> dict[str, Any]:
    """Compile a group's schema and judge its instances; give what was wrong."""
    options: dict[str, Any] = {}
    if data == "suite":
        options = {"any_order": True, "documents": documents()}
    switch = {"dev": None, "suite": False, "formats": True}[data]
    found: dict[str, Any] = {"name": group.name, "refused": None, "false_accepts": [], "false_rejects": [], "valid": 0}
    try:
        walks = {False: _compiled(engine, group.schema, switch, options)}
        if data == "dev" and any(one.formats for one in group.instances):
            walks[True] = _compiled(engine, group.schema, True, options)
    except (UnsupportedSchemaError, SchemaError) as error:
        found["refused"] = {
            "keyword": getattr(error, "keyword", "") or str(error)[:60],
            "message": str(error),
            "kind": type(error).__name__,
        }
        return found
    found["unsatisfiable"] = walks[False] is None
    for instance in group.instances:
        _judge_instance(walks[instance.formats and True in walks], instance, found, escapes)
    return found


def _compiled(engine: str, schema: Any, formats: bool | None, options: dict[str, Any]) -> Any:
    try:
        return compile_schema(engine, schema, _BYTES, formats=formats, **options)
    except UnsatisfiableSchemaError:
        return None


def _judge_instance(walk: Any, instance: Instance, found: dict[str, Any], escapes: bool) -> None:
    accepted = {text: accepts(walk, text) for text in writings(instance.data, escapes)}
    if instance.valid:
        found["valid"] += all(accepted.values())
        found["false_rejects"] += [text for text, yes in accepted.items() if not yes][:1]
    else:
        found["false_accepts"] += [text for text, yes in accepted.items() if yes][:1]


def run(engine: str, data: str, limit_s: float, chosen: str = "", escapes: bool = True) -> list[dict[str, Any]]:
    """Judge all groups whose name contains `chosen`."""
    worker, results = Worker(judge, limit_s, 16 << 30), list[dict[str, Any]]()
    for group in groups(data):
        if chosen not in group.name:
            continue
        try:
            result = worker(engine, data, group, escapes)
        except (TimeoutError, RuntimeError) as error:
            kind = type(error).__name__
            result = {"name": group.name, "refused": {"keyword": kind, "message": str(error), "kind": kind}}
        result["instances"] = Counter("valid" if one.valid else "invalid" for one in group.instances)
        results.append(result)
    worker.close()
    return results


def report(results: list[dict[str, Any]], verbose: bool) -> str:
    """Write what came out."""
    compiled = [one for one in results if not one["refused"]]
    wrong = [one for one in compiled if one["false_accepts"] or one["false_rejects"]]
    valid, invalid = (sum(one["instances"][kind] for one in compiled) for kind in ("valid", "invalid"))
    accepted, leaks = (
        sum(one["valid"] for one in compiled),
        sum(len(one["false_accepts"]) for one in compiled),
    )
    exact = len(compiled) - len(wrong)
    refused = Counter(one["refused"]["keyword"] for one in results if one["refused"])
    all_invalid = sum(one["instances"]["invalid"] for one in results)
    lines = [
        f"compiled {len(compiled)} of {len(results)} (unsatisfiable: {sum(one['unsatisfiable'] for one in compiled)})",
        f"valid accepted {accepted} of {valid}",
        f"false accepts {leaks} of {invalid}; rejected {invalid - leaks} of {all_invalid} invalid ones in all groups",
        f"exact groups {exact} of {len(results)} ({exact / max(1, len(results)):.1%})",
        f"wrong groups: {len(wrong)}",
        *(f"  {one['name']}: accepts {one['false_accepts']}, rejects {one['false_rejects']}"[:400] for one in wrong),
        f"refused by keyword: {dict(refused.most_common())}",
    ]
    if verbose:
        lines += [f"  {one['name']}: {one['refused']['message']}"[:300] for one in results if one["refused"]]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", choices=NAMES, default=NAMES[0])
    parser.add_argument("--data", choices=["dev", "suite", "formats"], default="dev")
    parser.add_argument("--limit-s", type=float, default=30, help="seconds that one group may take")
    parser.add_argument("--only", default="", help="only groups whose name contains this")
    parser.add_argument("--no-escapes", action="store_true", help="leave out the writings with \\uXXXX")
    parser.add_argument("--out", help="a JSON file for all results")
    parser.add_argument("--verbose", action="store_true", help="also list what is refused")
    given = parser.parse_args()
    results = run(given.engine, given.data, given.limit_s, given.only, not given.no_escapes)
    print(f"{given.engine} on {given.data}")
    print(report(results, given.verbose))
    if given.out:
        with open(given.out, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
