"""What a value may be, in words: lines with what is inside below them. Not a contract, and not all that is checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

from decodekit.errors import UnsupportedSchemaError
from decodekit_json.arrays import ArrayPlan
from decodekit_json.groups import TYPES, ArrayGroup, Contains, ObjectGroup, PlainGroup, StringGroup, replace
from decodekit_json.nodes import Node, TerminalPlan, node_distance
from decodekit_json.number_range import NumberRange, places_of
from decodekit_json.objects import ObjectPlan
from decodekit_json.terminal import INFINITE

_LEVELS = 3
"""Levels of arrays and objects of which is said what is inside."""
_SHOWN, _FEW = 8, 3
"""Most texts of a list, and of one that matters less."""
_ALTERNATIVES, _DIGITS, _WIDE = 20, 24, 100
"""Most alternatives, digits of a number, letters of a line with several alternatives."""
_WHOLE = 3
"""Most arrays and objects among some alternatives that are not put in one line each."""

Plan: TypeAlias = "ArrayPlan | ObjectPlan | TerminalPlan"
Above: TypeAlias = "tuple[ArrayPlan | ObjectPlan, ...]"


class Words(NamedTuple):
    """A line, with those that say more about it."""

    line: str
    below: tuple[Words, ...] = ()

    def lines(self, depth: int = 0) -> Iterator[str]:
        """Give the line and those below it, indented."""
        yield "  " * depth + self.line
        for one in self.below:
            yield from one.lines(depth + 1)


class Alternatives(NamedTuple):
    """What a value may be: one of these.

    Attributes:
        shown: The first of them.
        more: How many there are besides.
    """

    shown: tuple[Words, ...]
    more: int = 0

    @property
    def listed(self) -> tuple[Words, ...]:
        """Give a line for each."""
        shown = self.shown[:1] + tuple(Words(f"or {one.line}", one.below) for one in self.shown[1:])
        return (*shown, Words(f"or one of {self.more} more alternatives")) if self.more else shown

    def under(self, title: str) -> Words:
        """Give them behind a title, in one line where that is not too long."""
        shown = sorted(map(_folded, self.shown), key=lambda one: bool(one.below)) or [Words("never")]
        text = f"{title}: {_joined([one.line for one in shown])}"
        unclear = bool(shown[-1].below) and sum(bool(one.below) for one in self.shown) > 1
        if self.more or unclear or (len(shown) > 1 and len(text) > _WIDE):
            return Words(f"{title}: one of {len(shown) + self.more} alternatives", self.listed)
        return Words(text, shown[-1].below)


def _folded(one: Words) -> Words:
    """Put a single line below another one behind it."""
    alone = len(one.below) == 1 and not one.below[0].below
    return Words(f"{one.line}, {one.below[0].line}") if alone else one


def _joined(lines: Sequence[str]) -> str:
    return (", or " if any("," in line or " or " in line for line in lines) else " or ").join(lines)


def words(node: Node, above: Above = (), kinds: Sequence[str] = TYPES) -> Alternatives:
    """Say what a value may be.

    Args:
        node: What must hold.
        above: The arrays and objects around it.
        kinds: Types that it may have.
    """
    if kinds == TYPES and all(sign and one.contents in (True, {}) for one, sign in node.literals):
        return Alternatives((Words("any value"),))
    try:
        groups = _groups(node, kinds)
        nested = [group for group in groups if not isinstance(group, PlainGroup)]
        every = [(group, plan) for group in nested for plan in node.nodes.plans_of(group)]
        plans = [(group, plan) for group, plan in every if plan.least(node_distance) < INFINITE]
    except UnsupportedSchemaError:
        return Alternatives((Words("(refused)"),))
    plain = sorted(text.decode() for group in groups if isinstance(group, PlainGroup) for text in group.texts)
    short = len(above) >= _LEVELS or sum(not isinstance(plan, TerminalPlan) for _, plan in plans) > _WHOLE
    said = (_of(group, plan, above, short) for group, plan in plans[:_ALTERNATIVES])
    found = [*([Words(" or ".join(plain))] if plain else []), *said]
    return Alternatives(tuple(dict.fromkeys(found)), max(len(plans) - _ALTERNATIVES, 0))


def _groups(node: Node, kinds: Sequence[str] = TYPES) -> list[Any]:
    lowering, left = node.nodes.lowering, node.nodes.lowering.types(node.literals)
    return [group for kind in left if kind in kinds for group in lowering.groups(kind, node.literals)]


def _of(group: Any, plan: Plan, above: Above, short: bool) -> Words:
    """Say what one alternative is; `short` in one line."""
    line = _line(group)
    if isinstance(plan, TerminalPlan):
        return Words(line)
    if plan in above:
        return Words(f"{line} as above")
    if short:
        return Words(line + (" …" if isinstance(plan, ArrayPlan) else _keys(plan)))
    inside = (*above, plan)
    below = _items(plan, inside) if isinstance(plan, ArrayPlan) else _members(plan, inside)
    return Words(line, tuple(dict.fromkeys(below)))


def _of_node(title: str, node: Node, above: Above) -> Words:
    return words(node, above).under(title) if node.distance < INFINITE else Words(f"{title}: never")


def _items(plan: ArrayPlan, above: Above) -> Iterator[Words]:
    group = plan.group
    for contains in group.contains:
        yield _of_node(_counted(contains), plan.nodes.node(contains.literals), above)
    for place in range(plan.fixed if group.high is None else min(plan.fixed, group.high)):
        yield _of_node(f"item {place + 1}", plan.item(place), above)
        if plan.item(place).distance >= INFINITE:
            return
    if group.high is None or group.high > plan.fixed:
        yield _of_node("each further item" if plan.fixed else "each item", plan.item(plan.fixed), above)


def _counted(contains: Contains) -> str:
    if contains.high is None:
        return f"at least {contains.low} of the items"
    return f"{contains.low} to {contains.high} of the items"


def _members(plan: ObjectPlan, above: Above) -> Iterator[Words]:
    needed, possible, never = _names(plan)
    for place, name in enumerate(plan.names):
        if name in needed or name in possible:
            how = "required" if name in needed else "optional"
            yield _of_node(f"{name!r} ({how})", plan.child(place), above)
    if never:
        yield Words(f"never: {_listed(map(repr, never), 'and')}")
    if plan.group.keys:
        yield words(plan.nodes.node(plan.group.keys), above, ("string",)).under("each key")
    for c in plan.classes:
        if plan.value_of(c).distance < INFINITE:
            yield _of_node("keys by pattern" if plan.group.patterns else "other keys", plan.value_of(c), above)
    for key, others in plan.group.dependent:
        yield Words(f"with {key!r} also {_listed(map(repr, sorted(others)), 'and')}")
    if several := len(plan.group.some):
        yield Words(f"{several} {'condition' if several == 1 else 'conditions'} on which keys go together")


def _names(plan: ObjectPlan) -> tuple[list[str], list[str], list[str]]:
    """Give the keys that such an object must have, may have and cannot have, without those that are as all others."""
    named = {name for rule in plan.group.rules for name, _ in rule.names}
    needed: list[str] = []
    possible: list[str] = []
    never: list[str] = []
    for place, name in enumerate(plan.names):
        if not plan.permitted(place) or plan.child(place).distance >= INFINITE:
            never.append(name)
        elif plan.required >> place & 1:
            needed.append(name)
        elif name in named:
            possible.append(name)
    return needed, possible, never


def _keys(plan: ObjectPlan) -> str:
    """Say in a few words which keys an object has."""
    needed, possible, never = _names(plan)
    fixed = ((name, _only(plan.child(plan.place_of[name]))) for name in needed)
    found = [f"{name!r} = {value}" if value else repr(name) for name, value in fixed]
    open_ended = any(plan.value_of(c).distance < INFINITE for c in plan.classes)
    other = ["other keys" if plan.names else "any keys"] if open_ended else []
    free = [*map(repr, possible), *other]
    parts = [_listed(found, "and")] if found else []
    parts += [f"{'perhaps ' if plan.names else ''}{_listed(free, 'and')}"] if free else []
    without = f", without {_listed(map(repr, never), 'and', _FEW)}" if never else ""
    return (f" with {', '.join(parts)}" if parts else "") + without


def _only(node: Node) -> str:
    """Give the only value that there is; "" where there are several, or it is an array or an object."""
    try:
        groups = _groups(node)
    except UnsupportedSchemaError:
        return ""
    if len(groups) != 1:
        return ""
    match groups[0]:
        case PlainGroup(texts) if len(texts) == 1:
            return next(iter(texts)).decode()
        case StringGroup(values=frozenset() as values) if len(values) == 1:
            return repr(next(iter(values)))
        case NumberRange(kept=(value,)):
            return _decimal(value)
    return ""


def _line(group: Any) -> str:
    match group:
        case StringGroup():
            return _string(group)
        case NumberRange():
            return _number(group)
        case ArrayGroup():
            rest = ", all different" if group.unique else ", two of them equal" if group.repeated else ""
            return f"an array{_span(group.low, group.high, 'items')}{rest}"
        case ObjectGroup():
            return f"an object{_span(group.low, group.high, 'members')}"
    raise TypeError(type(group).__name__)


def _span(low: int, high: int | None, what: str) -> str:
    noun = what.removesuffix("s") if (low if high is None else high) == 1 else what
    if high is None:
        return f" of at least {low} {noun}" if low else ""
    return f" of {low} {noun}" if low == high else f" of {low} to {high} {noun}"


def _string(group: StringGroup) -> str:
    if group.values is not None:
        shown = _listed(map(repr, sorted(group.values)))
        return f"one of the strings {shown}" if len(group.values) > 1 else f"the string {shown}"
    tests = [f"{'' if p.sign else 'not '}{p.kind} {p.text!r}" for p in sorted(group.patterns, key=lambda p: p.text)]
    left_out = [text for text in sorted(group.excluded) if group.low <= len(text) <= (group.high or len(text))]
    tests += [f"but not {_listed(map(repr, left_out))}"] if left_out else []
    return ", ".join([f"a string{_span(group.low, group.high, 'characters')}", *tests])


def _number(group: NumberRange) -> str:
    if group.values is not None:
        shown = _listed(map(_decimal, sorted(group.kept)))
        return f"one of the numbers {shown}" if len(group.kept) > 1 else f"the number {shown}"
    parts = ["a number" if group.integer is None else "an integer" if group.integer else "a number that is no integer"]
    if group.low is not None:
        parts.append(f"{'above' if group.low_excluded else 'at least'} {_decimal(group.low)}")
    if group.high is not None:
        parts.append(f"{'below' if group.high_excluded else 'at most'} {_decimal(group.high)}")
    parts += [f"a multiple of {_decimal(step)}" for step in group.multiples]
    parts += [f"not a multiple of {_decimal(step)}" for step in group.not_multiples]
    without = replace(group, excluded=frozenset())
    left_out = [value for value in sorted(group.excluded) if value in without]
    parts += [f"but not {_listed(map(_decimal, left_out))}"] if left_out else []
    return ", ".join(parts)


def _listed(texts: Iterable[str], last: str = "or", most: int = _SHOWN) -> str:
    """List some texts, of many the first."""
    texts = list(texts)
    more = [f"{len(texts) - most} more"] if len(texts) > most else []
    *first, final = [*texts[:most], *more]
    return f"{', '.join(first)} {last} {final}" if first else final


def _decimal(value: Fraction) -> str:
    places = places_of(value)
    exact = Decimal(f"{value.numerator * 10**places // value.denominator}E-{places}")
    text = str(exact)
    return text if len(text) <= _DIGITS else f"about {exact:.6e}"


__all__ = ["Alternatives", "Words", "words"]
