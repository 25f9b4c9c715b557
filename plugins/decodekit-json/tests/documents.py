"""Schemas and documents by chance, small enough that they often meet."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import strategies as st

from decodekit_json.states import State, stepped

KEYS = ("a", "b", "c")
PATTERNS = ("^a", "b$", "^[ab]*$", "a|b", "^.$", "^(ab)+$")
SCALARS: tuple[Any, ...] = (None, True, False, 0, 1, 2, 3, -1, 1.5, 0.5, "", "a", "b", "ab", "ba", "aab", "é", "😀")

scalars = st.sampled_from(SCALARS)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from((*KEYS, "ab", "d")), inner, max_size=4),
    max_leaves=8,
)
counts = st.integers(0, 3)
numbers = st.sampled_from((-1, 0, 1, 2, 0.5, 1.5))


def _some(**keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Give dicts with a few of some keywords."""
    names = st.lists(st.sampled_from(sorted(keywords)), max_size=3, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: keywords[name] for name in chosen}))


TYPES = st.sampled_from(("null", "boolean", "integer", "number", "string", "array", "object"))
STRINGS = _some(minLength=counts, maxLength=counts, pattern=st.sampled_from(PATTERNS))
NUMBERS = _some(
    minimum=numbers,
    maximum=numbers,
    exclusiveMinimum=numbers,
    exclusiveMaximum=numbers,
    multipleOf=st.sampled_from((1, 2, 3, 0.5, 1.5)),
)
VALUES = st.one_of(
    st.builds(lambda value: {"const": value}, documents),
    st.builds(lambda values: {"enum": values}, st.lists(documents, min_size=1, max_size=4)),
)


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Give keywords of arrays."""
    return _some(
        items=inner,
        prefixItems=st.lists(inner, min_size=1, max_size=3),
        minItems=counts,
        maxItems=counts,
        contains=inner,
        minContains=counts,
        maxContains=counts,
        uniqueItems=st.booleans(),
    )


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Give keywords of objects."""
    names = st.lists(st.sampled_from(KEYS), max_size=3, unique=True)
    return _some(
        properties=st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
        required=names,
        additionalProperties=inner,
        patternProperties=st.dictionaries(st.sampled_from(PATTERNS), inner, max_size=2),
        propertyNames=STRINGS | st.builds(lambda n: {"enum": [*n, "d"]}, names),
        minProperties=counts,
        maxProperties=counts,
        dependentRequired=st.dictionaries(st.sampled_from(KEYS), names, max_size=2),
        dependentSchemas=st.dictionaries(st.sampled_from(KEYS), inner, max_size=2),
    )


def combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Give keywords that put schemas together."""
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.builds(lambda s: {"allOf": s}, several),
        st.builds(lambda s: {"anyOf": s}, several),
        st.builds(lambda s: {"oneOf": s}, several),
        st.builds(lambda s: {"not": s}, inner),
        st.builds(lambda a, b, c: {"if": a, "then": b, "else": c}, inner, inner, inner),
        st.builds(lambda a, b: {"if": a, "then": b}, inner, inner),
    )


def _merged(*parts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.builds(lambda t: {"type": t}, TYPES),
    st.builds(lambda t: {"type": t}, st.lists(TYPES, min_size=1, max_size=2, unique=True)),
    STRINGS,
    NUMBERS,
    VALUES,
    st.builds(lambda part: {"type": "integer", **part}, NUMBERS),
    st.builds(lambda part: {"type": "string", **part}, STRINGS),
    st.sampled_from(({"$ref": "#"}, {"$ref": "#/$defs/x"})),
)


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(lambda part: {"type": "array", **part}, arrays(inner)),
        st.builds(lambda part: {"type": "object", **part}, objects(inner)),
        combined(inner),
        st.builds(_merged, arrays(inner), objects(inner)),
        st.builds(_merged, objects(inner), combined(inner)),
        st.builds(_merged, arrays(inner), combined(inner)),
        st.builds(_merged, combined(inner), STRINGS, NUMBERS),
    )


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """Give schemas with one definition, nested to a depth of about three."""
    inner = st.recursive(LEAVES, _grown, max_leaves=8)
    schema = dict(draw(_grown(inner).filter(_ends)))
    schema["$defs"] = {"x": draw(LEAVES.filter(_without_reference) | _grown(LEAVES))}
    return schema


def _without_reference(schema: Any) -> bool:
    return "$ref" not in json.dumps(schema)


def _applied(schema: Any) -> list[Any]:
    """Give the schemas that apply to the same value."""
    if isinstance(schema, bool):
        return []
    found = [part for name in ("allOf", "anyOf", "oneOf") for part in schema.get(name, ())]
    found += [schema[name] for name in ("not", "if", "then", "else") if name in schema]
    return found + list(schema.get("dependentSchemas", {}).values())


def _ends(schema: Any) -> bool:
    """Say whether no schema applies itself to the same value again, which no validator survives."""
    return schema != {"$ref": "#"} and all(map(_ends, _applied(schema)))


def written(seed: int, start: Any, patience: int = 40) -> str:
    """Write a document byte by byte at random, and the shortest way to its end after some bytes."""
    chance, found = random.Random(seed), bytearray()
    state = State((start,))
    while not (state.complete and (len(found) >= patience or chance.random() < 0.5)):
        late = len(found) >= patience
        ways = _ways(state, late)
        if state.complete and not ways:
            break
        assert ways, f"dead end after {bytes(found)!r}"
        assert len(found) < 5000, f"no end after {bytes(found[:200])!r}"
        if late:
            nearest = min(_distance(after) for _, after in ways)
            ways = [(byte, after) for byte, after in ways if _distance(after) == nearest]
        byte, state = chance.choice(ways)
        found.append(byte)
    return found.decode()


_LETTERS = frozenset(b'{}[]:,"abc01235.-truefalsn')


def _ways(state: State, late: bool) -> list[tuple[int, State]]:
    """Give the bytes that may follow, few of them where that does, each with the state after it."""
    possible = {byte for thread in state.threads for byte in thread.place.bytes()}
    for bytes_ in ([] if late else [possible & _LETTERS]) + [possible]:
        ways = [(byte, State(threads)) for byte in sorted(bytes_) if (threads := stepped(state.threads, bytes([byte])))]
        if ways:
            return ways
    return []


def changed(document: Any, chance: random.Random) -> Any:
    """Give a document that differs from another in one place."""
    if isinstance(document, list | dict) and document and chance.random() < 0.7:
        copy: Any = document.copy()
        at = chance.randrange(len(copy)) if isinstance(copy, list) else chance.choice(sorted(copy))
        match chance.randrange(4):
            case 0:
                del copy[at]
            case 1 if isinstance(copy, list):
                copy.append(copy[at])
            case 1:
                copy[chance.choice("abcd")] = copy[at]
            case _:
                copy[at] = changed(copy[at], chance)
        return copy
    return chance.choice(SCALARS)


def _distance(state: State) -> int:
    return min(thread.distance for thread in state.threads)


__all__ = ["SCALARS", "changed", "documents", "schemas", "written"]
