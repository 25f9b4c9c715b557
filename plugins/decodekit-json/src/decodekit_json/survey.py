"""What a schema can come to, looked at before the first token: refusals happen here, none in the middle of a text.

Lowering is lazy. So a first look, at keywords only, finds what is malformed and tells the schemas of which nothing can
be refused; only places that the others reach are then lowered ahead. Not an analysis of its own: it visits what the
machine would visit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from decodekit.errors import UnsupportedSchemaError
from decodekit_json import keywords
from decodekit_json.located import Documents, Schema
from decodekit_json.malformed import refuse_malformed
from decodekit_json.terminal import INFINITE

if TYPE_CHECKING:
    from decodekit_json.nodes import Node

MAX_PLACES = 20_000
"""Most places that are looked at; a schema with more is refused."""
_MAX_CHOICES = 64

SAFE, ALONE, RISKY = 0, 1, 2
"""Nothing can be refused; nothing can, where nothing else must hold at the same place; something may be."""

_LISTS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_SINGLE = frozenset(
    ("not", "if", "then", "else", "items", "additionalItems", "additionalProperties", "propertyNames", "contains",
     "unevaluatedItems", "unevaluatedProperties")
)  # fmt: skip
_MAPPINGS = frozenset(("properties", "patternProperties", "dependentSchemas", "dependencies"))
_RISKY = frozenset(
    ("oneOf", "not", "if", "dependentSchemas", "dependencies", "unevaluatedItems", "unevaluatedProperties",
     "$dynamicRef", "$recursiveRef")
)  # fmt: skip
_LOWERED = frozenset(
    ("pattern", "format", "uniqueItems", "contains", "propertyNames", "minProperties", "patternProperties",
     "multipleOf", "dependentRequired")
)  # fmt: skip
"""Keywords that can be refused by themselves: the place is lowered, where nothing else must hold that place only."""
_IN_PLACE = frozenset(("allOf", "anyOf", "oneOf", "not", "if", "$ref", "$dynamicRef", "$recursiveRef"))
_SAME_VALUE = _IN_PLACE | {"then", "else", "dependentSchemas", "dependencies"}
"""Keywords whose subschemas speak of the value itself."""
_MEETING = frozenset(("properties", "items", "prefixItems", "additionalProperties", "pattern", "format", *_IN_PLACE))
"""Keywords of which several in one schema may speak of the same place."""


@dataclass(slots=True)
class _Seen:
    """What the first look finds of a schema: what it may come to, and its subschemas by keyword."""

    level: int = SAFE
    parts: list[tuple[str, Schema]] = field(default_factory=list)


class Survey:
    """The first look at a schema and all that it reaches.

    Args:
        documents: The schema and what it refers to.
        formats: Whether `format` is asserted.

    Raises:
        SchemaError: For a keyword with a value that it cannot have.
    """

    def __init__(self, documents: Documents, formats: bool) -> None:
        self.documents, self.formats = documents, formats
        self._seen: dict[Schema, _Seen] = {}
        self._choices: dict[Schema, int] = {}
        self._scan(documents.root)
        self._refuse_loops()
        self._spread()

    @property
    def schemas(self) -> Iterable[Schema]:
        """Give all schemas that are reached."""
        return self._seen

    def level(self, schema: Schema) -> int:
        """Say whether anything of a schema, or of what is inside it, can be refused."""
        found = self._seen.get(schema)
        return RISKY if found is None else found.level

    def walk(self, root: Node) -> None:
        """Lower what can be refused.

        Raises:
            UnsupportedSchemaError: For a keyword that cannot be kept exactly.
        """
        seen: set[Node] = {root}
        alone: set[Schema] = set()
        stack = [root]
        while stack:
            node = stack.pop()
            literals = node.literals
            level = max((self.level(s) if sign else RISKY for s, sign in literals), default=SAFE)
            if level == SAFE:
                continue
            if level == ALONE and len(literals) == 1:
                stack += [child for child in self._alone(next(iter(literals))[0], node, alone) if child not in seen]
                continue
            if node.distance >= INFINITE:
                continue
            for child in reachable(node):
                if child not in seen:
                    seen.add(child)
                    stack.append(child)
            if len(seen) > MAX_PLACES:
                raise UnsupportedSchemaError(
                    f"the schema comes to more than {MAX_PLACES} different places",
                    hint="split the schema, or write fewer alternatives that hold at the same time",
                )

    def _alone(self, schema: Schema, node: Node, done: set[Schema]) -> Iterator[Node]:
        """Lower the schemas that can be refused by themselves; give the nodes at which several hold."""
        stack = [schema]
        while stack:
            one = stack.pop()
            if one in done:
                continue
            done.add(one)
            if any(name in _LOWERED and (name != "format" or self.formats) for name in _keywords(one)):
                place = node.nodes.node(frozenset([(one, True)]))
                if place.distance < INFINITE:
                    yield from (child for child in reachable(place) if len(child.literals) > 1)
            stack += [part for _, part in self._seen[one].parts if self._seen[part].level == ALONE]

    def _scan(self, root: Schema) -> None:
        stack = [root]
        while stack:
            schema = stack.pop()
            if schema in self._seen:
                continue
            found = self._seen[schema] = _Seen()
            if isinstance(schema.contents, bool):
                continue
            names = _keywords(schema)
            for name in names:
                refuse_malformed(schema, name)
            found.level = self._own(schema, names)
            try:
                found.parts = list(_parts(self.documents, schema, names))
            except UnsupportedSchemaError as error:
                if error.keyword in ("$schema", "$vocabulary"):
                    raise
                found.level = RISKY  # a reference that leads nowhere: refused where it is reached
            stack += [part for _, part in found.parts]

    def _own(self, schema: Schema, names: list[str]) -> int:
        if self.documents.dynamic or not _RISKY.isdisjoint(names):
            return RISKY
        contents = schema.contents
        found = [n for n in names if n in _LOWERED and not (n == "format" and not self.formats)]
        if "anyOf" in names and (len(contents["anyOf"]) > _MAX_CHOICES or "pattern" in found or "format" in found):
            return RISKY
        return ALONE if found or "anyOf" in names else SAFE

    def _refuse_loops(self) -> None:
        """Refuse schemas that contain themselves at the same value: the specification does not say what they mean.

        Raises:
            UnsupportedSchemaError: With the reference, or the keyword, that leads back.
        """
        done: set[Schema] = set()
        for root in self._seen:
            way: dict[Schema, Iterator[tuple[str, Schema]]] = {}
            following: tuple[str, Schema] | None = ("", root)
            while way or following:
                if following is None:
                    done.add(way.popitem()[0])
                elif following[1] in way:
                    raise UnsupportedSchemaError(
                        "the schema contains itself at the same value: what that means is undefined",
                        keyword=following[0],
                        pointer=next(reversed(way)).pointer,
                        hint="refer to it from properties or items, or take the reference out",
                    )
                elif following[1] not in done:
                    parts = self._seen[following[1]].parts
                    way[following[1]] = iter([part for part in parts if part[0] in _SAME_VALUE])
                following = next(next(reversed(way.values())), None) if way else None

    def _spread(self) -> None:
        """Let what holds schemas that can be refused be one itself; several that meet must be lowered."""
        above: dict[Schema, list[Schema]] = {}
        for schema, found in self._seen.items():
            for _, part in found.parts:
                above.setdefault(part, []).append(schema)
        queue = [schema for schema, found in self._seen.items() if found.level > SAFE]
        while queue:
            low = queue.pop()
            for schema in above.get(low, ()):
                found = self._seen[schema]
                level = self._seen[low].level
                if level == ALONE and self._meets(schema, found):
                    level = RISKY
                if level > found.level:
                    found.level = level
                    queue.append(schema)
        for schema, found in self._seen.items():
            if found.level == ALONE and self._meets(schema, found):
                self._raise_level(schema, above)

    def _raise_level(self, schema: Schema, above: dict[Schema, list[Schema]]) -> None:
        queue = [schema]
        while queue:
            one = queue.pop()
            if self._seen[one].level < RISKY:
                self._seen[one].level = RISKY
                queue += above.get(one, ())

    def _meets(self, schema: Schema, found: _Seen) -> bool:
        """Say whether several parts of a schema, of which one is not safe, may speak of the same place."""
        names = _keywords(schema)
        in_place = [name for name in names if name in _IN_PLACE]
        if not in_place:
            return False
        if "allOf" in in_place and len(schema.contents["allOf"]) > 1:
            return True
        if sum(1 for name in names if name in _MEETING) > 1:
            return True
        return (
            "anyOf" in in_place
            and any("anyOf" in _keywords(part) or "$ref" in _keywords(part) for _, part in found.parts)
            and self._many(schema, ())
        )

    def _many(self, schema: Schema, above: tuple[Schema, ...]) -> bool:
        return self._count(schema, above) > _MAX_CHOICES

    def _count(self, schema: Schema, above: tuple[Schema, ...]) -> int:
        """Give how many alternatives hold at most at one place."""
        if schema in above or len(above) > 50:
            return _MAX_CHOICES + 1
        if schema not in self._choices:
            inside = [(name, part) for name, part in self._seen[schema].parts if name in _IN_PLACE]
            counts = [(name, self._count(part, (*above, schema))) for name, part in inside]
            found = sum(count for name, count in counts if name == "anyOf") or 1
            for name, count in counts:
                found *= 1 if name == "anyOf" else count
            self._choices[schema] = min(found, _MAX_CHOICES + 1)
        return self._choices[schema]


def reachable(node: Node) -> Iterator[Node]:
    """Give the nodes that a document may come to inside a value of a node."""
    from decodekit_json.nodes import TerminalPlan

    for plan in node.plans:
        if not isinstance(plan, TerminalPlan) and plan.least(lambda n: n.distance) < INFINITE:
            yield from plan.inside()


def _keywords(schema: Schema) -> list[str]:
    """Give the keywords that a schema's draft reads."""
    contents = schema.contents
    if isinstance(contents, bool):
        return []
    if "$ref" in contents and schema.older("7"):
        return ["$ref"]
    return [name for name in contents if _read(schema.draft, name)]


def _read(draft: str, name: str) -> bool:
    return name in _BESIDE if keywords.span(name) is None else keywords.is_read(draft, name)


_BESIDE = frozenset(("then", "else", "additionalItems", "minContains", "maxContains"))


def _parts(documents: Documents, schema: Schema, names: list[str]) -> Iterator[tuple[str, Schema]]:
    child, contents = documents.child, schema.contents
    for name in names:
        value = contents[name]
        if name in _LISTS or (name == "items" and isinstance(value, list)):
            for i, one in enumerate(value):
                yield name, child(schema, one, name, i)
        elif name in _SINGLE:
            if name in ("then", "else") and "if" not in contents:
                continue
            if name == "additionalItems" and not isinstance(contents.get("items"), list):
                continue
            yield name, child(schema, value, name)
        elif name in _MAPPINGS:
            for key, one in value.items():
                if not isinstance(one, list):
                    yield name, child(schema, one, name, key)
        elif name in ("$ref", "$dynamicRef", "$recursiveRef"):
            yield name, documents.target(schema, name)


__all__ = ["MAX_PLACES", "Survey", "reachable"]
