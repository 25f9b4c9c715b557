"""The working piece: llguidance's masks, steered to the end where the request's tokens run out."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from decodekit.errors import UnsatisfiableSchemaError, UnsupportedSchemaError
from decodekit.techniques import CompiledConstraint, PartialParser
from decodekit.types import PackedMask
from decodekit.vocabulary import Vocabulary
from decodekit_llguidance.ends import Ends, UndecidedError, tokens_of
from decodekit_llguidance.matchers import Matchers
from decodekit_llguidance.prefix import Prefix
from decodekit_llguidance.words import Words

Parse = Callable[[str], Any]

FAR = 2048
"""With more tokens left than this nothing is searched: llguidance's own mask is given."""
_NOT_FOUND = 1 << 20
_SMALL_VOCABULARY = 512
_WORK = 4_000
_EXACT_TOKENS = 12
_ANCHOR = 16
_CHECKED = 6
_KEPT_STEERED = 1024
_FORCED_LIMIT = 32
_KEPT_GRAMMARS = 32
_EVERY_TOKENIZATION = '\n%llguidance {"no_forcing": true}\n'
"""Otherwise llguidance leaves only one tokenization of a text that is certain, and its masks miss the others."""
_grammars: OrderedDict[tuple[str, int, str], Grammar] = OrderedDict()
_lock = threading.Lock()


class Grammar:
    """One grammar over one vocabulary, shared by all requests that ask for it.

    Args:
        first: llguidance's matcher before the first token.
        words: The vocabulary.
    """

    def __init__(self, first: Any, words: Words) -> None:
        self.words = words
        self.matchers = Matchers(first, words)
        self.ends = Ends(self.matchers)


class LLGuidanceConstraint(CompiledConstraint):
    """A grammar of llguidance. States are prefixes: values, whose forks share memory.

    llguidance knows no budgets. On a vocabulary of at most 512 tokens with at most 12 tokens left the mask is exact:
    a search tries every token. Elsewhere the mask is llguidance's own while more than `reserve` tokens are left
    beyond a way to the end that was found at most 16 tokens ago, and then only tokens after which a way was found
    that fits. *Approximate* there: a token that makes more than `reserve` further tokens necessary can come too late
    to be finished, tokens that would still fit can be missing, and `min_tokens` may be more than the fewest.

    *Cost:* a mask that was asked before is a look-up; a new one a copy of a matcher and a mask of llguidance; near the
    budget's end up to six searches of some milliseconds.

    Args:
        grammar: The grammar over the vocabulary.
        name: What to call it in messages.
        reserve: Tokens that are kept back for the end.
        parse: Turns a complete text into the result.
        partial: Reads unfinished texts.
    """

    def __init__(
        self,
        grammar: Grammar,
        name: str,
        reserve: int,
        parse: Parse | None = None,
        partial: PartialParser | None = None,
    ) -> None:
        self.grammar, self.name, self.reserve, self._parse, self.partial = grammar, name, reserve, parse, partial
        self._start = Prefix()
        self._steered: OrderedDict[tuple[Prefix, int], PackedMask] = OrderedDict()
        self._ways: OrderedDict[tuple[Prefix | None, int], tuple[int, ...] | None] = OrderedDict()

    def start(self) -> Prefix:
        return self._start

    def advance(self, state: Prefix, token: int) -> Prefix:
        return Prefix(state, token)

    def mask(self, state: Prefix, remaining: int) -> PackedMask:
        bits = self.grammar.matchers.view(state).bits
        if self._free(state, remaining):
            return bits
        key = (state, remaining)
        if key not in self._steered:
            self._steered[key] = self._pack(self._closing(state, bits, remaining))
            while len(self._steered) > _KEPT_STEERED:
                self._steered.popitem(last=False)
        return self._steered[key]

    def is_complete(self, state: Prefix) -> bool:
        return self.grammar.matchers.view(state).complete

    def min_tokens(self, state: Prefix) -> int:
        if self.is_complete(state):
            return 0
        ends = self.grammar.ends
        if self.grammar.words.count <= _SMALL_VOCABULARY:
            try:
                fewest = ends.fewest(state, _EXACT_TOKENS, _WORK)
                if fewest <= _EXACT_TOKENS:
                    return fewest
            except UndecidedError:
                pass
        found = ends.completion(state)
        return _NOT_FOUND if found is None else len(found)

    def forced(self, state: Prefix) -> Sequence[int]:
        found: list[int] = []
        while len(found) < _FORCED_LIMIT:
            view = self.grammar.matchers.view(state)
            if view.complete or int(np.count_nonzero(view.bits)) != 1:
                break
            tokens = tokens_of(view.bits)
            if len(tokens) != 1:
                break
            found.append(tokens[0])
            state = Prefix(state, tokens[0])
        return found

    def parse(self, text: str) -> Any:
        return self._parse(text) if self._parse else None

    def _exactly(self, remaining: int) -> bool:
        return remaining <= _EXACT_TOKENS and self.grammar.words.count <= _SMALL_VOCABULARY

    def _free(self, state: Prefix, remaining: int) -> bool:
        """Say whether the end is far away; the way to it is of a shorter prefix, so that few tokens need a search."""
        if remaining > FAR:
            return True
        if self._exactly(remaining):
            return False
        anchor = next(here for here in state.up() if here.length % _ANCHOR == 0)
        way = self.grammar.ends.completion(anchor)
        return way is not None and remaining > len(way) + _ANCHOR + self.reserve

    def _closing(self, state: Prefix, bits: PackedMask, remaining: int) -> list[int]:
        """Give tokens after which the end is within `remaining` tokens, this one included."""
        tokens = tokens_of(bits)
        fitting, undecided = self._decided(state, tokens, remaining) if self._exactly(remaining) else ([], set(tokens))
        if not undecided:
            return fitting
        way = self._way(state, remaining)
        if way and remaining > len(way) + self.reserve:
            return tokens
        chosen = tokens if len(tokens) <= _CHECKED else self.grammar.ends.few(bits)[:_CHECKED]
        fitting += [t for t in chosen if t in undecided and self._fits(Prefix(state, t), remaining - 1)]
        return sorted({*fitting, *(way[:1] if way and len(way) <= remaining else ())})

    def _decided(self, state: Prefix, tokens: list[int], remaining: int) -> tuple[list[int], set[int]]:
        """Give the tokens that fit for certain, and those that the exact search did not get to."""
        fitting, undecided, work = list[int](), set[int](), [_WORK]
        for token in tokens:
            try:
                if self.grammar.ends.within(Prefix(state, token), remaining - 1, work):
                    fitting.append(token)
            except UndecidedError:
                undecided.add(token)
        return fitting, undecided

    def _fits(self, state: Prefix, tokens: int) -> bool:
        way = self.grammar.ends.completion(state)
        return way is not None and len(way) <= tokens

    def _way(self, state: Prefix, remaining: int) -> tuple[int, ...] | None:
        """Give the shorter of a way found from here and what is left of the way that the row was already on.

        It is a function of the state and the budget alone, and never forgets a way that was followed.
        """
        line: list[Prefix] = []
        for here in state.up():
            left = remaining + state.length - here.length
            if line and ((here, left) in self._ways or self._free(here, left)):
                break
            line.append(here)
        last = line[-1]
        above = (last.parent, remaining + state.length - last.length + 1)
        way = self._ways.get(above) if last.parent is not None else None
        for here in reversed(line):
            followed = way[1:] if way and way[0] == here.token else None
            found = self.grammar.ends.completion(here)
            way = min((w for w in (found, followed) if w is not None), key=len, default=None)
            self._ways[here, remaining + state.length - here.length] = way
        while len(self._ways) > _KEPT_STEERED:
            self._ways.popitem(last=False)
        return way

    def _pack(self, tokens: list[int]) -> PackedMask:
        flags = np.zeros(self.grammar.words.mask_words * 32, np.uint8)
        flags[tokens] = 1
        packed = np.packbits(flags, bitorder="little").view(np.int32)
        packed.setflags(write=False)
        return packed


