"""Measure masks in free text up to a trigger, and in the document behind it, on the dev schemas with a real tokenizer.

    OMP_NUM_THREADS=1 python benchmarks/json/free_text.py --tokenizer tekken-131k --count 60

Engines take turns schema by schema: `json_schema` of decodekit-json with `after`, and llguidance's own grammar of a
lazy rule and `%json`. What decodekit-json finds about free text serves all schemas, so its masks there are new for the
first schemas only; `budget` is the same walk with no more tokens left than the text has, which llguidance ignores.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
from data import groups, tokenizer
from engines import FAR, _context, _LLGuidance, allows

from decodekit.vocabulary import Vocabulary
from decodekit_json import JSONSchema

TRIGGER = "</think>"
THOUGHT = (
    "Okay, the user wants a card. I might use <b>tags</b> first, then </thinking aloud, 漢字 and é; a < b, so "
    '"{}" is not it yet. Let me write it down:\n'
)


class _Lazy(_LLGuidance):
    """llguidance with free text before the document."""

    def __init__(self, schema: Any, vocabulary: Vocabulary) -> None:
        from llguidance import LLMatcher

        found = self.tokenizer(vocabulary)
        rules = f'start: thought document\nthought[suffix="{TRIGGER}"]: /(?s:.*)/\ndocument: %json {json.dumps(schema)}'
        self.matcher = LLMatcher(found, LLMatcher.grammar_from_lark(rules), log_level=0)
        if self.matcher.is_error():
            raise ValueError(self.matcher.get_error().split("\n")[0])
        self.words = -(-found.vocab_size // 32)


def masks(walk: Any, tokens: list[int], remaining: int | None = None) -> list[float] | None:
    """Walk a text and give the seconds of each mask; None where a token is not allowed."""
    state, found = walk.start(), list[float]()
    for at, token in enumerate(tokens):
        begin = time.perf_counter()
        mask = walk.mask(state, FAR if remaining is None else remaining - at)
        found.append(time.perf_counter() - begin)
        if not allows(mask, token):
            return None
        state = walk.advance(state, token)
    return found


def show(name: str, times: list[float]) -> None:
    """Print a distribution in microseconds."""
    us = np.array(times) * 1e6
    print(f"{name:40} median {np.median(us):7.1f}  mean {us.mean():7.1f}  p99 {np.percentile(us, 99):8.1f}  "
          f"max {us.max():8.1f}  of {len(us)}")  # fmt: skip


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", default="tekken-131k")
    parser.add_argument("--count", type=int, default=60, help="schemas")
    asked = parser.parse_args()
    found = tokenizer(asked.tokenizer)
    vocabulary = Vocabulary.from_tokenizer(found)
    makes: dict[str, Any] = {
        "decodekit-json": lambda schema: JSONSchema(schema, after=TRIGGER).build(_context(vocabulary)),
        "llguidance": lambda schema: _Lazy(schema, vocabulary),
    }
    for make in makes.values():
        walk = make({"type": "null"})
        walk.mask(walk.start(), FAR)
    thought = len(found.encode(THOUGHT, add_special_tokens=False))
    times: dict[str, dict[str, list[float]]] = {name: {} for name in makes}
    failed = dict.fromkeys(makes, 0)
    chosen = [group for group in groups("dev") if any(one.valid for one in group.instances)][: asked.count]
    for group in chosen:
        document = json.dumps(next(one.data for one in group.instances if one.valid), ensure_ascii=False)
        tokens = found.encode(THOUGHT + TRIGGER + document, add_special_tokens=False)
        for name, make in makes.items():
            begin = time.perf_counter()
            try:
                walk = make(group.schema)
                walk.mask(walk.start(), FAR)
            except Exception:  # an engine's own, whichever it is; how many there were is printed
                failed[name] += 1
                continue
            first = time.perf_counter() - begin
            passes = {"": masks(walk, tokens)}
            if name == "decodekit-json":
                passes |= {", again": masks(walk, tokens), ", budget": masks(walk, tokens, len(tokens))}
            if any(each is None for each in passes.values()):
                failed[name] += 1
                continue
            times[name].setdefault("schema to first mask", []).append(first)
            for which, each in passes.items():
                assert each is not None
                times[name].setdefault(f"free text{which}", []).extend(each[:thought])
                times[name].setdefault(f"document{which}", []).extend(each[thought:])
    for name, kinds in times.items():
        print(f"{name}: {len(chosen) - failed[name]} of {len(chosen)} schemas")
        for kind, each in kinds.items():
            show(f"  {kind}", each)


if __name__ == "__main__":
    main()
