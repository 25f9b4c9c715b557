"""Other schemas at the same place: `allOf`, `anyOf`, `oneOf`, `not`, `if`, references."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from decodekit_json.groups import Literal
from decodekit_json.keywords.reading import subschema, subschemas
from decodekit_json.keywords.table import ALWAYS, Alternatives, Handler, keyword
from decodekit_json.located import Schema

if TYPE_CHECKING:
    from decodekit_json.lowering import Lowering


@keyword("allOf")
def _all_of(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    found = subschemas(lowering, schema, "allOf")
    return [[(s, True) for s in found]] if sign else [[(s, False)] for s in found]


@keyword("anyOf")
def _any_of(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    found = subschemas(lowering, schema, "anyOf")
    return [[(s, True)] for s in found] if sign else [[(s, False) for s in found]]


@keyword("oneOf")
def _one_of_schemas(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    options: list[Literal] = [(s, True) for s in subschemas(lowering, schema, "oneOf")]
    if not sign:  # none holds, or two do
        pairs = [[a, b] for a, b in combinations(options, 2) if not lowering.disjoint(kind, a, b)]
        return [[(s, False) for s, _ in options], *pairs]
    found: Alternatives = []
    for i, one in enumerate(options):
        if lowering.groups(kind, frozenset([one])):
            others = [s for j, (s, _) in enumerate(options) if j != i and not lowering.disjoint(kind, one, (s, True))]
            found.append([one, *((s, False) for s in others)])
    return found


@keyword("not")
def _not(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    return [[(subschema(lowering, schema, "not"), not sign)]]


@keyword("if", since="7")
def _if(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
    condition = subschema(lowering, schema, "if")
    found: Alternatives = []
    for holds, name in ((True, "then"), (False, "else")):
        if name in schema.contents:
            found.append([(condition, holds), (subschema(lowering, schema, name), sign)])
        elif sign:
            found.append([(condition, holds)])
    if sign and len(found[0]) == len(found[1]) == 1:
        return ALWAYS
    return found


def _reference(name: str) -> Handler:
    def handler(lowering: Lowering, schema: Schema, sign: bool, kind: str) -> Alternatives:
        return [[(lowering.documents.target(schema, name), sign)]]

    return handler


keyword("$ref")(_reference("$ref"))
keyword("$recursiveRef", since="2019-09", until="2019-09")(_reference("$recursiveRef"))
keyword("$dynamicRef", since="2020-12")(_reference("$dynamicRef"))
