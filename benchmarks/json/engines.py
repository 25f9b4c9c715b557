"""Engines behind one small interface: `compile(schema, vocabulary, …)` gives something to walk.

What is walked has `start()`, `mask(state)` (packed int32), `advance(state, token)`, `is_complete(state)` and
`min_tokens(state)` where the engine knows it. llguidance and outlines-core themselves have matchers that change: their
states are those objects, to be walked once from each `start()`.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from decodekit.errors import UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit.techniques import BuildContext
from decodekit.vocabulary import Vocabulary

FAR = 1 << 20
HANGS = ("outlines-core",)
"""Engines that can take minutes or gigabytes for one schema: they run in a process of their own."""


class Walk:
    """A constraint of the core's contract, whatever it leaves optional."""

    def __init__(self, constraint: Any) -> None:
        self.constraint = constraint
        self._start = constraint.start
        self.advance, self.is_complete = constraint.advance, constraint.is_complete
        self.min_tokens = getattr(constraint, "min_tokens", None)
        self._budget = "remaining" in inspect.signature(constraint.mask).parameters

    def start(self) -> Any:
        return self._start() if callable(self._start) else self._start

    def mask(self, state: Any, remaining: int = FAR) -> Any:
        return self.constraint.mask(state, remaining) if self._budget else self.constraint.mask(state)


def _json(schema: Any, vocabulary: Vocabulary, any_order: bool, formats: bool | None, documents: Any) -> Walk:
    import decodekit_json

    compile_schema: Any = decodekit_json.compile
    given: dict[str, Any] = {}
    if any_order:
        given["key_order"] = "any"
    if documents:
        given["documents"] = documents
    if formats is not None:
        switch = inspect.signature(compile_schema).parameters["formats"].default
        given["formats"] = formats if isinstance(switch, bool) else "assert" if formats else "annotate"
    return Walk(compile_schema(schema, vocabulary, **given))


def _context(vocabulary: Vocabulary) -> BuildContext:
    return BuildContext(vocabulary, None, None, vocabulary.size, vocabulary.end_tokens, (0,), FAR)


def _outlines(schema: Any, vocabulary: Vocabulary, *_: Any) -> Walk:
    from decodekit_outlines import OutlinesJSONSchema

    return Walk(OutlinesJSONSchema(schema, whitespace="flexible").build(_context(vocabulary)))


def _plugin(schema: Any, vocabulary: Vocabulary, *_: Any) -> Walk:
    from decodekit_llguidance import LLGuidanceJSONSchema

    return Walk(LLGuidanceJSONSchema(schema).build(_context(vocabulary)))


