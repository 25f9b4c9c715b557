"""Choices about an object's members: alternatives that are joined, and choices that an object owes.

"`a` is absent, or there with such a value" is one group. "`a` has such a value, or `b` is absent" are several, and many
such choices multiply. Where each alternative speaks of a few keys, a choice is a few obligations (`Some`) instead: of
two alternatives that ask for two things each, one of every pair is owed.
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
_MOST_TOGETHER = 8
"""Most obligations that one choice comes to."""


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


def asked(alternatives: Alternatives, settle: Settle) -> list[list[Some] | None]:
    """Give, for each alternative, obligations that say the same together; None where there are none such."""
    return [_asked(terms, alternatives, settle) for terms in alternatives]


def _asked(terms: Terms, alternatives: Alternatives, settle: Settle) -> list[Some] | None:
    settled = settle([term for term in terms if len(terms) == 1 or not _otherwise(term, alternatives)])
    if settled is None:
        return [Some()]
    group, inside = settled
    found = _of_group(group)
    for choice in inside:
        more = either(asked(choice, settle))
        found = None if found is None or more is None else found + more
    return found


def either(alternatives: Iterable[list[Some] | None]) -> list[Some] | None:
    """Give obligations that say together that all of one of some lists hold, None where they are too many."""
    found = [Some()]
    for several in alternatives:
        if several is None:
            return None
        together = [_or(one, two) for one in found for two in several]
        found = list(dict.fromkeys(one for one in together if one is not None and not _always(one)))
        if None in together or len(found) > _MOST_TOGETHER:
            return None
    return found


def _or(one: Some, two: Some) -> Some | None:
    if one.keys and two.keys and (one.keys, one.literals) != (two.keys, two.literals):
        return None
    keys, literals = (one.keys, one.literals) if one.keys else (two.keys, two.literals)
    return Some(keys, literals, tuple(dict.fromkeys(one.named + two.named)), one.absent | two.absent)


def _always(some: Some) -> bool:
    """Say whether every object fulfils an obligation, as far as that is easily seen."""
    values = [literals for name, literals in some.named if name in some.absent]
    contrary = ({(schema, not sign)} for literals in values if len(literals) == 1 for schema, sign in literals)
    return NOTHING in values or any(one in values for one in contrary)


def _otherwise(term: Any, alternatives: Alternatives) -> bool:
    """Say whether the contrary of a term is an alternative: another one need not ask for the term."""
    if isinstance(term, tuple):
        return [(term[0], not term[1])] in alternatives
    key = term.required[0] if isinstance(term, ObjectGroup) and len(term.required) == 1 else None
    return key is not None and term == ObjectGroup(required=(key,)) and [keywords.absent(key)] in alternatives


def _of_group(group: ObjectGroup) -> list[Some] | None:
    """Give what a group asks as obligations, None where it asks more than of some keys."""
    if group.low or group.high is not None or group.keys or group.dependent:
        return None
    if any(rule.patterns or rule.rest for rule in group.rules):
        return None
    names = dict.fromkeys([*group.required, *(name for rule in group.rules for name, _ in rule.names)])
    found = [
        Some(named=((name, keywords.value_of(group, name)),), absent=frozenset({name}.difference(group.required)))
        for name in names
    ]
    return [some for some in (*found, *group.some) if not _always(some)]


def tracked(choices: Iterable[list[Some] | None]) -> list[list[Some] | None]:
    """Keep the choices that come to few conditions on the value of any key; None for the others."""
    found, conditions = list(choices), dict[object, set[Literals]]()
    for some in chain.from_iterable(several or () for several in found):
        for key, literals in _conditions(some):
            conditions.setdefault(key, set()).add(literals)
    many = {key for key, values in conditions.items() if len(values) > _MOST_SHARED}
    return [
        None if several and any(key in many for some in several for key, _ in _conditions(some)) else several
        for several in found
    ]


def _conditions(some: Some) -> list[tuple[str | KeySet, Literals]]:
    inside = [(some.keys, some.literals)] if some.keys else []
    return [(key, literals) for key, literals in [*some.named, *inside] if literals]


__all__ = ["asked", "either", "joined", "tracked"]
