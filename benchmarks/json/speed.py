"""Measure engines on the dev schemas with a real tokenizer: schema to first mask, masks along the valid instances.

    OMP_NUM_THREADS=1 python benchmarks/json/speed.py --tokenizer tekken-131k --engines decodekit-json llguidance
    OMP_NUM_THREADS=1 python benchmarks/json/speed.py --memory --engines decodekit-json
    OMP_NUM_THREADS=1 python benchmarks/json/speed.py --bounded 10000 --engines decodekit-json

One thread, `perf_counter`; engines take turns schema by schema in one process, except that those which can hang
(outlines-core) run in a process of their own, which is killed when the time limit passes.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
import tracemalloc
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import psutil
from data import Group, groups, tokenizer
from engines import HANGS, NAMES, allows, compile_schema, forget_shared
from workers import Worker

from decodekit.vocabulary import Vocabulary

_TRIVIAL = {"type": "null"}


@dataclass(slots=True)
class Timing:
    """Seconds: schema to first mask, and each mask of the first and the second request."""

    compile_s: float = 0.0
    masks_s: list[float] = field(default_factory=list)
    again_s: list[float] = field(default_factory=list)
    advances_s: list[float] = field(default_factory=list)
    failure: str = ""
    timed_out: bool = False


def measure(engine: str, schema: Any, texts: list[list[int]], vocabulary: Vocabulary) -> Timing:
    """Compile, take the first mask, then walk the instances twice."""
    found, clock = Timing(), time.perf_counter
    begin = clock()
    try:
        walk = compile_schema(engine, schema, vocabulary)
        walk.mask(walk.start())
    except Exception as error:
        found.failure = f"{type(error).__name__}: {error}"
    found.compile_s = clock() - begin
    if not found.failure:
        for times in (found.masks_s, found.again_s):
            for tokens in texts:
                _walk(walk, tokens, times, found.advances_s)
    return found


def _walk(walk: Any, tokens: list[int], times: list[float], advances: list[float]) -> None:
    clock, state = time.perf_counter, walk.start()
    for token in tokens:
        begin = clock()
        mask = walk.mask(state)
        times.append(clock() - begin)
        if not allows(mask, token):  # an engine that rejects a valid document: correctness.py names it
            return
        begin = clock()
        state = walk.advance(state, token)
        advances.append(clock() - begin)


def texts_of(group: Group, encode: Any) -> list[list[int]]:
    """Tokenize the valid instances, as `json.dumps` writes them without escapes."""
    valid = [one.data for one in group.instances if one.valid]
    return [encode(json.dumps(data, ensure_ascii=False)) for data in valid]


def speed(engines: list[str], name: str, limit_s: float, count: int | None) -> None:
    """Print the speed tables."""
    hf = tokenizer(name)
    vocabulary = Vocabulary.from_tokenizer(hf)
    runs: dict[str, Any] = {}
    print(f"{name}, {vocabulary.size} tokens, load {os.getloadavg()[0]:.1f}")
    for engine in engines:
        begin = time.perf_counter()
        runs[engine] = partial(measure, engine)
        if engine in HANGS:
            runs[engine] = Worker(runs[engine], limit_s, 12 << 30)
        else:
            for words in (vocabulary, Vocabulary(vocabulary.tokens, vocabulary.end_tokens)):
                begin = time.perf_counter()
                trivial = measure(engine, _TRIVIAL, [], words)
                print(
                    f"  {engine}: vocabulary and a trivial schema {time.perf_counter() - begin:.3f} s {trivial.failure}"
                )
    results: dict[str, list[Timing]] = {engine: [] for engine in engines}
    encode = partial(hf.encode, add_special_tokens=False)
    for group in groups("dev")[:count]:
        texts = texts_of(group, encode)
        for engine in engines:
            _tidy()
            results[engine].append(_one(runs[engine], group.schema, texts, vocabulary, limit_s))
    print(
        "| engine | compiled, timed out | schema to first mask, ms: median / p95 / max | mask, µs: median / mean / p99",
        end="",
    )
    print(" | second request | advance, µs: mean |\n|---|---|---|---|---|---|")
    for engine, timings in results.items():
        print(f"| {engine} | {row(timings)} |")


def _tidy() -> None:
    """Collect garbage, and leave what is kept out of later collections, each of which would walk all of it again."""
    gc.collect()
    gc.freeze()


def _one(run: Any, schema: Any, texts: list[list[int]], vocabulary: Vocabulary, limit_s: float) -> Timing:
    try:
        return run(schema, texts, vocabulary)
    except TimeoutError as error:
        return Timing(compile_s=limit_s, failure=str(error), timed_out=True)
    except RuntimeError as error:
        return Timing(failure=str(error))


def row(timings: list[Timing]) -> str:
    """Write one engine's cells."""
    compiled = [t for t in timings if not t.failure]
    late = sum(t.timed_out for t in timings)
    starts = np.array([t.compile_s for t in compiled] or [np.nan]) * 1e3
    cells = [
        f"{len(compiled)} of {len(timings)}, {late}",
        f"{np.median(starts):.2f} / {np.percentile(starts, 95):.1f} / {starts.max():.0f}",
    ]
    for name in ("masks_s", "again_s"):
        masks = np.concatenate([np.array(getattr(t, name)) for t in compiled] or [np.array([])]) * 1e6
        cells.append(three(masks) if masks.size else "-")
    advances = np.concatenate([np.array(t.advances_s) for t in compiled] or [np.array([])]) * 1e6
    return " | ".join([*cells, f"{advances.mean():.1f}" if advances.size else "-"])


