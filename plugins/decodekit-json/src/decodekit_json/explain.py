"""A schema in words: what the engine allows, what that costs, what it ignores and refuses. Not a contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from decodekit.errors import UnsupportedSchemaError
from decodekit.vocabulary import Vocabulary
from decodekit_json import keywords
from decodekit_json.arrays import ArrayPlan
from decodekit_json.compiled import Compiled
from decodekit_json.compiler import Options, lower
from decodekit_json.formats import FORMATS
from decodekit_json.groups import ArrayGroup, ObjectGroup, PlainGroup, StringGroup
from decodekit_json.located import Documents, Schema
from decodekit_json.nodes import Node, TerminalPlan
from decodekit_json.number_range import NumberRange
from decodekit_json.objects import ObjectPlan
from decodekit_json.remarks import Remark
from decodekit_json.survey import reachable
from decodekit_json.terminal import INFINITE

_DEEP, _MANY, _PLACES = 6, 8, 5_000
_STRUCTURE = frozenset(
    ("$schema", "$id", "id", "$defs", "definitions", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary")
)
_TOGETHER = frozenset(("then", "else", "additionalItems", "minContains", "maxContains"))
_COSTS = {
    "pattern": "a regular expression is followed inside the string",
    "patternProperties": "keys are told apart by all patterns",
    "oneOf": "alternatives that are not disjoint are multiplied out",
    "anyOf": "alternatives are followed side by side",
    "not": "the negation goes down to the keywords",
    "if": "both cases are followed side by side",
    "uniqueItems": "the items so far are remembered",
    "contains": "items are counted in every way they can count",
    "propertyNames": "every key must satisfy a schema",
    "minProperties": "the fewest members are worked out over all keys",
    "multipleOf": "remainders are followed digit by digit",
    "unevaluatedProperties": "what other keywords have evaluated is multiplied out",
    "unevaluatedItems": "what other keywords have evaluated is multiplied out",
}


@dataclass(slots=True)
class Explanation:
    """What there is to say about a schema.

    Attributes:
        allowed: Lines in words, indented by depth.
        example: A document as short as can be, None where something is refused or none was found.
        enough: Tokens that are enough for a document, None where nothing can be compiled.
        refused: Keywords that cannot be kept exactly.
        ignored: Annotations and keywords without effect, with their places.
        costs: Keywords that cost, with their places and why.
        remarks: What looks as if it said something and is not followed.
    """

    allowed: list[str] = field(default_factory=list)
    example: str | None = None
    enough: int | None = None
    refused: list[UnsupportedSchemaError] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    costs: list[tuple[str, str, str]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


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
    for one in _schemas(Documents(schema, documents, options.draft)):
        _remark(one, options.formats, found)
    try:
        lowered = lower(schema, replace(options, unsupported="check"), documents)
    except UnsupportedSchemaError as error:
        found.refused.append(error)
        return found
    found.remarks = lowered.remarks
    told = {(remark.keyword, remark.pointer) for remark in found.remarks}
    found.ignored = [place for place in found.ignored if place not in told]
    _visit(lowered.root, found.refused)
    found.allowed = list(_words(lowered.root, 0, ()))
    seen = {(error.keyword, error.pointer) for error in found.refused}
    for error in lowered.loosened:
        if (error.keyword, error.pointer) not in seen:
            seen.add((error.keyword, error.pointer))
            found.refused.append(error)
    if not found.refused:
        vocabulary = vocabulary or Vocabulary.from_bytes()
        compiled = Compiled(lowered.start, vocabulary, vocabulary.size, "explain-schema")
        text = compiled.budget.shortest(compiled.start())
        found.example = None if text is None else text.decode()
        enough = compiled.min_tokens(compiled.start())
        found.enough = enough if enough < INFINITE else None
    return found


def _schemas(documents: Documents) -> Iterator[Schema]:
    """Give the schemas inside the root document, whether they are reached or not."""
    queue = [documents.root]
    while queue:
        schema = queue.pop()
        if isinstance(schema.contents, bool):
            continue
        yield schema
        for name, value in reversed(schema.contents.items()):
            if name in ("enum", "const", "default", "examples"):
                continue
            parts = {"": value} if isinstance(value, dict) and not _is_map(name) else value
            items = parts.items() if isinstance(parts, dict) else enumerate(parts) if isinstance(parts, list) else ()
            inside = [(key, part) for key, part in items if isinstance(part, dict)]
            queue += [documents.child(schema, part, name, *([key] if key != "" else [])) for key, part in inside[::-1]]


def _is_map(name: str) -> bool:
    return name in ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")


def _remark(schema: Schema, formats: bool, found: Explanation) -> None:
    found.ignored += [(name, schema.pointer) for name in schema.ignored]
    read = {name for kind in ("string", "number", "array", "object") for name in keywords.relevant(schema, kind)}
    for name, value in schema.contents.items():
        if name in _STRUCTURE or (name in _TOGETHER and name not in read):
            continue
        if name not in read:
            found.ignored.append((name, schema.pointer))
        elif name == "format" and not (formats and value in FORMATS):
            found.ignored.append((f"format {value!r}", schema.pointer))
        elif name in _COSTS:
            found.costs.append((name, schema.pointer, _COSTS[name]))


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


def _words(node: Node, depth: int, above: tuple[Node, ...]) -> Iterator[str]:
    """Say what a value may be, a line for each kind, indented."""
    indent = "  " * depth
    if not node.literals:
        yield f"{indent}any value"
        return
    if node in above or depth > _DEEP:
        yield f"{indent}the same again" if node in above else f"{indent}…"
        return
    try:
        kinds = node.nodes.lowering.types(node.literals)
        groups = [group for kind in kinds for group in node.nodes.lowering.groups(kind, node.literals)]
        plans = [
            (group, plan)
            for group in groups
            if not isinstance(group, PlainGroup)
            for plan in node.nodes.plans_of(group)
        ]
    except UnsupportedSchemaError:
        yield f"{indent}(refused)"
        return
    for group in groups:
        if isinstance(group, PlainGroup):
            yield indent + " or ".join(sorted(text.decode() for text in group.texts))
    for number, (group, plan) in enumerate(plans):
        if number == _MANY:
            yield f"{indent}or one of {len(plans) - _MANY} more alternatives"
            return
        yield indent + _line(group)
        if not isinstance(plan, TerminalPlan):
            yield from _inside(plan, depth + 1, (*above, node))


def _inside(plan: ArrayPlan | ObjectPlan, depth: int, above: tuple[Node, ...]) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(plan, ArrayPlan):
        for place in range(plan.fixed if plan.group.high is None else min(plan.fixed, plan.group.high)):
            yield f"{indent}item {place + 1}:"
            yield from _words(plan.item(place), depth + 1, above)
        if plan.group.high is None or plan.group.high > plan.fixed:
            yield f"{indent}each item:" if not plan.fixed else f"{indent}each further item:"
            yield from _words(plan.item(plan.fixed), depth + 1, above)
        return
    for place, name in enumerate(plan.names):
        needed = "required" if plan.required >> place & 1 else "optional"
        child = plan.child(place)
        if not plan.permitted(place) or child.distance >= INFINITE:
            yield f"{indent}{name!r}: never"
            continue
        yield f"{indent}{name!r} ({needed}):"
        yield from _words(child, depth + 1, above)
    for c in plan.classes:
        yield f"{indent}other keys:" if not plan.group.patterns else f"{indent}keys by pattern:"
        yield from _words(plan.value_of(c), depth + 1, above)


def _line(group: Any) -> str:
    match group:
        case StringGroup():
            return _string(group)
        case NumberRange():
            return _number(group)
        case ArrayGroup():
            rest = ", all different" if group.unique else ""
            return f"an array{_span(group.low, group.high, 'items')}{rest}"
        case ObjectGroup():
            return f"an object{_span(group.low, group.high, 'members')}"
    raise TypeError(type(group).__name__)


def _span(low: int, high: int | None, what: str) -> str:
    if high is None:
        return f" of at least {low} {what}" if low else ""
    return f" of {low} {what}" if low == high else f" of {low} to {high} {what}"


def _string(group: StringGroup) -> str:
    if group.values is not None:
        shown = [repr(value) for value in sorted(group.values)[:_MANY]]
        more = f" or {len(group.values) - _MANY} more" if len(group.values) > _MANY else ""
        return f"one of the strings {', '.join(shown)}{more}" if len(group.values) > 1 else f"the string {shown[0]}"
    tests = [f"{'' if p.sign else 'not '}{p.kind} {p.text!r}" for p in sorted(group.patterns, key=lambda p: p.text)]
    tests += [f"none of {len(group.excluded)} strings"] if group.excluded else []
    return f"a string{_span(group.low, group.high, 'characters')}" + "".join(f", {test}" for test in tests)


def _number(group: NumberRange) -> str:
    if group.values is not None:
        shown = ", ".join(str(float(v)) if v.denominator > 1 else str(v) for v in sorted(group.values)[:_MANY])
        return f"one of the numbers {shown}"
    parts = ["an integer" if group.integer else "a number"]
    if group.low is not None:
        parts.append(f"{'above' if group.low_excluded else 'at least'} {_decimal(group.low)}")
    if group.high is not None:
        parts.append(f"{'below' if group.high_excluded else 'at most'} {_decimal(group.high)}")
    parts += [f"a multiple of {_decimal(step)}" for step in group.multiples]
    return ", ".join(parts)


def _decimal(value: Any) -> str:
    return str(value) if value.denominator == 1 else str(float(value))


__all__ = ["Explanation", "explain"]
