"""Choices about an object's members: alternatives that are joined, and choices that an object owes.

"`a` is absent, or there with such a value" is one group. "`a` has such a value, or `b` is absent" are several, and many
such choices multiply; where each alternative speaks of one key, the choice is an obligation (`Some`) instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, TypeAlias

from decodekit_json import keywords
from decodekit_json.groups import NOTHING, KeySet, Literals, ObjectGroup, Some, replace
from decodekit_json.keywords import Alternatives, Terms

Implied: TypeAlias = Callable[[ObjectGroup, ObjectGroup], bool]
"""Whether every object of the second group is one of the first."""
Settle: TypeAlias = Callable[[Terms], "tuple[ObjectGroup, list[Alternatives]] | None"]
"""What terms ask of an object, and the choices that are open then; None where they contradict one another."""

_MOST_SHARED = 2
"""Most conditions on the value of one key of which an object keeps track."""


def joined(options: Alternatives, implied: Implied) -> Alternatives:
    """Join alternatives where one group has the objects of both: those without a key, and those with it."""
    absent: dict[str, int] = {}
    present: dict[str, list[int]] = {}
    found: dict[int, Terms] = dict(enumerate(options))
    for number, terms in found.items():
        if len(terms) == 1 and isinstance(terms[0], ObjectGroup):
            absent.update(dict.fromkeys(keywords.forbidden(terms[0]), number))
            for key in terms[0].required:
                present.setdefault(key, []).append(number)
    for key, one in absent.items():
        for two in present.get(key, ()):
            whole = _join(found[one][0], found[two][0], key, implied) if one in found and two in found else None
            if whole is not None:
                found[two] = [whole]
                del found[one]
    return list(found.values())


def _join(without: ObjectGroup, having: ObjectGroup, key: str, implied: Implied) -> ObjectGroup | None:
    """Give the group that has the objects of both, of which only one has a key; None where there is none."""
    whole = replace(having, required=tuple(name for name in having.required if name != key))
    rest = whole.meet(keywords.absent(key))
    return whole if rest is not None and implied(whole, without) and implied(without, rest) else None


def ways(alternatives: Alternatives, settle: Settle) -> list[list[Some] | None]:
    """Give, for each alternative, the ways to it that speak of one key each; None where it is none of such ways."""
    return [_ways_to(terms, alternatives, settle) for terms in alternatives]


def _ways_to(terms: Terms, alternatives: Alternatives, settle: Settle) -> list[Some] | None:
    settled = settle([term for term in terms if len(terms) == 1 or not _otherwise(term, alternatives)])
    if settled is None:
        return []
    group, inside = settled
    if not inside:
        way = _way(group)
        return None if way is None else [way]
    if len(inside) > 1 or not _plain(group):
        return None
    found = ways(inside[0], settle)
    return None if None in found else [way for several in found for way in several or ()]


def either(found: Iterable[list[Some] | None]) -> Some | None:
    """Give the obligation that has all of some ways, None where it cannot."""
    some: list[Some] = []
    for several in found:
        if several is None:
            return None
        some += several
    sets = {(one.keys, one.literals) for one in some if one.keys}
    if len(sets) > 1 or not some:
        return None
    keys, literals = next(iter(sets), (None, NOTHING))
    named = tuple(dict.fromkeys(chain.from_iterable(one.named for one in some)))
    return Some(keys, literals, named, frozenset(chain.from_iterable(one.absent for one in some)))


def _otherwise(term: Any, alternatives: Alternatives) -> bool:
    """Say whether the contrary of a term is an alternative: another one need not ask for the term."""
    if isinstance(term, tuple):
        return [(term[0], not term[1])] in alternatives
    key = term.required[0] if isinstance(term, ObjectGroup) and len(term.required) == 1 else None
    return key is not None and term == ObjectGroup(required=(key,)) and [keywords.absent(key)] in alternatives


def _plain(group: ObjectGroup) -> bool:
    return group == ObjectGroup()


def _way(group: ObjectGroup) -> Some | None:
    """Give the one way of an obligation that a group is, None where it says more."""
    if group.low or group.high is not None or group.keys or group.dependent:
        return None
    if group.some:
        return group.some[0] if _plain(replace(group, some=())) and len(group.some) == 1 else None
    names = {*group.required, *(name for rule in group.rules for name, _ in rule.names)}
    if len(names) != 1 or any(rule.patterns or rule.rest for rule in group.rules):
        return None
    (name,) = names
    absent = frozenset() if name in group.required else frozenset([name])
    return Some(named=((name, keywords.value_of(group, name)),), absent=absent)


def tracked(choices: Iterable[Some | None]) -> list[Some | None]:
    """Keep the obligations that have few conditions on the value of any key."""
    found, conditions = list(choices), dict[object, set[Literals]]()
    for some in found:
        for key, literals in _conditions(some):
            conditions.setdefault(key, set()).add(literals)
    return [
        None if any(len(conditions[key]) > _MOST_SHARED for key, _ in _conditions(some)) else some for some in found
    ]


def _conditions(some: Some | None) -> list[tuple[str | KeySet, Literals]]:
    if some is None:
        return []
    inside = [(some.keys, some.literals)] if some.keys else []
    return [(key, literals) for key, literals in [*some.named, *inside] if literals]


__all__ = ["either", "joined", "tracked", "ways"]
