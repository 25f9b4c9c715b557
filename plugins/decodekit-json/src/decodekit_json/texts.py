"""Terminals of strings: what a group of strings asks, put together from patterns, formats, lengths and lists."""

from __future__ import annotations

from functools import lru_cache

from decodekit_json import patterns
from decodekit_json.boolean_operations import both, complement
from decodekit_json.charsets import ANY
from decodekit_json.derivatives import step
from decodekit_json.expressions import NEVER, chars
from decodekit_json.expressions import Node as Expression
from decodekit_json.fixed import fixed_strings
from decodekit_json.formats import FORMATS
from decodekit_json.groups import Pattern, StringGroup
from decodekit_json.regular_operations import ANYTHING, alt, literal, repeat
from decodekit_json.strings import string_terminal
from decodekit_json.terminal import Terminal


@lru_cache(maxsize=1024)
def format_of(name: str) -> Expression:
    """Give the strings of a format."""
    spec = FORMATS[name]
    found = [patterns.search(text) for text in spec.all_of]
    found += [complement(patterns.search(text)) for text in spec.none_of]
    if spec.min_length or spec.max_length is not None:
        found.append(length(spec.min_length, spec.max_length))
    return both(*found)


def length(low: int, high: int | None) -> Expression:
    """Give the strings of so many code points."""
    return repeat(chars(ANY), low, high)


def matches(expression: Expression, text: str) -> bool:
    """Say whether a text is one of an expression's."""
    for character in text:
        expression = step(expression, ord(character))
        if expression is NEVER:
            return False
    return expression.nullable


@lru_cache(maxsize=4096)
def found(pattern: str, text: str) -> bool:
    """Say whether a pattern is found in a text."""
    return matches(patterns.search(pattern), text)


def _expression(pattern: Pattern) -> Expression:
    found = patterns.search(pattern.text) if pattern.kind == "pattern" else format_of(pattern.text)
    return found if pattern.sign else complement(found)


def _regular(group: StringGroup) -> Expression:
    ordered = sorted(group.patterns, key=lambda p: (p.kind, p.text, p.sign))
    return both(*map(_expression, ordered)) if ordered else ANYTHING


def expression_of(group: StringGroup) -> Expression:
    """Give the strings of a group as one expression."""
    if group.values is not None:
        return alt(*map(literal, values_of(group)))
    found = [_regular(group)]
    if group.low or group.high is not None:
        found.append(length(group.low, group.high))
    if group.excluded:
        found.append(complement(alt(*map(literal, sorted(group.excluded)))))
    return both(*found)


def values_of(group: StringGroup) -> list[str]:
    """Give the listed strings that satisfy the group's patterns."""
    assert group.values is not None
    tests = [_expression(pattern) for pattern in group.patterns]
    return [text for text in sorted(group.values) if all(matches(test, text) for test in tests)]


def terminal_of(group: StringGroup) -> Terminal | None:
    """Give the terminal of a group of strings, None where no string is in it."""
    if group.values is not None:
        texts = values_of(group)
        return fixed_strings(texts) if texts else None
    expression = _regular(group)
    if group.excluded:
        expression = both(expression, complement(alt(*map(literal, sorted(group.excluded)))))
    terminal = string_terminal(expression, group.low, group.high)
    return None if terminal.start() is None else terminal


__all__ = ["expression_of", "format_of", "found", "length", "matches", "terminal_of", "values_of"]
