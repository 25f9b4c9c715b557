"""A schema in words: what the engine allows, what that costs, what it ignores and refuses. Not a contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from decodekit.errors import SchemaError, UnsupportedSchemaError
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
from decodekit_json.unevaluated import keyword_of

_DEEP, _MANY, _PLACES = 6, 8, 5_000
_STRUCTURE = frozenset(
    ("$schema", "$id", "id", "$defs", "definitions", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary")
)
_TOGETHER = frozenset(("then", "else", "additionalItems", "minContains", "maxContains"))
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
        enough: Tokens that are enough for a document, None where nothing can be compiled.
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
    costs: list[tuple[str, str, str]] = field(default_factory=list)
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
        return found
    found.remarks = lowered.remarks
    told = {(remark.keyword, remark.pointer) for remark in found.remarks}
    found.ignored = [place for place in found.ignored if place not in told]
    _visit(lowered.root, found.refused)
    found.allowed = list(_words(lowered.root, 0, ()))
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
    if not found.refused:
        vocabulary = vocabulary or Vocabulary.from_bytes()
        compiled = Compiled(lowered.start, vocabulary, vocabulary.size, "explain-schema")
        text = compiled.budget.shortest(compiled.start())
        found.example = None if text is None or found.checked else text.decode()
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
    if all(sign and one.contents in (True, {}) for one, sign in node.literals):
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

    def of(title: str, node: Node) -> Iterator[str]:
        lines = list(_words(node, depth + 1, above)) if node.distance < INFINITE else ["never"]
        yield f"{indent}{title}: {lines[0].strip()}" if len(lines) == 1 else f"{indent}{title}:"
        yield from lines if len(lines) > 1 else ()

    if isinstance(plan, ArrayPlan):
        for place in range(plan.fixed if plan.group.high is None else min(plan.fixed, plan.group.high)):
            yield from of(f"item {place + 1}", plan.item(place))
            if plan.item(place).distance >= INFINITE:
                return
        if plan.group.high is None or plan.group.high > plan.fixed:
            yield from of("each further item" if plan.fixed else "each item", plan.item(plan.fixed))
        return
    for place, name in enumerate(plan.names):
        needed = f" ({'required' if plan.required >> place & 1 else 'optional'})"
        child = plan.child(place)
        if not plan.permitted(place) or child.distance >= INFINITE:
            yield f"{indent}{name!r}: never"
        else:
            yield from of(f"{name!r}{needed}", child)
    for c in plan.classes:
        if plan.value_of(c).distance < INFINITE:
            yield from of("keys by pattern" if plan.group.patterns else "other keys", plan.value_of(c))


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
