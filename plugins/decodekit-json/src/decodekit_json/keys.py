"""An object's keys that have no name in the schema: which kinds there are, and how many of them must or may come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import ceilings, node_values, patterns
from decodekit_json.boolean_operations import both, complement
from decodekit_json.dialects import LATEST
from decodekit_json.distinct import MANY
from decodekit_json.expressions import Node as Expression
from decodekit_json.groups import KeySet, Literal, Literals, ObjectGroup, StringGroup
from decodekit_json.languages import is_empty
from decodekit_json.located import Schema
from decodekit_json.machine import Reading
from decodekit_json.regular_operations import ANYTHING, alt
from decodekit_json.strings import string_terminal
from decodekit_json.subsets import bits
from decodekit_json.terminal import INFINITE, Terminal
from decodekit_json.texts import expression_of, found

if TYPE_CHECKING:
    from decodekit_json.nodes import Distances, Nodes
    from decodekit_json.objects import ObjectPlan, Progress

_QUOTE = 0x22
_COUNTLESS = 1 << 20
"""So many keys are more than any object has."""
_MAX_CLASSES = 64


@dataclass(frozen=True, eq=False)
class KeyClass:
    """Keys that match the same patterns.

    Attributes:
        terminal: Their texts, those of named keys among them.
        literals: What their values must satisfy.
        fulfils: The obligations that one of them could fulfil, as bits.
    """

    terminal: Terminal
    literals: Literals
    fulfils: int

    @cached_property
    def endless(self) -> bool:
        """Say whether there are more such keys than any object has."""
        return self.terminal.endless(self.terminal.start()) or self._count(_COUNTLESS) >= _COUNTLESS

    @cached_property
    def _many(self) -> bool:
        return self._count(MANY) >= MANY

    def _count(self, limit: int) -> int:
        return self.terminal.count(self.terminal.start(), limit)

    def outnumbers(self, keys: int) -> bool:
        """Say whether there are more such keys than a number of them."""
        return self.endless or (keys < MANY and self._many) or self._count(keys + 1) > keys

    @cached_property
    def free(self) -> bool:
        """Say whether any text may follow the opening quote, but for short ones."""
        state = self.terminal.step(self.terminal.start(), _QUOTE)
        plain = None if state is None else self.terminal.plain(state)
        return plain is not None and plain[1] >= INFINITE >> 1

    @cached_property
    def around(self) -> int:
        """Give how many bytes more than the fewest are enough for a key, whichever others are taken."""
        return ceilings.spread(Reading(self.terminal, self.terminal.start())).extra

    def has(self, key: str) -> bool:
        """Say whether a key is one of them."""
        terminal = self.terminal
        state = terminal.start()
        for byte in json.dumps(key).encode():
            state = None if state is None else terminal.step(state, byte)
        return state is not None and terminal.final(state)

    @cached_property
    def distance(self) -> int:
        """Give the bytes of the shortest such key."""
        return self.terminal.distance(self.terminal.start())


def classes_of(nodes: Nodes, group: ObjectGroup) -> Iterator[KeyClass]:
    """Split the keys without a name by the patterns that they match.

    Raises:
        UnsupportedSchemaError: Where patterns overlap in too many ways.
    """
    tests: list[tuple[object, Expression]] = [(("pattern", p), patterns.search(p)) for p in group.patterns]
    known = set(group.patterns)
    for owed in (some.keys for some in group.some if some.keys):
        for p in (*owed.inside, *owed.outside):
            if p not in known:
                known.add(p)
                tests.append((("pattern", p), patterns.search(p)))
        if owed.literals:
            tests.append((("literals", owed.literals), _expression(nodes, owed.literals)))
    found: list[tuple[Expression, frozenset[object]]] = [(_expression(nodes, group.keys), frozenset())]
    for test, expression in tests:
        split: list[tuple[Expression, frozenset[object]]] = []
        for one, matched in found:
            inside, outside = both(one, expression), both(one, complement(expression))
            split += [(inside, matched | {test})] if not is_empty(inside) else []
            split += [(outside, matched)] if not is_empty(outside) else []
        if len(split) > _MAX_CLASSES:
            raise UnsupportedSchemaError(
                f"{len(tests)} patterns of keys overlap in more than {_MAX_CLASSES} ways",
                keyword="patternProperties",
                hint="begin the patterns with different fixed letters",
            )
        found = split
    for expression, matched in found:
        if is_empty(expression):
            continue
        literals = _values(group, matched)
        if nodes.lowering.hopeful(literals):
            fulfils = sum(1 << i for i, s in enumerate(group.some) if s.keys and _covers(s.keys, matched))
            yield KeyClass(string_terminal(expression), literals, fulfils)


def _values(group: ObjectGroup, matched: frozenset[object]) -> Literals:
    found: list[Literal] = []
    for rule in group.rules:
        hits = [extra for pattern, extra in rule.patterns if ("pattern", pattern) in matched]
        for extra in hits or [rule.rest]:
            found += extra
    return frozenset(found)


def _covers(keys: KeySet, matched: frozenset[object]) -> bool:
    return (
        all(("pattern", p) in matched for p in keys.inside)
        and not any(("pattern", p) in matched for p in keys.outside)
        and (not keys.literals or ("literals", keys.literals) in matched)
    )


def _expression(nodes: Nodes, literals: Literals) -> Expression:
    """Give the strings that satisfy literals."""
    if not literals:
        return ANYTHING
    groups = nodes.lowering.groups("string", literals) if "string" in nodes.lowering.types(literals) else ()
    return alt(*(expression_of(group) for group in groups if isinstance(group, StringGroup)))


def satisfies(nodes: Nodes, literals: Literals, key: str) -> bool:
    """Say whether a key, as a string, satisfies literals."""
    constant = Schema({"const": key}, LATEST, "#", None)
    return nodes.node(literals | {(nodes.lowering.documents.constant(key, constant), True)}).distance < INFINITE


def has(nodes: Nodes, keys: KeySet, name: str) -> bool:
    """Say whether a named key is in a set."""
    return (
        name not in keys.names
        and all(found(p, name) for p in keys.inside)
        and not any(found(p, name) for p in keys.outside)
        and (not keys.literals or satisfies(nodes, keys.literals, name))
    )


def has_another(plan: ObjectPlan, c: KeyClass, progress: Progress) -> bool:
    """Say whether a class has a key that is neither named nor written."""
    return others_of(plan, c, progress, 1) >= 1


def surely_another(plan: ObjectPlan, progress: Progress) -> bool:
    """Say whether each class has so many keys that some are left, whichever are written."""
    taken = len(plan.names) + len(progress.free) + plan.group.low
    return all(c.outnumbers(taken) for c in plan.classes)


def others_of(plan: ObjectPlan, c: KeyClass, progress: Progress, limit: int) -> int:
    """Give how many keys of a class are neither named nor written, at most `limit`."""
    if c.outnumbers(len(plan.names) + len(progress.free) + limit - 1):
        return limit
    left = map(json.loads, c.terminal.completions(c.terminal.start()))
    return min(limit, sum(1 for key in left if key not in plan.place_of and key not in progress.free))


def cheapest(plan: ObjectPlan, progress: Progress, needed: int, distance_of: Distances) -> int:
    """Give the fewest bytes of the needed members and of the cheapest others up to `minProperties`."""
    low, high = plan.group.low, plan.group.high
    if high is not None and progress.members + needed.bit_count() > high:
        return INFINITE
    prices, unseen = plan.costs.prices(distance_of), ~progress.seen
    paid = [(cost, (mask & needed).bit_count()) for cost, mask in prices] if needed else []
    if sum(number for _, number in paid) < needed.bit_count():
        return INFINITE
    total, missing = sum(cost * number for cost, number in paid), low - progress.members - needed.bit_count()
    if missing <= 0:
        return min(total, INFINITE)
    costs = [(cost, (mask & unseen & ~needed).bit_count()) for cost, mask in prices]
    for c in plan.classes:
        value = distance_of(plan.value_of(c))
        if value < INFINITE:
            costs.append((c.distance + 2 + value, others_of(plan, c, progress, missing)))
    for cost, number in sorted(costs):
        taken = min(number, missing)
        total, missing = total + taken * cost, missing - taken
    return min(total, INFINITE) if missing <= 0 else INFINITE


def others(plan: ObjectPlan, progress: Progress, limit: int) -> int:
    """Give how many keys without a name may still come, at most `limit` of each kind."""
    alive = (c for c in plan.classes if plan.value_of(c).distance < INFINITE)
    return sum(others_of(plan, c, progress, limit) for c in alive)


def endless(plan: ObjectPlan, progress: Progress) -> bool:
    """Say whether an object can still become more different values than any text has; False where that is not known."""
    if any(c.endless for c in plan.open_classes(progress)):
        return True
    return any(
        node_values.endless(node) for i in bits(plan.open_keys(progress)) for node, _ in plan.going_on(progress, i)
    )


__all__ = [
    "KeyClass",
    "cheapest",
    "classes_of",
    "endless",
    "has",
    "has_another",
    "others",
    "others_of",
    "satisfies",
    "surely_another",
]
