"""A schema in words: what the engine allows, what that costs, what it ignores and refuses. Not a contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from decodekit.errors import SchemaError, UnsupportedSchemaError
from decodekit.vocabulary import Vocabulary
from decodekit_json import keywords
from decodekit_json.compiled import Compiled
from decodekit_json.compiler import Options, lower
from decodekit_json.formats import FORMATS
from decodekit_json.groups import ObjectGroup
from decodekit_json.located import Documents, Schema, pointer_of
from decodekit_json.nodes import Node
from decodekit_json.remarks import Remark
from decodekit_json.survey import reachable
from decodekit_json.terminal import INFINITE
from decodekit_json.unevaluated import keyword_of
from decodekit_json.words import words

Cost: TypeAlias = tuple[str, str, str]
"""A keyword that costs, its place and why."""

_PLACES = 5_000
_STRUCTURE = frozenset(
    ("$schema", "$id", "id", "$defs", "definitions", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary")
)
_TOGETHER = frozenset(("then", "else", "additionalItems", "minContains", "maxContains"))
_HOLDING = _TOGETHER | {"$defs", "definitions"}
_VALUES = frozenset(("enum", "const", "dependentRequired"))
"""Keywords of the table whose objects are no schemas."""
_COSTS = {
    "pattern": "a regular expression is followed inside the string",
    "patternProperties": "keys are told apart by all patterns",
    "uniqueItems": "the items so far are remembered",
    "contains": "items are counted in every way they can count",
    "propertyNames": "every key must satisfy a schema",
    "minProperties": "the fewest members are worked out over all keys",
    "multipleOf": "remainders are followed digit by digit",
}
_CHOICES = frozenset(
    (
        *("allOf", "anyOf", "oneOf", "not", "if", "dependencies", "dependentSchemas"),
        *("unevaluatedProperties", "unevaluatedItems"),
    )
)
"""Keywords that cost what their alternatives come to, which only the lowered schema says."""


@dataclass(slots=True)
class Explanation:
    """What there is to say about a schema.

    Attributes:
        allowed: Lines in words, indented by depth.
        example: A document as short as can be, None where none was found, or something is refused or checked at the
            end.
        enough: Tokens that are enough for a document, without what is checked at the end; None where nothing can be
            compiled.
        refused: Keywords that cannot be kept exactly.
        ignored: Annotations and keywords without effect, with their places.
        costs: Keywords that cost, with their places and why.
        remarks: What looks as if it said something and is not followed.
        checked: Keywords that are left out while writing and checked at the end, where the options ask for that.
    """

    allowed: list[str] = field(default_factory=list)
    example: str | None = None
    enough: int | None = None
    refused: list[UnsupportedSchemaError] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    checked: list[UnsupportedSchemaError] = field(default_factory=list)


def explain(
    schema: Any, options: Options, documents: Mapping[str, Any] | None = None, vocabulary: Vocabulary | None = None
) -> Explanation:
    """Explain a schema; a keyword that is refused is noted, and the rest is gone on with.

    Args:
        schema: A dict, true or false.
        options: How it is read.
        documents: Other schemas by URI.
        vocabulary: The tokens; single bytes by default.

    Raises:
        SchemaError: For a schema that is not valid.
        UnsatisfiableSchemaError: Where no document satisfies it.
    """
    found = Explanation()
    schemas = list(_schemas(Documents(schema, documents, options.draft)))
    for one in schemas:
        _remark(one, options.formats, found)
    try:
        lowered = lower(schema, replace(options, unsupported="check"), documents)
    except UnsupportedSchemaError as error:
        found.refused.append(error)
        found.costs = _kept(found.costs, found.refused, schemas)
        return found
    found.remarks = lowered.remarks
    told = {(remark.keyword, remark.pointer) for remark in found.remarks}
    found.ignored = [place for place in found.ignored if place not in told]
    _visit(lowered.root, found.refused)
    found.allowed = [line for one in words(lowered.root).listed for line in one.lines()]
    for one in schemas:
        if isinstance(one.contents, dict) and (names := _CHOICES & one.contents.keys()):
            found.costs += [
                (name, one.pointer, why) for name in sorted(names) if (why := _alternatives(lowered.root, one))
            ]
    left_out = found.checked if options.unsupported == "check" else found.refused
    seen = {(error.keyword, error.pointer) for error in found.refused}
    for error in lowered.loosened:
        if (error.keyword, error.pointer) not in seen:
            seen.add((error.keyword, error.pointer))
            left_out.append(error)
    found.costs = _kept(found.costs, [*found.refused, *found.checked], schemas)
    if not found.refused:
        vocabulary = vocabulary or Vocabulary.from_bytes()
        compiled = Compiled(lowered.start, vocabulary, vocabulary.size, "explain-schema")
        text = compiled.budget.shortest(compiled.start())
        found.example = None if text is None or found.checked else text.decode()
        enough = compiled.min_tokens(compiled.start())
        found.enough = enough if enough < INFINITE else None
    return found


def _schemas(documents: Documents) -> Iterator[Schema]:
    """Give the schemas inside the root document, each with its own place, whether they are reached or not."""
    queue = [documents.root]
    while queue:
        schema = queue.pop()
        if isinstance(schema.contents, bool):
            continue
        yield schema
        queue += reversed(list(_inside(documents, schema)))


def _inside(documents: Documents, schema: Schema) -> Iterator[Schema]:
    """Give the schemas directly inside another one; of equal ones `documents` knows the first place only."""
    for name, value in schema.contents.items():
        if name not in _HOLDING and (keywords.span(name) is None or name in _VALUES):
            continue
        parts = {"": value} if isinstance(value, dict) and not _is_map(name) else value
        items = parts.items() if isinstance(parts, dict) else enumerate(parts) if isinstance(parts, list) else ()
        for key, part in items:
            if isinstance(part, dict):
                path = [name] if key == "" and not _is_map(name) else [name, key]
                yield replace(documents.child(schema, part, *path), pointer=pointer_of(schema, *path))


def _is_map(name: str) -> bool:
    return name in ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")


def _remark(schema: Schema, formats: bool, found: Explanation) -> None:
    found.ignored += [(name, schema.pointer) for name in schema.ignored]
    kinds = ("string", "number", "array", "object")
    read = {name for kind in kinds for name in (*keywords.relevant(schema, kind), keyword_of(schema, kind))}
    for name, value in schema.contents.items():
        if name in _STRUCTURE or (name in _TOGETHER and name not in read):
            continue
        if name not in read:
            found.ignored.append((name, schema.pointer))
        elif name == "format" and not (formats and value in FORMATS):
            found.ignored.append((f"format {value!r}", schema.pointer))
        elif name in _COSTS:
            found.costs.append((name, schema.pointer, _COSTS[name]))


def _alternatives(root: Node, schema: Schema) -> str:
    """Say what the choices of a schema come to; "" where they come to none, or are refused."""
    lowering, literals = root.nodes.lowering, frozenset([(schema, True)])
    try:
        groups = [lowering.groups(kind, literals) for kind in lowering.types(literals)]
    except SchemaError:  # told where it is refused; where nothing leads, it was never checked
        return ""
    most = max(map(len, groups), default=0)
    owed = sum(len(group.some) for several in groups for group in several if isinstance(group, ObjectGroup))
    found = [f"{most} alternatives of one type are followed side by side"] if most > 1 else []
    found += [f"{owed} choices about keys are followed as what the object owes, not multiplied out"] if owed else []
    return ", and ".join(found)


def _kept(costs: list[Cost], left_out: Iterable[UnsupportedSchemaError], schemas: Iterable[Schema]) -> list[Cost]:
    """Leave out what keywords cost that are not kept; of schemas that are equal only the first is refused."""
    contents = {one.pointer: one.contents for one in schemas}
    free = [(error.keyword, contents.get(error.pointer)) for error in left_out]
    return [cost for cost in costs if (cost[0], contents[cost[1]]) not in free]


def _visit(root: Node, refused: list[UnsupportedSchemaError]) -> None:
    """Lower all places, so that all refusals come to light."""
    seen, queue = {root}, [root]
    while queue and len(seen) < _PLACES:
        node = queue.pop()
        try:
            below = list(reachable(node))
        except UnsupportedSchemaError as error:
            place = min((schema.pointer for schema, _ in node.literals), default="#")
            refused.append(error.at("schema", place))
            continue
        queue += [child for child in dict.fromkeys(below) if child not in seen]
        seen.update(below)


__all__ = ["Explanation", "explain"]