class _LLGuidance:
    """llguidance's own matcher; a state is a matcher, used up by the walk."""

    min_tokens = None
    _tokenizers: dict[Vocabulary, Any] = {}  # noqa: RUF012

    def __init__(self, schema: Any, vocabulary: Vocabulary) -> None:
        from llguidance import LLMatcher

        tokenizer = self.tokenizer(vocabulary)
        if isinstance(schema, bool):  # its options go into the schema, which must be an object
            schema = {} if schema else {"allOf": [False]}
        source = LLMatcher.grammar_from_json_schema(json.dumps(schema))
        self.matcher: Any = LLMatcher(tokenizer, source, log_level=0)
        if self.matcher.is_error():
            said = self.matcher.get_error().split("\n")[0]
            kind = UnsatisfiableSchemaError if "nsatisfiable" in said else UnsupportedSchemaError
            raise kind(said)
        self.words = -(-tokenizer.vocab_size // 32)

    @classmethod
    def tokenizer(cls, vocabulary: Vocabulary) -> Any:
        from llguidance import LLTokenizer

        if vocabulary not in cls._tokenizers:
            cls._tokenizers[vocabulary] = LLTokenizer(_Tokens(vocabulary))  # type: ignore[arg-type]
        return cls._tokenizers[vocabulary]

    def start(self) -> Any:
        return self.matcher.deep_copy()

    def mask(self, state: Any, remaining: int = FAR) -> Any:
        bits = np.zeros(self.words, np.int32)
        state.unsafe_compute_mask_ptr(bits.ctypes.data, bits.nbytes)
        return bits

    def advance(self, state: Any, token: int) -> Any:
        state.consume_token(token)
        return state

    def is_complete(self, state: Any) -> bool:
        return state.is_accepting()


class _Tokens:
    """A vocabulary as llguidance wants it; text that is certain is tokenized by the longest token that fits."""

    is_tokenizer_wrapper = True
    bos_token_id = None

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.tokens = [*(token or b"" for token in vocabulary.tokens), b"\xff<end>"]
        self.eos_token_id = vocabulary.size
        self.special_token_ids = [vocabulary.size]
        self.ids = {token: number for number, token in enumerate(self.tokens) if token}
        self.longest = max(map(len, self.ids))

    def __call__(self, text: str) -> list[int]:
        raw, found = text.encode() if isinstance(text, str) else text, list[int]()
        while raw:
            size = next(n for n in range(min(self.longest, len(raw)), 0, -1) if raw[:n] in self.ids)
            found.append(self.ids[raw[:size]])
            raw = raw[size:]
        return found


class _OutlinesCore:
    """outlines-core's own index and guide; a state is a guide, used up by the walk."""

    min_tokens = None

    def __init__(self, schema: Any, vocabulary: Vocabulary) -> None:
        from outlines_core import Index
        from outlines_core import Vocabulary as Theirs
        from outlines_core.json_schema import build_regex_from_schema

        ids: dict[bytes, list[int]] = {}
        for number, token in enumerate(vocabulary.tokens):
            if token:
                ids.setdefault(token, []).append(number)
        try:
            regex = build_regex_from_schema(json.dumps(schema), r"[ \n]*")
            self.index = Index(regex, Theirs(vocabulary.size, ids))
        except Exception as error:  # it raises plain exceptions of several kinds
            raise UnsupportedSchemaError(str(error).split("\n")[0]) from error
        self.end = vocabulary.size
        self.words = -(-(vocabulary.size + 1) // 32)

    def start(self) -> Any:
        from outlines_core import Guide

        return Guide(self.index)

    def mask(self, state: Any, remaining: int = FAR) -> Any:
        bits = np.zeros(self.words, np.int32)
        state.write_mask_into(bits.ctypes.data, bits.size, bits.itemsize)
        return bits

    def advance(self, state: Any, token: int) -> Any:
        state.advance(token, False)
        return state

    def is_complete(self, state: Any) -> bool:
        return state.is_finished() or allows(self.mask(state), self.end)


_ENGINES: dict[str, Callable[..., Any]] = {
    "decodekit-json": _json,
    "decodekit-outlines": _outlines,
    "decodekit-llguidance": _plugin,
    "llguidance": lambda schema, vocabulary, *_: _LLGuidance(schema, vocabulary),
    "outlines-core": lambda schema, vocabulary, *_: _OutlinesCore(schema, vocabulary),
}
NAMES = tuple(_ENGINES)


def compile_schema(
    engine: str,
    schema: Any,
    vocabulary: Vocabulary,
    *,
    any_order: bool = False,
    formats: bool | None = None,
    documents: Any = None,
) -> Any:
    """Compile with an engine.

    Args:
        engine: One of `NAMES`.
        schema: The schema.
        vocabulary: The tokens.
        any_order: Whether keys may come in any order, where the engine has that.
        formats: Whether `format` is asserted, where the engine has a switch; None leaves it as it is.
        documents: Schemas by address, where the engine can be handed them.
    """
    return _ENGINES[engine](schema, vocabulary, any_order, formats, documents)


def forget_shared(engine: str, vocabulary: Vocabulary) -> None:
    """Empty the caches that all schemas of an engine share, where it has such; what a schema holds itself stays."""
    if engine != "decodekit-json":
        return
    from decodekit_json.compiler import KEPT
    from decodekit_json.states import POOL
    from decodekit_json.trie import VocabularyTrie

    trie = VocabularyTrie.of(vocabulary, vocabulary.size)
    for cache in (trie.kept_views, trie.kept_inside, trie.kept_targets, trie.kept_suffixes, trie.spelled, POOL, KEPT):
        cache.clear()
    for name, module in list(sys.modules.items()):
        if name.startswith("decodekit_json"):
            for one in vars(module).values():
                if hasattr(one, "cache_clear"):
                    one.cache_clear()


def allows(mask: Any, token: int) -> bool:
    """Look a token up in a packed mask."""
    return bool(int(mask[token >> 5]) >> (token & 31) & 1)