def grammar_of(source: str, name: str, vocabulary: Vocabulary, width: int) -> Grammar:
    """Compile a grammar as llguidance writes it, or give it from the cache.

    Args:
        source: In llguidance's variant of Lark's notation.
        name: What to call it in messages.
        vocabulary: The tokens.
        width: Width of the model's logits.

    Raises:
        UnsupportedSchemaError: With llguidance's message, where it refuses the schema or the grammar.
        UnsatisfiableSchemaError: Where it says that nothing satisfies the schema.
    """
    key = (vocabulary.fingerprint, width, source)
    with _lock:
        if key in _grammars:
            _grammars.move_to_end(key)
            return _grammars[key]
    words = Words.of(vocabulary, width)
    grammar = Grammar(_matcher(source, name, words), words)
    with _lock:
        grammar = _grammars.setdefault(key, grammar)
        if len(_grammars) > _KEPT_GRAMMARS:
            _grammars.popitem(last=False)
    return grammar


def _matcher(source: str, name: str, words: Words) -> Any:
    from llguidance import LLMatcher

    matcher = LLMatcher(words.tokenizer, source + _EVERY_TOKENIZATION, log_level=0)
    if not matcher.is_error():
        return matcher
    said = re.sub(r"^at \d+\(\d+\): failed to compile JSON schema: ", "", matcher.get_error().strip())
    said = re.split(r"\n(?:<state>|\s+\d+ \|)", said)[0]
    if "nsatisfiable" in said:
        raise UnsatisfiableSchemaError(f"{name}: no text satisfies it: {said}")
    refused = UnsupportedSchemaError(f"{name}: llguidance refuses it: {said}")
    refused.keyword = _keyword(said)
    raise refused


def _keyword(said: str) -> str:
    """Read the keyword from llguidance's message, which has no place; "" where it names none."""
    found = re.match(r'Unimplemented keys: \["([^"]+)"|(oneOf) constraints', said)
    if found:
        return found[1] or found[2]
    return "format" if said.startswith("Unknown format") else ""


__all__ = ["Grammar", "LLGuidanceConstraint", "Parse", "grammar_of"]
