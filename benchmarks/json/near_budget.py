"""How near to exact budgets are: whether a real document's rest may be written with exactly the tokens that it takes.

    OMP_NUM_THREADS=1 python benchmarks/json/near_budget.py --tokenizer tekken-131k

Every valid dev instance is tokenized in three writings. At places along it the engine is asked for the fewest tokens to
the end, which must not be more than the document takes from there, and for the mask with that many tokens left, which
must have the document's next token.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections import Counter
from typing import Any

from data import groups, tokenizer
from engines import NAMES, allows, compile_schema

from decodekit.errors import SchemaError, SchemaWarning
from decodekit.vocabulary import Vocabulary

_WRITINGS: dict[str, dict[str, Any]] = {
    "json.dumps": {},
    "compact": {"separators": (",", ":")},
    "indented": {"indent": 2},
}


def judge(walk: Any, tokens: list[int], every: int, found: Counter[str]) -> None:
    """Ask at every so many places of a document, and at its last ten."""
    state, states = walk.start(), list[Any]()
    for token in tokens:
        if not allows(walk.mask(state), token):  # another order of keys: correctness.py names it
            return
        states.append(state)
        state = walk.advance(state, token)
    for at, state in enumerate(states):
        left = len(tokens) - at
        if at % every and left > 10:
            continue
        found["places"] += 1
        found["said to need more"] += walk.min_tokens(state) > left
        found["next token refused"] += not allows(walk.mask(state, left), tokens[at])


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=NAMES, default="decodekit-json")
    parser.add_argument("--tokenizer", choices=["tekken-131k", "gpt2"], default="tekken-131k")
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--count", type=int, help="only so many schemas")
    asked = parser.parse_args()
    hf = tokenizer(asked.tokenizer)
    vocabulary, kinds = Vocabulary.from_tokenizer(hf), {name: Counter[str]() for name in _WRITINGS}
    warnings.simplefilter("ignore", SchemaWarning)
    for group in groups("dev")[: asked.count]:
        try:
            walk = compile_schema(asked.engine, group.schema, vocabulary)
        except SchemaError:
            continue
        for name, form in _WRITINGS.items():
            for one in group.instances:
                if one.valid:
                    text = json.dumps(one.data, ensure_ascii=False, **form)
                    judge(walk, hf.encode(text, add_special_tokens=False), asked.every, kinds[name])
    for name, found in kinds.items():
        print(f"{name}: {', '.join(f'{many} {what}' for what, many in found.items())}")


if __name__ == "__main__":
    main()
