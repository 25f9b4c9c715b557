"""JSON Schema to an expression over automata. Every text that it allows satisfies the schema, whatever reads it.

Keys come in the order of the schema. An object is closed where it declares properties, unless `additionalProperties`
is a schema. A value about which the schema says nothing nests at most `depth` deep.
"""

from __future__ import annotations

from typing import Any

from decodekit.errors import SchemaError
from decodekit_outlines import charsets as cs
from decodekit_outlines import formats, numbers, strings
from decodekit_outlines.alternatives import Flat, Schema, admits, escape, unsupported
from decodekit_outlines.keywords import Reader
from decodekit_outlines.nodes import (
    EMPTY,
    NEVER,
    Leaf,
    Literal,
    Members,
    Node,
    Repeat,
    both,
    choice,
    compile_node,
    sequence,
)
from decodekit_outlines.patterns import language, search

WHITESPACE = ("compact", "single", "flexible")
_ASCII = cs.minus(((0x20, 0x7E),), ())


def schema_node(schema: Schema, whitespace: str = "single", depth: int = 2) -> Node:
    """Turn a schema into an expression.

    Args:
        schema: The schema, as Python data.
        whitespace: "compact" writes none, "single" allows a space after `:` and `,`, "flexible" also line breaks with
            up to 32 spaces after them, wherever JSON allows them between tokens of the text, bounded.
        depth: How deep values nest about which the schema says nothing.

    Raises:
        UnsupportedSchemaError: For a keyword that would not be honoured exactly, by name and JSON pointer.
        SchemaError: For what is no schema, or too large.
    """
    return _Compiler(schema, Layout(whitespace), depth).value(schema, "#", frozenset())


class Layout:
    """Where a text may have white space.

    Args:
        whitespace: One of `WHITESPACE`.
    """

    def __init__(self, whitespace: str) -> None:
        space = Repeat(Literal(b" "), 0, 1) if whitespace != "compact" else EMPTY
        line = Repeat(Leaf(language("[ ]|\n[ \t]{0,32}")), 0, 1) if whitespace == "flexible" else EMPTY
        self.colon = sequence(Literal(b":"), space)
        self.comma = sequence(Literal(b","), line if whitespace == "flexible" else space)
        self.edge = line

    def within(self, opening: bytes, inner: Node, closing: bytes) -> Node:
        """Put brackets around."""
        return sequence(Literal(opening), self.edge, inner, self.edge, Literal(closing))

    def member(self, key: Node, value: Node) -> Node:
        """Give a key with its value."""
        return sequence(key, self.colon, value)

    def constant(self, value: Any) -> Node:
        """Give one value, keys in its own order."""
        if isinstance(value, list):
            return self.within(b"[", self._all([self.constant(v) for v in value]), b"]")
        if isinstance(value, dict):
            pairs = [self.member(Literal(strings.literal(str(k)) or b""), self.constant(v)) for k, v in value.items()]
            return self.within(b"{", self._all(pairs), b"}")
        return Literal(strings.literal(value) or b"")

    def _all(self, parts: list[Node]) -> Node:
        return Members(tuple(parts), (True,) * len(parts), self.comma)

    def anything(self, depth: int) -> Node:
        """Give any value, with at most `depth` levels of arrays and objects."""
        scalar = [
            strings.free_string(),
            numbers.numbers(None, None) or NEVER,
            strings.literals([b"true", b"false", b"null"]),
        ]
        if depth <= 0:
            return choice(*scalar)
        inner = self.anything(depth - 1)
        return choice(*scalar, self.items(inner, 0, None), self.mapping(strings.free_string(), inner, 0, None))

    def items(self, part: Node, least: int, most: int | None) -> Node:
        """Give an array of equal items."""
        return self.within(b"[", Repeat(part, least, most, self.comma), b"]")

    def mapping(self, key: Node, value: Node, least: int, most: int | None) -> Node:
        """Give an object of equal members."""
        return self.within(b"{", Repeat(self.member(key, value), least, most, self.comma), b"}")


