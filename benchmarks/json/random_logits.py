"""The worst case: texts drawn at random under mask and budget, each judged by an independent validator.

    OMP_NUM_THREADS=1 python benchmarks/json/random_logits.py --count 20000 --tokenizer gpt2

Three kinds of logits in turn: new ones at every token; the same ones for a whole text, so that the favourites repeat
wherever they may; and sharp ones, which differ a little from token to token. The budget is the fewest tokens of the
schema and a number between 0 and 100 more. The judge is python-jsonschema with the schema's own draft; numbers are read
as decimals, so that `multipleOf` is exact, and patterns as ECMA-262 has them, by the library regress.
"""

from __future__ import annotations

import argparse
import decimal
import json
import time
from collections import Counter
from functools import cache
from typing import Any

import jsonschema
import numpy as np
import regress
from data import groups, tokenizer
from engines import NAMES, compile_schema

from decodekit.errors import SchemaError
from decodekit.vocabulary import Vocabulary

decimal.getcontext().prec = 5000
decimal.getcontext().Emax, decimal.getcontext().Emin = decimal.MAX_EMAX, decimal.MIN_EMIN
_BANK = 48
_EXTRA = (0, 1, 3, 10, 30, 100)
_KINDS = ("fresh", "same", "sharp")
_IN_TURN = 6
"""Texts of a schema before the next one has its turn; compiled anew each time, so that memory stays bounded."""


class Logits:
    """Seeded logits: a bank of rows with Gumbel noise, so that the largest allowed one is a draw."""

    def __init__(self, size: int, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.rows = self.random.gumbel(size=(_BANK, size)).astype(np.float32)

    def text(self, kind: str) -> Any:
        """Give a function of the position that gives logits."""
        first = int(self.random.integers(_BANK))
        if kind == "same":
            return lambda: self.rows[first]
        if kind == "sharp":
            return lambda: 4 * self.rows[first] + self.rows[self.random.integers(_BANK)]
        return lambda: self.rows[self.random.integers(_BANK)]


def write(walk: Any, vocabulary: Vocabulary, budget: int, logits: Any, random: Any) -> tuple[list[int], bool]:
    """Draw a text; give its tokens and whether it ended rightly."""
    state, tokens = walk.start(), list[int]()
    while len(tokens) < budget:
        bits = walk.mask(state, budget - len(tokens))
        allowed = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little"))
        complete = walk.is_complete(state)
        if not allowed.size or (complete and random.random() < 0.3):
            return tokens, complete
        values = logits()
        tokens.append(int(allowed[values[allowed].argmax()]))
        state = walk.advance(state, tokens[-1])
    return tokens, bool(walk.is_complete(state))


@cache
def _kind(draft: Any) -> Any:
    """Give the draft's validator with decimals as numbers."""

    def number(_: Any, value: Any) -> bool:
        return isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool)

    def integer(_: Any, value: Any) -> bool:
        return number(_, value) and value == int(value)

    checker = draft.TYPE_CHECKER.redefine("number", number).redefine("integer", integer)
    rules = {"pattern": _pattern, "patternProperties": _pattern_properties, "additionalProperties": _additional}
    return jsonschema.validators.extend(draft, rules, type_checker=checker)


@cache
def _expression(pattern: str) -> Any:
    return regress.Regex(pattern, "u")


def _pattern(_: Any, pattern: str, value: Any, __: Any) -> Any:
    if isinstance(value, str) and _expression(pattern).find(value) is None:
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, rules: Any, value: Any, _: Any) -> Any:
    if isinstance(value, dict):
        for pattern, rule in rules.items():
            for key in [key for key in value if _expression(pattern).find(key) is not None]:
                yield from validator.descend(value[key], rule, path=key, schema_path=pattern)


def _additional(validator: Any, rule: Any, value: Any, schema: Any) -> Any:
    if isinstance(value, dict):
        patterns = [_expression(pattern) for pattern in schema.get("patternProperties", ())]
        for key in value:
            if key not in schema.get("properties", ()) and all(one.find(key) is None for one in patterns):
                yield from validator.descend(value[key], rule, path=key)


def validator_of(schema: Any) -> Any:
    """Give the judge of a schema."""
    draft = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    exact = json.loads(json.dumps(schema), parse_float=decimal.Decimal)
    return _kind(draft)(exact)


def judge(validator: Any, raw: bytes) -> str:
    """Give what is wrong with a text, or nothing."""
    try:
        value = json.loads(raw.decode(), parse_float=decimal.Decimal)
    except ValueError as error:
        return f"not JSON: {error}"
    error = next(validator.iter_errors(value), None)
    return "" if error is None else f"{'/'.join(map(str, error.absolute_schema_path))}: {error.message[:120]}"


def run(engine: str, name: str, count: int, seed: int) -> None:
    """Write `count` texts, a few of each dev schema in turn, and print what is wrong with them."""
    vocabulary = Vocabulary.from_tokenizer(tokenizer(name))
    logits, random = Logits(vocabulary.size, seed), np.random.default_rng(seed)
    seconds, texts, wrong, lengths, refused = Counter[str](), Counter[str](), Counter[str](), 0, set[str]()
    every, started = groups("dev"), time.thread_time()
    while texts.total() < count and len(refused) < len(every):
        for group in every:
            few = min(_IN_TURN, count - texts.total())
            compiled = _compiled(engine, group, vocabulary) if few else None
            if compiled is None:
                refused.update([group.name] if few else [])
                continue
            walk, validator, fewest = compiled
            for number in range(few):
                kind, begun = _KINDS[number % len(_KINDS)], time.thread_time()
                budget = max(1, fewest + int(random.choice(_EXTRA)))
                tokens, ended = write(walk, vocabulary, budget, logits.text(kind), random)
                seconds[group.name] += time.thread_time() - begun
                raw = vocabulary.bytes_of(tokens)
                fault = judge(validator, raw) if ended else "dead end or no end within the budget"
                texts[group.name] += 1
                lengths += len(tokens)
                if fault:
                    wrong[kind] += 1
                    print(
                        f"{group.name} ({kind}, {len(tokens)} of {budget} tokens): {fault}\n  {raw[:300]!r}", flush=True
                    )
                if texts.total() % 500 == 0:
                    spent = time.thread_time() - started
                    print(f"{texts.total()} texts, {wrong.total()} wrong, {spent:.0f} s of the CPU", flush=True)
    done, failed = texts.total(), wrong.total()
    print(f"{engine}, {name}: {len(texts)} schemas, {done} texts, {lengths / max(1, done):.0f} tokens on average")
    print(f"valid {done - failed} ({(done - failed) / max(1, done):.2%}); wrong by kind {dict(wrong)}")
    print(f"{seconds.total() / max(1, done) * 1000:.0f} ms a text; the slowest schemas:")
    for slow in sorted(texts, key=lambda one: seconds[one] / texts[one], reverse=True)[:10]:
        print(f"  {slow}: {seconds[slow] / texts[slow] * 1000:.0f} ms a text, {texts[slow]} texts")


def _compiled(engine: str, group: Any, vocabulary: Vocabulary) -> tuple[Any, Any, int] | None:
    try:
        walk = compile_schema(engine, group.schema, vocabulary)
    except SchemaError:
        return None
    return walk, validator_of(group.schema), walk.min_tokens(walk.start())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", choices=[e for e in NAMES if e.startswith("decodekit")], default="decodekit-json")
    parser.add_argument("--tokenizer", choices=["tekken-131k", "gpt2"], default="gpt2")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    run(given.engine, given.tokenizer, given.count, given.seed)


if __name__ == "__main__":
    main()
