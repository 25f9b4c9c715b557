"""How many bytes are enough to end a value, or what is being written, where values must differ from others.

Distances say how few bytes a way to the end may take; these numbers say how many are enough on some way, whichever
values are taken. Where more than `MOST` values may be taken, or none is known, the number is `FAR`: masks are then
found along ways that are spelled, however many tokens are left.

A text that is being written can be ended so that it differs from all taken ones where one of the parts still to come
has more values within some bytes than are taken (its *spread*), or where all values that can come are within them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import recorded
from decodekit_json.before import Value
from decodekit_json.distinct import FAR, MOST, Item, tells_apart
from decodekit_json.fixed import FixedTerminal
from decodekit_json.groups import ArrayGroup
from decodekit_json.machine import AFTER, Place, Reading, Thread
from decodekit_json.nodes import TerminalPlan
from decodekit_json.numbers import NumberTerminal
from decodekit_json.strings import StringTerminal
from decodekit_json.subsets import bits
from decodekit_json.terminal import INFINITE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from decodekit_json.inside import Inside
    from decodekit_json.nodes import Node, Plan
    from decodekit_json.objects import ObjectPlan, Progress

_REST = 16
"""Bytes that are enough to end a character that was begun, and to write another one, however it is written."""
_LONG = 512
"""Bytes beyond the fewest to which texts are counted: where they are sparser, nothing is known."""
_DEPTH = 3
"""How deep values are looked for that can be made to differ."""


class Spread(NamedTuple):
    """Values that can still come of a terminal.

    Attributes:
        extra: Bytes, beyond the fewest to its end.
        many: Whether more than `MOST` values end within them; otherwise all do.
    """

    extra: int
    many: bool


@lru_cache(maxsize=1 << 14)
def spread(place: Reading) -> Spread:
    """Give bytes beyond the fewest within which a terminal ends with more values than may be taken, or with all."""
    terminal, state = place.terminal, place.state
    if isinstance(terminal, NumberTerminal):
        return Spread(*terminal.spread(state))
    if isinstance(terminal, FixedTerminal):
        return Spread(terminal.longest, terminal.count(state, MOST + 1) > MOST)
    assert isinstance(terminal, StringTerminal)
    try:
        extra, many = terminal.spread(state, MOST, _LONG)
    except UnsupportedSchemaError:  # there are too many to look at
        return Spread(FAR, True)
    return Spread(min(extra, FAR), many)


def enough(node: Node) -> int:
    """Give a number of bytes that is enough for a value by itself, `FAR` or more where none is known."""
    found = node.__dict__.get("enough")
    if found is None:
        _settle(node)
        found = node.__dict__["enough"]
    return found


def excess(nodes: Iterable[Node], enough_of: Callable[[Node], int] = enough) -> int:
    """Give how many bytes more than the fewest are enough for a value of any of some nodes that have values."""
    return max((enough_of(node) - node.distance for node in nodes if node.distance < INFINITE), default=0)


def _settle(root: Node) -> None:
    """Find the least fixed point for a node and all that it must have, as distances are found."""
    order: list[Node] = []
    seen, pending = {root}, [root]
    while pending:
        node = pending.pop()
        order.append(node)
        for plan in node.plans:
            for inner in plan.mandatory():
                if inner not in seen and "enough" not in inner.__dict__:
                    seen.add(inner)
                    pending.append(inner)
    guess = dict.fromkeys(order, INFINITE)

    def enough_of(node: Node) -> int:
        return guess[node] if node in guess else node.__dict__["enough"]

    changed = True
    while changed:
        changed = False
        for node in reversed(order):
            best = min([plan.enough(enough_of) for plan in node.plans], default=INFINITE)
            if best < guess[node]:
                guess[node], changed = best, True
    for node, found in guess.items():
        node.__dict__["enough"] = min(found, INFINITE)


def apart(node: Node) -> int:
    """Give bytes within which a node has more values than may be taken; `FAR` where none are known."""
    found = node.__dict__.get("apart")
    if found is None:
        node.__dict__["apart"] = FAR  # a schema that contains itself: too much is safe
        found = node.__dict__["apart"] = _apart(node, 0)
    return found


def _apart(node: Node, depth: int) -> int:
    found = min((place.distance() + one.extra for place in node.readings if (one := spread(place)).many), default=FAR)
    if found < FAR or depth == _DEPTH or node.distance >= INFINITE:
        return found
    from decodekit_json.arrays import ArrayPlan
    from decodekit_json.objects import ObjectPlan

    for plan in node.plans:
        if plan.least(_distance) >= INFINITE:
            continue
        if isinstance(plan, ArrayPlan):
            each = min((1 + _apart(inner, depth + 1) for inner in plan.holds()), default=FAR)
            if each >= FAR and plan.open_ended():
                each = (MOST + 1) * (1 + enough(plan.item(plan.fixed)))
            found = min(found, each + plan.enough(enough))
        elif isinstance(plan, ObjectPlan):
            more = (member(depth + 1) for member in _members(plan, plan.start))
            found = min(found, plan.enough(enough) + min(more, default=FAR))
    return found


def _distance(node: Node) -> int:
    return node.distance


def _members(plan: ObjectPlan, progress: Progress) -> Iterator[Callable[[int], int]]:
    """Give, for each kind of member that may come next, what gives bytes within which it has many values."""
    for i in bits(plan.open_keys(progress)):
        for node, after in plan.going_on(progress, i):
            rest = plan.ceilings.after(after)
            yield lambda depth, i=i, node=node, rest=rest: min(FAR, plan.costs.member(i, _apart(node, depth)) + rest)
    for c in plan.open_classes(progress):
        key = Reading(c.terminal, c.terminal.start())
        if spread(key).many:
            for node, after in plan.going_on_free(progress, c, "\0"):
                size = key.distance() + spread(key).extra + 2 + enough(node) + plan.ceilings.after(after)
                yield lambda depth, size=size: size


def extra(thread: Thread) -> int:
    """Give bytes that are enough, beyond those to the end, to differ from taken values in what is recorded."""
    if thread.text is None or thread.below is None:
        return 0
    place, below = thread.place, thread.below
    own = spread(place) if isinstance(place, Reading) else Spread(0, False)
    if own.many or (isinstance(place, Reading) and _alone(below)):
        return own.extra
    found = min(_varied(place, None), _around(below, place)) + own.extra
    return found if found < FAR or recorded.matters(thread) else 0


def _alone(below: Thread) -> bool:
    """Say whether it is a terminal by itself, above a thread, that must differ from others."""
    return tells_apart(below.place) and not below.place.start


def stands_alone(thread: Thread) -> bool:
    """Say whether a value that must differ from others is nothing but the terminal that a thread stands in."""
    return thread.below is not None and _alone(thread.below)


def _around(below: Thread, inner: Place) -> int:
    """Give bytes within which what is below a part that is written has many ways to go on, up to an item.

    That is 0 where no item is recorded: what follows a key does not make it another one.
    """
    found, at, differs = FAR, below, False
    while at is not None:
        found = min(found, _varied(at.place, inner))
        if tells_apart(at.place):
            differs = differs or isinstance(at.place, Item)
            if not at.place.start:
                break
        at, inner = at.below, at.place
    return found if differs else 0


def enough_within(inside: Inside, part: Thread, near: bool) -> int:
    """Give bytes that are enough to end a terminal after any of the tokens that stay inside, and what must differ.

    Args:
        inside: The tokens.
        part: The terminal, with what is below it.
        near: Whether one of the tokens may write a taken value to its end, or leave little else.
    """
    assert part.below is not None
    if part.text is None and not tells_apart(part.below.place):
        return inside.most
    key = (inside.terminal.reader(inside.state), inside.state, inside.node, "apart")
    ends = inside.trie.kept_targets.get(key, lambda: _Ends(inside))
    return max(ends.sure, ends.unsure + (_around(part.below, part.place) if near and not _alone(part.below) else 0))


class _Ends:
    """How many bytes are enough after the tokens that stay inside a terminal.

    Attributes:
        sure: After those from which many values can come.
        unsure: After the others.
    """

    __slots__ = ("nbytes", "sure", "unsure")

    def __init__(self, inside: Inside) -> None:
        self.sure, self.unsure, self.nbytes = 0, -2 * FAR, 200
        plain = inside.terminal.plain(inside.state)
        if plain is not None and plain[1] > inside.trie.longest:
            self.sure, self.unsure = inside.most + _REST, 0
            return
        for state, more in inside.reached():
            found = spread(Reading(inside.terminal, state))
            size = more + inside.terminal.distance(state) + found.extra
            if found.many:
                self.sure = max(self.sure, size)
            else:
                self.unsure = max(self.unsure, size)


def falls(thread: Thread) -> bool:
    """Say whether `Thread.falling` falls: objects or arrays need not differ from one another anywhere from here on."""
    from decodekit_json.arrays import ArrayPlace
    from decodekit_json.members import Colon, FreeKey, NamedKey, ObjectPlace

    at: Thread | None = thread
    while at is not None:
        place = at.place.after if isinstance(at.place, Item) else at.place
        if isinstance(place, Value | Colon):
            plans = place.node.plans
        else:
            plans = (place.plan,) if isinstance(place, ArrayPlace | ObjectPlace | NamedKey | FreeKey) else ()
        if not all(map(_falls, plans)):
            return False
        at = at.below
    return True


def _falls(plan: Plan) -> bool:
    if isinstance(plan, TerminalPlan):
        return True
    found = plan.__dict__.get("falls")
    if found is None:
        found, seen, pending = True, {plan}, [plan]
        while found and pending:
            one = pending.pop()
            inner = [p for node in one.inside() for p in node.plans if not isinstance(p, TerminalPlan)]
            found = not inner or not isinstance(one.group, ArrayGroup) or not (one.group.unique or one.group.repeated)
            pending += [p for p in inner if p not in seen]
            seen.update(inner)
        plan.__dict__["falls"] = found
    return found


def _varied(place: Place, inner: Place | None) -> int:
    """Give bytes on top within which a part of a document has many ways to go on; `FAR` where that is not known."""
    from decodekit_json.arrays import ArrayPlace
    from decodekit_json.members import Colon, FreeKey, NamedKey, ObjectPlace

    if isinstance(place, Value | Colon):
        return apart(place.node)
    if isinstance(place, NamedKey) and isinstance(inner, Reading):
        ways = (way for index in place.written(inner) for way in place.plan.going_on(place.progress, index))
        return _varied_behind(place.plan, ways)
    if isinstance(place, FreeKey):
        return _varied_behind(place.plan, place.plan.going_on_free(place.progress, place.key_class, "\0"))
    if isinstance(place, ObjectPlace) and not (place.stage == AFTER and place.gap):
        return _varied_on(place.plan, place.progress)
    if isinstance(place, ArrayPlace) and not (place.stage == AFTER and place.gap):
        each = ((node, after) for node, after in place.plan.next_items(place.counts))
        return min((1 + apart(node) + place.plan.enough_after(after) for node, after in each), default=FAR)
    return FAR


def _varied_behind(plan: ObjectPlan, ways: Iterable[tuple[Node, Progress]]) -> int:
    """Do so for what comes after a key: its value, and further members."""
    return min((min(apart(node), _varied_on(plan, after)) for node, after in ways), default=FAR)


def _varied_on(plan: ObjectPlan, progress: Progress) -> int:
    """Do so for further members."""
    return min((member(_DEPTH - 1) for member in _members(plan, progress)), default=FAR)


__all__ = [
    "FAR",
    "MOST",
    "Spread",
    "apart",
    "enough",
    "enough_within",
    "excess",
    "extra",
    "falls",
    "spread",
    "stands_alone",
]