class _Compiler:
    def __init__(self, root: Schema, layout: Layout, depth: int) -> None:
        self.reader, self.layout, self.depth = Reader(root), layout, depth
        self.free: Node | None = None

    def value(self, schema: Schema, pointer: str, refs: frozenset[str]) -> Node:
        try:
            flats = self.reader.alternatives(schema, pointer, refs)
        except RecursionError:
            raise SchemaError(f"the schema at {pointer} nests too deeply") from None
        return choice(*(self.flat(flat) for flat in flats))

    def flat(self, flat: Flat) -> Node:
        if flat.values is not None:
            kept = [v for v in flat.values if admits(flat, v)]
            plain = [raw for v in kept if (raw := strings.literal(v)) is not None]
            return choice(
                strings.literals(plain), *(self.layout.constant(v) for v in kept if isinstance(v, list | dict))
            )
        if flat.types is None:
            return self._anything()
        return choice(*(self.typed(name, flat) for name in sorted(flat.types)))

    def typed(self, name: str, flat: Flat) -> Node:
        match name:
            case "null":
                return Literal(b"null")
            case "boolean":
                return strings.literals([b"true", b"false"])
            case "string":
                return self.string(flat)
            case "integer" | "number":
                return self.number(name, flat)
            case "array":
                return self.array(flat)
            case _:
                return self.object(flat)

    def _anything(self) -> Node:
        if self.free is None:
            self.free = Leaf(compile_node(self.layout.anything(self.depth)))
        return self.free

    def string(self, flat: Flat) -> Node:
        words = flat.words
        least, most = int(words.get("minLength", 0)), words.get("maxLength")
        for name in words.get("formats", ()):
            if name not in formats.STRINGS:
                known = ", ".join(sorted(formats.STRINGS))
                raise unsupported("format", flat.pointer, f"{name!r} is not one of {known}", "use a pattern instead")
        if most is not None and most > strings.LENGTH_CAP:
            most = strings.LENGTH_CAP
        if least > strings.LENGTH_CAP:
            raise unsupported("minLength", flat.pointer, f"{least} is more than {strings.LENGTH_CAP}")
        regexes = [formats.STRINGS[name] for name in words.get("formats", ())]
        if not (regexes or least or most is not None or "patterns" in words):
            return strings.free_string()
        try:
            return strings.quoted(
                strings.inside(words.get("patterns", ()), regexes, least, None if most is None else int(most))
            )
        except SchemaError as error:
            raise type(error)(f"string at {flat.pointer}: {error}", hint=error.hint) from error

    def number(self, name: str, flat: Flat) -> Node:
        words = flat.words
        low, high, multiple = _low(words), _high(words), words.get("multipleOf", 1)
        for known in words.get("formats", ()):
            if known not in formats.INTEGERS:
                raise unsupported("format", flat.pointer, f"{known!r} on a number")
            limits = formats.INTEGERS[known]
            if limits is not None:
                low = max(low or (limits[0], False), (limits[0], False))
                high = min(high or (limits[1], False), (limits[1], False))
        if multiple != int(multiple) or multiple > numbers.MAX_MULTIPLE:
            raise unsupported("multipleOf", flat.pointer, f"{multiple} is not an integer up to {numbers.MAX_MULTIPLE}")
        if name == "integer" or "multipleOf" in words:
            return numbers.integers(low, high, int(multiple))
        found = numbers.numbers(low, high)
        if found is None:
            word = "exclusiveMinimum" if "exclusiveMinimum" in words else "exclusiveMaximum"
            raise unsupported(word, flat.pointer, "with so many digits rounding decides", "round the bounds")
        return found

    def array(self, flat: Flat) -> Node:
        words, layout = flat.words, self.layout
        least, most = int(words.get("minItems", 0)), words.get("maxItems")
        if words.get("uniqueItems") and (most is None or most > 1):
            raise unsupported("uniqueItems", flat.pointer, hint="check the result, or use maxItems 1")
        if most is not None and most < least:
            return NEVER
        first = words.get("prefixItems", [])
        parts = [self.value(s, f"{flat.pointer}/prefixItems/{i}", flat.refs) for i, s in enumerate(first)]
        rest_schema = words.get("items", True)
        count = None if most is None else int(most)
        if rest_schema is False or (first and "items" not in words and least <= len(first)):
            count = min(len(first), len(first) if count is None else count)
            rest: Node = NEVER
        else:
            rest = self.value(rest_schema, f"{flat.pointer}/items", flat.refs)
        if least > (least if count is None else count):
            return NEVER
        if not parts:
            return layout.items(rest, least, count)
        # The k-th item may only be there if all before it are: nested from the back.
        tail: Node = EMPTY
        if count is None or count > len(parts):
            more = None if count is None else count - len(parts)
            tail = Repeat(sequence(layout.comma, rest), max(0, least - len(parts)), more)
        for i in reversed(range(len(parts))):
            here = sequence(layout.comma, parts[i], tail) if i else sequence(parts[i], tail)
            allowed = count is None or i < count
            tail = (here if i < least else choice(EMPTY, here)) if allowed else EMPTY
        return layout.within(b"[", tail, b"]")

    def object(self, flat: Flat) -> Node:
        words, layout = flat.words, self.layout
        declared: dict[str, Schema] = dict(words.get("properties", {}))
        patterns: dict[str, Schema] = words.get("patternProperties", {})
        extra = words.get("additionalProperties")
        needed = words.get("required", ())
        for name in needed:
            declared.setdefault(name, True if extra is None else extra)
        if "propertyNames" in words and (declared or patterns):
            raise unsupported("propertyNames", flat.pointer, "next to properties", "name the properties instead")
        parts = [self._member(name, schema, flat, patterns) for name, schema in declared.items()]
        more = self._more(flat, set(declared), patterns, extra)
        if not declared and more is not None:
            return self._map(flat, more)
        self._check_counts(flat, len(declared), len(needed), more is not None)
        required = [name in needed for name in declared]
        if more is not None:
            parts.append(Repeat(more, 1, None, layout.comma))
            required.append(False)
        return layout.within(b"{", Members(tuple(parts), tuple(required), layout.comma), b"}")

    def _member(self, name: str, schema: Schema, flat: Flat, patterns: dict[str, Schema]) -> Node:
        spelled = strings.spell(name)
        also = [s for p, s in patterns.items() if compile_node(search(p)).accepts(spelled.encode())]
        place = f"{flat.pointer}/properties/{escape(name)}"
        joint = {"allOf": [schema, *also]} if also else schema
        return self.layout.member(Literal(f'"{spelled}"'.encode()), self.value(joint, place, flat.refs))

    def _more(self, flat: Flat, declared: set[str], patterns: dict[str, Schema], extra: Any) -> Node | None:
        """Give a member that is not declared; None where there is none."""
        options: list[Node] = []
        names = strings.literals(strings.spell(name).encode() for name in declared)
        found = {p: search(p) for p in patterns}
        for pattern, schema in patterns.items():
            others = [node for p, node in found.items() if p != pattern]
            key = self._without(found[pattern], [names] if declared else [], others)
            place = f"{flat.pointer}/patternProperties/{escape(pattern)}"
            options.append(self.layout.member(strings.quoted(key), self.value(schema, place, flat.refs)))
        free = not declared and not patterns and extra in (None, True)
        if isinstance(extra, dict) or free:
            place = f"{flat.pointer}/additionalProperties"
            value = self._anything() if free else self.value(extra, place, flat.refs)
            key = strings.free_string()
            if declared or patterns:
                key = strings.quoted(self._without(None, [names] if declared else [], list(found.values())))
            if "propertyNames" in flat.words:
                key = self._names(flat)
            options.append(self.layout.member(key, value))
        return choice(*options) if options else None

    def _without(self, key: Node | None, names: list[Node], patterns: list[Node]) -> Node:
        """Take declared names and other patterns' keys out; next to other patterns only ASCII, where dialects agree."""
        key = Repeat(cs.in_json(cs.ANY), 0, None) if key is None else key
        if patterns:
            key = both(key, Repeat(cs.in_json(_ASCII), 0, None))
        for other in (*names, *patterns):
            key = both(key, other, without=True)
        return key

    def _names(self, flat: Flat) -> Node:
        place = f"{flat.pointer}/propertyNames"
        found = self.reader.alternatives(flat.words["propertyNames"], place, flat.refs)
        options: list[Node] = []
        for name in found:
            if name.values is not None:
                options.append(
                    strings.literals(
                        strings.literal(v) or b"" for v in name.values if isinstance(v, str) and admits(name, v)
                    )
                )
            elif name.types is None or "string" in name.types:
                options.append(self.string(name))
        return choice(*options)

    def _map(self, flat: Flat, member: Node) -> Node:
        least, most = int(flat.words.get("minProperties", 0)), flat.words.get("maxProperties")
        if least > 1:
            raise unsupported(
                "minProperties", flat.pointer, "keys may repeat, so they cannot be counted", "name the properties"
            )
        inner = Repeat(member, least, None if most is None else int(most), self.layout.comma)
        if most is not None and most < least:
            return NEVER
        return self.layout.within(b"{", inner, b"}")

    def _check_counts(self, flat: Flat, declared: int, needed: int, more: bool) -> None:
        if flat.words.get("minProperties", 0) > needed:
            raise unsupported("minProperties", flat.pointer, "beyond the required properties", "make them required")
        if "maxProperties" in flat.words and (more or flat.words["maxProperties"] < declared):
            raise unsupported("maxProperties", flat.pointer, "below the declared properties", "leave properties out")


def _low(words: dict[str, Any]) -> numbers.Bound:
    found = [(words["minimum"], False)] if "minimum" in words else []
    found += [(words["exclusiveMinimum"], True)] if "exclusiveMinimum" in words else []
    return max(found, default=None)


def _high(words: dict[str, Any]) -> numbers.Bound:
    found = [(words["maximum"], False)] if "maximum" in words else []
    found += [(words["exclusiveMaximum"], True)] if "exclusiveMaximum" in words else []
    return min(found, key=lambda bound: (bound[0], not bound[1]), default=None)


__all__ = ["WHITESPACE", "Layout", "schema_node"]
