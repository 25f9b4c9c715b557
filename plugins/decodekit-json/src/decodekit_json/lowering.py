"""From schemas to groups: `allOf`, `anyOf`, `oneOf`, `not`, `if` and `$ref` are worked out, by type and on demand.

A conjunction of literals (schemas that hold, or must not hold) becomes a list of groups, of which at least one holds:
negation goes down to the keywords, alternatives are multiplied out where they do not exclude one another; many choices
about an object's keys become what it owes. Source:
"Witness Generation for JSON Schema" (arXiv:2202.12849), of which this is a lazy form. Alternatives are bounded:
what would need more is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import choices, keywords, unevaluated
from decodekit_json.groups import (
    NOTHING,
    TYPES,
    ArrayGroup,
    Literal,
    Literals,
    ObjectGroup,
    PlainGroup,
    Some,
    StringGroup,
    lowest,
    replace,
)
from decodekit_json.keywords import Alternatives, Terms
from decodekit_json.located import Documents, Schema
from decodekit_json.number_range import NumberRange

Group: TypeAlias = PlainGroup | NumberRange | StringGroup | ArrayGroup | ObjectGroup
_Settled: TypeAlias = "tuple[Group, list[Alternatives], set[Any]]"
"""What holds, the choices that are open, and the literals that were taken."""

MAX_GROUPS = keywords.MAX_ALTERNATIVES
MAX_MULTIPLIED = 32
"""Most combinations of choices that are multiplied out where an object can owe them."""
MAX_OWED = 64
"""Most obligations of one object."""
MAX_STEPS = 20_000
"""Most attempts to hold something beside something else, for one place."""
MAX_ALL_STEPS = 250_000
"""Most of them with those for the places that are looked at on the way."""
_CHOICES = ("oneOf", "anyOf", "if", "not", "enum", "allOf", "$ref")
_TAGS = ("tags",)
_LOOK = 3
"""How many levels down it is looked for a contradiction."""
_EMPTY: dict[str, Group] = {
    "null": PlainGroup(frozenset([b"null"])),
    "boolean": PlainGroup(frozenset([b"true", b"false"])),
    "number": NumberRange(),
    "string": StringGroup(),
    "array": ArrayGroup(),
    "object": ObjectGroup(),
}


class Lowering:
    """Makes groups of literals, once each.

    Args:
        documents: The schema and what it refers to.
        formats: Whether `format` is asserted.
        loosen: Called with each refusal that may be loosened; gives whether the keyword is to be left out.
    """

    def __init__(
        self, documents: Documents, formats: bool, loosen: Callable[[UnsupportedSchemaError], bool] | None = None
    ) -> None:
        self.documents, self.formats, self.loosen = documents, formats, loosen
        self._groups: dict[tuple[str, Literals], tuple[Group, ...] | UnsupportedSchemaError] = {}
        self._parts: dict[tuple[Schema, bool, str], _Parts | None] = {}
        self._hopeful: dict[tuple[Literals, int], bool] = {}
        self._disjoint: dict[tuple[str, Literals], bool] = {}
        self._asked: dict[int, tuple[Alternatives, list[list[Some] | None]]] = {}
        self._steps = self._all_steps = 0
        self._busy = False

    def types(self, literals: Literals) -> tuple[str, ...]:
        """Give the types that the literals' own `type`, `enum` and `const` leave; a cheap first look."""
        left = TYPES
        for schema, sign in literals:
            if sign and len(left) > 0:
                left = tuple(t for t in left if keywords.may_have_type(schema, t))
        return left

    def groups(self, kind: str, literals: Literals) -> tuple[Group, ...]:
        """Give the groups of one type; a value of the type satisfies the literals if it satisfies one of them.

        Raises:
            UnsupportedSchemaError: Where a keyword cannot be kept exactly.
        """
        key = (kind, literals)
        found = self._groups.get(key)
        if found is None:
            found = self._groups[key] = self._work_out(kind, literals)
        if isinstance(found, UnsupportedSchemaError):
            raise found
        return found

    def settled(self, kind: str, literals: Literals) -> Group | None:
        """Give what the literals ask of a value of one type without a choice, None where that contradicts itself.

        Raises:
            UnsupportedSchemaError: Where a keyword cannot be kept exactly.
        """
        with self._counted():
            settled = self._settle(kind, list(literals), _EMPTY[kind], set())
            return None if settled is None else settled[0]

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count the steps of one place anew, and all of them where no other place is being worked out."""
        before, self._steps = self._steps, 0
        outermost, self._busy = not self._busy, True
        if outermost:
            self._all_steps = 0
        try:
            yield
        finally:
            self._steps, self._busy = before, not outermost

    def _work_out(self, kind: str, literals: Literals) -> tuple[Group, ...] | UnsupportedSchemaError:
        ordered = list(literals)
        if len(ordered) > 1:
            ordered.sort(key=lambda literal: (literal[0].pointer, literal[1]))
        with self._counted():
            try:
                settled = self._settle(kind, ordered, _EMPTY[kind], set())
                return () if settled is None else tuple(dict.fromkeys(self._expand(kind, settled)))
            except UnsupportedSchemaError as error:
                return error

    def hopeful(self, literals: Literals, look: int = _LOOK) -> bool:
        """Say whether no contradiction is found within `look` levels; True where a value exists."""
        if not literals:
            return True
        key = (literals, look)
        found = self._hopeful.get(key)
        if found is None:
            self._hopeful[key] = True  # a schema that contains itself
            try:
                found = any(self._alive(g, look) for t in self.types(literals) for g in self.groups(t, literals))
            except UnsupportedSchemaError:
                found = True  # refused where it is needed, not where it is only looked at
            self._hopeful[key] = found
        return found

    def _alive(self, group: Group, look: int) -> bool:
        if look and isinstance(group, ObjectGroup):
            return all(self.hopeful(keywords.value_of(group, key), look - 1) for key in group.required)
        if look and isinstance(group, ArrayGroup):
            return all(self.hopeful(group.item(i), look - 1) for i in range(min(group.low, 8)))
        return True

    def disjoint(self, kind: str, one: Literal, two: Literal) -> bool:
        """Say whether no value of a type satisfies both, as far as a look of a few levels tells."""
        key = (kind, frozenset((one, two)))
        if key not in self._disjoint:
            self._disjoint[key] = self._are_disjoint(kind, one, two)
        return self._disjoint[key]

    def _are_disjoint(self, kind: str, one: Literal, two: Literal) -> bool:
        try:
            ones, twos = self.groups(kind, frozenset([one])), self.groups(kind, frozenset([two]))
        except UnsupportedSchemaError:
            return False
        if len(ones) * len(twos) > 400:
            return False
        for a in ones:
            for b in twos:
                if self._tags(a).keys() & self._tags(b).keys() and self._told_apart(a, b):
                    continue
                met = a.meet(b)  # type: ignore[arg-type]
                if met is not None and self._alive(met, _LOOK):
                    return False
        return True

    def _told_apart(self, one: Group, two: Group) -> bool:
        ones, twos = self._tags(one), self._tags(two)
        return any(ones[key].isdisjoint(twos[key]) for key in ones if key in twos)

    def _tags(self, group: Group) -> dict[str, frozenset[str]]:
        """Give the required keys of an object whose values are listed strings, with these."""
        if not isinstance(group, ObjectGroup):
            return {}
        found = group._cache.get(_TAGS)
        if found is None:
            tags: dict[str, frozenset[str]] = {}
            for key in group.required:
                for schema, sign in keywords.value_of(group, key):
                    values = keywords.listed(schema) if sign else None
                    if values is not None:
                        tags[key] = tags.get(key, values) & values
            found = group._cache[_TAGS] = tags  # type: ignore[assignment]
        return found  # type: ignore[return-value]

    def parts(self, schema: Schema, sign: bool, kind: str) -> _Parts | None:
        """Give what a literal asks of a value of a type, None where it rules the type out."""
        key = (schema, sign, kind)
        if key not in self._parts:
            self._parts[key] = self._parts_of(schema, sign, kind)
        return self._parts[key]

    def _parts_of(self, schema: Schema, sign: bool, kind: str) -> _Parts | None:
        if isinstance(schema.contents, bool):
            return _Parts() if schema.contents == sign else None
        found = _Parts()
        options: list[Terms] = []
        for keyword, handler in _handlers(schema, kind):
            try:
                alternatives = handler(self, schema, sign, kind)
            except UnsupportedSchemaError as error:
                error = error.at(keyword, schema.pointer)
                if not (self.loosen and sign and self.loosen(error)):
                    raise error from None
                continue
            if not sign:
                options += alternatives
            elif not alternatives:
                return None
            elif len(alternatives) == 1:
                found.terms.extend(alternatives[0])
            elif [] not in alternatives:
                found.choices.append(alternatives)
        if not sign:
            options = choices.joined(options, self._implied)
            if not options:
                return None
            if len(options) == 1:
                found.terms.extend(options[0])
            elif [] not in options:
                found.choices.append(options)
        return found

    def _expand(self, kind: str, state: _Settled) -> list[Group]:
        """Multiply out: the choice with the fewest alternatives left comes first; one that holds already is dropped."""
        group, alternatives_of, done = state
        if not alternatives_of:
            return [group] if self._alive(group, 1) else []
        open_choices: list[Alternatives] = []
        possible: list[list[int]] = []
        best: list[_Settled] | None = None
        place, ways = 0, 1
        for number, alternatives in enumerate(alternatives_of):
            left = self._possible(kind, alternatives, group, done)
            if left is None:
                continue
            if best is None or len(left) < len(best):
                best, place = list(left.values()), len(open_choices)
            open_choices.append(alternatives)
            possible.append(list(left))
            ways *= len(left)
            if len(left) <= 1:
                open_choices += alternatives_of[number + 1 :]
                break
        if best is None:
            return [group] if self._alive(group, 1) else []
        if len(best) > 1 and ways > MAX_MULTIPLIED and isinstance(group, ObjectGroup):
            owed = choices.tracked(self._owed(group, *one) for one in zip(open_choices, possible, strict=True))
            met = group.meet(ObjectGroup(some=tuple(some for several in owed for some in several or ())))
            rest = [one for one, several in zip(open_choices, owed, strict=True) if several is None]
            if met is not None and len(rest) < len(owed) and len(met.some) <= MAX_OWED:
                return self._expand(kind, (met, rest, done))
        rest = open_choices[:place] + open_choices[place + 1 :]
        result: list[Group] = []
        for met, more, holding in best:
            result += self._expand(kind, (met, rest + more, holding))
            if len(result) > MAX_GROUPS:
                raise _too_many(done)
        return result

    def _owed(self, group: ObjectGroup, alternatives: Alternatives, numbers: list[int]) -> list[Some] | None:
        """Give what an object owes by a choice of which these alternatives are possible; None for another choice."""

        def settle(terms: Terms) -> tuple[ObjectGroup, list[Alternatives]] | None:
            settled = self._settle("object", list(terms), ObjectGroup(), set())
            return None if settled is None or not isinstance(settled[0], ObjectGroup) else (settled[0], settled[1])

        key = id(alternatives)
        if key not in self._asked:
            self._asked[key] = alternatives, choices.asked(alternatives, settle)
        found = self._asked[key][1]
        return choices.either(self._still_owed(group, found[number]) for number in numbers)

    def _still_owed(self, group: ObjectGroup, several: list[Some] | None) -> list[Some] | None:
        """Leave out the obligations that an object fulfils anyway, and the ways that it cannot take."""
        if several is None:
            return None
        found: list[Some] = []
        for some in several:
            ways = [(name, self._left(group, name, literals)) for name, literals in some.named]
            missing = any(not self.hopeful(keywords.value_of(group, name)) for name in some.absent)
            if not missing and not any(left == NOTHING and name in group.required for name, left in ways):
                named = tuple((name, left) for name, left in ways if left is not None)
                found.append(replace(some, named=named, absent=some.absent.difference(group.required)))
        return found

    def _left(self, group: ObjectGroup, name: str, literals: Literals) -> Literals | None:
        """Leave out what the value of a key satisfies anyway; None where it cannot satisfy the rest."""
        known = keywords.value_of(group, name)
        if not self.hopeful(known | literals):
            return None
        return frozenset(one for one in literals if self.hopeful(known | {(one[0], not one[1])}))

    def _settle(self, kind: str, queue: list[Any], group: Group, done: set[Any]) -> _Settled | None:
        """Take terms that must hold, and what they ask; None where they contradict one another."""
        if self._steps > MAX_STEPS or self._all_steps > MAX_ALL_STEPS:
            raise _too_many(done or queue)
        found: list[Alternatives] = []
        done, at = set(done), 0
        while at < len(queue):
            term = queue[at]
            at += 1
            self._steps, self._all_steps = self._steps + 1, self._all_steps + 1
            if isinstance(term, list):
                found.append(term)
                continue
            if not isinstance(term, tuple):
                met = group.meet(term)
                if met is None:
                    return None
                group = met
                continue
            if term in done:
                continue
            schema, sign = term
            if (schema, not sign) in done:
                return None
            done.add(term)
            parts = self.parts(schema, sign, kind)
            if parts is None:
                return None
            queue[at:at] = parts.terms
            found += parts.choices
        return group, found, done

    def _possible(
        self, kind: str, alternatives: Alternatives, group: Group, done: set[Any]
    ) -> dict[int, _Settled] | None:
        """Give the alternatives that do not contradict what holds already; None where one of them holds already."""
        left: dict[int, _Settled] = {}
        for number, alternative in enumerate(alternatives):
            if all(self._holds(term, group, done) for term in alternative):
                return None
            found = self._settle(kind, list(alternative), group, done)
            if found is not None and self._alive(found[0], 1):
                left[number] = found
        return left

    def _holds(self, term: Any, group: Group, done: set[Any]) -> bool:
        """Say whether a term holds where a group does, as far as a look of a few levels tells."""
        if isinstance(term, list):
            return any(all(self._holds(one, group, done) for one in terms) for terms in term)
        return term in done if isinstance(term, tuple) else self._implied(term, group)

    def _implied(self, term: Group, group: Group) -> bool:
        """Say whether every value of a group satisfies a term too, as far as a look of a few levels tells."""
        if not isinstance(term, ObjectGroup) or not isinstance(group, ObjectGroup):
            return bool(group.meet(term) == group)  # type: ignore[arg-type]
        if term.low > group.low or lowest(term.high, group.high) != group.high:
            return False
        if not (term.keys <= group.keys and set(term.dependent) <= set(group.dependent)):
            return False
        if not (set(term.required) <= set(group.required) and set(term.some) <= set(group.some)):
            return False
        for rule in term.rules:
            if rule in group.rules:
                continue
            if rule.patterns or rule.rest:
                return False
            for name, literals in rule.names:
                known = keywords.value_of(group, name)
                if any(one not in known and self.hopeful(known | {(one[0], not one[1])}) for one in literals):
                    return False
        return True


class _Parts:
    """What must hold, and choices of which one alternative must hold."""

    __slots__ = ("choices", "terms")

    def __init__(self) -> None:
        self.terms: list[Any] = []
        self.choices: list[Alternatives] = []


def _handlers(schema: Schema, kind: str) -> Iterable[tuple[str, keywords.Handler]]:
    collecting = unevaluated.keyword_of(schema, kind)
    if collecting:
        yield collecting, unevaluated.handler
    for name in keywords.relevant(schema, kind):
        if not (collecting and name in unevaluated.COLLECTED):
            yield name, keywords.handler_of(name)


def _too_many(terms: Iterable[Any]) -> UnsupportedSchemaError:
    schemas = [term[0] for term in terms if isinstance(term, tuple) and isinstance(term[0].contents, dict)]
    choices = ((name, schema.pointer) for schema in schemas for name in _CHOICES if name in schema.contents)
    keyword, pointer = min(choices, key=lambda choice: len(choice[1]), default=("", "#"))
    return UnsupportedSchemaError(
        f"the alternatives multiply out to more than {MAX_GROUPS}, or take more than {MAX_STEPS} steps to tell apart",
        keyword=keyword,
        pointer=pointer,
        hint="give alternatives a property with a const that tells them apart, or use anyOf instead of oneOf",
    )


__all__ = ["Group", "Lowering"]