def three(values: Any) -> str:
    """Write median, mean and 99th percentile."""
    return f"{np.median(values):.1f} / {values.mean():.1f} / {np.percentile(values, 99):.0f}"


def memory(engines: list[str], name: str, count: int | None) -> None:
    """Print what a compiled schema holds after its instances were walked: Python's blocks, and the process's growth.

    Caches that schemas share count for the schema that filled them; then the same without these. `count` schemas are
    spread over all of them.
    """
    hf = tokenizer(name)
    vocabulary = Vocabulary.from_tokenizer(hf)
    encode = partial(hf.encode, add_special_tokens=False)
    for engine in engines:
        measure(engine, _TRIVIAL, [], vocabulary)
        for shared in (True, False):
            blocks, growth = held(engine, vocabulary, encode, count, shared)
            kinds = [("Python's blocks", blocks), ("growth of the process", growth)] if shared else [("own", blocks)]
            for what, values in kinds:
                median, p95 = np.percentile(values, [50, 95]) / 1e6
                most = max(values) / 1e6
                print(f"{engine}, {name}: {what} per schema, MB: median {median:.3f}, p95 {p95:.3f}, most {most:.1f}")


def held(
    engine: str, vocabulary: Vocabulary, encode: Any, count: int | None, shared: bool
) -> tuple[list[int], list[int]]:
    """Give the bytes of Python's blocks for each schema, and those by which the process grew.

    Args:
        engine: Which.
        vocabulary: The tokens.
        encode: Gives the tokens of a text.
        count: How many schemas.
        shared: Whether caches that schemas share count for the schema that filled them; else they are emptied.
    """
    process, blocks, growth, every = psutil.Process(), list[int](), list[int](), groups("dev")
    for group in every[:: -(-len(every) // count) if count else 1]:
        texts = texts_of(group, encode)
        if not shared:
            forget_shared(engine, vocabulary)
        _tidy()
        before = process.memory_info().rss
        tracemalloc.start()
        try:
            walk = compile_schema(engine, group.schema, vocabulary)
        except Exception:  # an engine's own, whichever it is: what it refuses has no size, and is not counted below
            tracemalloc.stop()
            continue
        for tokens in texts:
            _walk(walk, tokens, [], [])
        if not shared:
            forget_shared(engine, vocabulary)
        gc.collect()
        blocks.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        growth.append(process.memory_info().rss - before)
        del walk
    return blocks, growth


def bounded(engines: list[str], name: str, many: int) -> None:
    """Compile many different schemas, made from the dev schemas by renaming their keys; print the process's memory."""
    vocabulary, process = Vocabulary.from_tokenizer(tokenizer(name)), psutil.Process()
    for engine in engines:
        done = failed = 0
        plain = [group.schema for group in groups("dev")]
        for number in range(many):
            timing = measure(engine, renamed(plain[number % len(plain)], f"_{number}"), [], vocabulary)
            done, failed = done + 1, failed + bool(timing.failure)
            if done % max(1, many // 10) == 0:
                print(
                    f"{engine}: {done} schemas ({failed} refused), {process.memory_info().rss / 1e6:.0f} MB", flush=True
                )


def renamed(schema: Any, suffix: str) -> Any:
    """Put a suffix behind the names of declared and required properties."""
    if isinstance(schema, list):
        return [renamed(one, suffix) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, value in schema.items():
        if key == "properties" and isinstance(value, dict):
            found[key] = {name + suffix: renamed(one, suffix) for name, one in value.items()}
        elif key == "required" and isinstance(value, list):
            found[key] = [name + suffix if isinstance(name, str) else name for name in value]
        else:
            found[key] = value if key in ("enum", "const", "default", "examples") else renamed(value, suffix)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--engines", nargs="+", choices=NAMES, default=["decodekit-json", "llguidance", "outlines-core"]
    )
    parser.add_argument("--tokenizer", choices=["tekken-131k", "gpt2"], default="tekken-131k")
    parser.add_argument("--limit-s", type=float, default=60, help="seconds per schema for engines that can hang")
    parser.add_argument("--count", type=int, help="only so many schemas: the first ones, for --memory spread over all")
    parser.add_argument("--memory", action="store_true", help="measure memory per schema instead")
    parser.add_argument("--bounded", type=int, default=0, metavar="N", help="compile N different schemas instead")
    given = parser.parse_args()
    if given.bounded:
        bounded(given.engines, given.tokenizer, given.bounded)
    elif given.memory:
        memory(given.engines, given.tokenizer, given.count)
    else:
        speed(given.engines, given.tokenizer, given.limit_s, given.count)


if __name__ == "__main__":
    main()
